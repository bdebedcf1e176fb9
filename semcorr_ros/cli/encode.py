"""Compute the features of a data set into a --feature-cache, which build_class and evaluate read.

What they would compute is what is computed: the image, the object alone where its mask is known (with
--class-dir also masks found by attention), and with --mirror the same mirrored, as build_class wants it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from semcorr_ros import backbones
from semcorr_ros.backbones import Origin
from semcorr_ros.cli import _providers as data
from semcorr_ros.cli._crew import crew_from
from semcorr_ros.cli._options.encode import EncodeOptions
from semcorr_ros.cli._progress import counted
from semcorr_ros.datasets import Dataset
from semcorr_ros.features._disk_cache import DiskCache
from semcorr_ros.methods import read_origin
from semcorr_ros.methods.semalign3d.building.config import BuildConfig
from semcorr_ros.methods.semalign3d.class_file import read_class
from semcorr_ros.observations import observe, observe_coarsely, observe_mirrored
from semcorr_ros.workers import FAILURES, Crew, Failed

CHUNK = 32  # images per job: the network is loaded once for all of them
SHOWN = 5  # failures printed

Outcome = tuple[Counter[str], dict[str, str]]  # (how many feature maps were read and computed, failures)


def run(options: EncodeOptions) -> int:
    """Encode the images; return 1 where one failed."""
    folder = options.sources.cache.feature_cache
    if folder is None:
        raise ValueError("encode needs --feature-cache DIR: that is where the features go")
    dataset = data.dataset_from(options.dataset)
    # Options that cannot work are refused here, not by every worker.
    data.extractor_from(options.sources, _built_on(options, dataset), data.networks_of(options.sources))
    crew = crew_from(options.workers, options.sources.compute, folder)
    compute = replace(options.sources.compute, threads=crew.threads)
    options = replace(options, sources=replace(options.sources, compute=compute))
    jobs: dict[str, partial[Outcome]] = {}
    failed: dict[str, str] = {}
    for category in [options.which.category] if options.which.category else dataset.categories():
        try:
            jobs |= _jobs(options, dataset, category)
        except (ValueError, OSError) as error:
            failed[category] = str(error)
    counts = _by(crew, jobs, failed)
    if not jobs and not failed:
        raise ValueError(f"{options.dataset.root} has no images in {', '.join(options.images.split)}")
    print(f"{folder}: {counts['computed']} maps computed, {counts['read']} were there already")
    for name in sorted(failed)[:SHOWN]:
        print(f"skipped {name}: {failed[name]}")
    if len(failed) > SHOWN:
        print(f"... and {len(failed) - SHOWN} more")
    return 1 if failed else 0


def _class_path(options: EncodeOptions, category: str) -> Path | None:
    path = options.images.class_dir and options.images.class_dir / f"{category}.safetensors"
    return path if path and path.is_file() else None


def _built_on(options: EncodeOptions, dataset: Dataset) -> Origin | None:
    """Read what the first existing class was built on."""
    names = [options.which.category] if options.which.category else dataset.categories()
    paths = [path for name in names if (path := _class_path(options, name))]
    return read_origin(paths[0]) if paths else None


def _jobs(options: EncodeOptions, dataset: Dataset, category: str) -> dict[str, partial[Outcome]]:
    jobs = {}
    for split in options.images.split:
        names = [one.name for one in dataset.images(category, split)]
        for start in range(0, len(names), CHUNK):
            chunk = names[start : start + CHUNK]
            jobs[f"{category}, {split} from {chunk[0]}"] = partial(_encode, options, (category, split), chunk)
    return jobs


def _by(crew: Crew, jobs: dict[str, partial[Outcome]], failed: dict[str, str]) -> Counter[str]:
    """Run the jobs; count the feature maps read and computed, and add to `failed`."""
    counts = Counter[str]()
    with counted() as bar:
        task = bar.add_task("images", total=sum(len(job.args[2]) for job in jobs.values()))
        for name, outcome in crew.run(jobs):
            if isinstance(outcome, Failed):
                failed[name] = outcome.reason
            else:
                counts += outcome[0]
                failed |= outcome[1]
            bar.advance(task, len(jobs[name].args[2]))
    return counts


def _encode(options: EncodeOptions, which: tuple[str, str], names: list[str]) -> Outcome:
    category, split = which
    dataset = data.dataset_from(options.dataset)
    providers = data.providers_from(options.sources, _built_on(options, dataset))
    samples = {one.name: one for one in dataset.images(category, split)}
    path = _class_path(options, category)
    model = read_class(path, data.device_from(options.sources.compute)) if path else None
    if model is not None:
        backbones.check(model, providers.features.backbone, path or "")
    failed = {}
    for name in names:
        try:
            with torch.no_grad():
                seen = observe(samples[name], providers, model)
                looks = [seen]
                if model is None:  # a class is to be built
                    coarse = observe_coarsely(samples[name], seen, providers, BuildConfig().coarse)
                    looks += [] if coarse is None else [coarse]
                for look in looks if options.images.mirror else []:
                    observe_mirrored(samples[name], look, providers)
        except FAILURES as error:
            failed[f"{category}/{name}"] = str(error)
    cache: DiskCache = providers.features  # type: ignore[assignment]
    return Counter(computed=cache.computed, read=cache.read), failed
