"""The repair of the wheels' exported CMake targets."""

import importlib.util
from pathlib import Path

PATH = Path(__file__).resolve().parents[2] / "tools/repair_ros_wheels.py"
SPEC = importlib.util.spec_from_file_location("repair_ros_wheels", PATH)
repair_ros_wheels = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(repair_ros_wheels)

FOREIGN = (
    'INTERFACE_INCLUDE_DIRECTORIES "/opt/python/cp311-cp311/include/python3.11;'
    '/opt/python/cp311-cp311/lib/python3.11/site-packages/numpy/_core/include;${_IMPORT_PREFIX}/include"'
)


def test_foreign_folders_are_replaced_and_others_kept():
    repaired = repair_ros_wheels.repair(FOREIGN, "/usr/include/python3.11", "/venv/numpy/include")
    folders = "/usr/include/python3.11;/venv/numpy/include;${_IMPORT_PREFIX}/include"
    assert repaired == f'INTERFACE_INCLUDE_DIRECTORIES "{folders}"'


def test_repairing_twice_changes_nothing():
    once = repair_ros_wheels.repair(FOREIGN, "/a", "/b")
    assert repair_ros_wheels.repair(once, "/a", "/b") == once


def test_numpy_1_layout():
    old = FOREIGN.replace("numpy/_core", "numpy/core")
    assert "/opt/python" not in repair_ros_wheels.repair(old, "/a", "/b")
