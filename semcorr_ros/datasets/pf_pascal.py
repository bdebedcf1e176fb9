"""PF-PASCAL (Ham et al. 2017) with the customary pair lists.

<root>/JPEGImages/<id>.jpg, <root>/Annotations/<category>/<id>.mat (`kps` (K, 2), NaN = missing), and
<root>/{train,val,test}_pairs.csv or {train,val,test}_pairs_pf_pascal.csv. A list with coordinates
(source_image,target_image,class,XA,YA,XB,YB) carries them for its pairs; one without takes the .mat files.
PCK is measured against the image here: `evaluate --threshold image`.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import torch
from jaxtyping import Float
from scipy.io import loadmat
from torch import Tensor

from semcorr_ros.artifacts import AnnotatedImage, CategoryInfo, ImagePair
from semcorr_ros.datasets import Format
from semcorr_ros.datasets._listed import Listed, box_of, pair_of, require
from semcorr_ros.files.picture import image_size

CATEGORIES = (
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)
FILES = {"trn": "train", "val": "val", "test": "test"}


def build(root: Path) -> Listed:
    """Open a folder. Raises FileNotFoundError or ValueError naming the file."""
    root = Path(root)
    require(root / "JPEGImages", "PF-PASCAL", "JPEGImages/, Annotations/ and {train,val,test}_pairs.csv")
    images: dict[tuple[str, str], dict[str, AnnotatedImage]] = {}
    pairs: dict[tuple[str, str], list[ImagePair]] = {}
    skipped: list[str] = []
    for split, word in FILES.items():
        for number, row in enumerate(_rows(root, word), start=2):
            try:
                category, pair, shown = _pair(root, row)
            except (ValueError, KeyError, OSError) as error:
                skipped.append(f"{word}_pairs.csv, line {number}: skipped, {error}")
                continue
            for image in shown:
                images.setdefault((category, split), {})[image.name] = image
            pairs.setdefault((category, split), []).append(pair)
    if not images:
        reason = skipped[0] if skipped else "no {train,val,test}_pairs.csv"
        raise ValueError(f"{root} has no usable PF-PASCAL pairs: {reason}")
    most: dict[str, int] = {}
    for (category, _), group in images.items():
        most[category] = max(most.get(category, 0), *(len(image.keypoints) for image in group.values()))
    infos = {name: CategoryInfo(name, tuple(map(str, range(count))), None) for name, count in most.items()}
    padded = {
        key: [_padded(image, most[key[0]]) for image in group.values()] for key, group in images.items()
    }
    return Listed(infos, padded, pairs, skipped)


PLUGIN = Format(build)


def _rows(root: Path, word: str) -> list[dict[str, str]]:
    for name in (f"{word}_pairs.csv", f"{word}_pairs_pf_pascal.csv"):
        if (root / name).is_file():
            with (root / name).open(newline="") as file:
                return list(csv.DictReader(file))
    return []


def _pair(root: Path, row: Mapping[str, str]) -> tuple[str, ImagePair, tuple[AnnotatedImage, AnnotatedImage]]:
    category = CATEGORIES[int(row["class"]) - 1]
    source = _image(root, category, row["source_image"])
    target = _image(root, category, row["target_image"])
    if not row.get("XA"):
        return category, pair_of(source, target), (source, target)
    first, second = (torch.stack([_floats(row["X" + k]), _floats(row["Y" + k])], -1) for k in "AB")
    if len(first) != len(second):
        raise ValueError(f"{len(first)} source but {len(second)} target coordinates")
    # Listed coordinates have no keypoint id: their index in the list is used.
    pair = ImagePair(source.name, target.name, torch.arange(len(first)), first, second, target.bbox)
    return category, pair, (source, target)


def _image(root: Path, category: str, cell: str) -> AnnotatedImage:
    path = root / "JPEGImages" / Path(cell).name
    size = image_size(path)
    keypoints = _keypoints(root / "Annotations" / category / f"{path.stem}.mat")
    return AnnotatedImage(
        name=path.stem,
        category=category,
        image_path=path,
        size=size,
        keypoints=keypoints,
        visible=torch.isfinite(keypoints).all(-1),
        bbox=box_of(keypoints, size),
    )


def _keypoints(path: Path) -> Float[Tensor, "keypoint 2"]:
    """Read the keypoints of a .mat file; none where there is no file."""
    if not path.is_file():
        return torch.zeros(0, 2)
    points = loadmat(path).get("kps")
    if points is None or points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"{path}: expected a variable kps (K, 2)")
    return torch.from_numpy(points.astype("float32"))


def _padded(image: AnnotatedImage, count: int) -> AnnotatedImage:
    missing = count - len(image.keypoints)
    return AnnotatedImage(
        **{
            **vars(image),
            "keypoints": torch.cat([image.keypoints, torch.full((missing, 2), torch.nan)]),
            "visible": torch.cat([image.visible, torch.zeros(missing, dtype=torch.bool)]),
        }
    )


def _floats(cell: str) -> Float[Tensor, "point"]:
    return torch.tensor([float(value) for value in cell.split(";") if value])
