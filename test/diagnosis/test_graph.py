"""Facts in, findings out: what each defect of a ROS graph is called, and its fix."""

from __future__ import annotations

from dataclasses import replace

import pytest

from semcorr_ros.diagnosis import graph
from semcorr_ros.diagnosis.facts import Facts, Offer, Sample, Stream
from semcorr_ros.reasons import Level

IMAGE, INFO = "sensor_msgs/msg/Image", "sensor_msgs/msg/CameraInfo"


def samples(frame: str = "optical", size=(480, 640), late: float = 0.02, shift: float = 0.0):
    return tuple(Sample(100 + i / 10, 100 + i / 10 - late + shift, frame, size, "rgb8") for i in range(30))


def stream(name: str, kind: str = IMAGE, **changes) -> Stream:
    return replace(Stream(name, f"/{name}", kind, (Offer("/camera", kind),), samples()), **changes)


def healthy(**changes) -> Facts:
    facts = Facts(
        node="/semcorr",
        found=True,
        nodes=("/camera", "/semcorr"),
        watched=3.0,
        parameters={"sync_slop": 0.05, "use_sim_time": False},
        diagnostics={"images received": "9", "lifecycle state": "active"},
        streams=(stream("image"), stream("camera_info", INFO), stream("depth")),
    )
    return replace(facts, **changes)


def with_image(**changes) -> Facts:
    return healthy(streams=(stream("image", **changes), stream("camera_info", INFO), stream("depth")))


def with_calibration(*size: int) -> Facts:
    return healthy(streams=(stream("image"), stream("camera_info", INFO, samples=samples(size=size))))


def problems(facts: Facts) -> list[tuple[Level, str, str, str]]:
    found = [f for f in graph.examine(facts) if f.level != Level.OK]
    assert all(f.fix for f in found)
    return [(f.level, f.about, f.what, f.fix) for f in found]


def test_a_healthy_graph_has_no_problems():
    assert problems(healthy()) == []
    said = [(f.about, f.what) for f in graph.examine(healthy())]
    assert said == [
        ("node", "/semcorr is active"),
        ("topic image", "/image: 10.0 per second, 640x480 rgb8 in frame 'optical'"),
        ("topic camera_info", "/camera_info: 10.0 per second, 640x480 rgb8 in frame 'optical'"),
        ("topic depth", "/depth: 10.0 per second, 640x480 rgb8 in frame 'optical'"),
        ("drops", "the node has lost nothing"),
    ]


