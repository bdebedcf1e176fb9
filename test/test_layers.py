"""The order of rooms that docs/architecture.md promises is the order of imports, wherever they stand in a
file: at its top, in a function, or for type checkers only.
"""

from __future__ import annotations

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROS = ("rclpy", "rcl_interfaces", "tf2_ros", "cv_bridge", "message_filters", "launch", "launch_ros")
GENERATED = ("semcorr_ros.msg", "semcorr_ros.srv", "semcorr_ros.action")
NODES = ("semcorr_ros.ros", "semcorr_lab.demo.client", "semcorr_lab.demo.scene_camera")
NODES += ("semcorr_lab.timing.measure_service",)
# These find a verb or a node by its name when they run, and say what is missing where it is not installed.
BY_NAME = {f"semcorr_ros.{module}" for module in ("__main__", "cli.ask", "cli.doctor", "cli.teach")}
# (room, module below it) that are still to go.
EXCEPTIONS: set[tuple[str, str]] = set()


def _modules() -> dict[str, Path]:
    found = {}
    for package in ("semcorr_ros", "semcorr_lab"):
        for path in sorted((ROOT / package).rglob("*.py")):
            found[".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")] = path
    return found


MODULES = _modules()


def imported(text: str) -> set[str]:
    """Modules that a file imports; of `from package import name`, the module `package.name` if it is one."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            source = node.module or ""
            whole = {f"{source}.{alias.name}" for alias in node.names}
            names |= {name if name in MODULES else source for name in whole}
    return names


def named(text: str) -> set[str]:
    """Modules of ours whose names stand in a file as strings, as importlib takes them."""
    strings = {node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)}
    return {value for value in strings if isinstance(value, str) and "." in value and value in MODULES}


IMPORTS = {module: imported(path.read_text()) for module, path in MODULES.items()}
NAMED = {module: named(path.read_text()) for module, path in MODULES.items()}


def _rooms() -> list[str]:
    """Rooms of the table in docs/architecture.md in reading order, as paths below semcorr_ros/."""
    lines = (ROOT / "docs/architecture.md").read_text().splitlines()
    start = lines.index("| room | what it holds |") + 2
    table = lines[start : lines.index("", start)]
    return [room for line in table for room in re.findall("`([^`]+)`", line.split("|")[1])]


ROOMS = _rooms()


def room_of(module: str) -> str:
    """The innermost room of a module of semcorr_ros."""
    place = str(MODULES[module].relative_to(ROOT / "semcorr_ros"))
    rooms = [room for room in ROOMS if place == room or (room.endswith("/") and place.startswith(room))]
    assert rooms, f"{place} is in no room of docs/architecture.md"
    return max(rooms, key=len)


OURS = [module for module in MODULES if module.startswith("semcorr_ros.")]


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_rooms_above_it(room):
    inside = [module for module in OURS if room_of(module) == room]
    assert inside, f"docs/architecture.md names {room}, which is not there"
    for module in inside:
        for target in IMPORTS[module] & set(OURS):
            if (room, target) not in EXCEPTIONS:
                above = ROOMS.index(room_of(target)) <= ROOMS.index(room)
                assert above, f"{module} imports {target}, which is below it in docs/architecture.md"


def test_modules_import_each_other_in_no_circle():
    graph = {module: IMPORTS[module] & set(MODULES) - {module} for module in MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


@pytest.mark.parametrize("module", MODULES)
def test_only_nodes_need_ros(module):
    if module.startswith(NODES):
        return
    for name in IMPORTS[module]:
        first = name.partition(".")[0]
        assert first not in ROS, name
        assert not first.endswith(("_msgs", "_srvs")), name
        assert not name.startswith(GENERATED), name
        assert not name.startswith(NODES), f"{name} needs ROS"


def test_what_a_robot_runs_needs_no_lab():
    for module in OURS:
        assert not any(name.startswith("semcorr_lab") for name in IMPORTS[module]), module


def test_few_find_nodes_and_lab_by_name():
    apart = ("semcorr_ros.ros", "semcorr_lab")
    assert {module for module in OURS if any(name.startswith(apart) for name in NAMED[module])} == BY_NAME


def test_the_checks_see_what_they_are_about():
    assert len(OURS) > 200
    assert "rclpy.node" in IMPORTS["semcorr_ros.ros.inputs"]
    assert "semcorr_ros.ros.doctor" in NAMED["semcorr_ros.cli.doctor"]
    hidden = "if TYPE_CHECKING:\n    import a.b\ndef f():\n    from semcorr_ros import finder"
    assert imported(hidden) == {"a.b", "semcorr_ros.finder"}
