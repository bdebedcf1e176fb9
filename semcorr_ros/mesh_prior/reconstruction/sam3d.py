"""SAM 3D Objects (Meta), where it is installed: a checkout of its repository with its environment.

https://github.com/facebookresearch/sam-3d-objects, SAM License; weights `facebook/sam-3d-objects` are gated.
It is no package: `--mesh-option folder=DIR` names the checkout, whose notebook/inference.py is used.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.artifacts import AnnotatedImage, Camera, Observation
from semcorr_ros.geometry.cameras import centered
from semcorr_ros.geometry.rotations import from_quaternion
from semcorr_ros.masks import Recognizer
from semcorr_ros.mesh_prior.artifacts import PosedMesh
from semcorr_ros.mesh_prior.reconstruction import posed
from semcorr_ros.mesh_prior.surface import surface_of
from semcorr_ros.registry import Plugin

CONFIG = "checkpoints/hf/pipeline.yaml"
INSTALL = (
    "clone https://github.com/facebookresearch/sam-3d-objects, install its environment, fetch the gated "
    "weights facebook/sam-3d-objects to checkpoints/hf, and give --mesh-option folder=DIR"
)
OPTICAL = torch.diag(torch.tensor([-1.0, -1.0, 1.0]))  # from PyTorch3D's camera: x left, y up, z forward
UPRIGHT = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # undoes the export's z-up -> y-up
LEAST_POINTS = 100  # of a point map, to fit a focal length to


@dataclass(frozen=True)
class Sam3dSettings:
    """Which installation, and the seed of its sampler."""

    folder: Path | None = None
    config: str = CONFIG
    seed: int = 42


class Sam3d:
    """Runs it."""

    model: Recognizer | None = None

    def __init__(self, settings: Sam3dSettings) -> None:
        self._settings = settings
        self._network: Any = _load(settings)

    @property
    def identity(self) -> str:
        return f"sam3d seed={self._settings.seed} config={self._settings.config}"

    def reconstruct(self, sample: AnnotatedImage, seen: Observation) -> PosedMesh:
        """Reconstruct the object. Raises ValueError for an output that is not what is documented."""
        assert seen.mask is not None
        output = self._network(seen.image.cpu().numpy(), seen.mask.cpu().numpy(), seed=self._settings.seed)
        return mesh_of(output, sample, seen.camera)


PLUGIN: Plugin[Sam3d] = Plugin(Sam3dSettings, Sam3d)


def mesh_of(output: Mapping[str, Any], sample: AnnotatedImage, camera: Camera | None) -> PosedMesh:
    """Translate its output: rotation (1, 4) w x y z, translation (1, 3), scale (1, 3), glb and pointmap.

    It poses row vectors in PyTorch3D's camera, `x = (scale * x_local) @ R(q) + t`, with x_local z-up; glb was
    turned y-up on export. The camera is not returned: where none is given its focal length is fitted to the
    point map. Raises ValueError naming what is missing.
    """
    missing = [key for key in ("rotation", "translation", "scale", "glb") if output.get(key) is None]
    if missing:
        raise ValueError(f"SAM 3D Objects returned no {missing[0]!r}, only {', '.join(sorted(output))}")
    quat_wxyz = _row(output["rotation"], 4)
    scale = _row(output["scale"], 3)
    if float(scale.max() - scale.min()) > 1e-3 * float(scale.max()):
        raise ValueError(f"SAM 3D Objects returned an anisotropic scale {scale.tolist()}")
    surface = surface_of(np.asarray(output["glb"].vertices) @ UPRIGHT.T, np.asarray(output["glb"].faces))
    rotation = OPTICAL @ from_quaternion(quat_wxyz[[1, 2, 3, 0]]).mT
    pose = float(scale.mean()), rotation, OPTICAL @ _row(output["translation"], 3)
    found = camera or centered(focal_of(output.get("pointmap"), sample.size), sample.size)
    mesh = posed(sample, surface, pose, torch.eye(3), found)
    return replace(mesh, provenance={"provider": "sam3d", "camera": "given" if camera else "pointmap"})


def focal_of(points: Any, size: tuple[int, int]) -> float:
    """Fit a focal length in pixels of an image of `size` (h, w) to a point map (H, W, 3) of any resolution,
    PyTorch3D's camera frame, principal point in the middle. Raises ValueError where it says nothing."""
    if points is None:
        raise ValueError("SAM 3D Objects returned no 'pointmap' to take the focal length from")
    xyz = torch.as_tensor(np.asarray(points), dtype=torch.float64)
    if xyz.ndim != 3 or 3 not in (xyz.shape[0], xyz.shape[-1]):
        raise ValueError(f"a point map must be (H, W, 3), got {tuple(xyz.shape)}")
    xyz = xyz if xyz.shape[-1] == 3 else xyz.permute(1, 2, 0)
    h, w = xyz.shape[:2]
    u = (torch.arange(w, dtype=torch.float64) + 0.5) / w * size[1] - size[1] / 2
    v = (torch.arange(h, dtype=torch.float64) + 0.5) / h * size[0] - size[0] / 2
    pixels = torch.stack(torch.meshgrid(u, v, indexing="xy"), -1)
    usable = torch.isfinite(xyz).all(-1) & (xyz[..., 2] > 1e-6)
    slopes = -xyz[..., :2][usable] / xyz[..., 2:][usable]
    square = float((slopes**2).sum())
    if int(usable.sum()) < LEAST_POINTS or square <= 0:
        raise ValueError(f"the point map has {int(usable.sum())} usable points, too few for a focal length")
    return float((pixels[usable] * slopes).sum()) / square


def _row(values: Any, count: int) -> Float[Tensor, "n"]:
    row = torch.as_tensor(np.asarray(_numbers(values)), dtype=torch.float32).flatten()
    if row.shape != (count,) or not bool(torch.isfinite(row).all()):
        raise ValueError(f"SAM 3D Objects returned {row.tolist()}, expected {count} finite numbers")
    return row


def _numbers(values: Any) -> Any:
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else values


def _load(settings: Sam3dSettings) -> Any:
    """Raises ImportError or FileNotFoundError saying how to install it."""
    if settings.folder is None:
        raise ImportError(f"--meshes sam3d needs SAM 3D Objects: {INSTALL}")
    notebook, config = settings.folder / "notebook", settings.folder / settings.config
    for path in (notebook / "inference.py", config):
        if not path.is_file():
            raise FileNotFoundError(f"no file {path}: {INSTALL}")
    sys.path.insert(0, str(notebook))
    try:
        module = importlib.import_module("inference")
        return module.Inference(str(config), compile=False)
    except ImportError as error:
        raise ImportError(f"SAM 3D Objects in {settings.folder} lacks {error.name}: {INSTALL}") from error
    finally:
        sys.path.remove(str(notebook))
