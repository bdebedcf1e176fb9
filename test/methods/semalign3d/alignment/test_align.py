"""Recovery: a class rendered with known pose, shape and camera must be found again."""

from dataclasses import replace

import pytest
import torch

from semcorr_ros.geometry import cameras
from semcorr_ros.methods.semalign3d import alignment
from semcorr_ros.methods.semalign3d.alignment import AlignmentConfig
from semcorr_ros.methods.semalign3d.alignment.initialize import InitializeConfig
from semcorr_ros.methods.semalign3d.alignment.optimize import OptimizeConfig
from semcorr_ros.methods.semalign3d.alignment.presets import PRESETS, preset
from test.methods.semalign3d.alignment import fabricated

RADIUS = 0.05  # of the fabricated object, metres


@pytest.fixture(scope="module")
def model():
    return fabricated.make_class()


def _pixel_error(found, truth):
    placed = cameras.project(found.keypoints[0], found.camera)
    return (placed - cameras.project(truth.keypoints, truth.camera)).norm(dim=-1)


@pytest.mark.parametrize(
    ("azimuth", "elevation", "modes"), [(40, 10, (1.0, -1.0)), (160, 0, (-1.0, 1.0)), (265, 50, (0.5, 1.0))]
)
def test_recovers_metric_pose_with_depth(model, azimuth, elevation, modes):
    seen, truth = fabricated.observe(model, azimuth, elevation, modes)
    found = alignment.align(model, seen, AlignmentConfig(), torch.Generator().manual_seed(0))
    assert found.metric
    assert (found.keypoints[0] - truth.keypoints).norm(dim=-1).median() < 0.25 * RADIUS
    assert _pixel_error(found, truth).median() < 3
    cosine = ((found.rotation[0].T @ truth.rotation).trace() - 1) / 2
    assert torch.rad2deg(torch.acos(cosine.clamp(-1, 1))) < 15
    assert found.confidence[0] > 0.4


@pytest.mark.parametrize("azimuth", [40, 160, 265])
def test_recovers_pixels_without_depth_and_camera(model, azimuth):
    seen, truth = fabricated.observe(model, azimuth, 15, (0.5, 0.5))
    seen = replace(seen, depth=None, camera=None)
    found = alignment.align(model, seen, AlignmentConfig(), torch.Generator().manual_seed(0))
    assert not found.metric
    assert _pixel_error(found, truth).median() < 4


def test_same_seed_same_answer_and_batch_order_best_first(model):
    seen, _ = fabricated.observe(model, 100, 20)
    config = replace(AlignmentConfig(), optimize=replace(AlignmentConfig().optimize, steps=20))
    first = alignment.align(model, seen, config, torch.Generator().manual_seed(5))
    second = alignment.align(model, seen, config, torch.Generator().manual_seed(5))
    assert torch.equal(first.keypoints, second.keypoints)
    assert (first.energy.diff() >= 0).all()
    assert ((first.confidence >= 0) & (first.confidence <= 1)).all()


@pytest.mark.parametrize("name", PRESETS)
def test_presets_run_with_and_without_a_camera(model, name):
    seen, _ = fabricated.observe(model, 100, 20)
    config = preset(name)
    config = replace(config, optimize=replace(config.optimize, steps=5))
    for camera in (seen.camera, None):
        found = alignment.align(model, replace(seen, camera=camera), config, torch.Generator().manual_seed(0))
        assert torch.isfinite(found.keypoints).all()


def test_unknown_preset_lists_the_choices():
    with pytest.raises(ValueError, match=r"'quick'.*fast, paper, tracking"):
        preset("quick")


def test_foreign_backbone_is_refused(model):
    seen, _ = fabricated.observe(model, 100, 20)
    foreign = replace(seen, features=replace(seen.features, backbone="other:2"))
    with pytest.raises(ValueError, match=r"fabricated:1.*other:2"):
        alignment.align(model, foreign, AlignmentConfig(), torch.Generator())


def test_empty_mask_is_refused(model):
    seen, _ = fabricated.observe(model, 100, 20)
    with pytest.raises(ValueError, match="mask is empty"):
        alignment.align(
            model, replace(seen, mask=torch.zeros_like(seen.mask)), AlignmentConfig(), torch.Generator()
        )


def test_invalid_depth_is_ignored(model):
    seen, truth = fabricated.observe(model, 40, 10)
    bad = torch.full_like(seen.depth.values, torch.nan)
    found = alignment.align(
        model,
        replace(seen, depth=replace(seen.depth, values=bad)),
        AlignmentConfig(),
        torch.Generator().manual_seed(0),
    )
    assert not found.metric
    assert _pixel_error(found, truth).median() < 4


def test_callback_sees_progress_and_can_stop(model):
    seen, _ = fabricated.observe(model, 100, 20)
    steps = []

    def on_step(step, total, energy):
        steps.append((step, total))
        return len(steps) < 3

    config = AlignmentConfig()
    alignment.align(model, seen, config, torch.Generator().manual_seed(0), on_step)
    assert len(steps) == 3
    assert steps[0][0] <= 5, "a cancelled goal must not wait for more"
    assert {total for _, total in steps} == {config.optimize.steps}


def test_survivors_keep_the_best(model):
    seen, _ = fabricated.observe(model, 100, 20)
    config = replace(
        AlignmentConfig(),
        optimize=OptimizeConfig(steps=20, survivors=((500.0, 4),)),
        initialize=InitializeConfig(count=8),
    )
    found = alignment.align(model, seen, config, torch.Generator().manual_seed(0))
    assert len(found.energy) == 4


def test_flat_class_never_faces_away():
    model = fabricated.make_class(flat=True)
    seen, _ = fabricated.observe(model, 180, 10)
    found = alignment.align(model, seen, AlignmentConfig(), torch.Generator().manual_seed(0))
    away = found.energy_by_term["facing_away"]
    assert (away.diff() >= 0).all()
