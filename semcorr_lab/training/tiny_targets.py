"""What the `tiny` backbone shall say about a surface point: a fixed unit vector per folded place.

Two places of a category get the cosine of a kernel (part name and distance on a mean object) in
its best low-rank approximation: Nystroem features, Williams and Seeger 2001. Repeated parts and
both sides share their folded coordinate (part_frames.py), so they share the vector.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from semcorr_lab.training.part_frames import PartFrames

BACKGROUND = -1
CATEGORY_SHARE = 0.2  # cosine between far places of one category
_LANDMARKS = 512
_ANCHORS = 64  # places per category that the sharpening loss tells apart

# Kernel: (weight, length scale in object sizes) within a part name, and across names.
_WITHIN_PART = ((0.35, 0.08), (0.35, 0.22))
_SAME_NAME = 0.15
_ACROSS_PARTS = (0.15, 0.35)


@dataclass(frozen=True)
class MeanObject:
    """Mean folded box of every part name of a category, in object sizes from the object's middle."""

    names: tuple[str, ...]
    center: Float[Tensor, "name 3"]
    half: Float[Tensor, "name 3"]


@dataclass(frozen=True)
class CategoryCode:
    """Turns (part name, folded coordinate) of one category into a code of unit length."""

    mean: MeanObject
    landmark_name: Int[Tensor, "landmark"]
    landmark_point: Float[Tensor, "landmark 3"]
    projection: Float[Tensor, "landmark rank"]

    def code(
        self, name: Int[Tensor, "point"], local: Float[Tensor, "point 3"]
    ) -> Float[Tensor, "point rank"]:
        """Compute unit codes of points with a name index into `mean.names` and a folded coordinate."""
        place = self.mean.center[name] + self.mean.half[name] * local
        kernel = _kernel(name, place, self.landmark_name, self.landmark_point)
        return functional.normalize(kernel @ self.projection, dim=-1)


@dataclass(frozen=True)
class Codebook:
    """Codes of all categories side by side: channels are [code, one per category, background]."""

    categories: tuple[str, ...]
    codes: Mapping[str, CategoryCode]
    anchors: Float[Tensor, "anchor channel"]  # background first

    def embed(
        self, category: str, name: Tensor, local: Float[Tensor, "point 3"]
    ) -> Float[Tensor, "point channel"]:
        """Compute unit targets; `name` BACKGROUND gives the background vector."""
        out = torch.zeros(len(name), self.anchors.shape[1])
        out[name < 0, -1] = 1.0
        on_object = name >= 0
        code = self.codes[category].code(name[on_object], local[on_object])
        rank = code.shape[1]
        out[on_object, :rank] = code * (1 - CATEGORY_SHARE) ** 0.5
        out[on_object, rank + self.categories.index(category)] = CATEGORY_SHARE**0.5
        return out


def mean_object(instances: Sequence[PartFrames]) -> MeanObject:
    """Average boxes over instances and over parts of one name."""
    names = tuple(sorted({name for frames in instances for name in frames.names}))
    centers: dict[str, list[np.ndarray]] = {name: [] for name in names}
    halves: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for frames in instances:
        for name, center, half in zip(frames.names, frames.center, frames.half, strict=True):
            centers[name].append((center - frames.middle) / frames.size)
            halves[name].append(half / frames.size)
    center = np.array([np.mean(centers[name], 0) for name in names])
    half = np.array([np.mean(halves[name], 0) for name in names])
    return MeanObject(names, torch.from_numpy(center).float(), torch.from_numpy(half).float())


def fit_codebook(
    means: Mapping[str, MeanObject],
    surfaces: Mapping[str, tuple[Int[Tensor, "point"], Float[Tensor, "point 3"]]],
    channels: int,
    generator: torch.Generator,
) -> Codebook:
    """Fit codes to surface samples (name index, folded coordinate) of every category.

    Codes of different categories are rotated at random, so they are nearly orthogonal.
    """
    categories = tuple(sorted(means))
    rank = channels - len(categories) - 1
    codes = {name: _fit_category(means[name], *surfaces[name], rank, generator) for name in categories}
    background = torch.zeros(1, channels)
    background[0, -1] = 1.0
    codebook = Codebook(categories, codes, background)
    anchors = [background]
    for category in categories:
        name, local = surfaces[category]
        anchors.append(_spread(codebook.embed(category, name, local), _ANCHORS))
    return Codebook(categories, codes, torch.cat(anchors))


def _fit_category(
    mean: MeanObject, name: Tensor, local: Tensor, rank: int, generator: torch.Generator
) -> CategoryCode:
    keep = torch.randperm(len(name), generator=generator)[:_LANDMARKS]
    name, place = name[keep], mean.center[name[keep]] + mean.half[name[keep]] * local[keep]
    gram = _kernel(name, place, name, place).double()
    values, vectors = torch.linalg.eigh(gram)
    values, vectors = values[-rank:].clamp_min(1e-6), vectors[:, -rank:]
    rotation, _ = torch.linalg.qr(torch.randn(rank, rank, generator=generator, dtype=torch.float64))
    projection = vectors * values.rsqrt() @ rotation[: values.numel()]
    return CategoryCode(mean, name, place, projection.float())


def _kernel(name: Tensor, place: Tensor, other_name: Tensor, other_place: Tensor) -> Tensor:
    squared = torch.cdist(place, other_place).square()
    within = sum(weight * torch.exp(-squared / (2 * scale**2)) for weight, scale in _WITHIN_PART)
    same = (name[:, None] == other_name[None, :]).float()
    weight, scale = _ACROSS_PARTS
    return same * (within + _SAME_NAME) + weight * torch.exp(-squared / (2 * scale**2))


def _spread(targets: Float[Tensor, "point channel"], count: int) -> Float[Tensor, "anchor channel"]:
    """Sample farthest points by cosine."""
    chosen = [0]
    nearest = targets @ targets[0]
    while len(chosen) < min(count, len(targets)):
        chosen.append(int(nearest.argmin()))
        nearest = torch.maximum(nearest, targets @ targets[chosen[-1]])
    return targets[chosen]
