"""States, depths and sub-cell precision of located points."""

from dataclasses import replace

import pytest
import torch
from methods.semalign3d.alignment import fabricated

from semcorr_ros.artifacts import DepthMap, KeypointState
from semcorr_ros.geometry import cameras, grid
from semcorr_ros.methods.semalign3d.artifacts import View
from semcorr_ros.methods.semalign3d.matching.placed_points import PlacedPoints, locate

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
