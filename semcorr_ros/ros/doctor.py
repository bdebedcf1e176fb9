"""Collect facts about a running node and its inputs, for diagnosis/graph.py to judge."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.srv import GetParameters
from rclpy.node import Node
from rclpy.parameter import parameter_value_to_python
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from semcorr_ros.diagnosis.facts import Facts, Offer, Sample, Stream
from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.ros.quality_of_service import mismatch, offered
from semcorr_ros.sensing import images
from semcorr_ros.sensing.assembly import stamp_of
from semcorr_ros.sensing.calibration import camera_from_message, image_size, intrinsics

DISCOVERY = 1.5  # seconds after which the nodes of this machine are known, as a rule
PATIENCE = 5.0  # seconds to wait for the node, /diagnostics, parameters, publishers and first messages
PARAMETERS = ("sync_slop", "depth", "image_transport", "depth_transport", "use_sim_time", "classes")
WEAKEST = {"reliability": ReliabilityPolicy.BEST_EFFORT}
PACKED = ("/compressed", "/compressedDepth")  # what a transport appends to the topic
KEYPOINTS = (
    "semcorr_ros/msg/SemanticKeypointsArray"  # whoever publishes it shows what it found, and is no camera
)
KINDS = {Image: "sensor_msgs/msg/Image", CompressedImage: "sensor_msgs/msg/CompressedImage",
         CameraInfo: "sensor_msgs/msg/CameraInfo"}  # fmt: skip


def look(name: str, seconds: float) -> Facts:
    """Collect facts about the node `name` (full, with its namespace), watching its inputs for some
    seconds."""
    with _probe() as probe:
        _spin(probe, lambda: False, DISCOVERY)
        found = _spin(probe, lambda: name in _nodes(probe), PATIENCE)
        nodes = [node for node in _nodes(probe) if node != probe.get_fully_qualified_name()]
        values = _diagnostics(probe, name) if found else {}
        parameters = _parameters(probe, name) if found else {}
        streams = tuple(_watch(probe, _wanted(name, values, parameters), seconds))
        return Facts(
            node=name,
            found=found,
            nodes=tuple(nodes),
            watched=seconds,
            parameters=parameters,
            diagnostics=values,
            streams=streams,
            clock_publishers=probe.count_publishers("/clock"),
        )


@contextmanager
def _probe() -> Iterator[Node]:
    context = rclpy.Context()
    context.init()
    node = Node(f"semcorr_doctor_{os.getpid()}", context=context, enable_rosout=False)
    try:
        yield node
    finally:
        node.destroy_node()
        context.try_shutdown()


def _spin(probe: Node, condition: Callable[[], Any], seconds: float) -> bool:
    executor = rclpy.executors.SingleThreadedExecutor(context=probe.context)
    executor.add_node(probe)
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        executor.spin_once(timeout_sec=0.05)
    executor.remove_node(probe)
    executor.shutdown()
    return bool(condition())


def _nodes(probe: Node) -> list[str]:
    return sorted(_full(*pair) for pair in probe.get_node_names_and_namespaces())


def _diagnostics(probe: Node, name: str) -> dict[str, str]:
    found: dict[str, str] = {}

    def take(message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == f"{name[1:]}: perception":
                found.update({item.key: item.value for item in status.values})

    subscription = probe.create_subscription(DiagnosticArray, "/diagnostics", take, 10)
    _spin(probe, lambda: found, PATIENCE)
    probe.destroy_subscription(subscription)
    return found


def _parameters(probe: Node, name: str) -> dict[str, Any]:
    client: Any = probe.create_client(GetParameters, f"{name}/get_parameters")
    try:
        if not _spin(probe, client.service_is_ready, PATIENCE):
            return {}
        future = client.call_async(GetParameters.Request(names=list(PARAMETERS)))
        if not _spin(probe, future.done, PATIENCE):
            return {}
        answer: Any = future.result()
        values = answer.values
        return {key: parameter_value_to_python(value) for key, value in zip(PARAMETERS, values, strict=False)}
    finally:
        probe.destroy_client(client)


def _wanted(name: str, values: dict[str, str], parameters: dict[str, Any]) -> dict[str, tuple[str, type]]:
    """Map each stream to topic and message type: as the node reports them, else by its interface's names."""
    said = {key.removeprefix("topic "): topic for key, topic in values.items() if key.startswith("topic ")}
    if not said:
        namespace = name.rpartition("/")[0]
        said = {stream: f"{namespace}/{stream}" for stream in ("image", "camera_info", "depth")}
        if parameters.get("depth") == "none":
            del said["depth"]
    return {stream: (topic, _kind(stream, topic)) for stream, topic in said.items()}


