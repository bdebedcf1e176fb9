"""Everything that has to be rendered before a class can be built and tried; what is there is kept."""

from __future__ import annotations

import argparse
from functools import partial

from rich.progress import Progress

from benchmark.rendered import scenes
from benchmark.rendered.splits import TRAIN, TRAINING_IMAGES, Split
from semcorr_lab.synthetic.dataset import DatasetConfig
from semcorr_lab.synthetic.meshes import open_meshes
from semcorr_lab.synthetic.source import ProceduralSource


def _parts(args: argparse.Namespace) -> tuple[tuple[Split, DatasetConfig], ...]:
    """The pictures that classes are built from, and those they are tried on."""
    tried = args.split.pictures(args.images, args.pairs)
    return (TRAIN, TRAIN.pictures(TRAINING_IMAGES)), (args.split, tried)


def procedural(args: argparse.Namespace, categories: tuple[str, ...], bar: Progress) -> None:
    """Pictures, true keypoints, and features of the settings that are computed from the true surface."""
    source = ProceduralSource(categories)
    oracle = set(args.settings) & set(scenes.NOISE)
    for split, made in _parts(args):
        total = len(categories) * sum(made.images)
        task = bar.add_task(f"render, {split.name}", total=total)
        folder = split.folder(args.work)
        scenes.render(folder / "data", source, made, args.workers, partial(bar.advance, task))
        bar.update(task, completed=total)
        if oracle or split != TRAIN:
            task = bar.add_task(f"true surfaces, {split.name}", total=total)
            tick = partial(bar.advance, task)
            if oracle:
                scenes.write_oracle(folder / "oracle", categories, made, tick)
            else:
                scenes.write_truth(folder / "oracle", source, made, tick)


def meshes(args: argparse.Namespace, bar: Progress) -> list[str]:
    """Categories of --meshes, rendered; says which meshes cannot be used and why."""
    if args.meshes is None:
        return []
    source, skipped = open_meshes(args.meshes, args.meshes / "instances.json", None)
    for reason in skipped:
        bar.console.print(f"skipped: {reason}")
    for split, made in _parts(args):
        task = bar.add_task(f"meshes, {split.name}", total=2 * len(source.infos()) * sum(made.images))
        tick = partial(bar.advance, task)
        scenes.render(split.folder(args.work) / "meshes", source, made, args.workers, tick)
        if split != TRAIN:
            scenes.write_truth(split.folder(args.work) / "meshes_truth", source, made, tick)
        bar.remove_task(task)
    return sorted(source.infos())
