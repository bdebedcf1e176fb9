"""Artefacts on disk: safetensors with a JSON header, images, atomic writes. No pickle anywhere."""

from __future__ import annotations

import io
import json
import os
import struct
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

Save = Callable[[Image.Image, Path], None]
# Of Pillow: no image, a damaged one, or one so large that reading it may be an attack.
UNREADABLE = (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError)
MAX_PIXELS = 64_000_000  # a few bytes may claim to be an image of any size: refused before allocation
FORMATS = ("JPEG", "PNG")  # of `decode`
ORIENTATION = 0x0112  # EXIF tag
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIDEWAYS = (5, 6, 7, 8)  # height and width change places


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary sibling of `path` that replaces it on success and is deleted on failure."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: str | Path, content: Any) -> None:
    """Write indented JSON atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n")


def read_json(path: str | Path) -> Any:
    """Read JSON. Raises FileNotFoundError or ValueError naming the file."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    try:
        return json.loads(path.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not valid JSON: {error}") from error


def write_tensors(path: str | Path, tensors: dict[str, Tensor], header: dict[str, Any]) -> None:
    """Write a safetensors file whose metadata holds `header` as JSON. Same input, same bytes."""
    metadata = {"header": json.dumps(header, sort_keys=True)}
    ordered = {key: tensors[key].detach().cpu().contiguous() for key in sorted(tensors)}
    with atomic_path(path) as temporary:
        temporary.write_bytes(save(ordered, metadata))


def read_tensors(path: str | Path, device: str = "cpu") -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read tensors and header of a file written by `write_tensors`.

    Raises FileNotFoundError, or ValueError for a truncated, corrupted or foreign file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    try:
        with safe_open(str(path), framework="pt", device=device) as file:
            header = json.loads((file.metadata() or {})["header"])
            return {key: file.get_tensor(key) for key in file.keys()}, header  # noqa: SIM118
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is not a semcorr_ros artefact or is damaged: {error}") from error


def read_header(path: str | Path) -> Any:
    """Read the header of such a file without its tensors. Raises as `read_tensors`."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    try:
        with safe_open(str(path), framework="pt") as file:
            return json.loads((file.metadata() or {})["header"])
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is not a semcorr_ros artefact or is damaged: {error}") from error


def decode(data: bytes, flags: int, name: str) -> np.ndarray:
    """Decode JPEG or PNG by cv2.imdecode with `flags`, as stored: EXIF orientation is ignored.

    Raises ValueError naming `name` for anything else, a damaged image or one above MAX_PIXELS.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as header:  # OpenCV would allocate first
            width, height = header.size
        if width * height > MAX_PIXELS:
            raise ValueError(f"{width}x{height} is larger than {MAX_PIXELS} pixels")
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags | cv2.IMREAD_IGNORE_ORIENTATION)
        if pixels is None:
            raise ValueError("it is damaged or cut off")
    except (*UNREADABLE, ValueError, cv2.error) as error:
        raise ValueError(f"{name} is not a readable {' or '.join(FORMATS)} image: {error}") from error
    return pixels


def read_image(path: str | Path) -> UInt8[Tensor, "height width 3"]:
    """Read an image as RGB, upright as its EXIF says: so viewers show it, and so it was annotated.

    Raises FileNotFoundError, or ValueError for a corrupt file or one without colours or grays.
    """
    # Not by OpenCV: its version 4 leaves WebP as it lies, and no version reads every format of photographs.
    with _opened(path) as image:
        rgb = _eight_bits(image, path).convert("RGB")
        turn = UPRIGHT.get(_orientation(image))
        return torch.from_numpy(np.array(rgb if turn is None else rgb.transpose(turn)))


def image_size(path: str | Path) -> tuple[int, int]:
    """Read (h, w) of the upright image from the file's header. Raises as `read_image`."""
    with _opened(path) as image:
        size = image.height, image.width
        return size[::-1] if _orientation(image) in SIDEWAYS else size


@contextmanager
def _opened(path: str | Path) -> Iterator[Image.Image]:
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no image {path}")
    try:
        with Image.open(path) as image:
            yield image
    except UNREADABLE as error:
        raise ValueError(f"{path} is not a readable image: {error}") from error


def _orientation(image: Image.Image) -> int:
    """Read the EXIF orientation; 1 (upright) where the EXIF data cannot be read, as viewers do."""
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except (*UNREADABLE, ValueError, TypeError, struct.error):
        return 1


def _eight_bits(image: Image.Image, path: str | Path) -> Image.Image:
    """Convert 16-bit grays to 8 bits: Pillow would clip everything above 255 to white."""
    if not image.mode.startswith(("I", "F")):
        return image
    values = np.asarray(image)
    if image.mode == "F" or values.min() < 0 or values.max() > 0xFFFF:
        raise ValueError(f"{path} holds numbers of mode {image.mode!r}, no picture: give 8 or 16 bits")
    return Image.fromarray((values >> 8).astype(np.uint8))


def write_image(
    path: str | Path, image: UInt8[Tensor, "height width 3"], save: Save = Image.Image.save
) -> None:
    """Write RGB to PNG or JPEG, by the suffix, atomically. save: such as `rendered.save`.

    Raises ValueError for a suffix that says no format.
    """
    if Path(path).suffix.lower() not in Image.registered_extensions():
        raise ValueError(f"{path}: its ending says no image format; name it .png or .jpg")
    with atomic_path(path) as temporary:
        save(Image.fromarray(image.cpu().numpy()), temporary)
