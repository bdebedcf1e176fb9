"""Several alignments at once: images, classes, regions of an image."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

import torch

from semcorr_ros.artifacts import Observation
from semcorr_ros.methods.semalign3d import alignment
from semcorr_ros.methods.semalign3d.alignment import (
    engine,
    evidence,
    initialize,
    reference,
    stacked,
    together,
)
from semcorr_ros.methods.semalign3d.artifacts import Alignment, ClassRepresentation


def align_many(
    jobs: Sequence[tuple[ClassRepresentation, Observation]],
    config: alignment.Config,
    generators: Sequence[torch.Generator],
) -> list[Alignment]:
    """`align` of every (class, image), with the same results: to the bit, or to rounding where shared.

    Images of one class share an optimisation where arithmetic is the plain one (engine "reference"), if
    they are of one size and the same is known of them. The compiled engine gains nothing from that: it has
    no launches to save and its loops fill the cores, so there the images are shared out among threads.
    Raises ValueError as `align`, for the first that cannot be aligned.
    """
    if len(jobs) != len(generators):
        raise ValueError(f"{len(jobs)} alignments need as many generators, got {len(generators)}")
    if not jobs:
        return []
    if engine.choose(config.engine, config.objective) is not reference:
        models, seen = zip(*jobs, strict=True)
        with ThreadPoolExecutor(torch.get_num_threads(), thread_name_prefix="align_many") as pool:
            return list(pool.map(alignment.align, models, seen, repeat(config), generators))
    begun = [_begin(*job, config, draws) for job, draws in zip(jobs, generators, strict=True)]
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for i, (model, _) in enumerate(jobs):
        groups[id(model), stacked.kind(begun[i][0]), len(begun[i][1].focal)].append(i)
    found: dict[int, Alignment] = {}
    for rows in groups.values():
        model = jobs[rows[0]][0]
        clues, starts = zip(*(begun[i] for i in rows), strict=True)
        terms, draws = (config.optimize, config.objective), [generators[i] for i in rows]
        results = together.optimize(model, clues, starts, terms, draws)
        for i, result in zip(rows, results, strict=True):
            found[i] = alignment.settle(model, jobs[i][1], begun[i][0], result, config)
    return [found[i] for i in range(len(jobs))]


def _begin(
    model: ClassRepresentation, seen: Observation, config: alignment.Config, generator: torch.Generator
) -> tuple[evidence.Evidence, initialize.Starts]:
    clues = alignment.gather(model, seen, config, generator)
    starts = initialize.choose_starts(model, clues, config.initialize, generator, reference.score)
    return clues, starts
