"""Freiburg static cars (Sedaghat and Brox 2015): turntable videos with boxes and azimuths, no keypoints.

<root>/images/<car folder, ending in its number>/<frame>.png|jpg, <root>/annotations/<number>_annot.txt
with lines `<folder>/<frame>.<ext> x1 y1 x2 y2 azimuth`, <root>/instance_masks/<folder>/<frame>.png
(optional). The first two thirds of the cars are for training, the others for testing.
"""

from __future__ import annotations

from pathlib import Path

import torch

from semcorr_ros.artifacts import AnnotatedImage, CategoryInfo, ImagePair
from semcorr_ros.datasets import Format
from semcorr_ros.datasets._listed import Listed, first_file, require
from semcorr_ros.files.picture import image_size

CATEGORY = "car"
SUFFIXES = (".png", ".jpg", ".jpeg")


def build(root: Path) -> Listed:
    """Open a folder. Raises FileNotFoundError or ValueError naming the file."""
    root = Path(root)
    require(root / "images", "Freiburg cars", "images/<car>/ and annotations/<number>_annot.txt")
    folder = require(root / "annotations", "Freiburg cars", "annotations/<number>_annot.txt")
    cars: list[list[AnnotatedImage]] = []
    skipped: list[str] = []
    for path in sorted(folder.glob("*_annot.txt")):
        frames = []
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            if not line.strip():
                continue
            try:
                frames.append(_frame(root, line))
            except (ValueError, OSError) as error:
                skipped.append(f"{path.name}, line {number}: skipped, {error}")
        if frames:
            cars.append(frames)
    if not cars:
        raise ValueError(f"{folder} names no readable frame: {skipped[0] if skipped else 'no *_annot.txt'}")
    border = max(1, round(2 * len(cars) / 3))
    images = {
        (CATEGORY, "trn"): [frame for car in cars[:border] for frame in car],
        (CATEGORY, "test"): [frame for car in cars[border:] for frame in car],
    }
    nothing: dict[tuple[str, str], list[ImagePair]] = {
        (CATEGORY, split): [] for split in ("trn", "val", "test")
    }  # no keypoints, no pairs
    return Listed({CATEGORY: CategoryInfo(CATEGORY, (), None)}, images, nothing, skipped)


PLUGIN = Format(build)


def _frame(root: Path, line: str) -> AnnotatedImage:
    cells = line.split()
    if len(cells) != 6:
        raise ValueError(f"expected `folder/frame x1 y1 x2 y2 azimuth`, got {line!r}")
    folder, stem = Path(cells[0]).parent.name, Path(cells[0]).stem
    path = first_file(root / "images" / folder, stem, SUFFIXES)
    if path is None:
        raise FileNotFoundError(f"no image {root / 'images' / folder / stem}.*")
    x1, y1, x2, y2, azimuth = (float(cell) for cell in cells[1:6])
    return AnnotatedImage(
        name=f"{folder}_{stem}",
        category=CATEGORY,
        image_path=path,
        size=image_size(path),
        keypoints=torch.zeros(0, 2),
        visible=torch.zeros(0, dtype=torch.bool),
        bbox=(x1, y1, x2, y2),
        mask_path=first_file(root / "instance_masks" / folder, stem, SUFFIXES),
        azimuth_id=round(azimuth % 360 / 45) % 8,
    )
