"""One row for one category and feature setting: build, align, match, score; all of it resumable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmark.rendered import measures
from benchmark.rendered.splits import TRAIN, Split
from benchmark.rendered.variants import Variant
from semcorr_ros.__main__ import main as verb
from semcorr_ros.artifacts import ImagePair
from semcorr_ros.datasets import DATASETS
from semcorr_ros.depth import DEPTH
from semcorr_ros.evaluation import predict
from semcorr_ros.evaluation.align_ahead import align_ahead
from semcorr_ros.evaluation.journal import Journal, open_journal
from semcorr_ros.evaluation.score import score
from semcorr_ros.evaluation.views import FAILURES, Setup, Views
from semcorr_ros.features import FEATURES
from semcorr_ros.masks import MASKS
from semcorr_ros.methods import FAST, METHODS, OWN
from semcorr_ros.methods.semalign3d.class_file import read_class
from semcorr_ros.methods.semalign3d.model import SemAlign3D
from semcorr_ros.observations import Providers
from semcorr_ros.workers import Crew


@dataclass(frozen=True)
class Place:
    """Where a category in a feature setting lives, and on which pictures it is tried."""

    work: Path
    category: str
    setting: str  # "tiny", "meshes" (with tiny features), or a folder of oracle features
    split: Split

    @property
    def folder(self) -> Path:
        """Of the split that is tried on."""
        return self.split.folder(self.work)

    def data(self, split: Split) -> Path:
        """The pictures of a split, SPair-71k layout."""
        return split.folder(self.work) / ("meshes" if self.setting == "meshes" else "data")

    @property
    def truth(self) -> Path:
        """Where true 3D keypoints are."""
        return self.folder / ("meshes_truth" if self.setting == "meshes" else "oracle") / "truth"

    @property
    def answers(self) -> Path:
        """Predictions and alignments."""
        return self.folder / "runs" / self.setting / self.category

    @property
    def backbone(self) -> str:
        """Plug-in that gives the features."""
        return "tiny" if self.setting in ("tiny", "meshes") else "precomputed"

    def features(self, split: Split) -> Path:
        """Where `precomputed` finds those of a split."""
        return split.folder(self.work) / "oracle" / self.setting

    @property
    def class_file(self) -> Path:
        """Built once, for all splits; delete it to build again."""
        return TRAIN.folder(self.work) / "classes" / self.setting / f"{self.category}.safetensors"


def build(place: Place) -> None:
    """Build the class from the 30 training images unless it is there. Raises RuntimeError."""
    if place.class_file.is_file():
        return
    where = ["--root", str(place.data(TRAIN)), "--category", place.category, "--depth", "sensor"]
    tiny, folder = place.backbone == "tiny", str(place.features(TRAIN))
    features = ["--backbone", "tiny"] if tiny else ["--features-dir", folder]
    place.class_file.parent.mkdir(parents=True, exist_ok=True)
    code = verb(["build_class", *where, "--output", str(place.class_file), *features])
    if code:
        raise RuntimeError(f"build_class failed for {place.category} with {place.setting} features")


def make_setup(place: Place, variant: Variant, images_of: str = "") -> Setup:
    """What `evaluation` needs; `images_of` another category shows the class what it is not."""
    dataset = DATASETS.load("spair71k").build(place.data(place.split))
    images = dataset.images(images_of or place.category, place.split.spair)
    samples = {sample.name: sample for sample in images}
    if not variant.camera:
        samples = {name: replace(sample, camera=None) for name, sample in samples.items()}
    options = {} if place.backbone == "tiny" else {"folder": place.features(place.split)}
    providers = Providers(
        features=FEATURES.load(place.backbone).make(options, {}),
        depth=DEPTH.load("sensor").make({}, {}) if variant.depth else None,
        masks=(MASKS.load(variant.masks).make({}, {}),),
    )
    if variant.matcher != OWN:
        model = METHODS.load(variant.matcher).load(None, "cpu", FAST)
        return Setup(samples, providers, model, whole_image=True)
    return Setup(samples, providers, SemAlign3D(read_class(place.class_file), variant.config))


def run(
    place: Place, name: str, variant: Variant, workers: int, tick: Callable[[int], Any]
) -> dict[str, Any]:
    """Scores of the pairs, and errors of the images where the class is aligned. JSON-ready."""
    setup = make_setup(place, variant)
    journal, row = answer(place, setup, (name, variant), workers, tick)
    if not setup.whole_image:
        row["per_image"] = [vars(e) for e in _errors(place, setup, journal.path.parent)]
    return row


def answer(
    place: Place, setup: Setup, what: tuple[str, Variant], workers: int, tick: Callable[[int], Any]
) -> tuple[Journal, dict[str, Any]]:
    """Predictions of a row, (name, variant), beside them its alignments; and their scores."""
    name, variant = what
    pairs = chosen_pairs(place, list(setup.samples), variant.share)
    key = predict.key(list(pairs.values()), {"variant": variant, "class": place.class_file.read_bytes()})
    folder = place.answers / f"{name.replace(' ', '_')}_{key}"
    journal = open_journal(folder / "predictions.jsonl")
    names = sorted({image for pair in pairs.values() for image in (pair.source, pair.target)})
    if not setup.whole_image:
        align_ahead(partial(make_setup, place, variant), names, journal, Crew(workers=workers), tick)
    failed = predict.predict(pairs, setup, journal)
    row: dict[str, Any] = {"category": place.category, "setting": place.setting, "method": name}
    row |= {"images": len(names), "failed": sorted(set(failed.values())), **score(pairs, journal)}
    return journal, row


def run_wrong_class(
    place: Place, variant: Variant, other: str, count: int, tick: Callable[[int], Any]
) -> list[float]:
    """Confidence of the class on images of another category, object masks given; 0 where it is refused."""
    setup = make_setup(place, variant, other)
    key = predict.key([], {"variant": variant, "class": place.class_file.read_bytes()})
    views = Views(setup, place.answers / f"on_{other}_{key}")
    found = []
    for name in sorted(setup.samples)[:count]:
        try:
            found.append(views.view(name).confidence)
        except FAILURES:
            found.append(0.0)
        tick(1)
    return found


def chosen_pairs(place: Place, names: list[str], share: float) -> dict[int, ImagePair]:
    """The pairs among the first `share` of the split's images."""
    dataset = DATASETS.load("spair71k").build(place.data(place.split))
    kept = set(sorted(names)[: max(2, round(share * len(names)))])
    pairs = enumerate(dataset.pairs(place.category, place.split.spair))
    return {i: pair for i, pair in pairs if {pair.source, pair.target} <= kept}


def _errors(place: Place, setup: Setup, folder: Path) -> list[measures.ImageErrors]:
    views = Views(setup, folder / "alignments")
    found = []
    for name in sorted(path.stem for path in folder.glob("alignments/*.safetensors")):
        try:
            view = views.view(name)
        except FAILURES:
            continue
        error = measures.errors(setup.model, setup.samples[name], view, place.data(place.split), place.truth)
        if error:
            found.append(error)
    return found
