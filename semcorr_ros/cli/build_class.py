"""Build a class file from annotated images, about 10 to 50 of them, 4 at least; with or without depth."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from semcorr_ros import config as yaml_config
from semcorr_ros.artifacts import AnnotatedImage, Camera, CategoryInfo, FeatureMap
from semcorr_ros.backbones import kept_options
from semcorr_ros.cli import _data_arguments as data
from semcorr_ros.cli._annotation_checks import about_annotations, about_size
from semcorr_ros.cli._build_many import build_all
from semcorr_ros.cli._build_providers import (
    add_keypoint_arguments,
    prepare_depth,
    size_from,
    with_depth,
    with_hull,
    with_size,
)
from semcorr_ros.cli._engine_arguments import add_engine_arguments
from semcorr_ros.cli._origins import origins
from semcorr_ros.datasets import Dataset
from semcorr_ros.memory import peak_memory
from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation
from semcorr_ros.methods.semalign3d.building.build import build
from semcorr_ros.methods.semalign3d.building.config import BuildConfig
from semcorr_ros.methods.semalign3d.building.evidence import LazySample, Sample
from semcorr_ros.methods.semalign3d.class_file import write_class
from semcorr_ros.observations import Providers, observe, observe_mirrored
from semcorr_ros.storage import write_image, write_json
from semcorr_ros.visualization.class_picture import class_picture

SIZED = "size: {:.4g} m per unit of the class"
UNSIZED = "size: unknown; poses are right up to scale. --size METRES A B gives it, between two keypoints"
SHOWN = 5  # skipped images printed; all are in the JSON report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `semcorr_ros build_class`."""
    data.add_dataset_arguments(parser)
    data.add_provider_arguments(parser)
    add_keypoint_arguments(parser)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--category", help="which class to build")
    which.add_argument(
        "--all-categories", action="store_true", help="every one that is not in --class-dir yet"
    )
    parser.add_argument("--split", default="trn", choices=["trn", "val", "test"], help="default: trn")
    parser.add_argument("--max-images", type=int, metavar="N", help="a random subset of this many images")
    parser.add_argument(
        "--mirror",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="double the images by mirroring where the flip table fits the data (default: yes)",
    )
    parser.add_argument("--config", type=Path, metavar="YAML", help="constants of the build")
    parser.add_argument("--output", type=Path, metavar="FILE", help="<class>.safetensors")
    parser.add_argument("--class-dir", type=Path, metavar="DIR", help="of the files of --all-categories")
    add_engine_arguments(parser, "classes of --all-categories")
    parser.add_argument("--json", type=Path, metavar="FILE", help="report (default: beside --output)")
    parser.add_argument("--picture", type=Path, metavar="PNG", help="picture (default: beside --output)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same bytes (default: 0)")


def run(args: argparse.Namespace) -> int:
    """Write class file, report and picture, of one category or all. Raises ValueError or OSError."""
    if args.all_categories:
        if args.class_dir is None or args.output is not None:
            raise ValueError("--all-categories takes --class-dir, --output is one file")
        return build_all(args, _run_one)
    if args.output is None or args.class_dir is not None:
        raise ValueError("--category takes --output, --class-dir goes with --all-categories")
    _check_output(args.output)
    return _run_one(args)


def _run_one(args: argparse.Namespace) -> int:
    config = _config(args)
    dataset = data.dataset_from(args)
    info = dataset.info(args.category)
    images = _images(dataset, args)
    args, size = with_depth(args, images), size_from(args, info)
    named = data.providers_from(args, annotated=True)
    providers, hull = with_hull(named)
    generator = torch.Generator().manual_seed(args.seed)
    with _progress() as bar:
        task = bar.add_task("build", total=1.0)
        bar.update(task, description="depth")
        prepared = prepare_depth(providers, images, info, generator)
        providers = dataclasses.replace(providers, depth=prepared.depth)
        samples = [_lazy(image, info, providers, config) for image in images]
        model, report = build(info, samples, config, generator, _advance(bar, task))
        bar.update(task, completed=1.0, description="done")
    cameras_are_known = all(image.camera is not None for image in images)
    model = with_size(_with_provenance(model, args, named, cameras_are_known), size)
    report["metric_scale"] = model.metric_scale
    write_class(args.output, model)
    checked = [*about_annotations(images, info), *about_size(size, info)]
    report["warnings"] = [*checked, *prepared.warnings, *report["warnings"]]
    report["depth"] = prepared.facts
    report["masks_from_keypoints"] = sorted(set(hull.helped))
    report["class_file"] = {"path": str(args.output), "bytes": args.output.stat().st_size}
    report["dataset_problems"] = dataset.problems()
    report["config"] = dataclasses.asdict(config)
    report["peak_memory"] = peak_memory()
    write_json(args.json or args.output.with_suffix(".json"), report)
    write_image(args.picture or args.output.with_suffix(".png"), class_picture(model))
    _print_summary(model, report, args)
    return 0


