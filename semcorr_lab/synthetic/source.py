"""Where the instances of a data set come from: procedural categories (meshes.py has the other one)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from semcorr_lab.synthetic import categories
from semcorr_lab.synthetic.instance import Instance
from semcorr_ros.artifacts import CategoryInfo


class Source(Protocol):
    """Gives members of classes. Members of different splits are never the same."""

    def infos(self) -> dict[str, CategoryInfo]:
        """Return what is known about each category."""
        ...

    def instance(self, category: str, split: str, index: int, rng: np.random.Generator) -> Instance:
        """Make the member shown in image `index` of a split."""
        ...

    def clutter(self, category: str, rng: np.random.Generator) -> tuple[Instance, ...]:
        """Make members of other categories that may stand around."""
        ...


@dataclass(frozen=True)
class ProceduralSource:
    """A new random member for every image."""

    categories: tuple[str, ...]

    def infos(self) -> dict[str, CategoryInfo]:
        """Return INFO of each category. Raises ValueError naming an unknown one and the choices."""
        return {name: categories.load(name).INFO for name in self.categories}

    def instance(self, category: str, split: str, index: int, rng: np.random.Generator) -> Instance:
        """Draw a member from the generator; split and index only serve its name."""
        made = categories.load(category).generate(rng)
        return Instance(made.category, made.parts, made.keypoints, name=f"{category}_{split}_{index:04d}")

    def clutter(self, category: str, rng: np.random.Generator) -> tuple[Instance, ...]:
        """Draw one member of another category, in half of the pictures."""
        others = [name for name in categories.available() if name != category]
        if rng.random() < 0.5:
            return ()
        return (categories.load(str(rng.choice(others))).generate(rng),)
