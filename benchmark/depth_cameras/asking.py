"""Ask a running node about every frame, as a client on the robot would, and note what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from semcorr_ros.srv import ListClasses, TransferKeypoints
from sensor_msgs.msg import RegionOfInterest
from std_msgs.msg import String
from std_srvs.srv import Trigger

from benchmark.depth_cameras.camera import frame_id
from benchmark.depth_cameras.frames import Box, Recording
from benchmark.depth_cameras.replies import (
    BOXED,
    OTHER,
    WHOLE,
    Question,
    Reply,
    Told,
    reply,
    shared_out,
)
from benchmark.faults.lab import Probe
from semcorr_ros.refusal import Code

ANSWER = 60.0  # seconds for one call
SHOWN = 60.0  # seconds until the node has forgotten a frame, or seen the next one
PAUSE = 0.3  # seconds between two looks
SETTLED = 1.0  # seconds in which depth, too, has come
POINT = (0, 0, 1, 1)  # a region that costs the node nothing: refused, where there is a picture
NOT_YET = (Code.NO_IMAGE, Code.NO_CAMERA_INFO, Code.SYNC_MISS, Code.PREPARING, Code.INACTIVE)


def questions(recording: Recording, variant: str) -> Iterator[Question]:
    """List every thing's box. (The whole picture is asked for once, whatever it holds.)"""
    for name in recording.objects:
        yield Question(recording, variant, BOXED, name, True, recording.box(name))
    for name, box in recording.negatives.items():
        yield Question(recording, variant, BOXED, name, False, box)


class Client:
    """Shows frames by the camera's process and asks the node about them."""

    def __init__(self, probe: Probe, node: str, class_name: str):
        self._probe, self._node, self._class = probe, node, class_name
        self._show = probe.node.create_publisher(String, "show", 5)

    def hide(self) -> None:
        """Stop the camera until the node has forgotten the last picture. Raises TimeoutError.

        A refusal names no picture: the node has to have called the last one too old before the next is shown.
        """
        if not self._probe.spin_until(lambda: self._show.get_subscription_count() > 0, SHOWN):
            raise TimeoutError("no camera listens on the topic `show`")
        self._show.publish(String(data=""))
        self._until(lambda code: code == Code.NO_IMAGE)

    def start(self, name: str, variant: str) -> None:
        """Show a frame from now on, whether the node has seen it or not."""
        self._show.publish(String(data=f"{name} {variant}"))

    def show(self, name: str, variant: str) -> None:
        """Show a frame and nothing that was shown before, until the node has it. Raises TimeoutError."""
        self.hide()
        self.start(name, variant)
        self._until(lambda code: code not in NOT_YET)
        self._probe.spin_until(lambda: False, SETTLED)

    def forget(self) -> None:
        """Have the node forget what it follows."""
        self._probe.call(Trigger, f"{self._node}/reset", Trigger.Request())

    def replies(self, recording: Recording, variant: str, boxes_only: bool) -> Iterator[Reply]:
        """Ask about the frame shown. Raises TimeoutError, RuntimeError for an answer about another."""
        if not boxes_only:
            told = self._ask(recording, variant, None)
            other = Told(OTHER, "the answer is nearer to another object", told.seconds)
            said, otherwise = ([told], other) if told.pixels else ([], told)
            yield from shared_out(recording, variant, WHOLE, said, otherwise)
        for question in questions(recording, variant):
            if question.real or not boxes_only:
                yield reply(question, self._ask(recording, variant, question.box))

    def size(self) -> float:
        """Read the metres per canonical unit in the node's catalogue; 0 = it knows of none."""
        listed = self._probe.call(ListClasses, f"{self._node}/list_classes", ListClasses.Request())
        return float(next(each.metric_scale for each in listed.classes if each.name == self._class))

    def _ask(self, recording: Recording, variant: str, box: Box | None) -> Told:
        response = self._call(box)
        wanted = frame_id(recording.name, variant)
        if response.header.frame_id not in ("", wanted):
            raise RuntimeError(f"{wanted} is shown, the answer is about {response.header.frame_id}")
        code, seconds = Code(response.error_code).name, float(response.inference_time)
        return Told(code, response.message, seconds, response.keypoints.keypoints, response.pose)

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
        return self._probe.call(TransferKeypoints, f"{self._node}/transfer_keypoints", request, 2 * ANSWER)