@pytest.mark.parametrize(
    ("facts", "level", "about", "what", "fix"),
    [
        (healthy(found=False), Level.ERROR, "node", "no node /semcorr; nodes: /camera", "ros2 launch"),
        (
            healthy(diagnostics={"lifecycle state": "unconfigured"}),
            Level.ERROR, "node", "/semcorr is unconfigured",
            "ros2 lifecycle set /semcorr configure, then activate",
        ),
        (healthy(diagnostics={}), Level.WARN, "node", "no /diagnostics", "perceive"),
        (
            with_image(offers=(), samples=(), others=("/camera/color/image_raw",)),
            Level.ERROR, "topic image", "nobody publishes /image",
            "image:=TOPIC, one of: /camera/color/image_raw",
        ),
        (with_image(offers=(), samples=()), Level.ERROR, "topic image", "nobody publishes", "driver"),
        (
            with_image(offers=(Offer("/camera", "sensor_msgs/msg/CompressedImage"),), samples=()),
            Level.ERROR, "topic image", "/image is sensor_msgs/msg/CompressedImage", "image_transport",
        ),
        (
            with_image(offers=(Offer("/camera", IMAGE, "offers this, subscribed with that"),), samples=()),
            Level.ERROR, "topic image", "offers this, subscribed with that",
            "qos_overrides./image.subscription.reliability",
        ),
        (with_image(samples=()), Level.ERROR, "topic image", "nothing came in 3 s", "compressed"),
        (with_image(samples=samples()[:2]), Level.WARN, "topic image", "2 messages in 3 s", "rate"),
        (
            with_image(samples=(replace(samples()[0], refusal="BAD_ENCODING: 'rgb565'"),) * 30),
            Level.ERROR, "topic image", "BAD_ENCODING: 'rgb565'", "rgb8",
        ),
        (
            with_image(samples=samples("left_optical")),
            Level.WARN, "frames", "image 'left_optical'", "registered",
        ),
        (
            with_image(samples=samples(size=(960, 1280))),
            Level.ERROR, "sizes", "image 1280x960", "align_depth",
        ),
        (
            with_calibration(360, 640),
            Level.ERROR, "sizes", "image 640x480, camera_info 640x360", "its camera_info",
        ),
        (
            with_calibration(960, 1280),
            Level.WARN, "sizes", "the calibration is scaled to the image", "field of view",
        ),
        (
            healthy(
                streams=(stream("image"), stream("depth", samples=samples(shift=0.05))),
                parameters={"sync_slop": 0.02},
            ),
            Level.ERROR, "stamps", "sync_slop is 0.02", "synchronization",
        ),
        (
            with_image(samples=samples(late=3600.0)),
            Level.WARN, "stamps", "3600.0 s behind the clock", "chrony",
        ),
        (
            healthy(parameters={"use_sim_time": True}),
            Level.ERROR, "clock", "nobody publishes /clock", "use_sim_time:=false",
        ),
        (
            healthy(nodes=("/camera", "/semcorr", "/semcorr")),
            Level.ERROR, "node", "2 nodes are called /semcorr", "name:=",
        ),
        (
            with_image(offers=(), samples=(), transport="/image/compressed"),
            Level.ERROR, "topic image", "/image/compressed is there", "image_transport:=compressed",
        ),
        (
            with_image(topic="/image/compressed", offers=(), samples=(), transport="/image"),
            Level.ERROR, "topic image", "but /image is there", "image_transport:=raw",
        ),
        (
            with_image(offers=(Offer("/left", IMAGE), Offer("/right", IMAGE))),
            Level.WARN, "topic image", "2 publishers send on /image: /left, /right", "ros2 topic info",
        ),
        (
            with_image(samples=samples("/optical")),
            Level.WARN, "frames", "'/optical'", "name it 'optical'",
        ),
        (
            with_image(samples=tuple(replace(one, stamp=0.0) for one in samples())),
            Level.ERROR, "stamps", "stamp 0", "driver",
        ),
        (healthy(clock_publishers=1), Level.WARN, "clock", "use_sim_time is false", "use_sim_time:=true"),
        (
            healthy(diagnostics={"dropped LOW_SCORE": "4", "why LOW_SCORE": "0.08 is below 0.1"}),
            Level.WARN, "LOW_SCORE", "4 times: 0.08 is below 0.1", "min_score",
        ),
    ],
)  # fmt: skip
def test_each_defect_has_a_name_and_a_fix(facts, level, about, what, fix):
    matching = [
        p for p in problems(facts) if p[0] == level and p[1] == about and what in p[2] and fix in p[3]
    ]
    assert matching, problems(facts)


def test_what_is_over_is_told_but_no_warning():
    values = {"dropped SYNC_MISS": "4", "why SYNC_MISS": "nearest depth none", "lifecycle state": "active"}
    facts = healthy(diagnostics=values | {"last SYNC_MISS": "62.0 s ago"})
    assert problems(facts) == []
    assert "4 times, last seen 62.0 s ago: nearest depth none" in [f.what for f in graph.examine(facts)]
    assert problems(healthy(diagnostics=values | {"last SYNC_MISS": "0.4 s ago"}))


def test_a_missing_depth_stream_is_no_error():
    facts = healthy(streams=(stream("image"), stream("depth", offers=(), samples=())))
    assert [p[0] for p in problems(facts)] == [Level.WARN]


def test_harmless_drops_are_not_reported():
    assert problems(healthy(diagnostics={"dropped PREEMPTED": "40", "lifecycle state": "active"})) == []
