"""AwA-Pose (Banik et al. 2021) on the images of Animals with Attributes 2.

<root>/Annotations/<class>/<class>_<number>.pickle and <root>/JPEGImages/<class>/<class>_<number>.jpg.
The pickles hold plain dictionaries and lists; the reader refuses everything else, so that no file can
run code. Only the first animal of an image (`a1`) counts. <root>/random_pairs.txt (lines
`<class>/<image>.jpg <class>/<image>.jpg`) lists the test pairs; without it, all pairs of the last third.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import torch

from semcorr_ros.artifacts import AnnotatedImage, CategoryInfo, ImagePair
from semcorr_ros.datasets import Format
from semcorr_ros.datasets._coco_categories import flip_of
from semcorr_ros.datasets._listed import Listed, pair_of, require
from semcorr_ros.files.picture import image_size

# "thai" is the authors' spelling.
PARTS = [
    "nose",
    "upper_jaw",
    "lower_jaw",
    "mouth_end_right",
    "mouth_end_left",
    "right_eye",
    "right_earbase",
    "right_earend",
    "right_antler_base",
    "right_antler_end",
    "left_eye",
    "left_earbase",
    "left_earend",
    "left_antler_base",
    "left_antler_end",
    "neck_base",
    "neck_end",
    "throat_base",
    "throat_end",
    "back_base",
    "back_end",
    "back_middle",
    "tail_base",
    "tail_end",
    "front_left_thai",
    "front_left_knee",
    "front_left_paw",
    "front_right_thai",
    "front_right_knee",
    "front_right_paw",
    "back_left_paw",
    "back_left_thai",
    "back_right_thai",
    "back_left_knee",
    "back_right_knee",
    "back_right_paw",
    "belly_bottom",
    "body_middle_right",
    "body_middle_left",
]


class PlainUnpickler(pickle.Unpickler):
    """Reads dictionaries, lists, strings and numbers; refuses to look up any class or function."""

    def find_class(self, module: str, name: str) -> Any:
        """Refuse every class. Raises pickle.UnpicklingError."""
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which plain annotations never do")


def read_plain_pickle(file: IO[bytes]) -> Any:
    """Read a pickle of plain values. Raises ValueError for any other one."""
    try:
        return PlainUnpickler(file).load()
    except Exception as error:  # a damaged pickle can raise nearly anything
        raise ValueError(f"not a pickle of plain values: {error}") from error


def build(root: Path) -> Listed:
    """Open a folder. Raises FileNotFoundError."""
    root = Path(root)
    folder = require(root / "Annotations", "AwA-Pose", "Annotations/<class>/*.pickle and JPEGImages/<class>/")
    images: dict[tuple[str, str], list[AnnotatedImage]] = {}
    skipped: list[str] = []
    names = sorted(path.name for path in folder.iterdir() if path.is_dir())
    for category in names:
        found = []
        for path in sorted((folder / category).glob("*.pickle")):
            try:
                found.append(_image(root, category, path))
            except (ValueError, OSError) as error:
                skipped.append(f"{path.relative_to(root)}: skipped, {error}")
        third = max(1, len(found) // 3)
        images[category, "trn"], images[category, "test"] = found[:-third], found[-third:]
    listed = root / "random_pairs.txt"
    pairs: dict[tuple[str, str], list[ImagePair]] = {}
    if listed.is_file():
        images, pairs = _listed_pairs(listed.read_text().splitlines(), images)
    infos = {name: CategoryInfo(name, tuple(PARTS), flip_of(tuple(PARTS))) for name in names}
    return Listed(infos, images, pairs, skipped)


PLUGIN = Format(build)


def _image(root: Path, category: str, path: Path) -> AnnotatedImage:
    with path.open("rb") as file:
        content = read_plain_pickle(file)
    animal = content.get("a1") if isinstance(content, dict) else None
    if not isinstance(animal, dict):
        raise ValueError("no first animal 'a1'")
    image = root / "JPEGImages" / category / f"{path.stem}.jpg"
    size = image_size(image)
    points = torch.tensor([[float(v) for v in animal.get(part, (-1, -1))] for part in PARTS])
    visible = (points >= 0).all(-1)
    points[~visible] = torch.nan
    x1, y1, x2, y2 = (float(v) for v in animal["bbox"]) if "bbox" in animal else (0, 0, size[1], size[0])
    return AnnotatedImage(path.stem, category, image, size, points, visible, (x1, y1, x2, y2))


def _listed_pairs(
    lines: Sequence[str], images: dict[tuple[str, str], list[AnnotatedImage]]
) -> tuple[dict[tuple[str, str], list[AnnotatedImage]], dict[tuple[str, str], list[ImagePair]]]:
    """Split by the listed pairs: their images are test images, all others training images."""
    known = {image.name: image for group in images.values() for image in group}
    pairs: dict[tuple[str, str], list[ImagePair]] = {}
    tested = set()
    for line in lines:
        names = [Path(cell).stem for cell in line.split()]
        if len(names) == 2 and {*names} <= set(known):
            source, target = known[names[0]], known[names[1]]
            pair = pair_of(source, target)
            if source.category == target.category and len(pair.keypoint_ids):
                pairs.setdefault((source.category, "test"), []).append(pair)
                tested |= {*names}
    split: dict[tuple[str, str], list[AnnotatedImage]] = {}
    for image in known.values():
        split.setdefault((image.category, "test" if image.name in tested else "trn"), []).append(image)
    return split, pairs
