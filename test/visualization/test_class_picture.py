from dataclasses import replace

import builders
import pytest
import torch

from semcorr_ros.methods.semalign3d.building.build import build
from semcorr_ros.methods.semalign3d.building.config import BuildConfig
from semcorr_ros.visualization.class_picture import BACKGROUND, TILE_PX, class_picture, feature_colors


@pytest.fixture(scope="module")
def model():
    samples = [picture.sample for picture in builders.pictures(8, seed=0)]
    config = BuildConfig(dense_points=150, surface_points=200, max_combinations=300)
    return build(builders.BEAST, builders.lazy(samples), config, torch.Generator().manual_seed(0))[0]


def test_four_tiles_with_something_on_each(model):
    picture = class_picture(model)
    assert picture.shape == (2 * TILE_PX, 2 * TILE_PX, 3)
    for rows in picture.split(TILE_PX, 0):
        for tile in rows.split(TILE_PX, 1):
            assert (tile != BACKGROUND).any(-1).float().mean() > 0.03


def test_the_front_view_has_the_left_side_on_the_right(model):
    # The back's top is symmetric, so only the labels' words differ; check the projection by a lone point.
    lone = torch.zeros_like(model.dense.barycentric[:1])
    lone[0, builders.BEAST.keypoint_names.index("left flank")] = 1
    prototypes = type(model.dense.prototypes)(*(torch.ones(1, 32), torch.ones(1), torch.ones(1)))
    dense = replace(model.dense, barycentric=lone, weight=torch.ones(1), prototypes=prototypes)
    nothing = replace(model, dense=dense, annotated=torch.zeros_like(model.annotated))
    front = class_picture(nothing)[60:TILE_PX, :TILE_PX]  # below the caption
    columns = (front != BACKGROUND).any(-1).any(0).nonzero()
    assert columns.float().mean() > TILE_PX / 2


def test_equal_features_have_equal_colors_and_few_points_do_not_fail():
    features = torch.eye(4).repeat_interleave(3, 0)
    colors = feature_colors(features).float()
    assert (colors.view(4, 3, 3).std(1) == 0).all()
    assert len(colors.unique(dim=0)) == 4
    assert feature_colors(torch.ones(1, 8)).shape == (1, 3)
