"""A project's data set as one zip: of format `folder`, or COCO keypoints."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool
from torch import Tensor

from semcorr_ros.datasets.folder import FILE
from semcorr_ros.files.mask import read_mask
from semcorr_ros.geometry.boxes import box_of
from semcorr_ros.storage import atomic_path
from semcorr_ros.teach.session import Session
from semcorr_ros.teach.state import State, Taken

KINDS = ("folder", "coco")
VISIBLE, ABSENT = 2, 0  # of COCO; it says 0 for what is not labelled
FEWEST_CORNERS = 3  # of a polygon


def packed(session: Session, kind: str) -> Path:
    """Write the confirmed pictures as one zip; return its path. Raises ValueError, OSError."""
    if kind not in KINDS:
        raise ValueError(f"export as one of {', '.join(('class', *KINDS))}, got {kind[:40]!r}")
    state = session.state
    if not state.done:
        raise ValueError("no picture is confirmed yet")
    path = session.work / f"{session.root.name}-{kind}.zip"
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        if kind == "coco":
            with archive.open("annotations.json", "w") as file:
                file.write(json.dumps(as_coco(session)).encode())
        else:
            archive.write(session.root / FILE, FILE)
        for picture in state.done:
            for file_name in _files(picture, kind):
                archive.write(session.path(file_name), file_name)
    return path


def as_coco(session: Session) -> dict[str, Any]:
    """Convert the confirmed pictures to COCO keypoints, with the outlines that they have. Raises OSError,
    ValueError for a damaged outline."""
    state = session.state
    edges = [[a + 1, b + 1] for a, b in state.info.edges]
    category = {"id": 1, "name": state.category, "keypoints": list(state.keypoints), "skeleton": edges}
    images, annotations = [], []
    for number, picture in enumerate(state.done, start=1):
        height, width = picture.size
        images.append({"id": number, "file_name": Path(picture.file).name, "height": height, "width": width})
        mask = read_mask(session.path(picture.mask), picture.size) if picture.mask else None
        told = _annotation(state, picture) | ({} if mask is None or not mask.any() else _outline(mask))
        annotations.append({"id": number, "image_id": number, "category_id": 1, "iscrowd": 0, **told})
    return {"images": images, "annotations": annotations, "categories": [category]}


def _annotation(state: State, picture: Taken) -> dict[str, Any]:
    flat: list[float] = []
    for name in state.keypoints:
        mark = picture.marks.get(name)
        flat += [0, 0, ABSENT] if mark is None else [*mark, VISIBLE]
    seen = list(picture.seen.values())
    low = [min(point[i] for point in seen) for i in (0, 1)]
    # Keypoints in a line have a box, too: one without area is refused by every reader.
    extent = [max(1.0, max(point[i] for point in seen) - low[i]) for i in (0, 1)]
    box = {"bbox": [*low, *extent], "area": extent[0] * extent[1]}
    return {"keypoints": flat, "num_keypoints": len(seen), **box}


def _outline(mask: Bool[Tensor, "height width"]) -> dict[str, Any]:
    """Describe an outline by its box and polygons; COCO's have no holes."""
    pixels = mask.cpu().numpy().astype(np.uint8)
    found, _ = cv2.findContours(pixels, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    polygons = [one.reshape(-1).tolist() for one in found if len(one) >= FEWEST_CORNERS]
    return {"bbox": list(box_of(mask)), "area": int(pixels.sum()), "segmentation": polygons}


def _files(picture: Taken, kind: str) -> list[str]:
    if kind == "coco":
        return [picture.file]
    return [file for file in (picture.file, picture.depth, picture.camera, picture.mask) if file]
