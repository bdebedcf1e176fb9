"""Pictures of beasts as a foreign SPair-layout folder: features and depth elsewhere, no cameras."""

from __future__ import annotations

from pathlib import Path

import builders
import numpy as np
import spair_folder


def write_picture(root: Path, picture: builders.Picture, colours: np.ndarray | None = None) -> None:
    """Into `root`/data, /features and /depth; black where no colours are given."""
    sample, name = picture.sample, picture.sample.annotated.name
    pixels = np.zeros((120, 160, 3), np.uint8) if colours is None else colours
    spair_folder.save_image(root / "data" / "JPEGImages" / "beast" / f"{name}.jpg", pixels)
    mask = (255 * sample.mask.numpy()).astype(np.uint8)
    spair_folder.save_image(root / "data" / "Segmentation" / "beast" / f"{name}.png", mask)
    points = np.where(sample.annotated.visible[:, None], sample.annotated.keypoints.numpy(), np.nan)
    content = spair_folder.image_annotation(name, "beast", points)
    content |= {"image_width": 160, "image_height": 120, "bndbox": [5, 5, 150, 110]}
    spair_folder.write(root / "data" / "ImageAnnotation" / "beast" / f"{name}.json", content)
    spair_folder.save_features(root / "features" / f"{name}.npz", sample.features.values.numpy())
    (root / "depth").mkdir(exist_ok=True)
    np.save(root / "depth" / f"{name}.npy", sample.depth.values.numpy())


def write_info(root: Path) -> None:
    """What the folder says about the category."""
    info = {"keypoint_names": builders.BEAST.keypoint_names, "flip": builders.FLIP, "edges": builders.EDGES}
    spair_folder.write(root / "data" / "classes.json", {"beast": info})
