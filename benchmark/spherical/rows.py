"""What is compared, and one row of it: train, match, score. Nothing is done twice."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmark.rendered.splits import TRAIN, Split
from semcorr_ros.__main__ import main as verb
from semcorr_ros.cli._options.train_sphere import LOSSES
from semcorr_ros.datasets import DATASETS
from semcorr_ros.disk_cache import DiskStore
from semcorr_ros.evaluation import predict
from semcorr_ros.evaluation.geo_aware import groups
from semcorr_ros.evaluation.journal import open_journal
from semcorr_ros.evaluation.score import Protocol, score
from semcorr_ros.evaluation.views import Setup
from semcorr_ros.features import FEATURES
from semcorr_ros.features._disk_cache import DiskCache
from semcorr_ros.masks import MASKS
from semcorr_ros.methods import FAST, METHODS
from semcorr_ros.methods.spherical.model import Spherical
from semcorr_ros.observations import Providers
from semcorr_ros.storage import read_json, write_json


@dataclass(frozen=True)
class Row:
    """How a mapper is trained, and how its file matches."""

    arguments: tuple[str, ...] = ()
    alphas: tuple[float, ...] = (0.2,)
    seeds: int = 3
    classes: bool = False  # viewpoints are those of SemAlign3D classes, built of the same pictures
    unseen: bool = False  # trained on all categories but the last two, matched on these


ROWS = {
    "all losses": Row(alphas=(0.0, 1.0, 0.2)),
    **{f"without {name}": Row(("--without", name)) for name in LOSSES},
    "without viewpoint and orientation": Row(("--without", "viewpoint", "orientation")),
    "viewpoints of cameras": Row(("--viewpoints", "cameras"), seeds=1),
    "viewpoints of aligned classes": Row(("--viewpoints", "class"), seeds=1, classes=True),
    "not mirrored": Row(("--no-mirror",), seeds=1),
    "unseen categories": Row(alphas=(0.0, 1.0, 0.2), unseen=True),
}
NAMES = {0.0: "features", 1.0: "sphere", 0.2: "both"}


@dataclass(frozen=True)
class Place:
    """Where data, files and predictions are."""

    work: Path
    split: Split
    backbone: str
    categories: tuple[str, ...]
    seed: int

    @property
    def folder(self) -> Path:
        """Of trained files."""
        return self.work / "spherical" / self.backbone


def run(place: Place, name: str, row: Row, steps: int, pairs: int) -> list[dict[str, Any]]:
    """Return one result per category and way of matching."""
    taught = place.categories[:-2] if row.unseen else place.categories
    asked = place.categories[-2:] if row.unseen else place.categories
    file = train(place, name, row, taught, steps)
    loaded = METHODS.load("spherical").load(file, "cpu", FAST)
    assert isinstance(loaded, Spherical)
    found = []
    for category in asked:
        for alpha in row.alphas:
            matching = replace(loaded.classes.matching, alpha=alpha)
            model = replace(loaded, classes=replace(loaded.classes, matching=matching)).of(category)
            scores = _scored(place, (file, alpha), model, category, pairs)
            head = {"row": name, "match": NAMES[alpha], "category": category, "seed": place.seed}
            found.append(head | scores)
    return found


def train(place: Place, name: str, row: Row, taught: tuple[str, ...], steps: int) -> Path:
    key = hashlib.sha256(f"{sorted(taught)} {row.arguments} {steps}".encode()).hexdigest()[:10]
    file = place.folder / f"{name.replace(' ', '_')}_{place.seed}_{key}.safetensors"
    if file.is_file():
        return file
    data = TRAIN.folder(place.work) / "data"
    given = ["--root", str(data), "--category", *taught, "--backbone", place.backbone, "--output", str(file)]
    given += ["--steps", str(steps), "--seed", str(place.seed), *row.arguments]
    given += ["--feature-cache", str(place.work / "cache"), "--threads", "1"]
    if row.classes:
        given += ["--class-dir", str(_classes(place, data, taught))]
    if verb(["train_sphere", *given]):
        raise RuntimeError(f"train_sphere failed for {name!r}")
    return file


def _classes(place: Place, data: Path, categories: tuple[str, ...]) -> Path:
    """Build what is not there."""
    folder = place.folder / "classes"
    for category in categories:
        path = folder / f"{category}.safetensors"
        given = ["--root", str(data), "--category", category, "--backbone", place.backbone, "--threads", "1"]
        if not path.is_file() and verb(["build_class", *given, "--output", str(path)]):
            raise RuntimeError(f"build_class failed for {category}")
    return folder


def _scored(
    place: Place, how: tuple[Path, float], model: Spherical, category: str, most: int
) -> dict[str, Any]:
    file, alpha = how
    answers = file.with_suffix("") / f"{place.split.label}_{category}_{alpha:g}_{most}"
    kept = answers / "scores.json"
    key = predict.key([], {"file": file.read_bytes()})
    if kept.is_file() and (content := read_json(kept))["key"] == key:
        return dict(content["scores"])
    data = DATASETS.load("spair71k").build(place.split.folder(place.work) / "data")
    samples = {sample.name: sample for sample in data.images(category, place.split.spair)}
    listed = data.pairs(category, place.split.spair)
    pairs = {i: listed[i] for i in predict.choose(len(listed), most, 0)}
    journal = open_journal(answers / f"predictions_{key}.jsonl")
    predict.predict(pairs, Setup(samples, _providers(place), model), journal)
    full = score(pairs, journal, Protocol(samples, groups(data.info(category)), "bbox"))
    geo = full.get("geo_aware")
    scores = {
        "pck": full["pck"]["per_image"]["0.1"],
        "kap": full["kap"]["0.1"],
        "geo": geo["per_image"]["0.1"] if geo else None,
    }
    write_json(kept, {"key": key, "scores": scores})
    return scores


def _providers(place: Place) -> Providers:
    features = FEATURES.load(place.backbone).make({}, {"device": "cpu"})
    store = DiskStore(place.work / "cache", int(50e9), "cpu")
    return Providers(DiskCache(features, store), masks=(MASKS.load("annotation").make({}, {}),))
