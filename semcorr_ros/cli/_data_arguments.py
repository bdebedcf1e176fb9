"""Arguments shared by the verbs that read images: which data set, backbone, depth, masks, device."""

from __future__ import annotations

import argparse
import dataclasses
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import torch

from semcorr_ros import backbones
from semcorr_ros.backbones import Origin
from semcorr_ros.datasets import DATASETS, Dataset
from semcorr_ros.depth import DEPTH, DepthNetwork, DepthProvider
from semcorr_ros.depth import _disk_cache as depth_cache
from semcorr_ros.disk_cache import DiskStore
from semcorr_ros.features import FEATURES, FeatureExtractor
from semcorr_ros.features._disk_cache import DiskCache
from semcorr_ros.masks import MASKS, MaskNetwork, MaskProvider
from semcorr_ros.masks import _disk_cache as mask_cache
from semcorr_ros.observations import Providers
from semcorr_ros.registry import Plugin, by_name

Made = TypeVar("Made")
Depth = TypeVar("Depth", bound=DepthProvider)

NONE = "none"
DEFAULT_MASKS = ("annotation", "attention")


def add_dataset_arguments(parser: argparse.ArgumentParser) -> None:
    """--dataset and --root."""
    group = parser.add_argument_group("data set")
    group.add_argument(
        "--dataset",
        default="spair71k",
        choices=DATASETS.names(),
        help="format of the folder (default: spair71k)",
    )
    group.add_argument("--root", type=Path, required=True, metavar="DIR", help="folder of the data set")


def add_provider_arguments(parser: argparse.ArgumentParser) -> None:
    """--backbone, --depth, --masks with their folders, --device and --threads."""
    add_backbone_arguments(parser)
    depth = parser.add_argument_group("depth")
    depth.add_argument(
        "--depth",
        choices=[*DEPTH.names(), NONE],
        help="where depth comes from (default: precomputed with --depth-dir, else the data set's own)",
    )
    depth.add_argument("--depth-dir", type=Path, metavar="DIR", help="<stem>.npy or 16-bit mm <stem>.png")
    depth.add_argument(
        "--depth-kind",
        choices=["depth", "disparity"],
        help="what the files of --depth-dir hold: distance along z (default) or its inverse",
    )
    add_depth_option(depth)
    masks = parser.add_argument_group("masks")
    masks.add_argument(
        "--masks",
        nargs="+",
        choices=[*MASKS.names(), NONE],
        help="tried in this order until one has an answer (default: annotation attention)",
    )
    masks.add_argument("--masks-dir", type=Path, metavar="DIR", help="<stem>.png, above 127 = object")
    add_mask_option(masks)


def add_depth_option(group: argparse._ArgumentGroup) -> None:
    """--depth-option."""
    group.add_argument(
        "--depth-option",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="another setting of the depth provider's Config, such as size=small; several times",
    )


def add_mask_option(group: argparse._ArgumentGroup) -> None:
    """--mask-option."""
    group.add_argument(
        "--mask-option",
        action="append",
        default=[],
        metavar="NAME.KEY=VALUE",
        help="another setting of the mask provider NAME, such as sam.size=base; several times",
    )


def add_backbone_arguments(parser: argparse.ArgumentParser) -> None:
    """--backbone with its folder, weights and settings, the cache, --device and --threads."""
    group = parser.add_argument_group("features")
    group.add_argument(
        "--backbone",
        choices=FEATURES.names(),
        help="feature extractor (default: precomputed with --features-dir, else that of the class file, "
        f"without one {backbones.DEFAULT})",
    )
    group.add_argument("--features-dir", type=Path, metavar="DIR", help="<stem>.npz with features (h, w, C)")
    group.add_argument(
        "--weights", metavar="PATH", help="weights of the backbone: a file, or a model's folder"
    )
    group.add_argument(
        "--precision",
        choices=["fp32", "fp16", "bf16"],
        help="of the networks for features, depth and masks (default: their own, mostly fp32)",
    )
    group.add_argument(
        "--backbone-option",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="another setting of the backbone's Config, such as size=large; may be given several times "
        "(default: those of the class file)",
    )
    group.add_argument(
        "--feature-cache",
        type=Path,
        metavar="DIR",
        help="keep features (float16) and what networks say of depth and masks here, and read what is there",
    )
    group.add_argument(
        "--feature-cache-gb",
        type=float,
        default=50.0,
        metavar="N",
        help="largest size of --feature-cache; the longest unused go first (default: 50)",
    )
    parser.add_argument(
        "--device", default="auto", help="cpu, cuda, cuda:1 (default: cuda where there is one)"
    )
    parser.add_argument(
        "--threads", type=int, metavar="N", help="CPU threads of torch (default: torch's own)"
    )


