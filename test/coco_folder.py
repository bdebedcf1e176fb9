"""COCO keypoint data sets as annotation tools lay them out."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from PIL import Image

NAMES = ["rim_left", "rim_right", "handle"]
SIZE = (60, 80)
POINTS = [[10, 20, 2], [40, 22, 2], [50, 30, 1]]
BOX = [5, 10, 50, 30]


def picture(path: Path, size: tuple[int, int] = SIZE, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size[::-1]).save(path, **options)
    return path


def content(file_names: list[str], **changed: Any) -> dict[str, Any]:
    """One mug in each picture. changed: fields of the first annotation; those of None are left out."""
    category = {"id": 1, "name": "mug", "keypoints": NAMES, "skeleton": [[1, 2], [2, 3]]}
    images = [
        {"id": i, "file_name": name, "height": SIZE[0], "width": SIZE[1]}
        for i, name in enumerate(file_names, start=1)
    ]
    annotations = [mug(i, i) for i in range(1, len(images) + 1)]
    annotations[0] |= changed
    return {"images": images, "annotations": annotations, "categories": [category]}


def mug(key: int, image: int, moved: float = 0.0, **changed: Any) -> dict[str, Any]:
    flat = [value for x, y, v in POINTS for value in (x + moved, y, v)]
    box = [BOX[0] + moved, *BOX[1:]]
    return {"id": key, "image_id": image, "category_id": 1, "keypoints": flat, "bbox": box} | changed


def write(path: Path, what: Any, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(json.dumps(what).encode(encoding))
    return path


def data_set(root: Path, what: dict[str, Any] | None = None) -> dict[str, Any]:
    """Write labels.json and its pictures images/<name>; return a copy of what it holds, to be changed."""
    what = content(["a.png", "b.png"]) if what is None else what
    for entry in what["images"]:
        picture(root / "images" / entry["file_name"])
    write(root / "labels.json", what)
    return copy.deepcopy(what)
