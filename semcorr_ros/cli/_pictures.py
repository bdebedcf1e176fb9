"""Steps shared by the verbs that work on single pictures: read one, find a class in it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from semcorr_ros.answer import Answer
from semcorr_ros.cli._options.pictures import ConstantsOptions
from semcorr_ros.cli._options.sources import LiveSources
from semcorr_ros.cli._providers import live_from
from semcorr_ros.depth.sensor import SensorDepth, SensorDepthSettings
from semcorr_ros.files.camera import read_calibration
from semcorr_ros.files.mask import read_mask
from semcorr_ros.finder import Finder, Watch
from semcorr_ros.methods import Model
from semcorr_ros.observations import Providers, Scene, lone_image, scene_of_sample
from semcorr_ros.places import ANYWHERE, Place, mask_in
from semcorr_ros.provider_options import JudgementOptions, ReadingOptions
from semcorr_ros.sensing.reading import Reading, reading_for

MIN_SIDE = 32  # pixels; the coarsest cell of a backbone


class AskOptions(Protocol):
    """Options of a verb that finds classes in pictures."""

    @property
    def judgement(self) -> JudgementOptions: ...

    @property
    def alignment(self) -> ConstantsOptions: ...


@dataclass(frozen=True)
class Picture:
    """An image file and the files that say more about it."""

    image: Path
    depth: Path | None = None
    mask: Path | None = None
    camera: Path | None = None
    reading: Reading = Reading()  # noqa: RUF009 - frozen


def reading_from(options: ReadingOptions) -> Reading:
    """Read the options for files. Raises ValueError for --rotate auto."""
    if options.rotate == "auto":
        raise ValueError("--rotate auto needs the tf of a running node; give 0, 90, 180 or 270")
    return reading_for(options, "")


def finder_from(sources: LiveSources, options: AskOptions, class_file: Path | None) -> Finder:
    """Build networks and judgement. Raises ValueError or FileNotFoundError naming the option."""
    providers = live_from(sources, class_file)
    return Finder(providers, options.judgement.min_score, options.alignment.seed)


def find(finder: Finder, model: Model, picture: Picture, progress: Progress) -> tuple[Answer, Scene]:
    """Place a class in a picture, with a progress bar. Raises as `scene_of`."""
    scene, place = scene_of(picture, finder, model.info.name)
    task = progress.add_task(picture.image.name, total=1.0)

    def report(stage: str, done: float, energy: float) -> None:
        progress.update(task, completed=done)

    answer = finder.find(model, scene, place, Watch(report=report))
    progress.update(task, completed=1.0)
    return answer, scene


def scene_of(picture: Picture, finder: Finder, category: str) -> tuple[Scene, Place]:
    """Read and encode one picture; depth, mask and camera files override the networks.

    Raises FileNotFoundError or ValueError naming the file.
    """
    sample = lone_image(picture.image, category, picture.depth)
    if min(sample.size) < MIN_SIDE:
        height, width = sample.size
        raise ValueError(
            f"{picture.image} is {width}x{height}: nothing is recognised below {MIN_SIDE} pixels a side"
        )
    lens = None
    if picture.camera:
        camera, lens = read_calibration(picture.camera, sample.size, picture.reading.rectified)
        sample = dataclasses.replace(sample, camera=camera)
    mask = read_mask(picture.mask, sample.size, picture.image) if picture.mask else None
    providers: Providers = finder.providers
    if picture.depth:
        providers = dataclasses.replace(
            providers, depth=SensorDepth(SensorDepthSettings(picture.reading.depth_scale))
        )
    scene = scene_of_sample(sample, providers, lens, picture.reading.rotate)
    return scene, ANYWHERE if mask is None else Place(mask=mask_in(mask, scene.frame))


def points_json(answer: Answer) -> list[dict[str, Any]]:
    """Convert points to JSON, one object each; null where a number is unknown."""
    found = answer.points
    return [
        {
            "name": name,
            "state": answer.states[i].name,
            "pixel": _known(found.points[i]),
            "xyz": _known(found.xyz[i]),
            "score": round(float(found.score[i]), 4),
        }
        for i, name in enumerate(answer.names)
    ]


def print_points(points: Sequence[dict[str, Any]]) -> None:
    """Print a line per point of `points_json`: name, state, pixel, metres where known, score."""
    width = max((len(point["name"]) for point in points), default=0)
    for point in points:
        pixel = "-" if point["pixel"] is None else "{:7.1f} {:7.1f}".format(*point["pixel"])
        xyz = "" if point["xyz"] is None else "  {:7.3f} {:7.3f} {:7.3f} m".format(*point["xyz"])
        print(f"  {point['name']:<{width}}  {point['state']:<12} {pixel}{xyz}  {point['score']:.2f}")


@contextmanager
def bars() -> Iterator[Progress]:
    """Show progress bars on stderr."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield progress


def _known(values: torch.Tensor) -> list[float] | None:
    return [round(v, 5) for v in values.tolist()] if bool(torch.isfinite(values).all()) else None
