"""Masks: alpha, palettes, 0/1, 0/255, labels, colours, 8 or 16 bits, any image format or .npy.

What a file means is decided from its own values; where they allow two readings it is refused.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Int
from PIL import Image
from torch import Tensor

from semcorr_ros.files.arrays import read_array
from semcorr_ros.files.orientation import fitted
from semcorr_ros.files.picture import opened

LOG = logging.getLogger(__name__)
LABELS = 32  # PASCAL VOC's lie below; beside them white is its unlabelled outline
EDGE = 0.05  # share of an object that soft edges are at most
FEW = 32  # different values that labels have at most; more are shades
BETWEEN = (1 / 8, 7 / 8)  # of the range: neither object nor background
SHADES = 0.1  # share of pixels between, above which it is a picture
COARSE, CLUSTERS = 64, 8  # colours that JPEG blurs: steps of a channel, and how many of them labels have
ARRAYS = (".npy", ".npz")
SUFFIXES = (".png", ".npy", ".npz", ".tif", ".tiff", ".webp", ".bmp", ".gif", ".jpg", ".jpeg")


def read_mask(
    path: str | Path, size: tuple[int, int], image: Path | None = None
) -> Bool[Tensor, "height width"]:
    """Read the object of a mask for an image of `size` (h, w).

    image: the picture itself, whose EXIF data may have to turn the mask too. Raises FileNotFoundError, or
    ValueError naming the file: of another size, empty, everything, a picture, or ambiguous.
    """
    found = read_labels(path, size, image)[0] > 0
    if not found.any():
        raise ValueError(f"{path}: the mask is empty")
    if found.all():
        raise ValueError(f"{path}: the whole image is masked, no pixel is background")
    if found[[0, 0, -1, -1], [0, -1, 0, -1]].all() and found.mean() > 0.5:
        LOG.warning("%s: %.0f %% and all corners are masked; is it inverted?", path, 100 * found.mean())
    return torch.from_numpy(np.ascontiguousarray(found))


def read_labels(
    path: str | Path, size: tuple[int, int], image: Path | None = None
) -> tuple[Int[np.ndarray, "height width"], bool]:
    """Read the number of every pixel, 0 = background, and whether it is plain: 0 and another one made from
    alpha, colours or shades, not labels. VOC's unlabelled outline (255) is background. Raises as `read_mask`.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no mask {path}")
    try:
        if path.suffix.lower() in ARRAYS:
            values, plain = _numbers(np.squeeze(read_array(path, ("mask", "masks", "segmentation"))))
        else:
            with opened(path) as picture:
                values, plain = _of_picture(picture)
    except ValueError as error:
        raise error if str(path) in str(error) else ValueError(f"{path}: {error}") from error
    values = fitted(values, size, image)
    if values.shape != size:
        (h, w), (height, width) = values.shape, size
        raise ValueError(f"{path} is {w}x{h} but its image is {width}x{height}")
    return values.astype(np.int32), plain


def _of_picture(picture: Image.Image) -> tuple[np.ndarray, bool]:
    if picture.has_transparency_data:
        alpha = np.asarray(picture.convert("RGBA").getchannel("A"))
        if alpha.min() != alpha.max():  # else it says nothing
            return _shades(alpha, 255)
    if picture.mode in ("P", "PA"):
        return _of_palette(picture)
    if picture.mode in ("1", "L", "LA", "F") or picture.mode.startswith("I"):
        return _numbers(np.asarray(picture.getchannel(0) if picture.mode == "LA" else picture))
    return _of_colors(np.asarray(picture.convert("RGB")))


def _of_palette(picture: Image.Image) -> tuple[np.ndarray, bool]:
    """Keep the indices, unless black has another index than 0: then black is the background."""
    index = np.asarray(picture if picture.mode == "P" else picture.getchannel(0))
    colors = np.asarray(picture.convert("RGB"))
    used = np.unique(index)
    black = [i for i in used if not colors[index == i][0].any()]
    if black and 0 not in black:
        return np.any(colors, axis=-1), True
    if len(used) > FEW:
        return _of_colors(colors)
    return _numbers(index)


