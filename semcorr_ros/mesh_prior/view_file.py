"""A picture ready to be matched, on disk: what is there is not encoded and lifted again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool
from torch import Tensor
from torch.nn.functional import normalize

from semcorr_ros.artifacts import AnnotatedImage, FeatureMap
from semcorr_ros.features import FeatureExtractor
from semcorr_ros.features._sphere_mapper import SphereMapper, map_sphere
from semcorr_ros.files.mask import read_mask
from semcorr_ros.geometry import grid
from semcorr_ros.mesh_prior.describe import SUFFIX, read_described
from semcorr_ros.mesh_prior.lifted_view import View, view_of
from semcorr_ros.mesh_prior.mesh_file import read_mesh
from semcorr_ros.mesh_prior.work_folder import CANONICAL, DESCRIPTORS, MASKS, PSEUDO_LABELS, WorkFolder
from semcorr_ros.observations import Providers, scene_of_sample
from semcorr_ros.storage import read_header, read_tensors, write_tensors

VIEWS = f"{PSEUDO_LABELS}/views"


@dataclass(frozen=True)
class Encoder:
    """What describes the cells of a picture."""

    features: FeatureExtractor
    spheres: SphereMapper | None = None  # of `train_sphere`, for its filter
    sphere_file: str = ""  # digest of that file

    @property
    def kind(self) -> str:
        """What views are told apart by."""
        return f"{self.features.backbone} {self.features.variant} {self.sphere_file}".strip()


def make_view(folder: WorkFolder, sample: AnnotatedImage, encoder: Encoder) -> None:
    """Encode a picture, lift its cells onto its mesh, and write the result.

    Raises FileNotFoundError or ValueError naming what is wrong with it.
    """
    mask = read_mask(folder.file(MASKS, sample.name, ".png"), sample.size)
    scene = scene_of_sample(sample, Providers(encoder.features))
    with torch.no_grad():
        features = scene.close_up(mask, encoder.features)
    features = replace(features, values=features.values.cpu())
    surface, described = read_described(folder, sample.name)
    view = view_of(features, mask, read_mesh(folder.file(CANONICAL, sample.name)), surface, described)
    if encoder.spheres is not None:
        view = replace(view, spheres=_spheres(encoder.spheres, features, mask))
    tensors = {
        "pixels": view.pixels,
        "features": view.features.half(),
        "descriptors": view.descriptors.half(),
        "vertex": view.vertex,
    }
    tensors |= {} if view.spheres is None else {"spheres": view.spheres}
    header = _key(folder, sample.name, encoder) | {"side": view.side}
    write_tensors(folder.file(VIEWS, sample.name, SUFFIX), tensors, header)


def is_made(folder: WorkFolder, name: str, encoder: Encoder) -> bool:
    """Tell whether a view is of what would be seen now. Raises as `read_view`."""
    header = read_header(folder.file(VIEWS, name, SUFFIX))
    wanted = _key(folder, name, encoder)
    return {key: header.get(key) for key in wanted} == wanted and len(read_view(folder, name).pixels) > 0


def read_view(folder: WorkFolder, name: str) -> View:
    """Read a view. Raises FileNotFoundError, or ValueError for a damaged file."""
    path = folder.file(VIEWS, name, SUFFIX)
    tensors, header = read_tensors(path)
    try:
        return View(
            pixels=tensors["pixels"],
            features=normalize(tensors["features"].float(), dim=-1),
            descriptors=normalize(tensors["descriptors"].float(), dim=-1),
            vertex=tensors["vertex"],
            side=float(header["side"]),
            spheres=tensors.get("spheres"),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged: it lacks {error}; delete it") from error


def _key(folder: WorkFolder, name: str, encoder: Encoder) -> dict[str, str]:
    digest = hashlib.sha256()
    for path in (folder.file(MASKS, name, ".png"), folder.file(DESCRIPTORS, name, SUFFIX)):
        digest.update(path.read_bytes())
    return {"made_from": digest.hexdigest(), "kind": encoder.kind}


def _spheres(mapper: SphereMapper, features: FeatureMap, mask: Bool[Tensor, "height width"]) -> Tensor:
    return map_sphere(mapper, features).cpu()[grid.cells_of(mask, features)]
