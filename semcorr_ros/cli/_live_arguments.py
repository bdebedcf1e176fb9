"""Arguments of the verbs that look at pictures of no data set: backbone, masks, a network for depth."""

from __future__ import annotations

import argparse
from pathlib import Path

from semcorr_ros import plugin_options, plugins
from semcorr_ros.cli import _data_arguments as data
from semcorr_ros.depth import _disk_cache as depth_cache
from semcorr_ros.live_providers import DEFAULT_MASKS, LiveProviders, live_depth, live_masks
from semcorr_ros.masks import _disk_cache as mask_cache
from semcorr_ros.methods.semalign3d.class_file import read_origin


def add_live_arguments(parser: argparse.ArgumentParser) -> None:
    """--backbone and what goes with it, --masks, --depth-network."""
    data.add_backbone_arguments(parser)
    masks = parser.add_argument_group("masks")
    masks.add_argument(
        "--masks",
        nargs="+",
        default=[],
        choices=plugins.available("masks"),
        help="tried in this order until one has an answer; sam: attention + SAM (default: attention)",
    )
    data.add_mask_option(masks)
    depth = parser.add_argument_group("depth")
    depth.add_argument(
        "--depth-network",
        default="",
        choices=plugins.available("depth"),
        metavar="NAME",
        help="gives depth to pictures without: depth_anything, depth_pro (default: none)",
    )
    data.add_depth_option(depth)


def live_from(args: argparse.Namespace, class_file: Path | None = None) -> LiveProviders:
    """What the arguments name. Raises ValueError or FileNotFoundError naming the argument.

    class_file: what the pictures are compared with; its backbone is the default.
    """
    networks = [("masks", name) for name in args.masks or DEFAULT_MASKS]
    networks += [("depth", args.depth_network)] if args.depth_network else []
    precise = any(plugin_options.has_setting(kind, name, "precision") for kind, name in networks)
    features = data.extractor_from(args, precise, read_origin(class_file) if class_file else None)
    common = {"device": data.device_from(args)}
    common |= {"precision": args.precision} if args.precision else {}
    own = {"device": "--device"}
    depth = live_depth(args.depth_network, args.depth_option, "--depth-option", common, own)
    masks = live_masks(args.masks, args.mask_option, "--mask-option", common, own)
    return LiveProviders(
        features=features,
        depth=data.remembered(depth, depth_cache.DiskCache, args),
        masks=tuple(data.remembered(mask, mask_cache.DiskCache, args) for mask in masks),
    )
