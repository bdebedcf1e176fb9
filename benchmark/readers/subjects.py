"""The readers, each with a whole file, how to read it, and how its answer is held against the truth."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmark.readers import recordings
from semcorr_ros.datasets import coco, folder
from semcorr_ros.features import ImageRef, precomputed

NAMES = ["rim_left", "rim_right", "handle"]
PLACES = [[10, 20], [40, 22], [50, 30]]
SIZE = (60, 80)
PICTURES = 4


@dataclass(frozen=True)
class Subject:
    """A reader under test."""

    write: Callable[[Path], Path]  # a data set into a folder; the file that is damaged
    check: Callable[[Path], str]  # read it: "" or how the answer differs from the truth. Raises as the reader
    is_json: bool = False


def _pictures(root: Path) -> None:
    (root / "images").mkdir(parents=True, exist_ok=True)
    for i in range(PICTURES):
        if not (root / f"images/{i}.png").is_file():
            Image.new("RGB", SIZE[::-1]).save(root / f"images/{i}.png")


def _coco(root: Path) -> Path:
    _pictures(root)
    flat = [value for x, y in PLACES for value in (x, y, 2)]
    images = [{"id": i + 1, "file_name": f"{i}.png", "height": 60, "width": 80} for i in range(PICTURES)]
    objects = [
        {
            "id": i + 1,
            "image_id": i + 1,
            "category_id": 1,
            "keypoints": flat,
            "bbox": [5, 10, 50, 30],
            "iscrowd": 0,
        }
        for i in range(PICTURES)
    ]
    category = {"id": 1, "name": "mug", "keypoints": NAMES, "skeleton": [[1, 2], [2, 3]]}
    path = root / "labels.json"
    path.write_text(json.dumps({"images": images, "annotations": objects, "categories": [category]}))
    return path


def _folder(root: Path) -> Path:
    _pictures(root)
    points = dict(zip(NAMES, PLACES, strict=True))
    images = [{"file": f"images/{i}.png", "category": "mug", "keypoints": points} for i in range(PICTURES)]
    path = root / "keypoints.json"
    path.write_text(
        json.dumps({"categories": {"mug": {"keypoint_names": NAMES, "flip": [1, 0, 2]}}, "images": images})
    )
    return path


def _labelme(root: Path) -> Path:
    _pictures(root)
    box = {"label": "mug", "points": [[5, 10], [55, 40]], "shape_type": "rectangle", "flags": {}}
    named = zip(NAMES, PLACES, strict=True)
    points = [{"label": n, "points": [xy], "shape_type": "point", "flags": {}} for n, xy in named]
    content = {"shapes": [box, *points], "imagePath": "images/0.png", "imageHeight": 60, "imageWidth": 80}
    (root / "0.json").write_text(json.dumps(content))
    return root / "0.json"


def _check_labelme(root: Path) -> str:
    dataset = folder.build(root)
    images = [image for category in dataset.categories() for image in dataset.images(category, "trn")]
    told = _places(images, (root / "0.json").read_bytes())
    fewer = sum(len(image.keypoints) for image in images) < len(NAMES)
    tree = _tree(root / "0.json")
    shapes = tree.get("shapes") if isinstance(tree, dict) and "imagePath" in tree else None
    listed = shapes if isinstance(shapes, list) else []
    kinds = [one.get("shape_type") if isinstance(one, dict) else one for one in listed]
    asked = kinds == ["rectangle", *["point"] * len(NAMES)] or tree is None  # what is no shape is not missed
    return told or (
        "something is missing, nothing is said" if asked and fewer and not dataset.problems() else ""
    )


def _tree(file: Path) -> Any:
    try:
        return json.loads(file.read_bytes())
    except ValueError:
        return None


def _check(dataset: Any, file: Path) -> str:
    """What is answered must be what the file says of it; what is less must be said in `problems`."""
    images = [one for split in ("trn", "val", "test") for one in _images(dataset, split)]
    if told := _places(images, file.read_bytes()):
        return told
    missing = len(images) < PICTURES or any(not image.keypoints.isfinite().all() for image in images)
    return (
        "something is missing, nothing is said" if missing and not dataset.problems() and _whole(file) else ""
    )


def _places(images: list[Any], file: bytes) -> str:
    try:
        allowed = _numbers(json.loads(file))
    except ValueError:
        allowed = set()
    allowed |= {float(v) for place in PLACES for v in place}
    for image in images:
        known = image.keypoints[torch.isfinite(image.keypoints).all(-1)]
        if not {round(v, 3) for v in known.reshape(-1).tolist()} <= {round(v, 3) for v in allowed}:
            return f"{image.name}: keypoints {image.keypoints.tolist()}"
        if (image.visible & ~torch.isfinite(image.keypoints).all(-1)).any():
            return f"{image.name}: a keypoint without a place is visible"
    return ""


def _images(dataset: Any, split: str) -> list[Any]:
    return [image for category in dataset.categories() for image in dataset.images(category, split)]


def _numbers(tree: Any) -> set[float]:
    if type(tree) in (int, float):
        return {float(tree)} if abs(tree) < 1e9 else set()
    inner = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    return set().union(*map(_numbers, inner))


def _whole(file: Path) -> bool:
    """Whether the file still lists everything; what it does not list need not be named."""
    tree = json.loads(file.read_bytes())
    if any(one.get("iscrowd") in (1, "1") for one in tree.get("annotations", ()) if isinstance(one, dict)):
        return False
    objects = tree.get("annotations", tree["images"])
    points = [one.get("keypoints") for one in objects if isinstance(one, dict)]
    flat = [value for one in points for value in (one.values() if isinstance(one, dict) else one or ())]
    return (
        len(objects) == PICTURES
        and None not in flat
        and 0 not in flat
        and 1 not in flat
        and all(
            len(one) == (3 if isinstance(one, dict) else 9) for one in points if isinstance(one, dict | list)
        )
    )


def _features(root: Path) -> Path:
    values = np.random.default_rng(0).normal(size=(6, 8, 5)).astype(np.float32)
    np.savez(root / "a.npz", features=values)
    np.save(root / "truth.npy", values / np.linalg.norm(values, axis=-1, keepdims=True))
    return root / "a.npz"


def _check_features(root: Path) -> str:
    extractor = precomputed.build(precomputed.PrecomputedFeaturesSettings(root))
    got = extractor.encode(ImageRef(torch.zeros(*SIZE, 3, dtype=torch.uint8), "a", "mug")).values.numpy()
    wanted = np.load(root / "truth.npy")
    return "" if got.shape == wanted.shape and np.allclose(got, wanted, atol=1e-6) else "other features"


SUBJECTS = {
    "coco": Subject(_coco, lambda root: _check(coco.build(root), root / "labels.json"), is_json=True),
    "folder": Subject(
        _folder, lambda root: _check(folder.build(root), root / "keypoints.json"), is_json=True
    ),
    "labelme": Subject(_labelme, _check_labelme, is_json=True),
    "features": Subject(_features, _check_features),
    "bag": Subject(recordings.write_bag, recordings.check_bag),
    "mesh": Subject(recordings.write_mesh, recordings.check_mesh),
}
