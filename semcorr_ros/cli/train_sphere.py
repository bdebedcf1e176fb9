"""Train a spherical map from masks and coarse viewpoints, of one category or several."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.progress import Progress

from semcorr_ros.artifacts import AnnotatedImage, CategoryInfo
from semcorr_ros.backbones import MADE_BY, kept_options, name_of
from semcorr_ros.cli import _providers as data
from semcorr_ros.cli._build_providers import with_hull
from semcorr_ros.cli._options.train_sphere import LOSSES, TrainSphereOptions
from semcorr_ros.cli._origins import origins
from semcorr_ros.cli._progress import counted
from semcorr_ros.cli._sphere_report import print_summary, write_pictures
from semcorr_ros.datasets import Dataset
from semcorr_ros.features import FeatureExtractor
from semcorr_ros.features._sphere_mapper import HeadConfig, SphereMapper
from semcorr_ros.memory import peak_memory
from semcorr_ros.methods.spherical.artifacts import SphereClasses
from semcorr_ros.methods.spherical.class_file import with_only, write_classes
from semcorr_ros.methods.spherical.config import MatchConfig, head_for, metric_for
from semcorr_ros.methods.spherical.losses import BINS
from semcorr_ros.methods.spherical.published import read_published
from semcorr_ros.methods.spherical.training import viewpoints
from semcorr_ros.methods.spherical.training.summary import summarize
from semcorr_ros.methods.spherical.training.trainer import TrainConfig, train
from semcorr_ros.methods.spherical.training.views import Picture, Skipped, ViewConfig, encode, read_object
from semcorr_ros.observations import Providers
from semcorr_ros.storage import write_json

PICTURES = (".png", ".jpg", ".jpeg")
LEAST = 2  # pictures of a category: of one alone there is nothing to compare


@dataclass(frozen=True)
class Material:
    """What is trained on."""

    infos: tuple[CategoryInfo, ...]
    pictures: list[Picture]
    skipped: list[Skipped]

    def of(self, category: int) -> list[Picture]:
        """List the pictures of a category."""
        return [picture for picture in self.pictures if picture.category == category]


def run(options: TrainSphereOptions) -> int:
    """Encode, train and summarize; write class file, report and pictures. 130 after Ctrl-C: the same command
    goes on. Raises ValueError or OSError."""
    _check(options)
    dataset = data.dataset_from(options.dataset)
    sources = options.sources
    if not (sources.depth.depth or sources.depth.depth_dir):
        sources = replace(sources, depth=replace(sources.depth, depth="none"))  # nothing here looks at it
    named = data.providers_from(sources, annotated=True)
    providers, hull = with_hull(named)
    with counted() as bar:
        material = _material(options, dataset, providers, bar)
        mapper, losses = _mapper(options, material, providers.features, bar)
        classes = _classes(options, material, mapper, providers.features, bar)
    origin = {"dataset": options.dataset.dataset, "split": options.schedule.split}
    origin |= {"seed": str(options.schedule.seed), "viewpoints": options.views.viewpoints}
    origin |= {MADE_BY: "train_sphere"}
    origin |= origins(sources, named) | kept_options(sources.features.backbone_options)
    classes = replace(classes, provenance=origin)
    _write(options, classes)
    report = _report(options, material, classes, losses) | {"masks_from_keypoints": sorted(set(hull.helped))}
    report["dataset_problems"] = dataset.problems()
    write_json(options.output.json or options.output.output.with_suffix(".json"), report)
    write_pictures(options, material.pictures, material.infos, mapper, losses)
    print_summary(options, report)
    return 0


def _check(options: TrainSphereOptions) -> None:
    """Refuse before anything is encoded what could not be written or used at the end. Raises ValueError."""
    output = options.output
    if output.output.suffix != ".safetensors":
        raise ValueError(f"--output must end in .safetensors, got {output.output.name!r}")
    for flag, path in (("--picture", output.picture), ("--curve", output.curve)):
        if path is not None and path.suffix.lower() not in PICTURES:
            raise ValueError(f"{flag} {path}: its ending says no image format; name it .png or .jpg")
    written = [path for path in (output.output, output.json, output.picture, output.curve) if path]
    if len({path.resolve() for path in written}) < len(written):
        raise ValueError("--output, --json, --picture and --curve must be different files")
    if output.split_dir is not None and output.split_dir.resolve() == output.output.resolve().parent:
        raise ValueError("--split-dir must be another folder than --output's: a category may have its name")
    if options.views.viewpoints == "class" and options.views.class_dir is None:
        raise ValueError("--viewpoints class needs --class-dir; see build_class")
    if set(options.head.without) >= set(LOSSES):
        raise ValueError("--without leaves no loss to train by")
    if options.head.published is not None:
        read_published(options.head.published)


def _material(options: TrainSphereOptions, dataset: Dataset, providers: Providers, bar: Progress) -> Material:
    names = list(options.which.category) or dataset.categories()
    how = ViewConfig(options.schedule.crops, options.head.grid, options.schedule.seed)
    for name in names:
        if Path(name).name != name:
            raise ValueError(f"category {name!r} is no name for a file")
    if name_of(providers.features.backbone) == "spherical":
        raise ValueError("--backbone spherical has a sphere already: train on the backbone below it")
    samples = {name: _samples(dataset, options, name) for name in dict.fromkeys(names)}
    task = bar.add_task("encode", total=sum(map(len, samples.values())))
    pictures: list[Picture] = []
    skipped: list[Skipped] = []
    for i, (name, found) in enumerate(samples.items()):
        with torch.no_grad():
            usable, failed = encode(
                found, i, providers, how, _work(options) / "crops", partial(bar.advance, task)
            )
        if len(usable) < LEAST:
            said = [f"{one.name}: {one.reason}" for one in failed] or dataset.problems()
            why = f"; {said[0]}" if said else ""
            raise ValueError(
                f"{name!r} has {len(usable)} usable pictures of {len(found)} in split "
                f"{options.schedule.split!r}, at least {LEAST} are needed{why}"
            )
        mirrors = dataset.info(name).flip is not None
        pictures += [replace(picture, mirrors=mirrors) for picture in usable]
        skipped += failed
    infos = tuple(dataset.info(name) for name in samples)
    return Material(infos, _with_viewpoints(options, infos, pictures, providers, bar), skipped)


def _samples(dataset: Dataset, options: TrainSphereOptions, category: str) -> list[AnnotatedImage]:
    split, most = options.schedule.split, options.schedule.max_images
    if category not in dataset.categories():
        known = ", ".join(dataset.categories()) or "none"
        raise ValueError(f"{options.dataset.root} has no category {category!r}; it has {known}")
    images = dataset.images(category, split)
    if most is None or most >= len(images):
        return images
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(options.schedule.seed))
    return [images[i] for i in order[:most].sort().values.tolist()]


def _with_viewpoints(
    options: TrainSphereOptions,
    infos: Sequence[CategoryInfo],
    pictures: list[Picture],
    providers: Providers,
    bar: Progress,
) -> list[Picture]:
    source = options.views.viewpoints
    if source == "none" or "viewpoint" in options.head.without or options.head.published:
        return pictures
    task = bar.add_task("viewpoints", total=len(pictures))
    with torch.no_grad():
        towards = _towards(options, providers)
        found = viewpoints.with_viewpoints(pictures, towards, partial(bar.advance, task))
    for i, info in enumerate(infos):
        if not info.symmetric and not any(one.towards for one in found if one.category == i):
            raise ValueError(
                f"no picture of {info.name!r} has a viewpoint (--viewpoints {source}): "
                "annotation, cameras and class take them from different places, none does without"
            )
    # Nothing tells a body of revolution's sides apart: what its azimuth is called is arbitrary.
    return [replace(one, towards=None) if infos[one.category].symmetric else one for one in found]


def _towards(options: TrainSphereOptions, providers: Providers) -> viewpoints.Towards:
    source = options.views.viewpoints
    if source == "cameras":
        return viewpoints.of_cameras(options.views.cameras_dir or options.dataset.root / "Cameras")
    if source == "class":
        assert options.views.class_dir is not None
        device = data.device_from(options.sources.compute)
        return viewpoints.of_class(options.views.class_dir, providers, device, options.schedule.seed)
    return viewpoints.annotated


def _mapper(
    options: TrainSphereOptions, material: Material, extractor: FeatureExtractor, bar: Progress
) -> tuple[SphereMapper, list[dict[str, float]]]:
    channels = read_object(material.pictures[0])[0].values.shape[-1]
    device = data.device_from(options.sources.compute)
    if options.head.published is not None:
        mapper, _ = read_published(options.head.published)
        if mapper.config.channels != channels:
            raise ValueError(
                f"{options.head.published} is for a backbone of {mapper.config.channels} channels, "
                f"{extractor.backbone} has {channels}: use --backbone dinov2"
            )
        return mapper.to(device), []
    head = head_for(channels, options.head.grid, options.head.waves)
    held_out = _held_out(material, options.schedule.held_out)
    kept = [picture for picture in material.pictures if picture not in held_out]
    config = _train_config(options)
    task = bar.add_task("train", total=config.steps)

    def on_step(step: int, loss: float) -> None:
        bar.update(task, completed=step, description=f"train (loss {loss:.3f})")

    found = train(kept, held_out, head, config, _work(options) / "checkpoint.safetensors", on_step, device)
    trained = found.networks["sphere_mapper"]
    assert isinstance(trained, SphereMapper)
    return trained.requires_grad_(False).eval(), found.losses


def _train_config(options: TrainSphereOptions) -> TrainConfig:
    schedule, device = options.schedule, data.device_from(options.sources.compute)
    weights = dict.fromkeys(options.head.without, 0.0)
    return TrainConfig(
        steps=schedule.steps,
        batch=schedule.batch,
        lr=schedule.lr,
        hinge=options.head.hinge,
        mirror=not options.head.no_mirror,
        seed=schedule.seed,
        precision=schedule.train_precision or ("bf16" if device.startswith("cuda") else "fp32"),
        **weights,  # type: ignore[arg-type]
    )


def _held_out(material: Material, share: float) -> list[Picture]:
    """Choose every n-th picture of a category, at most all but two."""
    found: list[Picture] = []
    for i in range(len(material.infos)):
        own = material.of(i)
        count = min(math.ceil(share * len(own)), len(own) - LEAST)
        found += own[:: max(1, len(own) // count)][:count] if count > 0 else []
    return found


def _classes(
    options: TrainSphereOptions,
    material: Material,
    mapper: SphereMapper,
    extractor: FeatureExtractor,
    bar: Progress,
) -> SphereClasses:
    metric = options.head.metric or metric_for(extractor.backbone)
    matching = MatchConfig(options.head.alpha, metric, inside=options.head.published is None)
    task = bar.add_task("summarize", total=len(material.infos))
    categories = []
    for i, info in enumerate(material.infos):
        others = [picture for picture in material.pictures if picture.category != i]
        spread = others[:: max(1, len(others) // 12)]
        categories.append(summarize(info, material.of(i), spread, mapper, matching))
        bar.advance(task)
    return SphereClasses(mapper, matching, tuple(categories), extractor.backbone)


def _write(options: TrainSphereOptions, classes: SphereClasses) -> None:
    write_classes(options.output.output, classes)
    if options.output.split_dir is not None:
        for name in classes.names:
            write_classes(options.output.split_dir / f"{name}.safetensors", with_only(classes, name))


def _work(options: TrainSphereOptions) -> Path:
    return options.output.work or options.output.output.with_name(f"{options.output.output.stem}_work")


def _report(
    options: TrainSphereOptions,
    material: Material,
    classes: SphereClasses,
    losses: Sequence[dict[str, float]],
) -> dict[str, Any]:
    head: HeadConfig = classes.head
    return {
        "categories": {
            info.name: {
                "pictures": len(material.of(i)),
                "viewpoints": _counted(material.of(i)),
                "keypoints": int(classes.categories[i].keypoints.annotated.sum()),
            }
            for i, info in enumerate(material.infos)
        },
        "backbone": classes.backbone,
        "head": asdict(head),
        "matching": asdict(classes.matching),
        "training": asdict(_train_config(options)),
        "losses": list(losses),
        "skipped": [asdict(one) for one in material.skipped],
        "class_file": {"path": str(options.output.output), "bytes": options.output.output.stat().st_size},
        "peak_memory": peak_memory(),
    }


def _counted(pictures: Sequence[Picture]) -> list[int]:
    """Count the pictures of every eighth of a turn."""
    found = [viewpoints.bin_of(picture.towards) for picture in pictures if picture.towards is not None]
    return [found.count(b) for b in range(BINS)]
