"""Features and spheres weighed together, by hand; and where a point is in 3D."""

import dataclasses
import math

import pytest
import torch

from semcorr_ros.artifacts import Camera, DepthMap, FeatureMap, KeypointState, Observation
from semcorr_ros.methods.spherical.config import MatchConfig, metric_for
from semcorr_ros.methods.spherical.matching import (
    Mapping,
    Query,
    as_score,
    best_cells,
    only_inside,
    similarity,
)

# Two wheels that look alike, on different sides; and something between.
FEATURES = torch.tensor([[[1.0, 0.0], [0.6, 0.8], [1.0, 0.0]]])
SPHERES = torch.tensor([[[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]])
LEFT = Query(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0, 0.0]]))
RIGHT = Query(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, -1.0, 0.0]]))


def rated(query, **how):
    return similarity(query, Mapping(FEATURES, SPHERES), MatchConfig(**how))[0, 0]


def test_cosines_are_weighed_by_alpha():
    torch.testing.assert_close(rated(LEFT, alpha=0.2), torch.tensor([1.0, 0.8 * 0.6, 0.8 - 0.2]))
    torch.testing.assert_close(rated(LEFT, alpha=0.0), torch.tensor([1.0, 0.6, 1.0]))


def test_distances_are_weighed_by_alpha():
    wanted = [0.0, -0.8 * math.sqrt(0.8) - 0.2 * math.sqrt(2), -0.2 * 2]
    torch.testing.assert_close(rated(LEFT, metric="l2"), torch.tensor(wanted))


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_the_sphere_tells_sides_apart(metric):
    assert int(rated(LEFT, metric=metric).argmax()) == 0
    assert int(rated(RIGHT, metric=metric).argmax()) == 2


def test_only_fused_features_are_compared_by_distance():
    assert metric_for("sd_dino:0") == "l2"
    assert metric_for("dinov2:0") == metric_for("tiny:0") == "cosine"


@pytest.mark.parametrize(
    ("metric", "found", "wanted"), [("cosine", -0.5, 0.0), ("cosine", 0.7, 0.7), ("l2", -0.3, 0.7)]
)
def test_scores_are_shares(metric, found, wanted):
    assert float(as_score(torch.tensor(found), MatchConfig(metric=metric))) == pytest.approx(wanted)


def test_cells_off_the_object_are_never_best():
    table = torch.tensor([[[0.9, 0.1, 0.3]], [[0.8, 0.2, 0.6]]])
    inside = torch.tensor([[False, True, True]])
    found = only_inside(table, inside)
    assert found[:, 0, 0].tolist() == pytest.approx([0.1, 0.1])
    torch.testing.assert_close(found[:, :, 1:], table[:, :, 1:])
    torch.testing.assert_close(only_inside(table, inside & False), table)


def observation(depth=None, metric=True):
    features = FeatureMap(FEATURES, (20, 60), "fake:0")
    camera = Camera(torch.tensor([100.0, 100.0]), torch.tensor([30.0, 10.0]), (20, 60))
    measured = None if depth is None else DepthMap(depth, metric)
    return Observation(torch.zeros(20, 60, 3, dtype=torch.uint8), features, depth=measured, camera=camera)


def test_the_best_cell_is_told_as_its_centre_with_the_sensors_depth():
    depth = torch.full((20, 60), 2.0)
    found, score = best_cells(rated(RIGHT)[None, None], observation(depth))
    assert found.points.tolist() == [[50.0, 10.0]]
    assert float(score) == pytest.approx(1.0)
    torch.testing.assert_close(found.xyz, torch.tensor([[0.4, 0.0, 2.0]]))
    assert found.state.tolist() == [KeypointState.VISIBLE]


def test_a_hole_in_the_depth_is_told():
    depth = torch.full((20, 60), 2.0)
    depth[:, 40:] = 0.0
    found, _ = best_cells(rated(RIGHT)[None, None], observation(depth))
    assert found.state.tolist() == [KeypointState.NO_DEPTH]
    assert found.xyz.isnan().all()


def test_depth_around_a_hole_counts():
    depth = torch.zeros(20, 60)
    depth[8, 49], depth[12, 51], depth[9, 52] = 1.0, 3.0, 2.0
    found, _ = best_cells(rated(RIGHT)[None, None], observation(depth))
    assert float(found.xyz[0, 2]) == pytest.approx(2.0)


@pytest.mark.parametrize("case", ["none", "relative", "uncalibrated"])
def test_without_a_sensor_there_is_no_3d(case):
    seen = observation(None if case == "none" else torch.ones(20, 60), metric=case != "relative")
    if case == "uncalibrated":
        seen = dataclasses.replace(seen, camera=None)
    found, _ = best_cells(rated(RIGHT)[None, None], seen)
    assert found.xyz.isnan().all()
    assert found.state.tolist() == [KeypointState.VISIBLE]
