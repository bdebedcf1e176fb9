"""The benchmark on real RGB-D frames: its measures have known numbers, its truth fits its pictures."""

import math
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("semcorr_ros.msg", reason="generated messages are missing: make setup")

from benchmark.rgbd import camera, measures, report
from benchmark.rgbd.asking import BOXED, WHOLE, Reply, questions
from benchmark.rgbd.frames import Recording, Truth, read_all, widened, without_objects

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
    assert asked == [("cup", True, WHOLE), ("cup", True, BOXED), ("can", False, BOXED)]
    asked = [(q.thing, q.real, q.where) for q in questions(without_objects(recording()), "depth")]
    assert asked == [("no cup", False, WHOLE), ("can", False, BOXED), ("cup", False, BOXED)]


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


def reply(code: str, confidence: float, pck: float, where: str = BOXED) -> Reply:
    errors = measures.Errors(pck, 4.0 if pck > 0.5 else None, -3.0, 10.0, 20.0)
    return Reply("f", "depth", "cup", True, where, code, "", confidence, True, 1.0, None, {}, errors)


def test_the_table_counts_answers_that_are_wrong():
    given = [
        reply("NONE", 0.6, 1.0),
        reply("NONE", 0.5, 0.1),
        reply("NONE", 0.2, 0.2),
        reply("LOW_SCORE", 0.1, 0.7),
    ]
    found = report.summary(given)
    assert (found["objects"], found["answered"], found["wrong"], found["wrong_and_sure"]) == (4, 3, 2, 1)
    assert found["pck"] == pytest.approx(0.5)
    assert found["pck_answered"] == pytest.approx(1.3 / 3)
    assert (found["rim_center_mm"], found["rim_diameter_mm"]) == (4, 3)
    text = report.table(given, ["depth"])
    assert "| in the box, depth | 4 | 3 | 0.50 | 0.43 | 2 | 1 | 4 | 3 | 10 | 20 |" in text
    assert "no cup there" not in text


def test_an_answer_where_there_is_nothing_is_named():
    can = replace(reply("NONE", 0.4, 0.0), thing="can", real=False, errors=None)
    said = "in the box, depth: 1 of 2 refused, largest confidence 0.40; answered: can in f (0.40)"
    assert said in report.table([can, replace(can, code="NOT_FOUND", confidence=0.0)], ["depth"])


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
