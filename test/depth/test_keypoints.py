"""Depth from keypoints as a provider, and the hull of the keypoints as a mask."""

from dataclasses import replace

import pytest
import torch

from benchmark.structure.views import scene
from semcorr_ros.artifacts import FeatureMap, Observation
from semcorr_ros.depth import JointDepth, keypoints
from semcorr_ros.depth._interpolation import interpolate
from semcorr_ros.masks._keypoint_hull import KeypointHull, hull_mask


@pytest.fixture(scope="module")
def prepared():
    truth = scene("mug", 12, 1)
    provider = keypoints.build(keypoints.KeypointDepthSettings())
    assert isinstance(provider, JointDepth)
    return truth, provider.prepare(truth.images, truth.info, torch.Generator().manual_seed(0))


def test_every_image_gets_depth_at_its_keypoints_and_a_focal_length(prepared):
    truth, found = prepared
    agreement = []
    for index, image in enumerate(truth.images):
        depth = found.depth.depth(image)
        assert tuple(depth.values.shape) == image.size
        assert not depth.metric
        assert depth.focal > 0
        assert torch.isfinite(depth.values).all()
        assert (depth.values > 0).all()
        shown = image.visible
        x, y = image.keypoints[shown].round().long().unbind(-1)
        read, true = depth.values[y, x], truth.points[index, shown, 2]
        agreement.append(float(torch.corrcoef(torch.stack([read, true]))[0, 1]))
    assert min(agreement) > 0.3
    assert sum(agreement) / len(agreement) > 0.85


def test_before_all_images_are_seen_there_is_no_depth(prepared):
    truth, found = prepared
    with pytest.raises(ValueError, match="build_class"):
        keypoints.build(keypoints.KeypointDepthSettings()).depth(truth.images[0])
    with pytest.raises(ValueError, match="not among the images"):
        found.depth.depth(replace(truth.images[0], name="stranger"))


@pytest.mark.parametrize("bad", [{"focal": 0.0}, {"modes": -1}])
def test_settings_out_of_range_are_named(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        keypoints.build(keypoints.KeypointDepthSettings(**bad))


def test_interpolation_passes_through_and_stays_near_the_range():
    pixels = torch.tensor([[10.0, 10], [50, 12], [30, 40], [30, 40]])
    depths = torch.tensor([1.0, 2.0, 3.0, 3.0])
    values = interpolate(pixels, depths, (80, 100))
    read = values[pixels[:, 1].long(), pixels[:, 0].long()]
    assert torch.allclose(read, depths, atol=0.01)
    assert values.min() >= 1.0 - 0.15 * 2 - 1e-5
    assert values.max() <= 3.0 + 0.15 * 2 + 1e-5
    assert 1.0 < values[11, 30] < 2.0


def test_the_hull_holds_its_keypoints_and_little_more():
    triangle = torch.tensor([[20.0, 20], [80, 20], [50, 70]], dtype=torch.float64)
    mask = hull_mask(triangle, (100, 100))
    assert all(mask[y, x] for x, y in ((50, 30), (20, 20), (50, 19)))
    assert not any(mask[y, x] for x, y in ((25, 60), (50, 10)))
    assert 1500 < mask.sum() < 2300, "the triangle has 1500"
    line = hull_mask(torch.tensor([[10.0, 50], [50, 50], [90, 50]], dtype=torch.float64), (100, 100))
    assert line[50, 50]
    assert not line[60, 50]
    assert line.sum() < 1000


def test_the_hull_serves_training_images_only():
    truth = scene("mug", 1, 1)
    features = FeatureMap(torch.zeros(2, 2, 1), truth.images[0].size, "none:0")
    seen = Observation(torch.zeros(*truth.images[0].size, 3, dtype=torch.uint8), features)
    hull = KeypointHull()
    assert hull.mask(truth.images[0], seen, None).any()
    assert hull.helped == [truth.images[0].name]
    bare = replace(truth.images[0], visible=torch.zeros_like(truth.images[0].visible))
    assert hull.mask(bare, seen, None) is None
    with pytest.raises(ValueError, match="building a class only"):
        hull.mask(truth.images[0], seen, object())
