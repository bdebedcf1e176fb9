"""The benchmark on real RGB-D frames: its measures have known numbers, its truth fits its pictures."""

import math
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("semcorr_ros.msg", reason="generated messages are missing: make setup")

from semcorr_ros.msg import (
    ClassPose,
    ClassPoseArray,
    Point2D,
    SemanticKeypoint,
    SemanticKeypoints,
    SemanticKeypointsArray,
)

from benchmark.depth_cameras import calibration, camera, measures, output, report, streaming, tables
from benchmark.depth_cameras.asking import questions
from benchmark.depth_cameras.chart import COLORS, chart
from benchmark.depth_cameras.frames import Recording, Truth, read_all, widened, without_objects
from benchmark.depth_cameras.replies import (
    BOXED,
    NOTHING,
    STREAM_BOXED,
    STREAM_WHOLE,
    WHOLE,
    Reply,
    Told,
    nearest,
    shared_out,
)
from semcorr_ros.storage import read_json, write_json

SHARED = Path(os.environ.get("SEMCORR_SHARED", Path(__file__).parents[3] / "shared"))
UP, BACK = np.array([0.0, -1.0, 0.0]), np.array([1.0, 0.0, 0.0])
KEYPOINTS = {"rim_front": (0.0, 0.0), "rim_back": (100.0, 0.0), "base_front": (50.0, 40.0)}
TRUTH = Truth(KEYPOINTS, np.array([0.0, 0.0, 0.5]), 0.08, UP, BACK)
UPRIGHT = np.stack([-BACK, np.cross(UP, -BACK), UP], axis=1)  # camera_from_canonical: x front, z up
RIM = {
    "rim_front": (-0.045, 0.0, 0.5), "rim_back": (0.045, 0.0, 0.5),
    "rim_left": (0.0, 0.0, 0.455), "rim_right": (0.0, 0.0, 0.545),
}  # fmt: skip


def moved(by: float) -> dict[str, tuple[float, float, float]]:
    return {name: (x, y, z + by) for name, (x, y, z) in RIM.items()}


def test_pck_counts_what_is_within_a_tenth_of_the_extent():
    assert TRUTH.extent == 100
    near = {"rim_front": (9.9, 0.0), "rim_back": (110.1, 0.0), "base_front": (50.0, 40.0)}
    assert measures.pck(TRUTH, near) == pytest.approx(2 / 3)
    assert measures.pck(TRUTH, {"rim_front": (math.nan, 0.0)}) == 0


def test_metric_errors_of_a_rim_that_is_moved_and_too_wide():
    found = measures.errors(TRUTH, KEYPOINTS, moved(0.006), UPRIGHT)
    assert found.pck == 1
    assert found.rim_center_mm == pytest.approx(6)
    assert found.rim_diameter_mm == pytest.approx(10)
    assert found.axis_deg == pytest.approx(0, abs=1e-4)
    assert found.handle_deg == pytest.approx(0, abs=1e-4)


def test_a_rim_with_an_unknown_point_has_no_measures():
    assert measures.rim({**RIM, "rim_left": (math.nan,) * 3}) is None
    assert measures.rim({}) is None


@pytest.mark.parametrize("turn", [0.0, 30.0, 170.0])
def test_the_handle_s_direction_is_told_apart_from_the_tilt(turn):
    a, tilt = math.radians(turn), math.radians(20)
    about_up = measures.rotation_matrix(0.0, -math.sin(a / 2), 0.0, math.cos(a / 2))
    about_x = measures.rotation_matrix(math.sin(tilt / 2), 0.0, 0.0, math.cos(tilt / 2))
    found = measures.errors(TRUTH, {}, {}, about_up @ UPRIGHT)
    assert (found.axis_deg, found.handle_deg) == pytest.approx((0, turn), abs=1e-4)
    assert measures.errors(TRUTH, {}, {}, about_x @ UPRIGHT).axis_deg == pytest.approx(20)


def test_a_detector_s_box_is_half_as_large_again_and_inside_the_image():
    assert widened({"a": (100.0, 50.0), "b": (200.0, 90.0)}, (480, 640)) == (75, 40, 151, 61)
    assert widened({"a": (10.0, 50.0), "b": (630.0, 470.0)}, (480, 640)) == (0, 0, 640, 480)


