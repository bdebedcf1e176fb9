"""Steps shared by the verbs that work on single pictures: read one, align a class to it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from semcorr_ros import pipeline
from semcorr_ros.artifacts import Correspondences, KeypointState, Observation
from semcorr_ros.camera_file import read_camera
from semcorr_ros.cli._constants import alignment_from
from semcorr_ros.cli._options.pictures import ConstantsOptions
from semcorr_ros.depth import DEPTH
from semcorr_ros.features import ImageRef
from semcorr_ros.masks.precomputed import read_mask
from semcorr_ros.methods.semalign3d.artifacts import Alignment, ClassRepresentation
from semcorr_ros.observations import Providers, lone_image, observe
from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.sensing.judgement import check_finite
from semcorr_ros.zoom import zoomed

MIN_SIDE = 32  # pixels; the coarsest cell of a backbone


@dataclass(frozen=True)
class Picture:
    """An image file and the files that say more about it."""

    image: Path
    depth: Path | None = None
    mask: Path | None = None
    camera: Path | None = None


def see(picture: Picture, providers: Providers, model: ClassRepresentation | None) -> Observation:
    """Observe one picture. Files that say more about it go before the providers."""
    category = model.info.name if model else ""
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
    if picture.depth:
        providers = dataclasses.replace(providers, depth=DEPTH.load("sensor").make({}, {}))
    if picture.mask or model is None:  # without a class nothing is looked for
        providers = dataclasses.replace(providers, masks=())
    seen = observe(sample, providers, model)
    if picture.mask is None:
        return seen
    mask = read_mask(picture.mask, sample.size).to(seen.image.device)
    masked = dataclasses.replace(seen, mask=mask, mask_is_given=True)
    return zoomed(masked, ImageRef(seen.image, path=sample.image_path), providers.features)


def align(
    options: ConstantsOptions, model: ClassRepresentation, seen: Observation, progress: Progress, name: str
) -> Alignment:
    """Align with the chosen constants and seed, showing a bar.

    Raises Refusal NOT_FOUND as the node does, ValueError for what cannot be aligned at all.
    """
    if seen.mask is None:
        raise Refusal(Code.NOT_FOUND, f"nothing in the image looks like the class {model.info.name!r}")
    task = progress.add_task(name, total=None)

    def on_step(step: int, steps: int, best: float) -> bool:
        progress.update(task, completed=step, total=steps)
        return True

    generator = torch.Generator().manual_seed(options.seed)
    found = pipeline.align(model, seen, alignment_from(options, model.info.name), generator, on_step)
    progress.update(task, completed=1, total=1)
    check_finite(model.info.name, found)
    return found


def points_json(found: Correspondences, names: Sequence[str]) -> list[dict[str, Any]]:
    """One object per point; null where a number is unknown."""
    return [
        {
            "name": name,
            "state": KeypointState(int(found.state[i])).name,
            "pixel": _known(found.points[i]),
            "xyz": _known(found.xyz[i]),
            "score": round(float(found.score[i]), 4),
        }
        for i, name in enumerate(names)
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
