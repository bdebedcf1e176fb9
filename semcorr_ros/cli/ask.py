"""Ask a running node where the keypoints of an object are, and print a table.

Positions are in metres, in the frame that is named. Exit status 1 where the node answers that it failed.
"""

from __future__ import annotations

import importlib
import math
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from semcorr_ros.cli._options.ask import AskOptions
from semcorr_ros.diagnosis.told import Found
from semcorr_ros.refusal import Refusal
from semcorr_ros.storage import write_json


def run(options: AskOptions) -> int:
    """Print what the node says; return 1 where it refuses."""
    console = Console(highlight=False)
    with _client(options) as node:
        try:
            found = node.keypoints(options.class_name, options.names, camera=options.camera)
        except Refusal as refusal:
            console.print(f"{refusal.code.name}: {refusal.message}", markup=False, soft_wrap=True)
            if options.json:
                write_json(options.json, {"code": refusal.code.name, "message": refusal.message})
            return 1
    console.print(_table(found))
    where = f"confidence {found.confidence:.2f}, frame {found.frame!r}, {found.instance_id or 'not followed'}"
    console.print(f"{where}, picture {found.stamp[0]}.{found.stamp[1]:09d}", markup=False, soft_wrap=True)
    if found.note:
        console.print(found.note, markup=False, soft_wrap=True)
    if options.json:
        write_json(options.json, _plain(asdict(found)))
    return 0


def _client(options: AskOptions) -> Any:
    try:
        client = importlib.import_module("semcorr_ros.ros.client")
    except ImportError as problem:
        raise ImportError(
            f"{problem}; a node is asked through ROS 2: source one and build, or `make setup`"
        ) from problem
    return client.Client(options.node, options.timeout)


def _table(found: Found) -> Table:
    table = Table("keypoint", "state", "x m", "y m", "z m", "pixel", "score")
    for point in found.points:
        xyz = (f"{value:.4f}" if math.isfinite(value) else "" for value in point.xyz)
        pixel = ", ".join(f"{value:.1f}" for value in point.pixel if math.isfinite(value))
        table.add_row(point.name, point.state, *xyz, pixel, f"{point.score:.2f}")
    return table


def _plain(value: Any) -> Any:
    """Replace NaN, which JSON does not have, by null."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
