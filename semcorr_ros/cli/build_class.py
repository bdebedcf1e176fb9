"""Build a class file from annotated images, about 10 to 50 of them, 4 at least; with or without depth."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from rich.progress import Progress

from semcorr_ros import config as yaml_config
from semcorr_ros.artifacts import AnnotatedImage, Camera, CategoryInfo, FeatureMap
from semcorr_ros.backbones import kept_options
from semcorr_ros.cli import _providers as data
from semcorr_ros.cli._annotation_checks import about_annotations, about_size
from semcorr_ros.cli._build_many import build_all
from semcorr_ros.cli._build_providers import (
    prepare_depth,
    size_from,
    with_depth,
    with_hull,
    with_size,
)
from semcorr_ros.cli._options.build_class import BuildClassOptions
from semcorr_ros.cli._origins import origins
from semcorr_ros.cli._progress import counted, told_to
from semcorr_ros.datasets import Dataset
from semcorr_ros.memory import peak_memory
from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation
from semcorr_ros.methods.semalign3d.building.build import build
from semcorr_ros.methods.semalign3d.building.config import BuildConfig
from semcorr_ros.methods.semalign3d.building.evidence import LazySample, Sample
from semcorr_ros.methods.semalign3d.class_file import write_class
from semcorr_ros.observations import Providers, observe, observe_coarsely, observe_mirrored
from semcorr_ros.storage import write_image, write_json
from semcorr_ros.visualization.class_picture import class_picture

SIZED = "size: {:.4g} m per unit of the class"
UNSIZED = "size: unknown; poses are right up to scale. --size METRES A B gives it, between two keypoints"
SHOWN = 5  # skipped images printed; all are in the JSON report


def run(options: BuildClassOptions) -> int:
    """Write class file, report and picture, of one category or all. Raises ValueError or OSError."""
    if options.which.all_categories:
        if options.output.class_dir is None or options.output.output is not None:
            raise ValueError("--all-categories takes --class-dir, --output is one file")
        return build_all(options, _build_one)
    if options.output.output is None or options.output.class_dir is not None:
        raise ValueError("--category takes --output, --class-dir goes with --all-categories")
    _check_output(options.output.output)
    return _build_one(options, options.output.output)


def _build_one(options: BuildClassOptions, output: Path) -> int:
    config = _config(options)
    dataset = data.dataset_from(options.dataset)
    info = dataset.info(options.which.category)
    images = _images(dataset, options)
    sources, size = with_depth(options, images), size_from(options.keypoints, info)
    named = data.providers_from(sources, annotated=True, nearer=options.keypoints.nearer)
    providers, hull = with_hull(named)
    generator = torch.Generator().manual_seed(options.images.seed)
    with counted() as bar:
        task = bar.add_task("build", total=100)
        bar.update(task, description="depth")
        prepared = prepare_depth(providers, images, info, generator)
        providers = dataclasses.replace(providers, depth=prepared.depth)
        samples = [_lazy(image, info, providers, config) for image in images]
        model, report = build(info, samples, config, generator, _advance(bar, task, options.output.progress))
        bar.update(task, completed=100, description="done")
    cameras_are_known = all(image.camera is not None for image in images)
    model = with_size(_with_provenance(model, options, origins(sources, named), cameras_are_known), size)
    report["metric_scale"] = model.metric_scale
    write_class(output, model)
    checked = [*about_annotations(images, info), *about_size(size, info)]
    report["warnings"] = [*checked, *prepared.warnings, *report["warnings"]]
    report["depth"] = prepared.facts
    report["masks_from_keypoints"] = sorted(set(hull.helped))
    report["class_file"] = {"path": str(output), "bytes": output.stat().st_size}
    report["dataset_problems"] = dataset.problems()
    report["config"] = dataclasses.asdict(config)
    report["peak_memory"] = peak_memory()
    write_json(options.output.json or output.with_suffix(".json"), report)
    write_image(options.output.picture or output.with_suffix(".png"), class_picture(model))
    _print_summary(model, report, output)
    return 0


def _check_output(path: Path) -> None:
    if path.suffix != ".safetensors":
        raise ValueError(f"--output must end in .safetensors, got {path.name!r}")


def _config(options: BuildClassOptions) -> BuildConfig:
    config = yaml_config.load(BuildConfig, options.images.config) if options.images.config else BuildConfig()
    if options.images.mirror or options.images.no_mirror:
        config = dataclasses.replace(config, mirror=options.images.mirror)
    return config


def _images(dataset: Dataset, options: BuildClassOptions) -> list[AnnotatedImage]:
    images = dataset.images(options.which.category, options.images.split)
    if not images:
        problems = "; ".join(dataset.problems()[:3]) or "none is listed"
        what = f"{options.which.category!r} in split {options.images.split!r}"
        raise ValueError(f"{options.dataset.root} has no images of {what}: {problems}")
    if options.images.max_images is None or options.images.max_images >= len(images):
        return images
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(options.images.seed))
    return [images[i] for i in order[: options.images.max_images].sort().values.tolist()]


def _lazy(image: AnnotatedImage, info: CategoryInfo, providers: Providers, config: BuildConfig) -> LazySample:
    mirror = config.mirror and info.flip is not None

    def load() -> Sample:
        seen = observe(image, providers)
        if seen.depth is None:
            raise ValueError("no depth for this image: --depth keypoints needs none, or give --depth-dir")
        if seen.mask is None:
            raise ValueError("no mask for this image, and too few annotated keypoints for their hull")
        mirrored = observe_mirrored(image, seen, providers) if mirror else None
        coarse = observe_coarsely(image, seen, providers, config.coarse) if config.coarse else None
        coarsely_mirrored = None
        if coarse is not None and mirrored is not None:
            coarsely_mirrored = observe_mirrored(image, coarse, providers)
        return Sample(
            annotated=dataclasses.replace(image, camera=_on_cpu(seen.camera)),
            features=_to_cpu(seen.features),
            depth=dataclasses.replace(seen.depth, values=seen.depth.values.cpu()),
            mask=seen.mask.cpu(),
            mirrored_features=None if mirrored is None else _to_cpu(mirrored.features),
            coarse_features=None if coarse is None else _to_cpu(coarse.features),
            mirrored_coarse_features=None
            if coarsely_mirrored is None
            else _to_cpu(coarsely_mirrored.features),
        )

    return LazySample(image.name, load)


def _on_cpu(camera: Camera | None) -> Camera | None:
    if camera is None:
        return None
    return Camera(camera.focal.cpu(), camera.principal_point.cpu(), camera.size)


def _to_cpu(features: FeatureMap) -> FeatureMap:
    return dataclasses.replace(features, values=features.values.cpu())


def _with_provenance(
    model: ClassRepresentation, options: BuildClassOptions, models: dict[str, str], cameras_are_known: bool
) -> ClassRepresentation:
    # Folder names would differ between machines, and with them the bytes of the file.
    origin = {
        "dataset": options.dataset.dataset,
        "split": options.images.split,
        "seed": str(options.images.seed),
    }
    origin |= models | kept_options(
        options.sources.features.backbone_options, options.sources.features.weights
    )
    if model.provenance["cameras"] == "known" and not cameras_are_known:
        origin["cameras"] = "estimated with depth"
    return dataclasses.replace(model, provenance=model.provenance | origin)


def _advance(bar: Progress, task: object, file: Path | None) -> Callable[[str, float], None]:
    tell = told_to(file)

    def advance(stage: str, done: float) -> None:
        bar.update(task, completed=100 * done, description=stage)  # type: ignore[arg-type]
        tell(stage, done)

    return advance


def _print_summary(model: ClassRepresentation, report: dict[str, Any], output: Path) -> None:
    print(
        f"{output}: {report['images']} images, "
        f"{int(model.annotated.sum())} of {len(model.annotated)} keypoints, "
        f"{len(model.dense.weight)} surface points, {report['class_file']['bytes'] / 1e6:.1f} MB, "
        f"{report['seconds']['total']:.1f} s"
    )
    print(SIZED.format(model.metric_scale) if model.metric_scale > 0 else UNSIZED)
    if report["masks_from_keypoints"]:
        count = len(report["masks_from_keypoints"])
        print(f"the hull of the keypoints stood in for a mask in {count} images")
    for warning in report["warnings"]:
        print(f"warning: {warning}")
    _print_some([f"skipped {entry['name']}: {entry['reason']}" for entry in report["skipped"]])
    _print_some(report["dataset_problems"])


def _print_some(lines: list[str]) -> None:
    for line in lines[:SHOWN]:
        print(line)
    if len(lines) > SHOWN:
        print(f"... and {len(lines) - SHOWN} more, see the report")