def recording() -> Recording:
    depth = np.full((48, 64), 500, np.uint16)
    objects = {"cup": replace(TRUTH, keypoints={"a": (20.0, 20.0), "b": (40.0, 30.0)})}
    color = np.zeros((48, 64, 3), np.uint8)
    return Recording("f", color, depth, np.diag([50.0, 50.0, 1.0]), objects, {"can": (1, 1, 9, 9)})


def test_of_an_absent_class_every_box_is_another_thing():
    asked = [(q.thing, q.real, q.where) for q in questions(recording(), "depth")]
    assert asked == [("cup", True, BOXED), ("can", False, BOXED)]
    asked = [(q.thing, q.real, q.where) for q in questions(without_objects(recording()), "depth")]
    assert asked == [("can", False, BOXED), ("cup", False, BOXED)]


@pytest.mark.parametrize(
    ("names", "part", "seen"),
    [
        (("rim_front", "handle_top"), "handle", True),
        (("rim_front", "handle_top"), "handle_outer", False),
        (("rim_front", "base_left"), "handle", False),
        (("rim_front", "base_left"), "base", True),
    ],
)
def test_the_turn_is_seen_where_its_keypoint_is(names, part, seen):
    keypoints = {name: (float(i), 0.0) for i, name in enumerate(names)}
    assert replace(TRUTH, keypoints=keypoints, direction_keypoint=part).direction_seen is seen


def test_the_camera_is_named_without_what_was_done_to_its_pictures():
    names = {
        "Kinect v1, organised cloud 640x480": "Kinect v1",
        "Xtion (MIT)": "Xtion",
        "D435": "D435",
        "": "unknown",
    }
    for sensor, name in names.items():
        assert replace(recording(), sensor=sensor).camera == name


def test_frames_are_read_with_sensor_and_direction(tmp_path):
    Image.fromarray(np.zeros((4, 6, 3), np.uint8)).save(tmp_path / "a_color.png")
    Image.fromarray(np.full((4, 6), 700, np.uint16)).save(tmp_path / "a_depth.png")
    facts = {"rim_centre_m": [0, 0, 1], "up": [0, -1, 0], "back": [1, 0, 0], "rim_diameter_mm": 80}
    points = {"rim_left": [1, 1], "rim_right": [3, 2], "handle_top": None, "handle_outer": [2, 2]}
    write_json(tmp_path / "keypoints.json", {"a": {"cup": points}})
    write_json(tmp_path / "objects.json", {"a": {"cup": facts}})
    write_json(tmp_path / "a.json", {"K": np.eye(3).tolist()})
    (found,) = read_all(tmp_path)
    assert (found.camera, int(found.depth[0, 0])) == ("unknown", 700)
    assert set(found.objects["cup"].keypoints) == {"rim_left", "rim_right", "handle_outer"}
    assert found.objects["cup"].rim_diameter == pytest.approx(0.08)
    assert found.objects["cup"].direction_seen
    assert not read_all(tmp_path, "handle_top")[0].objects["cup"].direction_seen
    write_json(tmp_path / "a.json", {"K": np.eye(3).tolist(), "sensor": "D435, aligned"})
    assert read_all(tmp_path)[0].camera == "D435"


