"""Run tests in a copy of the working tree: in a fork of a process that has imported what takes long."""

from __future__ import annotations

import gc
import importlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

HEAVY = ("numpy", "scipy.optimize", "scipy.spatial", "cv2", "PIL.Image", "torch", "pytest", "jaxtyping",
         "beartype", "safetensors.torch", "yaml", "torch._dynamo", "rclpy")  # fmt: skip
SLOWER = 6.0  # a mutant may take that many times as long
LEAST = 40.0  # seconds


def copy_tree(root: Path, target: Path) -> None:
    """Copy what git would: tracked files, and new ones that are not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=root, check=True, capture_output=True
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (root / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, target / name)


def preload() -> None:
    """Import what every trial needs; nothing of the package itself."""
    for name in HEAVY:
        try:
            importlib.import_module(name)
        except ImportError:
            continue
    gc.freeze()  # pytest collects garbage several times: not through all of torch


def run(tree: Path, arguments: Sequence[str], seconds: float) -> str:
    """Run pytest with the arguments; return "passed", "failed" or "timeout"."""
    limit = max(LEAST, SLOWER * seconds)
    child = os.fork()
    if child == 0:
        _in_child(tree, arguments)
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return "passed" if status == 0 else "failed"
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "timeout"


def _in_child(tree: Path, arguments: Sequence[str]) -> None:
    code = 99
    try:
        os.setpgid(0, 0)
        output = os.open(tree / ".output", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.chdir(tree)
        os.environ |= {"PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        here = str(Path(__file__).parents[2])
        sys.path[:] = [str(tree), *(each for each in sys.path if each not in ("", here))]
        sys.dont_write_bytecode = "--trace-calls" not in arguments
        for name in [each for each in sys.modules if each.partition(".")[0] == "benchmark"]:
            del sys.modules[name]
        import pytest

        code = int(pytest.main(["-q", "-x", "-p", "no:xdist", "-p", "no:cacheprovider", *arguments]))
    finally:
        os._exit(code)


def forget_compiled(path: Path) -> None:
    """Remove bytecode of a source file: it is known by size and second, which a mutant may share."""
    for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*"):
        compiled.unlink()
