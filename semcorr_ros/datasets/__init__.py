"""Datasets: one format per file, found by name.

A file says `PLUGIN = Format(build)`, with `build(root: Path) -> Dataset`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from semcorr_ros.artifacts import AnnotatedImage, CategoryInfo, ImagePair
from semcorr_ros.registry import Registry


class Dataset(Protocol):
    """Annotated images and benchmark pairs of several categories."""

    def categories(self) -> list[str]:
        """List the categories found under the root, sorted."""
        ...

    def info(self, category: str) -> CategoryInfo:
        """Return keypoint names, flip table and flags of a category."""
        ...

    def images(self, category: str, split: str) -> list[AnnotatedImage]:
        """List the images of a split (trn, val, test), sorted by name. Unreadable ones are in `problems`."""
        ...

    def pairs(self, category: str, split: str) -> list[ImagePair]:
        """List the benchmark pairs of a split, sorted by file name."""
        ...

    def problems(self) -> list[str]:
        """List what was skipped so far, one sentence each, naming the file and the reason."""
        ...


@dataclass(frozen=True)
class Format:
    """What a file of this folder calls PLUGIN."""

    build: Callable[[Path], Dataset]
    depth_files: str = ""  # where depth is looked for, in words; empty: the format has none


DATASETS = Registry(__name__, Format)
