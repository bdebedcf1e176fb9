"""Start a node, spin it, and end with status 0 and no traceback on SIGINT and SIGTERM."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Protocol

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.utilities import remove_ros_args


class Closing(Protocol):
    """A node with threads or files to give back before it is destroyed."""

    def close(self) -> None:
        """Called once, after the last callback."""
        ...


def run(make_node: Callable[[], Node], arguments: list[str], doc: str | None) -> int:
    """Exit status of a node process; `arguments` as on the command line, with --ros-args."""
    _parse(arguments, make_node.__module__.rpartition(".")[2], doc)
    stopped = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.set()

    # rclpy's own handlers end the spin and then call these. Without them SIGINT would also raise
    # KeyboardInterrupt wherever Python happens to be. They hold, too, where a shell ignores SIGINT.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    rclpy.init(args=[sys.argv[0], *arguments])
    node: Node | None = None
    executor = SingleThreadedExecutor()
    try:
        if not stopped.is_set():
            node = make_node()
            executor.add_node(node)
            executor.spin()
    except ExternalShutdownException:
        pass
    except Exception:
        # A context that a signal shut down fails any call; that is no error.
        if not stopped.is_set():
            raise
    finally:
        _end(node, executor)
    return 0


def _end(node: Node | None, executor: SingleThreadedExecutor) -> None:
    if node is not None and hasattr(node, "close"):
        node.close()
    executor.shutdown(timeout_sec=1.0)
    if node is not None:
        node.destroy_node()
    rclpy.try_shutdown()


def _parse(arguments: list[str], name: str, doc: str | None) -> None:
    parser = argparse.ArgumentParser(
        prog=f"semcorr_ros {name}",
        description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="ROS arguments: --ros-args -p seed:=1 -r image:=/camera/color/image_raw --params-file FILE",
    )
    parser.parse_args(remove_ros_args(["", *arguments])[1:])
