"""Have a node look at every frame as at a stream: what it publishes about each, without being asked.

An answer is found by its header: the frame_id names the picture, the stamp pairs keypoints and poses. A
picture in which nothing is found is published as an empty list, so silence is a fault; it counts as refused,
with the code TIMEOUT. Seconds are from the picture's stamp to its answer.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import Any

from semcorr_ros.msg import ClassPoseArray, SemanticKeypointsArray

from benchmark.depth_cameras.asking import Client
from benchmark.depth_cameras.camera import frame_id
from benchmark.depth_cameras.frames import Recording
from benchmark.depth_cameras.replies import STREAM_BOXED, Reply, Told, shared_out
from benchmark.faults.lab import Probe
from semcorr_ros.refusal import Code

LIMIT = 45.0  # seconds for the first answer about a frame
REFUSED = "REFUSED"  # instead of a code: the topics do not say why an object is not among the instances
KINDS = {"keypoints": SemanticKeypointsArray, "poses": ClassPoseArray}

Key = tuple[str, int, int]  # frame_id and stamp


class Listener:
    """Keeps what a node publishes about pictures."""

    def __init__(self, probe: Probe, node: str):
        self._probe = probe
        self._said: dict[Key, dict[str, Any]] = {}
        self._arrived: dict[Key, float] = {}
        self._subscriptions = [
            probe.node.create_subscription(kind, f"{node}/{name}", partial(self._take, name), 5)
            for name, kind in KINDS.items()
        ]

    def first(self, frame: str, limit: float = LIMIT) -> tuple[list[Told], float] | None:
        """Wait for the first answer about a picture with this frame_id and tell how long it took.

        None: there was none in time.
        """

        def complete() -> list[Key]:
            return [key for key in self._said if key[0] == frame and len(self._said[key]) == len(KINDS)]

        if not self._probe.spin_until(complete, limit):
            return None
        key = min(complete())
        seconds = self._arrived[key] - (key[1] + key[2] / 1e9)
        return instances(**self._said[key], seconds=seconds), seconds

    def _take(self, name: str, message: Any) -> None:
        stamp = message.header.stamp
        key = (message.header.frame_id, stamp.sec, stamp.nanosec)
        self._said.setdefault(key, {})[name] = message
        self._arrived.setdefault(key, time.time())


def instances(keypoints: Any, poses: Any, seconds: float) -> list[Told]:
    """Read every object of one picture. keypoints, poses: the two messages about it."""
    by_id = {pose.instance_id: pose for pose in poses.poses}
    return [
        Told(Code.NONE.name, "", seconds, one.keypoints, by_id[one.instance_id])
        for one in keypoints.instances
        if any(point.pixel.x == point.pixel.x for point in one.keypoints)  # some are not NaN
    ]


def streamed(
    client: Client, listener: Listener, recording: Recording, variant: str, where: str
) -> Iterator[Reply]:
    """Show one frame and share out what is published about it."""
    if where == STREAM_BOXED and not (recording.objects or recording.negatives):
        return  # a detector that is right has nothing to say
    client.hide()
    client.forget()  # one frame has nothing to do with the last one
    client.start(recording.name, variant)
    answer = listener.first(frame_id(recording.name, variant))
    said, otherwise = [], Told(Code.TIMEOUT.name, f"nothing was published within {LIMIT:g} s")
    if answer is not None:
        said, otherwise = answer[0], Told(REFUSED, "not among the published instances", answer[1])
    yield from shared_out(recording, variant, where, said, otherwise)
