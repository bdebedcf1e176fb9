"""An encoder of RVL after the paper's description, against which the decoder is tested."""

from __future__ import annotations

import struct

import numpy as np


def encode(image: np.ndarray) -> bytes:
    """Width, height, and the runs of a uint16 image."""
    numbers, pixels, i, previous = [], image.reshape(-1).tolist(), 0, 0
    while i < len(pixels):
        start = i
        while i < len(pixels) and pixels[i] == 0:
            i += 1
        numbers.append(i - start)
        start = i
        while i < len(pixels) and pixels[i] != 0:
            i += 1
        numbers.append(i - start)
        for value in pixels[start:i]:
            difference = value - previous
            numbers.append(2 * difference if difference >= 0 else -2 * difference - 1)
            previous = value
    return struct.pack("<II", image.shape[1], image.shape[0]) + _packed(numbers)


def _packed(numbers: list[int]) -> bytes:
    nibbles = []
    for number in numbers:
        while True:
            number, low = number >> 3, number & 7
            nibbles.append(low | (8 if number else 0))
            if not number:
                break
    nibbles += [0] * (-len(nibbles) % 8)
    words = [int("".join(f"{n:x}" for n in nibbles[i : i + 8]), 16) for i in range(0, len(nibbles), 8)]
    return struct.pack(f"<{len(words)}I", *words)