def dataset_from(args: argparse.Namespace) -> Dataset:
    """Open --root. Raises FileNotFoundError saying what was expected there."""
    return DATASETS.load(args.dataset).build(args.root)


def device_from(args: argparse.Namespace) -> str:
    """The torch device of --device; also applies --threads. Raises ValueError for one that is not there."""
    if args.threads is not None:
        if args.threads < 1:
            raise ValueError(f"--threads must be at least 1, got {args.threads}")
        torch.set_num_threads(args.threads)
    device = ("cuda" if torch.cuda.is_available() else "cpu") if args.device == "auto" else args.device
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"--device {device} cannot be used here: {error}") from error
    return device


def providers_from(
    args: argparse.Namespace, built_on: Origin | None = None, annotated: bool = False
) -> Providers:
    """Build what the arguments name. Raises ValueError or FileNotFoundError naming the argument.

    built_on: of the class they are for; its backbone is the default. annotated: the images are training
    images, whose annotations may be read.
    """
    depth = depth_name(args)
    if depth != NONE and not annotated and DEPTH.load(depth).needs_annotations:
        raise ValueError(
            f"--depth {depth} reads annotations: it is for build_class, not for images to understand"
        )
    masks = masks_of(args)
    others: list[Plugin[Any]] = [MASKS.load(name) for name, _ in masks]
    others += [] if depth == NONE else [DEPTH.load(depth)]
    precise = any(plugin.has_setting("precision") for plugin in others)
    return Providers(
        features=extractor_from(args, precise, built_on),
        depth=None if depth == NONE else remembered_depth(_depth(depth, args), args),
        masks=tuple(remembered_mask(_mask(name, options, args), args) for name, options in masks),
        depth_required=args.depth is not None or args.depth_dir is not None,
    )


def extractor_from(
    args: argparse.Namespace, precise: bool = False, built_on: Origin | None = None
) -> FeatureExtractor:
    """The feature extractor of --backbone and what goes with it, with --feature-cache in front.

    precise: --precision is another network's, too, so that this one need not have a choice.
    built_on: of the class that it is for; its backbone and settings are the defaults.
    """
    name = _backbone_name(args, built_on)
    options = {"folder": args.features_dir, "weights": args.weights}
    plugin = FEATURES.load(name)
    options |= _precision(plugin, args) if precise else {"precision": args.precision}
    texts = backbones.with_those_of(built_on, name, args.backbone_option)
    options |= plugin.parse(texts, "--backbone-option", elsewhere("features"))
    extractor = _build("features", name, plugin, options, device_from(args))
    return extractor if args.feature_cache is None else DiskCache(extractor, _store(args))


def _backbone_name(args: argparse.Namespace, built_on: Origin | None) -> str:
    """Raises ValueError where the class was built on a backbone that is not here."""
    if args.backbone or args.features_dir:
        return args.backbone or "precomputed"
    return backbones.chosen("", built_on)


def remembered_depth(provider: Depth, args: argparse.Namespace) -> Depth | depth_cache.DiskCache:
    """A network with --feature-cache in front; anything else as it is."""
    if args.feature_cache is None or not isinstance(provider, DepthNetwork):
        return provider
    return depth_cache.DiskCache(provider, _store(args))


