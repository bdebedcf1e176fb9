"""Pairs of places that show the same part of two objects: what an adapter is trained on, and its file.

A file of pseudo-labels is one safetensors file (`storage.py`):

    pairs          int64 (P, 2)    source and target picture, rows of the header's `pictures`
    starts         int64 (P + 1,)  matches of pair i are rows starts[i] to starts[i + 1]
    source_points  float32 (M, 2)  pixels (x, y) of the original source picture
    target_points  float32 (M, 2)
    errors         float32 (M,)    how far both directions disagree, in box diagonals; NaN: not measured

Its header holds `schema`, `pictures` (category, name, size (h, w)) and `provenance`: `dataset`, `root`,
`split`, `backbone`, `backbone_options` and the settings that it was made with.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.storage import read_tensors, write_tensors

SCHEMA = "semcorr.pseudo_labels/1"
IN_WORK_FOLDER = "*/pseudo_labels/labels.safetensors"


@dataclass(frozen=True)
class PictureName:
    """A picture of a data set."""

    category: str
    name: str  # AnnotatedImage.name
    size: tuple[int, int]  # (h, w)


@dataclass(frozen=True)
class Matches:
    """Places of two pictures that show the same, pixels (x, y) of the originals."""

    source: int  # row of Labels.pictures
    target: int
    source_points: Float[Tensor, "match 2"]
    target_points: Float[Tensor, "match 2"]  # of the mirrored target where `mirrored`
    errors: Float[Tensor, "match"] | None = None  # bicyclic, in box diagonals; None: not measured
    mirrored: bool = False  # the target is the mirrored picture

    def __len__(self) -> int:
        return len(self.source_points)


@dataclass(frozen=True)
class Labels:
    """Matches of many pairs."""

    pictures: tuple[PictureName, ...]
    matches: tuple[Matches, ...]
    provenance: dict[str, str] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Number of matches."""
        return sum(map(len, self.matches))

    @property
    def categories(self) -> tuple[str, ...]:
        """Categories of the pictures, sorted."""
        return tuple(sorted({one.category for one in self.pictures}))


def write_labels(path: str | Path, labels: Labels) -> None:
    """Write a file of pseudo-labels, atomically. Same labels, same bytes. Raises ValueError for matches of
    mirrored pictures, which a trainer makes itself."""
    if any(one.mirrored for one in labels.matches):
        raise ValueError("matches of mirrored pictures are not written: a trainer makes them")
    ends = torch.tensor([0, *(len(one) for one in labels.matches)]).cumsum(0)
    errors = [
        torch.full((len(one),), torch.nan) if one.errors is None else one.errors for one in labels.matches
    ]
    tensors = {
        "pairs": torch.tensor([[one.source, one.target] for one in labels.matches]).reshape(-1, 2),
        "starts": ends,
        "source_points": _joined([one.source_points for one in labels.matches], 2),
        "target_points": _joined([one.target_points for one in labels.matches], 2),
        "errors": _joined(errors, 0),
    }
    pictures = [[one.category, one.name, list(one.size)] for one in labels.pictures]
    write_tensors(path, tensors, {"schema": SCHEMA, "pictures": pictures, "provenance": labels.provenance})


def read_labels(path: str | Path) -> Labels:
    """Read a file of pseudo-labels. Raises FileNotFoundError, or ValueError for another or damaged file."""
    tensors, header = read_tensors(path)
    if not isinstance(header, dict) or header.get("schema") != SCHEMA:
        raise ValueError(
            f"{path} is no file of pseudo-labels ({SCHEMA}); `mesh_prior pseudo_label` writes one"
        )
    try:
        return _labels(tensors, header)
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error


def find_labels(path: str | Path) -> Labels:
    """Read a file of pseudo-labels, or all of a work folder (IN_WORK_FOLDER).

    Raises FileNotFoundError where there is none, ValueError for a damaged file.
    """
    path = Path(path)
    files = [path] if path.is_file() else sorted(path.glob(IN_WORK_FOLDER))
    if not files:
        raise FileNotFoundError(f"{path} is no file of pseudo-labels, and holds no {IN_WORK_FOLDER}")
    return merged(read_labels(one) for one in files)


def only_categories(labels: Labels, categories: Sequence[str]) -> Labels:
    """Keep the matches of some categories; without any, all. Raises ValueError for one that is not there."""
    unknown = sorted(set(categories) - set(labels.categories))
    if unknown:
        raise ValueError(f"the labels are not of {unknown[0]!r}, but of {', '.join(labels.categories)}")
    if not categories:
        return labels
    kept = tuple(one for one in labels.matches if labels.pictures[one.source].category in categories)
    return replace(labels, matches=kept)


def merged(found: Iterable[Labels]) -> Labels:
    """Join labels of several categories. Raises ValueError where their provenance contradicts itself."""
    rows: dict[PictureName, int] = {}
    matches: list[Matches] = []
    provenance: dict[str, str] = {}
    for labels in found:
        own = [rows.setdefault(picture, len(rows)) for picture in labels.pictures]
        matches += [replace(one, source=own[one.source], target=own[one.target]) for one in labels.matches]
        for key, value in labels.provenance.items():
            if key != "category" and provenance.setdefault(key, value) != value:
                raise ValueError(f"labels of {key} {provenance[key]!r} and {value!r} do not belong together")
    return Labels(tuple(rows), tuple(matches), provenance)


def _labels(tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> Labels:
    names = [
        PictureName(str(category), str(name), (int(size[0]), int(size[1])))
        for category, name, size in header["pictures"]
    ]
    pairs, starts = tensors["pairs"], tensors["starts"].tolist()
    points = torch.cat([tensors["source_points"], tensors["target_points"]], -1).reshape(-1, 4)
    if len(starts) != len(pairs) + 1 or starts[0] != 0 or starts[-1] != len(points):
        raise ValueError(f"{len(pairs)} pairs and {len(points)} matches do not fit")
    if not bool(points.isfinite().all()):
        raise ValueError("not all points are finite")
    if len(pairs) and not (int(pairs.min()) >= 0 and int(pairs.max()) < len(names)):
        raise ValueError("pairs name pictures that are not listed")
    found = []
    for i, (source, target) in enumerate(pairs.tolist()):
        own = slice(starts[i], starts[i + 1])
        found.append(Matches(source, target, points[own, :2], points[own, 2:], tensors["errors"][own]))
    provenance = {str(key): str(value) for key, value in header["provenance"].items()}
    return Labels(tuple(names), tuple(found), provenance)


def _joined(parts: Sequence[Tensor], columns: int) -> Tensor:
    if parts:
        return torch.cat([part.float() for part in parts])
    return torch.zeros((0, columns) if columns else (0,))
