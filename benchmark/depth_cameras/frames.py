"""Recorded RGB-D frames with what is true of the objects in them, read from their folder.

`NAME_color.png`, `NAME_depth.png` (16-bit millimetres, 0 = none), `NAME.json` (K, sensor), `keypoints.json`
{frame: {object: {keypoint: [x, y] or null}}} and `objects.json` {frame: {object: metric truth}}.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from semcorr_ros.geometry.boxes import Box
from semcorr_ros.storage import read_json

DIRECTION = "handle"  # keypoints with this in their names tell where an upright object is turned to
UNKNOWN = "unknown"  # camera
WIDENED = 1.5  # a detector's box, as a multiple of the annotated keypoints' own


# Boxes around things that are no cup, as a detector that is mistaken would give them; set by eye.
NEGATIVES: dict[str, dict[str, Box]] = {
    "g6_mustard": {"bottle": (345, 80, 145, 275)},
    "g6_blue_mug": {"empty table": (60, 330, 130, 130)},
    "dining_1": {"chair": (355, 230, 160, 240)},
    "dining_5": {"armchair": (300, 95, 200, 262)},
    "osd_test34": {"can": (276, 236, 95, 112), "canister": (165, 327, 76, 104)},
    "osd_test62": {"bowl": (385, 150, 140, 100)},
    "osd_test63": {"carton": (388, 198, 72, 158)},
    "osd_test64": {"bowl": (60, 180, 134, 100)},
    "tum_1": {"keyboard": (196, 247, 198, 70), "monitor": (228, 90, 170, 170)},
}


@dataclass(frozen=True)
class Truth:
    """Of one object: what is annotated in the image, and its measures in the camera frame."""

    keypoints: dict[str, tuple[float, float]]  # pixels, those that are seen
    rim_center: np.ndarray  # (3,) metres
    rim_diameter: float  # metres
    up: np.ndarray  # (3,) unit
    back: np.ndarray  # (3,) unit, towards the handle
    direction_keypoint: str = DIRECTION  # part of a name

    @property
    def direction_seen(self) -> bool:
        """Tell whether the picture shows where the object is turned to."""
        return any(self.direction_keypoint in name for name in self.keypoints)

    @property
    def extent(self) -> float:
        """Measure the longer side of the keypoints' box, pixels."""
        return float(np.ptp(np.array(list(self.keypoints.values())), axis=0).max())


@dataclass(frozen=True)
class Recording:
    """One frame; `depth` as the sensor's driver sends it."""

    name: str
    color: np.ndarray  # uint8 (H, W, 3)
    depth: np.ndarray  # uint16 (H, W), millimetres
    intrinsics: np.ndarray  # (3, 3), pixels
    objects: dict[str, Truth] = field(default_factory=dict)
    negatives: dict[str, Box] = field(default_factory=dict)  # boxes around other things
    sensor: str = UNKNOWN

    @property
    def camera(self) -> str:
        """Name the camera alone: what was done to its pictures stands behind a comma or in brackets."""
        return re.split("[,(]", self.sensor)[0].strip() or UNKNOWN

    def box(self, name: str) -> Box:
        """Return what a detector might say of an object, inside the image."""
        return widened(self.objects[name].keypoints, (self.color.shape[0], self.color.shape[1]))


def widened(keypoints: Mapping[str, tuple[float, float]], size: tuple[int, int]) -> Box:
    """Widen the keypoints' box about its centre, and cut it at the border of an image of `size` (h, w)."""
    points = np.array(list(keypoints.values()))
    low, high = points.min(0), points.max(0)
    margin = (WIDENED - 1) / 2 * (high - low)
    left, top = np.maximum(np.floor(low - margin), 0).astype(int)
    right, bottom = np.minimum(np.ceil(high + margin) + 1, (size[1], size[0])).astype(int)
    return int(left), int(top), int(right - left), int(bottom - top)


def without_objects(recording: Recording) -> Recording:
    """Make the objects negatives, too, as they are for another class."""
    boxes = {name: recording.box(name) for name in recording.objects}
    return replace(recording, objects={}, negatives={**recording.negatives, **boxes})


def read_all(root: Path, direction: str = DIRECTION) -> list[Recording]:
    """Read every frame of a folder, by name. direction: part of the names of keypoints that tell the turn.

    Raises FileNotFoundError where there is none, OSError, ValueError.
    """
    names = sorted(path.name.removesuffix("_color.png") for path in root.glob("*_color.png"))
    if not names:
        raise FileNotFoundError(f"no *_color.png in {root}: name the folder of the recorded frames")
    keypoints, measures = read_json(root / "keypoints.json"), read_json(root / "objects.json")
    recordings = []
    for name in names:
        objects = {
            each: _truth(points, measures[name][each], direction)
            for each, points in keypoints.get(name, {}).items()
        }
        recordings.append(_read(root, name, objects))
    return recordings


def _read(root: Path, name: str, objects: dict[str, Truth]) -> Recording:
    with Image.open(root / f"{name}_color.png") as image:
        color = np.array(image.convert("RGB"))
    with Image.open(root / f"{name}_depth.png") as image:
        depth = np.array(image).astype(np.uint16)
    facts = read_json(root / f"{name}.json")
    K, sensor = np.array(facts["K"], float), facts.get("sensor") or UNKNOWN
    return Recording(name, color, depth, K, objects, NEGATIVES.get(name, {}), sensor)


def _truth(keypoints: dict[str, Any], measures: dict[str, Any], direction: str) -> Truth:
    visible = {name: (float(at[0]), float(at[1])) for name, at in keypoints.items() if at is not None}
    center, up, back = (np.array(measures[key], float) for key in ("rim_centre_m", "up", "back"))
    return Truth(visible, center, float(measures["rim_diameter_mm"]) / 1000, up, back, direction)
