"""Your own images and one JSON file: the easiest way to bring a class.

<root>/keypoints.json
{"categories": {"mug": {"keypoint_names": ["rim", "handle_top"], "flip": [0, 1]}},
 "images": [{"file": "images/a.jpg", "category": "mug", "split": "trn",
             "keypoints": {"rim": [120, 80], "handle_top": null}}],
 "pairs": [["a", "b"]]}

`flip` (ids after mirroring), `flat`, `symmetric`, `edges` of a category are optional, as are an image's
`split` (default trn), `bbox` [x1, y1, x2, y2] (default: around its keypoints), `mask` and `depth`
(default: masks/<stem>.png, depth/<stem>.png or .npy where they exist), and `pairs` (names of images of
one category and split; default: all).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from semcorr_ros.artifacts import AnnotatedImage, CategoryInfo, ImagePair
from semcorr_ros.datasets import Format, _class_facts
from semcorr_ros.datasets._listed import (
    SPLITS,
    Listed,
    box_of,
    by_split,
    first_file,
    pair_of,
    require,
)
from semcorr_ros.files import depth, mask
from semcorr_ros.files.camera import read_camera
from semcorr_ros.files.picture import image_size
from semcorr_ros.storage import read_json

FILE = "keypoints.json"
DEPTH_FILES = "depth/<stem>.png or .npy, or what an image's 'depth' names"


def build(root: Path) -> Listed:
    """Open a folder. Raises FileNotFoundError or ValueError naming the file and the field."""
    path = require(Path(root) / FILE, "a folder data set", f"{FILE} (see docs/datasets.md)")
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("images"), list):
        raise ValueError(f"{path}: expected an object with 'categories' and a list 'images'")
    entries = content.get("categories")
    if not isinstance(entries, dict) or not entries:
        raise ValueError(f"{path}: 'categories' must map each category to its 'keypoint_names'")
    if not all(name.strip() for name in entries):
        raise ValueError(f"{path}: a category needs a name, got {', '.join(map(repr, entries))}")
    infos = {name: _class_facts.from_entry(name, entry, 0, FILE) for name, entry in entries.items()}
    images, skipped = [], []
    for number, entry in enumerate(content["images"]):
        try:
            images.append(_image(Path(root), entry, infos))
        except (ValueError, FileNotFoundError) as error:
            file = entry.get("file") if isinstance(entry, dict) else None
            skipped.append(f"{FILE}, image {file or number}: skipped, {error}")
    grouped = by_split(images)
    pairs, bad = _pairs(content.get("pairs"), grouped)
    return Listed(infos, grouped, pairs, [*skipped, *bad])


PLUGIN = Format(build, depth_files=DEPTH_FILES)


def _image(root: Path, entry: Any, infos: Mapping[str, CategoryInfo]) -> tuple[str, AnnotatedImage]:
    if not isinstance(entry, dict) or not isinstance(entry.get("file"), str):
        raise ValueError(f"expected an object with 'file', got {entry!r}")
    info = infos.get(entry.get("category", ""))
    if info is None:
        raise ValueError(f"category {entry.get('category')!r} is not one of {', '.join(infos)}")
    split = entry.get("split", "trn")
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}; choose from {', '.join(SPLITS)}")
    path = root / entry["file"]
    size = image_size(path)
    keypoints = _keypoints(entry.get("keypoints"), info)
    cameras = root / "cameras" / f"{path.stem}.json"
    return split, AnnotatedImage(
        name=path.stem,
        category=info.name,
        image_path=path,
        size=size,
        keypoints=keypoints,
        visible=torch.isfinite(keypoints).all(-1),
        bbox=_numbers(entry["bbox"], 4, "bbox") if "bbox" in entry else box_of(keypoints, size),
        mask_path=_given(root, entry, "mask") or first_file(root / "masks", path.stem, mask.SUFFIXES),
        depth_path=_given(root, entry, "depth") or first_file(root / "depth", path.stem, depth.SUFFIXES),
        camera=read_camera(cameras, size) if cameras.is_file() else None,
    )


def _keypoints(points: Any, info: CategoryInfo) -> torch.Tensor:
    names = info.keypoint_names
    if isinstance(points, list):
        if len(points) != len(names):
            raise ValueError(f"{len(points)} keypoints for the {len(names)} names of {info.name!r}")
        points = dict(zip(names, points, strict=True))
    if not isinstance(points, dict):
        raise ValueError(f"'keypoints' must map names to [x, y] or null, got {points!r}")
    unknown = sorted(set(points) - set(names))
    if unknown:
        raise ValueError(f"unknown keypoint {unknown[0]!r} of {info.name!r}; known: {', '.join(names)}")
    nothing = [float("nan")] * 2
    rows = [(name, points.get(name)) for name in names]
    return torch.tensor(
        [nothing if row is None else list(_numbers(row, 2, f"keypoint {name!r}")) for name, row in rows]
    ).reshape(-1, 2)


def _numbers(values: Any, count: int, what: str) -> Any:
    # JSON knows no other numbers: float() would also take "12", and true for 1.
    if not isinstance(values, list) or not all(type(value) in (int, float) for value in values):
        raise ValueError(f"{what} must be {count} numbers, got {values!r}")
    numbers = tuple(map(_as_float, values))
    if len(numbers) != count or not torch.isfinite(torch.tensor(numbers)).all():
        raise ValueError(f"{what} must be {count} finite numbers, got {values!r}")
    return numbers


def _as_float(value: int | float) -> float:
    """Convert to float; infinite where an integer of JSON is larger than any float."""
    try:
        return float(value)
    except OverflowError:
        return float("inf")


def _given(root: Path, entry: Mapping[str, Any], key: str) -> Path | None:
    if key not in entry:
        return None
    path = root / str(entry[key])
    if not path.is_file():
        raise FileNotFoundError(f"no {key} {path}")
    return path


def _pairs(
    listed: Any, images: Mapping[tuple[str, str], list[AnnotatedImage]]
) -> tuple[dict[tuple[str, str], list[ImagePair]], list[str]]:
    """Read the listed pairs, and the problems of the others. Without a list: none, so all pairs are used."""
    if listed is None:
        return {}, []
    known = {key: {image.name: image for image in group} for key, group in images.items()}
    found: dict[tuple[str, str], list[ImagePair]] = {key: [] for key in images}
    bad = []
    for pair in listed:
        homes = [
            key for key, group in known.items() if isinstance(pair, list) and {*map(str, pair)} <= set(group)
        ]
        if not homes or len(pair) != 2:
            bad.append(f"{FILE}, pair {pair!r}: skipped, not two images of one category and split")
            continue
        made = pair_of(*(known[homes[0]][str(name)] for name in pair))
        if len(made.keypoint_ids):
            found[homes[0]].append(made)
    return found, bad
