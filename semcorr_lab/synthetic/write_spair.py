"""Write renderings in the layout of SPair-71k, plus depth, cameras and class facts.

JPEGImages/<category>/<stem>.jpg          Segmentation/<category>/<stem>.png  VOC class ids
ImageAnnotation/<category>/<stem>.json    Depth/<category>/<stem>.png         16-bit mm, 0 = invalid
PairAnnotation/<split>/NNNNNN-<source>-<target>:<category>.json
Layout/{large,small}/<split>.txt          Cameras/<category>/<stem>.json      K, camera_from_canonical
classes.json                              names, flip tables, flags, skeletons
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from PIL import Image

from semcorr_lab.synthetic.instance import Instance
from semcorr_lab.synthetic.pairs import KEYPOINT_SLOTS, image_annotation
from semcorr_lab.synthetic.render import Rendering
from semcorr_ros import rendered
from semcorr_ros.artifacts import CategoryInfo
from semcorr_ros.datasets.pf_pascal import CATEGORIES as VOC
from semcorr_ros.storage import atomic_path, write_json

_JPEG_QUALITY = 92
_MAX_MILLIMETRES = 65535


def class_id(category: str) -> int:
    """Return a category's pixel value in Segmentation: its id in PASCAL VOC, or 21 where it has none."""
    return VOC.index(category) + 1 if category in VOC else len(VOC) + 1


def sample_paths(root: Path, category: str, stem: str) -> dict[str, Path]:
    """Name the files of one image, by folder; the annotation is written last."""
    suffixes = {"JPEGImages": "jpg", "Segmentation": "png", "Depth": "png", "Cameras": "json"}
    suffixes["ImageAnnotation"] = "json"
    return {folder: root / folder / category / f"{stem}.{end}" for folder, end in suffixes.items()}


def write_sample(root: Path, stem: str, instance: Instance, rendering: Rendering) -> None:
    """Write all files of one image, each atomically."""
    paths = sample_paths(root, instance.category, stem)
    with atomic_path(paths["JPEGImages"]) as temporary:
        rendered.save(Image.fromarray(rendering.image), temporary, quality=_JPEG_QUALITY)
    with atomic_path(paths["Segmentation"]) as temporary:
        _segmentation(rendering, class_id(instance.category)).save(temporary)
    with atomic_path(paths["Depth"]) as temporary:
        Image.fromarray(millimetres(rendering.depth)).save(temporary)
    write_json(paths["Cameras"], _camera(instance, rendering))
    write_json(paths["ImageAnnotation"], image_annotation(stem, instance, rendering))


def millimetres(depth: Float[np.ndarray, "height width"]) -> np.ndarray:
    """Convert depth in metres to 16-bit millimetres; what does not fit becomes 0, invalid."""
    rounded = np.round(depth * 1000.0)
    return np.where(np.isfinite(rounded) & (rounded <= _MAX_MILLIMETRES), rounded, 0).astype(np.uint16)


def write_classes(root: Path, infos: dict[str, CategoryInfo]) -> None:
    """Write classes.json, so that names and flip tables travel with the data.

    Raises ValueError for a category with more keypoints than SPair has slots for.
    """
    content = {}
    for name, info in infos.items():
        if len(info.keypoint_names) > KEYPOINT_SLOTS:
            raise ValueError(
                f"{name} has {len(info.keypoint_names)} keypoints; SPair's files hold {KEYPOINT_SLOTS}"
            )
        content[name] = {
            "keypoint_names": list(info.keypoint_names),
            "flip": None if info.flip is None else list(info.flip),
            "flat": info.flat,
            "symmetric": info.symmetric,
            "edges": [list(edge) for edge in info.edges],
        }
    write_json(root / "classes.json", content)


def write_pairs(root: Path, split: str, pairs: list[dict[str, Any]]) -> None:
    """Write the pairs of a split and both its layouts; every fifth pair is in the small one."""
    for pair in pairs:
        write_json(root / "PairAnnotation" / split / f"{pair['filename']}.json", pair)
    names = [pair["filename"] for pair in pairs]
    for size, chosen in (("large", names), ("small", names[::5])):
        with atomic_path(root / "Layout" / size / f"{split}.txt") as temporary:
            temporary.write_text("".join(f"{name}\n" for name in chosen))


def _segmentation(rendering: Rendering, value: int) -> Image.Image:
    image = Image.fromarray(np.where(rendering.mask, value, 0).astype(np.uint8), mode="P")
    image.putpalette(_voc_palette())
    return image


def _voc_palette() -> list[int]:
    """Compute the colors of PASCAL VOC: the bits of the class id, distributed to the channels in turn."""
    palette = []
    for value in range(256):
        for channel in range(3):
            bits = [(value >> (3 * level + channel)) & 1 for level in range(3)]
            palette.append(sum(bit << (7 - level) for level, bit in enumerate(bits)))
    return palette


def _camera(instance: Instance, rendering: Rendering) -> dict[str, Any]:
    (fx, fy), (cx, cy) = rendering.camera.focal.tolist(), rendering.camera.principal_point.tolist()
    return {
        "K": [[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]],
        "camera_from_canonical": rendering.camera_from_object.tolist(),
        "instance": instance.name,
    }
