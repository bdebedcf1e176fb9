"""COCO keypoints: JSON files with `images`, `annotations` and `categories`.

<root> is such a file, or a folder with files in it or in annotations/. A file whose name holds `train`,
`val` or `test` is that split, any other one is training. Images are looked for beside the files, in
images/, data/ and the split's folder. An image with several objects shows its largest one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from semcorr_ros.artifacts import AnnotatedImage, CategoryInfo
from semcorr_ros.datasets import Format
from semcorr_ros.datasets._listed import Listed, box_of, by_split, require
from semcorr_ros.files import orientation
from semcorr_ros.files.picture import image_size
from semcorr_ros.storage import read_json

MIRRORED = (("left", "right"), ("Left", "Right"))
SPLIT_OF = {"train": "trn", "val": "val", "test": "test"}


def build(root: Path) -> Listed:
    """Open a file or folder. Raises FileNotFoundError or ValueError naming the file."""
    root = Path(root)
    infos: dict[str, CategoryInfo] = {}
    images: list[tuple[str, AnnotatedImage]] = []
    skipped: list[str] = []
    for path in annotation_files(root):
        content = read(path)
        infos |= {info.name: info for info in map(category_info, content["categories"])}
        split = next((short for word, short in SPLIT_OF.items() if word in path.stem), "trn")
        folders = [path.parent, path.parent / "images", path.parent / "data"]
        folders += [folder.parent / name for folder in folders[:1] for name in ("images", "data", path.stem)]
        for image, annotation in largest(content):
            try:
                images.append((split, annotated_image(content, image, annotation, folders)))
            except (ValueError, FileNotFoundError) as error:
                skipped.append(f"{path.name}, image {image.get('id')}: skipped, {error}")
    return Listed(infos, by_split(images), skipped=skipped)


PLUGIN = Format(build)


def annotation_files(root: Path) -> list[Path]:
    """List the JSON files of a COCO data set. Raises FileNotFoundError."""
    if root.is_file():
        return [root]
    found = sorted(root.glob("*.json")) or sorted((root / "annotations").glob("*.json"))
    if not found:
        require(root / "annotations" / "*.json", "a COCO data set", "a JSON file with images and annotations")
    return found


def read(path: Path) -> dict[str, Any]:
    """Read a COCO file. Raises ValueError naming the missing field."""
    content = read_json(path)
    for key in ("images", "annotations", "categories"):
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise ValueError(f"{path}: expected an object with a list {key!r}, as COCO keypoints have")
    return content


def category_info(entry: Mapping[str, Any]) -> CategoryInfo:
    """Read keypoint names, the flip table that left and right in them give, and the skeleton."""
    names = tuple(str(name) for name in entry.get("keypoints", ()))
    edges = tuple((int(a) - 1, int(b) - 1) for a, b in entry.get("skeleton", ()))  # COCO counts from 1
    return CategoryInfo(str(entry["name"]), names, flip_of(names), edges=edges)


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
    return tuple(flip) if flip != list(range(len(names))) else None


def largest(content: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield (image, its largest annotation with visible keypoints), in the order of the file."""
    best: dict[Any, dict[str, Any]] = {}
    for annotation in content["annotations"]:
        key, area = annotation.get("image_id"), annotation.get("area", 0)
        if any(annotation.get("keypoints", [])[2::3]) and (
            key not in best or area > best[key].get("area", 0)
        ):
            best[key] = annotation
    yield from ((image, best[image["id"]]) for image in content["images"] if image["id"] in best)


def annotated_image(
    content: Mapping[str, Any], image: Mapping[str, Any], annotation: Mapping[str, Any], folders: list[Path]
) -> AnnotatedImage:
    """Read one image. Raises ValueError or FileNotFoundError."""
    entry = next((c for c in content["categories"] if c["id"] == annotation.get("category_id")), None)
    if entry is None:
        raise ValueError(f"category_id {annotation.get('category_id')!r} is not in 'categories'")
    path = next((p for folder in folders if (p := folder / image["file_name"]).is_file()), None)
    if path is None:
        places = ", ".join(folder.name for folder in folders)
        raise FileNotFoundError(f"no image {image['file_name']} in {places}")
    flat = torch.tensor([float(v) for v in annotation["keypoints"]])
    count = len(entry.get("keypoints", ()))
    if len(flat) != 3 * count:
        raise ValueError(f"{len(flat)} keypoint numbers, expected 3 x {count}")
    points, visible = flat.reshape(-1, 3)[:, :2].clone(), flat.reshape(-1, 3)[:, 2] > 0
    points[~visible] = torch.nan
    said = int(image["height"]), int(image["width"])
    turn, size = orientation.of_annotation(path, said), image_size(path)
    points = orientation.upright_points(points, turn, size)
    x, y, w, h = orientation.upright_box(annotation.get("bbox", (0, 0, 0, 0)), turn, size)
    return AnnotatedImage(
        name=path.stem,
        category=str(entry["name"]),
        image_path=path,
        size=size,
        keypoints=points,
        visible=visible,
        bbox=(float(x), float(y), float(x + w), float(y + h)) if w and h else box_of(points, size),
    )
