"""Pictures of a rendered mug in a folder, as a camera without ROS, and the truth about them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from semcorr_lab.synthetic.render import render
from semcorr_lab.synthetic.turntable import Turntable
from semcorr_ros import rendered
from semcorr_ros.storage import write_image, write_json
from semcorr_ros.teach.pictures import matrix

Truth = dict[str, dict[str, list[float] | None]]  # picture -> keypoint -> pixel; None: hidden


def shoot(folder: Path, views: list[int], seed: int = 3, size: tuple[int, int] = (240, 320)) -> Truth:
    """Write the pictures, with depth and cameras; return where every keypoint is seen."""
    table = Turntable("mug", seed=seed, views=24, size=size, elevation_deg=40.0)
    truth: Truth = {}
    (folder / "depth").mkdir(parents=True, exist_ok=True)
    for number, view in enumerate(views):
        name, made = f"view_{number}", render(table.scene(view))
        write_image(folder / f"{name}.png", torch.from_numpy(made.image), rendered.save)
        depth = (1000 * made.depth).round().astype(np.uint16)
        Image.fromarray(depth).save(folder / f"depth/{name}.png")
        write_json(folder / f"cameras/{name}.json", {"K": matrix(made.camera)})
        rows = zip(table.info.keypoint_names, made.keypoints.tolist(), made.visible.tolist(), strict=True)
        truth[name] = {keypoint: pixel if seen else None for keypoint, pixel, seen in rows}
    (folder / "truth.json").write_text(json.dumps(truth))
    return truth
