from dataclasses import replace

import builders
import pytest
import torch

from semcorr_ros.artifacts import DepthMap
from semcorr_ros.methods.semalign3d.building.config import BuildConfig
from semcorr_ros.methods.semalign3d.building.evidence import annotated_pixels, check_sample, observe


@pytest.fixture(scope="module")
def sample():
    return builders.pictures(1, seed=3)[0].sample


def _observe(sample):
    return observe(sample, BuildConfig(surface_points=200), torch.Generator().manual_seed(0))


def test_evidence_is_small_and_knows_what_is_annotated(sample):
    evidence = _observe(sample)
    assert torch.equal(torch.isfinite(evidence.pixels).all(-1), sample.annotated.visible)
    assert evidence.surface_features.shape == (200, 32)
    assert sample.mask[evidence.surface_pixels[:, 1].long(), evidence.surface_pixels[:, 0].long()].all()
    norms = evidence.features.norm(dim=-1)
    assert torch.allclose(norms, sample.annotated.visible.float(), atol=1e-4)


def test_mirrored_features_belong_to_the_same_places(sample):
    # The builder's mirrored map is the flipped map, so the features must come out alike.
    evidence = _observe(sample)
    cosine = (evidence.features * evidence.mirrored_features).sum(-1)
    # Pixels mirror about (W - 1) / 2, cells about W / 2: half a pixel apart, in a grid of 4 pixels.
    assert cosine[sample.annotated.visible].min() > 0.85


def test_keypoints_outside_the_image_are_dropped(sample):
    points = sample.annotated.keypoints.clone()
    points[0] = torch.tensor([500.0, 20.0])
    moved = replace(sample, annotated=replace(sample.annotated, keypoints=points))
    assert torch.isnan(annotated_pixels(moved)[0]).all()


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf"), -1.0])
def test_an_invalid_depth_map_is_named(sample, value):
    bad = replace(sample, depth=DepthMap(torch.full_like(sample.depth.values, value), metric=True))
    with pytest.raises(ValueError, match="depth map is invalid"):
        _observe(bad)


def test_few_keypoints_and_empty_masks_are_named(sample):
    visible = torch.zeros_like(sample.annotated.visible)
    with pytest.raises(ValueError, match="0 of 0 annotated keypoints have depth"):
        _observe(replace(sample, annotated=replace(sample.annotated, visible=visible)))
    with pytest.raises(ValueError, match="mask is empty"):
        _observe(replace(sample, mask=torch.zeros_like(sample.mask)))


def test_parts_of_different_sizes_are_named(sample):
    with pytest.raises(ValueError, match="depth map is of a 10 x 5 image, the image is 160 x 120"):
        check_sample(replace(sample, depth=DepthMap(torch.ones(5, 10), metric=True)))
    with pytest.raises(ValueError, match="the mask is of"):
        check_sample(replace(sample, mask=torch.ones(7, 7, dtype=torch.bool)))
