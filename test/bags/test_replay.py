"""A bag through the pipeline: positions, reasons, JSON and a bag of results."""

from __future__ import annotations

import numpy as np
import pear_camera
import pytest
from methods.semalign3d.alignment import fabricated
from scipy.spatial.transform import Rotation

from semcorr_ros import backbones
from semcorr_ros.__main__ import main
from semcorr_ros.methods.semalign3d.class_file import write_class
from semcorr_ros.storage import read_json

rosbags = pytest.importorskip("rosbags", reason="pip install 'semcorr_ros[bags]'")
import fabricated_bag  # noqa: E402
from fabricated_bag import Transform  # noqa: E402
from rosbags.highlevel import AnyReader  # noqa: E402

from semcorr_ros.bags.topics import Head, choose_topics  # noqa: E402

pytestmark = pytest.mark.usefixtures("fabricated_backbone")
FAR = 0.01


@pytest.fixture(scope="module")
def model():
    return fabricated.make_class()


@pytest.fixture(scope="module")
def shots(model):
    return [pear_camera.shoot(model, azimuth) for azimuth in (70, 72)]


@pytest.fixture(scope="module")
def class_file(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("class") / "pear.safetensors"
    write_class(path, model)
    return path


def replay(bag, class_file, output, *arguments) -> int:
    return main(
        ["replay", str(bag), "--class-file", str(class_file), "--backbone", "fabricated", "--threads", "1",
         "--output", str(output), *map(str, arguments)]
    )  # fmt: skip


@pytest.mark.parametrize(("kind", "packed"), [("mcap", False), ("sqlite3", True)])
def test_keypoints_of_a_bag(shots, class_file, tmp_path, kind, packed):
    fabricated_bag.write_bag(tmp_path / "bag", shots, kind, packed)
    assert replay(tmp_path / "bag", class_file, tmp_path / "out.json", "--quality", "tracking") == 0
    content = read_json(tmp_path / "out.json")
    assert content["topics"]["depth"].startswith("/camera/depth/image_raw")
    assert [frame["stamp"] for frame in content["frames"]] == [
        {"sec": 100, "nanosec": 0},
        {"sec": 100, "nanosec": 100000000},
    ]
    for frame, shot in zip(content["frames"], shots, strict=True):
        assert frame["frame_id"] == "optical"
        (found,) = frame["objects"]
        assert found["metric"]
        xyz = np.array([keypoint["xyz"] or [np.nan] * 3 for keypoint in found["keypoints"]])
        assert np.nanmedian(np.linalg.norm(xyz - shot.keypoints, axis=1)) < FAR
        assert np.shape(found["pose"]["covariance"]) == (6, 6)


def test_same_bag_same_numbers_and_every_nth(shots, class_file, tmp_path):
    fabricated_bag.write_bag(tmp_path / "bag", shots)
    outputs = []
    for i in range(2):
        assert replay(tmp_path / "bag", class_file, tmp_path / f"{i}.json", "--every", 2, "--no-depth") == 0
        outputs.append(read_json(tmp_path / f"{i}.json"))
    assert outputs[0] == outputs[1]
    assert len(outputs[0]["frames"]) == 1
    assert "depth" not in outputs[0]["topics"]
    (found,) = outputs[0]["frames"][0]["objects"]
    assert not found["metric"]
    assert {keypoint["xyz"] is None for keypoint in found["keypoints"]} == {True}


def test_a_bag_of_results(shots, class_file, tmp_path):
    fabricated_bag.write_bag(tmp_path / "bag", shots[:1])
    assert replay(tmp_path / "bag", class_file, tmp_path / "results") == 0
    assert replay(tmp_path / "bag", class_file, tmp_path / "out.json") == 0
    (told,) = read_json(tmp_path / "out.json")["frames"][0]["objects"]
    with AnyReader([tmp_path / "results"]) as reader:
        got = {c.topic: (t, reader.deserialize(raw, c.msgtype)) for c, t, raw in reader.messages()}
    stamp, keypoints = got["/semcorr/keypoints"]
    assert stamp == 100_000_000_000
    assert keypoints.header.frame_id == "optical"
    for written, row in zip(keypoints.instances[0].keypoints, told["keypoints"], strict=True):
        assert written.name == row["name"]
        at = [written.xyz.x, written.xyz.y, written.xyz.z]
        np.testing.assert_allclose(at, row["xyz"] or [np.nan] * 3)
        if row["xyz"]:
            np.testing.assert_allclose(written.covariance.reshape(3, 3), row["covariance"])
    pose = got["/semcorr/poses"][1].poses[0]
    assert pose.confidence == pytest.approx(told["confidence"])
    assert replay(tmp_path / "bag", class_file, tmp_path / "results") == 2  # never overwritten


def test_markers_and_overlay_of_a_bag_of_results(shots, class_file, tmp_path):
    fabricated_bag.write_bag(tmp_path / "bag", shots[:1])
    assert replay(tmp_path / "bag", class_file, tmp_path / "results", "--overlay") == 0
    with AnyReader([tmp_path / "results"]) as reader:
        got = {c.topic: reader.deserialize(raw, c.msgtype) for c, _, raw in reader.messages()}
    first, *drawn = got["/semcorr/markers"].markers
    assert first.action == first.DELETEALL
    kinds = {marker.ns: marker for marker in drawn}
    known = [one for one in got["/semcorr/keypoints"].instances[0].keypoints if np.isfinite(one.xyz.z)]
    spheres = kinds["pear_0/keypoints"]
    assert (spheres.type, spheres.header.frame_id) == (spheres.SPHERE_LIST, "optical")
    assert [(at.x, at.y, at.z) for at in spheres.points] == [(k.xyz.x, k.xyz.y, k.xyz.z) for k in known]
    assert len([marker for marker in drawn if marker.ns == "pear_0/names"]) == len(known)
    assert spheres.scale.x > 0
    overlay = got["/semcorr/overlay"]
    height, width = shots[0].image.shape[:2]
    assert (overlay.height, overlay.width, overlay.encoding) == (height, width, "rgb8")
    changed = (overlay.data.reshape(height, width, 3) != shots[0].image).any(-1)
    x, y = np.rint(shots[0].pixels[0]).astype(int)
    assert changed[y - 2 : y + 3, x - 2 : x + 3].any()
    assert changed.mean() < 0.5


def test_an_overlay_needs_a_bag(shots, class_file, tmp_path, capsys):
    fabricated_bag.write_bag(tmp_path / "bag", shots[:1])
    assert replay(tmp_path / "bag", class_file, tmp_path / "out.json", "--overlay") == 2
    assert "--overlay needs a new bag" in capsys.readouterr().err


def test_another_frame_by_the_tf_that_was_recorded(shots, class_file, tmp_path):
    """The camera moves 1 m/s along x of the base while it looks; the last picture is after the last tf."""
    half = float(np.sqrt(0.5))
    tf = [
        Transform(
            "arm", "optical", (0.0, 0.0, 0.5), (0.0, 0.0, half, half)
        ),  # x of the camera is y of the arm
        Transform("base", "arm", (1.0, 0.0, 0.0), seconds=99.95),
        Transform("base", "arm", (1.1, 0.0, 0.0), seconds=100.05),
    ]
    fabricated_bag.write_bag(tmp_path / "bag", shots, transforms=tf)
    assert replay(tmp_path / "bag", class_file, tmp_path / "own.json") == 0
    assert replay(tmp_path / "bag", class_file, tmp_path / "out.json", "--target-frame", "base") == 0
    own, content = (read_json(tmp_path / name) for name in ("own.json", "out.json"))
    before, after = own["frames"][0], content["frames"][0]
    assert (before["frame_id"], after["frame_id"]) == ("optical", "base")
    turn = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    for there, here in zip(before["objects"][0]["keypoints"], after["objects"][0]["keypoints"], strict=True):
        assert there["pixel"] == here["pixel"]
        assert (there["xyz"] is None) == (here["xyz"] is None)
        if there["xyz"]:
            np.testing.assert_allclose(here["xyz"], turn @ there["xyz"] + [1.05, 0, 0.5], atol=1e-6)
            np.testing.assert_allclose(here["covariance"], turn @ there["covariance"] @ turn.T, atol=1e-9)
    there, here = before["objects"][0]["pose"], after["objects"][0]["pose"]
    np.testing.assert_allclose(here["position"], turn @ there["position"] + [1.05, 0, 0.5], atol=1e-6)
    expected = turn @ Rotation.from_quat(there["orientation"]).as_matrix()
    np.testing.assert_allclose(Rotation.from_quat(here["orientation"]).as_matrix(), expected, atol=1e-6)
    assert content["frames"][1]["objects"] == []
    assert content["dropped"] == {"TF_MISSING": 1}
    assert "frames: arm, base, optical" in content["reasons"]["TF_MISSING"]


def test_what_cannot_be_used_is_counted(shots, class_file, tmp_path, model):
    dark = pear_camera.shoot(model, 70)
    dark.image[:] = 0
    fabricated_bag.write_bag(tmp_path / "bag", [dark])
    assert replay(tmp_path / "bag", class_file, tmp_path / "out.json") == 0
    content = read_json(tmp_path / "out.json")
    assert content["dropped"] == {"NOT_FOUND": 1}
    assert content["frames"][0]["refused"]["pear"]["code"] == "NOT_FOUND"


def test_a_backbone_of_rendered_images_is_warned_of_once(shots, class_file, tmp_path, caplog, monkeypatch):
    fabricated_bag.write_bag(tmp_path / "bag", shots)
    assert replay(tmp_path / "bag", class_file, tmp_path / "a.json") == 0
    assert not caplog.messages
    monkeypatch.setattr(backbones, "RENDERED_ONLY", ("fabricated",))
    assert replay(tmp_path / "bag", class_file, tmp_path / "b.json") == 0
    (said,) = caplog.messages
    assert "'fabricated' knows rendered images only" in said


def test_a_missing_or_broken_bag_is_one_line(class_file, tmp_path, capsys):
    assert replay(tmp_path / "none", class_file, tmp_path / "o.json") == 2
    (tmp_path / "broken.mcap").write_bytes(b"no bag")
    assert replay(tmp_path / "broken.mcap", class_file, tmp_path / "o.json") == 2
    told = capsys.readouterr().err
    assert "no bag" in told
    assert "broken.mcap is not a readable bag" in told


IMAGE, INFO = "sensor_msgs/msg/Image", "sensor_msgs/msg/CameraInfo"
PACKED = "sensor_msgs/msg/CompressedImage"


def test_depth_is_known_by_its_encoding():
    oak = {
        "/oak/rgb/image_raw": IMAGE, "/oak/rgb/camera_info": INFO, "/oak/left/image_raw": IMAGE,
        "/oak/stereo/image_raw": IMAGE, "/oak/stereo/camera_info": INFO, "/oak/disparity": IMAGE,
    }  # fmt: skip
    heads = {
        "/oak/rgb/image_raw": Head("bgr8", "rgb"),
        "/oak/left/image_raw": Head("mono8", "left"),
        "/oak/stereo/image_raw": Head("16UC1", "rgb"),
        "/oak/disparity": Head("32FC1", "rgb"),
    }
    chosen = {
        "image": "/oak/rgb/image_raw",
        "camera_info": "/oak/rgb/camera_info",
        "depth": "/oak/stereo/image_raw",
    }
    assert choose_topics(oak, {}, heads) == chosen
    # A colour camera may be called depth, too.
    named = {"/depth_camera/rgb": IMAGE, "/depth_camera/camera_info": INFO}
    assert "depth" not in choose_topics(named, {}, {"/depth_camera/rgb": Head("rgb8")})
    packed = {"/c/a": PACKED, "/c/b": PACKED, "/c/camera_info": INFO}
    seen = {"/c/a": Head("16UC1; compressedDepth rvl"), "/c/b": Head("rgb8; jpeg compressed bgr8")}
    assert choose_topics(packed, {}, seen)["depth"] == "/c/a"


def test_of_two_depths_the_registered_one_is_taken_and_of_copies_the_original():
    kinds = {
        "/cam/color/image_raw": IMAGE, "/cam/color/image_raw/compressed": PACKED,
        "/cam/color/camera_info": INFO,
        "/cam/depth/image_rect_raw": IMAGE, "/cam/aligned_depth_to_color/image_raw": IMAGE,
    }  # fmt: skip
    heads = {topic: Head("16UC1", "depth") for topic in kinds}
    heads["/cam/color/image_raw"] = Head("rgb8", "color")
    heads["/cam/aligned_depth_to_color/image_raw"] = Head("16UC1", "color")
    chosen = choose_topics(kinds, {}, heads)
    assert chosen["depth"] == "/cam/aligned_depth_to_color/image_raw"
    assert chosen["image"] == "/cam/color/image_raw"


def test_frames_that_differ_are_said_as_the_node_says_it(shots, class_file, tmp_path, monkeypatch):
    whole = fabricated_bag.messages

    def moved(*given):
        color, info, depth = whole(*given)
        depth.header.frame_id = "infrared"
        return color, info, depth

    monkeypatch.setattr(fabricated_bag, "messages", moved)
    fabricated_bag.write_bag(tmp_path / "bag", shots)
    assert replay(tmp_path / "bag", class_file, tmp_path / "out.json", "--quality", "tracking") == 0
    content = read_json(tmp_path / "out.json")
    assert content["dropped"]["FRAME_MISMATCH"] == 1  # once: it does not change
    assert "depth 'infrared'" in content["reasons"]["FRAME_MISMATCH"]


def test_topics_that_decide_themselves_and_those_that_do_not():
    kinds = {
        "/cam/color/image_raw": IMAGE, "/cam/color/camera_info": INFO,
        "/cam/depth/image_rect": IMAGE, "/cam/depth/camera_info": INFO,
    }  # fmt: skip
    assert choose_topics(kinds, {}) == {
        "image": "/cam/color/image_raw",
        "camera_info": "/cam/color/camera_info",
        "depth": "/cam/depth/image_rect",
    }
    assert "depth" not in choose_topics(kinds, {"depth": ""})
    with pytest.raises(ValueError, match=r"2 topics \(/cam/color/image_raw, /left\).*--image"):
        choose_topics({**kinds, "/left": IMAGE}, {})
    with pytest.raises(ValueError, match="no topic '/right'"):
        choose_topics(kinds, {"image": "/right"})
