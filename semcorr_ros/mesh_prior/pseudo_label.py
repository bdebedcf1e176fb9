"""Stage `pseudo_label`: matches of pairs of pictures of a category that its meshes confirm."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from semcorr_ros.adapter.labels import Labels, Matches, PictureName, merged, read_labels, write_labels
from semcorr_ros.mesh_prior.candidates import Candidates, cyclic, find_candidates
from semcorr_ros.mesh_prior.describe import SUFFIX, read_described
from semcorr_ros.mesh_prior.geodesics import ENGINES, GRAPH, Geodesics
from semcorr_ros.mesh_prior.lifted_view import View
from semcorr_ros.mesh_prior.verification import Body, bicyclic_error, sphere_agrees
from semcorr_ros.mesh_prior.view_file import VIEWS, read_view
from semcorr_ros.mesh_prior.work_folder import DESCRIPTORS, PSEUDO_LABELS, WorkFolder

FILTERS = ("cyclic", "geodesic", "sphere")
PAIRS = f"{PSEUDO_LABELS}/pairs"
BEYOND = 2.0  # of the threshold: one way may be longer than the mean of both


@dataclass(frozen=True)
class LabelConfig:
    """How matches are found and which are kept. Chosen on rendered training pictures (docs/mesh_prior.md)."""

    features: float = 0.5  # weight of the backbone's features
    descriptors: float = 0.5  # and of the mesh's
    tolerance: float = 0.1  # of the way back, in longer sides of the object's box
    threshold: float = 0.1  # of the bicyclic geodesic error, in box diagonals; the paper: 0.01, PartField
    filters: tuple[str, ...] = ("cyclic", "geodesic")
    geodesics: str = GRAPH
    partners: int = 10  # pictures that each is matched to, drawn at random
    matches: int = 200  # of a pair, drawn at random
    seed: int = 0

    def __post_init__(self) -> None:
        unknown = sorted(set(self.filters) - set(FILTERS))
        if unknown:
            raise ValueError(f"filters must be among {', '.join(FILTERS)}, got {unknown[0]!r}")
        if self.geodesics not in ENGINES:
            raise ValueError(f"geodesics must be one of {', '.join(ENGINES)}, got {self.geodesics!r}")
        if self.features < 0 or self.descriptors < 0 or self.features + self.descriptors == 0:
            raise ValueError("weights of features and descriptors must not be negative, nor both 0")


def partners_of(name: str, names: Sequence[str], config: LabelConfig) -> list[str]:
    """Draw the pictures that one is matched to, the same ones whatever else is done."""
    others = [one for one in sorted(names) if one != name]
    order = torch.randperm(len(others), generator=_draws(config.seed, name)).tolist()
    return sorted(others[i] for i in order[: config.partners])


def label_image(
    folder: WorkFolder, name: str, sizes: dict[str, tuple[int, int]], config: LabelConfig
) -> None:
    """Match one picture to its partners among `sizes` (h, w), and write what is kept.

    Raises FileNotFoundError or ValueError naming the file; a pair without a match is an empty one.
    """
    view, body = read_view(folder, name), read_body(folder, name, config)
    partners = partners_of(name, list(sizes), config)
    found = []
    for i, other in enumerate(partners, start=1):
        target = read_view(folder, other)
        kept, errors = verified((view, target), (body, read_body(folder, other, config)), config)
        rows = torch.randperm(len(kept), generator=_draws(config.seed, f"{name}/{other}"))
        rows = rows[: config.matches].sort().values
        here, there = view.pixels[kept.source[rows]], target.pixels[kept.target[rows]]
        found.append(Matches(0, i, here, there, errors[rows]))
    names = tuple(PictureName(folder.category, one, sizes[one]) for one in (name, *partners))
    origin = {"key": key(folder, name, list(sizes), config)}
    write_labels(folder.file(PAIRS, name, SUFFIX), Labels(names, tuple(found), origin))


def is_labelled(folder: WorkFolder, name: str, names: Sequence[str], config: LabelConfig) -> bool:
    """Tell whether the matches of a picture are those that would be found now. Raises as `read_labels`."""
    labels = read_labels(folder.file(PAIRS, name, SUFFIX))
    return labels.provenance.get("key") == key(folder, name, names, config)


def gather(folder: WorkFolder, names: Sequence[str], provenance: dict[str, str]) -> Labels:
    """Join the matches of these pictures and write `labels.safetensors`."""
    own = [read_labels(folder.file(PAIRS, name, SUFFIX)) for name in sorted(names)]
    joined = merged(Labels(one.pictures, tuple(m for m in one.matches if len(m))) for one in own)
    labels = Labels(joined.pictures, joined.matches, provenance)
    write_labels(folder.folder(PSEUDO_LABELS) / "labels.safetensors", labels)
    return labels


def verified(
    views: tuple[View, View], bodies: tuple[Body, Body], config: LabelConfig
) -> tuple[Candidates, Float[Tensor, "match"]]:
    """Match two pictures, and return what all filters keep with its bicyclic errors (NaN: not measured)."""
    found = find_candidates(*views, (config.features, config.descriptors))
    kept = torch.ones(len(found), dtype=torch.bool)
    if "cyclic" in config.filters:
        kept &= cyclic(found, views[0], config.tolerance)
    if "sphere" in config.filters:
        kept &= _on_sphere(found, views)
    found = found.kept(kept)
    if "geodesic" not in config.filters:
        return found, torch.full((len(found),), torch.nan)
    errors = bicyclic_error(found, views, bodies)
    near = errors <= config.threshold
    return found.kept(near), errors[near]


def read_body(folder: WorkFolder, name: str, config: LabelConfig) -> Body:
    """Read the surface of a picture's object, to be measured on. Those read last are remembered."""
    digest = hashlib.sha256(folder.file(DESCRIPTORS, name, SUFFIX).read_bytes()).hexdigest()
    return _body(folder, name, config, digest)


@lru_cache(maxsize=64)
def _body(folder: WorkFolder, name: str, config: LabelConfig, digest: str) -> Body:
    surface, values = read_described(folder, name)
    geodesics = Geodesics(surface, BEYOND * config.threshold, config.geodesics)
    return Body(torch.nn.functional.normalize(torch.from_numpy(values), dim=-1), geodesics)


def key(folder: WorkFolder, name: str, names: Sequence[str], config: LabelConfig) -> str:
    """Hash what the matches of a picture depend on: the views of both, and how they are matched."""
    digest = hashlib.sha256(repr(sorted(asdict(config).items())).encode())
    for one in (name, *partners_of(name, names, config)):
        digest.update(one.encode() + folder.file(VIEWS, one, SUFFIX).read_bytes())
    return digest.hexdigest()


def _on_sphere(found: Candidates, views: tuple[View, View]) -> Bool[Tensor, "match"]:
    here, there = (one.spheres for one in views)
    if here is None or there is None:
        raise ValueError("the filter 'sphere' needs a file of train_sphere")
    return sphere_agrees(here[found.source], there[found.target])


def _draws(seed: int, name: str) -> torch.Generator:
    found = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(found[:6], "big"))
