"""Keypoint names, flip table and flags of a category: `classes.json`, or what SPair-71k is known for."""

from __future__ import annotations

from typing import Any

from semcorr_ros.artifacts import CategoryInfo
from semcorr_ros.datasets._marks import shown

Pairs = tuple[tuple[int, int], ...]


def _consecutive(first: int, last: int) -> Pairs:
    return tuple((i, i + 1) for i in range(first, last, 2))


_WHEELS_AND_LAMPS: Pairs = (*((i, i + 10) for i in range(10, 16)), (16, 17), (18, 19), (26, 27), (28, 29))
_HEAD: Pairs = ((0, 1), (2, 3), (4, 5), (6, 7), (9, 10), (11, 12))
_BODY: Pairs = ((15, 16), (17, 18), (19, 20))

# Keypoint ids that swap when the image is mirrored; every other id maps to itself.
FLIP_PAIRS: dict[str, Pairs] = {
    "aeroplane": _consecutive(4, 21),
    "bicycle": ((2, 3), (6, 7), (9, 10)),
    "bird": ((1, 2), (4, 5), (7, 8), (10, 11), (12, 13), (14, 15)),
    "boat": _consecutive(1, 12),
    "bottle": _consecutive(0, 9),
    "bus": ((0, 1), (2, 3), (5, 6), *_WHEELS_AND_LAMPS),
    "car": ((0, 1), (2, 3), (6, 7), *_WHEELS_AND_LAMPS),
    "cat": _HEAD,
    "chair": _consecutive(0, 13),
    "cow": (*_HEAD, *_BODY),
    "dog": ((0, 1), (2, 3), (4, 5), (9, 10), (11, 12)),
    "horse": ((0, 1), (2, 3), (4, 5), (6, 7), (10, 11), (12, 13), (16, 17), (18, 19)),
    "motorbike": ((0, 1), (2, 3)),
    "person": ((0, 1), (2, 3), *_consecutive(8, 19)),
    "pottedplant": ((0, 2), (4, 5), (6, 8)),
    "sheep": (*_HEAD, *_BODY),
    "train": _consecutive(0, 17),
    "tvmonitor": ((0, 2), (4, 6), (3, 7), (8, 10), (12, 14), (11, 15)),
}

# Near-flat in the data set: SemAlign3D discards solutions whose normal faces away (methods 1.2 a).
FLAT = frozenset({"bottle", "tvmonitor"})
# Rotation about the up axis cannot be observed.
SYMMETRIC = frozenset({"bottle", "pottedplant"})


def from_spair(category: str, keypoint_count: int) -> CategoryInfo:
    """Return facts without a `classes.json`: ids as names; a flip table only for SPair's 18 categories.

    The count grows where an annotated id mirrors into one beyond it, so that mirrored views have a row.
    """
    pairs = FLIP_PAIRS.get(category)
    if pairs is None:
        return CategoryInfo(category, _numbered(keypoint_count), flip=None)
    partner = dict(pairs) | {b: a for a, b in pairs}
    count = max((max(i, partner.get(i, i)) + 1 for i in range(keypoint_count)), default=0)
    flip = tuple(partner.get(i, i) if partner.get(i, i) < count else i for i in range(count))
    return CategoryInfo(category, _numbered(count), flip, category in FLAT, category in SYMMETRIC)


def from_entry(category: str, entry: Any, keypoint_count: int, file: str = "classes.json") -> CategoryInfo:
    """Read the facts of one entry of such a file. Raises ValueError naming the file and the field that is
    wrong."""
    where = f"{file}, {category!r}"
    if not isinstance(entry, dict) or not isinstance(entry.get("keypoint_names"), list):
        raise ValueError(f"{where}: expected an object with a list 'keypoint_names', got {shown(entry)}")
    if not all(isinstance(name, str) and name.strip() for name in entry["keypoint_names"]):
        raise ValueError(f"{where}: keypoint_names must be names, got {shown(entry['keypoint_names'])}")
    names = tuple(entry["keypoint_names"])
    if len(names) < keypoint_count:
        raise ValueError(f"{where}: names {len(names)} keypoints but id {keypoint_count - 1} is annotated")
    if len(set(names)) < len(names):
        raise ValueError(f"{where}: keypoint_names are not unique: {', '.join(names)}")
    listed = entry.get("edges") or []
    if not isinstance(listed, list) or not all(_is_edge(edge, len(names)) for edge in listed):
        raise ValueError(f"{where}: edges must be pairs of ids 0..{len(names) - 1}, got {shown(listed)}")
    return CategoryInfo(
        name=category,
        keypoint_names=names,
        flip=_flip_table(entry.get("flip"), len(names), where),
        flat=bool(entry.get("flat", False)),
        symmetric=bool(entry.get("symmetric", False)),
        edges=tuple((a, b) for a, b in listed),
    )


def _is_edge(edge: Any, count: int) -> bool:
    return isinstance(edge, list) and len(edge) == 2 and all(type(k) is int and 0 <= k < count for k in edge)


def _flip_table(flip: Any, count: int, where: str) -> tuple[int, ...] | None:
    if flip is None:
        return None
    whole = isinstance(flip, list) and all(type(k) is int for k in flip)
    if not whole or sorted(flip) != list(range(count)):
        raise ValueError(
            f"{where}: flip must list for every keypoint the number (0..{count - 1}) of the one that takes "
            f"its place in a mirrored image, each once, got {shown(flip)}"
        )
    if any(flip[flip[i]] != i for i in range(count)):
        raise ValueError(f"{where}: flip applied twice must change nothing, got {flip}")
    return tuple(flip)


def _numbered(count: int) -> tuple[str, ...]:
    return tuple(str(i) for i in range(count))