def _numbers(values: np.ndarray) -> tuple[np.ndarray, bool]:
    """Read labels or shades of one channel."""
    if values.ndim != 2:
        raise ValueError(f"expected a mask (height, width), got {values.dtype} {values.shape}")
    if values.dtype == bool:
        return values, True
    if values.dtype.kind == "f":
        if not np.isfinite(values).all() or values.min() < 0 or values.max() > 1:
            raise ValueError("a mask of floats lies between 0 and 1")
        return _shades((values * 255).astype(np.uint8), 255)
    if values.min() < 0:
        raise ValueError(f"a mask has no negative values, got {values.min()}")
    largest = 255 if values.max() <= 255 else 65535
    used = np.unique(values)
    if len(used) > FEW:
        return _shades(values, largest)
    if used[0] != 0 and len(used) > 1:
        listed = ", ".join(map(str, used))
        raise ValueError(f"no pixel is 0, so nothing is background; it holds {listed}")
    return _few(values, largest)


def _few(values: np.ndarray, largest: int) -> tuple[np.ndarray, bool]:
    """Tell labels, perhaps with void, from an object brighter than half of the range with some gray at its
    edge."""
    bright = values > largest // 2
    dark = (values > 0) & ~bright
    darks, brights = np.count_nonzero(dark), np.count_nonzero(bright)
    if not darks or not brights:
        return values, bool(brights) and values.max() == largest and not (bright & (values < largest)).any()
    if values[dark].max() <= LABELS and values[bright].min() == largest and darks > EDGE * brights:
        return np.where(bright, 0, values), False
    if darks > brights / 2:
        listed = ", ".join(map(str, np.unique(values)))
        raise ValueError(f"it holds {listed}: labels or shades? write the object as 255, all else as 0")
    return bright, True


def _shades(values: np.ndarray, largest: int) -> tuple[np.ndarray, bool]:
    """Split shades at half of the range; of two values, or of a faint overlay, take what is above 0."""
    used = np.unique(values)
    faint = used[-1] <= largest // 2 and len(used) <= FEW
    if used[0] == 0 and (len(used) == 2 or faint):
        return values > 0, True
    low, high = (share * largest for share in BETWEEN)
    if ((values > low) & (values < high)).mean() > SHADES or used[-1] <= largest // 2:
        raise ValueError(f"it holds {len(used)} shades up to {used[-1]}: a picture, not a mask")
    return values > largest // 2, True


def _of_colors(rgb: np.ndarray) -> tuple[np.ndarray, bool]:
    """Number the colours of a label image, black = 0; grays in three channels are shades."""
    if (rgb == rgb[..., :1]).all():
        return _numbers(rgb[..., 0])
    used, index = np.unique(rgb.astype(np.int32) @ np.array([65536, 256, 1]), return_inverse=True)
    if len(used) > FEW:
        return _of_blurred_colors(rgb)
    if used[0] != 0:
        listed = ", ".join(f"#{code:06x}" for code in used)
        raise ValueError(f"no pixel is black, so nothing is background; it holds {listed}")
    return index.reshape(rgb.shape[:2]), True


def _of_blurred_colors(rgb: np.ndarray) -> tuple[np.ndarray, bool]:
    """Read a colour mask that JPEG or scaling has blurred: a few colours, and black."""
    codes = (rgb // COARSE).astype(np.int32) @ np.array([16, 4, 1])
    shares = np.bincount(codes.reshape(-1), minlength=64) / codes.size
    if shares[0] < 0.02 or np.count_nonzero(shares > 0.005) > CLUSTERS:
        raise ValueError("it holds many colours: a picture, not a mask")
    return _shades(rgb.max(-1), 255)