@pytest.mark.parametrize("variant", list(camera.VARIANTS))
def test_what_the_camera_plays(variant):
    sent = camera.messages(recording(), variant)
    assert {message.header.frame_id for message in sent.values()} == {f"f/{variant}"}
    if variant == "color":
        assert "depth" not in sent
        return
    depth = sent["depth"]
    element = {"16UC1": np.uint16, "32FC1": np.float32}[depth.encoding]
    values = np.frombuffer(depth.data, element).reshape(depth.height, depth.width)
    metres = 1000 if variant == "millimetres as metres" or depth.encoding == "16UC1" else 1
    inside = values[values.shape[0] // 2, values.shape[1] // 2]
    unmeasured = ("nothing measured", "object not measured", "speck of a wall")
    assert inside == (0 if variant in unmeasured else 0.5 * metres)


def test_a_detector_s_regions_come_with_the_picture():
    assert "regions" not in camera.messages(recording(), "depth")
    found = camera.messages(recording(), "depth", "mug")["regions"]
    assert found.header.frame_id == "f/depth"
    assert [one.class_name for one in found.regions] == ["mug", "mug"]
    boxes = [(r.x_offset, r.y_offset, r.width, r.height) for r in (one.roi for one in found.regions)]
    assert boxes == [recording().box("cup"), (1, 1, 9, 9)]


def told(x: float, y: float, confidence: float = 0.5, name: str = "") -> Told:
    """The object's two keypoints, moved by (x, y)."""
    at = {"a": (20.0 + x, 20.0 + y), "b": (40.0 + x, 30.0 + y)}
    keypoints = [SemanticKeypoint(name=key, pixel=Point2D(x=u, y=v)) for key, (u, v) in at.items()]
    return Told("NONE", "", 1.5, keypoints, ClassPose(instance_id=name, confidence=confidence))


REFUSED = Told("REFUSED", "because", 2.0)


def test_each_thing_gets_the_place_that_is_nearest():
    boxes = {"left": (0, 0, 10, 10), "right": (100, 0, 10, 10)}
    assert nearest([(90.0, 5.0), (6.0, 5.0)], boxes) == {"left": 1, "right": 0}
    assert nearest([(90.0, 5.0), (104.0, 5.0)], boxes) == {"right": 1, "left": 0}
    assert nearest([(90.0, 5.0)], boxes) == {"right": 0}
    assert nearest([], boxes) == {}


def test_what_is_said_of_a_picture_is_shared_out():
    right, wrong = told(0, 0), told(20, 15, 0.4)
    found = list(shared_out(recording(), "depth", WHOLE, [wrong, right], REFUSED))
    assert [(r.thing, r.real, r.pck, r.elsewhere) for r in found] == [
        ("cup", True, 1.0, False),
        (NOTHING, False, 0.0, False),
    ]
    assert (found[0].confidence, found[1].confidence) == pytest.approx((0.5, 0.4))
    assert found[0].extent == 20
    (alone,) = shared_out(recording(), "depth", WHOLE, [wrong], REFUSED)
    assert (alone.real, alone.answered, alone.pck, alone.elsewhere) == (True, True, 0.0, True)
    (refused,) = shared_out(recording(), "depth", WHOLE, [], REFUSED)
    assert (refused.code, refused.answered, refused.seconds, refused.pixels) == ("REFUSED", False, 2.0, {})


def test_a_picture_without_objects_has_one_reply():
    empty = replace(recording(), objects={})
    (refused,) = shared_out(empty, "depth", STREAM_WHOLE, [], REFUSED)
    (answered,) = shared_out(empty, "depth", STREAM_WHOLE, [told(0, 0)], REFUSED)
    assert [(r.thing, r.real, r.answered) for r in (refused, answered)] == [
        (NOTHING, False, False),
        (NOTHING, False, True),
    ]


def test_in_a_detector_s_regions_other_things_may_be_answered_about():
    found = list(shared_out(recording(), "depth", STREAM_BOXED, [told(-25, -20), told(0, 0)], REFUSED))
    assert [(r.thing, r.real, r.answered, r.pck) for r in found] == [
        ("cup", True, True, 1.0),
        ("can", False, True, 0.0),
    ]
    assert found[1].box == (1, 1, 9, 9)


def test_published_keypoints_are_paired_with_poses_by_their_number():
    one, other = told(0, 0, 0.25, "cup_0"), told(5, 5, 0.75, "cup_1")
    unknown = Told("NONE", keypoints=[SemanticKeypoint(pixel=Point2D(x=math.nan, y=math.nan))])
    parts = [("cup_0", one), ("cup_1", other), ("cup_2", unknown)]
    said = [SemanticKeypoints(instance_id=name, keypoints=each.keypoints) for name, each in parts]
    poses = ClassPoseArray(poses=[ClassPose(instance_id="cup_2"), other.pose, one.pose])
    found = streaming.instances(SemanticKeypointsArray(instances=said), poses, 0.7)
    assert [each.pose.confidence for each in found] == [0.25, 0.75]
    assert [each.seconds for each in found] == [0.7, 0.7]
    assert found[1].pixels["a"] == (25, 25)


def reply(code: str, confidence: float, pck: float, where: str = BOXED, variant: str = "depth") -> Reply:
    errors = measures.Errors(pck, 4.0 if pck > 0.5 else None, -3.0, 10.0, 20.0)
    return Reply(
        "f", variant, "cup", True, where, code, "", confidence, True, 1.0, None, {"a": (1.0, 1.0)}, errors,
        camera="D435", extent=100.0, direction_seen=True,
    )  # fmt: skip


GIVEN = (
    reply("NONE", 0.6, 1.0),
    replace(reply("NONE", 0.5, 0.1), extent=60.0),
    replace(reply("NONE", 0.2, 0.2), elsewhere=True, direction_seen=False),
    replace(reply("LOW_SCORE", 0.1, 0.7), seconds=0.0, direction_seen=False, elsewhere=True),
)


def test_found_refused_and_wrong_are_counted():
    found = report.summary(GIVEN)
    counts = ("objects", "found", "refused", "wrong", "elsewhere", "wrong_and_sure", "large", "large_found")
    assert [found[name] for name in counts] == [4, 1, 1, 2, 1, 1, 3, 1]
    assert found["pck"] == pytest.approx(0.5)
    assert (found["direction_seen"], found["pck_direction_seen"]) == (2, pytest.approx(0.55))
    assert found["pck_answered"] == pytest.approx(1.3 / 3)
    assert (found["sure"], found["seconds"]) == (0.5, 1.0)


@pytest.mark.parametrize(("pck", "found"), [(0.5, 1), (0.49, 0)])
def test_half_of_the_keypoints_make_an_answer_right(pck, found):
    counts = report.summary([reply("NONE", 0.6, pck)])
    assert (counts["found"], counts["wrong"], counts["large_found"]) == (found, 1 - found, found)


def test_medians_are_of_sure_answers_and_the_handle_s_where_it_is_seen():
    apart = [
        replace(r, errors=replace(r.errors, axis_deg=axis, handle_deg=handle))
        for r, axis, handle in zip(GIVEN, (1, 3, 90, 90), (5, 7, 90, 90), strict=True)
    ]
    found = report.summary(apart)
    assert found["medians_sure"] == {
        "rim_center_mm": 4, "rim_diameter_mm": 3, "axis_deg": 2, "handle_deg": 6,
    }  # fmt: skip
    assert (found["medians_answered"]["axis_deg"], found["medians_answered"]["handle_deg"]) == (3, 6)
    nothing = report.summary([replace(GIVEN[3], errors=None)])
    assert set(nothing["medians_sure"].values()) == {None}
    assert (nothing["pck"], nothing["pck_answered"], nothing["seconds"]) == (0, None, None)


def test_the_table_has_a_line_per_way():
    text = tables.ways_table(report.ways([*GIVEN, reply("NONE", 0.9, 1.0, STREAM_WHOLE, "color")]))
    row = (
        "| in the box, depth | 4 | 1 | 1 | 2 (1) | 0.50 | 0.55 (2) | 50 % | 1 of 3 | 4 | 3 | 10 | 20 | 1.0 |"
    )
    assert row in text
    last = "| stream, whole picture, color | 1 | 1 | 0 | 0 | 1.00 | 1.00 (1) | 100 % | 1 of 1 |"
    assert text.splitlines()[-1].startswith(last)
    assert "object there" not in output.text(GIVEN)


def test_cameras_are_told_apart():
    other = replace(reply("NONE", 0.9, 1.0), camera="Kinect v1")
    rows = report.cameras([other, *GIVEN])
    assert [(row["camera"], row["objects"], row["found"]) for row in rows] == [
        ("D435", 4, 1),
        ("Kinect v1", 1, 1),
    ]
    assert "| Kinect v1 | in the box, depth | 1 | 1 |" in tables.cameras_table(rows)


def test_an_answer_where_there_is_nothing_is_named():
    can = replace(reply("NONE", 0.4, 0.0), thing="can", real=False, errors=None)
    rows = report.others([can, replace(can, code="NOT_FOUND", confidence=0.0)])
    said = "in the box, depth: 1 of 2 refused, largest confidence 0.40; answered: can in f (0.40)"
    assert said in tables.others_lines(rows)
    assert report.ways([can]) == []


def test_a_confidence_is_worth_the_share_of_right_ones():
    can = replace(reply("NONE", 0.64, 1.0), real=False)
    given = [reply("NONE", 0.62, 0.5), reply("LOW_SCORE", 0.66, 0.4), can, reply("NONE", 1.0, 1.0)]
    found = calibration.bins(given)
    assert [(one.count, one.right) for one in found] == [(0, 0)] * 6 + [(3, 1), (0, 0), (0, 0), (1, 1)]
    assert (found[6].share, found[6].confidence) == (pytest.approx(1 / 3), pytest.approx(0.64))
    assert found[0].share is None
    assert calibration.expected_error(found) == pytest.approx(0.75 * (0.64 - 1 / 3))
    assert calibration.overconfidence(found) == pytest.approx(0.75 * (0.64 - 1 / 3))
    assert calibration.expected_error(calibration.bins([])) is None


@pytest.mark.parametrize(("confidence", "low"), [(0.0, 0.0), (0.3, 0.3), (0.7, 0.7), (0.2999, 0.2)])
def test_a_bin_has_its_lower_end(confidence, low):
    (filled,) = (one for one in calibration.bins([reply("NONE", confidence, 1.0)]) if one.count)
    assert filled.low == low


def test_calibration_is_of_what_was_placed_when_asked():
    nowhere = replace(reply("NOT_FOUND", 0.0, 0.0), pixels={}, errors=None)
    given = [nowhere, reply("NONE", 0.5, 1.0, STREAM_BOXED), reply("NONE", 0.5, 1.0, WHOLE)]
    found = calibration.curves([*given, reply("NONE", 0.5, 1.0, variant="color")])
    assert {name: sum(one.count for one in bins) for name, bins in found.items()} == {"depth": 1, "color": 1}


def test_the_chart_draws_what_there_is():
    nothing = chart(calibration.curves([])).numpy()
    drawn = chart(calibration.curves(GIVEN)).numpy()
    assert nothing.shape == drawn.shape
    depth = [(picture == COLORS["depth"]).all(-1).sum() for picture in (nothing, drawn)]
    assert depth[1] > depth[0] + 200
    color = [(picture == COLORS["color"]).all(-1).sum() for picture in (nothing, drawn)]
    assert color[0] == color[1]


def test_a_run_leaves_numbers_tables_and_pictures(tmp_path):
    frame = replace(
        recording(), objects={"cup": replace(TRUTH, keypoints={"a": (20.0, 20.0), "b": (9.0, 9.0)})}
    )
    stream = reply("NONE", 0.5, 1.0, STREAM_BOXED)
    output.write(tmp_path, [frame], [*GIVEN, stream], {"alive": True})
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {
        "results.json", "table.md", "calibration.png", "box_depth.png", "stream_regions_depth.png",
    }  # fmt: skip
    left = read_json(tmp_path / "results.json")
    assert (left["alive"], len(left["replies"]), len(left["ways"])) == (True, 5, 2)
    assert left["calibration"]["depth"]["bins"][6]["share"] == 1
    assert left["refusals"] == {"LOW_SCORE: ": 1}
    assert "| f | cup | stream, regions | depth | NONE | 0.50 |" in (tmp_path / "table.md").read_text()


def test_the_real_frames_truth_is_where_it_is_marked():
    """The rim's metric centre falls amid the rim's marks: camera, units and pixel centres agree."""
    root = SHARED / "data/rgbd/real"
    if not root.is_dir():
        pytest.skip(f"no {root}")
    checked = 0
    for each in read_all(root):
        assert each.color.shape[:2] == each.depth.shape
        for truth in each.objects.values():
            x, y, w = each.intrinsics @ truth.rim_center
            marks = np.mean([truth.keypoints[name] for name in measures.RIM], axis=0)
            assert np.hypot(*(np.array([x / w, y / w]) - marks)) < 0.1 * truth.extent
            checked += 1
    assert checked == 9
