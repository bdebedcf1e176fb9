"""Only ros/ imports ROS, and nothing imports ros/: everything else installs and runs without it."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "semcorr_ros"
ROS = ("rclpy", "rcl_interfaces", "tf2_ros", "cv_bridge", "message_filters", "launch", "launch_ros")
GENERATED = ("semcorr_ros.msg", "semcorr_ros.srv", "semcorr_ros.action", "semcorr_ros.ros")
MODULES = [path for path in sorted(PACKAGE.rglob("*.py")) if "ros" not in path.relative_to(PACKAGE).parts[:1]]


def _imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_ros_outside_ros(path):
    for name in _imports(path):
        assert name.partition(".")[0] not in ROS, name
        assert not name.partition(".")[0].endswith("_msgs"), name
        assert not name.startswith(GENERATED), name
        assert name.partition(".")[0] != "cv2"


@pytest.mark.parametrize(
    ("room", "above"),
    [
        ("structure", ("artifacts", "geometry", "structure")),
        (
            "depth",
            ("artifacts", "geometry", "structure", "depth", "storage", "disk_cache", "registry", "weights"),
        ),
    ],
)
def test_a_room_imports_only_rooms_above_it(room, above):
    for path in sorted((PACKAGE / room).glob("*.py")):
        for name in _imports(path):
            first, _, rest = name.partition(".")
            assert first != "semcorr_ros" or not rest or rest.split(".")[0] in above, (path.name, name)


def test_the_check_sees_the_modules_it_is_about():
    assert len(MODULES) > 30
    assert "rclpy.node" in _imports(PACKAGE / "ros" / "inputs.py")
