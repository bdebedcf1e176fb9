"""The procedural classes as the `tiny` backbone learns them: mean boxes, surface samples, codebook."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import trimesh
from jaxtyping import Float, Int
from torch import Tensor

from semcorr_lab.synthetic.categories import available, load
from semcorr_lab.synthetic.instance import Part
from semcorr_lab.training.part_frames import fold
from semcorr_lab.training.rendered_samples import instance_frames, sample_rng
from semcorr_lab.training.tiny_targets import Codebook, MeanObject, fit_codebook, mean_object
from semcorr_ros.features._tiny_network import CHANNELS

_INSTANCES = 48
_POINTS = 400  # per instance


def class_codebook(categories: Sequence[str], seed: int) -> Codebook:
    """Fit the codebook of procedural categories. Same seed, same codebook.

    Raises ValueError for an unknown category.
    """
    known = available()
    unknown = sorted(set(categories) - set(known))
    if unknown or not categories:
        raise ValueError(f"unknown category {(unknown or [''])[0]!r}; available: {', '.join(known)}")
    means, surfaces = {}, {}
    for category in categories:
        means[category], surfaces[category] = _survey(category, seed)
    return fit_codebook(means, surfaces, CHANNELS, torch.Generator().manual_seed(seed))


def _survey(
    category: str, seed: int
) -> tuple[MeanObject, tuple[Int[Tensor, "point"], Float[Tensor, "point 3"]]]:
    module = load(category)
    # Indices from the top, so that no training picture shows these instances.
    rngs = [sample_rng(category, "train", 10**6 + i, seed) for i in range(_INSTANCES)]
    instances = [module.generate(rng) for rng in rngs]
    frames = [instance_frames(instance, module.INFO.symmetric) for instance in instances]
    mean = mean_object(frames)
    names, locals_ = [], []
    for instance, frame, rng in zip(instances, frames, rngs, strict=True):
        points, part = _surface(instance.parts, rng)
        names.append(np.array([mean.names.index(name) for name in frame.names])[part])
        locals_.append(fold(points, part, frame))
    name = torch.from_numpy(np.concatenate(names))
    order = torch.randperm(len(name), generator=torch.Generator().manual_seed(seed))
    return mean, (name[order], torch.from_numpy(np.concatenate(locals_)).float()[order])


def _surface(parts: Sequence[Part], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    triangles = np.concatenate([part.mesh.triangles for part in parts])
    owner = np.repeat(np.arange(len(parts)), [len(part.mesh.faces) for part in parts])
    # Square roots let thin parts (legs, handles) keep a share of the code.
    area = trimesh.triangles.area(triangles) + 1e-15
    per_part = np.bincount(owner, area, minlength=len(parts))
    weight = area / np.sqrt(per_part[owner])
    face = rng.choice(len(triangles), _POINTS, p=weight / weight.sum())
    corner = rng.dirichlet(np.ones(3), _POINTS)
    return np.einsum("pc,pcx->px", corner, triangles[face]), owner[face]
