"""States, depths and sub-cell precision of located points."""

from dataclasses import replace

import pytest
import torch
from methods.semalign3d.alignment import fabricated

from semcorr_ros.artifacts import DepthMap, KeypointState
from semcorr_ros.geometry import cameras, grid
from semcorr_ros.methods.semalign3d.artifacts import View
from semcorr_ros.methods.semalign3d.matching.placed_points import (
    PlacedPoints,
    found_at,
    locate,
    measure,
    unknown,
)

MODEL = fabricated.make_class()


@pytest.fixture(scope="module")
def view():
    return fabricated.true_view(MODEL, 30, 25)


def _front_pixel(view):
    """A pixel well inside the object, and the 3D point seen there."""
    rows, columns = torch.nonzero(view.seen.mask, as_tuple=True)
    pixel = torch.stack([columns.float().mean(), rows.float().mean()]).round()[None]
    z = view.seen.depth.values[pixel[:, 1].long(), pixel[:, 0].long()]
    return pixel, cameras.unproject(pixel, z, view.aligned.camera)


def _locate(view, xyz):
    pixel = cameras.project(xyz, view.aligned.camera)
    return locate(MODEL, PlacedPoints(xyz, grid.features_at(view.seen.features, pixel)), view, 0.01)


def test_visible_point_takes_the_sensors_depth(view):
    pixel, xyz = _front_pixel(view)
    found = _locate(view, xyz + torch.tensor([0.0, 0.0, 0.005]))
    assert found.state.tolist() == [KeypointState.VISIBLE]
    assert (found.xyz - xyz).norm() < 0.003
    assert (found.points - pixel).norm() < 1.5


def test_point_on_the_far_side_is_occluded_but_keeps_its_place(view):
    _, xyz = _front_pixel(view)
    behind = xyz * (1 + 0.06 / xyz[:, 2:])
    found = _locate(view, behind)
    assert found.state.tolist() == [KeypointState.OCCLUDED]
    assert (found.xyz - behind).norm() < 0.01


def test_something_in_front_hides_a_point(view):
    pixel, xyz = _front_pixel(view)
    depth = view.seen.depth.values.clone()
    x, y = pixel[0].long().tolist()
    depth[y - 8 : y + 9, x - 8 : x + 9] = 0.15
    covered = View(replace(view.seen, depth=DepthMap(depth, True)), view.aligned)
    assert _locate(covered, xyz).state.tolist() == [KeypointState.OCCLUDED]


def test_point_outside_the_image(view):
    found = _locate(view, torch.tensor([[1.0, 0.0, 0.4]]))
    assert found.state.tolist() == [KeypointState.OUT_OF_IMAGE]


def test_without_metric_depth_there_is_no_3d_point(view):
    _, xyz = _front_pixel(view)
    found = _locate(View(replace(view.seen, depth=None), replace(view.aligned, metric=False)), xyz)
    assert torch.isnan(found.xyz).all()
    assert found.state.tolist() == [KeypointState.NO_DEPTH]


def test_invalid_depth_never_becomes_a_point(view):
    _, xyz = _front_pixel(view)
    for invalid in (0.0, torch.nan, torch.inf, -1.0):
        depth = DepthMap(torch.full_like(view.seen.depth.values, invalid), True)
        found = _locate(View(replace(view.seen, depth=depth), view.aligned), xyz)
        assert found.state.tolist() == [KeypointState.NO_DEPTH]
        assert torch.isnan(found.xyz).all()


def test_a_point_that_the_sensor_sees_through_is_unknown(view):
    _, xyz = _front_pixel(view)
    values = view.seen.depth.values
    wall = View(replace(view.seen, depth=DepthMap(torch.where(values > 0, values, 1.0), True)), view.aligned)
    row = round(float(cameras.project(xyz, view.aligned.camera)[0, 1]))
    outermost = int(view.seen.mask[row].nonzero()[-1, 0])
    pixel = torch.tensor([[outermost + 14.0, float(row)]])
    beside = cameras.unproject(pixel, xyz[:, 2], view.aligned.camera)
    found = _locate(wall, beside)
    assert found.state.tolist() == [KeypointState.UNKNOWN]
    assert torch.isnan(found.xyz).all()
    there = values[row, outermost][None]
    on_outline = cameras.unproject(pixel - torch.tensor([[12.0, 0.0]]), there, view.aligned.camera)
    assert _locate(wall, on_outline).state.tolist() != [KeypointState.UNKNOWN]


def test_the_image_ends_half_a_pixel_beyond_its_outermost_centres(view):
    h, w = view.aligned.camera.size
    pixels = torch.tensor(
        [
            [-0.5, 9],
            [-0.49, 9],
            [w - 0.5, 9],
            [w - 0.51, 9],
            [9, -0.5],
            [9, -0.49],
            [9, h - 0.5],
            [9, h - 0.51],
        ]
    )
    _, xyz = _front_pixel(view)
    placed = PlacedPoints(xyz.expand(8, 3), torch.zeros(8, 32))
    outside = found_at(placed, pixels, view).state == KeypointState.OUT_OF_IMAGE
    assert outside.tolist() == [True, False] * 4


def test_depth_that_differs_by_exactly_the_tolerance_is_of_another_surface(view):
    """Nearer by that much it hides the point; farther by that much it is not yet empty space."""
    limit = 0.35 * view.aligned.scale[0]
    depth = DepthMap(torch.full_like(view.seen.depth.values, float(limit)), True)
    pixel = torch.tensor([[60.0, 40.0]])
    for z, hidden in ((0.0, False), (2 * float(limit), True)):
        xyz = torch.tensor([[0.0, 0.0, z]])
        found, blocked, blind, empty = measure(xyz, pixel, view.aligned, depth)
        assert torch.equal(found, xyz)
        assert (bool(blocked), bool(blind), bool(empty)) == (hidden, False, False)


def test_what_is_unknown_has_no_position_and_the_rest_stays(view):
    _, xyz = _front_pixel(view)
    found = _locate(view, xyz.expand(3, 3))
    some = unknown(found, torch.tensor([False, True, False]))
    assert some.state.tolist() == [KeypointState.VISIBLE, KeypointState.UNKNOWN, KeypointState.VISIBLE]
    assert torch.isnan(some.xyz).any(-1).tolist() == [False, True, False]
    every = unknown(found)
    assert every.state.tolist() == [KeypointState.UNKNOWN] * 3
    assert torch.isnan(every.xyz).all()
    assert found.state.tolist() == [KeypointState.VISIBLE] * 3
    assert torch.equal(every.points, found.points)


def test_the_score_is_the_confidence_where_features_agree_and_half_of_it_where_they_do_not(view):
    pixel, xyz = _front_pixel(view)
    feature = grid.features_at(view.seen.features, pixel)
    sure = replace(view.aligned, confidence=torch.tensor([0.6]))
    scores = [
        float(found_at(PlacedPoints(xyz, looks), pixel, View(view.seen, sure)).score)
        for looks in (feature, -feature, torch.zeros_like(feature))
    ]
    assert scores == pytest.approx([0.6, 0.3, 0.3], abs=1e-5)
