"""Feature maps of training pictures, one file each: what is there is not encoded again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Bool
from torch import Tensor
from torch.nn.functional import normalize

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
from semcorr_ros.features import FeatureExtractor, ImageRef
from semcorr_ros.geometry.boxes import Box, box_of
from semcorr_ros.observations import Providers, Scene, look, scene_of_sample
from semcorr_ros.storage import read_tensors
from semcorr_ros.zoom import encode_window, object_window


@dataclass(frozen=True)
class MapConfig:
    """What is encoded of a picture."""

    crops: int = 3  # the object alone as in matching, the whole picture, then random ones
    mirrored: bool = True  # each crop also of the mirrored picture
    seed: int = 0


@dataclass(frozen=True)
class Picture:
    """A training picture: where its maps are, and what is known of it."""

    sample: AnnotatedImage
    path: Path
    digest: str  # of its maps
    side: float  # longer side of the object's box, pixels
    crops: int
    mirrors: bool  # whether it has mirrored maps


def encode(
    samples: Sequence[AnnotatedImage],
    providers: Providers,
    how: MapConfig,
    folder: Path,
    tick: Callable[[], object] = lambda: None,
) -> tuple[list[Picture], list[Skipped]]:
    """Encode what is missing; what cannot be read is named and left out. Raises CannotWriteError."""
    pictures, skipped = [], []
    for sample in samples:
        path = folder / sample.category / f"{sample.name}.safetensors"
        try:
            wanted = key(sample, providers, ["adapter", how.crops, how.mirrored, how.seed])
            if not (can_be_kept(providers) and _is_there(path, wanted)):
                _encode(sample, providers, how, path, wanted)
            pictures.append(_picture(sample, path))
        except CannotWriteError:
            raise
        except FAILURES as error:
            skipped.append(Skipped(f"{sample.category}/{sample.name}", str(error)))
        tick()
    return pictures, skipped


def read_map(picture: Picture, crop: int, mirrored: bool = False) -> FeatureMap:
    """Read one map of a picture. Raises ValueError for a damaged file."""
    tensors, header = read_tensors(picture.path)
    name = _name(crop % picture.crops, mirrored and picture.mirrors)
    height, width = header["image_size"]
    box = header["windows"][name]
    values = normalize(tensors[name].float(), dim=-1)
    return FeatureMap(values, (height, width), header["backbone"], tuple(box) if box else None)


def _name(crop: int, mirrored: bool) -> str:
    return f"{'mirrored' if mirrored else 'plain'}.{crop}"


def _picture(sample: AnnotatedImage, path: Path) -> Picture:
    _, header = read_tensors(path)
    return Picture(sample, path, digest(path), header["side"], header["crops"], header["mirrors"])


def _is_there(path: Path, wanted: str) -> bool:
    try:
        tensors, header = read_tensors(path)
        whole_file = set(tensors) == set(header["windows"]) and len(tensors) > 0
        return whole_file and header["key"] == wanted and all(t.isfinite().all() for t in tensors.values())
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _encode(sample: AnnotatedImage, providers: Providers, how: MapConfig, path: Path, wanted: str) -> None:
    scene = scene_of_sample(sample, providers)
    seen = look(scene, providers.features, providers.masks)
    mask = None if seen.mask is None or not seen.mask.any() else seen.mask.cpu()
    maps = {_name(i, False): one for i, one in enumerate(_crops(scene, mask, providers.features, how))}
    if how.mirrored:
        maps |= _mirrored(scene, list(maps.values()), providers.features)
    box = (
        box_of(mask)[2:]
        if mask is not None
        else (sample.bbox[2] - sample.bbox[0], sample.bbox[3] - sample.bbox[1])
    )
    header = {
        "key": wanted,
        "backbone": seen.features.backbone,
        "image_size": list(scene.size),
        "windows": {name: list(one.window or ()) for name, one in maps.items()},
        "side": float(max(1.0, *map(float, box))),
        "crops": sum(name.startswith("plain") for name in maps),
        "mirrors": any(name.startswith("mirrored") for name in maps),
    }
    write(path, {name: one.values.cpu().half() for name, one in maps.items()}, header)


def _crops(
    scene: Scene, mask: Bool[Tensor, "height width"] | None, extractor: FeatureExtractor, how: MapConfig
) -> list[FeatureMap]:
    if mask is None or not extractor.from_pixels:
        return [scene.features]
    around = object_window(mask)
    found = [scene.features if around is None else scene.window(around, extractor)]
    if how.crops > 1 and around is not None:
        found.append(scene.features)
    generator = draws(scene.sample, how.seed)
    while len(found) < how.crops:
        found.append(scene.window(random_window(mask, around or whole(mask), generator), extractor))
    return found


def _mirrored(scene: Scene, maps: Sequence[FeatureMap], extractor: FeatureExtractor) -> dict[str, FeatureMap]:
    """Encode the same crops of the mirrored picture; nothing where the backbone has none (files)."""
    sample, image = scene.sample, scene.frame.image.flip(1).contiguous()
    ref = ImageRef(image, sample.name, sample.category, mirrored=True, path=sample.image_path)
    try:
        found = [_window(ref, one.window, extractor) for one in maps]
    except FileNotFoundError:
        return {}
    return {_name(i, True): one for i, one in enumerate(found)}


def _window(ref: ImageRef, window: Box | None, extractor: FeatureExtractor) -> FeatureMap:
    if window is None:
        return extractor.encode(ref)
    x, y, width, height = window
    return encode_window(ref, (ref.image.shape[1] - x - width, y, width, height), extractor)
