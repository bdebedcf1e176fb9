"""Annotated samples made wrong in the ways that happen: swapped sides, depth of something else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from semcorr_ros.artifacts import DepthMap
from semcorr_ros.methods.semalign3d.building.evidence import Sample

DEPTHS = ("constant", "noise", "inside out", "stretched", "tilted plane", "mirrored")


def with_swapped_sides(sample: Sample, flip: tuple[int, ...]) -> Sample:
    """Left keypoints called right and the other way round."""
    order = torch.tensor(flip)
    annotated = sample.annotated
    swapped = replace(annotated, keypoints=annotated.keypoints[order], visible=annotated.visible[order])
    return replace(sample, annotated=swapped)


def with_bad_depth(sample: Sample, kind: str) -> Sample:
    """Another depth map, by a name of DEPTHS."""
    depth = sample.depth.values
    valid = depth > 0
    middle = depth[valid].median()
    columns = torch.linspace(-1, 1, depth.shape[1]).expand(depth.shape)
    wrong: dict[str, Tensor] = {
        "constant": middle.expand(depth.shape),
        "noise": middle * (0.05 + 2 * torch.rand(depth.shape, generator=torch.Generator().manual_seed(0))),
        "inside out": middle**2 / depth.clamp_min(1e-3),
        "stretched": (middle + 3 * (depth - middle)).clamp_min(0.05 * middle),
        "tilted plane": middle * (1 + 0.3 * columns),
        "mirrored": torch.where(depth.flip(1) > 0, depth.flip(1), middle),
    }
    return replace(sample, depth=DepthMap(torch.where(valid, wrong[kind], 0.0), sample.depth.metric))


def spoil(
    samples: Sequence[Sample],
    flip: tuple[int, ...],
    swapped: Sequence[int] = (),
    bad_depth: Sequence[int] = (),
) -> list[Sample]:
    """The samples, some with swapped sides, some with bad depth of one kind after the other."""
    out = list(samples)
    for i in swapped:
        out[i] = with_swapped_sides(out[i], flip)
    for turn, i in enumerate(bad_depth):
        out[i] = with_bad_depth(out[i], DEPTHS[turn % len(DEPTHS)])
    return out
