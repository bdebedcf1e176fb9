"""Which photographs a class is built from and which it is tried on, as data sets of their own.

Test photographs are tested on and nothing else: `draws` takes smaller training sets from the training
photographs, `folds` tries constants on a part of these, and neither ever looks at split "test".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from semcorr_ros.storage import read_json, write_json


@dataclass(frozen=True)
class Split:
    """Names of photographs. `number` tells the splits of one size apart."""

    train: tuple[str, ...]
    test: tuple[str, ...]
    number: int

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"{len(self.train):03d}_{self.number}"


def draws(train: Sequence[str], test: Sequence[str], size: int, count: int, seed: int) -> list[Split]:
    """`count` random training sets of `size`, all with the same test photographs.

    One, if all are taken. Raises ValueError where there are fewer than `size`.
    """
    if size > len(train):
        raise ValueError(f"{size} training photographs are asked for, the data set has {len(train)}")
    if size == len(train):
        return [Split(tuple(sorted(train)), tuple(test), 0)]
    found = []
    for number in range(count):
        draw = np.random.default_rng([seed, size, number])
        chosen = draw.choice(len(train), size, replace=False)
        found.append(Split(tuple(sorted(train[i] for i in chosen)), tuple(test), number))
    return found


def folds(train: Sequence[str], count: int, seed: int) -> list[Split]:
    """Training photographs in `count` parts, each of which is the test of the others."""
    if not 2 <= count <= len(train):
        raise ValueError(f"{len(train)} photographs make 2 to {len(train)} folds, not {count}")
    order = [train[i] for i in np.random.default_rng(seed).permutation(len(train))]
    parts = [sorted(order[i::count]) for i in range(count)]
    return [
        Split(tuple(sorted(set(train) - set(part))), tuple(part), number) for number, part in enumerate(parts)
    ]


def write(split: Split, root: Path, category: str, folder: Path) -> None:
    """A `folder` data set of the split beside the pictures of `root`, which stay where they are."""
    content = read_json(root / "keypoints.json")
    wanted = dict.fromkeys(split.train, "trn") | dict.fromkeys(split.test, "test")
    images = [
        entry | {"file": str((root / entry["file"]).resolve()), "split": wanted[Path(entry["file"]).stem]}
        for entry in content["images"]
        if entry["category"] == category and Path(entry["file"]).stem in wanted
    ]
    write_json(
        folder / "keypoints.json",
        {"categories": {category: content["categories"][category]}, "images": images},
    )
