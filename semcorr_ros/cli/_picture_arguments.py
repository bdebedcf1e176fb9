"""Arguments and steps shared by the verbs that work on single pictures: read one, align a class to it."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from semcorr_ros import methods
from semcorr_ros.answer import Answer
from semcorr_ros.artifacts import KeypointState
from semcorr_ros.camera_file import read_camera
from semcorr_ros.cli import _data_arguments as data
from semcorr_ros.cli._alignment_arguments import add_alignment_arguments, quality_from
from semcorr_ros.cli._live_arguments import add_live_arguments, live_from
from semcorr_ros.cli._score_arguments import add_min_score, min_score_from
from semcorr_ros.depth import DEPTH
from semcorr_ros.finder import Finder, Watch
from semcorr_ros.masks.precomputed import read_mask
from semcorr_ros.methods import Model
from semcorr_ros.observations import Providers, Scene, lone_image, scene_of_sample
from semcorr_ros.places import ANYWHERE, Place

MIN_SIDE = 32  # pixels; the coarsest cell of a backbone


@dataclass(frozen=True)
class Picture:
    """An image file and the files that say more about it."""

    image: Path
    depth: Path | None = None
    mask: Path | None = None
    camera: Path | None = None


def add_arguments(parser: argparse.ArgumentParser, class_required: bool) -> None:
    """Class file, alignment constants, seed, camera, backbone, masks and depth network."""
    parser.add_argument(
        "--class-file", type=Path, required=class_required, metavar="FILE", help="see build_class"
    )
    parser.add_argument(
        "--camera",
        type=Path,
        metavar="JSON",
        help='{"K": 3x3 pixels} of the picture (default: the focal length is searched for)',
    )
    add_alignment_arguments(parser)
    add_min_score(parser)
    parser.add_argument("--seed", type=int, default=0, help="of the alignment (default: 0)")
    parser.add_argument("--output", type=Path, metavar="PNG", help="picture of the result")
    parser.add_argument("--json", type=Path, metavar="FILE", help="result in numbers")
    add_live_arguments(parser)


def class_from(args: argparse.Namespace) -> Model:
    """Read --class-file onto --device."""
    return methods.load(args.class_file, data.device_from(args), quality_from(args))


def finder_from(args: argparse.Namespace, class_file: Path | None) -> Finder:
    """Build networks and judgement. Raises ValueError or FileNotFoundError naming the argument."""
    providers = live_from(args, class_file)
    return Finder(providers, min_score_from(args, providers.features.backbone), args.seed)


def scene_of(picture: Picture, finder: Finder, category: str) -> tuple[Scene, Place]:
    """Read one picture and encode it; files that say more about it go before the networks.

    Raises FileNotFoundError or ValueError naming the file.
    """
    sample = lone_image(picture.image, category, picture.depth)
    if min(sample.size) < MIN_SIDE:
        height, width = sample.size
        raise ValueError(
            f"{picture.image} is {width}x{height}: nothing is recognised below {MIN_SIDE} pixels a side"
        )
    if picture.depth and not picture.depth.is_file():
        raise FileNotFoundError(f"no depth file {picture.depth}; --depth takes a 16-bit .png or an .npy")
    if picture.camera:
        sample = dataclasses.replace(sample, camera=read_camera(picture.camera, sample.size))
    place = Place(mask=read_mask(picture.mask, sample.size)) if picture.mask else ANYWHERE
    providers: Providers = finder.providers
    if picture.depth:
        providers = dataclasses.replace(providers, depth=DEPTH.load("sensor").make({}, {}))
    return scene_of_sample(sample, providers), place


def find(finder: Finder, model: Model, picture: Picture, progress: Progress) -> tuple[Answer, Scene]:
    """Place a class in a picture, showing a bar. Raises as `scene_of`."""
    scene, place = scene_of(picture, finder, model.info.name)
    task = progress.add_task(picture.image.name, total=1.0)

    def report(stage: str, done: float, energy: float) -> None:
        progress.update(task, completed=done)

    answer = finder.find(model, scene, place, Watch(report=report))
    progress.update(task, completed=1.0)
    return answer, scene


def points_json(answer: Answer) -> list[dict[str, Any]]:
    """Write one object per point; null where a number is unknown."""
    found = answer.points
    return [
        {
            "name": name,
            "state": KeypointState(int(found.state[i])).name,
            "pixel": _known(found.points[i]),
            "xyz": _known(found.xyz[i]),
            "score": round(float(found.score[i]), 4),
        }
        for i, name in enumerate(answer.names)
    ]


def print_points(points: Sequence[dict[str, Any]]) -> None:
    """A line per point of `points_json`: name, state, pixel, metres where known, score."""
    width = max((len(point["name"]) for point in points), default=0)
    for point in points:
        pixel = "-" if point["pixel"] is None else "{:7.1f} {:7.1f}".format(*point["pixel"])
        xyz = "" if point["xyz"] is None else "  {:7.3f} {:7.3f} {:7.3f} m".format(*point["xyz"])
        print(f"  {point['name']:<{width}}  {point['state']:<12} {pixel}{xyz}  {point['score']:.2f}")


@contextmanager
def bars() -> Iterator[Progress]:
    """Progress bars on stderr."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield progress


def _known(values: torch.Tensor) -> list[float] | None:
    return [round(v, 5) for v in values.tolist()] if bool(torch.isfinite(values).all()) else None
