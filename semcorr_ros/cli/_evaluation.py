"""The work of `evaluate`: predict what is missing and score it, one category after the other."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from rich.progress import Progress

from semcorr_ros import backbones, methods
from semcorr_ros.artifacts import AnnotatedImage, ImagePair
from semcorr_ros.backbones import Origin
from semcorr_ros.cli import _providers as data
from semcorr_ros.cli._constants import quality_from
from semcorr_ros.cli._options.evaluate import EvaluateOptions
from semcorr_ros.cli._options.pictures import ConstantsOptions
from semcorr_ros.datasets import Dataset
from semcorr_ros.evaluation import predict, runs
from semcorr_ros.evaluation.align_ahead import align_ahead
from semcorr_ros.evaluation.geo_aware import groups
from semcorr_ros.evaluation.journal import Journal, open_journal
from semcorr_ros.evaluation.score import Protocol, score
from semcorr_ros.evaluation.views import Setup
from semcorr_ros.memory import peak_memory
from semcorr_ros.observations import Providers
from semcorr_ros.workers import Crew

LOG = logging.getLogger(__name__)
ALONE = Crew(workers=1)


@dataclass(frozen=True)
class Scored:
    """One category and method: the pairs, their predictions, and the scores."""

    pairs: dict[int, ImagePair]
    journal: Journal
    protocol: Protocol
    keypoint_names: tuple[str, ...]
    result: dict[str, Any]  # JSON-ready

    @property
    def title(self) -> str:
        return f"{self.result['category']}, {self.result['method']}"


@dataclass(frozen=True)
class Bench:
    """Data set, providers and options, shared by all categories and methods."""

    options: EvaluateOptions
    methods: tuple[str, ...]  # OWN is that of the class file
    dataset: Dataset
    providers: Providers
    crew: Crew = ALONE  # who aligns


def bench_from(options: EvaluateOptions) -> Bench:
    """Build what all categories and methods share. Raises ValueError or FileNotFoundError naming the
    argument."""
    names = tuple(dict.fromkeys(options.what.method or (methods.OWN,)))
    dataset = data.dataset_from(options.dataset)
    return Bench(options, names, dataset, data.providers_from(options.sources, _built_on(options, dataset)))


def categories(bench: Bench) -> list[str]:
    """List --category, or all that have a class file. Raises ValueError where there is none."""
    options = bench.options
    if options.which.category:
        return [options.which.category]
    found = bench.dataset.categories()
    if options.what.class_file:
        held = methods.categories_of(options.what.class_file)
        if len(held) == 1:
            raise ValueError("--all-categories takes --class-dir: this class file is of one category")
        found = [name for name in found if name in held]
    if options.what.class_dir:
        found = [name for name in found if (options.what.class_dir / f"{name}.safetensors").is_file()]
    if not found:
        known = ", ".join(bench.dataset.categories())
        where = options.what.class_file or options.what.class_dir
        raise ValueError(f"no class of {known} in {where}")
    return found


def evaluate(bench: Bench, category: str, work: Path, progress: Progress) -> list[Scored]:
    """Predict what is missing and score every method. Raises ValueError where there is nothing to
    evaluate."""
    options = bench.options
    pairs = bench.dataset.pairs(category, options.what.split)
    if not pairs:
        raise ValueError(
            f"{options.dataset.root} has no pairs of {category!r} in split {options.what.split!r}"
        )
    chosen = {i: pairs[i] for i in predict.choose(len(pairs), options.what.max_pairs, options.alignment.seed)}
    key = predict.key(pairs, _settings(bench, category))
    scored = []
    for method in bench.methods:
        setup = _setup(bench, category, method)
        folder = work / f"{category}_{method}_{key}"
        journal = open_journal(folder / runs.PREDICTIONS)
        runs.describe(folder, runs.Run(category, method, options.what.split, runs.digest(pairs)))
        if not setup.whole_image and not bench.crew.alone:
            names = sorted({name for pair in chosen.values() for name in (pair.source, pair.target)})
            task = progress.add_task(f"{category} align", total=len(names))
            ahead = partial(_setup_elsewhere, options, category, method)
            crew = replace(bench.crew, folder=folder)
            align_ahead(ahead, names, journal, crew, partial(progress.advance, task))
        task = progress.add_task(f"{category} {method}", total=len(chosen))
        step = partial(progress.advance, task)
        failed = predict.predict(chosen, setup, journal, step, options.protocol.kap_grid)
        head = {"category": category, "method": method, "split": options.what.split}
        found = _scored(options, bench.dataset, setup.samples, (chosen, journal, head), failed)
        found.result["peak_memory"] = peak_memory()
        scored.append(found)
    return scored


def score_again(options: EvaluateOptions) -> Iterator[Scored]:
    """Score the predictions in --rescore; reads annotations, but no image, feature or class."""
    dataset = data.dataset_from(options.dataset)
    assert options.output.rescore is not None
    found = runs.find(options.output.rescore, options.what.split)
    wanted = [
        (category, method)
        for category, method in sorted(found)
        if options.which.category in ("", category) and method in (options.what.method or [method])
    ]
    if not wanted:
        there = ", ".join(f"{category} by {method}" for category, method in sorted(found))
        raise ValueError(f"no such predictions in {options.output.rescore}; found {there}")
    for category, method in wanted:
        folder, run = found[category, method]
        pairs = dataset.pairs(category, options.what.split)
        runs.check(folder, run, pairs)
        journal = open_journal(folder / runs.PREDICTIONS)
        chosen = {
            i: pairs[i] for i in predict.choose(len(pairs), options.what.max_pairs, options.alignment.seed)
        }
        samples = {sample.name: sample for sample in dataset.images(category, options.what.split)}
        missing = dict.fromkeys(set(chosen) - set(journal.predictions), "no prediction")
        head = {"category": category, "method": method, "split": options.what.split}
        yield _scored(options, dataset, samples, (chosen, journal, head), missing)


def _scored(
    options: EvaluateOptions,
    dataset: Dataset,
    samples: Mapping[str, AnnotatedImage],
    answered: tuple[dict[int, ImagePair], Journal, dict[str, str]],
    failed: Mapping[int, str],
) -> Scored:
    pairs, journal, head = answered
    info = dataset.info(head["category"])
    protocol = Protocol(samples, groups(info), options.protocol.threshold)
    skipped = [
        {"source": pairs[i].source, "target": pairs[i].target, "reason": failed[i]} for i in sorted(failed)
    ]
    result = {**head, **score(pairs, journal, protocol), "skipped": skipped}
    return Scored(pairs, journal, protocol, info.keypoint_names, result)


def _setup(bench: Bench, category: str, method: str) -> Setup:
    options = bench.options
    samples = {sample.name: sample for sample in bench.dataset.images(category, options.what.split)}
    flip = bench.dataset.info(category).flip if options.protocol.adaptive_flip else None
    model, whole = _model(bench, category, method)
    return Setup(samples, bench.providers, model, options.alignment.seed, flip, whole)


def _setup_elsewhere(options: EvaluateOptions, category: str, method: str) -> Setup:
    """Make a setup in another process, from picklable arguments."""
    return _setup(bench_from(options), category, method)


def _model(bench: Bench, category: str, method: str) -> tuple[methods.Model, bool]:
    """Load the class, on the device of the features; also tell whether the method matches whole images."""
    options, name = bench.options, method
    path = _class_path(options, category)
    if name == methods.OWN:
        if path is None:
            raise ValueError(f"method {method!r} needs --class-file or --class-dir; see build_class")
        name = methods.method_of(path)
    found = methods.METHODS.load(name)
    device = data.device_from(options.sources.compute)
    model = found.load(path, device, quality_from(options.alignment)).of(category)
    if path is not None:
        backbones.check(model, bench.providers.features.backbone, path)
        if model.info.name != category:
            held = ", ".join(methods.categories_of(path))
            LOG.warning("%s is of %s: used for images of %r", path, held, category)
    return model, not found.needs_class


def _built_on(options: EvaluateOptions, dataset: Dataset) -> Origin | None:
    """Read what the class was built on, or the first of many; None without a class file."""
    names = [options.which.category] if options.which.category else dataset.categories()
    paths = [path for name in names if (path := _class_path(options, name)) and path.is_file()]
    return methods.read_origin(paths[0]) if paths else None


def _class_path(options: EvaluateOptions, category: str) -> Path | None:
    return options.what.class_file or (
        options.what.class_dir and options.what.class_dir / f"{category}.safetensors"
    )


def _settings(bench: Bench, category: str) -> dict[str, Any]:
    """Collect what a prediction depends on besides the pairs and the code."""
    options = bench.options
    path = _class_path(options, category)
    sources, depth, masks = options.sources, options.sources.depth, options.sources.masks
    return {
        "features_dir": sources.cache.features_dir,
        "weights": sources.features.weights or None,
        "precision": sources.features.precision or None,
        "seed": options.alignment.seed,
        "depth": depth.depth or None,
        "depth_dir": depth.depth_dir,
        "depth_kind": depth.depth_kind or None,
        "depth_option": list(depth.depth_options),
        "masks": list(masks.masks) or None,
        "masks_dir": masks.masks_dir,
        "mask_option": list(masks.mask_options),
        "kap_grid": options.protocol.kap_grid,
        "adaptive_flip": options.protocol.adaptive_flip,
        "root": options.dataset.root.resolve(),
        "backbone": bench.providers.features.backbone,
        "variant": bench.providers.features.variant,
        "class": path.read_bytes() if path else None,
        "alignment": _constants(options.alignment),
        "without": options.alignment.without,
        "matcher": options.alignment.matcher,
    }


def _constants(options: ConstantsOptions) -> str | bytes:
    """Return the preset's name; the bytes of a file."""
    name = quality_from(options).name
    return Path(name).read_bytes() if Path(name).suffix else name
