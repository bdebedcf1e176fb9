"""Damage a file as disks, tools and people do: cuts, flipped bytes, swapped parts, nulls in JSON."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np

VALUES = (None, "x", "", -1, 0, 1e30, float("nan"), float("inf"), [], {}, True, "7", [None], 10**30)


def damaged_bytes(data: bytes, rng: np.random.Generator) -> bytes:
    """Cut, flip, or swap parts of a file."""
    kind, content = rng.integers(4), bytearray(data)
    at, other = (int(one) for one in rng.integers(0, max(1, len(content)), 2))
    if kind == 0:
        return bytes(content[:at])
    if kind == 1:
        for _ in range(int(rng.integers(1, 20))):
            content[int(rng.integers(len(content)))] = int(rng.integers(256))
    elif kind == 2:
        low, high = min(at, other), max(at, other)
        del content[low:high]
    else:
        size = min(64, len(content) - max(at, other))
        content[at : at + size], content[other : other + size] = (
            content[other : other + size],
            content[at : at + size],
        )
    return bytes(content)


def damaged_json(tree: Any, rng: np.random.Generator) -> bytes:
    """Put something else in the place of one to three values, or leave them out.

    Places of keypoints that stay numbers are left alone: another plausible number is another truth.
    """
    tree = copy.deepcopy(tree)
    for _ in range(int(rng.integers(1, 4))):
        places = list(_places(tree))
        parent, key = places[int(rng.integers(len(places)))]
        value = VALUES[int(rng.integers(len(VALUES)))]
        if rng.random() < 0.2 and isinstance(parent, dict):
            del parent[key]
        elif not (_is_number(parent[key]) and _is_number(value) and isinstance(parent, list)):
            parent[key] = value
    text = json.dumps(tree).encode()
    return b"\xef\xbb\xbf" + text if rng.random() < 0.1 else text


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < 1e9


def _places(tree: Any) -> Any:
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield tree, key
        yield from _places(value)
