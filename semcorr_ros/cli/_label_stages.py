"""The last stages of `mesh_prior`: descriptors of canonical meshes, and the matches that these confirm."""

from __future__ import annotations

from dataclasses import asdict
from functools import cache, partial

from rich.progress import Progress

from semcorr_ros.adapter.labels import Labels
from semcorr_ros.artifacts import AnnotatedImage
from semcorr_ros.cli import _providers as data
from semcorr_ros.cli._mesh_stages import names_in, samples_of
from semcorr_ros.cli._options.mesh_prior import MeshPriorOptions
from semcorr_ros.live_providers import Common, provider
from semcorr_ros.mesh_prior import describe as descriptions
from semcorr_ros.mesh_prior import pseudo_label as labels
from semcorr_ros.mesh_prior import view_file as views
from semcorr_ros.mesh_prior.descriptors import DESCRIPTORS as KINDS
from semcorr_ros.mesh_prior.descriptors import Describe
from semcorr_ros.mesh_prior.stages import StageReport, each_image, jobs_of
from semcorr_ros.mesh_prior.work_folder import CANONICAL, DESCRIPTORS, PSEUDO_LABELS, WorkFolder
from semcorr_ros.methods import read_origin
from semcorr_ros.options import flag
from semcorr_ros.workers import Crew


def describe(options: MeshPriorOptions, folder: WorkFolder, crew: Crew | None, bar: Progress) -> StageReport:
    """Describe every canonical mesh. Raises ValueError where there is none."""
    names = names_in(folder, CANONICAL, "canonicalize")
    kind, longest = _descriptor(options), options.describe.longest
    folder.settle(DESCRIPTORS, {"kind": kind.kind, "longest": longest})
    task = bar.add_task("describe", total=len(names))
    valid = partial(_is_described, options, folder)
    jobs = jobs_of(names, partial(_describe, options, folder))
    return each_image("describe", names, valid, jobs, crew, partial(bar.advance, task))


def pseudo_label(
    options: MeshPriorOptions, folder: WorkFolder, crew: Crew | None, bar: Progress
) -> StageReport:
    """Lift every picture onto its mesh, match it to others, and gather what is kept in labels.safetensors.
    Raises ValueError where no mesh is described."""
    names = names_in(folder, DESCRIPTORS, "describe", descriptions.SUFFIX)
    samples, config = samples_of(options), label_config(options)
    encoder = _encoder(options)
    folder.settle(PSEUDO_LABELS, asdict(config) | {"encoder": encoder.kind, "filters": list(config.filters)})
    task = bar.add_task("pseudo_label", total=2 * len(names))
    tick = partial(bar.advance, task)
    jobs = jobs_of(names, partial(_view, options, folder))
    seen = each_image("views", names, partial(_is_seen, options, folder), jobs, crew, tick)
    sizes = {name: samples[name].size for name in seen.done if name in samples}
    valid = partial(_is_labelled, folder, tuple(sizes), config)
    jobs = jobs_of(list(sizes), partial(_label, folder, sizes, config))
    report = each_image("pseudo_label", list(sizes), valid, jobs, crew, tick)
    report.skipped = sorted([*seen.skipped, *report.skipped], key=lambda one: one.name)
    if report.done:
        origin = {"backbone": encoder.kind, "category": folder.category}
        found: Labels = labels.gather(folder, report.done, origin)
        print(
            f"{folder.folder(PSEUDO_LABELS) / 'labels.safetensors'}: {sum(map(len, found.matches))} matches"
        )
    return report


def label_config(options: MeshPriorOptions) -> labels.LabelConfig:
    """Return how matches are found and verified."""
    own = options.labels
    return labels.LabelConfig(
        tolerance=own.tolerance,
        threshold=own.threshold,
        filters=own.filters,
        geodesics=own.geodesics,
        partners=own.partners,
        matches=own.matches,
        seed=options.which.seed,
    )


@cache
def _descriptor(options: MeshPriorOptions) -> Describe:
    own = options.describe
    common = Common(data.device_from(options.sources.compute), "", flag)
    return provider(
        KINDS.load(own.descriptor), own.descriptor_options, "--descriptor-option", {}, common, own
    )


@cache
def _encoder(options: MeshPriorOptions) -> views.Encoder:
    class_file = options.reconstruct.class_file
    return views.Encoder(
        data.extractor_from(options.sources, read_origin(class_file) if class_file else None)
    )


def _describe(options: MeshPriorOptions, folder: WorkFolder, name: str) -> None:
    descriptions.describe_image(folder, name, _descriptor(options), options.describe.longest)


def _is_described(options: MeshPriorOptions, folder: WorkFolder, name: str) -> bool:
    return descriptions.is_described(folder, name, _descriptor(options), options.describe.longest)


def _view(options: MeshPriorOptions, folder: WorkFolder, name: str) -> None:
    views.make_view(folder, _sample(options, name), _encoder(options))


def _is_seen(options: MeshPriorOptions, folder: WorkFolder, name: str) -> bool:
    return views.is_made(folder, name, _encoder(options))


def _label(
    folder: WorkFolder, sizes: dict[str, tuple[int, int]], config: labels.LabelConfig, name: str
) -> None:
    labels.label_image(folder, name, sizes, config)


def _is_labelled(folder: WorkFolder, names: tuple[str, ...], config: labels.LabelConfig, name: str) -> bool:
    return labels.is_labelled(folder, name, names, config)


def _sample(options: MeshPriorOptions, name: str) -> AnnotatedImage:
    found = _samples(options).get(name)
    if found is None:
        raise ValueError(f"{options.dataset.root} has no picture {name!r} in split {options.which.split!r}")
    return found


@cache
def _samples(options: MeshPriorOptions) -> dict[str, AnnotatedImage]:
    return samples_of(options)
