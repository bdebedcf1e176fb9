"""Coarse viewpoints of training pictures: annotated, of known cameras, or of an aligned class."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros import backbones, methods
from semcorr_ros.artifacts import AnnotatedImage
from semcorr_ros.methods import Model, Search
from semcorr_ros.methods.spherical.losses import BINS, direction_of
from semcorr_ros.methods.spherical.training.views import Picture
from semcorr_ros.observations import Providers, observe
from semcorr_ros.storage import read_json

LEAST_SURE = 0.3  # confidence of an alignment that is believed
Direction = tuple[float, float, float]
Towards = Callable[[AnnotatedImage], Direction | None]  # the camera, from the object, in the class's frame


def with_viewpoints(
    pictures: Sequence[Picture], towards: Towards, on_picture: Callable[[], object]
) -> list[Picture]:
    """Give every picture the direction that it was taken from, as far as it is known."""
    found = []
    for picture in pictures:
        found.append(replace(picture, towards=towards(picture.sample)))
        on_picture()
    return found


def bin_of(towards: Direction) -> int:
    """Return the eighth of a turn, 0 to 7; 0 sees the front, 2 the left."""
    return round(math.atan2(towards[1], towards[0]) / (2 * math.pi) * BINS) % BINS


def camera_direction(camera_from_canonical: Float[Tensor, "3 3"]) -> Direction:
    """Return where the camera is, seen from the object: against its optical axis, in the class's frame."""
    return _triple(-camera_from_canonical[2])


def _triple(direction: Tensor) -> Direction:
    x, y, z = direction.tolist()
    return x, y, z


def annotated(sample: AnnotatedImage) -> Direction | None:
    """Return what the data set says (SPair-71k's `azimuth_id`; Freiburg cars)."""
    return None if sample.azimuth_id is None else _triple(direction_of(sample.azimuth_id % BINS / BINS))


def of_cameras(folder: Path) -> Towards:
    """Read `camera_from_canonical` of <folder>/<category>/<stem>.json, 3x3 or 4x4; see `synthesize`."""

    def towards(sample: AnnotatedImage) -> Direction | None:
        path = folder / sample.category / f"{sample.name}.json"
        if not path.is_file():
            return None
        content = read_json(path)
        try:
            pose = torch.tensor(content["camera_from_canonical"], dtype=torch.float64)
            if pose.shape not in ((3, 3), (4, 4)) or not _is_rotation(pose[:3, :3]):
                raise ValueError(f"no rotation, of shape {tuple(pose.shape)}")
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{path}: no camera_from_canonical of 3 x 3 or 4 x 4 numbers: {error}"
            ) from error
        return camera_direction(pose[:3, :3])

    return towards


def _is_rotation(matrix: Float[Tensor, "3 3"]) -> bool:
    near = torch.allclose(matrix @ matrix.T, torch.eye(3, dtype=matrix.dtype), atol=1e-2)
    return near and bool(torch.linalg.det(matrix) > 0)


def of_class(folder: Path, providers: Providers, device: str, seed: int) -> Towards:
    """Align <folder>/<category>.safetensors to every picture; unknown where that is not sure."""
    models: dict[str, Model] = {}

    def load(category: str) -> Model:
        path = folder / f"{category}.safetensors"
        model = methods.load(path, device)
        if model.info.name != category:
            raise ValueError(f"{path} is the class {model.info.name!r}, not {category!r}")
        backbones.check(model, providers.features.backbone, path)
        return model

    def towards(sample: AnnotatedImage) -> Direction | None:
        if sample.category not in models:
            models[sample.category] = load(sample.category)
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
        return camera_direction(placed.pose.rotation) if placed.confidence >= LEAST_SURE else None

    return towards
