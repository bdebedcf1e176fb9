"""From true meshes to pseudo-labels, by the stages of the package, and what each filter is worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice, permutations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmark.mesh_prior.truth import Places, Truth, carried, places, read_truth, right, visible
from benchmark.rendered.splits import TRAIN, TRAINING_IMAGES
from semcorr_lab.synthetic.dataset import jobs
from semcorr_lab.synthetic.source import ProceduralSource
from semcorr_ros.artifacts import AnnotatedImage
from semcorr_ros.backbones import OPTIONS
from semcorr_ros.datasets import DATASETS
from semcorr_ros.features import FEATURES
from semcorr_ros.features._sphere_mapper import read_mapper
from semcorr_ros.masks import MASKS
from semcorr_ros.mesh_prior.candidates import find_candidates
from semcorr_ros.mesh_prior.describe import describe_image, is_described
from semcorr_ros.mesh_prior.descriptors import DESCRIPTORS
from semcorr_ros.mesh_prior.fine_surface import LONGEST
from semcorr_ros.mesh_prior.mesh_file import read_mesh, write_mesh
from semcorr_ros.mesh_prior.pseudo_label import (
    LabelConfig,
    gather,
    is_labelled,
    label_image,
    read_body,
)
from semcorr_ros.mesh_prior.stages import each_image, jobs_of
from semcorr_ros.mesh_prior.verification import bicyclic_error, sphere_agrees
from semcorr_ros.mesh_prior.view_file import Encoder, is_made, make_view, read_view
from semcorr_ros.mesh_prior.work_folder import CANONICAL, WorkFolder
from semcorr_ros.mesh_prior.work_folder import MASKS as OUTLINES
from semcorr_ros.storage import atomic_path, read_tensors

TOLERANCES = (0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.4, 10.0)
THRESHOLDS = (0.03, 0.05, 0.07, 0.1, 0.14, 0.2)
LIMIT = 0.5  # of the geodesics of the table


@dataclass(frozen=True)
class Training:
    """Training pictures of one category and what the renderer knows of them."""

    root: Path
    source: ProceduralSource
    folder: WorkFolder
    samples: dict[str, AnnotatedImage]

    def truth(self, name: str) -> Truth:
        """Make the object of a picture again."""
        config = TRAIN.pictures(TRAINING_IMAGES)
        wanted = (self.folder.category, name)
        job = next(one for one in jobs(self.source, config) if (one.category, one.stem) == wanted)
        return read_truth(self.root, self.source, config, job, self.samples[name].size)


def training(root: Path, source: ProceduralSource, work: Path, category: str) -> Training:
    """Open the training pictures of a category."""
    found = DATASETS.load("spair71k").build(root).images(category, TRAIN.spair)
    return Training(root, source, WorkFolder(work, category), {one.name: one for one in found})


def make(
    own: Training, backbone: str, config: LabelConfig, sphere: Path | None, tick: Callable[[], None]
) -> None:
    """Write meshes, descriptors, views and pseudo-labels; what is there is kept."""
    folder, names = own.folder, sorted(own.samples)
    describe, encoder = DESCRIPTORS.load("kernel").make({}, {}), _encoder(backbone, sphere)
    each_image("meshes", names, partial(_has_mesh, folder), jobs_of(names, partial(_mesh, own)), tick=tick)
    told = partial(is_described, folder, describe=describe, longest=LONGEST)
    jobs_ = jobs_of(names, partial(describe_image, folder, describe=describe, longest=LONGEST))
    each_image("describe", names, told, jobs_, tick=tick)
    views = {name: partial(make_view, folder, own.samples[name], encoder) for name in names}
    seen = each_image("views", names, partial(is_made, folder, encoder=encoder), views, tick=tick).done
    sizes = {name: own.samples[name].size for name in seen}
    done = partial(is_labelled, folder, names=seen, config=config)
    report = each_image(
        "pairs",
        seen,
        done,
        jobs_of(seen, partial(label_image, folder, sizes=sizes, config=config)),
        tick=tick,
    )
    origin = {"dataset": "spair71k", "root": str(own.root.resolve()), "split": TRAIN.spair, OPTIONS: ""}
    gather(folder, report.done, origin | {"backbone": encoder.features.backbone})


def filters(own: Training, config: LabelConfig, pairs: int) -> list[dict[str, Any]]:
    """Measure precision and recall of each filter on some ordered pairs.

    Recall is of the cells of the source whose place the target shows.
    """
    names = sorted(own.samples)
    order = np.random.default_rng(0).permutation(len(names) * (len(names) - 1))[:pairs].tolist()
    chosen = [pair for i, pair in enumerate(permutations(names, 2)) if i in set(order)]
    found = [_judged(own, source, target, config) for source, target in islice(chosen, pairs)]
    joined = {key: np.concatenate([one[key] for one in found]) for key in found[0]}
    rows = []
    for r in TOLERANCES:
        near = joined["away"] <= r
        rows.append(_row("cyclic", joined, near, tolerance=r))
        if "sphere" in joined:
            rows.append(_row("cyclic + sphere", joined, near & joined["sphere"], tolerance=r))
        rows += [
            _row("cyclic + geodesic", joined, near & (joined["error"] <= tau), tolerance=r, threshold=tau)
            for tau in THRESHOLDS
        ]
    rows += [_row("geodesic", joined, joined["error"] <= tau, threshold=tau) for tau in THRESHOLDS]
    return [{"category": own.folder.category, **row} for row in rows]


def _judged(own: Training, source: str, target: str, config: LabelConfig) -> dict[str, np.ndarray]:
    """Judge every candidate of a pair, before any filter."""
    views = read_view(own.folder, source), read_view(own.folder, target)
    loose = LabelConfig(threshold=LIMIT, geodesics=config.geodesics)
    bodies = read_body(own.folder, source, loose), read_body(own.folder, target, loose)
    found = find_candidates(*views, (config.features, config.descriptors))
    truths = own.truth(source), own.truth(target)
    here, there = (places(one, view.pixels) for one, view in zip(truths, views, strict=True))
    wanted = carried(here, truths[0].instance, truths[1].instance)
    rows = found.target.numpy()
    mask = MASKS.load("annotation").make({}, {}).mask(own.samples[target], None, None)  # type: ignore[arg-type]
    assert mask is not None
    judged = {
        "right": right(Places(there.part[rows], there.point[rows]), wanted, truths[1].instance),
        "shown": visible(wanted, truths[1], mask),
        "away": (found.away / views[0].side).numpy(),
        "error": bicyclic_error(found, views, bodies).numpy(),
    }
    if views[0].spheres is not None and views[1].spheres is not None:
        judged["sphere"] = sphere_agrees(views[0].spheres, views[1].spheres[found.target]).numpy()
    return judged


def _row(name: str, joined: dict[str, np.ndarray], kept: np.ndarray, **settings: float) -> dict[str, Any]:
    good = joined["right"] & kept
    precision = float(good.sum() / kept.sum()) if kept.any() else float("nan")
    recall = float((good & joined["shown"]).sum() / joined["shown"].sum())
    return {"filter": name, **settings, "precision": precision, "recall": recall, "kept": int(kept.sum())}


def _encoder(backbone: str, sphere: Path | None) -> Encoder:
    features = FEATURES.load(backbone).make({}, {"device": "cpu"})
    if sphere is None:
        return Encoder(features)
    tensors, header = read_tensors(sphere)
    return Encoder(features, read_mapper(tensors, header["head"], "cpu"), sphere.name)


def _has_mesh(folder: WorkFolder, name: str) -> bool:
    return len(read_mesh(folder.file(CANONICAL, name)).faces) > 0


def _mesh(own: Training, name: str) -> None:
    sample = own.samples[name]
    mask = MASKS.load("annotation").make({}, {}).mask(sample, None, None)  # type: ignore[arg-type]
    assert mask is not None
    with atomic_path(own.folder.file(OUTLINES, name, ".png")) as temporary:
        Image.fromarray(mask.to(torch.uint8).numpy() * 255).save(temporary)
    write_mesh(own.folder.file(CANONICAL, name), own.truth(name).posed(name, own.folder.category))


def comparable(rows: Sequence[dict[str, Any]], name: str, recall: float) -> dict[str, Any] | None:
    """Find the most precise setting of a filter whose recall is at least this."""
    own = [one for one in rows if one["filter"] == name and one["recall"] >= recall]
    return max(own, key=lambda one: one["precision"], default=None)
