"""A data set that is read all at once, for the small formats."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from semcorr_ros.artifacts import AnnotatedImage, CategoryInfo, ImagePair
from semcorr_ros.files.arrays import find_file

SPLITS = ("trn", "val", "test")
MARGIN = 0.1  # around the keypoints, where there is no box; a share of their extent


@dataclass(frozen=True)
class Listed:
    """Images and pairs by (category, split). Pairs that are not listed are all pairs of a split."""

    infos: Mapping[str, CategoryInfo]
    images_of: Mapping[tuple[str, str], Sequence[AnnotatedImage]]
    pairs_of: Mapping[tuple[str, str], Sequence[ImagePair]] = field(default_factory=dict)
    skipped: Sequence[str] = ()

    def categories(self) -> list[str]:
        """List the categories, sorted."""
        return sorted(self.infos)

    def info(self, category: str) -> CategoryInfo:
        """Return the facts of a category. Raises ValueError naming the categories there are."""
        if category not in self.infos:
            raise ValueError(f"no category {category!r}; found {', '.join(self.categories()) or 'none'}")
        return self.infos[category]

    def images(self, category: str, split: str) -> list[AnnotatedImage]:
        """List the images of a split, sorted by name."""
        return sorted(self.images_of.get(self._checked(category, split), ()), key=lambda image: image.name)

    def pairs(self, category: str, split: str) -> list[ImagePair]:
        """Return the listed pairs, else every ordered pair of the split's images that shares keypoints."""
        key = self._checked(category, split)
        return list(self.pairs_of[key]) if key in self.pairs_of else every_pair(self.images(*key))

    def problems(self) -> list[str]:
        """List what was skipped, one sentence each."""
        return list(self.skipped)

    def _checked(self, category: str, split: str) -> tuple[str, str]:
        self.info(category)
        if split not in SPLITS:
            raise ValueError(f"unknown split {split!r}; choose from {', '.join(SPLITS)}")
        return category, split


def every_pair(images: Sequence[AnnotatedImage], shared: int = 1) -> list[ImagePair]:
    """List all ordered pairs with at least `shared` keypoints visible in both."""
    found = (pair_of(a, b) for a in images for b in images if a is not b)
    return [pair for pair in found if len(pair.keypoint_ids) >= shared]


def pair_of(source: AnnotatedImage, target: AnnotatedImage) -> ImagePair:
    """Make a pair of two images, of the keypoints visible in both."""
    ids = (source.visible & target.visible).nonzero()[:, 0]
    return ImagePair(
        source=source.name,
        target=target.name,
        keypoint_ids=ids,
        source_keypoints=source.keypoints[ids],
        target_keypoints=target.keypoints[ids],
        target_bbox=target.bbox,
    )


def by_split(images: Iterable[tuple[str, AnnotatedImage]]) -> dict[tuple[str, str], list[AnnotatedImage]]:
    """Group (split, image) by (category, split). Raises ValueError for two images of one name."""
    found: dict[tuple[str, str], list[AnnotatedImage]] = {}
    names: set[tuple[str, str]] = set()
    for split, image in images:
        if (image.category, image.name) in names:
            raise ValueError(
                f"two images of {image.category!r} are named {image.name!r}; names (of files, without folder "
                "and ending) must be unique: list each image once, and rename one of two"
            )
        names.add((image.category, image.name))
        found.setdefault((image.category, split), []).append(image)
    return found


def box_of(keypoints: torch.Tensor, size: tuple[int, int]) -> tuple[float, float, float, float]:
    """Compute a box around the known keypoints with a margin, clipped to the image; without keypoints, the
    whole image."""
    known = keypoints[torch.isfinite(keypoints).all(-1)]
    if len(known) == 0:
        return (0.0, 0.0, float(size[1] - 1), float(size[0] - 1))
    low, high = known.amin(0), known.amax(0)
    margin = MARGIN * (high - low).max()
    x1, y1 = (low - margin).clamp_min(0).tolist()
    x2, y2 = torch.minimum(high + margin, torch.tensor([size[1] - 1.0, size[0] - 1.0])).tolist()
    return (x1, y1, x2, y2)


def first_file(folder: Path, stem: str, suffixes: Sequence[str]) -> Path | None:
    """Find the first of <folder>/<stem><suffix> that exists, the suffix in any case."""
    return find_file([folder], stem, suffixes)


def require(path: Path, what: str, expected: str) -> Path:
    """Return `path` if it exists. Raises FileNotFoundError saying what was expected and what is there."""
    if path.exists():
        return path
    there = path.parent if path.parent.is_dir() else path.parent.parent
    found = ", ".join(sorted(p.name for p in there.iterdir())[:8]) if there.is_dir() else "no such folder"
    raise FileNotFoundError(f"{path} is missing, so this is not {what}: expected {expected}; found {found}")
