"""The parts of the stopwatch; the times themselves are nobody's test."""

import pytest
import torch
from PIL import Image

from semcorr_lab.timing import scaling, stages
from semcorr_lab.timing.clock import Timing, measure
from semcorr_lab.timing.subject import Frame, with_points
from semcorr_ros.artifacts import Camera
from semcorr_ros.geometry import cameras
from test.methods.semalign3d.alignment import fabricated


def test_first_run_does_not_count():
    calls = []
    timing = measure(calls.append, 5)
    assert calls == [0, 0, 1, 2, 3, 4]
    assert timing.runs == 5
    assert 0 <= timing.median_ms <= timing.p99_ms


@pytest.mark.parametrize("count", [7, 1000])
def test_points_are_cut_or_repeated(count):
    model = fabricated.make_class()
    sized = with_points(model, count)
    assert sized.dense.barycentric.shape[0] == count == len(sized.dense.prototypes.features)
    assert torch.equal(sized.dense.barycentric[:7], model.dense.barycentric[:7])


def test_resized_frame_sees_the_same_point():
    model = fabricated.make_class()
    seen, truth = fabricated.observe(model, 70, 20)
    frame = Frame(seen.image, seen.depth.values, seen.mask, seen.camera)
    half = frame.resized(max(seen.mask.shape) // 2)
    assert half.image.shape[:2] == half.mask.shape == half.camera.size
    assert half.mask.float().mean() == pytest.approx(float(seen.mask.float().mean()), rel=0.05)
    before = cameras.project(truth.keypoints, seen.camera)
    after = cameras.project(truth.keypoints, half.camera)
    torch.testing.assert_close(2 * (after + 0.5), before + 0.5)
    assert isinstance(half.camera, Camera)


def test_survivors_follow_the_number_of_starts():
    config = stages.search_sizes(500, 32)
    assert config.initialize.count == 32
    assert [kept for _, kept in config.optimize.survivors] == [16, 8, 4]
    assert [kept for _, kept in stages.search_sizes(500, 1).optimize.survivors] == [1, 1, 1]


def test_chart_has_a_panel_per_curve(tmp_path):
    points = [(value, Timing(10.0 * value, 20.0 * value, 3)) for value in (1, 2, 4)]
    scaling.draw_curves(tmp_path / "one.png", [("starts", points)])
    scaling.draw_curves(tmp_path / "four.png", [("starts", points)] * 4)
    one, four = (Image.open(tmp_path / name) for name in ("one.png", "four.png"))
    assert four.height > one.height
    assert len(set(one.get_flattened_data() if hasattr(one, "get_flattened_data") else one.getdata())) > 3
