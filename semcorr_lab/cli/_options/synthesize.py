"""Options of `synthesize`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from semcorr_ros.options import group, option

LARGEST = 8192  # pixels


@dataclass(frozen=True)
class CountOptions:
    """How many, per category."""

    images_trn: int = option(30, "images", 0, metavar="N")
    images_val: int = option(5, "images", 0, metavar="N")
    images_test: int = option(30, "images", 0, metavar="N")
    pairs_trn: int = option(60, "pairs", 0, metavar="N")
    pairs_val: int = option(20, "pairs", 0, metavar="N")
    pairs_test: int = option(100, "pairs", 0, metavar="N")


@dataclass(frozen=True)
class SceneOptions:
    """What is in a picture."""

    size: str = option("640x480", "of a picture, pixels", metavar="WxH")
    no_clutter: bool = option(False, "leave out clutter")
    no_occluders: bool = option(False, "leave out occluders")
    no_truncation: bool = option(False, "leave out truncation")
    no_background: bool = option(False, "leave out background")
    no_sensor: bool = option(False, "leave out sensor")

    def __post_init__(self) -> None:
        width, _, height = self.size.lower().partition("x")
        if not (width.isdigit() and height.isdigit()) or not 16 <= min(int(width), int(height)) <= LARGEST:
            raise ValueError(f"--size must be WxH like 640x480, at least 16 pixels each, got {self.size!r}")


@dataclass(frozen=True)
class SynthesizeOptions:
    """All of them."""

    output: Path | None = option(None, "folder of the data set; an interrupted run goes on", metavar="DIR")
    categories: tuple[str, ...] = option((), "default: all there are", metavar="NAME")
    meshes: Path | None = option(None, "folder of GLB meshes to render instead", metavar="DIR")
    keypoints: Path | None = option(None, "their keypoints (default: MESHES/instances.json)", metavar="JSON")
    mesh_axes: str = option(
        "auto",
        "of meshes and their keypoints; auto: by left and right in the names",
        choices=("auto", "x-front-z-up", "z-front-y-up", "x-front-y-up"),
    )
    mesh_unit: str = option(
        "auto", "of meshes; auto: mm where they are larger than 20", choices=("auto", "m", "cm", "mm", "in")
    )
    contact_sheet: Path | None = option(None, "write a PNG of pictures with keypoints", metavar="PNG")
    sheet_images: int = option(6, "pictures per category on it", 1, metavar="N")
    workers: int = option(os.cpu_count() or 1, "processes", 1, metavar="N")
    seed: int = option(0, "of everything", metavar="N")
    json: Path | None = option(None, "write a report here", metavar="FILE")
    counts: CountOptions = group(CountOptions)
    scene: SceneOptions = group(SceneOptions)
