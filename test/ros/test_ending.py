"""How a node's process ends: with what was registered for its end, without what takes long for nothing."""

from __future__ import annotations

import subprocess
import sys

from ros.node_process import ROOT

ENDS = """
import atexit, os, signal, sys, threading
import rclpy
from rclpy.node import Node
from semcorr_ros.ros import running

class Torn:
    def __del__(self):
        print("object freed at the end", flush=True)

torn = Torn()
torn.itself = torn
atexit.register(print, "registered for the end")

def make():
    print("up", flush=True)
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    return Node("short")

sys.exit(running.run(make, [], None))
"""


def test_a_node_does_not_wait_until_its_interpreter_has_freed_all_objects():
    """Of torch they are two hundred thousand: seconds on a busy core, and launch waits five."""
    ended = subprocess.run(
        [sys.executable, "-c", ENDS], cwd=ROOT, capture_output=True, text=True, timeout=180, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split("\n") == ["up", "registered for the end", ""]
    assert "Traceback" not in ended.stderr
