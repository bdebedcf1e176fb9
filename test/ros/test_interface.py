"""Files that name topics and services, held to what running nodes really have over DDS."""

from __future__ import annotations

import importlib.util
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import rclpy
from ros.conftest import spin_until
from ros.test_launch import foxglove_names, rviz_topics

ROOT = Path(__file__).resolve().parents[2]
POLICY = ElementTree.parse(ROOT / "config/sros2/policy.xml").getroot()
ACTION = "/_action/"
# Streams of packages that need not be installed, and what the parameter target_frame adds.
OPTIONAL = {"/tf": "tf2_ros", "/tf_static": "tf2_ros", "/detections": "vision_msgs",
            "/semcorr/detections": "vision_msgs", "/semcorr/detections_3d": "vision_msgs"}  # fmt: skip
BY_PARAMETER = {"/semcorr/point"}
NODES = {"semcorr": "perceive", "scene_camera": "scene_camera"}


@dataclass
class Interface:
    """Full names, as a policy divides them."""

    publish: set[str] = field(default_factory=set)
    subscribe: set[str] = field(default_factory=set)
    reply: set[str] = field(default_factory=set)
    request: set[str] = field(default_factory=set)
    execute: set[str] = field(default_factory=set)
    call: set[str] = field(default_factory=set)


@pytest.fixture(scope="module")
def live(start, ros) -> dict[str, Interface]:
    """The interfaces of the nodes, as DDS knows them."""
    for name, verb in NODES.items():
        backbone = {"backbone": "fabricated"} if verb == "perceive" else {"views": "1"}
        start(verb, {"__node": name, "use_sim_time": "true"} | backbone)
    late = {"semcorr": {"/image"}, "scene_camera": set()}
    return {name: _settled(ros, lambda name=name: graph_of(ros, name), late[name]) for name in NODES}


@pytest.mark.parametrize("name", NODES)
def test_the_policy_allows_exactly_what_the_node_has(live, name):
    allowed, real = policy_of(f"/{name}"), live[name]
    for kind in ("publish", "subscribe", "reply", "request", "execute", "call"):
        mine, theirs = getattr(allowed, kind), getattr(real, kind)
        spare = {stream for stream in mine - theirs if not may_be_missing(stream, kind)}
        assert not theirs - mine, f"the policy keeps {name} from {kind} {theirs - mine}"
        assert not spare, f"the policy lets {name} {kind} {spare}, which it never does"


@pytest.mark.parametrize("role", ["semcorr_caller", "semcorr_operator"])
def test_roles_ask_only_for_what_there_is(live, role):
    allowed, node = policy_of(f"/{role}"), live["semcorr"]
    assert allowed.request <= node.reply
    assert allowed.call == node.execute
    assert {topic for topic in allowed.subscribe if topic.startswith("/semcorr/")} <= node.publish
    assert not allowed.publish - {"/rosout", "/parameter_events"}


def test_a_caller_can_change_nothing_and_an_operator_everything(live):
    changing = {"load_class", "unload_class", "reset", "store_demonstration", "delete_demonstration",
                "change_state", "set_parameters", "set_parameters_atomically"}  # fmt: skip
    changing = {f"/semcorr/{name}" for name in changing}
    assert changing <= live["semcorr"].reply
    assert not changing & policy_of("/semcorr_caller").request
    assert policy_of("/semcorr_operator").request == live["semcorr"].reply


def test_the_policy_is_of_the_form_that_sros2_reads():
    assert (POLICY.tag, POLICY.attrib) == ("policy", {"version": "0.2.0"})
    paths = [enclave.attrib["path"] for enclave in POLICY.iter("enclave")]
    assert len(paths) == len(set(paths)) >= 4
    shapes = {"topics": ("topic", {"publish", "subscribe"}), "services": ("service", {"reply", "request"}),
              "actions": ("action", {"execute", "call"})}  # fmt: skip
    for group in (group for profile in POLICY.iter("profile") for group in profile):
        child, attributes = shapes[group.tag]
        assert len(group.attrib) == 1
        assert set(group.attrib) <= attributes
        assert set(group.attrib.values()) == {"ALLOW"}
        assert {item.tag for item in group} == {child}


def test_rviz_shows_topics_that_there_are(live):
    published = live["semcorr"].publish | live["scene_camera"].publish
    named = rviz_topics()
    assert "/semcorr/markers" in named
    assert "/semcorr/overlay" in named
    assert {topic for topic in named if not may_be_missing(topic, "publish")} <= published


def test_foxglove_shows_topics_and_calls_services_that_there_are(live):
    known = live["semcorr"].publish | live["scene_camera"].publish | live["semcorr"].reply
    assert {"/semcorr/markers", "/semcorr/overlay", "/diagnostics"} <= set(foxglove_names())
    assert set(foxglove_names()) <= known


def graph_of(ros: rclpy.node.Node, name: str) -> Interface:
    """What DDS says of a node without namespace."""
    topics = {
        "publish": {topic for topic, _ in ros.get_publisher_names_and_types_by_node(name, "/")},
        "subscribe": {topic for topic, _ in ros.get_subscriber_names_and_types_by_node(name, "/")},
    }
    services = {
        "reply": {service for service, _ in ros.get_service_names_and_types_by_node(name, "/")},
        "request": {service for service, _ in ros.get_client_names_and_types_by_node(name, "/")},
    }
    found = Interface()
    for kind, names in (topics | services).items():
        setattr(found, kind, {each for each in names if ACTION not in each})
    found.execute = {each.partition(ACTION)[0] for each in services["reply"] if ACTION in each}
    return found


def policy_of(path: str) -> Interface:
    """What an enclave allows, by full names."""
    found = Interface()
    enclave = next(each for each in POLICY.iter("enclave") if each.attrib["path"] == path)
    for profile in enclave.iter("profile"):
        own = f"{profile.attrib['ns'].rstrip('/')}/{profile.attrib['node']}"
        for group in profile:
            (kind,) = group.attrib
            for item in group:
                name = (item.text or "").strip()
                assert name not in getattr(found, kind), f"{path} names {name} twice"
                getattr(found, kind).add(full_name(name, own, profile.attrib["ns"]))
    return found


def full_name(name: str, own: str, namespace: str) -> str:
    """As sros2 reads it."""
    if name.startswith("~"):
        return own + name[1:]
    return name if name.startswith("/") else f"{namespace.rstrip('/')}/{name}"


def may_be_missing(stream: str, kind: str) -> bool:
    """Only where its package is, or for what a parameter turns on."""
    if stream in BY_PARAMETER or (stream in ("/tf", "/tf_static") and kind == "subscribe"):
        return True
    return stream in OPTIONAL and importlib.util.find_spec(OPTIONAL[stream]) is None


def _settled(ros: rclpy.node.Node, look: Callable[[], Interface], streams: set[str]) -> Interface:
    """Discovery tells one by one: the interface that has not changed for two seconds.

    streams: what the node has only once it is active.
    """
    last: tuple[Interface | None, float] = (None, 0.0)

    def unchanged() -> bool:
        nonlocal last
        try:
            now = look()
        except rclpy.node.NodeNameNonExistentError:
            return False
        if now != last[0]:
            last = (now, time.monotonic())
        up = bool(now.publish and now.reply) and streams <= now.subscribe | now.publish
        return up and time.monotonic() - last[1] > 2.0

    assert spin_until(ros, unchanged), "the node did not come up"
    assert last[0] is not None
    return last[0]
