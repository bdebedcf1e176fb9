import pytest
import torch

from semcorr_lab.training.muon import Muon, orthogonalized


@pytest.mark.parametrize("shape", [(8, 30), (30, 8), (12, 12)])
def test_singular_values_end_up_near_one(shape):
    matrix = torch.randn(*shape, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonalized(matrix))
    assert values.min() > 0.3
    assert values.max() < 1.3


def test_it_solves_a_least_squares_problem():
    generator = torch.Generator().manual_seed(0)
    truth, inputs = (torch.randn(*shape, generator=generator) for shape in ((4, 6), (200, 6)))
    weight = torch.zeros(4, 6, requires_grad=True)
    optimizer = Muon([weight], lr=0.1)
    for step in range(200):
        optimizer.param_groups[0]["lr"] = 0.1 * (1 - step / 200)
        optimizer.zero_grad()
        ((weight - truth) @ inputs.T).square().mean().backward()
        optimizer.step()
    assert (weight - truth).abs().max() < 0.05
