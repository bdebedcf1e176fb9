"""The camera and the node of a ROS graph for the page of `teach`: its only part that knows ROS."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import rclpy
from rclpy.client import Client
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import Header

from semcorr_ros.artifacts import KeypointState
from semcorr_ros.msg import ClassCatalogue, Point2D
from semcorr_ros.node_options import Parameters
from semcorr_ros.reasons import REASONS
from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.ros.conversions import camera_message, color_message, depth_message
from semcorr_ros.ros.inputs import Inputs
from semcorr_ros.sensing.picture import Picture
from semcorr_ros.serving.counters import Counters
from semcorr_ros.serving.recent_pictures import LATEST
from semcorr_ros.srv import LoadClass, StoreDemonstration, TransferKeypoints
from semcorr_ros.teach.node_link import Marked
from semcorr_ros.teach.pictures import Shot

OLDEST = 5.0  # seconds after which a picture is not shown as live any more
KEPT = 20  # pictures of the camera, to find that of an answer
ANSWER_TIME = 120.0  # seconds that the node has: longer than its own request_timeout, whose answer says more


class Names(Protocol):
    """Names in the graph: fields of RosOptions."""

    node: str
    image: str
    camera_info: str
    depth: str


class Graph:
    """A node of ours, spun by a thread, with the camera and the link to the perceiving node."""

    def __init__(self, names: Names) -> None:
        """Join the graph; nothing is waited for."""
        self._context = rclpy.Context()
        rclpy.init(context=self._context)
        beside = names.image.rpartition("/")[0]
        topics = {
            "image": names.image,
            "camera_info": names.camera_info or f"{beside}/camera_info",
            "depth": names.depth or f"{beside}/depth",
        }
        remapped = [word for name, topic in topics.items() for word in ("-r", f"{name}:={topic}")]
        self._node = Node(
            "teach", context=self._context, cli_args=["--ros-args", *remapped], use_global_arguments=False
        )
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self.camera = RosCamera(self._node, names.image)
        self.node = RosNode(self._node, names.node, self.camera, self._leave)
        self._thread = threading.Thread(target=self._spin, name="ros", daemon=True)
        self._thread.start()

    def _spin(self) -> None:
        while self._context.ok():
            try:
                self._executor.spin_once(0.2)
            except ExternalShutdownException:
                return
            except Exception as error:
                if self._context.ok():
                    self._node.get_logger().error(f"{type(error).__name__}: {error}")

    def _leave(self) -> None:
        rclpy.try_shutdown(context=self._context)
        self._thread.join(5.0)
        self._executor.shutdown(1.0)
        self._node.destroy_node()


class RosCamera:
    """Image topic with calibration and depth, as the perceiving node reads it."""

    live = True

    def __init__(self, node: Node, topic: str) -> None:
        self.title = topic
        self._inputs = Inputs(node, Parameters(), Counters())
        self._inputs.on_picture = self._keep
        self._lock = threading.Lock()
        self._pictures: OrderedDict[tuple[int, int], Picture] = OrderedDict()
        self._shots: OrderedDict[int, Shot] = OrderedDict()

    def latest(self) -> Shot:
        """Return the latest picture. Raises Refusal saying why there is none."""
        return self._shot(self._inputs.picture(LATEST, OLDEST))

    def at(self, stamp: Any) -> Shot | None:
        """Return the picture of a stamp; None where it was missed."""
        with self._lock:
            picture = self._pictures.get((stamp.sec, stamp.nanosec))
        return None if picture is None else self._shot(picture)

    def step(self, by: int) -> None:
        """Nothing: it moves by itself."""

    def position(self) -> tuple[int, int]:
        """Return that pictures have no number."""
        return 0, 0

    def close(self) -> None:
        """Nothing: the graph is left as a whole."""

    def _keep(self, picture: Picture) -> None:
        stamp = picture.header.stamp
        with self._lock:
            self._pictures[stamp.sec, stamp.nanosec] = picture
            while len(self._pictures) > KEPT:
                self._pictures.popitem(last=False)

    def _shot(self, picture: Picture) -> Shot:
        frame = picture.frame()
        with self._lock:
            if id(frame) not in self._shots:
                self._shots[id(frame)] = Shot(frame)
            while len(self._shots) > KEPT:
                self._shots.popitem(last=False)
            return self._shots[id(frame)]


class RosNode:
    """The perceiving node, by its services."""

    def __init__(self, node: Node, name: str, camera: RosCamera, leave: Callable[[], None]) -> None:
        self._name = name if name.startswith("/") else f"/{name}"
        self._camera, self._leave = camera, leave
        self._classes: list[str] = []
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        node.create_subscription(ClassCatalogue, f"{self._name}/classes", self._catalogue, latched)
        self._load: Client = node.create_client(LoadClass, f"{self._name}/load_class")
        self._transfer: Client = node.create_client(TransferKeypoints, f"{self._name}/transfer_keypoints")
        self._store: Client = node.create_client(StoreDemonstration, f"{self._name}/store_demonstration")

    def status(self) -> dict[str, Any]:
        """Tell whether it is there, and what it holds."""
        there = bool(self._load.service_is_ready())
        return {"name": self._name, "reachable": there, "classes": list(self._classes) if there else []}

    def load(self, path: Path) -> str:
        """Have it hold a class file. Raises Refusal."""
        response = self._ask(self._load, LoadClass.Request(path=str(path), active=True))
        return f"{self._name} holds {response.info.name}, version {response.info.version}"

    def transfer(self, class_name: str, source: Marked) -> tuple[dict[str, Any], Shot | None]:
        """Have pixels carried over to what its camera shows; also return that picture."""
        request = TransferKeypoints.Request(class_name=class_name)
        request.source_image, request.source_camera_info, request.source_depth = _messages(source)
        request.points = [Point2D(x=float(x), y=float(y)) for x, y in source.points]
        request.keypoint_names = list(source.names)
        response = self._ask(self._transfer, request, refuse=False)
        return _told(response), self._camera.at(response.header.stamp)

    def store(self, class_name: str, name: str, source: Marked) -> str:
        """Have it keep a demonstration. Raises Refusal."""
        request = StoreDemonstration.Request(class_name=class_name, demonstration_id=name, overwrite=True)
        request.image, request.camera_info, request.depth = _messages(source)
        request.points = [Point2D(x=float(x), y=float(y)) for x, y in source.points]
        request.point_names = list(source.names)
        response = self._ask(self._store, request)
        where = "on disk" if response.info.persistent else "until the node ends"
        return f"demonstration {response.info.id!r} is kept {where}, confidence {response.confidence:.2f}"

    def close(self) -> None:
        """Leave the graph."""
        self._leave()

    def _catalogue(self, message: Any) -> None:
        self._classes = [info.name for info in message.classes]

    def _ask(self, client: Any, request: Any, refuse: bool = True) -> Any:
        if not client.service_is_ready():
            raise Refusal(Code.INACTIVE, f"{self._name} does not answer: is it running, in this domain?")
        done = threading.Event()
        future = client.call_async(request)
        future.add_done_callback(lambda _: done.set())
        if not done.wait(ANSWER_TIME):
            client.remove_pending_request(future)
            raise Refusal(Code.TIMEOUT, f"{self._name} did not answer within {ANSWER_TIME:.0f} s")
        response = future.result()
        if refuse and not response.success:
            raise Refusal(Code(response.error_code), response.message)
        return response


def _messages(source: Marked) -> tuple[Any, Any, Any]:
    """Make image, calibration and depth; empty ones where they are not known."""
    frame, header = source.frame, Header(frame_id="teach")
    request = TransferKeypoints.Request()
    image = color_message(frame.image.cpu().numpy(), header)
    info, depth = request.source_camera_info, request.source_depth
    if frame.camera is not None:
        info = camera_message(frame.camera, header)
    if frame.depth is not None and frame.depth.metric:
        depth = depth_message(frame.depth.values.cpu().numpy(), header)
    return image, info, depth


def _told(response: Any) -> dict[str, Any]:
    """Describe an answer as `insight.answer_json` does."""
    code = Code(response.error_code)
    told: dict[str, Any] = {
        "found": bool(response.success),
        "confidence": round(float(response.pose.confidence), 4),
        "least": None,
        "note": "answered by the node",
        "points": [_point(one) for one in response.keypoints.keypoints],
        "edges": [],
    }
    if not response.success:
        fix = REASONS[code].fix if code in REASONS else ""
        told["refusal"] = {"code": code.name, "message": response.message, "fix": fix}
    return told


def _point(one: Any) -> dict[str, Any]:
    pixel, xyz = [one.pixel.x, one.pixel.y], [one.xyz.x, one.xyz.y, one.xyz.z]
    return {
        "name": one.name,
        "state": KeypointState(one.state).name,
        "pixel": [round(v, 2) for v in pixel] if all(map(math.isfinite, pixel)) else None,
        "xyz": [round(v, 4) for v in xyz] if all(map(math.isfinite, xyz)) else None,
        "score": round(float(one.score), 3),
    }
