"""The categories of a COCO file: names of keypoints, the flip table that sides in them give, skeleton."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from semcorr_ros.artifacts import CategoryInfo
from semcorr_ros.datasets._marks import shown

MIRRORED = (("left", "right"), ("Left", "Right"))

Note = Callable[[str], None]


def categories_of(
    entries: list[Any], note: Note
) -> tuple[dict[str, CategoryInfo], dict[str, str], frozenset[str]]:
    """Read those with keypoints by id, the supercategory of each by name, and the ids of those without."""
    found: dict[str, CategoryInfo] = {}
    families: dict[str, str] = {}
    others: set[str] = set()
    for number, entry in enumerate(entries):
        try:
            key, name = _named(entry, {*found, *others})
            if not entry.get("keypoints"):
                others.add(key)
                continue
            if name in families:
                raise ValueError(f"a second category is named {name!r}")
            found[key] = _info(name, entry, note)
            families[name] = str(entry.get("supercategory") or "")
        except ValueError as error:
            note(f"category {number + 1}: skipped, {error}")
    return found, families, frozenset(others)


def _named(entry: Any, known: set[str]) -> tuple[str, str]:
    if not isinstance(entry, dict):
        raise ValueError(f"expected an object, got {shown(entry)}")
    key, name = key_of(entry.get("id")), key_of(entry.get("name"))
    if key is None or name is None:
        missing = "id" if key is None else "name"
        raise ValueError(f"its {missing!r} is {shown(entry.get(missing))}")
    if key in known:
        raise ValueError(f"id {key} is an earlier category's")
    return key, name


def _info(name: str, entry: dict[str, Any], note: Note) -> CategoryInfo:
    listed = entry["keypoints"]
    names = tuple(key_of(one) or "" for one in listed) if isinstance(listed, list) else ()
    if not all(names) or len(set(names)) < len(names) or not names:
        raise ValueError(f"'keypoints' of {name!r} must be names, each once, got {shown(listed)}")
    edges = _edges(entry.get("skeleton"), names, lambda sentence: note(f"{name!r}: {sentence}"))
    return CategoryInfo(name, names, flip_of(names), edges=edges)


def _edges(skeleton: Any, names: tuple[str, ...], note: Note) -> tuple[tuple[int, int], ...]:
    """Read pairs of keypoints, counted from 1 as COCO does, or from 0 where one is 0, or their names."""
    if skeleton is None or skeleton == []:
        return ()
    pairs = [_pair(edge, names) for edge in skeleton] if isinstance(skeleton, list) else [None]
    first = 0 if any(pair is not None and 0 in pair for pair in pairs) else 1
    edges = [(pair[0] - first, pair[1] - first) for pair in pairs if pair is not None]
    joined = [(a, b) for a, b in edges if min(a, b) >= 0 and max(a, b) < len(names) and a != b]
    if len(joined) < len(pairs):
        wrong = f"{len(pairs) - len(joined)} of {len(pairs)}"
        note(f"{wrong} edges of the skeleton join no two keypoints: not drawn")
    return tuple(dict.fromkeys(joined))


def _pair(edge: Any, names: tuple[str, ...]) -> tuple[int, int] | None:
    ends = [_end(end, names) for end in edge] if isinstance(edge, list) else []
    return (ends[0], ends[1]) if len(ends) == 2 and ends[0] is not None and ends[1] is not None else None


def _end(end: Any, names: tuple[str, ...]) -> int | None:
    if end in names:
        return names.index(end) + 1
    key = key_of(end)
    return int(key) if key is not None and key.isdecimal() else None


def key_of(value: Any) -> str | None:
    """Return an id as text; None for what is no id."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, float):
        return str(int(value)) if math.isfinite(value) and value == int(value) else None
    return str(value).strip() or None if isinstance(value, int | str) else None


def flip_of(names: tuple[str, ...]) -> tuple[int, ...] | None:
    """Compute ids after exchanging left and right in the names; None where no name has a side."""
    index = {name: i for i, name in enumerate(names)}
    flip = []
    for i, name in enumerate(names):
        partner = i
        for left, right in MIRRORED:
            if left in name:
                partner = index.get(name.replace(left, right), i)
            elif right in name:
                partner = index.get(name.replace(right, left), i)
        flip.append(partner)
    if any(flip[partner] != i for i, partner in enumerate(flip)):
        return None
    return tuple(flip) if flip != list(range(len(names))) else None
