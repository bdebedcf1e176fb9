"""Render procedural or GLB objects to a data set in the SPair-71k layout, with depth and cameras."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from semcorr_lab.synthetic import categories
from semcorr_lab.synthetic.contact_sheet import contact_sheet
from semcorr_lab.synthetic.dataset import SPLITS, DatasetConfig, Job, jobs, make_dataset, picture
from semcorr_lab.synthetic.scene import SceneConfig
from semcorr_lab.synthetic.source import ProceduralSource, Source
from semcorr_ros.storage import write_image, write_json

_MAX_SIDE = 8192


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the verb."""
    default = DatasetConfig()
    parser.description = __doc__
    parser.add_argument("--output", type=Path, help="folder of the data set; an interrupted run goes on")
    parser.add_argument("--categories", nargs="+", default=None, help="default: all there are")
    for split, images, pairs in zip(SPLITS, default.images, default.pairs, strict=True):
        parser.add_argument(f"--images-{split}", type=int, default=images, help="images per category")
        parser.add_argument(f"--pairs-{split}", type=int, default=pairs, help="pairs per category")
    parser.add_argument("--size", type=_size, default=(480, 640), metavar="WxH", help="default: 640x480")
    for thing in ("clutter", "occluders", "truncation", "background", "sensor"):
        parser.add_argument(f"--no-{thing}", action="store_true", help=f"leave out {thing}")
    parser.add_argument("--meshes", type=Path, help="folder of GLB meshes to render instead")
    parser.add_argument("--keypoints", type=Path, help="their keypoints; default: MESHES/instances.json")
    parser.add_argument("--contact-sheet", type=Path, help="write a PNG of pictures with keypoints")
    parser.add_argument("--sheet-images", type=int, default=6, help="pictures per category on it")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write a report here")


def run(args: argparse.Namespace) -> int:
    """Make the data set, the contact sheet, or both; 2 for wrong input, 130 after Ctrl-C."""
    if args.output is None and args.contact_sheet is None:
        print("synthesize: give --output DIR, --contact-sheet PNG, or both", file=sys.stderr)
        return 2
    torch.set_num_threads(1)
    try:
        source, skipped = _source(args)
        return _make(args, source, _config(args), skipped)
    except (ValueError, FileNotFoundError) as error:
        print(f"synthesize: {error}", file=sys.stderr)
        return 2
    except BrokenProcessPool:
        print("synthesize: a worker died (out of memory?); run again with fewer --workers", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"stopped; the same command goes on in {args.output}", file=sys.stderr)
        return 130


def _make(args: argparse.Namespace, source: Source, config: DatasetConfig, skipped: list[str]) -> int:
    start = time.monotonic()
    report: dict[str, object] = {"categories": sorted(source.infos()), "seed": args.seed, "skipped": skipped}
    if args.output is not None:
        todo = jobs(source, config)
        with _progress() as progress:
            task = progress.add_task("render", total=len(todo))
            made = make_dataset(args.output, source, config, args.workers, lambda: progress.advance(task))
            progress.update(task, completed=len(todo))
        report |= asdict(made) | {"output": str(args.output), "skipped": skipped + made.skipped}
    if args.contact_sheet is not None:
        write_image(args.contact_sheet, torch.from_numpy(_sheet(source, config, args.sheet_images).copy()))
        report["contact_sheet"] = str(args.contact_sheet)
    report["seconds"] = round(time.monotonic() - start, 2)
    if args.json:
        write_json(args.json, report)
    print(json.dumps(report, indent=2))
    return 0


def _source(args: argparse.Namespace) -> tuple[Source, list[str]]:
    if args.meshes is None:
        known = categories.available()
        unknown = sorted(set(args.categories or []) - set(known))
        if unknown:
            raise ValueError(f"unknown category {unknown[0]!r}; choose from {', '.join(known)}")
        return ProceduralSource(tuple(sorted(set(args.categories or known)))), []
    from semcorr_lab.synthetic.meshes import open_meshes

    keypoints = args.keypoints or args.meshes / "instances.json"
    return open_meshes(args.meshes, keypoints, args.categories)


def _config(args: argparse.Namespace) -> DatasetConfig:
    counts = {
        kind: tuple(int(getattr(args, f"{kind}_{split}")) for split in SPLITS) for kind in ("images", "pairs")
    }
    if min(counts["images"] + counts["pairs"]) < 0:
        raise ValueError(f"numbers of images and pairs must not be negative, got {counts}")
    scene = SceneConfig(
        size=args.size,
        clutter=not args.no_clutter,
        occluders=not args.no_occluders,
        truncation=not args.no_truncation,
        background=not args.no_background,
        sensor=not args.no_sensor,
    )
    trn, val, test = counts["images"]
    pairs_trn, pairs_val, pairs_test = counts["pairs"]
    return DatasetConfig((trn, val, test), (pairs_trn, pairs_val, pairs_test), args.seed, scene)


def _sheet(source: Source, config: DatasetConfig, count: int) -> UInt8[np.ndarray, "height width 3"]:
    rows = []
    for name, info in sorted(source.infos().items()):
        wanted = [Job(name, "trn", index, info.flat) for index in range(count)]
        rows.append((info, [picture(source, config, job)[1] for job in wanted]))
    return contact_sheet(rows)


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdigit() and height.isdigit() and 16 <= min(int(width), int(height)) <= _MAX_SIDE):
        raise argparse.ArgumentTypeError(f"expected WxH like 640x480, at least 16 pixels each, got {text!r}")
    return int(height), int(width)


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))
