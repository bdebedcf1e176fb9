"""A fabricated data set in the layout of SPair-71k, written to a temporary folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 80, 60


@dataclass(frozen=True)
class Folder:
    """Where it is and what is in it."""

    root: Path
    category: str
    names: tuple[str, ...]
    keypoints: np.ndarray  # (image, keypoint, 2), NaN = not annotated


def write_folder(root: Path, category: str = "chair", images: int = 4, seed: int = 0) -> Folder:
    """Images 0 and 1 are in trn, the others in test; keypoint 3 is missing in every odd image."""
    rng = np.random.default_rng(seed)
    names = tuple(f"2008_{i:06d}" for i in range(images))
    keypoints = rng.uniform(12, 48, (images, 4, 2)).round()
    keypoints[1::2, 3] = np.nan
    for name, points in zip(names, keypoints, strict=True):
        image = rng.integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        save_image(root / "JPEGImages" / category / f"{name}.jpg", image)
        write(root / "ImageAnnotation" / category / f"{name}.json", image_annotation(name, category, points))
    pair_files = [("trn", names[0], names[1])]
    pair_files += [("test", a, b) for a in names[2:] for b in names[2:] if a != b]
    for number, (split, source, target) in enumerate(pair_files, start=1):
        ends = [keypoints[names.index(name)] for name in (source, target)]
        content = pair_annotation(category, (source, target), ends)
        write(
            root / "PairAnnotation" / split / f"{number:06d}-{source}-{target}:{category}.json",
            {"pair_id": number, **content},
        )
    return Folder(root, category, names, keypoints)


def image_annotation(name: str, category: str, points: np.ndarray) -> dict[str, Any]:
    """Content of one ImageAnnotation; ids up to 29, null where missing, as in the real files."""
    kps: dict[str, Any] = {str(i): None for i in range(30)}
    for i, point in enumerate(points):
        if np.isfinite(point).all():
            kps[str(i)] = [int(v) for v in point]
    return {
        "filename": f"{name}.jpg",
        "image_width": WIDTH,
        "image_height": HEIGHT,
        "image_depth": 3,
        "category": category,
        "pose": "Left",
        "bndbox": [10, 10, 50, 50],
        "kps": kps,
        "azimuth_id": 0,
    }


def pair_annotation(category: str, names: tuple[str, str], ends: list[np.ndarray]) -> dict[str, Any]:
    """Content of one PairAnnotation: the keypoints that both images have."""
    common = [
        i for i in range(len(ends[0])) if np.isfinite(ends[0][i]).all() and np.isfinite(ends[1][i]).all()
    ]
    content: dict[str, Any] = {"category": category, "mirror": 0, "kps_ids": [str(i) for i in common]}
    for side, name, points in zip(("src", "trg"), names, ends, strict=True):
        content[f"{side}_imname"] = f"{name}.jpg"
        content[f"{side}_imsize"] = [WIDTH, HEIGHT, 3]
        content[f"{side}_bndbox"] = [10, 10, 50, 50]
        content[f"{side}_kps"] = points[common].tolist()
    difficulty = {"viewpoint_variation": 1, "scale_variation": 0, "truncation": 2, "occlusion": 3}
    return {**content, **difficulty}


def write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def save_image(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def save_depth_mm(path: Path, millimeters: np.ndarray) -> None:
    save_image(path, millimeters.astype(np.uint16))


def save_features(path: Path, features: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, features=features)
