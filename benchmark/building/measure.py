"""The sparse cloud of one category against the truth, from good annotations and from spoiled ones."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from benchmark.building.spoiled import spoil
from semcorr_ros.artifacts import AnnotatedImage, CategoryInfo
from semcorr_ros.datasets import DATASETS
from semcorr_ros.depth import DEPTH
from semcorr_ros.features import FEATURES
from semcorr_ros.geometry.similarity import apply_similarity, fit_similarity
from semcorr_ros.masks import MASKS
from semcorr_ros.methods.semalign3d.artifacts import Views
from semcorr_ros.methods.semalign3d.building import evidence
from semcorr_ros.methods.semalign3d.building.config import BuildConfig
from semcorr_ros.methods.semalign3d.building.lift_views import add_mirrored
from semcorr_ros.methods.semalign3d.building.procrustes import generalized_procrustes
from semcorr_ros.methods.semalign3d.building.report import Report
from semcorr_ros.methods.semalign3d.building.sparse_cloud import sparse_cloud
from semcorr_ros.methods.semalign3d.building.training import lift
from semcorr_ros.observations import Providers, observe

SHARE = 0.1  # of the images, that are spoiled in each way
KINDS = ("clean", "sides swapped", "bad depth", "both")


@dataclass(frozen=True)
class Outcome:
    """`error` in percent of the mean radius; `found` of `swapped` images, and images named wrongly."""

    error: float
    swapped: int
    found: int
    false_alarms: int


def category(folder: Path, name: str, split: str, seed: int, kinds: Sequence[str] = KINDS) -> dict[str, Any]:
    """One row, by kind of spoiling. Raises ValueError or FileNotFoundError for missing pictures."""
    dataset = DATASETS.load("spair71k").build(folder / "data")
    info, images = dataset.info(name), dataset.images(name, split)
    samples = _samples(images)
    truth = _mean(folder / "oracle" / "truth" / name, images, info)
    order = torch.randperm(len(samples), generator=torch.Generator().manual_seed(seed)).tolist()
    count = max(1, round(SHARE * len(samples)))
    sides, depth = order[:count], order[count : 2 * count]
    if info.flip is None or info.flip == tuple(range(len(info.flip))):
        sides = []  # nothing has a left and a right
    nothing: list[int] = []
    chosen = {
        "clean": (nothing, nothing),
        "sides swapped": (sides, nothing),
        "bad depth": (nothing, depth),
        "both": (sides, depth),
    }
    found = {kind: asdict(_outcome(samples, info, truth, *chosen[kind])) for kind in kinds}
    return {"category": name, "images": len(samples), **found}


def _outcome(
    samples: Sequence[evidence.Sample],
    info: CategoryInfo,
    truth: Float[Tensor, "keypoint 3"],
    swapped: Sequence[int],
    bad_depth: Sequence[int],
) -> Outcome:
    config, generator = BuildConfig(), torch.Generator().manual_seed(0)
    spoiled = spoil(samples, info.flip or (), swapped, bad_depth)
    seen = [evidence.observe(sample, config, generator) for sample in spoiled]
    training = lift(info, seen, config, generator, Report())
    cloud = sparse_cloud(training.views, info, training.flip.accepted, config)
    named = set(training.swapped)
    wanted = {samples[i].annotated.name for i in swapped}
    error = 100 * shape_error(cloud.points[cloud.placed], truth[cloud.placed])
    return Outcome(error, len(wanted), len(named & wanted), len(named - wanted))


def shape_error(shape: Float[Tensor, "keypoint 3"], truth: Float[Tensor, "keypoint 3"]) -> float:
    """Mean distance after the best similarity, as a share of the mean radius."""
    moved = apply_similarity(shape, *fit_similarity(shape, truth))
    return float((moved - truth).norm(dim=-1).mean() / (truth - truth.mean(0)).norm(dim=-1).mean())


def _samples(images: Sequence[AnnotatedImage]) -> list[evidence.Sample]:
    providers = Providers(
        features=FEATURES.load("tiny").make({}, {}),
        depth=DEPTH.load("sensor").make({}, {}),
        masks=(MASKS.load("annotation").make({}, {}),),
    )
    found = []
    for image in images:
        seen = observe(image, providers)
        if seen.depth is None or seen.mask is None:
            raise ValueError(f"{image.category}/{image.name} has no depth or no mask")
        found.append(evidence.Sample(image, seen.features, seen.depth, seen.mask))
    return found


def _mean(folder: Path, images: Sequence[AnnotatedImage], info: CategoryInfo) -> Float[Tensor, "keypoint 3"]:
    """Procrustes mean of the complete instances of these images, hidden keypoints included."""
    loaded = []
    for image in images:
        with np.load(folder / f"{image.name}.npz", allow_pickle=False) as file:
            loaded.append(torch.from_numpy(file["keypoints"]).float())
    whole = torch.stack(loaded)
    whole = whole - whole.mean(1, keepdim=True)
    whole = whole / whole.square().sum(-1).mean(1).sqrt()[:, None, None]
    everything = torch.ones(whole.shape[:2], dtype=torch.bool)
    names = tuple(image.name for image in images)
    views = Views(whole, everything, torch.zeros(len(names), dtype=torch.bool), names)
    both = views if info.flip is None else add_mirrored(views, info.flip)
    return generalized_procrustes(both, whole[0], everything[0])[0]


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown: error in percent of the mean radius by category, and what of the swapped images is found."""
    names = [row["category"] for row in rows]
    lines = ["| | " + " | ".join([*names, "mean", "swapped found", "false alarms"]) + " |"]
    lines.append("|" + "---|" * (len(names) + 4))
    for kind in KINDS:
        found = [row[kind] for row in rows]
        errors = [one["error"] for one in found]
        cells = [f"{error:.2f}" for error in [*errors, statistics.mean(errors)]]
        swapped, right = (sum(one[key] for one in found) for key in ("swapped", "found"))
        cells += [f"{right} of {swapped}", str(sum(one["false_alarms"] for one in found))]
        lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
