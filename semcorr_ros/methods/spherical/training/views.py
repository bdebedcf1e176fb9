"""Encoded crops of training pictures, one file each: what is there is not encoded again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from semcorr_ros.artifacts import AnnotatedImage, FeatureMap
from semcorr_ros.crops import random_window, whole
from semcorr_ros.encoded_pictures import (
    FAILURES,
    CannotWriteError,
    Skipped,
    can_be_kept,
    digest,
    draws,
    key,
    write,
)
from semcorr_ros.features._sphere_mapper import to_tokens
from semcorr_ros.geometry import grid
from semcorr_ros.observations import Providers, look, scene_of_sample
from semcorr_ros.storage import read_tensors
from semcorr_ros.zoom import object_window


@dataclass(frozen=True)
class ViewConfig:
    """What is encoded of a picture."""

    crops: int = 4  # the object alone as in matching, then random ones; the last is the whole picture
    side: int = 16  # tokens per side
    seed: int = 0


@dataclass(frozen=True)
class Picture:
    """A training picture: where its encoded crops are, and what is known of it."""

    sample: AnnotatedImage
    category: int
    path: Path
    digest: str = ""  # of the crops
    towards: tuple[float, float, float] | None = None  # the camera, from the object; None: unknown
    mirrors: bool = False  # the mirrored picture shows the class as well


@dataclass(frozen=True)
class Crops:
    """Tokens of several crops of a picture, unit norm, and which lie on the object."""

    tokens: Float[Tensor, "crop side side channel"]
    mask: Bool[Tensor, "crop side side"]


def encode(
    samples: Sequence[AnnotatedImage],
    category: int,
    providers: Providers,
    how: ViewConfig,
    folder: Path,
    tick: Callable[[], object] = lambda: None,
) -> tuple[list[Picture], list[Skipped]]:
    """Encode what is missing; a picture without a readable image or mask is named and left out.

    Raises CannotWriteError.
    """
    pictures, skipped = [], []
    for sample in samples:
        path = folder / sample.category / f"{sample.name}.safetensors"
        try:
            wanted = key(sample, providers, [how.crops, how.side, how.seed])
            if not (can_be_kept(providers) and _is_there(path, wanted)):
                _encode(sample, providers, how, path, wanted)
            pictures.append(Picture(sample, category, path, digest(path)))
        except CannotWriteError:
            raise
        except FAILURES as error:
            skipped.append(Skipped(f"{sample.category}/{sample.name}", str(error)))
        tick()
    return pictures, skipped


def read_crop(picture: Picture, which: int) -> Crops:
    """Read one crop of a picture. Raises ValueError for a damaged file."""
    tensors, _ = read_tensors(picture.path)
    which %= len(tensors["tokens"])
    return Crops(tensors["tokens"][which : which + 1].float(), tensors["mask"][which : which + 1])


def read_object(picture: Picture) -> tuple[FeatureMap, Bool[Tensor, "h w"]]:
    """Read the object alone, at full resolution, and which of its cells lie on the object."""
    tensors, header = read_tensors(_object_path(picture.path))
    values = torch.nn.functional.normalize(tensors["object"].float(), dim=-1)
    height, width = header["image_size"]
    window = tuple(header["window"]) if header["window"] else None
    found = FeatureMap(values, (height, width), header["backbone"], window, tensors.get("lengths"))
    return found, tensors["object_mask"]


def _is_there(path: Path, wanted: str) -> bool:
    """Whether both files of a picture are whole, and of what would be encoded now."""
    try:
        tensors, header = read_tensors(path)
        found = tensors | read_tensors(_object_path(path))[0]
        tokens, mask, values = found["tokens"], found["mask"], found["object"]
        shapes = tokens.shape[:3] == mask.shape and values.shape[:2] == found["object_mask"].shape
        numbers = all(bool(part.isfinite().all()) for part in (tokens, values))
        return bool(header["key"] == wanted and len(tokens) and shapes and numbers)
    except (OSError, ValueError, KeyError):
        return False


def _encode(sample: AnnotatedImage, providers: Providers, how: ViewConfig, path: Path, wanted: str) -> None:
    scene = scene_of_sample(sample, providers)
    seen = look(scene, providers.features, providers.masks)
    if seen.mask is None:
        raise ValueError("it has no mask: give --masks-dir, or --masks sam")
    mask = seen.mask.cpu()
    maps = [seen.features]
    around = object_window(mask) or whole(mask)
    generator = draws(sample, how.seed)
    if providers.features.from_pixels:
        for _ in range(how.crops - 2):
            window = random_window(mask, around, generator)
            maps.append(scene.window(window, providers.features))
    if how.crops > 1 and seen.features.window is not None:
        maps.append(scene.features)
    masks = [grid.cells_of(mask, features) for features in maps]
    if not masks[0].any():
        raise ValueError("its mask is empty, or smaller than a cell of the features")
    _write_object(path, seen.features, masks[0])
    tokens = torch.cat([to_tokens(one.values[None].cpu(), how.side) for one in maps]).half()
    tensors = {"tokens": tokens, "mask": torch.stack([_pooled(one, how.side) for one in masks])}
    write(path, tensors, {"key": wanted})


def _write_object(path: Path, features: FeatureMap, mask: Bool[Tensor, "h w"]) -> None:
    tensors = {"object": features.values.cpu().half(), "object_mask": mask}
    if features.lengths is not None:
        tensors["lengths"] = features.lengths.cpu()
    header = {
        "image_size": list(features.image_size),
        "window": list(features.window or ()),
        "backbone": features.backbone,
    }
    write(_object_path(path), tensors, header)


def _object_path(path: Path) -> Path:
    """Name the file of the object alone, which is read once: crops are read at every step."""
    return path.parent / "objects" / path.name


def _pooled(mask: Bool[Tensor, "h w"], side: int) -> Bool[Tensor, "side side"]:
    """Tell which tokens lie on the object by at least half."""
    return torch.nn.functional.adaptive_avg_pool2d(mask[None, None].float(), side)[0, 0] >= 0.5
