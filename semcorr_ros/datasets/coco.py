"""COCO keypoints, as COCO itself and the annotation tools export them (docs/datasets.md).

<root> is a JSON file with `images`, `annotations` and `categories`, or a folder with such files in it, in
annotations/ or in its folders, two deep. A file whose name, or whose folder's name, has the word train, val
(valid) or test is that split; any other one is training. Pictures are looked for under the root by the path
that the file has for them, also a Windows one, an address or an escaped one.

Every object with keypoints is an image of its category, however many a picture shows; crowds are left out.
v = 2 is visible, 1 is labelled but hidden: its place is kept, nothing is learned or measured there.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from semcorr_ros.artifacts import AnnotatedImage, CategoryInfo
from semcorr_ros.datasets import Format
from semcorr_ros.datasets import _coco_files as files
from semcorr_ros.datasets._coco_categories import Note, key_of
from semcorr_ros.datasets._coco_files import CocoFile
from semcorr_ros.datasets._coco_pictures import Picture, pictures_of
from semcorr_ros.datasets._image_files import ImageFiles
from semcorr_ros.datasets._listed import SPLIT_OF, Listed, by_split, distinct, require, split_named
from semcorr_ros.datasets._marks import box_from_corner, shown, within
from semcorr_ros.files.orientation import SIDEWAYS, upright_box, upright_points

WHERE = (
    "*.json", "annotations/*.json", "*/*.json", "*/annotations/*.json",
    "annotations/*/*.json", "*/*/*.json", "*/*/annotations/*.json",
)  # fmt: skip
UPRIGHT = 1  # EXIF orientation
EXPECTED = "a JSON file with images, annotations and categories"


def build(root: Path) -> Listed:
    """Open a file or folder. Raises FileNotFoundError or ValueError naming the file."""
    root, problems = Path(root), list[str]()
    places = ImageFiles(home_of(root))
    infos: dict[str, CategoryInfo] = {}
    images: list[tuple[str, AnnotatedImage]] = []
    for file in coco_files(root, problems.append):
        split, file = split_of(file.path, root), files.merged(infos, file, problems.append)
        images += [(split, image) for _, image in annotated(file, places, problems.append)]
    problems += _never_visible(infos, images)
    return Listed(infos, by_split(distinct(images, problems.append)), skipped=problems)


PLUGIN = Format(build)


def home_of(root: Path) -> Path:
    """Return the folder under which the pictures of a file or folder lie."""
    folder = root.resolve().parent if root.is_file() else root
    return folder.parent if folder.name == "annotations" else folder


def coco_files(root: Path, note: Note) -> list[CocoFile]:
    """Read the files of a data set; others of them are named. Raises FileNotFoundError or ValueError."""
    found: list[CocoFile] = []
    bad: list[ValueError] = []
    for pattern in ("",) if root.is_file() else WHERE:
        for path in sorted(root.glob(pattern)) if pattern else [root]:
            name = str(path.relative_to(root)) if pattern else path.name
            try:
                found.append(files.read_coco(path, name, note))
            except ValueError as error:
                bad.append(error)
        if found:
            break
    if not found and bad:
        raise bad[0]
    if not found:
        require(root / "annotations" / "*.json", "a COCO data set", EXPECTED)
    for reason in bad:
        note(f"skipped, {reason}")
    return found


def split_of(path: Path, root: Path) -> str:
    """Tell the split by the words in the name of a file, else of the folders under the root it lies in."""
    folders = [] if root.is_file() else list(path.relative_to(root).parent.parts)
    for name in (path.stem, *reversed(folders)):
        if (split := split_named(name)) is not None:
            return split
    # Roboflow tells it by the folder alone, which may be the root.
    return SPLIT_OF.get(path.parent.name, "trn") if path.name.startswith("_") else "trn"


def annotated(file: CocoFile, places: ImageFiles, note: Note) -> Iterator[tuple[str, AnnotatedImage]]:
    """Yield (id of the image, one of its objects) for every object with keypoints that can be used."""
    objects = [one for one in file.annotations if _belongs(file, *one, note)]
    wanted = {key for _, one in objects if (key := key_of(one.get("image_id"))) is not None}
    pictures, unmarked = pictures_of(file, wanted, places, note), 0
    for name, one in objects:
        key = key_of(one.get("image_id")) or ""
        if key not in file.images:
            note(f"{file.name}, {name}: skipped, image_id {shown(one.get('image_id'))} is not in 'images'")
        elif not files.is_marked(one):
            unmarked += "keypoints" not in one
        elif key in pictures:
            prefix = f"{file.name}, {name} ({pictures[key].path.name})"
            try:
                yield key, _object(file, one, pictures[key], lambda text, at=prefix: note(f"{at}: {text}"))  # type: ignore[misc]
            except ValueError as error:
                note(f"{prefix}: skipped, {error}")
    if unmarked:
        note(f"{file.name}: {unmarked} objects of categories with keypoints have none, not used")


def _belongs(file: CocoFile, name: str, annotation: dict[str, Any], note: Note) -> bool:
    key = key_of(annotation.get("category_id"))
    if key not in file.categories and key not in file.others:
        told = shown(annotation.get("category_id"))
        note(f"{file.name}, {name}: skipped, category_id {told} is of no usable category")
    elif key in file.others and files.is_marked(annotation):
        note(f"{file.name}, {name}: skipped, its category names no 'keypoints'")
    return key in file.categories


def _object(file: CocoFile, annotation: dict[str, Any], picture: Picture, note: Note) -> AnnotatedImage:
    size, turn = picture.size, picture.turn
    stored = size[::-1] if turn in SIDEWAYS else size
    key = key_of(annotation.get("category_id")) or ""
    info, order = file.categories[key], file.orders[key]
    written = [""] * len(order)
    for place, k in enumerate(order):
        written[k] = info.keypoint_names[place]
    points, visible = files.keypoints_of(annotation, tuple(written), note)
    points, visible, outside = within(points[order], visible[order], stored, info.keypoint_names)
    if outside:
        note(outside)
    if not torch.isfinite(points).any():
        raise ValueError("no keypoint is left")
    box = box_from_corner(annotation.get("bbox"), points, stored)
    if turn != UPRIGHT:
        x, y, w, h = upright_box((box[0], box[1], box[2] - box[0], box[3] - box[1]), turn, size)
        points, box = upright_points(points, turn, size), (x, y, x + w, y + h)
    return AnnotatedImage(picture.path.stem, info.name, picture.path, size, points, visible, box)


def _never_visible(infos: dict[str, CategoryInfo], images: list[tuple[str, AnnotatedImage]]) -> list[str]:
    shown_ones = {image.category for _, image in images if image.visible.any()}
    hidden = sorted({image.category for _, image in images} - shown_ones)
    return [
        f"{name!r}: no keypoint is visible, all have v = 1, labelled but hidden; write 2 where they are seen"
        for name in hidden
    ]