def remembered_mask(provider: MaskProvider, args: argparse.Namespace) -> MaskProvider:
    """As `remembered_depth`."""
    if args.feature_cache is None or not isinstance(provider, MaskNetwork):
        return provider
    return mask_cache.DiskCache(provider, _store(args))


def _store(args: argparse.Namespace) -> DiskStore:
    return _shared_store(args.feature_cache, int(args.feature_cache_gb * 1e9), device_from(args))


@cache
def _shared_store(folder: Path, max_bytes: int, device: str) -> DiskStore:
    """One for features, depth and masks, which share the bound."""
    return DiskStore(folder, max_bytes, device)


def depth_name(args: argparse.Namespace) -> str:
    """The depth provider that is meant."""
    return args.depth or ("precomputed" if args.depth_dir else "sensor")


def _depth(name: str, args: argparse.Namespace) -> DepthProvider:
    plugin = DEPTH.load(name)
    options = {"folder": args.depth_dir, "kind": args.depth_kind, "nearer": getattr(args, "nearer", None)}
    options |= plugin.parse(args.depth_option, "--depth-option", elsewhere("depth"))
    return _build("depth", name, plugin, _precision(plugin, args) | options, device_from(args))


def _mask(name: str, options: dict[str, Any], args: argparse.Namespace) -> MaskProvider:
    plugin = MASKS.load(name)
    return _build("masks", name, plugin, _precision(plugin, args) | options, device_from(args))


def _precision(plugin: Plugin[Any], args: argparse.Namespace) -> dict[str, Any]:
    """--precision is meant for every network: a provider without one has no need of it."""
    return {"precision": args.precision} if plugin.has_setting("precision") else {}


def masks_of(args: argparse.Namespace) -> list[tuple[str, dict[str, Any]]]:
    """Names and settings of the mask providers that are meant, in their order."""
    names = list(args.masks or (["precomputed"] if args.masks_dir else []) + list(DEFAULT_MASKS))
    if NONE in names:
        if len(names) > 1 or args.masks_dir:
            raise ValueError("--masks none excludes every other mask")
        return []
    if args.masks_dir and "precomputed" not in names:
        raise ValueError(f"--masks-dir needs precomputed among --masks, got {' '.join(names)}")
    chosen = by_name(args.mask_option, names, "--mask-option")
    folders = {name: {"folder": args.masks_dir if name == "precomputed" else None} for name in names}
    return [
        (
            name,
            folders[name]
            | MASKS.load(name).parse(chosen[name], f"--mask-option {name}.", elsewhere("masks")),
        )
        for name in names
    ]


FLAGS = {
    ("features", "folder"): "--features-dir",
    ("features", "weights"): "--weights",
    ("features", "precision"): "--precision",
    ("depth", "folder"): "--depth-dir",
    ("depth", "kind"): "--depth-kind",
    ("depth", "nearer"): "--nearer",
    ("masks", "folder"): "--masks-dir",
}


def elsewhere(kind: str) -> dict[str, str]:
    """Settings of a kind of plug-in that have a flag of their own."""
    return {"device": "--device"} | {key: flag for (of, key), flag in FLAGS.items() if of == kind}


def _build(kind: str, name: str, plugin: Plugin[Made], options: dict[str, Any], device: str) -> Made:
    given = {key: value for key, value in options.items() if value is not None}
    for key in given:
        if not plugin.has_setting(key) and (kind, key) in FLAGS:
            raise ValueError(f"{FLAGS[kind, key]} means nothing to the {kind} plug-in {name!r}")
    _check_required(kind, name, plugin, given)
    return plugin.make(given, {"device": device})


def _check_required(kind: str, name: str, plugin: Plugin[Any], given: dict[str, Any]) -> None:
    for field in dataclasses.fields(plugin.settings):
        optional = (field.default, field.default_factory) != (dataclasses.MISSING, dataclasses.MISSING)
        if not optional and field.name not in given:
            flag = FLAGS.get((kind, field.name), field.name)
            raise ValueError(f"the {kind} plug-in {name!r} needs {flag}")
