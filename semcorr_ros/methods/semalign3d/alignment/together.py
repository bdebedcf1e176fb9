"""`reference.optimize` for several images of a class at once: as many steps, as many kernels, larger ones.

Where starting a kernel takes longer than running it, on a GPU, the images cost hardly more than one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.methods.semalign3d.alignment import objective, stacked
from semcorr_ros.methods.semalign3d.alignment.initialize import Starts
from semcorr_ros.methods.semalign3d.alignment.optimize import (
    Config,
    Optimized,
    kept_at,
    scheduled_at,
    survivors,
)
from semcorr_ros.methods.semalign3d.alignment.reference import Search
from semcorr_ros.methods.semalign3d.alignment.state import Evidence
from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation


def optimize(
    model: ClassRepresentation,
    seen: Sequence[Evidence],
    starts: Sequence[Starts],
    configs: tuple[Config, objective.Config],
    generators: Sequence[torch.Generator],
) -> list[Optimized]:
    """Minimise the objective of every image from its starts.

    seen: of one `stacked.kind`, and as many starts for each. Draws and cuts are those of each image alone,
    so the results are, too, up to rounding.
    """
    config, terms = configs
    images, everything = len(seen), stacked.stack(seen)
    # Hypotheses of all images are rows of one search, image after image.
    search = Search(model, _joined(starts), config, fixed_focal=seen[0].focal is not None)
    for step in range(config.steps):
        scheduled = scheduled_at(config, step)
        pool = everything.dense.points.shape[1]
        rows = [torch.randint(pool, (2, config.batch), generator=draws) for draws in generators]
        glimpse = stacked.glimpse(everything, torch.stack(rows).to(model.sparse.device))
        sigmas = [objective.sigmas_at(terms, scheduled, one) for one in seen]
        weights = objective.weights_at(terms, scheduled)
        total = _energy(model, search, glimpse, (torch.tensor(sigmas).to(model.sparse), weights))
        search.descend(total.flatten())
        keep = kept_at(config, step, total.shape[1])
        if keep < total.shape[1]:
            placed = search.keypoints().unflatten(0, total.shape)
            kept = [
                i * total.shape[1] + survivors(model, placed[i], total[i], keep, config.separation_deg)
                for i in range(images)
            ]
            search.keep(torch.cat(kept))
    focal, surface_depth = search.placement()
    parts = (search.keypoints().detach(), focal.detach(), surface_depth)
    return [Optimized(*each) for each in zip(*(part.chunk(images) for part in parts), strict=True)]


def _energy(
    model: ClassRepresentation,
    search: Search,
    glimpse: Evidence,
    how: tuple[Float[Tensor, "image 2"], dict[str, float]],
) -> Float[Tensor, "image hypothesis"]:
    sigmas, weights = how

    def one(seen: Evidence, keypoints: Tensor, focal: Tensor, surface: Tensor, sigma: Tensor) -> Tensor:
        pair: Any = sigma.unbind()  # numbers, for an energy that is not batched
        state = objective.make_state(model, keypoints, (focal, surface), seen, pair)
        return objective.evaluate(state, seen, model, weights)[0]

    rows = [x.unflatten(0, (len(sigmas), -1)) for x in (search.keypoints(), *search.placement())]
    return stacked.for_each(one, glimpse, *rows, sigmas)


def _joined(starts: Sequence[Starts]) -> Starts:
    """Row after row; a part that is None is None in all."""
    found: dict[str, Any] = {}
    for field in fields(Starts):
        rows = [getattr(one, field.name) for one in starts]
        found[field.name] = None if rows[0] is None else torch.cat(rows)
    return replace(starts[0], **found)
