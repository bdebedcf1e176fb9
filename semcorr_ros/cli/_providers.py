"""From the options of a verb to data set, device and providers, with --feature-cache in front of networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from semcorr_ros.backbones import Origin
from semcorr_ros.cli._options.sources import (
    NONE,
    CacheOptions,
    DatasetDepthOptions,
    DatasetMaskOptions,
    DatasetOptions,
    DatasetSources,
    LiveSources,
)
from semcorr_ros.datasets import DATASETS, Dataset
from semcorr_ros.depth import DEPTH, DepthNetwork, DepthProvider
from semcorr_ros.depth._disk_cache import DiskCache as DepthCache
from semcorr_ros.devices import choose_device
from semcorr_ros.disk_cache import DiskStore
from semcorr_ros.features import FeatureExtractor
from semcorr_ros.features._disk_cache import DiskCache
from semcorr_ros.live_providers import Common, LiveProviders, feature_extractor, live_providers, provider
from semcorr_ros.masks import MASKS, MaskNetwork, MaskProvider
from semcorr_ros.masks._disk_cache import DiskCache as MaskCache
from semcorr_ros.methods import read_origin
from semcorr_ros.observations import Providers
from semcorr_ros.options import flag
from semcorr_ros.provider_options import ComputeOptions
from semcorr_ros.registry import Plugin, by_name

FEATURES_DIR = "--features-dir"
DEFAULT_MASKS = ("annotation", "attention")
Depth = TypeVar("Depth", bound=DepthProvider)


def dataset_from(options: DatasetOptions) -> Dataset:
    """Open --root. Raises FileNotFoundError saying what was expected there."""
    return DATASETS.load(options.dataset).build(options.root)


def device_from(options: ComputeOptions) -> str:
    """Return the device and apply --threads. Raises ValueError for an unavailable one."""
    return choose_device(options, flag)


def live_from(sources: LiveSources, class_file: Path | None = None) -> LiveProviders:
    """Build the providers for pictures. class_file: what they are compared with; its backbone is the default.
    Raises as `live_providers`."""
    device, memory = device_from(sources.compute), sources.cache
    built_on = read_origin(class_file) if class_file else None
    named = (sources.features, sources.masks, sources.depth_network)
    found = live_providers(named, device, built_on, flag, (memory.features_dir, FEATURES_DIR))
    return replace(
        found,
        features=remembered_features(found.features, memory, device),
        depth=None if found.depth is None else remembered_depth(found.depth, memory, device),
        masks=tuple(remembered_mask(mask, memory, device) for mask in found.masks),
    )


def extractor_from(
    sources: DatasetSources | LiveSources, built_on: Origin | None = None, others: Sequence[Plugin[Any]] = ()
) -> FeatureExtractor:
    """Build the backbone. others: as in `feature_extractor`, whose errors it raises."""
    device = device_from(sources.compute)
    common = Common(device, sources.features.precision, flag)
    found = feature_extractor(
        sources.features, common, built_on, others, (sources.cache.features_dir, FEATURES_DIR)
    )
    return remembered_features(found, sources.cache, device)


def providers_from(
    sources: DatasetSources,
    built_on: Origin | None = None,
    annotated: bool = False,
    nearer: Sequence[tuple[str, ...]] = (),
) -> Providers:
    """Build the providers for images of a data set. Raises ValueError or FileNotFoundError naming the option.

    built_on: of the class they are for; its backbone is the default. annotated: the images are training
    images, whose annotations may be read. nearer: sentences about keypoints.
    """
    name, masks = depth_name(sources), masks_of(sources.masks)
    if name != NONE and not annotated and DEPTH.load(name).needs_annotations:
        raise ValueError(
            f"--depth {name} reads annotations: it is for build_class, not for images to understand"
        )
    device = device_from(sources.compute)
    common, memory = Common(device, sources.features.precision, flag), sources.cache
    found = _depth(name, sources.depth, nearer, common)
    texts = by_name(sources.masks.mask_options, masks, "--mask-option")
    outlined = [_mask(mask, texts[mask], sources.masks, common) for mask in masks]
    return Providers(
        features=extractor_from(sources, built_on, networks_of(sources)),
        depth=None if found is None else remembered_depth(found, memory, device),
        masks=tuple(remembered_mask(mask, memory, device) for mask in outlined),
        depth_required=bool(sources.depth.depth or sources.depth.depth_dir),
    )


def networks_of(sources: DatasetSources) -> list[Plugin[Any]]:
    """List the plug-ins for masks and depth, to which --precision applies as well."""
    depth = depth_name(sources)
    found: list[Plugin[Any]] = [MASKS.load(mask) for mask in masks_of(sources.masks)]
    return found + ([] if depth == NONE else [DEPTH.load(depth)])


def depth_name(sources: DatasetSources) -> str:
    """Choose the depth provider."""
    return sources.depth.depth or ("precomputed" if sources.depth.depth_dir else "sensor")


def masks_of(options: DatasetMaskOptions) -> tuple[str, ...]:
    """List the mask providers in their order. Raises ValueError for --masks-dir or --masks none that
    contradict the others."""
    names = options.masks or (("precomputed",) if options.masks_dir else ()) + DEFAULT_MASKS
    if NONE in names:
        if len(names) > 1 or options.masks_dir:
            raise ValueError("--masks none excludes every other mask")
        return ()
    if options.masks_dir and "precomputed" not in names:
        raise ValueError(f"--masks-dir needs precomputed among --masks, got {' '.join(names)}")
    return names


def _depth(
    name: str, options: DatasetDepthOptions, nearer: Sequence[tuple[str, ...]], common: Common
) -> DepthProvider | None:
    if name == NONE:
        return None
    own = {
        "folder": (options.depth_dir, "--depth-dir"),
        "kind": (options.depth_kind, "--depth-kind"),
        "scale": (options.depth_scale, "--depth-scale"),
        "nearer": (tuple(nearer), "--nearer"),
    }
    return provider(DEPTH.load(name), options.depth_options, "--depth-option", own, common, options)


def _mask(name: str, texts: Sequence[str], options: DatasetMaskOptions, common: Common) -> MaskProvider:
    own = {"folder": (options.masks_dir if name == "precomputed" else None, "--masks-dir")}
    return provider(MASKS.load(name), texts, f"--mask-option {name}.", own, common, options)


def remembered_features(found: FeatureExtractor, memory: CacheOptions, device: str) -> FeatureExtractor:
    """Put --feature-cache in front of an extractor. Raises ValueError for one that cannot be cached."""
    return found if memory.feature_cache is None else DiskCache(found, _store(memory, device))


def remembered_depth(found: Depth, memory: CacheOptions, device: str) -> Depth | DepthCache:
    """Put --feature-cache in front of a network; return anything else as it is."""
    if memory.feature_cache is None or not isinstance(found, DepthNetwork):
        return found
    return DepthCache(found, _store(memory, device))


def remembered_mask(found: MaskProvider, memory: CacheOptions, device: str) -> MaskProvider:
    """Put --feature-cache in front of a network, as `remembered_depth`."""
    if memory.feature_cache is None or not isinstance(found, MaskNetwork):
        return found
    return MaskCache(found, _store(memory, device))


@cache
def _store(memory: CacheOptions, device: str) -> DiskStore:
    """Make the one store for features, depth and masks, which share the size limit."""
    assert memory.feature_cache is not None
    return DiskStore(memory.feature_cache, int(memory.feature_cache_gb * 1e9), device)
