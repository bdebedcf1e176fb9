"""A data set that is read all at once, for the small formats."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from semcorr_ros.artifacts import AnnotatedImage, CategoryInfo, ImagePair
from semcorr_ros.files.arrays import find_file

SPLITS = ("trn", "val", "test")
SPLIT_OF = {
    "train": "trn", "trn": "trn", "training": "trn", "trainval": "trn",
    "val": "val", "valid": "val", "validation": "val", "minival": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
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
    """List all ordered pairs of pictures with at least `shared` keypoints visible in both."""
    # Two objects of one picture: every pixel has its best match in itself.
    found = (pair_of(a, b) for a in images for b in images if a.image_path != b.image_path)
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


def distinct(
    images: Sequence[tuple[str, AnnotatedImage]], note: Callable[[str], None]
) -> list[tuple[str, AnnotatedImage]]:
    """Give the images of a category names of their own: stems; with folders where two stems are equal; and
    a number where one picture shows several objects.

    What is listed twice counts once, and a picture is in one split only; what is left out is noted.
    """
    groups: dict[tuple[str, Path], list[tuple[str, AnnotatedImage]]] = {}
    for split, image in images:
        group = groups.setdefault((image.category, image.image_path), [])
        if any(_same(image, other) for _, other in group):
            note(f"{image.image_path.name}: listed twice, counted once")
        elif group and group[0][0] != split:
            note(f"{image.image_path.name}: not used in split {split!r}, it is in {group[0][0]!r} already")
        else:
            group.append((split, image))
    names = _names([(category, path) for category, path in groups])
    return [one for key, group in groups.items() for one in _numbered(group, names[key])]


def _same(one: AnnotatedImage, other: AnnotatedImage) -> bool:
    alike = torch.equal(one.keypoints.nan_to_num(-1), other.keypoints.nan_to_num(-1))
    return alike and torch.equal(one.visible, other.visible) and one.bbox == other.bbox


def _names(keys: Sequence[tuple[str, Path]]) -> dict[tuple[str, Path], str]:
    """Name each path of a category by its last parts, as many as tell it from the others; m.jpg and m.png of
    one folder with their endings."""
    bare = {key: key[1].with_suffix("") for key in keys}
    twins = Counter((key[0], bare[key]) for key in keys)
    found: dict[tuple[str, Path], str] = {}
    left, depth = list(keys), 1
    while left:
        names = {key: "/".join(bare[key].parts[-depth:]) for key in left}
        counts = Counter((category, names[category, path]) for category, path in left)
        for key, name in names.items():
            alike = twins[key[0], bare[key]]
            if counts[key[0], name] == alike:
                found[key] = f"{name}{key[1].suffix}" if alike > 1 else name
        left, depth = [key for key in left if key not in found], depth + 1
    return found


def _numbered(group: Sequence[tuple[str, AnnotatedImage]], name: str) -> list[tuple[str, AnnotatedImage]]:
    if len(group) == 1:
        return [(split, replace(image, name=name)) for split, image in group]
    masks = Counter(image.mask_path for _, image in group)
    return [
        (
            split,
            replace(
                image,
                name=f"{name}#{number}",
                shared=name,
                mask_path=image.mask_path if masks[image.mask_path] == 1 else None,  # of which object?
            ),
        )
        for number, (split, image) in enumerate(group, start=1)
    ]


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


def split_named(name: str) -> str | None:
    """Tell the split that a word in the name of a file or folder says."""
    words = re.split(r"[^a-z]+", name.lower())
    return next((SPLIT_OF[word] for word in words if word in SPLIT_OF), None)


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
