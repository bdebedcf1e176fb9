"""What a sphere is trained on: encoded pictures of every category, with their viewpoints."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from rich.progress import Progress

from semcorr_ros.artifacts import AnnotatedImage, CategoryInfo
from semcorr_ros.backbones import name_of
from semcorr_ros.cli import _providers as data
from semcorr_ros.cli._options.train_sphere import TrainSphereOptions
from semcorr_ros.datasets import Dataset
from semcorr_ros.encoded_pictures import Skipped
from semcorr_ros.methods.spherical.training import viewpoints
from semcorr_ros.methods.spherical.training.views import Picture, ViewConfig, encode
from semcorr_ros.observations import Providers

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

    def held_out(self, share: float) -> list[Picture]:
        """Choose every n-th picture of a category, at most all but two."""
        found: list[Picture] = []
        for i in range(len(self.infos)):
            own = self.of(i)
            count = min(math.ceil(share * len(own)), len(own) - LEAST)
            found += own[:: max(1, len(own) // count)][:count] if count > 0 else []
        return found


def work_folder(options: TrainSphereOptions) -> Path:
    """Tell where crops and checkpoint are kept."""
    return options.output.work or options.output.output.with_name(f"{options.output.output.stem}_work")


def gather(options: TrainSphereOptions, dataset: Dataset, providers: Providers, bar: Progress) -> Material:
    """Encode the pictures of all categories, or read them where an earlier call did.

    Raises ValueError for a category that has too few usable pictures, or none with a viewpoint.
    """
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
                found, i, providers, how, work_folder(options) / "crops", partial(bar.advance, task)
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
