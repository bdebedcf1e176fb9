"""Spoil messages: valid ones in which a few fields hold what nobody expects."""

from __future__ import annotations

import math
import re
from array import array
from typing import Any

import numpy as np

FLOATS = (math.nan, math.inf, -math.inf, 0.0, -1.0, 1e-30, 1e30, 1e308)
STRINGS = (
    "", " ", "x" * 100_000, "../../etc/passwd", "/dev/zero", "/", "mug\n\u202e\U0001f600", "%s%n", "rgb8",
    "16UC1", "32FC1", "bayer_rggb8", "yuv422", "plumb_bob", "tilted",
)  # fmt: skip
INTEGER = re.compile(r"(u?)int(8|16|32|64)$")
SEQUENCE = re.compile(r"(?:sequence<(?P<inner>[^,>]+)(?:, *\d+)?>|(?P<base>.+)\[(?P<count>\d+)\])$")
MANY = 20_000  # elements of a huge list


def spoil(message: Any, rng: np.random.Generator, fields: int = 2) -> Any:
    """Change some fields of a message in place, however deep they are; the message."""
    for _ in range(fields):
        _spoil_one(message, rng)
    return message


def _spoil_one(message: Any, rng: np.random.Generator) -> None:
    kinds = message.get_fields_and_field_types()
    name = str(rng.choice(list(kinds)))
    kind, value = kinds[name], getattr(message, name)
    if "/" in kind and not SEQUENCE.match(kind):
        _spoil_one(value, rng)
        return
    found = SEQUENCE.match(kind)
    spoiled = _spoiled_list(found, value, rng) if found else _scalar(kind, rng)
    if spoiled is not None:
        setattr(message, name, spoiled)


def _scalar(kind: str, rng: np.random.Generator) -> Any:
    integer = INTEGER.match(kind)
    if integer:
        bits = int(integer[2])
        low, high = (0, 2**bits - 1) if integer[1] else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        return int(rng.choice([low, high, 1, 7, 100, int(rng.integers(0, min(high, 5000)))]).clip(low, high))
    if kind in ("float", "double"):
        value = float(rng.choice(FLOATS))
        return math.inf if kind == "float" and abs(value) > 3e38 else value
    if kind == "boolean":
        return bool(rng.integers(2))
    if kind.startswith(("string", "wstring")):
        return str(rng.choice(np.array(STRINGS, object)))
    return None


def _spoiled_list(found: re.Match[str], value: Any, rng: np.random.Generator) -> Any:
    if found["count"]:
        spoiled = np.array(value, copy=True)
        if spoiled.dtype.kind == "f":
            spoiled[rng.integers(len(spoiled))] = float(rng.choice(FLOATS))
        return spoiled
    kind = found["inner"] or ""
    if isinstance(value, array):
        return _spoiled_array(value, rng)
    if "/" in kind and len(value):
        choice = rng.integers(3)
        if choice == 0:
            _spoil_one(value[int(rng.integers(len(value)))], rng)
            return None
        return [] if choice == 1 else list(value) * (MANY // len(value))
    if kind.startswith("string"):
        return [
            str(rng.choice(np.array(STRINGS[:2] + STRINGS[3:], object)))
            for _ in range(int(rng.integers(0, 40)))
        ]
    return None


def _spoiled_array(value: array, rng: np.random.Generator) -> array:
    """Cut, emptied, lengthened, or other contents."""
    choice = rng.integers(5)
    if choice == 0 or not len(value):
        return array(value.typecode)
    if choice == 1:
        return value[: int(rng.integers(len(value)))]
    if choice == 2:
        return value + value[: int(rng.integers(len(value)))]
    other = array(value.typecode)
    if value.typecode in "fd":
        other.extend([float(rng.choice(FLOATS[:5]))] * len(value))
        return other
    noise = rng.integers(0, 256, len(value) * value.itemsize, np.uint8) if choice == 3 else None
    other.frombytes(noise.tobytes() if noise is not None else bytes(len(value) * value.itemsize))
    return other