def _check_output(path: Path) -> None:
    if path.suffix != ".safetensors":
        raise ValueError(f"--output must end in .safetensors, got {path.name!r}")


def _config(args: argparse.Namespace) -> BuildConfig:
    config = yaml_config.load(BuildConfig, args.config) if args.config else BuildConfig()
    return config if args.mirror is None else dataclasses.replace(config, mirror=args.mirror)


def _images(dataset: Dataset, args: argparse.Namespace) -> list[AnnotatedImage]:
    images = dataset.images(args.category, args.split)
    if not images:
        problems = "; ".join(dataset.problems()[:3]) or "none is listed"
        raise ValueError(
            f"{args.root} has no images of {args.category!r} in split {args.split!r}: {problems}"
        )
    if args.max_images is None or args.max_images >= len(images):
        return images
    if args.max_images < 1:
        raise ValueError(f"--max-images must be at least 1, got {args.max_images}")
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(args.seed))
    return [images[i] for i in order[: args.max_images].sort().values.tolist()]


def _lazy(image: AnnotatedImage, info: CategoryInfo, providers: Providers, config: BuildConfig) -> LazySample:
    mirror = config.mirror and info.flip is not None

    def load() -> Sample:
        seen = observe(image, providers)
        if seen.depth is None:
            raise ValueError("no depth for this image: --depth keypoints needs none, or give --depth-dir")
        if seen.mask is None:
            raise ValueError("no mask for this image, and too few annotated keypoints for their hull")
        mirrored = observe_mirrored(image, seen, providers) if mirror else None
        return Sample(
            annotated=dataclasses.replace(image, camera=_on_cpu(seen.camera)),
            features=_to_cpu(seen.features),
            depth=dataclasses.replace(seen.depth, values=seen.depth.values.cpu()),
            mask=seen.mask.cpu(),
            mirrored_features=None if mirrored is None else _to_cpu(mirrored.features),
        )

    return LazySample(image.name, load)


def _on_cpu(camera: Camera | None) -> Camera | None:
    if camera is None:
        return None
    return Camera(camera.focal.cpu(), camera.principal_point.cpu(), camera.size)


def _to_cpu(features: FeatureMap) -> FeatureMap:
    return dataclasses.replace(features, values=features.values.cpu())


def _with_provenance(
    model: ClassRepresentation, args: argparse.Namespace, providers: Providers, cameras_are_known: bool
) -> ClassRepresentation:
    # Folder names would differ between machines, and with them the bytes of the file.
    origin = {"dataset": args.dataset, "split": args.split, "seed": str(args.seed)}
    origin |= origins(args, providers) | kept_options(args.backbone_option)
    if model.provenance["cameras"] == "known" and not cameras_are_known:
        origin["cameras"] = "estimated with depth"
    return dataclasses.replace(model, provenance=model.provenance | origin)


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))


def _advance(bar: Progress, task: object) -> Callable[[str, float], None]:
    return lambda stage, done: bar.update(task, completed=done, description=stage)  # type: ignore[arg-type]


def _print_summary(model: ClassRepresentation, report: dict[str, Any], args: argparse.Namespace) -> None:
    print(
        f"{args.output}: {report['images']} images, {int(model.seen.sum())} of {len(model.seen)} keypoints, "
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
