"""The launch file, and the views of RViz and Foxglove that it starts, as far as they can be read."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
LAUNCH = (ROOT / "launch/perceive.launch.py").read_text()
RVIZ = yaml.safe_load((ROOT / "rviz/perceive.rviz").read_text())
FOXGLOVE = json.loads((ROOT / "config/foxglove_layout.json").read_text())
# What rviz2 brings along, of what a file may name.
RVIZ_CLASSES = {
    "rviz_common": {"Displays", "Views", "Time", "Selection", "Tool Properties", "Transformation"},
    "rviz_default_plugins": {
        "Axes", "DepthCloud", "Grid", "Image", "MarkerArray", "TF", "PointCloud2", "PoseArray", "Camera",
        "MoveCamera", "Select", "FocusCamera", "Measure", "Interact", "Orbit", "TopDownOrtho", "FPS",
    },
}  # fmt: skip
FOXGLOVE_PANELS = {
    "3D", "Image", "DiagnosticSummary", "DiagnosticStatusPanel", "RawMessages", "CallService", "Parameters",
    "RosOut", "Tab", "Plot",
}  # fmt: skip


def test_launch_arguments():
    assert {
        "namespace", "use_sim_time", "params_file", "log_level", "autostart", "device", "classes", "camera",
        "respawn", "rviz", "fixed_frame", "foxglove", "dds_profile", "enclave", "target_frame", "cameras",
        "name", "frame_prefix", "respawn_delay",
    } <= set(_arguments())  # fmt: skip


def test_launch_arguments_that_are_parameters_exist():
    tree = ast.parse(LAUNCH)
    tables = {
        target.id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id in ("TEXTS", "LISTS", "TOPICS", "SWITCHES", "SHOWN")
    }
    shipped = yaml.safe_load((ROOT / "config/perceive.yaml").read_text())["/**"]["semcorr"]["ros__parameters"]
    assert all(isinstance(shipped[name], str) for name in tables["TEXTS"])
    assert all(isinstance(shipped[name], list) for name in tables["LISTS"])
    assert set(tables["TOPICS"]) | set(tables["SWITCHES"]) <= set(_arguments())
    # RViz is remapped for every topic that its file names: another namespace would show nothing.
    assert {f"/{name}" for name in tables["SHOWN"]} >= set(rviz_topics()) - {"/tf", "/tf_static"}


def launched(name: str) -> Any:
    """A function of the launch file, without launch."""
    tree = ast.parse(LAUNCH)
    kept = [
        node for node in tree.body
        if (isinstance(node, ast.FunctionDef) and node.name == name)
        or (isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "TOPICS")
    ]  # fmt: skip
    space: dict[str, Any] = {}
    exec(compile(ast.Module(kept, []), "launch", "exec"), space)
    return space[name]


def test_topics_are_remapped_for_one_camera_and_for_each_of_several():
    remapped = launched("_remappings")
    plain = {topic: topic for topic in ("image", "camera_info", "depth", "regions", "detections")}
    one = remapped(plain | {"cameras": "", "image": "/camera/color"})
    assert ("image", "/camera/color") in one
    assert ("depth", "depth") in one
    two = remapped(plain | {"cameras": "left, right", "image": "/a/image,/b/image"})
    assert two == [("left/image", "/a/image"), ("right/image", "/b/image")]
    with pytest.raises(ValueError, match="image must name a topic for each of left, right"):
        remapped(plain | {"cameras": "left,right", "image": "/a/image"})


def test_rviz_shows_the_node_by_its_name_and_the_first_camera():
    shown = launched("_shown")
    given = {"name": "semcorr", "cameras": "", "image": "/camera/color", "depth": "depth"}
    assert shown("semcorr/markers", given) == "semcorr/markers"
    assert shown("image", given) == "/camera/color"
    given |= {"name": "eye", "cameras": "left,right", "image": "/a,/b"}
    assert shown("semcorr/markers", given) == "eye/left/markers"
    assert (shown("image", given), shown("depth", given)) == ("/a", "left/depth")


def test_what_a_launch_file_must_check_before_the_nodes_fail():
    assert "params_file {given['params_file']!r} does not exist" in LAUNCH
    assert 'respawn_delay=float(given["respawn_delay"])' in LAUNCH


def test_every_file_that_the_launch_file_names_exists():
    for suffix in ("config/perceive.yaml", "rviz/perceive.rviz"):
        assert (ROOT / suffix).is_file()
    profiles = re.findall(r"config/(\w+)_\{name\}\.xml", LAUNCH)
    assert sorted(profiles) == ["cyclonedds", "fastdds"]
    for name in profiles:
        assert (ROOT / f"config/{name}_large_images.xml").is_file()
    installed = re.search(
        r"install\(DIRECTORY launch ([\w ]+)DESTINATION", (ROOT / "CMakeLists.txt").read_text()
    )
    assert installed
    assert {"config", "rviz"} <= set(installed.group(1).split())


def test_rviz_knows_every_class_in_its_file():
    named = [value for key, value in _walk(RVIZ) if key == "Class" and value]
    assert len(named) > 8
    for name in named:
        package, _, kind = name.partition("/")
        assert kind in RVIZ_CLASSES[package], name


def test_rviz_starts_in_the_frame_of_the_simulated_camera():
    shipped = yaml.safe_load((ROOT / "config/perceive.yaml").read_text())["/**"]
    frame = shipped["scene_camera"]["ros__parameters"]["frame_id"]
    assert RVIZ["Visualization Manager"]["Global Options"]["Fixed Frame"] == frame
    assert frame in LAUNCH
    assert FOXGLOVE["configById"]["3D!semcorr"]["followTf"] == frame


def test_foxglove_places_every_panel_once():
    configured = set(FOXGLOVE["configById"])
    tabs = [tab["layout"] for tab in FOXGLOVE["configById"]["Tab!details"]["tabs"]]
    placed = [name for tree in (FOXGLOVE["layout"], *tabs) for name in _leaves(tree)]
    assert sorted(placed) == sorted(configured)
    assert {name.partition("!")[0] for name in configured} <= FOXGLOVE_PANELS
    json.loads(FOXGLOVE["configById"]["CallService!transfer"]["requestPayload"])


@pytest.mark.parametrize("name", ["fastdds", "cyclonedds"])
def test_profiles_say_how_they_are_used(name):
    text = (ROOT / f"config/{name}_large_images.xml").read_text()
    assert "Use: export" in text


def rviz_topics() -> list[str]:
    """Every topic that the RViz file names."""
    displays = RVIZ["Visualization Manager"]["Displays"]
    found = [value for key, value in _walk(displays) if key.endswith("Topic") and isinstance(value, str)]
    found += [value["Value"] for key, value in _walk(displays) if key == "Topic" and isinstance(value, dict)]
    return found + ["/tf" for display in displays if display["Class"].endswith("/TF")]


def foxglove_names() -> list[str]:
    """Every topic and service that the Foxglove layout names."""
    named = ("imageTopic", "calibrationTopic", "topicToRender", "topicPath", "serviceName")
    found = [value for key, value in _walk(FOXGLOVE["configById"]) if key in named]
    return [*found, *FOXGLOVE["configById"]["3D!semcorr"]["topics"]]


def _arguments() -> list[str]:
    tree = ast.parse(LAUNCH)
    table = next(
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "ARGUMENTS"
    )
    assert isinstance(table, ast.Dict)
    return [key.value for key in table.keys if isinstance(key, ast.Constant)]


def _walk(content: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(content, dict):
        for key, value in content.items():
            yield key, value
            yield from _walk(value)
    elif isinstance(content, list):
        for value in content:
            yield from _walk(value)


def _leaves(tree: Any) -> list[str]:
    return [tree] if isinstance(tree, str) else _leaves(tree["first"]) + _leaves(tree["second"])
