import numpy as np
import pytest
import torch

from semcorr_lab.training.part_frames import part_frames
from semcorr_lab.training.tiny_targets import BACKGROUND, fit_codebook, mean_object

CHANNELS = 32


def fabricated_codebook(categories=("table", "stool")):
    """Two classes of boxes, the second wider than the first."""
    generator = torch.Generator().manual_seed(0)
    means, surfaces = {}, {}
    for i, category in enumerate(categories):
        corners = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.3, 0.3) for z in (0.8, 1)])
        leg = np.array([[x, y, z] for x in (0.3, 0.4) for y in (0.2, 0.3) for z in (0, 0.8)])
        frames = part_frames([("board", corners * (1 + i)), ("leg", leg), ("leg", leg * [-1, -1, 1])])
        means[category] = mean_object([frames])
        name = torch.randint(2, (600,), generator=generator)
        surfaces[category] = (name, 2 * torch.rand(600, 3, generator=generator) - 1)
    return fit_codebook(means, surfaces, CHANNELS, generator)


def test_targets_are_unit_vectors():
    codebook = fabricated_codebook()
    name = torch.tensor([0, 1, BACKGROUND])
    targets = codebook.embed("table", name, torch.zeros(3, 3))
    assert targets.shape == (3, CHANNELS)
    assert torch.allclose(targets.norm(dim=-1), torch.ones(3), atol=1e-5)


def test_cosine_falls_with_distance_on_the_part():
    codebook = fabricated_codebook()
    along = torch.zeros(9, 3)
    along[:, 0] = torch.linspace(-1, 1, 9)
    targets = codebook.embed("table", torch.zeros(9, dtype=torch.long), along)
    cosine = targets @ targets[0]
    assert cosine[0] > cosine[2] + 0.05 > cosine[4] + 0.1
    assert cosine[8] < 0.7


def test_parts_categories_and_background_are_told_apart():
    codebook = fabricated_codebook()
    place = torch.zeros(1, 3)
    board, leg = (codebook.embed("table", torch.tensor([i]), place)[0] for i in range(2))
    stool = codebook.embed("stool", torch.tensor([0]), place)[0]
    background = codebook.embed("table", torch.tensor([BACKGROUND]), place)[0]
    assert board @ leg < 0.6
    assert abs(board @ stool) < 0.5
    assert board @ background == pytest.approx(0, abs=1e-6)


def test_same_seed_same_codebook():
    first, second = fabricated_codebook(), fabricated_codebook()
    assert torch.equal(first.anchors, second.anchors)
    assert torch.equal(first.anchors[0], torch.eye(CHANNELS)[-1])
