"""Three pictures of the fabricated class as a data set, with depth and cameras, and its class file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import spair_folder
from methods.semalign3d.alignment import fabricated

from semcorr_ros.geometry import cameras
from semcorr_ros.methods.semalign3d.class_file import write_class
from semcorr_ros.storage import write_image


def write(root: Path) -> Path:
    """The folder; features in features/, the class in classes/, few steps in fast.yaml."""
    model = fabricated.make_class()
    pairs = [fabricated.observe(model, azimuth, 25) for azimuth in (20, 60, 100)]
    names = ("a", "b", "c")
    ends = {}
    for name, (observed, true) in zip(names, pairs, strict=True):
        write_image(root / f"JPEGImages/pear/{name}.png", observed.image)
        spair_folder.save_features(root / f"features/pear/{name}.npz", observed.features.values.numpy())
        spair_folder.save_image(
            root / f"Segmentation/pear/{name}.png", observed.mask.numpy().astype(np.uint8)
        )
        spair_folder.save_depth_mm(root / f"Depth/pear/{name}.png", 1000 * observed.depth.values.numpy())
        (fx, fy), (cx, cy) = true.camera.focal.tolist(), true.camera.principal_point.tolist()
        spair_folder.write(root / f"Cameras/pear/{name}.json", {"K": [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]})
        ends[name] = cameras.project(true.keypoints, true.camera).numpy()
        annotation = spair_folder.image_annotation(name, "pear", ends[name])
        size = {"image_height": fabricated.SIZE[0], "image_width": fabricated.SIZE[1]}
        spair_folder.write(root / f"ImageAnnotation/pear/{name}.json", annotation | size)
    for i, (a, b) in enumerate([("a", "b"), ("b", "c"), ("a", "c")]):
        content = spair_folder.pair_annotation("pear", (a, b), [ends[a], ends[b]])
        spair_folder.write(root / f"PairAnnotation/test/{i:06d}-{a}-{b}:pear.json", content)
    spair_folder.write(root / "features/backbone.json", {"backbone": fabricated.BACKBONE})
    (root / "fast.yaml").write_text("optimize:\n  steps: 80\n")
    write_class(root / "classes" / "pear.safetensors", model)
    return root


def arguments(root: Path, out: Path, *more: object) -> list[object]:
    """Of `evaluate` on such a folder."""
    given = [
        "--root",
        root,
        "--features-dir",
        root / "features",
        "--class-dir",
        root / "classes",
        "--json",
        out,
    ]
    return [*given, "--all-categories", "--alignment", root / "fast.yaml", "--threads", "1", *more]
