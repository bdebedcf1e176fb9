"""Render procedural or GLB objects to a data set in the SPair-71k layout, with depth and cameras."""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict

import numpy as np
import torch
from jaxtyping import UInt8

from semcorr_lab.cli._options.synthesize import SynthesizeOptions
from semcorr_lab.synthetic import categories
from semcorr_lab.synthetic.contact_sheet import contact_sheet
from semcorr_lab.synthetic.dataset import DatasetConfig, Job, jobs, make_dataset, picture
from semcorr_lab.synthetic.scene import SceneConfig
from semcorr_lab.synthetic.source import ProceduralSource, Source
from semcorr_ros.cli._progress import counted
from semcorr_ros.storage import write_image, write_json


def run(options: SynthesizeOptions) -> int:
    """Make the data set, the contact sheet, or both; 2 for wrong input, 130 after Ctrl-C."""
    if options.output is None and options.contact_sheet is None:
        print("synthesize: give --output DIR, --contact-sheet PNG, or both", file=sys.stderr)
        return 2
    torch.set_num_threads(1)
    try:
        source, skipped = _source(options)
        return _make(options, source, _config(options), skipped)
    except (ValueError, FileNotFoundError) as error:
        print(f"synthesize: {error}", file=sys.stderr)
        return 2
    except BrokenProcessPool:
        print("synthesize: a worker died (out of memory?); run again with fewer --workers", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"stopped; the same command goes on in {options.output}", file=sys.stderr)
        return 130


def _make(options: SynthesizeOptions, source: Source, config: DatasetConfig, skipped: list[str]) -> int:
    start = time.monotonic()
    report: dict[str, object] = {
        "categories": sorted(source.infos()),
        "seed": options.seed,
        "skipped": skipped,
    }
    if options.output is not None:
        todo = jobs(source, config)
        with counted() as progress:
            task = progress.add_task("render", total=len(todo))
            made = make_dataset(
                options.output, source, config, options.workers, lambda: progress.advance(task)
            )
            progress.update(task, completed=len(todo))
        report |= asdict(made) | {"output": str(options.output), "skipped": skipped + made.skipped}
    if options.contact_sheet is not None:
        write_image(
            options.contact_sheet, torch.from_numpy(_sheet(source, config, options.sheet_images).copy())
        )
        report["contact_sheet"] = str(options.contact_sheet)
    report["seconds"] = round(time.monotonic() - start, 2)
    if options.json:
        write_json(options.json, report)
    print(json.dumps(report, indent=2))
    return 0


def _source(options: SynthesizeOptions) -> tuple[Source, list[str]]:
    if options.meshes is None:
        known = categories.available()
        unknown = sorted(set(options.categories) - set(known))
        if unknown:
            raise ValueError(f"unknown category {unknown[0]!r}; choose from {', '.join(known)}")
        return ProceduralSource(tuple(sorted(set(options.categories or known)))), []
    from semcorr_lab.synthetic.meshes import open_meshes

    keypoints = options.keypoints or options.meshes / "instances.json"
    names = list(options.categories) or None
    return open_meshes(options.meshes, keypoints, names, options.mesh_axes, options.mesh_unit)


def _config(options: SynthesizeOptions) -> DatasetConfig:
    given, counts = options.scene, options.counts
    width, height = map(int, given.size.lower().split("x"))
    scene = SceneConfig(
        size=(height, width),
        clutter=not given.no_clutter,
        occluders=not given.no_occluders,
        truncation=not given.no_truncation,
        background=not given.no_background,
        sensor=not given.no_sensor,
    )
    images = (counts.images_trn, counts.images_val, counts.images_test)
    pairs = (counts.pairs_trn, counts.pairs_val, counts.pairs_test)
    return DatasetConfig(images, pairs, options.seed, scene)


def _sheet(source: Source, config: DatasetConfig, count: int) -> UInt8[np.ndarray, "height width 3"]:
    rows = []
    for name, info in sorted(source.infos().items()):
        wanted = [Job(name, "trn", index, info.flat) for index in range(count)]
        rows.append((info, [picture(source, config, job)[1] for job in wanted]))
    return contact_sheet(rows)
