"""A client of the perceive node: shows it one object, asks for the same places on the camera's object.

Run by `python -m semcorr_ros demo` as a process of its own. Writes answers.json, source.png and one
target_<call>.png into the output folder.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
import torch
from rclpy.client import Client
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from semcorr_ros.msg import ClassCatalogue, Point2D, SemanticKeypointsArray
from semcorr_ros.srv import TransferKeypoints
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from semcorr_lab.synthetic.render import Rendering, render
from semcorr_lab.synthetic.turntable import Turntable
from semcorr_ros import rendered
from semcorr_ros.artifacts import KeypointState
from semcorr_ros.ros import conversions
from semcorr_ros.sensing import images
from semcorr_ros.storage import write_image, write_json

START_TIME = 600.0  # seconds both nodes have to come up and to answer, on a busy machine
ANSWER_TIME = 120.0
PROGRESS = 5.0  # seconds between two lines about what is waited for
ATTEMPTS = 10  # questions until one is about a picture that has arrived here, too
KEPT = 200  # pictures and truths kept, to find those of an answer

Shown = tuple[Image, SemanticKeypointsArray]  # a picture of the camera and what is true about it


class DemoClient(Node):
    """Remembers what the camera showed and what was true about it, by stamp."""

    def __init__(self, category: str):
        super().__init__("demo_client")
        self._category = category
        self._born = self._told = time.monotonic()
        self._pictures: OrderedDict[tuple[int, int], Image] = OrderedDict()
        self._truths: OrderedDict[tuple[int, int], SemanticKeypointsArray] = OrderedDict()
        self._classes: list[str] = []
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.create_subscription(ClassCatalogue, "/semcorr/classes", self._take_catalogue, latched)
        self.create_subscription(Image, "image", self._keep(self._pictures), 5)
        topic = "/scene_camera/true_keypoints"
        self.create_subscription(SemanticKeypointsArray, topic, self._keep(self._truths), 5)
        self._transfer: Client = self.create_client(TransferKeypoints, "/semcorr/transfer_keypoints")

    def wait_until_ready(self) -> None:
        """Wait until all is there. Raises TimeoutError naming what is missing."""
        missing = {
            f"class {self._category!r} in /semcorr/classes": lambda: self._category in self._classes,
            "service /semcorr/transfer_keypoints": self._transfer.service_is_ready,
            "images of the scene camera": lambda: bool(self._pictures),
            "true keypoints of the scene camera": lambda: bool(self._truths),
        }
        for name, ready in missing.items():
            if not self._wait(ready, START_TIME, name):
                raise TimeoutError(f"no {name} after {START_TIME:.0f} s")

    def ask(self, request: TransferKeypoints.Request) -> tuple[Any, float]:
        """Send a request; return the response and the seconds it took. Raises TimeoutError.

        That an image has arrived here does not mean that the node has it, nor that it is ready: while it
        answers that it is too early, the request is repeated.
        """
        codes = TransferKeypoints.Response
        too_early = (codes.NO_IMAGE, codes.NO_CAMERA_INFO, codes.PREPARING, codes.INACTIVE)
        end = time.monotonic() + START_TIME
        while True:
            start = time.perf_counter()
            future = self._transfer.call_async(request)
            if not self._spin_until(future.done, ANSWER_TIME):
                raise TimeoutError(f"no answer after {ANSWER_TIME:.0f} s")
            response: Any = future.result()
            if response.error_code not in too_early or time.monotonic() > end:
                return response, time.perf_counter() - start
            self._wait(lambda: False, 0.2, response.message)

    def shown_at(self, header: Header) -> Shown:
        """Return picture and truth of an answer. Raises TimeoutError when they were missed."""
        stamp = (header.stamp.sec, header.stamp.nanosec)
        if not self._spin_until(lambda: stamp in self._pictures and stamp in self._truths, 5.0):
            raise TimeoutError(f"the camera's picture of stamp {stamp} was missed")
        return self._pictures[stamp], self._truths[stamp]

    def _keep(self, where: OrderedDict[tuple[int, int], Any]) -> Callable[[Any], None]:
        def keep(message: Any) -> None:
            where[message.header.stamp.sec, message.header.stamp.nanosec] = message
            while len(where) > KEPT:
                where.popitem(last=False)

        return keep

    def _take_catalogue(self, message: ClassCatalogue) -> None:
        self._classes = [info.name for info in message.classes]

    def _wait(self, condition: Callable[[], bool], seconds: float, what: str) -> bool:
        """Spin as `_spin_until`; print every few seconds what is waited for."""
        end = time.monotonic() + seconds
        while not self._spin_until(condition, min(0.2, max(0.0, end - time.monotonic()))):
            if time.monotonic() > self._told + PROGRESS:
                self._told = time.monotonic()
                print(f"demo client: after {self._told - self._born:.0f} s still waiting: {what}", flush=True)
            if time.monotonic() >= end or not rclpy.ok():
                return False
        return True

    def _spin_until(self, condition: Callable[[], bool], seconds: float) -> bool:
        end = time.monotonic() + seconds
        while not condition() and time.monotonic() < end and rclpy.ok():
            rclpy.spin_once(self, timeout_sec=0.1)
        return bool(condition())


def source_request(turntable: Turntable, rendering: Rendering) -> TransferKeypoints.Request:
    """Ask for every visible keypoint of the source; the node is to remember the picture."""
    header = Header(frame_id="source_camera")
    shown = np.flatnonzero(rendering.visible)
    request = TransferKeypoints.Request(class_name=turntable.category, demonstration_id="demo")
    request.source_image = conversions.color_message(rendering.image, header)
    request.source_depth = conversions.depth_message(rendering.depth, header)
    request.source_camera_info = conversions.camera_message(rendering.camera, header)
    request.points = [Point2D(x=float(x), y=float(y)) for x, y in rendering.keypoints[shown]]
    request.keypoint_names = [turntable.info.keypoint_names[i] for i in shown]
    return request


def compare(request: TransferKeypoints.Request, response: Any, truth: SemanticKeypointsArray) -> list[dict]:
    """Compare the answer with the truth, a row per point; errors are None where the position is unknown."""
    true = {keypoint.name: keypoint for keypoint in truth.instances[0].keypoints}
    rows = []
    for point, found in zip(request.points, response.keypoints.keypoints, strict=True):
        at = true[found.name]
        rows.append(
            {
                "name": found.name,
                "state": KeypointState(found.state).name,
                "true_state": KeypointState(at.state).name,
                "source_pixel": [point.x, point.y],
                "pixel": [found.pixel.x, found.pixel.y],
                "true_pixel": [at.pixel.x, at.pixel.y],
                "error_px": _known(math.hypot(found.pixel.x - at.pixel.x, found.pixel.y - at.pixel.y)),
                "error_mm": _known(1000 * _distance(found.xyz, at.xyz)),
                "score": found.score,
            }
        )
    return rows


def _distance(a: Any, b: Any) -> float:
    return math.dist((a.x, a.y, a.z), (b.x, b.y, b.z))


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _answered(client: DemoClient, request: TransferKeypoints.Request) -> tuple[Any, float, Shown | None]:
    """Return an answer, the seconds it took, and what it is about, which a refusal lacks.

    A busy machine loses pictures on their way. Without the one of the answer, there is nothing to compare
    with: the question is put again. Raises TimeoutError.
    """
    for attempt in range(1, ATTEMPTS + 1):
        response, seconds = client.ask(request)
        request.source_image, request.source_depth = Image(), Image()  # known by its demonstration_id
        if not response.success:
            return response, seconds, None
        try:
            return response, seconds, client.shown_at(response.header)
        except TimeoutError as error:
            if attempt == ATTEMPTS:
                raise
            print(f"demo client: {error}; asking once more", flush=True)
    raise TimeoutError("no attempt is allowed")


def _run(client: DemoClient, arguments: argparse.Namespace) -> list[dict]:
    turntable = Turntable(category=arguments.category, seed=arguments.source_seed)
    rendering = render(turntable.scene(arguments.source_view))
    write_image(arguments.output / "source.png", torch.from_numpy(rendering.image), rendered.save)
    request = source_request(turntable, rendering)
    client.wait_until_ready()
    calls = []
    for i in range(arguments.calls):
        response, seconds, shown = _answered(client, request)
        call = {"success": response.success, "message": response.message, "seconds": seconds, "rows": []}
        if shown is not None:
            image = images.color_from_message(shown[0])
            write_image(arguments.output / f"target_{i}.png", image, rendered.save)
            call["rows"] = compare(request, response, shown[1])
            call |= {"confidence": response.pose.confidence, "inference_time": response.inference_time}
        calls.append(call)
    return calls


def main() -> int:
    """Run the client. Exit status 0 if every call was answered, whatever the answer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--category", required=True)
    parser.add_argument("--source-seed", type=int, required=True)
    parser.add_argument("--source-view", type=int, default=0)
    parser.add_argument("--calls", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    rclpy.init()
    client = DemoClient(arguments.category)
    try:
        write_json(arguments.output / "answers.json", _run(client, arguments))
    except TimeoutError as error:
        print(f"demo client: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, ExternalShutdownException):
        return 130
    finally:
        client.destroy_node()
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
