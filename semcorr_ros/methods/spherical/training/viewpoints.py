"""Coarse viewpoints of training pictures: annotated, of known cameras, or of an aligned class."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros import methods
from semcorr_ros.artifacts import AnnotatedImage
from semcorr_ros.methods import Model, Search
from semcorr_ros.methods.spherical.losses import BINS
from semcorr_ros.methods.spherical.training.views import Picture
from semcorr_ros.observations import Providers, observe
from semcorr_ros.storage import read_json

SOURCES = ("annotation", "cameras", "class", "none")
LEAST_SURE = 0.3  # confidence of an alignment that is believed
Azimuth = Callable[[AnnotatedImage], float | None]  # in turns; None: unknown


def with_bins(
    pictures: Sequence[Picture], azimuth: Azimuth, on_picture: Callable[[], object]
) -> list[Picture]:
    """Give every picture the eighth of a turn that it was taken from, as far as it is known."""
    found = []
    for picture in pictures:
        turn = azimuth(picture.sample)
        found.append(replace(picture, bin=-1 if turn is None else bin_of(turn)))
        on_picture()
    return found


def bin_of(turn: float) -> int:
    """Return the nearest eighth of a turn, as SPair-71k counts them; 0 is the front."""
    return round(turn % 1.0 * BINS) % BINS


def azimuth_of(camera_from_canonical: Float[Tensor, "3 3"]) -> float:
    """Return the azimuth of a camera in turns, in the class's frame: 0 sees its front, 1/4 its left."""
    x, y = (-camera_from_canonical[2, :2]).tolist()
    return math.atan2(y, x) / (2 * math.pi) % 1.0


def annotated(sample: AnnotatedImage) -> float | None:
    """Return what the data set says (SPair-71k's `azimuth_id`; Freiburg cars)."""
    return None if sample.azimuth_id is None else (sample.azimuth_id % BINS) / BINS


def of_cameras(folder: Path) -> Azimuth:
    """Read `camera_from_canonical` of <folder>/<category>/<stem>.json, 3x3 or 4x4; see `synthesize`."""

    def azimuth(sample: AnnotatedImage) -> float | None:
        path = folder / sample.category / f"{sample.name}.json"
        if not path.is_file():
            return None
        content = read_json(path)
        try:
            pose = torch.tensor(content["camera_from_canonical"], dtype=torch.float64)
            if pose.shape not in ((3, 3), (4, 4)) or not torch.isfinite(pose).all():
                raise ValueError(f"shape {tuple(pose.shape)}")
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{path}: no camera_from_canonical of 3 x 3 or 4 x 4 numbers: {error}"
            ) from error
        return azimuth_of(pose[:3, :3])

    return azimuth


def of_class(folder: Path, providers: Providers, device: str, seed: int) -> Azimuth:
    """Align <folder>/<category>.safetensors to every picture; unknown where that is not sure."""
    models: dict[str, Model] = {}

    def azimuth(sample: AnnotatedImage) -> float | None:
        if sample.category not in models:
            models[sample.category] = methods.load(folder / f"{sample.category}.safetensors", device)
        model = models[sample.category]
        try:
            placed = model.place(
                observe(sample, providers, model), Search(torch.Generator().manual_seed(seed))
            )
        except (ValueError, OSError):
            return None
        if placed.pose is None:
            raise ValueError(
                f"the class of {sample.category!r} in {folder} has no pose to take viewpoints from"
            )
        return azimuth_of(placed.pose.rotation) if placed.confidence >= LEAST_SURE else None

    return azimuth
