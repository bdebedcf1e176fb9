"""Your own images and one JSON file: the easiest way to bring a class.

<root>/keypoints.json
{"categories": {"mug": {"keypoint_names": ["rim", "handle_top"], "flip": [0, 1]}},
 "images": [{"file": "images/a.jpg", "category": "mug", "split": "trn",
             "keypoints": {"rim": [120, 80], "handle_top": null}}],
 "pairs": [["a", "b"]]}

`flip` (ids after mirroring), `flat`, `symmetric`, `edges` of a category are optional, as are an image's
`split` (default trn), `bbox` [x1, y1, x2, y2] (default: around its keypoints), `mask` and `depth`
(default: masks/<stem>.png, depth/<stem>.png or .npy where they exist; with its folder, masks/x/<stem>.png,
where two have one stem), and `pairs` (names of images of
one category and split; default: all). A picture that shows several objects is listed once for each.

Without keypoints.json, files of labelme say all that: see _labelme.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from pathlib import Path, PurePosixPath
from typing import Any

import torch

from semcorr_ros.artifacts import AnnotatedImage, CategoryInfo, ImagePair
from semcorr_ros.datasets import Format, _class_facts, _labelme
from semcorr_ros.datasets._listed import (
    SPLITS,
    Listed,
    box_of,
    by_split,
    distinct,
    first_file,
    pair_of,
    require,
)
from semcorr_ros.datasets._marks import checked_box, numbers, shown, within
from semcorr_ros.files import depth, mask
from semcorr_ros.files.camera import read_camera
from semcorr_ros.files.picture import image_size
from semcorr_ros.storage import read_json

FILE = "keypoints.json"
DEPTH_FILES = "depth/<stem>.png or .npy, or what an image's 'depth' names"


def build(root: Path) -> Listed:
    """Open a folder. Raises FileNotFoundError or ValueError naming the file and the field."""
    path, skipped = Path(root) / FILE, list[str]()
    content = None if path.exists() else _labelme.content_of(Path(root), skipped.append)
    if content is None:
        expected = f"{FILE}, or labelme's JSON files (see docs/datasets.md)"
        content = read_json(require(path, "a folder data set", expected))
    if not isinstance(content, dict) or not isinstance(content.get("images"), list):
        raise ValueError(f"{path}: expected an object with 'categories' and a list 'images'")
    entries = content.get("categories")
    if not isinstance(entries, dict) or not entries:
        raise ValueError(f"{path}: 'categories' must map each category to its 'keypoint_names'")
    if not all(name.strip() for name in entries):
        raise ValueError(f"{path}: a category needs a name, got {', '.join(map(repr, entries))}")
    infos = {name: _class_facts.from_entry(name, entry, 0, FILE) for name, entry in entries.items()}
    images, shared = [], _shared_stems(content["images"])
    for number, entry in enumerate(content["images"]):
        file = entry.get("file") if isinstance(entry, dict) else None
        try:
            split, image, outside = _image(Path(root), entry, infos, shared)
        except (ValueError, OSError) as error:
            skipped.append(f"{FILE}, image {file or number}: skipped, {error}")
            continue
        images.append((split, image))
        skipped += [f"{FILE}, image {file}: {outside}"] if outside else []
    grouped = by_split(distinct(images, skipped.append))
    pairs, bad = _pairs(content.get("pairs"), grouped)
    return Listed(infos, grouped, pairs, [*skipped, *bad])


PLUGIN = Format(build, depth_files=DEPTH_FILES)


def _image(
    root: Path, entry: Any, infos: Mapping[str, CategoryInfo], shared: Set[str]
) -> tuple[str, AnnotatedImage, str]:
    """Read split, image, and a sentence on keypoints that are left out. Raises ValueError or OSError."""
    if not isinstance(entry, dict) or not isinstance(entry.get("file"), str):
        raise ValueError(f"expected an object with 'file', got {shown(entry)}")
    category, split = entry.get("category"), entry.get("split", "trn")
    info = infos.get(category) if isinstance(category, str) else None
    if info is None:
        raise ValueError(f"category {shown(category)} is not one of {', '.join(infos)}")
    if split not in SPLITS:
        raise ValueError(f"unknown split {shown(split)}; choose from {', '.join(SPLITS)}")
    path = root / _file(entry)
    size = image_size(path)
    keypoints = _keypoints(entry.get("keypoints"), info)
    keypoints, visible, outside = within(
        keypoints, torch.isfinite(keypoints).all(-1), size, info.keypoint_names
    )
    names = _names_beside(_file(entry), shared)
    camera = _beside(root / "cameras", names, (".json",))
    image = AnnotatedImage(
        name=path.stem,
        category=info.name,
        image_path=path,
        size=size,
        keypoints=keypoints,
        visible=visible,
        bbox=_box(entry, keypoints, size),
        mask_path=_given(root, entry, "mask") or _beside(root / "masks", names, mask.SUFFIXES),
        depth_path=_given(root, entry, "depth") or _beside(root / "depth", names, depth.SUFFIXES),
        camera=None if camera is None else read_camera(camera, size),
    )
    return split, image, outside


def _file(entry: Mapping[str, Any]) -> PurePosixPath:
    return PurePosixPath(entry["file"].replace("\\", "/"))


def _shared_stems(entries: Sequence[Any]) -> set[str]:
    """List the stems of several files: masks/<stem>.png does not say whose it is."""
    known = [entry for entry in entries if isinstance(entry, dict) and isinstance(entry.get("file"), str)]
    counts = Counter(path.stem for path in {_file(entry) for entry in known})
    return {stem for stem, count in counts.items() if count > 1}


def _names_beside(file: PurePosixPath, shared: Set[str]) -> list[str]:
    """List the names that a file of images/x/m.jpg may have in masks/: x/m, images/x/m, m."""
    whole = file.with_suffix("")
    inner = PurePosixPath(*whole.parts[1:]) if len(whole.parts) > 1 else whole
    nested = [str(inner), str(whole)] if not whole.is_absolute() else []
    return [name for name in (*nested, file.stem) if name not in shared]


def _beside(folder: Path, names: Sequence[str], suffixes: Sequence[str]) -> Path | None:
    return next((path for name in names if (path := first_file(folder, name, suffixes))), None)


def _box(
    entry: Mapping[str, Any], keypoints: torch.Tensor, size: tuple[int, int]
) -> tuple[float, float, float, float]:
    if entry.get("bbox") is None:
        return box_of(keypoints, size)
    x1, y1, x2, y2 = numbers(entry["bbox"], 4, "bbox")
    return checked_box((x1, y1, x2, y2), keypoints, size, "x1, y1, x2, y2")


def _keypoints(points: Any, info: CategoryInfo) -> torch.Tensor:
    names = info.keypoint_names
    if isinstance(points, list):
        if len(points) != len(names):
            raise ValueError(f"{len(points)} keypoints for the {len(names)} names of {info.name!r}")
        points = dict(zip(names, points, strict=True))
    if not isinstance(points, dict):
        raise ValueError(f"'keypoints' must map names to [x, y] or null, got {shown(points)}")
    unknown = sorted(set(points) - set(names))
    if unknown:
        raise ValueError(f"unknown keypoint {unknown[0]!r} of {info.name!r}; known: {', '.join(names)}")
    nothing = [float("nan")] * 2
    rows = [(name, points.get(name)) for name in names]
    return torch.tensor(
        [nothing if row is None else list(numbers(row, 2, f"keypoint {name!r}")) for name, row in rows]
    ).reshape(-1, 2)


def _given(root: Path, entry: Mapping[str, Any], key: str) -> Path | None:
    if entry.get(key) is None:
        return None
    path = root / str(entry[key]).replace("\\", "/")
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
    if not isinstance(listed, list):
        return {}, [f"{FILE}: 'pairs' must list [name, name], got {shown(listed)}; all pairs are used"]
    bad = []
    for pair in listed:
        homes = [
            key for key, group in known.items() if isinstance(pair, list) and {*map(str, pair)} <= set(group)
        ]
        if not homes or len(pair) != 2:
            bad.append(f"{FILE}, pair {shown(pair)}: skipped, not two images of one category and split")
            continue
        made = pair_of(*(known[homes[0]][str(name)] for name in pair))
        if len(made.keypoint_ids):
            found[homes[0]].append(made)
    return found, bad
