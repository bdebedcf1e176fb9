import pytest
import torch
from torch.nn import functional

from semcorr_ros.artifacts import FeatureMap
from semcorr_ros.visualization.feature_picture import feature_picture


def _map(seed):
    values = torch.randn(6, 8, 16, generator=torch.Generator().manual_seed(seed))
    return FeatureMap(functional.normalize(values, dim=-1), (30, 40), "x:1")


def test_equal_features_get_equal_colors_and_rows_are_filled():
    images = [torch.full((30, 40, 3), 40 * i, dtype=torch.uint8) for i in range(5)]
    picture = feature_picture(images, [_map(i % 2) for i in range(5)])
    assert picture.shape == (360, 4 * 360, 3)
    assert torch.equal(picture[:180, 180:360], picture[:180, 900:1080])  # maps 0 and 2
    assert not torch.equal(picture[:180, 180:360], picture[:180, 540:720])
    assert (picture[:180, 360:540] == 40).all()


def test_missing_maps_are_refused():
    with pytest.raises(ValueError, match="as many feature maps"):
        feature_picture([], [])
