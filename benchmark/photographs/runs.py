"""One split: build the class, align it to the test photographs, and score. All of it resumable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from semcorr_ros.__main__ import main as verb
from semcorr_ros.artifacts import AnnotatedImage, Correspondences
from semcorr_ros.datasets import DATASETS
from semcorr_ros.disk_cache import DiskStore
from semcorr_ros.evaluation import predict
from semcorr_ros.evaluation.journal import open_journal
from semcorr_ros.evaluation.pck import box_size, correct
from semcorr_ros.evaluation.score import score
from semcorr_ros.evaluation.views import FAILURES, Setup, Views
from semcorr_ros.features import FEATURES
from semcorr_ros.features._disk_cache import DiskCache
from semcorr_ros.masks import MASKS
from semcorr_ros.methods import FAST, METHODS, OWN, Placed
from semcorr_ros.methods.semalign3d.alignment import AlignmentConfig
from semcorr_ros.methods.semalign3d.alignment.presets import preset
from semcorr_ros.methods.semalign3d.class_file import read_class
from semcorr_ros.methods.semalign3d.model import SemAlign3D
from semcorr_ros.observations import Providers

COMPARED = ("nearest_neighbor", "window_soft_argmax", OWN)
ALPHAS = (0.1, 0.05)


@dataclass(frozen=True)
class Place:
    """A split's folder, which holds its data set, its class and its predictions."""

    folder: Path
    category: str
    backbone: tuple[str, ...]  # arguments of build_class: --backbone NAME --backbone-option KEY=VALUE
    build: tuple[str, ...] = ()  # further arguments of build_class
    cache: Path = Path("cache")

    @property
    def class_file(self) -> Path:
        """Built once; delete it to build again."""
        return self.folder / f"{self.category}.safetensors"


@dataclass(frozen=True)
class Photo:
    """How the class lies in one test photograph; `pck` by alpha, of the class's own keypoints."""

    name: str
    confidence: float
    pck: dict[str, float]
    reason: str = ""  # why there is no alignment


def build(place: Place) -> None:
    """Build the class unless it is there. Raises RuntimeError."""
    if place.class_file.is_file():
        return
    where = ["--dataset", "folder", "--root", str(place.folder), "--category", place.category]
    what = [*place.backbone, *place.build, "--feature-cache", str(place.cache)]
    if verb(["build_class", *where, *what, "--output", str(place.class_file)]):
        raise RuntimeError(f"build_class failed for {place.category} in {place.folder}")


def setup(place: Place, alignment: AlignmentConfig | None = None) -> Setup:
    """What `evaluation` needs: pixels alone, the object found by attention, neither depth nor camera."""
    dataset = DATASETS.load("folder").build(place.folder)
    samples = {sample.name: sample for sample in dataset.images(place.category, "test")}
    store = DiskStore(place.cache, int(20e9), "cpu")
    providers = Providers(
        features=DiskCache(_extractor(place.backbone), store), masks=(MASKS.load("attention").make({}, {}),)
    )
    constants = alignment or preset("fast", place.category)
    return Setup(samples, providers, SemAlign3D(read_class(place.class_file), constants))


@dataclass(frozen=True)
class Outcome:
    """Of one split; `views` has every test photograph with the class in it."""

    methods: list[dict[str, Any]]  # scores of all pairs, one entry per method
    photos: list[Photo]
    views: Views


def run(place: Place, found: Setup, tick: Callable[[], Any] = lambda: None) -> Outcome:
    """Answer all pairs by every method, and look at every photograph."""
    dataset = DATASETS.load("folder").build(place.folder)
    pairs = dict(enumerate(dataset.pairs(place.category, "test")))
    what = {"class": place.class_file.read_bytes(), "alignment": _constants(found)}
    key = predict.key(list(pairs.values()), what)
    methods = []
    for method in COMPARED:
        journal = open_journal(place.folder / f"{method}_{key}" / "predictions.jsonl")
        own = found
        if method != OWN:
            own = replace(found, model=METHODS.load(method).load(None, "cpu", FAST), whole_image=True)
        failed = predict.predict(pairs, own, journal, tick)
        methods.append({"method": method, "failed": len(failed), **score(pairs, journal)})
    views = Views(found, place.folder / f"aligned_{key}" / "alignments")
    return Outcome(methods, [_photo(sample, views) for sample in found.samples.values()], views)


def sureness(
    place: Place, found: Setup, others: dict[str, AnnotatedImage], tick: Callable[[], Any] = lambda: None
) -> list[float]:
    """Confidence of the class in photographs of other things; 0 where it is not found."""
    key = predict.key([], {"class": place.class_file.read_bytes(), "alignment": _constants(found)})
    views = Views(replace(found, samples=others), place.folder / f"others_{key}")
    sure = []
    for name in others:
        try:
            sure.append(views.view(name).confidence)
        except FAILURES:
            sure.append(0.0)
        tick()
    return sure


def answer(sample: AnnotatedImage, views: Views) -> tuple[Placed, Correspondences, torch.Tensor]:
    """The class in a photograph, its annotated keypoints there, and their ids. Raises ValueError."""
    model, placed = views.setup.model, views.view(sample.name)
    known = torch.tensor([name in model.known for name in model.info.keypoint_names])
    ids = (sample.visible & known).nonzero()[:, 0]
    return placed, placed.keypoints(ids), ids


def _constants(found: Setup) -> AlignmentConfig:
    assert isinstance(found.model, SemAlign3D)
    return found.model.settings


def _photo(sample: AnnotatedImage, views: Views) -> Photo:
    try:
        placed, points, ids = answer(sample, views)
    except FAILURES as error:
        return Photo(sample.name, 0.0, dict.fromkeys(map(str, ALPHAS), 0.0), str(error))
    size, target = box_size(sample.bbox), sample.keypoints[ids]
    pck = {str(a): float(correct(points.points, target, a * size).float().mean()) for a in ALPHAS}
    return Photo(sample.name, placed.confidence, pck)


def _extractor(arguments: tuple[str, ...]) -> Any:
    """The backbone of `--backbone NAME [--backbone-option KEY=VALUE]...`."""
    name = arguments[arguments.index("--backbone") + 1]
    texts = [arguments[i + 1] for i, text in enumerate(arguments) if text == "--backbone-option"]
    backbone = FEATURES.load(name)
    return backbone.make(backbone.parse(texts, "--backbone-option"), {"device": "cpu"})
