"""Depth along optical z: 16-bit images, float images, .npy, .npz, in a unit that is given or follows from the
kind of number: integers are millimetres, floats metres (REP 118).
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.files.arrays import read_array
from semcorr_ros.files.orientation import fitted
from semcorr_ros.files.picture import opened

ARRAYS = (".npy", ".npz")
IMAGES = (".png", ".tif", ".tiff", ".pgm", ".pfm")
SUFFIXES = (".npy", ".png", ".npz", ".tif", ".tiff", ".pgm", ".pfm")
MILLIMETRES = 1e-3
NEAREST, FARTHEST = 1e-4, 1e4  # metres; other numbers are no distance that a camera measured
UNLIKELY = 100.0  # metres, median of a picture: beyond, it is in another unit
TOO_NEAR = 5e-3
MAX_ASPECT_ERROR = 0.05  # networks round their output size to multiples of 14 or 32


def read_depth(
    path: str | Path, size: tuple[int, int], scale: float = 0.0, image: Path | None = None
) -> Float[Tensor, "height width"]:
    """Read metres for an image of `size` (h, w), 0 where nothing was measured.

    scale: metres per unit of the file; 0 = by the kind of number. image: the picture itself, whose EXIF data
    may have to turn the depth too. Raises FileNotFoundError, or ValueError naming the file.
    """
    path = Path(path)
    values = read_numbers(path, eight_bits=scale > 0)
    try:
        found = metres(values, scale)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return to_size(found, size, path, image)


def read_numbers(path: str | Path, eight_bits: bool = False) -> np.ndarray:
    """Read numbers (h, w) in the file's own unit and type. Raises FileNotFoundError, or ValueError naming the
    file: of an unknown format, damaged, in colours, or of 8 bits unless those are allowed."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no depth file {path}")
    suffix = path.suffix.lower()
    if suffix in ARRAYS:
        values = np.squeeze(read_array(path, ("depth", "depths", "distance")))
    elif suffix in IMAGES:
        with opened(path) as picture:
            values = np.asarray(picture)
    else:
        listed = ", ".join((*IMAGES, *ARRAYS))
        convert = "; convert OpenEXR to a .npy of floats" if suffix == ".exr" else ""
        raise ValueError(f"{path}: depth is read from {listed}{convert}")
    if values.ndim != 2 or values.dtype.kind not in "iuf" or (values.dtype.itemsize == 1 and not eight_bits):
        wanted = "one channel of 16-bit integers or of floats"
        raise ValueError(f"{path}: expected {wanted} (height, width), got {values.dtype} {values.shape}")
    return values


def metres(values: np.ndarray, scale: float = 0.0) -> Float[np.ndarray, "height width"]:
    """Convert measured depth to float32 metres, 0 where there is none.

    Not finite, 0, negative, impossible, and the largest number of 16 bits (saturated) are none. scale: metres
    per unit; 0 = millimetres for integers, metres for floats. Raises ValueError for what are no metres.
    """
    whole = values.dtype.kind in "iu"
    unit = scale or (MILLIMETRES if whole else 1.0)
    with np.errstate(invalid="ignore", over="ignore"):
        found = values.astype(np.float32) * np.float32(unit)
    if whole and values.dtype.itemsize == 2:
        found[values == np.iinfo(values.dtype).max] = 0.0
    found[~((found >= NEAREST) & (found <= FARTHEST))] = 0.0
    known = found[found > 0]
    doubtful = (known > UNLIKELY) | (known < TOO_NEAR)
    if np.count_nonzero(doubtful) > len(known) / 2:
        kind = "integers are millimetres" if whole else "floats are metres (REP 118)"
        why = f"the scale is {scale:g}" if scale else f"{kind}; a depth scale of 0.001 says millimetres"
        raise ValueError(f"depth has a median of {float(np.median(known)):.3g} m: {why}")
    return found


def check_scale(scale: float) -> None:
    """Raises ValueError for a scale that is not finite or negative."""
    if not 0 <= scale < float("inf"):
        raise ValueError(f"scale is metres per unit of depth, 0 = by the kind of number; got {scale:g}")


def to_size(
    values: np.ndarray, size: tuple[int, int], path: Path, image: Path | None = None
) -> Float[Tensor, "height width"]:
    """Resample without averaging: across a silhouette it would invent surfaces. Raises ValueError where
    nothing is valid or the aspect is another one."""
    if not (np.isfinite(values) & (values > 0)).any():
        raise ValueError(f"{path}: no valid depth, every value is 0, negative or not finite")
    if _another_aspect(values.shape, size) and not _another_aspect(values.shape[::-1], size):
        values = fitted(values, values.shape[::-1], image)
    if _another_aspect(values.shape, size):
        (h, w), (height, width) = values.shape, size
        raise ValueError(f"{path} is {w}x{h} but its image is {width}x{height}: not the same view")
    values = np.ascontiguousarray(values, np.float32)
    if values.shape != size:
        values = cv2.resize(values, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    return torch.from_numpy(values)


def _another_aspect(shape: tuple[int, ...], size: tuple[int, int]) -> bool:
    (h, w), (height, width) = shape, size
    return abs(w * height - h * width) > MAX_ASPECT_ERROR * max(w * height, h * width)
