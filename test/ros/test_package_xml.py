"""package.xml names what is imported and used, and nothing else."""

from __future__ import annotations

import ast
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ElementTree.parse(ROOT / "package.xml").getroot()
OURS = {"semcorr_ros", "semcorr_lab"}
# Keys of rosdep for Python packages, by the module that is imported.
KEYS = {"PIL": "python3-pil", "cv2": "python3-opencv", "yaml": "python3-yaml"}
KEYS |= {name: f"python3-{name}" for name in ("numpy", "rich", "scipy")}
# No key, or an extra of pyproject.toml: requirements.txt brings them, as package.xml says.
ELSEWHERE = {"torch", "safetensors", "jaxtyping", "tyro", "trimesh", "embreex"}
ELSEWHERE |= {"transformers", "diffusers", "huggingface_hub", "ray", "rosbags", "triton"}
ELSEWHERE |= {"starlette", "DracoPy", "robust_laplacian", "potpourri3d"}
OPTIONAL = {
    "lz4",
    "backports",
    "compression",
    "pytorch3d",
}  # rosbags brings them; the last is built from source


def declared(*tags: str) -> set[str]:
    return {str(element.text) for tag in tags for element in PACKAGE.findall(tag)}


def imported(*folders: str) -> set[str]:
    """Names of packages that are neither Python's own nor ours."""
    found: set[str] = set()
    for path in (path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                found.add(str(node.module).partition(".")[0])
    return found - set(sys.stdlib_module_names) - OURS


def interfaces() -> set[str]:
    """Packages whose messages ours are made of."""
    files = [path for kind in ("msg", "srv", "action") for path in (ROOT / kind).iterdir()]
    return {name for path in files for name in re.findall(r"^(\w+)/\w+", path.read_text(), re.M)}


def test_everything_that_runs_is_declared_and_nothing_else():
    used = imported("semcorr_ros", "semcorr_lab", "launch") - ELSEWHERE - OPTIONAL
    keys = {KEYS.get(name, name) for name in used}
    implied = {"rosidl_default_runtime", "action_msgs"}  # of generated code
    assert declared("depend", "exec_depend") == keys | interfaces() | implied


def test_what_interfaces_are_made_of_is_needed_to_build_them():
    text = (ROOT / "CMakeLists.txt").read_text()
    assert declared("depend") == interfaces() | {"action_msgs"}
    found = set(re.findall(r"find_package\((\w+) REQUIRED\)", text))
    assert found == declared("buildtool_depend") | interfaces()


def test_tests_name_the_plug_ins_of_pytest_that_they_use():
    text = (ROOT / "pyproject.toml").read_text()
    assert declared("test_depend") == {"python3-pytest", "python3-pytest-timeout"}
    assert "timeout =" in text
    assert "-n" not in re.search(r'addopts = "(.*)"', text)[1]


def test_what_has_no_key_is_in_the_requirements():
    required = (ROOT / "requirements.txt").read_text() + (ROOT / "pyproject.toml").read_text()
    assert not {name for name in ELSEWHERE - {"triton"} if name not in required}
