"""Pictures: every format and kind of pixels that people have, as upright RGB.

Alpha is dropped, as everywhere in this field: what hides below it counts as it is stored.
"""

from __future__ import annotations

import io
import logging
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageOps
from torch import Tensor

LOG = logging.getLogger(__name__)
MAX_PIXELS = 128_000_000  # a few bytes may claim to be an image of any size: refused before allocation
FORMATS = ("JPEG", "PNG")  # of `decode`
ORIENTATION = 0x0112  # EXIF tag
PHOTOMETRIC, WHITE_IS_ZERO = 262, 0  # TIFF tag: how scanners and microscopes store grays
PNG = b"\x89PNG\r\n\x1a\n"
APPLE = (b"heic", b"heix", b"mif1", b"hevc", b"avif")  # brands, after "ftyp"
UNKNOWN = "it is no image that is known, or damaged"
DEPTHS = (8, 10, 12, 14, 16)  # bits that cameras have
# MAX_PIXELS says it in one line; damaged EXIF data are no news.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
warnings.filterwarnings("ignore", module=r"PIL\.")


def read_image(path: str | Path) -> UInt8[Tensor, "height width 3"]:
    """Read an image as RGB, upright as its EXIF says: so viewers show it, and so it was annotated.

    Raises FileNotFoundError, or ValueError for a damaged file or one without colours or grays.
    """
    # Not by OpenCV: its version 4 leaves WebP as it lies, and no version reads every format of photographs.
    with opened(path) as image:
        rgb = _eight_bits(image, str(path)).convert("RGB")
        return torch.from_numpy(np.array(rgb))


def image_size(path: str | Path) -> tuple[int, int]:
    """Read (h, w) of the upright image from the file's header. Raises as `read_image`."""
    with header(path) as image:
        size = image.height, image.width
        return size[::-1] if _turned_by_us(image) >= 5 else size


def orientation_of(path: str | Path) -> int:
    """Read the EXIF orientation, 1 to 8, from the file's header. Raises as `read_image`."""
    with header(path) as image:
        return _orientation(image)


def format_of(path: str | Path) -> str:
    """Read Pillow's name of the file's format from its header. Raises as `read_image`."""
    with header(path) as image:
        return str(image.format)


@contextmanager
def opened(path: str | Path) -> Iterator[Image.Image]:
    """Decode an image of any mode, upright. What is wrong with it, also found later, is a ValueError naming
    the file; a missing one is a FileNotFoundError."""
    with _named(path):
        data = Path(path).read_bytes()
        check_intact(data)
        with Image.open(io.BytesIO(data)) as image:
            _check_size(image)
            yield ImageOps.exif_transpose(image) if _turned_by_us(image) != 1 else image


def decode(data: bytes, flags: int, name: str) -> np.ndarray:
    """Decode JPEG or PNG by cv2.imdecode with `flags`, as stored: EXIF orientation is ignored.

    Raises ValueError naming `name` for anything else, a damaged image or one above MAX_PIXELS.
    """
    try:
        check_intact(data)
        with Image.open(io.BytesIO(data), formats=FORMATS) as header:  # OpenCV would allocate first
            _check_size(header)
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags | cv2.IMREAD_IGNORE_ORIENTATION)
        if pixels is None:
            raise ValueError("it is damaged or cut off")
    except Exception as error:  # decoders raise anything on damaged bytes
        told = UNKNOWN if "<_io." in str(error) else error
        raise ValueError(f"{name} is not a readable {' or '.join(FORMATS)} image: {told}") from error
    return pixels


def check_intact(data: bytes) -> None:
    """Compare a PNG with its checksums: decoders show what is left of a damaged one. Raises ValueError."""
    if not data.startswith(PNG):
        return
    at, bytes_ = len(PNG), memoryview(data)
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        end = at + 12 + length
        if end > len(data):
            break
        if zlib.crc32(bytes_[at + 4 : end - 4]) != struct.unpack_from(">I", data, end - 4)[0]:
            raise ValueError("it is damaged: a checksum is wrong")
        if data[at + 4 : at + 8] == b"IEND":
            return
        at = end
    raise ValueError("it is cut off")


def to_eight_bits(values: np.ndarray, name: str) -> np.ndarray:
    """Scale 16-bit grays or colours to uint8 by the number of bits that the camera has: sensors of 10, 12 or
    14 bits leave the upper ones empty, and their pictures would be black."""
    largest = int(values.max(initial=0))
    bits = next(bits for bits in DEPTHS if largest < 1 << bits)
    if bits < DEPTHS[-1]:
        LOG.warning("%s: 16-bit values up to %d are read as %d bits", name, largest, bits)
    return (values >> (bits - 8)).astype(np.uint8)


@contextmanager
def header(path: str | Path) -> Iterator[Image.Image]:
    """Open an image without decoding it. Raises as `opened`."""
    with _named(path), Image.open(path) as image:
        _check_size(image)
        yield image


@contextmanager
def _named(path: str | Path) -> Iterator[None]:
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no image {path}")
    try:
        yield
    except Exception as error:  # decoders raise anything on damaged bytes
        raise ValueError(f"{path} is not a readable image: {_told(error, path)}") from error


def _told(error: Exception, path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(12)
    if start[4:8] == b"ftyp" and start[8:12] in APPLE:
        return "it is HEIC or AVIF, which is not read: convert it to JPEG or PNG"
    return UNKNOWN if "<_io." in str(error) else str(error)


def _check_size(image: Image.Image) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise ValueError(f"{image.width}x{image.height} is larger than {MAX_PIXELS} pixels; make it smaller")


def _orientation(image: Image.Image) -> int:
    """Read the EXIF orientation; 1 (upright) where the EXIF data cannot be read, as viewers do."""
    try:
        found = int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # damaged EXIF data raise anything
        return 1
    return found if 1 <= found <= 8 else 1


def _turned_by_us(image: Image.Image) -> int:
    return 1 if image.format == "TIFF" else _orientation(image)  # Pillow turns a TIFF itself


def _eight_bits(image: Image.Image, name: str) -> Image.Image:
    """Convert 16-bit grays to 8 bits: Pillow would clip everything above 255 to white."""
    if not image.mode.startswith(("I", "F")):
        return image
    values = np.asarray(image)
    if image.mode == "F" or values.min() < 0 or values.max() > 0xFFFF:
        raise ValueError(f"it holds numbers of mode {image.mode!r}, no picture: give 8 or 16 bits")
    if image.format == "TIFF" and getattr(image, "tag_v2", {}).get(PHOTOMETRIC) == WHITE_IS_ZERO:
        values = 0xFFFF - values  # Pillow does so for 8 bits
    return Image.fromarray(to_eight_bits(values, name))
