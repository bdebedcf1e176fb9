"""One JSON file in COCO's layout, read tolerantly: what is broken is named, the rest is used.

pycocotools is no help here: it stops at the first null, missing id or byte order mark.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from semcorr_ros.artifacts import CategoryInfo
from semcorr_ros.datasets._coco_categories import Note, categories_of, key_of
from semcorr_ros.datasets._marks import shown
from semcorr_ros.storage import read_json

LISTS = ("images", "annotations", "categories")
SEEN, HIDDEN, UNLABELLED = 2, 1, 0  # a keypoint's third number

Keypoints = tuple[torch.Tensor, torch.Tensor]  # (keypoint, 2), NaN where unknown; visible (keypoint,)


@dataclass(frozen=True)
class CocoFile:
    """What of a file can be used. Ids are text: 7, 7.0 and "7" are the same."""

    path: Path
    name: str  # relative to the root, for messages
    categories: dict[str, CategoryInfo]  # those with keypoints
    families: dict[str, str]  # supercategory of each category, by name
    others: frozenset[str]  # ids of categories that have no keypoints
    images: dict[str, dict[str, Any]]
    annotations: list[tuple[str, dict[str, Any]]]  # with what messages call them; no crowds
    orders: dict[str, list[int]] = field(
        default_factory=dict
    )  # of a category whose keypoints are sorted anew


def read_coco(path: Path, name: str, note: Note) -> CocoFile:
    """Read a file. Raises ValueError where it is not COCO keypoints at all, and FileNotFoundError."""
    content = read_json(path)
    for key in LISTS:
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise ValueError(f"{path}: expected an object with a list {key!r}, as COCO keypoints have")

    reasons: list[str] = []

    def told(sentence: str) -> None:
        reasons.append(sentence)
        note(f"{name}, {sentence}")

    categories, families, others = categories_of(content["categories"], told)
    if not categories:
        why = f"; {reasons[0]}" if reasons else ""
        raise ValueError(f"{path}: no category has a list 'keypoints' that names its keypoints{why}")
    images = _images(content["images"], told)
    annotations = _annotations(content["annotations"], told)
    return CocoFile(path, name, categories, families, others, images, annotations)


def keypoints_of(annotation: dict[str, Any], names: tuple[str, ...], note: Note) -> Keypoints:
    """Read x, y, v of every keypoint: v = 2 is visible, 1 is labelled but hidden. Raises ValueError."""
    flat, count = annotation.get("keypoints"), len(names)
    if isinstance(flat, list) and flat and all(isinstance(row, list) for row in flat):
        flat = [value for row in flat for value in row]
    if not isinstance(flat, list) or len(flat) != 3 * count:
        got = f"{len(flat)} numbers" if isinstance(flat, list) else shown(flat)
        raise ValueError(f"keypoints must be 3 x {count} numbers (x, y, v), got {got}")
    points = torch.full((count, 2), torch.nan)
    visible = torch.zeros(count, dtype=torch.bool)
    for k, name in enumerate(names):
        x, y, v = flat[3 * k : 3 * k + 3]
        if (v == UNLABELLED and type(v) in (int, float)) or (x is None and y is None and v is None):
            continue
        if type(v) not in (int, float) or v not in (SEEN, HIDDEN):
            raise ValueError(f"keypoint {name!r}: v must be 0, 1 or 2, got {shown(v)}")
        if not _is_number(x) or not _is_number(y) or x == y == 0:  # many tools write 0, 0 for "not there"
            note(f"keypoint {name!r} is at ({shown(x)}, {shown(y)}): not used")
            continue
        points[k], visible[k] = torch.tensor([float(x), float(y)]), v == SEEN
    return points, visible


def is_marked(annotation: dict[str, Any]) -> bool:
    """Tell whether an object has keypoints; most of COCO's people have none, and that is no fault."""
    flat = annotation.get("keypoints", [])
    return flat != [] and not (isinstance(flat, list) and all(value == 0 for value in flat))


def merged(infos: dict[str, CategoryInfo], file: CocoFile, note: Note) -> CocoFile:
    """Add a file's categories to those of other files; return the file with keypoints in their order.

    A category of other keypoint names than before is left out and named.
    """
    kept, orders = {}, {}
    for key, info in file.categories.items():
        known = infos.setdefault(info.name, info)
        if set(known.keypoint_names) != set(info.keypoint_names):
            note(f"{file.name}: {info.name!r} skipped, its keypoints are not those of the files before it")
            continue
        kept[key] = known
        orders[key] = [info.keypoint_names.index(name) for name in known.keypoint_names]
    return replace(file, categories=kept, orders=orders)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < 1e9  # no NaN, and no integer beyond floats


def _images(entries: list[Any], note: Note) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    twice: set[str] = set()
    for number, entry in enumerate(entries):
        key = key_of(entry.get("id")) if isinstance(entry, dict) else None
        if key is None:
            note(f"image {number + 1}: skipped, {_without_id(entry)}")
        elif entry.get("deleted") is True:  # COCO Annotator keeps them
            note(f"image {key}: skipped, it is deleted")
        elif key in found and entry != found[key]:
            twice.add(key)
        else:
            found[key] = entry
    for key in sorted(twice):
        note(f"image {key}: skipped, two images have this id, so annotations may be of either")
        del found[key]
    return found


def _annotations(entries: list[Any], note: Note) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for number, entry in enumerate(entries):
        if not isinstance(entry, dict):
            note(f"annotation {number + 1}: skipped, {_without_id(entry)}")
            continue
        name, crowd = f"annotation {key_of(entry.get('id')) or number + 1}", entry.get("iscrowd")
        if entry.get("deleted") is True:
            note(f"{name}: skipped, it is deleted")
            continue
        if crowd in (None, 0, "0"):
            found.append((name, entry))
        elif crowd not in (1, "1"):
            note(f"{name}: skipped, iscrowd must be 0 or 1, got {shown(crowd)}")
    return found


def _without_id(entry: Any) -> str:
    return f"its 'id' is {shown(entry.get('id'))}" if isinstance(entry, dict) else f"got {shown(entry)}"
