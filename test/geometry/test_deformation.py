"""Places go with the surface around them: in position, direction and stretch."""

from __future__ import annotations

import math

import torch

from semcorr_ros.geometry import deformation, rotations

TURN = rotations.from_vector(torch.tensor([0.3, -0.5, 0.8]))
SHIFT = torch.tensor([0.1, 0.2, 0.9])


def ball(count: int = 400) -> torch.Tensor:
    return 0.05 * rotations.golden_spiral(count)


def test_a_body_that_moves_as_a_whole_takes_every_place_along():
    before = ball()
    places = torch.tensor([[0.05, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.3, 0.0]])
    found = deformation.follow(places, before, before @ TURN.T + SHIFT)
    torch.testing.assert_close(found.translation, places @ TURN.T + SHIFT, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.rotation, TURN.expand(3, 3, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(found.stretch, torch.ones(3), atol=1e-5, rtol=0)


def test_a_larger_body_moves_its_surface_but_does_not_scale_what_is_far_from_it():
    before = ball()
    places = torch.tensor([[0.05, 0.0, 0.0], [0.0, 0.0, 0.0], [0.25, 0.0, 0.0]])
    found = deformation.follow(places, before, 1.5 * before)
    torch.testing.assert_close(found.stretch, torch.full((3,), 1.5), atol=1e-4, rtol=0)
    assert abs(float(found.translation[0, 0]) - 0.075) < 1e-4
    assert float(found.translation[1].norm()) < 1e-4
    beyond = float(found.translation[2, 0] - found.translation[0, 0])
    assert 0.19 < beyond < 0.23  # 0.20 m away from the surface, not 0.30


def test_a_part_that_turns_turns_the_places_on_it_and_no_others():
    before = ball()
    top = before[:, 2] > 0.03
    bent = rotations.from_vector(torch.tensor([0.5, 0.0, 0.0]))
    after = torch.where(top[:, None], before @ bent.T, before)
    places = torch.tensor([[0.0, 0.0, 0.05], [0.0, 0.0, -0.05]])
    found = deformation.follow(places, before, after)
    angles = [float(rotations.to_vector(turn)[0]) for turn in found.rotation]
    assert 0.25 < angles[0] < 0.6
    assert abs(angles[1]) < 0.1
    goal = places[:1] @ bent.T
    assert float((found.translation[0] - goal[0]).norm()) < 0.4 * float((places[0] - goal[0]).norm())


def test_rotations_are_proper_even_of_a_flat_or_mirrored_patch():
    before = ball()
    flat = before * torch.tensor([1.0, 1.0, 0.0])
    for after in (flat, before * torch.tensor([1.0, 1.0, -1.0])):
        found = deformation.follow(before[:5], flat, after)
        torch.testing.assert_close(torch.linalg.det(found.rotation), torch.ones(5), atol=1e-4, rtol=0)
        assert torch.isfinite(found.translation).all()


def test_steps_of_a_path_keep_their_order_and_about_their_length():
    before = ball()
    after = before * torch.tensor([1.3, 0.8, 1.0]) @ TURN.T + SHIFT
    path = torch.stack([torch.linspace(0.2, 0.05, 16), torch.zeros(16), torch.zeros(16)], -1)
    found = deformation.follow(path, before, after)
    steps = found.translation.diff(dim=0)
    ratio = steps.norm(dim=-1) / path.diff(dim=0).norm(dim=-1)
    assert 0.7 < float(ratio.min()) <= float(ratio.max()) < 1.5
    straight = torch.nn.functional.cosine_similarity(steps[1:], steps[:-1], dim=-1)
    assert float(straight.min()) > math.cos(0.2)
