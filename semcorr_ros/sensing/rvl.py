"""RVL, the lossless depth compression of A. D. Wilson (Fast Lossless Depth Image Compression, ISS 2017).

compressed_depth_image_transport puts the width and the height before it, as two little-endian uint32. Runs
of zeros and of other pixels alternate: how many zeros, how many others, then the difference of each of these
to the one before it (at first to 0), its sign in the lowest bit. Numbers are written three bits at a time,
lowest first, in nibbles whose highest bit says that more follow; eight nibbles fill a little-endian 32-bit
word from its top.
"""

from __future__ import annotations

import struct

import numpy as np
from jaxtyping import UInt16

SIZE = struct.Struct("<II")
MOST_NIBBLES = 10  # 30 bits: more than any run or difference has


def decode(data: bytes, most_pixels: int) -> UInt16[np.ndarray, "height width"]:
    """Decode an image of at most `most_pixels`. Raises ValueError for data that are cut off or no RVL."""
    if len(data) < SIZE.size:
        raise ValueError(f"{len(data)} bytes hold no width and height")
    width, height = SIZE.unpack_from(data)
    if not 0 < width * height <= most_pixels:
        raise ValueError(f"it claims to be {width}x{height}, allowed are 1 to {most_pixels} pixels")
    numbers = _numbers(data[SIZE.size :])
    positions, differences = _runs(numbers, width * height)
    values = np.cumsum((differences >> 1) ^ -(differences & 1))
    if len(values) and not (values.min() > 0 and values.max() <= 0xFFFF):
        raise ValueError("its differences leave the range of 16 bits")
    pixels = np.zeros(width * height, np.uint16)
    pixels[positions] = values
    return pixels.reshape(height, width)


def _numbers(data: bytes) -> np.ndarray:
    words = np.frombuffer(data[: len(data) // 4 * 4], "<u4")
    nibbles = (words[:, None] >> np.arange(28, -1, -4, dtype=np.uint32)).reshape(-1) & 15
    ends = np.flatnonzero(nibbles < 8)
    starts = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else ends
    if len(ends) and int((ends - starts).max()) >= MOST_NIBBLES:
        raise ValueError("a number of it is longer than any run or difference")
    place = np.arange(ends[-1] + 1 if len(ends) else 0) - np.repeat(starts, ends - starts + 1)
    parts = (nibbles[: len(place)].astype(np.int64) & 7) << (3 * place)
    return np.add.reduceat(parts, starts) if len(starts) else parts


def _runs(numbers: np.ndarray, pixels: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where the pixels lie that are not zero, and their differences."""
    at, done = 0, 0
    places: list[np.ndarray] = [np.zeros(0, np.int64)]
    found: list[np.ndarray] = [np.zeros(0, np.int64)]
    while done < pixels:
        if at + 2 > len(numbers):
            raise ValueError(f"it ends after {done} of {pixels} pixels")
        zeros, others = int(numbers[at]), int(numbers[at + 1])
        at += 2
        done += zeros
        if done + others > pixels or (zeros == 0 and others == 0):
            raise ValueError("its runs do not fill the image")
        if at + others > len(numbers):
            raise ValueError(f"it ends after {done + len(numbers) - at} of {pixels} pixels")
        places.append(np.arange(done, done + others))
        found.append(numbers[at : at + others])
        at, done = at + others, done + others
    return np.concatenate(places), np.concatenate(found)
