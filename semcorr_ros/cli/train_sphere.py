"""Train a spherical map from masks and coarse viewpoints, of one category or several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from rich.progress import Progress

from semcorr_ros.backbones import MADE_BY, kept_options
from semcorr_ros.cli import _providers as data
from semcorr_ros.cli._build_providers import with_hull
from semcorr_ros.cli._options.train_sphere import LOSSES, TrainSphereOptions
from semcorr_ros.cli._origins import origins
from semcorr_ros.cli._progress import counted
from semcorr_ros.cli._sphere_material import Material, gather, work_folder
from semcorr_ros.cli._sphere_report import print_summary, write_pictures
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
from semcorr_ros.methods.spherical.training.views import Picture, read_object
from semcorr_ros.storage import write_json

PICTURES = (".png", ".jpg", ".jpeg")


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
        material = gather(options, dataset, providers, bar)
        mapper, losses = _mapper(options, material, providers.features, bar)
        classes = _classes(options, material, mapper, providers.features, bar)
    origin = {"dataset": options.dataset.dataset, "split": options.schedule.split}
    origin |= {"seed": str(options.schedule.seed), "viewpoints": options.views.viewpoints}
    origin |= {MADE_BY: "train_sphere"}
    origin |= origins(sources, named) | kept_options(
        sources.features.backbone_options, sources.features.weights
    )
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
    held_out = material.held_out(options.schedule.held_out)
    kept = [picture for picture in material.pictures if picture not in held_out]
    config = _train_config(options)
    task = bar.add_task("train", total=config.steps)

    def on_step(step: int, loss: float) -> None:
        bar.update(task, completed=step, description=f"train (loss {loss:.3f})")

    found = train(
        kept, held_out, head, config, work_folder(options) / "checkpoint.safetensors", on_step, device
    )
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
