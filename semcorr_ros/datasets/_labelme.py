"""labelme's files, one JSON per picture, as what keypoints.json of a `folder` data set would say.

A point's label is the name of a keypoint. It belongs to the rectangle or polygon with its group_id, else to
the only one around it; that one's label is the category, its extent the box. Where no picture has such a
shape, all points of a group are of one category, called like the root. A point with the flag `occluded` or
`hidden` is not visible. A folder whose name says train, val or test is that split.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from semcorr_ros.datasets._coco_categories import flip_of
from semcorr_ros.datasets._image_files import ImageFiles
from semcorr_ros.datasets._listed import split_named
from semcorr_ros.datasets._marks import numbers, shown
from semcorr_ros.files import orientation
from semcorr_ros.files.picture import image_size
from semcorr_ros.storage import read_json

OUTLINES = ("rectangle", "polygon", "mask")
HIDDEN = ("occluded", "hidden")

Note = Callable[[str], None]
Row = list[float]


@dataclass
class Drawn:
    """An object of a picture."""

    category: str
    group: Any
    box: Row | None  # x1, y1, x2, y2
    points: dict[str, Row | None] = field(default_factory=dict)


def content_of(root: Path, note: Note) -> dict[str, Any] | None:
    """Read all files under a folder; None where there is none. What cannot be used is noted.

    Raises ValueError where nothing can be used.
    """
    paths = sorted(root.rglob("*.json"))
    read = [(path, content) for path in paths if (content := _labelled(path, note))]
    outlined = any(_kind(shape) in OUTLINES for _, content in read for shape in content["shapes"])
    places, images, reasons = ImageFiles(root), list[dict[str, Any]](), list[str]()
    for path, content in read:
        name = str(path.relative_to(root))
        try:
            found = _objects(content["shapes"], "" if outlined else root.resolve().name)
            images += _entries(root, path, content, places, found)
        except (ValueError, FileNotFoundError) as error:
            reasons.append(f"{name}: skipped, {error}")
            note(reasons[-1])
    if read and not images:
        raise ValueError(f"{root}: labelme's files hold no keypoints; {'; '.join(reasons[:1])}")
    names: dict[str, dict[str, None]] = {}
    for image in images:
        names.setdefault(image["category"], {}).update(dict.fromkeys(image["keypoints"]))
    categories = {category: _category(tuple(sorted(labels))) for category, labels in names.items()}
    return {"categories": categories, "images": images} if read else None


def _labelled(path: Path, note: Note) -> dict[str, Any] | None:
    try:
        content = read_json(path)
    except ValueError as error:
        note(f"skipped, {error}")
        return None
    is_one = isinstance(content, dict) and isinstance(content.get("shapes"), list) and "imagePath" in content
    return content if is_one else None


def _category(names: tuple[str, ...]) -> dict[str, Any]:
    flip = flip_of(names)
    return {"keypoint_names": list(names)} | ({} if flip is None else {"flip": list(flip)})


def _objects(shapes: list[Any], plain: str) -> list[Drawn]:
    """Sort the shapes of a picture by object. Raises ValueError for a shape that is broken or nobody's."""
    outlines: list[tuple[dict[str, Any], list[Row]]] = []
    points: list[tuple[dict[str, Any], list[Row]]] = []
    for number, shape in enumerate(shapes, start=1):
        if _kind(shape) in (*OUTLINES, "point"):
            listed = shape["points"] if isinstance(shape.get("points"), list) else []
            rows = [list(numbers(row, 2, f"shape {number}")) for row in listed]
            if not rows or not isinstance(shape.get("label"), str) or not shape["label"].strip():
                raise ValueError(f"shape {number} has no points or no label: {shown(shape)}")
            (points if _kind(shape) == "point" else outlines).append((shape, rows))
    objects = [Drawn(shape["label"], shape.get("group_id"), _extent(rows)) for shape, rows in outlines]
    for shape, rows in points:
        owner, label = _owner(objects, shape.get("group_id"), rows[0], plain, shape["label"]), shape["label"]
        if label in owner.points:
            raise ValueError(f"an object has two points {label!r}: give each object's shapes a group_id")
        flags = shape["flags"] if isinstance(shape.get("flags"), dict) else {}
        owner.points[label] = None if any(flags.get(flag) for flag in HIDDEN) else rows[0]
    return [one for one in objects if one.points]


def _owner(objects: list[Drawn], group: Any, place: Row, plain: str, label: str) -> Drawn:
    found = [one for one in objects if group is not None and one.group == group]
    if not found and not plain:
        found = [one for one in objects if one.box is not None and _inside(place, one.box)]
    if not found and plain:
        found = [one for one in objects if one.group == group] or [Drawn(plain, group, None)]
        objects += [] if found[0] in objects else found
    if len(found) != 1:
        raise ValueError(f"point {label!r} is of {len(found)} objects: give it the group_id of its outline")
    return found[0]


def _entries(
    root: Path, path: Path, content: dict[str, Any], places: ImageFiles, objects: list[Drawn]
) -> Iterator[dict[str, Any]]:
    """Yield what keypoints.json would list. Raises ValueError or FileNotFoundError for the picture."""
    if not isinstance(content["imagePath"], str):
        raise ValueError(f"its 'imagePath' is {shown(content['imagePath'])}")
    image = places.find(content["imagePath"], path).path
    size, said = image_size(image), (content.get("imageHeight"), content.get("imageWidth"))
    height, width = size if None in said else numbers(list(said), 2, "imageHeight and imageWidth")
    turn = orientation.of_annotation(image, (int(height), int(width)))
    split = next(
        (split for part in reversed(path.relative_to(root).parts[:-1]) if (split := split_named(part))), "trn"
    )
    for one in objects:
        keypoints = {label: place and _turned(place, turn, size) for label, place in one.points.items()}
        box = one.box and _extent([_turned(one.box[i : i + 2], turn, size) for i in (0, 2)])
        yield {"file": image.relative_to(root).as_posix(), "category": one.category, "split": split,
               "keypoints": keypoints, "bbox": box}  # fmt: skip


def _kind(shape: Any) -> Any:
    return shape.get("shape_type") if isinstance(shape, dict) else None


def _extent(rows: list[Row]) -> Row:
    xs, ys = [row[0] for row in rows], [row[1] for row in rows]
    return [min(xs), min(ys), max(xs), max(ys)]


def _inside(place: Row, box: Row) -> bool:
    return box[0] <= place[0] <= box[2] and box[1] <= place[1] <= box[3]


def _turned(place: Row, turn: int, size: tuple[int, int]) -> Row:
    found: Row = orientation.upright_points(torch.tensor(place), turn, size).tolist()
    return found
