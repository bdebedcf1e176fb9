"""What is looked at leads back to what was taken: pixels, cameras, points, poses; boxes through a lens."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from semcorr_ros.artifacts import Camera, Correspondences, DepthMap, Frame, Pose
from semcorr_ros.geometry import cameras, taken
from semcorr_ros.geometry.distortion import make_lens, rectify_image, to_image
from semcorr_ros.places import box_in, mask_in

SIZE = (48, 64)
CAMERA = Camera(torch.tensor([70.0, 75.0]), torch.tensor([29.0, 26.5]), SIZE)
LENS = make_lens("plumb_bob", (-0.35, 0.1, 0.001, -0.002, 0.0), (70.0, 75.0), (29.0, 26.5), SIZE)


def frame(degrees: int, lens=None) -> Frame:
    image = torch.randint(0, 255, (*SIZE, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    depth = DepthMap(torch.rand(SIZE, generator=torch.Generator().manual_seed(1)) + 0.5, metric=True)
    return taken.straightened(Frame(image, CAMERA, depth), lens, degrees)


@pytest.mark.parametrize("degrees", taken.TURNS)
def test_a_point_of_the_scene_is_where_its_pixel_is(degrees):
    """Project in the turned camera frame, then turn back: the pixel of the camera as it was."""
    seen = frame(degrees)
    points = torch.tensor([[0.1, -0.05, 1.0], [-0.2, 0.1, 0.9], [0.0, 0.0, 2.0]])
    turned_points = points @ taken.rotation(degrees).T
    pixels = cameras.project(turned_points, seen.camera)
    torch.testing.assert_close(taken.to_taken(pixels, seen), cameras.project(points, CAMERA))
    torch.testing.assert_close(taken.from_taken(cameras.project(points, CAMERA), seen), pixels)


@pytest.mark.parametrize("degrees", taken.TURNS)
def test_pixels_turn_with_the_picture(degrees):
    seen, plain = frame(degrees), frame(0)
    assert taken.size_taken(seen) == SIZE
    assert seen.camera.size == tuple(seen.image.shape[:2]) == tuple(seen.depth.values.shape)
    assert np.array_equal(seen.image, np.rot90(plain.image.numpy(), -degrees // 90))
    for x, y in ((0, 0), (63, 0), (5, 40)):
        at = taken.from_taken(torch.tensor([[float(x), float(y)]]), seen)[0].long().tolist()
        assert torch.equal(seen.image[at[1], at[0]], plain.image[y, x])
        assert seen.depth.values[at[1], at[0]] == plain.depth.values[y, x]


@pytest.mark.parametrize("degrees", taken.TURNS)
@pytest.mark.parametrize("lens", [None, LENS])
def test_there_and_back_through_lens_and_turn(degrees, lens):
    seen = frame(degrees, lens)
    points = torch.rand(50, 2, generator=torch.Generator().manual_seed(2)) * torch.tensor([63.0, 47.0])
    back = taken.to_taken(taken.from_taken(points, seen), seen)
    torch.testing.assert_close(back, points, atol=1e-3, rtol=0)


@pytest.mark.parametrize("degrees", taken.TURNS)
def test_poses_and_covariances_turn_back(degrees):
    seen, turn = frame(degrees), taken.rotation(degrees)
    xyz = torch.tensor([[0.1, -0.2, 0.8]])
    spread = torch.diag(torch.tensor([1.0, 2.0, 3.0])) + 0.1
    rotation = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(3)))[0]
    rotation = rotation * torch.linalg.det(rotation)
    both = torch.block_diag(turn, turn)
    wide = torch.arange(36.0).reshape(6, 6)
    wide = wide @ wide.T
    pose = Pose(turn @ rotation, turn @ xyz[0], 1.0, torch.ones(3), True, both @ wide @ both.T)
    back = taken.pose_taken(pose, seen)
    torch.testing.assert_close(back.rotation, rotation)
    torch.testing.assert_close(back.translation, xyz[0])
    torch.testing.assert_close(back.covariance, wide)
    pixels = cameras.project(xyz @ turn.T, seen.camera)
    found = Correspondences(
        pixels, torch.ones(1), torch.ones(1, dtype=torch.long), xyz @ turn.T, (turn @ spread @ turn.T)[None]
    )
    told = taken.points_taken(found, seen)
    torch.testing.assert_close(told.xyz, xyz)
    torch.testing.assert_close(told.points, cameras.project(xyz, CAMERA))
    torch.testing.assert_close(told.covariance[0], spread)


def test_another_angle_is_named():
    with pytest.raises(ValueError, match="turned by 0, 90, 180, 270 degrees, got 45"):
        frame(45)


def overlap(one, other) -> float:
    """Intersection over union of (x, y, w, h)."""
    (a, b, c, d), (e, f, g, h) = one, other
    w, h_ = min(a + c, e + g) - max(a, e), min(b + d, f + h) - max(b, f)
    common = max(0, w) * max(0, h_)
    return common / (c * d + g * h - common)


@pytest.mark.parametrize("degrees", taken.TURNS)
@pytest.mark.parametrize("ideal", [(2, 2, 14, 12), (40, 30, 18, 14), (25, 20, 10, 9)])
@pytest.mark.parametrize("lens", [None, LENS])
def test_a_box_of_a_detector_is_taken_through_the_lens(degrees, ideal, lens):
    """A detector draws it around what the lens shows; it must be around the object without lens."""
    x, y, w, h = ideal
    rows, columns = np.mgrid[y : y + h, x : x + w]
    shown = torch.from_numpy(np.stack([columns, rows], -1).reshape(-1, 2)).float()
    shown = shown if lens is None else to_image(shown, lens)
    low, high = shown.amin(0).round().int().tolist(), shown.amax(0).round().int().tolist()
    detected = (low[0], low[1], high[0] - low[0] + 1, high[1] - low[1] + 1)
    seen = frame(degrees, lens)
    corners = taken.from_taken(shown, seen)
    (a, b), (c, d) = corners.amin(0).tolist(), corners.amax(0).tolist()
    expected = (a, b, c - a + 1, d - b + 1)
    assert overlap(box_in(detected, seen), expected) > 0.75  # a pixel of a small box
    if lens is not None and degrees == 0 and ideal[0] == 2:
        assert overlap(detected, expected) < 0.7  # as it was


def test_a_mask_goes_where_the_picture_goes():
    mask = torch.zeros(SIZE, dtype=torch.bool)
    mask[5:20, 8:30] = True
    shown = mask[..., None].expand(-1, -1, 3).to(torch.uint8) * 255
    for degrees in taken.TURNS:
        straight = rectify_image(shown, LENS)[..., 0] > 127
        found = mask_in(mask, frame(degrees, LENS))
        assert (found != taken.turned(straight, degrees)).float().mean() < 0.02
        assert torch.equal(mask_in(mask, frame(degrees)), taken.turned(mask, degrees))


def test_a_box_of_which_the_lens_shows_nothing():
    strong = make_lens("plumb_bob", (-0.9, 0.0, 0.0, 0.0), (30.0, 30.0), (31.5, 23.5), SIZE)
    assert box_in((0, 0, 4, 4), frame(0, strong)) is None


@pytest.mark.parametrize(
    ("up", "degrees"),
    [((0, -1, 0), 0), ((0, 1, 0), 180), ((1, 0, 0), 270), ((-1, 0, 0), 90), ((0.3, -1, 0.5), 0),
     ((0.3, 0.1, -0.9), 270), ((0.1, 0.1, -1), None), ((0, 0, 1), None)],
)  # fmt: skip
def test_which_side_is_up(up, degrees):
    """Optical frame: x right, y down. Turning clockwise by 90 brings what is left to the top."""
    assert taken.upright_turn(torch.tensor(up, dtype=torch.float32)) == degrees
