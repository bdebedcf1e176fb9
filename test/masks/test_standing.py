"""Measured depth outlines what stands on a table, and proposes it where nobody says where it is."""

import numpy as np
import pytest
import torch
from masks.table_scene import CAMERA, SIZE, box_of, look, open_box

from semcorr_ros.artifacts import DepthMap
from semcorr_ros.geometry import cameras
from semcorr_ros.masks._planes import largest_plane, points_of
from semcorr_ros.masks._standing import outline, standing

CUP, CAN = open_box(-0.06, 0.0), [((0.10, -0.04, 0.0), (0.16, 0.02, 0.12))]


def iou(a, b) -> float:
    a, b = np.asarray(a, bool), np.asarray(b, bool)
    return (a & b).sum() / (a | b).sum()


def overlap(a, b) -> float:
    (ax, ay, aw, ah), (bx, by, bw, bh) = a, b
    w, h = min(ax + aw, bx + bw) - max(ax, bx), min(ay + ah, by + bh) - max(ay, by)
    both = max(0, w) * max(0, h)
    return both / (aw * ah + bw * bh - both)


def test_the_largest_plane_faces_the_camera():
    depth, _ = look(CUP)
    points = points_of(depth.values, CAMERA)[depth.values > 0]
    plane = largest_plane(points, torch.full((len(points),), 0.003), torch.Generator().manual_seed(0))
    assert plane.height(torch.zeros(3)) == pytest.approx(0.55, abs=0.005)  # the camera's height
    assert (plane.height(points).abs() < 0.003).float().mean() > 0.8


@pytest.mark.parametrize("noise", [0.0, 0.0015])
def test_an_open_box_is_outlined_with_its_inside(noise):
    depth, shown = look(CUP, noise)
    found = outline(depth, CAMERA, box_of(shown))
    assert iou(found, shown) > 0.85


def test_a_neighbour_in_the_box_stays_out():
    depth, both = look([*CUP, *CAN])
    _, alone = look(CUP)
    x, y, w, h = box_of(alone)
    found = outline(depth, CAMERA, (x, y, w + 55, h))  # a part of the can is in it
    assert both[y : y + h, x : x + w + 55].sum() > 1.2 * alone.sum()
    assert iou(found, alone & (look(CAN)[1] == 0)) > 0.8


def test_holes_where_a_sensor_sees_nothing_are_closed():
    depth, shown = look(CUP)
    values = depth.values.clone()
    rows, columns = np.nonzero(shown)
    middle = int(rows.mean()), int(columns.mean())
    values[middle[0] : middle[0] + 2, middle[1] : middle[1] + 2] = 0
    found = outline(DepthMap(values, True), CAMERA, box_of(shown))
    assert found[middle]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda values: torch.zeros_like(values),  # nothing measured
        lambda values: torch.where(values < 0.62, 0.0, values),  # black plastic: nothing of the object
        lambda values: torch.full_like(values, torch.nan),
    ],
)
def test_what_is_not_measured_is_not_outlined(spoil):
    depth, shown = look(CUP)
    values = spoil(torch.where(torch.from_numpy(shown), depth.values * 0.5, depth.values))
    assert outline(DepthMap(values, True), CAMERA, box_of(shown)) is None


def test_relative_depth_has_no_millimetres():
    depth, shown = look(CUP)
    relative = DepthMap(depth.values, False)
    assert outline(relative, CAMERA, box_of(shown)) is None
    assert standing(relative, CAMERA) == []


def test_an_empty_table():
    depth, _ = look([])
    assert outline(depth, CAMERA, (100, 80, 60, 60)) is None
    assert standing(depth, CAMERA) == []


def test_everything_on_the_table_is_proposed():
    depth, _ = look([*CUP, *CAN], 0.001)
    proposed = standing(depth, CAMERA)
    for thing in (CUP, CAN):
        _, shown = look(thing)
        assert max(overlap(box, box_of(shown, 0)) for box in proposed) > 0.8
    assert standing(depth, CAMERA) == proposed  # one picture, one answer
    assert all(w <= 0.7 * SIZE[1] and h <= 0.7 * SIZE[0] for _, _, w, h in proposed)


@pytest.mark.parametrize("size", [(8, 8), (1, 1), (3, 200), (96, 128)])
@pytest.mark.parametrize("value", [0.0, torch.nan, torch.inf, -1.0, 1.0, 1e30, 1e-6])
def test_whatever_a_sensor_sends_is_taken(size, value):
    h, w = size
    camera = cameras.centered(float(max(size)), size)
    noisy = torch.rand(size, generator=torch.Generator().manual_seed(0))
    for values in (torch.full(size, value), torch.where(noisy > 0.5, value, noisy)):
        depth = DepthMap(values, True)
        for box in ((0, 0, 1, 1), (0, 0, w, h), (w - 1, h - 1, 1, 1)):
            found = outline(depth, camera, box)
            assert found is None or found.shape == size
        for x, y, width, height in standing(depth, camera):
            assert min(x, y) >= 0
            assert (x + width <= w) & (y + height <= h)
