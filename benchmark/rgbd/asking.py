"""Ask a running node about every frame, as a client on the robot would, and note what it says."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from semcorr_ros.srv import ListClasses, TransferKeypoints
from sensor_msgs.msg import RegionOfInterest
from std_msgs.msg import String

from benchmark.faults.lab import Probe
from benchmark.rgbd import measures
from benchmark.rgbd.camera import frame_id
from benchmark.rgbd.frames import Box, Recording
from semcorr_ros.refusal import Code

ANSWER = 60.0  # seconds for one call
SHOWN = 60.0  # seconds until the node has forgotten a frame, or seen the next one
PAUSE = 0.3  # seconds between two looks
SETTLED = 1.0  # seconds in which depth, too, has come
POINT = (0, 0, 1, 1)  # a region that costs the node nothing: refused, where there is a picture
NOT_YET = (Code.NO_IMAGE, Code.NO_CAMERA_INFO, Code.SYNC_MISS, Code.PREPARING, Code.INACTIVE)
WHOLE = "whole picture"
BOXED = "in the box"


@dataclass(frozen=True)
class Question:
    """Where to look in which picture, and what is there; `thing` is an object's name where `real`."""

    recording: Recording
    variant: str
    thing: str
    real: bool
    box: Box | None

    @property
    def where(self) -> str:
        """Of the table."""
        return WHOLE if self.box is None else BOXED


@dataclass(frozen=True)
class Reply:
    """One answer, and how far off it is where the truth is known."""

    frame: str
    variant: str
    thing: str
    real: bool
    where: str
    code: str
    message: str
    confidence: float
    metric: bool
    seconds: float
    box: Box | None = None
    pixels: dict[str, tuple[float, float]] = field(default_factory=dict)
    errors: measures.Errors | None = None

    @property
    def answered(self) -> bool:
        """Did the node stand by it?"""
        return self.code == Code.NONE.name


def questions(recording: Recording, variant: str) -> Iterator[Question]:
    """The whole picture once per object, or once where it holds none; every thing's box."""
    for name in recording.objects:
        yield Question(recording, variant, name, True, None)
        yield Question(recording, variant, name, True, recording.box(name))
    if not recording.objects:
        yield Question(recording, variant, "no cup", False, None)
    for name, box in recording.negatives.items():
        yield Question(recording, variant, name, False, box)


class Client:
    """Shows frames by the camera's process and asks the node about them."""

    def __init__(self, probe: Probe, node: str, class_name: str):
        self._probe, self._service, self._class = probe, f"{node}/transfer_keypoints", class_name
        self._show = probe.node.create_publisher(String, "show", 5)

    def show(self, name: str, variant: str) -> None:
        """From now on, and nothing that was shown before. Raises TimeoutError.

        A refusal names no picture: the node has to have called the last one too old before the next is shown.
        """
        if not self._probe.spin_until(lambda: self._show.get_subscription_count() > 0, SHOWN):
            raise TimeoutError("no camera listens on the topic `show`")
        self._show.publish(String(data=""))
        self._until(lambda code: code == Code.NO_IMAGE)
        self._show.publish(String(data=f"{name} {variant}"))
        self._until(lambda code: code not in NOT_YET)
        self._probe.spin_until(lambda: False, SETTLED)

    def ask(self, question: Question) -> Reply:
        """About the picture that is shown. Raises TimeoutError, RuntimeError for an answer about another."""
        response = self._call(question.box)
        wanted = frame_id(question.recording.name, question.variant)
        if response.header.frame_id not in ("", wanted):
            raise RuntimeError(f"{wanted} is shown, the answer is about {response.header.frame_id}")
        return _reply(question, response)

    def size(self) -> float:
        """Metres per canonical unit, as the node's catalogue says; 0 = it knows of none."""
        name = self._service.replace("transfer_keypoints", "list_classes")
        listed = self._probe.call(ListClasses, name, ListClasses.Request())
        return float(next(each.metric_scale for each in listed.classes if each.name == self._class))

    def _until(self, holds: Callable[[Code], bool]) -> None:
        code = None
        for _ in range(int(SHOWN / PAUSE)):
            code = Code(self._call(POINT).error_code)
            if holds(code):
                return
            self._probe.spin_until(lambda: False, PAUSE)
        raise TimeoutError(f"the node goes on saying {code} about what the camera shows")

    def _call(self, box: Box | None) -> Any:
        request = TransferKeypoints.Request(class_name=self._class, timeout=ANSWER)
        if box is not None:
            x, y, w, h = box
            request.target_roi = RegionOfInterest(x_offset=x, y_offset=y, width=w, height=h)
        return self._probe.call(TransferKeypoints, self._service, request, 2 * ANSWER)


def _reply(question: Question, response: Any) -> Reply:
    pose, keypoints = response.pose, response.keypoints.keypoints
    pixels = {k.name: (float(k.pixel.x), float(k.pixel.y)) for k in keypoints}
    found = None
    if question.real and keypoints:
        xyz = {k.name: (k.xyz.x, k.xyz.y, k.xyz.z) for k in keypoints}
        q = pose.pose.orientation
        rotation = measures.rotation_matrix(q.x, q.y, q.z, q.w)
        found = measures.errors(question.recording.objects[question.thing], pixels, xyz, rotation)
    return Reply(
        question.recording.name, question.variant, question.thing, question.real, question.where,
        Code(response.error_code).name, response.message, float(pose.confidence), bool(pose.metric),
        float(response.inference_time), question.box,
        {name: at for name, at in pixels.items() if math.isfinite(at[0])}, found,
    )  # fmt: skip
