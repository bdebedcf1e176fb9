"""Whether the direction of a cup is seen: by its handle, and by nothing else."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from methods.semalign3d.alignment import fabricated

from semcorr_ros.artifacts import KeypointState
from semcorr_ros.geometry import cameras, revolution
from semcorr_ros.methods.semalign3d.artifacts import Alignment
from semcorr_ros.methods.semalign3d.matching import direction
from semcorr_ros.methods.semalign3d.model import Aligned

NAMES = ("rim", "handle", "base", "left", "right", "axis")
KEYPOINTS = torch.tensor(
    [[0.7, 0, 0.7], [-1.3, 0, 0], [0.7, 0, -0.7], [0, 0.7, 0], [0, -0.7, 0], [0.0, 0, -0.7]]
)


def body(count: int, generator: torch.Generator) -> torch.Tensor:
    """A cylinder without a lid."""
    angle = 2 * np.pi * torch.rand(count, generator=generator)
    z = 1.4 * torch.rand(count, generator=generator) - 0.7
    return torch.stack([0.7 * angle.cos(), 0.7 * angle.sin(), z], -1)


def handle(count: int, generator: torch.Generator) -> torch.Tensor:
    """A ring on the side that the class calls its back."""
    angle = np.pi * (torch.rand(count, generator=generator) - 0.5)
    y = 0.16 * torch.rand(count, generator=generator) - 0.08
    return torch.stack([-0.7 - 0.6 * angle.cos(), y, 0.5 * angle.sin()], -1)


def cup(symmetric: bool = False, grip: bool = True):
    generator = torch.Generator().manual_seed(0)
    points = torch.cat([body(700, generator)] + ([handle(80, generator)] if grip else []))
    model = fabricated.make_class(len(KEYPOINTS))
    prototypes = model.dense.prototypes
    rows = torch.arange(len(points)) % len(prototypes.features)
    dense = replace(
        model.dense,
        barycentric=fabricated._affine_weights(points, KEYPOINTS),
        weight=torch.full((len(points),), 1 / len(points)),
        prototypes=replace(prototypes.subset(rows), facing=None),
    )
    info = replace(model.info, keypoint_names=NAMES, symmetric=symmetric)
    return replace(model, sparse=KEYPOINTS, dense=dense, info=info, metric_scale=0.05)


def placed(model, azimuth: float) -> Alignment:
    """Seen from that direction, 0 = from its front; the truth itself."""
    camera = cameras.centered(600.0, (480, 640))
    rotation, scale = fabricated.look_at(azimuth, 25.0), 0.05
    translation = torch.tensor([0.02, 0.01, 0.6])
    keypoints = scale * model.sparse @ rotation.T + translation
    one = torch.ones(1)
    return Alignment(
        keypoints[None], (model.dense.barycentric @ keypoints)[None], rotation[None], translation[None],
        scale * one, 600.0 * one, -one, {}, 0.8 * one, camera, True,
    )  # fmt: skip


def test_the_handle_is_what_tells_the_direction_of_a_cup():
    points = cup().telling
    assert points[700:].float().mean() > 0.5  # its ends touch the body
    assert points[:700].float().mean() < 0.02


def test_a_surface_of_few_points_tells_nothing():
    assert revolution.sticking_out(torch.randn(5, 3)) is None


def test_the_axis_is_that_of_the_body_not_of_the_points():
    surface = cup().dense.barycentric @ cup().sparse + torch.tensor([0.4, -0.2, 0.1])
    torch.testing.assert_close(revolution.axis(surface), torch.tensor([0.4, -0.2, 0.0]), atol=0.02, rtol=0)


@pytest.mark.parametrize("model", [cup(grip=False), cup(symmetric=True), fabricated.make_class()])
def test_classes_of_which_nothing_single_tells_it(model):
    assert model.telling is None


@pytest.mark.parametrize(
    ("azimuth", "seen"), [(0, False), (25, False), (-25, False), (90, True), (-100, True), (180, True)]
)
def test_a_cup_is_turned_around(azimuth, seen):
    model = cup()
    assert direction.direction_is_seen(model, placed(model, azimuth)) == seen


def test_what_cannot_be_told_of_a_hidden_handle():
    model = cup()
    seen, _ = fabricated.observe(fabricated.make_class(), 30, 25)
    seen = replace(seen, depth=None)
    hidden = Aligned(model, seen, placed(model, 0))
    shown = Aligned(model, seen, placed(model, 90))
    ids = torch.arange(len(NAMES))
    unknown = [NAMES[i] for i in ids[hidden.keypoints(ids).state == int(KeypointState.UNKNOWN)]]
    assert unknown == ["rim", "handle", "base", "left", "right"]  # the axis does not turn
    assert int(KeypointState.UNKNOWN) not in shown.keypoints(ids).state.tolist()
    assert "direction" in hidden.caveat
    assert shown.caveat == ""
    up = hidden.pose.rotation[:, 2]
    about = [float(up @ each.pose.covariance[3:, 3:] @ up) for each in (hidden, shown)]
    assert about[0] > 3.0 > 0.5 > about[1]  # rad squared: anywhere, and known
    pixels = torch.tensor([[64.0, 48.0]])
    assert hidden.carry(pixels, shown).state.tolist() == [KeypointState.UNKNOWN]
    assert shown.carry(pixels, hidden).state.tolist() == [KeypointState.UNKNOWN]
