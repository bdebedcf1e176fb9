"""What is compared, and one row of it: labels, adapter, scores. Nothing is done twice."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmark.rendered.splits import TRAIN, Split
from semcorr_ros.__main__ import main as verb
from semcorr_ros.adapter.labels import Labels, merged, read_labels, write_labels
from semcorr_ros.mesh_prior.pseudo_label import LabelConfig, gather, is_labelled, label_image
from semcorr_ros.mesh_prior.stages import each_image, jobs_of
from semcorr_ros.mesh_prior.view_file import VIEWS
from semcorr_ros.mesh_prior.work_folder import WorkFolder
from semcorr_ros.storage import read_json


@dataclass(frozen=True)
class Row:
    """What an adapter is trained on; None: there is none."""

    filters: tuple[str, ...] | None = None
    keypoints: bool = False
    methods: tuple[str, ...] = ("nearest_neighbor", "window_soft_argmax")
    aligned: bool = False  # and SemAlign3D classes of the same pictures
    arguments: tuple[str, ...] = ()


ROWS = {
    "backbone": Row(aligned=True),
    "cyclic + geodesic": Row(("cyclic", "geodesic"), aligned=True),
    "cyclic": Row(("cyclic",)),
    "geodesic": Row(("geodesic",)),
    "no filter": Row(()),
    "cyclic + sphere": Row(("cyclic", "sphere")),
    "cyclic + geodesic, mirrored too": Row(("cyclic", "geodesic"), arguments=("--double-flip", "1")),
    "keypoints": Row(keypoints=True, aligned=True),
}


@dataclass(frozen=True)
class Place:
    """Where data, files and results are."""

    work: Path
    split: Split
    backbone: str
    categories: tuple[str, ...]
    steps: int
    pairs: int

    @property
    def folder(self) -> Path:
        """Of this benchmark."""
        return self.work / "mesh_prior" / self.backbone

    @property
    def labels(self) -> Path:
        """Work folder of the stages."""
        return self.folder / "labels"

    def data(self, split: Split) -> Path:
        """Folder of rendered pictures."""
        return split.folder(self.work) / f"data_{'_'.join(self.categories)}"


def run(place: Place, name: str, row: Row, config: Callable[..., LabelConfig]) -> list[dict[str, Any]]:
    """Train what the row says, and return a result per category and method."""
    features = ["--backbone", place.backbone]
    told: dict[str, Any] = {}
    if row.keypoints or row.filters is not None:
        file = _adapter(place, name, row, config)
        features = ["--backbone", "adapter", "--weights", str(file)]
        told = _told(file)
    found = []
    for category in place.categories:
        for method in row.methods:
            found.append(_scored(place, features, category, method, None))
        if row.aligned:
            found.append(_scored(place, features, category, "aligned", _class(place, features, category)))
    return [{"row": name, **told, **one} for one in found]


def _adapter(place: Place, name: str, row: Row, config: Callable[..., LabelConfig]) -> Path:
    key = hashlib.sha256(f"{place.categories} {row} {place.steps}".encode()).hexdigest()[:8]
    file = place.folder / f"{name.replace(' ', '_')}_{key}.safetensors"
    if file.is_file():
        return file
    given = ["--root", str(place.data(TRAIN))]
    if row.filters is not None:
        path = place.folder / f"labels_{key}.safetensors"
        write_labels(
            path, merged(_labels(place, one, config(filters=row.filters)) for one in place.categories)
        )
        given += ["--labels", str(path)]
    else:
        given += ["--category", *place.categories, "--backbone", place.backbone]
    given += ["--output", str(file), "--steps", str(place.steps), "--threads", "1", *row.arguments]
    given += ["--feature-cache", str(place.work / "cache")]
    if verb(["train_adapter", *given]):
        raise RuntimeError(f"train_adapter failed for {name!r}")
    return file


def _labels(place: Place, category: str, config: LabelConfig) -> Labels:
    """Match the pictures of a category, filtered as a row says; the candidates are the same."""
    folder = WorkFolder(place.labels, category)
    names = folder.names(VIEWS, ".safetensors")
    before = read_labels(next(place.labels.glob(f"{category}/pseudo_labels/labels.safetensors")))
    sizes = {one.name: one.size for one in before.pictures}
    own = WorkFolder(place.folder / f"filters_{'_'.join(config.filters) or 'none'}", category)
    if not own.folder("").is_dir():
        shutil.copytree(folder.folder(""), own.folder(""), ignore=shutil.ignore_patterns("pairs"))
    done = partial(is_labelled, own, names=names, config=config)
    jobs = jobs_of(names, partial(label_image, own, sizes=sizes, config=config))
    report = each_image("pairs", names, done, jobs)
    return gather(own, report.done, before.provenance)


def _told(file: Path) -> dict[str, Any]:
    facts = read_json(file.with_suffix(".json"))
    return {
        "matches": sum(one["matches"] for one in facts["categories"].values()),
        "step": facts["chosen_step"],
        "seconds": facts["seconds"],
    }


def _class(place: Place, features: list[str], category: str) -> Path:
    key = hashlib.sha256(f"{features} {category}".encode()).hexdigest()[:8]
    path = place.folder / "classes" / f"{category}_{key}.safetensors"
    if not path.is_file():
        given = ["--root", str(place.data(TRAIN)), "--category", category, *features, "--threads", "1"]
        if verb(["build_class", *given, "--output", str(path)]):
            raise RuntimeError(f"build_class failed for {category}")
    return path


def _scored(
    place: Place, features: list[str], category: str, method: str, file: Path | None
) -> dict[str, Any]:
    key = hashlib.sha256(f"{features} {category} {method} {place.pairs}".encode()).hexdigest()[:8]
    path = place.folder / "scores" / place.split.label / f"{category}_{method}_{key}.json"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        given = ["--root", str(place.data(place.split)), "--category", category, *features, "--threads", "1"]
        given += ["--split", place.split.spair, "--method", method, "--max-pairs", str(place.pairs)]
        given += [] if file is None else ["--class-file", str(file)]
        given += ["--work", str(path.with_suffix("")), "--json", str(path)]
        if verb(["evaluate", *given]):
            raise RuntimeError(f"evaluate failed for {category}")
    found = read_json(path)
    geo = found.get("geo_aware")
    return {
        "category": category,
        "method": method,
        "pck": found["pck"]["per_image"]["0.1"],
        "pck_05": found["pck"]["per_image"]["0.05"],
        "geo": geo["per_image"]["0.1"] if geo else None,
    }
