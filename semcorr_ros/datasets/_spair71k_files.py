"""The JSON files of SPair-71k: one parser each, raising ValueError that names the field."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.artifacts import AnnotatedImage, ImagePair
from semcorr_ros.datasets._listed import first_file
from semcorr_ros.files import depth, mask

DIFFICULTY = ("viewpoint_variation", "scale_variation", "truncation", "occlusion")
IMAGE_SUFFIXES = (".jpg", ".png", ".jpeg", ".JPG")


def keypoint_count(annotation: Mapping[str, Any]) -> int:
    """Return 1 + the highest annotated id of an ImageAnnotation."""
    return 1 + max((int(i) for i, point in _keypoints(annotation).items() if point is not None), default=-1)


def annotated_image(root: Path, category: str, name: str, annotation: Any, count: int) -> AnnotatedImage:
    """Read one image from its ImageAnnotation content. Raises ValueError or FileNotFoundError."""
    keypoints = torch.full((count, 2), float("nan"))
    for i, point in _keypoints(annotation).items():
        if point is not None:
            keypoints[int(i)] = torch.tensor(_numbers(point, 2, f"keypoint {i}"))
    height, width = (int(_field(annotation, key)) for key in ("image_height", "image_width"))
    x1, y1, x2, y2 = _numbers(_field(annotation, "bndbox"), 4, "bndbox")
    return AnnotatedImage(
        name=name,
        category=category,
        image_path=_image_path(root / "JPEGImages" / category, name, annotation.get("filename")),
        size=(height, width),
        keypoints=keypoints,
        visible=torch.isfinite(keypoints).all(-1),
        bbox=(x1, y1, x2, y2),
        mask_path=first_file(root / "Segmentation" / category, name, mask.SUFFIXES),
        depth_path=first_file(root / "Depth" / category, name, depth.SUFFIXES),
        azimuth_id=_azimuth(annotation.get("azimuth_id")),
    )


def image_pair(content: Any) -> ImagePair:
    """Read one PairAnnotation. Raises ValueError."""
    if _field(content, "mirror", 0) != 0:
        raise ValueError(f"mirror must be 0, got {content['mirror']!r}")
    ids = torch.tensor([int(i) for i in _field(content, "kps_ids")], dtype=torch.int64)
    source, target = (_points(_field(content, key), key) for key in ("src_kps", "trg_kps"))
    if not len(ids) == len(source) == len(target):
        raise ValueError(f"{len(ids)} kps_ids for {len(source)} src_kps and {len(target)} trg_kps")
    x1, y1, x2, y2 = _numbers(_field(content, "trg_bndbox"), 4, "trg_bndbox")
    return ImagePair(
        source=pair_names(content)[0],
        target=pair_names(content)[1],
        keypoint_ids=ids,
        source_keypoints=source,
        target_keypoints=target,
        target_bbox=(x1, y1, x2, y2),
        difficulty={key: int(content[key]) for key in DIFFICULTY if key in content},
    )


def pair_names(content: Any) -> tuple[str, str]:
    """Return the file stems of the source and target image of a PairAnnotation."""
    return Path(_field(content, "src_imname")).stem, Path(_field(content, "trg_imname")).stem


def _azimuth(value: Any) -> int | None:
    """Read an eighth of a turn, or None where it is missing or no number: it only sorts results."""
    return int(value) if str(value).isdecimal() else None


def _keypoints(annotation: Any) -> dict[str, Any]:
    points = _field(annotation, "kps")
    if not isinstance(points, dict) or not all(i.isdecimal() for i in points):
        raise ValueError(f"kps must map ids to [x, y] or null, got {points!r}")
    return points


def _field(content: Any, key: str, default: Any = None) -> Any:
    if not isinstance(content, dict):
        raise ValueError(f"expected an object with {key!r}, got {type(content).__name__}")
    if key not in content and default is None:
        raise ValueError(f"no field {key!r}; found {', '.join(content) or 'nothing'}")
    return content.get(key, default)


def _numbers(values: Any, count: int, what: str) -> list[float]:
    try:
        numbers = torch.tensor([float(value) for value in values])
    except (TypeError, ValueError) as error:
        raise ValueError(f"{what} must be {count} numbers, got {values!r}") from error
    if len(numbers) != count or not torch.isfinite(numbers).all():
        raise ValueError(f"{what} must be {count} finite numbers, got {values!r}")
    return numbers.tolist()


def _points(values: Any, what: str) -> Float[Tensor, "keypoint 2"]:
    return torch.tensor([_numbers(point, 2, what) for point in values]).reshape(-1, 2)


def _image_path(folder: Path, name: str, filename: str | None) -> Path:
    if filename and (folder / filename).is_file():
        return folder / filename
    path = first_file(folder, name, IMAGE_SUFFIXES)
    if path is None:
        raise FileNotFoundError(f"no image {folder / (filename or name + IMAGE_SUFFIXES[0])}")
    return path
