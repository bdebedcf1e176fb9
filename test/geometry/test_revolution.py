"""Bodies of revolution: the axis in spite of a handle, and the handle."""

import math

import pytest
import torch

from semcorr_ros.geometry import revolution


def cup(handle=True, off=(0.3, -0.2), radius=0.6):
    """A cone frustum about an axis beside the origin, and a handle on its +x side."""
    angle = torch.arange(0, 360, 10).deg2rad()
    height = torch.linspace(-0.8, 0.8, 9)
    a, z = (grid.reshape(-1) for grid in torch.meshgrid(angle, height, indexing="ij"))
    side = radius + 0.2 * z
    body = torch.stack([side * a.cos(), side * a.sin(), z], -1)
    bow = torch.linspace(-math.pi / 2, math.pi / 2, 25)
    grip = torch.stack([radius + 0.55 * bow.cos(), 0 * bow, 0.5 * bow.sin()], -1)
    points = torch.cat([body, grip]) if handle else body
    return points + torch.tensor([*off, 0.0]), len(body)


@pytest.mark.parametrize("handle", [True, False])
def test_the_axis_is_that_of_the_body(handle):
    found = revolution.axis(cup(handle)[0])
    torch.testing.assert_close(found, torch.tensor([0.3, -0.2, 0.0]), atol=5e-3, rtol=0)


def test_only_the_handle_tells_the_direction():
    points, body = cup()
    found = revolution.sticking_out(points)
    assert found is not None
    assert not found[:body].any()
    reach = points[body:, 0] - 0.3 - 0.6
    assert found[body:][reach > 0.36].all()
    assert not found[body:][reach < 0.2].any()


def test_without_a_handle_nothing_tells():
    assert revolution.sticking_out(cup(handle=False)[0]) is None


def test_a_handle_within_what_the_surface_varies_tells_nothing():
    points, body = cup()
    points[body:, 0] = 0.3 + 0.6 + 0.4 * (points[body:, 0] - 0.9)
    assert revolution.sticking_out(points) is None


def test_a_box_is_no_body_of_revolution():
    points = torch.rand(600, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1
    points = points * torch.tensor([1.2, 0.3, 0.5])
    assert revolution.sticking_out(points) is None


def test_too_few_points_tell_nothing():
    points, _ = cup()
    assert revolution.sticking_out(points[-11:]) is None


def test_turns_are_about_the_upright_axis_counterclockwise_from_above():
    quarter, half = revolution.turns(torch.tensor([math.pi / 2, math.pi]))
    point = torch.tensor([1.0, 2.0, 3.0])
    torch.testing.assert_close(quarter @ point, torch.tensor([-2.0, 1.0, 3.0]))
    torch.testing.assert_close(half @ point, torch.tensor([-1.0, -2.0, 3.0]))
