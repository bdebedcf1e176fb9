"""A SemAlign3D class aligned to the image, its deformed surface points meshed: needs no other model.

The triangles are those of the class, so vertex i of one mesh is vertex i of every other of that class.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from semcorr_ros import backbones
from semcorr_ros.artifacts import AnnotatedImage, Observation
from semcorr_ros.masks import Recognizer
from semcorr_ros.mesh_prior.artifacts import PosedMesh
from semcorr_ros.mesh_prior.point_surface import triangulate
from semcorr_ros.mesh_prior.reconstruction import fingerprint, posed
from semcorr_ros.mesh_prior.surface import Surface
from semcorr_ros.methods import Quality, Search, load
from semcorr_ros.methods.semalign3d.model import Aligned, SemAlign3D
from semcorr_ros.registry import Plugin


@dataclass(frozen=True)
class ClassMeshSettings:
    """Which class, and how it is aligned."""

    class_file: Path | None = None
    device: str = "cpu"
    quality: str = "fast"
    seed: int = 0


class ClassMesh:
    """Aligns it."""

    def __init__(self, settings: ClassMeshSettings) -> None:
        if settings.class_file is None:
            raise ValueError("--meshes class_mesh needs --class-file; see build_class")
        model = load(settings.class_file, settings.device, Quality(settings.quality))
        if not isinstance(model, SemAlign3D):
            raise ValueError(f"{settings.class_file} is no SemAlign3D class: build it with build_class")
        self._model, self._settings = model, settings
        dense = model.representation.dense.barycentric @ model.representation.sparse
        self._faces = torch.tensor(triangulate(dense.cpu().numpy()).astype(np.int64))
        used = torch.zeros(len(dense), dtype=torch.bool)
        used[self._faces.flatten()] = True
        self._used, self._number = used, used.cumsum(0) - 1

    @property
    def model(self) -> Recognizer:
        return self._model

    @property
    def identity(self) -> str:
        given = self._settings
        assert given.class_file is not None
        return f"class_mesh {fingerprint(given.class_file)} quality={given.quality} seed={given.seed}"

    def reconstruct(self, sample: AnnotatedImage, seen: Observation) -> PosedMesh:
        """Align the class. Raises NotFoundError, BackboneMismatchError."""
        backbones.check(self._model, seen.features.backbone)
        placed = self._model.place(seen, Search(torch.Generator().manual_seed(self._settings.seed)))
        found = replace(self._posed(sample, placed), metric=bool(placed.aligned.metric))
        measures = found.measures | {"confidence": placed.confidence}
        return replace(found, measures=measures, provenance={"provider": "class_mesh"})

    def _posed(self, sample: AnnotatedImage, placed: Aligned) -> PosedMesh:
        best = placed.aligned
        rotation, translation = best.rotation[0].cpu(), best.translation[0].cpu()
        scale = float(best.scale[0])
        canonical = (best.dense[0].cpu() - translation) @ rotation / scale
        vertices = canonical[self._used]
        low, high = vertices.amin(0), vertices.amax(0)
        middle, diagonal = (low + high) / 2, float((high - low).norm())
        surface = Surface((vertices - middle) / diagonal, self._number[self._faces], middle, diagonal, True)
        camera = replace(
            best.camera, focal=best.camera.focal.cpu(), principal_point=best.camera.principal_point.cpu()
        )
        return posed(sample, surface, (scale, rotation, translation), torch.eye(3), camera)


PLUGIN: Plugin[ClassMesh] = Plugin(ClassMeshSettings, ClassMesh)
