"""SemAlign3D's Fig. 7 with numbers: the left wing tip is pulled, where does the right one go?"""

from dataclasses import replace

import pytest
import torch

from semcorr_ros.artifacts import CategoryInfo
from semcorr_ros.methods.semalign3d.alignment import objective
from semcorr_ros.methods.semalign3d.alignment.evidence import EvidenceConfig, gather_evidence
from semcorr_ros.methods.semalign3d.alignment.presets import preset
from semcorr_ros.methods.semalign3d.alignment.terms import symmetry
from semcorr_ros.methods.semalign3d.building.beta_statistics import beta_statistics
from semcorr_ros.methods.semalign3d.building.config import BuildConfig
from test.methods.semalign3d.alignment import fabricated

NAMES = ("nose", "tail", "fin", "left tip", "right tip", "left root", "right root", "left stab", "right stab")
FLIP = (0, 1, 2, 4, 3, 6, 5, 8, 7)
PLANE = torch.tensor(
    [
        [1.5, 0, 0],
        [-1.5, 0, 0],
        [-1.4, 0, 0.5],
        [-0.3, 1.4, 0.1],
        [-0.3, -1.4, 0.1],
        [0.2, 0.2, 0],
        [0.2, -0.2, 0],
        [-1.5, 0.5, 0],
        [-1.5, -0.5, 0],
    ]
)
LEFT, RIGHT = 3, 4
PULL = torch.tensor([0.0, 0.4, 0.0])  # of a half span of 1.4


def _planes(count: int, independent: bool, generator: torch.Generator) -> torch.Tensor:
    """Planes whose wings differ in length: both the same, or each on its own."""
    length = 1 + 0.15 * torch.randn(count, 2, generator=generator)
    length = length if independent else length[:, :1].expand(-1, 2)
    shapes = PLANE.repeat(count, 1, 1)
    shapes[:, LEFT, 1] *= length[:, 0]
    shapes[:, RIGHT, 1] *= length[:, 1]
    return shapes + 0.02 * torch.randn(shapes.shape, generator=generator)


def _plane_class(independent: bool = False):
    generator = torch.Generator().manual_seed(0)
    base = fabricated.make_class(len(NAMES))
    center, radius = PLANE.mean(0), (PLANE - PLANE.mean(0)).square().sum(-1).mean().sqrt()
    shapes = (_planes(40, independent, generator) - center) / radius
    statistics = beta_statistics(shapes, torch.ones(shapes.shape[:2]), 1, BuildConfig(), generator)
    _, singular, vectors = torch.linalg.svd((shapes - shapes.mean(0)).flatten(1), full_matrices=False)
    modes = (singular[:2, None] * vectors[:2] / 40**0.5).view(2, -1, 3)
    mean = (PLANE - center) / radius
    info = CategoryInfo("plane", NAMES, FLIP)
    return replace(base, info=info, sparse=mean, statistics=statistics, shape_modes=modes), PULL / radius


@pytest.fixture(scope="module")
def evidence():
    model = fabricated.make_class(len(NAMES))
    seen, _ = fabricated.observe(model, 30, 20)
    return gather_evidence(model, seen, EvidenceConfig(), torch.Generator().manual_seed(0))


def _pulled(model, pull, evidence, weights):
    """Free keypoints after the left tip was pulled, in front of a camera, by minimising the energy."""
    there = torch.tensor([0.0, 0.0, 6.0])
    target = model.sparse + there
    target[LEFT] += pull
    held = [k for k in range(len(NAMES)) if k != RIGHT]  # as an image holds what it shows
    points = (model.sparse + there)[None].clone().requires_grad_(True)
    optimizer = torch.optim.Adam([points], lr=0.01)
    for _ in range(400):
        state = objective.make_state(
            model, points, (torch.ones(1), torch.full((1,), 5.0)), evidence, (0.1, 0.1)
        )
        total = objective.evaluate(state, evidence, model, weights)[0] if weights else torch.zeros(1)
        total = total + 100 * (points - target)[:, held].square().sum((1, 2))
        optimizer.zero_grad()
        total.sum().backward()
        optimizer.step()
    return points.detach()[0] - there


def _follows(model, pull, shape):
    """The right tip's way outward in shares of the pull: 1 is a mirrored plane."""
    return float((model.sparse[RIGHT] - shape[RIGHT])[1] / pull[1])


GEOMETRY = {"geometry": 0.1}
TIED = {"geometry": 0.1, "symmetry": 0.1}


def test_figure_7_the_right_tip_stays_without_symmetry_and_follows_with_it(evidence):
    """Measured: 0.13 with the geometry term alone, 0.91 with symmetry."""
    model, pull = _plane_class()
    assert -0.05 < _follows(model, pull, _pulled(model, pull, evidence, GEOMETRY)) < 0.25
    assert 0.8 < _follows(model, pull, _pulled(model, pull, evidence, TIED)) < 1.05


def test_wings_that_differ_in_training_are_tied_less(evidence):
    """Measured: 0.70 where both wings vary on their own."""
    (same, pull), (own, _) = _plane_class(), _plane_class(independent=True)
    tied, loose = (_follows(model, pull, _pulled(model, pull, evidence, TIED)) for model in (same, own))
    assert loose < tied - 0.1


def _energy(model, shapes, evidence):
    state = objective.make_state(
        model, shapes, (torch.ones(len(shapes)), torch.full((len(shapes),), 5.0)), evidence, (0.1, 0.1)
    )
    return symmetry.energy(state, evidence, model)


def test_symmetric_shapes_cost_nothing_and_lopsided_ones_do(evidence):
    model, pull = _plane_class()
    both, lopsided = model.sparse.clone(), model.sparse.clone()
    both[LEFT] += pull
    both[RIGHT] -= pull
    lopsided[LEFT] += pull
    energy = _energy(model, torch.stack([3 * model.sparse, both, lopsided]) + 10, evidence)
    assert energy[:2].max() < 1e-3
    assert energy[2] > 0.5


def test_without_a_right_flip_table_the_term_is_silent(evidence):
    model, pull = _plane_class()
    lopsided = model.sparse.clone()
    lopsided[LEFT] += pull
    for flip in (None, (0, 1, 2, 6, 5, 4, 3, 8, 7), tuple(range(9))):
        other = replace(model, info=replace(model.info, flip=flip))
        assert _energy(other, lopsided[None], evidence) == 0


def test_the_paper_does_not_have_it():
    assert objective.weights_at(preset("paper").objective, 500)["symmetry"] == 0
