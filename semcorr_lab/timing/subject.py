"""What is timed: a rendered object turning in front of a camera, and a class built for it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor
from torch.nn import functional

from semcorr_lab.synthetic.render import render
from semcorr_lab.synthetic.turntable import Turntable
from semcorr_ros.artifacts import Camera, DepthMap, Observation
from semcorr_ros.features import FeatureExtractor, ImageRef
from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation
from semcorr_ros.methods.semalign3d.class_file import read_class
from semcorr_ros.zoom import encode_object

OBJECT_SEED = 1000  # added to the seed: an instance the class was not built from
STEP_DEG = 3.0  # the object turns by this much from one frame to the next


@dataclass(frozen=True)
class Frame:
    """One picture with all a robot would know."""

    image: UInt8[Tensor, "height width 3"]
    depth: Float[Tensor, "height width"]  # metres
    mask: Bool[Tensor, "height width"]
    camera: Camera

    def observe(self, extractor: FeatureExtractor) -> Observation:
        """Observe with features of the object alone, where the extractor can give them."""
        ref = ImageRef(self.image)
        features = encode_object(ref, self.mask, extractor)
        return Observation(self.image, features, self.mask, DepthMap(self.depth, True), self.camera)

    def resized(self, longer_side: int) -> Frame:
        """Resize the picture."""
        share = longer_side / max(self.mask.shape)
        size = (round(self.mask.shape[0] * share), round(self.mask.shape[1] * share))
        image = functional.interpolate(
            self.image.permute(2, 0, 1)[None].float(), size=size, mode="bilinear", antialias=True
        )
        camera = Camera(self.camera.focal * share, (self.camera.principal_point + 0.5) * share - 0.5, size)
        return Frame(
            image[0].permute(1, 2, 0).round().to(torch.uint8).contiguous(),
            functional.interpolate(self.depth[None, None], size=size, mode="nearest")[0, 0],
            functional.interpolate(self.mask[None, None].float(), size=size, mode="nearest")[0, 0] > 0,
            camera,
        )


def frames(category: str, count: int, seed: int) -> list[Frame]:
    """Render consecutive frames of an object on a turntable, 640x480."""
    turning = Turntable(category=category, seed=seed + OBJECT_SEED, views=round(360 / STEP_DEG))
    # From where a mug's handle is seen: without it there is no azimuth to follow.
    first = round(60 / STEP_DEG)
    found = []
    for i in range(count):
        rendering = render(turning.scene(first + i))
        found.append(
            Frame(
                torch.from_numpy(rendering.image),
                torch.from_numpy(rendering.depth).float(),
                torch.from_numpy(rendering.mask),
                rendering.camera,
            )
        )
    return found


def build_class(work: Path, category: str, seed: int) -> ClassRepresentation:
    """Build, once per folder, the class of `category` from 30 rendered images with `tiny` features."""
    path = work / f"{category}.safetensors"
    if not path.is_file():
        data, options = work / "data", ["--seed", str(seed)]
        made = ["--output", str(data), "--categories", category, "--images-trn", "30"]
        for count in ("--images-val", "--images-test", "--pairs-trn", "--pairs-val", "--pairs-test"):
            made += [count, "0"]
        workers = ["--workers", str(min(8, os.cpu_count() or 1))]
        for arguments in (
            ["synthesize", *made, *workers, *options],
            [
                "build_class",
                "--root",
                str(data),
                "--category",
                category,
                "--output",
                str(path),
                "--backbone",
                "tiny",
                *options,
            ],
        ):
            # As a process of its own: it chooses its threads, and its memory is not this one's.
            subprocess.run([sys.executable, "-m", "semcorr_ros", *arguments], check=True)
    return read_class(path)


def with_points(model: ClassRepresentation, count: int) -> ClassRepresentation:
    """Give the class another number of dense points: the first ones, repeated as often as needed."""
    rows = torch.arange(count) % len(model.dense.weight)
    dense = replace(
        model.dense,
        barycentric=model.dense.barycentric[rows],
        weight=model.dense.weight[rows],
        prototypes=model.dense.prototypes.subset(rows),
    )
    return replace(model, dense=dense)
