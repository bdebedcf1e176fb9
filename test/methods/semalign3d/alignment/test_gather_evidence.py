"""What is around an object does not dilute the evidence about it, and depth is trusted as far as it knows."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from methods.semalign3d.alignment import fabricated

from semcorr_ros.artifacts import Camera, DepthMap, Observation
from semcorr_ros.methods.semalign3d.alignment import confidence, objective
from semcorr_ros.methods.semalign3d.alignment.evidence import EvidenceConfig, gather_evidence
from semcorr_ros.methods.semalign3d.alignment.objective import ObjectiveConfig
from semcorr_ros.methods.semalign3d.artifacts import FROM_KEYPOINTS

H, W = fabricated.SIZE
BEHIND = 1.0  # metres: a wall


@pytest.fixture(scope="module")
def model():
    return fabricated.make_class()


def gather(model, seen, config=None):
    return gather_evidence(model, seen, config or EvidenceConfig(), torch.Generator().manual_seed(0))


def within(seen: Observation, size: tuple[int, int], corner: tuple[int, int]) -> Observation:
    """The same picture as a window of a larger one."""
    y, x = corner

    def padded(values: torch.Tensor) -> torch.Tensor:
        whole = torch.zeros(*size, *values.shape[2:], dtype=values.dtype)
        whole[y : y + H, x : x + W] = values
        return whole

    camera = Camera(seen.camera.focal, seen.camera.principal_point + torch.tensor([x, y]), size)
    return Observation(
        image=padded(seen.image),
        features=replace(seen.features, image_size=size, window=(x, y, W, H)),
        mask=padded(seen.mask),
        depth=DepthMap(padded(seen.depth.values), True),
        camera=camera,
    )


def with_wall(seen: Observation) -> Observation:
    values = torch.where(seen.depth.values > 0, seen.depth.values, BEHIND)
    return replace(seen, depth=DepthMap(values, True))


def state_of(model, evidence, keypoints):
    """Of keypoints in metres, in working units of the class's canonical scale."""
    working = keypoints[None] / 0.05
    placement = torch.tensor([evidence.focal]), torch.tensor([evidence.object_depth / 0.05])
    return objective.make_state(
        model, working, placement, evidence, objective.sigmas_at(ObjectiveConfig(), 1000.0, evidence)
    )


def test_the_size_of_the_picture_around_the_window_does_not_matter(model):
    seen, _ = fabricated.observe(model, 30, 25)
    one, other = (
        gather(model, within(seen, size, corner))
        for size, corner in (((300, 400), (100, 120)), ((900, 1200), (400, 500)))
    )
    assert one.radius == pytest.approx(other.radius)
    assert one.focal == pytest.approx(other.focal)
    torch.testing.assert_close(one.dense.points, other.dense.points, atol=1e-4, rtol=0)
    torch.testing.assert_close(one.background.share, other.background.share)
    whole = gather(model, within(seen, (900, 1200), (400, 500)), EvidenceConfig(around=None))
    assert whole.radius < 0.3 * other.radius  # as published: shares of the image


def test_an_unknown_focal_length_is_still_looked_for_in_sides_of_the_image(model):
    seen, _ = fabricated.observe(model, 30, 25)
    evidence = gather(model, replace(within(seen, (900, 1200), (400, 500)), camera=None))
    pixels = 1.25 * evidence.frame.image * float(evidence.frame.pixels_per_unit[0])
    assert pixels == pytest.approx(1.25 * 1200)


def test_a_surface_between_keypoints_that_was_never_measured_is_not_trusted(model):
    seen, _ = fabricated.observe(model, 30, 25)
    measured = gather(model, seen)
    guessed = gather(replace(model, provenance={"depth": FROM_KEYPOINTS}), seen)
    assert float(measured.dense.relief_weight.max()) == 1.0
    assert float(guessed.dense.relief_weight.max()) < 0.01
    assert float(guessed.sparse.relief_weight.max()) == 1.0  # of keypoints the class knows it
    assert guessed.object_depth == measured.object_depth


def test_keypoints_that_depth_sees_through(model):
    seen, truth = fabricated.observe(model, 30, 25)
    evidence = gather(model, with_wall(seen))
    beside = truth.keypoints - torch.tensor([0.14, 0.0, 0.0])  # about its own width
    share = [
        float(confidence.in_empty_space(model, evidence, state_of(model, evidence, points), 0.35))
        for points in (truth.keypoints, beside)
    ]
    assert share[0] == 0.0
    assert share[1] > 0.3


@pytest.mark.parametrize("spoil", [lambda seen: replace(seen, depth=None), lambda seen: seen])
def test_where_nothing_is_measured_nothing_is_empty(model, spoil):
    seen, truth = fabricated.observe(model, 30, 25)  # without a wall: 0 around the object
    evidence = gather(model, spoil(seen))
    if evidence.object_depth == 0:
        evidence = replace(evidence, object_depth=float(truth.keypoints[:, 2].mean()))
    beside = truth.keypoints + torch.tensor([0.14, 0.0, 0.0])
    assert float(confidence.in_empty_space(model, evidence, state_of(model, evidence, beside), 0.35)) < 0.2


def test_empty_space_costs_confidence(model):
    seen, truth = fabricated.observe(model, 30, 25)
    evidence = gather(model, with_wall(seen))
    state = state_of(model, evidence, truth.keypoints)
    config = confidence.ConfidenceConfig()

    def judged(there):
        empty = confidence.in_empty_space(model, there, state, config.empty_depth)
        ranked = torch.zeros(1), {"empty_space": empty}
        return float(confidence.confidence(model, there, state, ranked, config))

    sure = judged(evidence)
    hollow = replace(evidence, nearest=torch.full_like(evidence.nearest, 2.0))
    assert judged(hollow) < 0.01 * sure
