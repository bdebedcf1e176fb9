"""Which view of the source resembles the target more, on worked numbers."""

import math

import pytest
import torch

from semcorr_ros.artifacts import FeatureMap
from semcorr_ros.methods import _adaptive_flip


def of_angles(rows, size=None):
    """Unit features on a circle, by degrees."""
    angles = torch.deg2rad(torch.tensor(rows, dtype=torch.float32))
    values = torch.stack([angles.cos(), angles.sin()], dim=-1)
    return FeatureMap(values, size or tuple(angles.shape), "circle:0")


def chord(degrees):
    return 2 * math.sin(math.radians(degrees) / 2)


def test_only_the_objects_are_compared():
    source, target = of_angles([[0.0, 90.0, 200.0]]), of_angles([[10.0, 50.0, 200.0]])
    masks = torch.tensor([[True, True, False]]), torch.tensor([[True, True, False]])
    found = _adaptive_flip.object_distance(source, target, masks)
    assert found == pytest.approx((chord(10) + chord(40)) / 2, abs=1e-5)
    everywhere = torch.ones(1, 3, dtype=torch.bool)
    found = _adaptive_flip.object_distance(source, target, (everywhere, everywhere))
    assert found == pytest.approx((chord(10) + chord(40)) / 3, abs=1e-5)
    nothing = torch.zeros(1, 3, dtype=torch.bool)
    assert _adaptive_flip.object_distance(source, target, (everywhere, nothing)) == math.inf
    assert _adaptive_flip.object_distance(source, target, (nothing, everywhere)) == math.inf


def test_masks_are_taken_at_the_cells():
    source, target = of_angles([[0.0, 90.0]], (20, 40)), of_angles([[30.0, 90.0]], (20, 40))
    left = torch.zeros(20, 40, dtype=torch.bool)
    left[:, :20] = True
    found = _adaptive_flip.object_distance(source, target, (left, left))
    assert found == pytest.approx(chord(30), abs=1e-5)


def test_without_masks_only_mutual_neighbors_count():
    # 0 and 10, 90 and 100 choose each other; 60 chooses 100, which prefers 90.
    source, target = of_angles([[0.0, 90.0, 60.0]]), of_angles([[10.0, 100.0]])
    found = _adaptive_flip.mutual_distance(source, target)
    assert found == pytest.approx(chord(10), abs=1e-5)


def test_a_left_eye_is_where_the_mirrored_right_one_is():
    keypoints = torch.tensor([[10.0, 5.0], [30.0, 6.0], [70.0, 7.0], [torch.nan, torch.nan]])
    found = _adaptive_flip.mirrored_queries(keypoints, (1, 0, 2, 3), 100)
    wanted = torch.tensor([[69.0, 6.0], [89.0, 5.0], [29.0, 7.0], [torch.nan, torch.nan]])
    torch.testing.assert_close(found, wanted, equal_nan=True)
