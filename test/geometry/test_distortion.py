"""Lens distortion there and back, against the published formulas, and through pictures."""

from __future__ import annotations

import dataclasses
import math

import cv2
import numpy as np
import pytest
import torch

from semcorr_ros.geometry import distortion

SIZE = (96, 128)
FOCAL, CENTER = (110.0, 112.0), (63.0, 48.5)
COEFFICIENTS = {
    "plumb_bob": (-0.28, 0.09, 0.001, -0.002, 0.01),
    "rational_polynomial": (0.45, -2.6, 0.0005, -0.0002, 1.4, 0.33, -2.4, 1.3),
    "equidistant": (0.02, -0.01, 0.004, -0.001),
}


def lens(model: str, coefficients=None) -> distortion.Lens:
    made = distortion.make_lens(model, coefficients or COEFFICIENTS[model], FOCAL, CENTER, SIZE)
    assert made is not None
    return made


@pytest.mark.parametrize("model", COEFFICIENTS)
def test_there_and_back(model):
    pixels = torch.rand(200, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([127.0, 95.0])
    back = distortion.to_image(distortion.to_ideal(pixels, lens(model)), lens(model))
    torch.testing.assert_close(back, pixels, atol=2e-3, rtol=0)
    moved = (distortion.to_ideal(pixels, lens(model)) - pixels).norm(dim=-1)
    assert moved.max() > 1  # the coefficients are those of a lens one notices


def test_plumb_bob_by_hand():
    x, y = 0.31, -0.22
    k1, k2, p1, p2, k3 = COEFFICIENTS["plumb_bob"]
    r2 = x * x + y * y
    gain = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3
    bent = (
        x * gain + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
        y * gain + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
    )
    ideal = torch.tensor([[x * FOCAL[0] + CENTER[0], y * FOCAL[1] + CENTER[1]]], dtype=torch.float64)
    got = distortion.to_image(ideal, lens("plumb_bob"))[0].tolist()
    assert got == pytest.approx([bent[0] * FOCAL[0] + CENTER[0], bent[1] * FOCAL[1] + CENTER[1]], abs=1e-9)


def test_equidistant_without_coefficients_is_proportional_to_the_angle():
    straight = distortion.Lens("equidistant", (0.0,) * 4, (100.0, 100.0), (0.0, 0.0), SIZE)
    for angle in (0.1, 0.7, 1.2):
        shown = distortion.to_image(torch.tensor([[100 * math.tan(angle), 0.0]]), straight)
        assert shown[0].tolist() == pytest.approx([100 * angle, 0.0], rel=1e-5)


def test_beyond_the_fold_nothing_is_shown():
    # 1 - 0.3 r^2 grows until r = 1.05 only: a point at r = 3 must not come back into the picture.
    strong = lens("plumb_bob", (-0.3, 0.0, 0.0, 0.0, 0.0))
    far = torch.tensor([[3 * FOCAL[0] + CENTER[0], CENTER[1]]])
    assert distortion.to_image(far, strong).isnan().all()


def test_a_picture_is_straightened():
    """A checkerboard photographed through the lens becomes the checkerboard again."""
    chosen = lens("plumb_bob")
    y, x = torch.meshgrid(torch.arange(96.0), torch.arange(128.0), indexing="ij")
    ideal = distortion.to_ideal(torch.stack([x, y], -1), chosen)
    photo = _pattern(ideal[..., 0], ideal[..., 1])
    straight = distortion.rectify_image(photo, chosen)
    inner = (slice(10, -10), slice(10, -10))
    assert (straight.float() - _pattern(x, y).float())[inner].abs().mean() < 1.0
    assert (photo.float() - _pattern(x, y).float())[inner].abs().mean() > 8.0


def test_depth_is_not_blended():
    depth = torch.full(SIZE, 1.0)
    depth[:, 64:] = 3.0
    assert set(distortion.rectify_depth(depth, lens("plumb_bob")).unique().tolist()) <= {0.0, 1.0, 3.0}


@pytest.mark.parametrize(
    ("model", "coefficients", "said"),
    [
        ("double_sphere", (0.1,) * 6, "plumb_bob"),
        ("plumb_bob", (0.1,), "4 or 5"),
        ("plumb_bob", (math.nan, 0.0, 0.0, 0.0), "finite"),
        ("rational_polynomial", (0.1,) * 13, "4 or 5 or 8 or 12 or 14 coefficients"),
        ("equidistant", (0.1,) * 5, "equidistant has 4 coefficients"),
        ("inverse_brown_conrady", (0.1,) * 5, "plumb_bob"),
    ],
)
def test_unknown_models_are_refused(model, coefficients, said):
    with pytest.raises(ValueError, match=said):
        distortion.make_lens(model, coefficients, FOCAL, CENTER, SIZE)


def test_a_longer_image_than_can_be_resampled_is_refused():
    with pytest.raises(ValueError, match="an image of 40000x2 cannot be rectified"):
        distortion.make_lens("plumb_bob", COEFFICIENTS["plumb_bob"], FOCAL, CENTER, (2, 40000))
    widest = distortion.make_lens(
        "plumb_bob", COEFFICIENTS["plumb_bob"], FOCAL, CENTER, (2, distortion.LARGEST_SIDE)
    )
    assert distortion.rectify_depth(torch.ones(widest.size), widest).shape == widest.size


def test_a_picture_is_black_beyond_the_fold():
    strong = lens("plumb_bob", (-0.3, 0.0, 0.0, 0.0, 0.0))
    wide = dataclasses.replace(strong, focal=(40.0, 40.0))
    straight = distortion.rectify_image(torch.full((*SIZE, 3), 200, dtype=torch.uint8), wide)
    assert straight[48, 63].tolist() == [200] * 3
    assert straight[0, 0].tolist() == [0] * 3  # at 2.0 of 1.05, where the polynomial comes back


@pytest.mark.parametrize("coefficients", [(), (0.0,) * 5, (0.0,) * 14])
def test_zeros_are_no_lens(coefficients):
    assert distortion.make_lens("plumb_bob", coefficients, FOCAL, CENTER, SIZE) is None


def test_padding_with_zeros_is_allowed():
    padded = lens("rational_polynomial", (*COEFFICIENTS["rational_polynomial"], 0.0, 0.0, 0.0, 0.0))
    assert padded == lens("rational_polynomial")


def _pattern(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    value = 128 + 60 * torch.sin(x / 5) + 60 * torch.sin(y / 4)
    return value.round().clamp(0, 255).to(torch.uint8)[..., None].expand(-1, -1, 3).contiguous()


@pytest.mark.parametrize(
    ("model", "coefficients", "fold"),
    [
        ("plumb_bob", (-0.3, 0.0, 0.02, -0.01, 0.0), 0.9**-0.5),  # of r - 0.3 r^3
        ("plumb_bob", (0.0, 0.0, 0.0, 0.0, -0.1), 0.7 ** (-1 / 6)),
        ("rational_polynomial", (-0.3, 0.0, 0.02, -0.01, 0.0, 0.0, 0.0, 0.0), 0.9**-0.5),
        ("rational_polynomial", (0.0, 0.0, 0.0, 0.0, 0.0, 0.25, 0.0, 0.0), 2.0),  # of r / (1 + r^2 / 4)
        ("equidistant", (-0.3, 0.0, 0.0, 0.0), math.tan(0.9**-0.5)),
    ],
)
def test_where_a_polynomial_folds_back(model, coefficients, fold):
    bent = lens(model, coefficients)
    for turn in (0.0, 1.1, 2.9, 4.4):
        for share, shown in ((0.99, True), (1.01, False)):
            x, y = share * fold * math.cos(turn), share * fold * math.sin(turn)
            ideal = torch.tensor([[x * FOCAL[0] + CENTER[0], y * FOCAL[1] + CENTER[1]]])
            assert bool(distortion.to_image(ideal, bent).isfinite().all()) == shown


@pytest.mark.parametrize("model", COEFFICIENTS)
def test_every_pixel_of_a_straightened_picture_is_from_where_the_lens_showed_it(model):
    bent = lens(model)
    number = torch.arange(SIZE[0] * SIZE[1]).reshape(SIZE).float() + 1
    straight = distortion.rectify_depth(number, bent)
    for x, y in ((20, 15), (64, 48), (110, 80), (5, 90), (120, 6)):
        column, row = distortion.to_image(torch.tensor([[float(x), float(y)]]), bent)[0].tolist()
        if not (0 <= column <= SIZE[1] - 1 and 0 <= row <= SIZE[0] - 1):
            continue
        index = int(straight[y, x]) - 1
        assert abs(index % SIZE[1] - column) <= 0.51
        assert abs(index // SIZE[1] - row) <= 0.51


def test_the_longest_sides_that_are_resampled():
    for size, long in (((32766, 2), False), ((32767, 2), True)):
        if long:
            with pytest.raises(ValueError, match="cannot be rectified: no side above 32766"):
                distortion.make_lens("plumb_bob", COEFFICIENTS["plumb_bob"], FOCAL, CENTER, size)
        else:
            assert (
                distortion.make_lens("plumb_bob", COEFFICIENTS["plumb_bob"], FOCAL, CENTER, size) is not None
            )


@pytest.mark.parametrize(("count", "right"), [(3, False), (4, True), (5, True), (6, False)])
def test_four_or_five_coefficients(count, right):
    given = (-0.1, 0.02, 0.001, -0.001, 0.005, 0.003)[:count]
    if right:
        assert distortion.make_lens("plumb_bob", given, FOCAL, CENTER, SIZE).coefficients == given
    else:
        with pytest.raises(ValueError, match="plumb_bob has 4 or 5 or 8"):
            distortion.make_lens("plumb_bob", given, FOCAL, CENTER, SIZE)


@pytest.mark.parametrize("model", COEFFICIENTS)
@pytest.mark.parametrize("unit", [1e-6, 1e7])
def test_the_unit_of_pixels_does_not_matter(model, unit):
    """A ray is found or not by its direction, however many pixels a focal length has."""
    usual = lens(model)
    scaled = dataclasses.replace(
        usual,
        focal=tuple(unit * each for each in usual.focal),
        principal_point=tuple(unit * each for each in usual.principal_point),
    )
    pixels = torch.rand(50, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 95
    expected = distortion.to_ideal(pixels, usual)
    torch.testing.assert_close(
        distortion.to_ideal(unit * pixels, scaled) / unit, expected, atol=1e-6, rtol=0, equal_nan=True
    )
    assert torch.isfinite(expected).all()


def test_a_pixel_that_no_direction_is_shown_at_is_unknown():
    """1 - 0.3 r^2 shows at most 0.70 focal lengths from the middle."""
    strong = lens("plumb_bob", (-0.3, 0.0, 0.0, 0.0, 0.0))
    beside = torch.tensor(
        [[CENTER[0] + 0.69 * FOCAL[0], CENTER[1]], [CENTER[0] + 0.72 * FOCAL[0], CENTER[1]]]
    )
    assert distortion.to_ideal(beside, strong).isnan().any(-1).tolist() == [False, True]


@pytest.mark.parametrize("count", [8, 12, 14])
def test_the_long_forms_of_the_rational_model(count):
    """Thin prisms and a tilted sensor, against OpenCV's own projection."""
    given = (0.3, 0.05, 0.001, -0.002, 0.01, 0.28, 0.04, 0.02, 3e-3, 1e-3, -2e-3, 1e-3, 0.02, -0.03)[:count]
    made = distortion.make_lens("rational_polynomial", given, FOCAL, CENTER, SIZE)
    assert (made.model, made.coefficients) == ("rational_polynomial", given)
    ideal = torch.tensor([[10.0, 5.0], [60.0, 40.0], [100.0, 70.0]])
    shown = distortion.to_image(ideal, made)
    rays = (ideal.numpy() - CENTER) / FOCAL
    K = np.array([[FOCAL[0], 0, CENTER[0]], [0, FOCAL[1], CENTER[1]], [0, 0, 1.0]])
    points = np.c_[rays, np.ones(3)][:, None].astype(np.float64)
    expected, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), K, np.array(given))
    np.testing.assert_allclose(shown, expected[:, 0], atol=1e-4)
    torch.testing.assert_close(distortion.to_ideal(shown, made), ideal, atol=1e-3, rtol=0)
