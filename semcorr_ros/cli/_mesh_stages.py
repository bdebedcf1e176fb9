"""The stages of `mesh_prior`, each over the images of one category."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import cache, partial
from typing import Any

import torch
from rich.progress import Progress

from semcorr_ros.artifacts import AnnotatedImage
from semcorr_ros.backbones import Origin
from semcorr_ros.cli import _providers as data
from semcorr_ros.cli._options.mesh_prior import MeshPriorOptions
from semcorr_ros.files.mask import read_mask
from semcorr_ros.live_providers import Common, provider
from semcorr_ros.mesh_prior import make
from semcorr_ros.mesh_prior.azimuth import ESTIMATORS, AzimuthEstimator
from semcorr_ros.mesh_prior.rasterizers import default_rasterizer
from semcorr_ros.mesh_prior.reconstruction import MESHES as PROVIDERS
from semcorr_ros.mesh_prior.reconstruction import MeshProvider
from semcorr_ros.mesh_prior.refine import RefineConfig
from semcorr_ros.mesh_prior.stages import Skipped, StageReport, each_image, jobs_of
from semcorr_ros.mesh_prior.work_folder import CANONICAL, MASKS, MESHES, REFINED, WorkFolder
from semcorr_ros.methods import read_origin
from semcorr_ros.observations import Providers
from semcorr_ros.options import flag
from semcorr_ros.workers import FAILURES, Crew

CLASS_MESH, FILES = "class_mesh", "files"


def reconstruct(
    options: MeshPriorOptions, folder: WorkFolder, crew: Crew | None, bar: Progress
) -> StageReport:
    """Make a mesh for each image of the data set. Raises ValueError or OSError before the first one."""
    samples = samples_of(options)
    providers, made_by = _material(options)
    settings = {"provider": made_by.identity, "backbone": providers.features.backbone}
    folder.settle(MESHES, settings | {"masks": list(data.masks_of(options.sources.masks))})
    task = bar.add_task("reconstruct", total=len(samples))

    def valid(name: str) -> bool:
        key = make.of_image(samples[name], made_by)
        read_mask(folder.file(MASKS, name, ".png"), samples[name].size)
        return make.is_from(folder, MESHES, name, key)

    jobs = jobs_of(list(samples), partial(_reconstruct, options, folder))
    return each_image("reconstruct", list(samples), valid, jobs, crew, partial(bar.advance, task))


def refine(options: MeshPriorOptions, folder: WorkFolder, crew: Crew | None, bar: Progress) -> StageReport:
    """Refine the pose of every mesh there is. Raises ValueError where there is none."""
    names = names_in(folder, MESHES, "reconstruct")
    config = refine_config(options)
    folder.settle(REFINED, asdict(config))
    task = bar.add_task("refine", total=len(names))

    def valid(name: str) -> bool:
        return make.is_from(folder, REFINED, name, make.of_mesh(folder, name, config))

    jobs = jobs_of(names, partial(_refine, folder, config))
    return each_image("refine", names, valid, jobs, crew, partial(bar.advance, task))


def canonicalize(
    options: MeshPriorOptions, folder: WorkFolder, crew: Crew | None, bar: Progress
) -> StageReport:
    """Turn every refined mesh as most of its category are. Raises ValueError where there is none."""
    names = names_in(folder, REFINED, "refine")
    estimator = _estimator(options)
    folder.settle(CANONICAL, {"azimuth": estimator.identity})
    key = make.of_category(folder, names, estimator)
    task = bar.add_task("canonicalize", total=len(names))
    if all(_is_canonical(folder, name, key) for name in names):
        return StageReport("canonicalize", kept=names)
    views = {name: make.views_of_image(folder, name, estimator.side) for name in names}
    try:
        with torch.no_grad():
            azimuth = estimator.of_category(list(views.values()))
    except ValueError as error:
        return StageReport("canonicalize", skipped=[Skipped(name, str(error)) for name in names])
    jobs = {name: partial(make.canonicalize_image, folder, views[name], azimuth, key) for name in names}
    valid = partial(make.is_canonical, folder, key=key)
    return each_image("canonicalize", names, valid, jobs, None, partial(bar.advance, task))


def samples_of(options: MeshPriorOptions) -> dict[str, AnnotatedImage]:
    """List the images that are worked on, by name. Raises ValueError naming what there is instead."""
    dataset, which = data.dataset_from(options.dataset), options.which
    if which.category not in dataset.categories():
        known = ", ".join(dataset.categories()) or "none"
        raise ValueError(f"{options.dataset.root} has no category {which.category!r}; it has {known}")
    images = dataset.images(which.category, which.split)
    if not images:
        raise ValueError(f"{which.category!r} has no images in split {which.split!r}")
    if which.max_images is not None and which.max_images < len(images):
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(which.seed))
        images = [images[i] for i in order[: which.max_images].sort().values.tolist()]
    return {image.name: image for image in images}


def refine_config(options: MeshPriorOptions) -> RefineConfig:
    """Return how poses are refined."""
    own = options.refine
    return RefineConfig(coverage=own.coverage, rasterizer=own.rasterizer or default_rasterizer())


@cache
def _material(options: MeshPriorOptions) -> tuple[Providers, MeshProvider]:
    """Build, once per process, what looks at images and what makes meshes."""
    own = options.reconstruct
    name = own.meshes or (CLASS_MESH if own.class_file else FILES if own.mesh_dir else "")
    if not name:
        raise ValueError("give --mesh-dir, --class-file, or --meshes with another provider of meshes")
    origin: Origin | None = read_origin(own.class_file) if own.class_file else None
    sources = options.sources
    if not (sources.depth.depth or sources.depth.depth_dir or name == CLASS_MESH):
        sources = replace(sources, depth=replace(sources.depth, depth="none"))  # nothing here looks at it
    device = data.device_from(sources.compute)
    if own.mesh_dir and name != FILES:
        raise ValueError(f"--mesh-dir means nothing to --meshes {name}")
    given: dict[str, tuple[Any, str]] = {}
    if name == FILES:
        given["folder"] = (own.mesh_dir, "--mesh-dir")
    if name == CLASS_MESH:
        given |= {"class_file": (own.class_file, "--class-file"), "seed": (options.which.seed, "--seed")}
    common = Common(device, "", flag)
    made_by = provider(PROVIDERS.load(name), own.mesh_options, "--mesh-option", given, common, own)
    return data.providers_from(sources, origin), made_by


def _estimator(options: MeshPriorOptions) -> AzimuthEstimator:
    own, device = options.canonicalize, data.device_from(options.sources.compute)
    plugin = ESTIMATORS.load(own.azimuth)
    given: dict[str, tuple[Any, str]] = {}
    if plugin.has_setting("extractor"):
        class_file = options.reconstruct.class_file
        origin = read_origin(class_file) if class_file else None
        given["extractor"] = (data.extractor_from(options.sources, origin), "--backbone")
    return provider(plugin, own.azimuth_options, "--azimuth-option", given, Common(device, "", flag), own)


def _reconstruct(options: MeshPriorOptions, folder: WorkFolder, name: str) -> None:
    providers, made_by = _material(options)
    make.reconstruct_image(folder, _samples(options)[name], providers, made_by)


@cache
def _samples(options: MeshPriorOptions) -> dict[str, AnnotatedImage]:
    return samples_of(options)


def _refine(folder: WorkFolder, config: RefineConfig, name: str) -> None:
    make.refine_image(folder, name, config)


def names_in(folder: WorkFolder, stage: str, before: str, suffix: str = ".ply") -> list[str]:
    """List the images that a stage has a file of. Raises ValueError where there is none."""
    names = folder.names(stage, suffix)
    if not names:
        raise ValueError(f"{folder.folder(stage)} holds nothing: run the stage {before} first")
    return names


def _is_canonical(folder: WorkFolder, name: str, key: str) -> bool:
    try:
        return make.is_canonical(folder, name, key)
    except FAILURES:
        return False
