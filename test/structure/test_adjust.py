"""The written-out derivatives of the bundle adjustment are those of its cost."""

from dataclasses import replace

import pytest
import torch

from semcorr_ros.geometry.rotations import from_vector
from semcorr_ros.structure import adjust
from semcorr_ros.structure.config import LiftConfig
from semcorr_ros.structure.state import Sightings, State, symmetric_basis

VIEWS, MODES, FLIP = 3, 2, (1, 0, 2, 3, 5, 4, 6)


def _problem():
    generator = torch.Generator().manual_seed(0)

    def draw(*size):
        return torch.randn(*size, generator=generator, dtype=torch.float64)

    basis = symmetric_basis(len(FLIP), FLIP)
    turn = from_vector(draw(2, VIEWS, 3))
    shape = draw(2, 1 + MODES, basis.shape[-1])
    state = State(
        turn, draw(2, VIEWS, 2), 0.2 * draw(2, VIEWS), 0.2 * draw(2, VIEWS), draw(2, VIEWS, MODES), shape
    )
    visible = torch.rand(VIEWS, len(FLIP), generator=generator) > 0.2
    ones = torch.ones(VIEWS, dtype=torch.float64)
    sights = Sightings(draw(VIEWS, len(FLIP), 2), visible, 50 * ones, 400 * ones, torch.zeros(VIEWS).bool())
    return state, sights, adjust.Terms(0.1, 1.0, LiftConfig(), basis)


def _slope(state, sights, terms, cameras, shape):
    ahead, behind = (adjust._moved(state, s * cameras, s * shape) for s in (1, -1))
    return (adjust.costs(ahead, sights, terms) - adjust.costs(behind, sights, terms)) / 2e-6


@pytest.mark.parametrize("column", range(7 + MODES))
def test_the_slope_along_every_camera_number(column):
    state, sights, terms = _problem()
    error, camera, _ = adjust._jacobians(state, sights, terms)
    weight = 2 * sights.visible / (terms.slip**2 + error.square().sum(-1))
    _, right = adjust._camera_system(state, sights, (error, camera, weight), terms)
    step = torch.zeros(2, VIEWS, 7 + MODES, dtype=torch.float64)
    step[:, 1, column] = 1e-6
    expected = _slope(state, sights, terms, step, torch.zeros_like(state.shape))
    assert torch.allclose(right[:, 1, column], expected, rtol=1e-4, atol=1e-5)


def test_cameras_and_shape_together_are_found_again():
    state, sights, terms = _problem()
    state = replace(state.pick(torch.tensor([0])), scale_log=0.2 * state.scale_log[:1])
    places, _, _ = adjust.projected(adjust.rotated(state, terms.basis), state, sights, 1.0)
    exact = replace(sights, points=places[0], visible=torch.ones_like(sights.visible))
    generator = torch.Generator().manual_seed(5)
    off = 0.03 * torch.randn(1, VIEWS, 7 + MODES, generator=generator, dtype=torch.float64)
    start = adjust._moved(state, off, 0.05 * torch.ones_like(state.shape))
    loose = replace(terms, config=LiftConfig(mode_size=10.0, relief=10.0, roll=100.0))
    moved, _ = adjust.adjust(start, exact, loose, 60)
    before = adjust.annotation_costs(start, exact, loose).mean()
    after = adjust.annotation_costs(moved, exact, loose).mean()
    assert after < 0.1 * before
    assert before > 0.2
    assert not torch.allclose(moved.shape, start.shape, atol=0.01), "the shape moved, too"


def test_a_held_shape_stays():
    state, sights, terms = _problem()
    held = adjust.Terms(terms.slip, 1.0, terms.config, terms.basis, move_shape=False)
    moved, _ = adjust.adjust(state, sights, held, 5)
    assert torch.equal(moved.shape, state.shape)
    assert not torch.equal(moved.rotation, state.rotation)


def test_a_symmetric_basis_spans_just_the_symmetric_shapes():
    basis = symmetric_basis(len(FLIP), FLIP)
    shape = torch.einsum("kap,p->ka", basis, torch.randn(basis.shape[-1], dtype=torch.float64))
    mirrored = shape[list(FLIP)] * torch.tensor([1, -1, 1])
    assert torch.allclose(shape, mirrored)
    assert basis.shape[-1] == 2 * 3 + 3 * 2, "two pairs, three keypoints in the plane"
    assert symmetric_basis(4, None).shape[-1] == 12
