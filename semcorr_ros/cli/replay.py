"""Run a rosbag2 (mcap, sqlite3) or ROS 1 bag through the node's steps without ROS; JSON or a bag comes out.

Same bag, same numbers. Topics are found by their types and names, or given. Needs the extra `bags`.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from semcorr_ros import backbones
from semcorr_ros.bags import replay
from semcorr_ros.cli._needs import needing
from semcorr_ros.cli._options.replay import ReplayOptions
from semcorr_ros.cli._providers import device_from, live_from
from semcorr_ros.finder import Finder
from semcorr_ros.methods import Quality
from semcorr_ros.sensing.reading import reading_for
from semcorr_ros.sensing.regions import aliases_from
from semcorr_ros.serving.class_bank import ClassBank
from semcorr_ros.storage import write_json

LOG = logging.getLogger(__name__)


def run(options: ReplayOptions) -> int:
    """Replay the bag; return 1 where no picture was looked at, with the reasons printed."""
    bags = _needs_bags("semcorr_ros.bags.bag")
    providers = live_from(options.sources, options.bag.class_file[0])
    finder = Finder(providers, options.judgement.min_score, options.alignment.seed)
    device, quality = device_from(options.sources.compute), Quality(options.alignment.quality)
    bank = ClassBank(device, finder.backbone, quality=quality)
    for path in options.bag.class_file:
        bank.load(path)
    if warning := backbones.beware(finder.backbone):
        LOG.warning(warning)
    settings = replay.Settings(
        depth="none" if options.topics.no_depth else options.streams.depth,
        regions=options.streams.regions,
        sync_slop=options.streams.sync_slop,
        class_aliases=aliases_from(options.streams.class_aliases),
        max_instances=options.streams.max_instances,
        every=options.bag.every,
        target_frame=options.results.target_frame,
    )
    if options.reading.rotate == "auto":
        raise ValueError("--rotate auto needs the tf of a running node; give 0, 90, 180 or 270")
    with bags.open_bag(options.bag.bag, _wanted(options)) as bag:
        frames = bag.frames() if settings.target_frame else None
        reading = reading_for(options.reading, bag.topics["image"])
        settings = replace(settings, reading=reading, frames=frames)
        player = replay.Replay(bank, finder, settings)
        entries = _watched(player.run(bag.messages(), bag.first()), -(-bag.images // options.bag.every))
        topics = dict(bag.topics)
        player.damaged = bag.notes
        looked = _write(options, topics, entries, player)
    _report(player, topics, looked)
    return 0 if looked else 1


def _wanted(options: ReplayOptions) -> dict[str, str]:
    wanted = {
        "image": options.topics.image,
        "camera_info": options.topics.camera_info,
        "depth": options.topics.depth,
        "regions": options.topics.regions,
        "detections": options.topics.detections,
    }
    if options.topics.no_depth:
        wanted["depth"] = ""
    return {stream: topic for stream, topic in wanted.items() if topic is not None}


def _write(
    options: ReplayOptions, topics: dict[str, str], entries: Iterator[dict[str, Any]], player: replay.Replay
) -> int:
    if options.bag.output.suffix != ".json":
        looked = 0
        results = _needs_bags("semcorr_ros.bags.result_bag")
        with results.ResultBag(options.bag.output, overlay=options.results.overlay) as bag:
            for entry in entries:
                bag.write(entry, player.latest)
                looked += 1
        return looked
    if options.results.overlay:
        raise ValueError("--overlay needs a new bag: --output FOLDER, not a .json file")
    listed = list(entries)
    write_json(
        options.bag.output,
        {
            "bag": str(options.bag.bag),
            "topics": topics,
            "classes": [resident.info.name for resident in player.bank.all()],
            "frames": listed,
            "dropped": dict(player.dropped),
            "reasons": player.reasons,
            "damaged": list(dict.fromkeys(player.damaged)),
        },
    )
    return len(listed)


def _watched(frames: Iterator[dict[str, Any]], total: int) -> Iterator[dict[str, Any]]:
    columns = (TextColumn("pictures"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True) as progress:
        yield from progress.track(frames, total=total)


def _report(player: replay.Replay, topics: dict[str, str], looked: int) -> None:
    console = Console(highlight=False)
    listed = ", ".join(f"{stream} {topic}" for stream, topic in topics.items())
    console.print(f"{looked} pictures of {player.pictures} looked at ({listed})", soft_wrap=True)
    for sentence in dict.fromkeys(player.damaged):
        console.print(sentence, soft_wrap=True)
    for name, count in player.dropped.most_common():
        console.print(f"{name}: {count} times, last: {player.reasons[name]}", soft_wrap=True)
    for note, _ in player.notes.most_common(1):
        console.print(f"{player.notes.total()} answers with a caveat, such as: {note}", soft_wrap=True)


def _needs_bags(module: str) -> ModuleType:
    with needing("bags", "reading bags"):
        return importlib.import_module(module)
