"""Samples that need no renderer: a two-part 'table' painted by the folded coordinate it has."""

from __future__ import annotations

import torch

from semcorr_lab.training.rendered_samples import RenderedSample

KEYPOINTS = ((0, (-0.8, -0.8, 0.0)), (0, (0.8, 0.8, 0.0)), (1, (0.0, 0.0, -0.8)), (1, (0.0, 0.0, 0.8)))


def table_sample(seed: int, category: str = "table") -> RenderedSample:
    """A board above a leg, somewhere in a gray picture; color shows the coordinate."""
    generator = torch.Generator().manual_seed(seed)
    top, left = torch.randint(4, 24, (2,), generator=generator).tolist()
    name = torch.full((60, 80), -1, dtype=torch.int8)
    local = torch.zeros(60, 80, 3)
    y, x = torch.meshgrid(torch.linspace(-1, 1, 12), torch.linspace(-1, 1, 40), indexing="ij")
    name[top : top + 12, left : left + 40] = 0
    local[top : top + 12, left : left + 40] = torch.stack([x, y, 0 * x], -1)
    name[top + 12 : top + 36, left : left + 8] = 1
    local[top + 12 : top + 36, left : left + 8, 2] = torch.linspace(1, -1, 24)[:, None]
    paint = torch.where(name[..., None] < 0, torch.tensor(0.5), 0.5 + 0.4 * local)
    paint[..., 1] += 0.1 * name
    image = (paint.clamp(0, 1) * 255).to(torch.uint8).repeat_interleave(2, 0).repeat_interleave(2, 1)
    corner = torch.tensor([2.0 * left, 2.0 * top])
    board = [corner + torch.tensor([(1 + a) * 39.5, (1 + b) * 11.5]) for _, (a, b, _) in KEYPOINTS[:2]]
    leg = [corner + torch.tensor([8.0, 24 + (1 - c) * 23.5]) for _, (_, _, c) in KEYPOINTS[2:]]
    return RenderedSample(
        category=category,
        image=image,
        name=name,
        local=local.half(),
        keypoints=torch.stack(board + leg),
        visible=torch.ones(4, dtype=torch.bool),
        keypoint_name=torch.tensor([part for part, _ in KEYPOINTS], dtype=torch.int8),
        keypoint_local=torch.tensor([place for _, place in KEYPOINTS]),
        bbox=(2.0 * left, 2.0 * top, 2.0 * left + 80, 2.0 * top + 72),
    )
