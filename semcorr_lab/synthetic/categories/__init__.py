"""One category per file, found by its name.

A category file defines `INFO: CategoryInfo` and `generate(rng) -> Instance`, mirror symmetric about
y = 0 in shape, part names and keypoints (left has y > 0), so that a mirrored picture with flipped
keypoint ids is a picture of another member of the class. Textures need not be symmetric.
"""

from __future__ import annotations

from typing import Protocol, cast

import numpy as np

from semcorr_lab.synthetic.instance import Instance
from semcorr_ros import registry
from semcorr_ros.artifacts import CategoryInfo


class Category(Protocol):
    """What a category file looks like from outside."""

    INFO: CategoryInfo

    def generate(self, rng: np.random.Generator) -> Instance:
        """Draw a member of the class. Same generator state, same member."""
        ...


def available() -> list[str]:
    """List the names that `load` accepts."""
    return registry.names(__name__)


def load(name: str) -> Category:
    """Import a category. Raises ValueError listing the choices, ImportError naming the extra."""
    return cast(Category, registry.load_module(__name__, name))


def flip_table(names: tuple[str, ...]) -> tuple[int, ...]:
    """Compute keypoint ids after mirroring: `left` and `right` swap in the names, all others stay.

    Raises ValueError when a name has no counterpart.
    """
    mirrored = [mirrored_name(name) for name in names]
    missing = [name for name in mirrored if name not in names]
    if missing:
        raise ValueError(f"keypoint {missing[0]!r} is missing: it mirrors one of {', '.join(names)}")
    return tuple(names.index(name) for name in mirrored)


def mirrored_name(name: str) -> str:
    """Swap `left` and `right` in a name."""
    swap = {"left": "right", "right": "left"}
    return "_".join(swap.get(word, word) for word in name.split("_"))


def described(name: str, keypoints: str, edges: str, flat: bool = False) -> CategoryInfo:
    """Describe a category by texts like "nose tail fin" and "nose-tail tail-fin" (the skeleton).

    Raises ValueError if a side has no counterpart, or an edge no keypoint.
    """
    names = tuple(keypoints.split())
    pairs = [edge.split("-") for edge in edges.split()]
    skeleton = tuple((names.index(a), names.index(b)) for a, b in pairs)
    return CategoryInfo(name, names, flip_table(names), flat, edges=skeleton)