def _kind(stream: str, topic: str) -> type:
    if stream.endswith("camera_info"):
        return CameraInfo
    return CompressedImage if topic.endswith(("/compressed", "/compressedDepth")) else Image


def _watch(probe: Node, wanted: dict[str, tuple[str, type]], seconds: float) -> Iterator[Stream]:
    samples: dict[str, list[Sample]] = {stream: [] for stream in wanted}
    subscriptions = []
    topics = [topic for topic, _ in wanted.values()]
    _spin(probe, lambda: all(map(probe.count_publishers, topics)), PATIENCE)
    for stream, (topic, kind) in wanted.items():

        def take(message: Any, stream: str = stream) -> None:
            samples[stream].append(_sample(message, stream, probe.get_clock().now().nanoseconds * 1e-9))

        quality = QoSProfile(depth=5, **(offered(probe, topic) or WEAKEST))
        subscriptions.append(probe.create_subscription(kind, topic, take, quality))
    # On a busy machine a first message may take longer than the watch: the watch begins with it.
    offering = [stream for stream, (topic, _) in wanted.items() if probe.count_publishers(topic)]
    _spin(probe, lambda: all(samples[stream] for stream in offering), PATIENCE)
    for seen in samples.values():
        del seen[:-1]
    _spin(probe, lambda: False, seconds)
    for stream, (topic, kind) in wanted.items():
        offers = tuple(
            Offer(_full(info.node_name, info.node_namespace), info.topic_type, _mismatch(probe, topic, info))
            for info in probe.get_publishers_info_by_topic(topic)
        )
        others = () if offers else tuple(_published(probe, KINDS[kind]))
        transport = "" if offers else _other_form(probe, topic)
        yield Stream(stream, topic, KINDS[kind], offers, tuple(samples[stream]), others, transport)
    for subscription in subscriptions:
        probe.destroy_subscription(subscription)


def _mismatch(probe: Node, topic: str, offer: Any) -> str:
    """Explain why an offer does not fit the node's own subscription; empty without one or where it fits."""
    own = probe.get_name()
    wishes = [
        info.qos_profile
        for info in probe.get_subscriptions_info_by_topic(topic)
        if info.node_name != own and info.topic_type == offer.topic_type
    ]
    return next(filter(None, (mismatch(offer.qos_profile, wish) for wish in wishes)), "")


def _published(probe: Node, kind: str) -> list[str]:
    """List the topics of a kind that somebody publishes who is no perceive node."""
    found = []
    for topic, kinds in probe.get_topic_names_and_types():
        if kind in kinds:
            infos = probe.get_publishers_info_by_topic(topic)
            if any(not _perceives(probe, info.node_name, info.node_namespace) for info in infos):
                found.append(topic)
    return sorted(found)


def _perceives(probe: Node, name: str, namespace: str) -> bool:
    try:
        published = probe.get_publisher_names_and_types_by_node(name, namespace)
    except Exception:  # it has just gone
        return False
    return any(KEYPOINTS in kinds and not topic.endswith("/true_keypoints") for topic, kinds in published)


def _other_form(probe: Node, topic: str) -> str:
    """Return the topic on which a stream is published in another transport; empty where there is none."""
    plain = next((topic.removesuffix(end) for end in PACKED if topic.endswith(end)), topic)
    forms = [name for name in (plain, *(plain + end for end in PACKED)) if name != topic]
    return next((name for name in forms if probe.count_publishers(name)), "")


def _sample(message: Any, stream: str, now: float) -> Sample:
    size: tuple[Any, Any] | None = None
    encoding, refusal = getattr(message, "encoding", getattr(message, "format", "")), ""
    try:
        if isinstance(message, CameraInfo):
            size, encoding = image_size(message), message.distortion_model
            _check_calibration(message)
        elif stream.endswith("depth"):
            height, width = images.depth_from_message(message).values.shape
            size = (height, width)
        else:
            height, width = images.color_from_message(message).shape[:2]
            size = (height, width)
    except Refusal as problem:
        refusal = f"{problem.code.name}: {problem.message}"
    return Sample(now, stamp_of(message), message.header.frame_id, size, encoding, refusal)


def _check_calibration(message: CameraInfo) -> None:
    """Raises Refusal UNCALIBRATED."""
    camera, _ = camera_from_message(message, image_size(message))
    if camera is None:
        raise Refusal(Code.UNCALIBRATED, f"K is {intrinsics(message).tolist()}")


def _full(name: str, namespace: str) -> str:
    return f"{namespace.rstrip('/')}/{name}"
