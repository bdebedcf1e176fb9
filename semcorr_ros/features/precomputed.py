"""Features written by any other program: one file per image stem, sub-folder per category optional.

`<stem>.npz` with `features`, or `<stem>.npy`, float (h, w, C) over the whole image without padding (cell
(r, c) is centred at x = (c + .5) / w * W, y = (r + .5) / h * H); `<stem>_flip.npz` for the mirrored image. Or
GeoAware-SC's square letterboxed maps `<stem>_dino.pt` [1, C, 60, 60] and/or `<stem>_sd.pt`
{"s3", "s4", "s5"}, `_flip` before `.pt` for the mirrored image: zero-shot fusion, i.e. the halves
are unit-normalized and joined in the order s3, s4, s5, DINO.

Features are comparable when `backbone` is equal: "precomputed:<C>", or the string under the key
"backbone" of `<folder>/backbone.json` - so that files written with a live backbone (say
"tiny:0f3a...") give a class file which that live backbone may use, and different ones do not mix.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate, normalize

from semcorr_ros.artifacts import FeatureMap
from semcorr_ros.features import Backbone, FeatureExtractor, ImageRef
from semcorr_ros.files.arrays import read_array
from semcorr_ros.geometry import letterbox
from semcorr_ros.storage import read_json, read_torch

ARRAYS = (".npz", ".npy")
MAX_STRETCH = 1.5  # of cells: a 16:9 picture squeezed into 4:3
DIFFUSION_LAYERS = ("s3", "s4", "s5")


@dataclass(frozen=True)
class PrecomputedFeaturesSettings:
    folder: Path
    device: str = "cpu"


class PrecomputedFeatures(FeatureExtractor):
    """Looks in `<folder>/<category>/` and then in `<folder>/`."""

    from_files = True

    def __init__(self, config: PrecomputedFeaturesSettings) -> None:
        self.config = config
        self.folder = Path(config.folder)
        self.channels = _channels_of_first_readable(self.folder)
        self.backbone = self._declared_backbone() or f"precomputed:{self.channels}"

    def encode(self, ref: ImageRef) -> FeatureMap:
        """Read the features of `ref.name`; only the size of `ref.image` is used.

        Raises FileNotFoundError where the file - for a mirrored image its `_flip` file - does not
        exist: callers treat a missing mirrored one as "not available". ValueError for a bad file.
        """
        size = (ref.image.shape[0], ref.image.shape[1])
        path = self._path(ref)
        values = _read(path, size)
        _check_grid(tuple(values.shape), size, path)
        if values.shape[-1] != self.channels:
            raise ValueError(f"{path}: {values.shape[-1]} channels, other files have {self.channels}")
        if not torch.isfinite(values).all():
            raise ValueError(f"{path}: features hold NaN or infinity")
        if not values.any():
            raise ValueError(f"{path}: features are all zero")
        values = values.to(self.config.device)
        return FeatureMap(normalize(values, dim=-1), size, self.backbone, lengths=values.norm(dim=-1))

    def _path(self, ref: ImageRef) -> Path:
        flip = "_flip" if ref.mirrored else ""
        endings = (*(f"{flip}{suffix}" for suffix in ARRAYS), f"_dino{flip}.pt", f"_sd{flip}.pt")
        folders = (self.folder / ref.category, self.folder)
        candidates = [folder / f"{ref.name}{ending}" for folder in folders for ending in endings]
        for path in candidates:
            if path.is_file():
                return path
        raise FileNotFoundError(
            f"no features for {ref.name}{flip}: none of {', '.join(map(str, candidates))}"
        )

    def _declared_backbone(self) -> str | None:
        path = self.folder / "backbone.json"
        if not path.is_file():
            return None
        content = read_json(path)
        if not isinstance(content, dict) or not isinstance(content.get("backbone"), str):
            raise ValueError(f'{path}: expected {{"backbone": "<name>:<fingerprint>"}}, got {content!r}')
        return content["backbone"]


def build(config: PrecomputedFeaturesSettings) -> PrecomputedFeatures:
    """Raises FileNotFoundError for a folder without feature files."""
    return PrecomputedFeatures(config)


PLUGIN = Backbone(PrecomputedFeaturesSettings, build)


def _channels_of_first_readable(folder: Path) -> int:
    damaged: ValueError | None = None
    for path in _feature_files(folder):
        try:
            return _read(path, (1, 1)).shape[-1]
        except ValueError as error:
            damaged = error
    raise damaged or FileNotFoundError(
        f"no <stem>.npz, <stem>.npy, <stem>_dino.pt or <stem>_sd.pt under {folder}"
    )


def _feature_files(folder: Path) -> Iterator[Path]:
    for pattern in (
        "*.npz",
        "*/*.npz",
        "*.npy",
        "*/*.npy",
        "*_dino.pt",
        "*/*_dino.pt",
        "*_sd.pt",
        "*/*_sd.pt",
    ):
        yield from sorted(folder.glob(pattern))


def _read(path: Path, size: tuple[int, int]) -> Float[Tensor, "height width channel"]:
    if path.suffix in ARRAYS:
        return _read_array(path)
    stem, _, rest = path.name.rpartition("_dino" if "_dino" in path.name else "_sd")
    halves = [path.with_name(f"{stem}{kind}{rest}") for kind in ("_sd", "_dino")]
    maps = [_read_half(half) for half in halves if half.is_file()]
    if len({len(m) for m in maps}) > 1:
        raise ValueError(
            f"{path}: the DINO map is {len(maps[1])} cells wide, the diffusion map {len(maps[0])}"
        )
    return letterbox.cut_out(torch.cat(maps, -1), letterbox.letterboxed(size))


def _read_array(path: Path) -> Float[Tensor, "height width channel"]:
    values = read_array(path, ("features",), lone=False)
    values = values[0] if values.ndim == 4 and len(values) == 1 else values  # a batch of one
    if values.ndim != 3 or 0 in values.shape or values.dtype.kind not in "fiu":
        raise ValueError(f"{path}: features must be float (h, w, C), got {values.dtype} {values.shape}")
    return torch.from_numpy(values.astype(np.float32))


def _check_grid(shape: tuple[int, ...], size: tuple[int, int], path: Path) -> None:
    """Refuse axes that cannot be the rows and columns of an image; square grids cover images of any shape."""
    rows, columns, channels = shape
    if _stretch(rows, columns, size) <= MAX_STRETCH:
        return
    told = f"{path}: features {shape} are no (h, w, C) over an image of {size[1]}x{size[0]}"
    if rows > channels and _stretch(columns, channels, size) <= MAX_STRETCH:
        raise ValueError(f"{told}, but look like (C, h, w): save them as features.transpose(1, 2, 0)")
    if _stretch(columns, rows, size) <= MAX_STRETCH:
        raise ValueError(f"{told}, but look like (w, h, C): save them as features.transpose(1, 0, 2)")
    raise ValueError(f"{told}: cells would be stretched {_stretch(rows, columns, size):.1f} to 1")


def _stretch(rows: int, columns: int, size: tuple[int, int]) -> float:
    """Compute how much longer one side of a cell is than the other, at least; infinite where a wide image
    has a tall grid or the other way round. Encoders round to whole cells, or squeeze images into a square."""
    if rows == columns:
        return 1.0
    wide = size[1] / size[0]
    narrowest, widest = (columns - 1) / (rows + 1), (columns + 1) / max(rows - 1, 0.5)
    if narrowest <= wide <= widest:
        return 1.0
    if (columns - rows) * (size[1] - size[0]) <= 0:
        return math.inf
    return max(wide / widest, narrowest / wide)


def _read_half(path: Path) -> Float[Tensor, "row column channel"]:
    """Read the DINO map or the joined diffusion maps, each cell of unit length."""
    content = read_torch(path)
    if isinstance(content, dict):
        missing = [name for name in DIFFUSION_LAYERS if name not in content]
        if missing:
            raise ValueError(f"{path}: no layer {missing[0]!r}; found {', '.join(map(str, content))}")
        layers = [_square_map(content[name], path) for name in DIFFUSION_LAYERS]
    else:
        layers = [_square_map(content, path)]
    side = layers[0].shape[-2:]
    upsampled = [interpolate(layer, size=side, mode="bilinear", align_corners=False) for layer in layers]
    return normalize(torch.cat(upsampled, 1)[0], dim=0).permute(1, 2, 0)


def _square_map(value: Any, path: Path) -> Float[Tensor, "1 channel side side"]:
    if (
        not isinstance(value, Tensor)
        or value.ndim != 4
        or len(value) != 1
        or value.shape[2] != value.shape[3]
    ):
        got = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
        raise ValueError(f"{path}: expected a [1, C, side, side] tensor, got {got}")
    return value.float()
