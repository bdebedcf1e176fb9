"""Run a rosbag2 (mcap, sqlite3) or ROS 1 bag through the node's steps without ROS; JSON or a bag comes out.

Same bag, same numbers. Topics are found by their types and names, or given. Needs the extra `bags`.
"""

from __future__ import annotations

import argparse
import importlib
import logging
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from semcorr_ros import backbones
from semcorr_ros.cli import _data_arguments as data
from semcorr_ros.cli._live_arguments import add_live_arguments, live_from
from semcorr_ros.cli._score_arguments import add_min_score, min_score_from
from semcorr_ros.methods.semalign3d.alignment import AlignmentConfig
from semcorr_ros.methods.semalign3d.alignment.presets import PRESETS, preset
from semcorr_ros.methods.semalign3d.class_file import read_class
from semcorr_ros.plugins import EXTRAS
from semcorr_ros.sensing import replay
from semcorr_ros.sensing.assembly import DEPTH_CHOICES
from semcorr_ros.storage import write_json

LOG = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `semcorr_ros replay`."""
    parser.add_argument("bag", type=Path, metavar="BAG", help="folder of a rosbag2, .mcap or .bag file")
    parser.add_argument("--class-file", type=Path, action="append", required=True, metavar="FILE")
    parser.add_argument(
        "--output", type=Path, required=True, metavar="PATH", help="FILE.json, or the folder of a new bag"
    )
    for stream in ("image", "camera-info", "depth"):
        parser.add_argument(f"--{stream}", metavar="TOPIC", help="default: the only one that can be it")
    parser.add_argument("--no-depth", action="store_true", help="leave depth out")
    parser.add_argument(
        "--depth-mode", default="auto", choices=DEPTH_CHOICES, help="as the node's parameter `depth`"
    )
    parser.add_argument("--sync-slop", type=float, default=0.05, metavar="S", help="(default: 0.05)")
    parser.add_argument("--quality", default="fast", choices=list(PRESETS), help="(default: fast)")
    add_min_score(parser)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="look at every n-th picture")
    parser.add_argument("--seed", type=int, default=0)
    add_live_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """0 if a picture was looked at; 1 with the reasons when none was."""
    if args.every < 1:
        raise ValueError(f"--every must be at least 1, got {args.every}")
    bags = _needs_bags("semcorr_ros.sensing.bag")
    providers = live_from(args, args.class_file[0])
    backbone = providers.features.backbone
    models = [read_class(path, data.device_from(args)) for path in args.class_file]
    for model, path in zip(models, args.class_file, strict=True):
        backbones.check(model, backbone, path)

    if warning := backbones.beware(backbone):
        LOG.warning(warning)

    def constants(category: str) -> AlignmentConfig:
        return preset(args.quality, category)

    settings = replay.Settings(
        depth="none" if args.no_depth else args.depth_mode,
        sync_slop=args.sync_slop,
        min_score=min_score_from(args, backbone),
        seed=args.seed,
        tracking=args.quality == "tracking",
        every=args.every,
    )
    player = replay.Replay(models, providers, constants, settings)
    with bags.open_bag(args.bag, _wanted(args)) as bag:
        frames = _watched(player.run(bag.messages(), bag.first()), -(-bag.images // args.every))
        topics = dict(bag.topics)
        looked = _write(args, topics, frames, player)
    _report(player, topics, looked)
    return 0 if looked else 1


def _wanted(args: argparse.Namespace) -> dict[str, str]:
    wanted = {"image": args.image, "camera_info": args.camera_info, "depth": args.depth}
    if args.no_depth:
        wanted["depth"] = ""
    return {stream: topic for stream, topic in wanted.items() if topic is not None}


def _write(
    args: argparse.Namespace, topics: dict[str, str], frames: Iterator[dict[str, Any]], player: replay.Replay
) -> int:
    if args.output.suffix != ".json":
        looked = 0
        with _needs_bags("semcorr_ros.sensing.result_bag").ResultBag(args.output) as bag:
            for entry in frames:
                bag.write(entry)
                looked += 1
        return looked
    entries = list(frames)
    write_json(
        args.output,
        {
            "bag": str(args.bag),
            "topics": topics,
            "classes": [model.info.name for model in player.models],
            "frames": entries,
            "dropped": dict(player.dropped),
            "reasons": player.reasons,
        },
    )
    return len(entries)


def _watched(frames: Iterator[dict[str, Any]], total: int) -> Iterator[dict[str, Any]]:
    columns = (TextColumn("pictures"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True) as progress:
        yield from progress.track(frames, total=total)


def _report(player: replay.Replay, topics: dict[str, str], looked: int) -> None:
    console = Console(highlight=False)
    listed = ", ".join(f"{stream} {topic}" for stream, topic in topics.items())
    console.print(f"{looked} pictures of {player.pictures} looked at ({listed})", soft_wrap=True)
    for name, count in player.dropped.most_common():
        console.print(f"{name}: {count} times, last: {player.reasons[name]}", soft_wrap=True)


def _needs_bags(module: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRAS:
            raise
        raise ImportError(
            f"bags need the package {package!r}: pip install 'semcorr_ros[{EXTRAS[package]}]'"
        ) from error
