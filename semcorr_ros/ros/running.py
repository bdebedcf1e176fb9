"""Start a node, spin it, log what fails, and end with status 0 and no traceback on SIGINT and SIGTERM.

Tracebacks of each kind are logged at their 1st, 10th, 100th ... time, so that no disk is filled.
"""

from __future__ import annotations

import argparse
import atexit
import logging
import os
import re
import signal
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.utilities import remove_ros_args

from semcorr_ros.serving import large_images

PAUSE_AFTER_FAILURE = 0.01  # seconds: a callback that always fails must not take all of a core

EXECUTOR_TIME = 0.5  # seconds for callbacks that still run when the process ends


class Fatal(Exception):  # noqa: N818 - says what it does, not what went wrong
    """Raised in a callback by a node that cannot go on: the process ends with this status."""

    def __init__(self, message: str, status: int = 1):
        super().__init__(message)
        self.status = status


def run(make_node: Callable[[], Node], arguments: list[str], doc: str | None) -> NoReturn:
    """Run a node until it ends, and the process with it. `arguments` as on the command line, with
    --ros-args.

    Ends the process itself once the node has ended in order: what is left of the interpreter's own end,
    freeing the objects of torch one by one, takes 1.5 s on an idle core and longer than launch waits on a
    busy one.
    """
    _parse(arguments, make_node.__module__.rpartition(".")[2], doc)
    stopped = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.set()

    # rclpy's own handlers end the spin and then call these. Without them SIGINT would also raise
    # KeyboardInterrupt at any point. They also work where a shell ignores SIGINT.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    large_images.prepare(os.environ)
    rclpy.init(args=[sys.argv[0], *arguments])
    node: Node | None = None
    executor = SingleThreadedExecutor()
    status = 0
    try:
        if not stopped.is_set():
            node = make_node()
            executor.add_node(node)
            _spin(executor, node, stopped)
    except ExternalShutdownException:
        pass
    except Fatal as error:
        print(f"semcorr_ros: {error}", file=sys.stderr)
        status = error.status
    except Exception:
        # A context that a signal shut down fails any call; that is no error.
        if not stopped.is_set():
            raise
    finally:
        ended = _end(node, executor)
    if ended:
        atexit._run_exitfuncs()
    # Where a thread still runs: the interpreter exits despite daemon threads, and one in native code then
    # aborts the process.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _spin(executor: SingleThreadedExecutor, node: Node, stopped: threading.Event) -> None:
    """Execute callbacks until a signal comes. What they raise is logged; only `Fatal` ends the node."""
    failures = FailureLog(node)
    while not stopped.is_set():
        try:
            executor.spin_once()
        except (ExternalShutdownException, Fatal):
            raise
        except Exception as error:
            if stopped.is_set() or not executor.context.ok():
                return
            failures.add(error)
            time.sleep(PAUSE_AFTER_FAILURE)


def _end(node: Node | None, executor: SingleThreadedExecutor) -> bool:
    """Close and destroy the node; False if one of its threads still runs."""
    ended = node.close() if node is not None and hasattr(node, "close") else True
    executor.shutdown(timeout_sec=EXECUTOR_TIME)
    if node is not None:
        node.destroy_node()
    rclpy.try_shutdown()
    return ended


def _parse(arguments: list[str], name: str, doc: str | None) -> None:
    parser = argparse.ArgumentParser(
        prog=f"semcorr_ros {name}",
        description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="ROS arguments: --ros-args -p seed:=1 -r image:=/camera/color/image_raw --params-file FILE",
    )
    parser.parse_args(remove_ros_args(["", *arguments])[1:])


class FailureLog:
    """Counts and logs unforeseen errors. Not locked: a count that is off by one does no harm."""

    def __init__(self, node: Node):
        self._logger, self._context = node.get_logger(), node.context
        self._counts: Counter[str] = Counter()

    def add(self, error: BaseException) -> None:
        """Log an unforeseen error, but none after a signal has shut the context down: any call fails then."""
        if not self._context.ok():
            return
        where = "".join(traceback.format_tb(error.__traceback__))  # the message may differ every time
        self._counts[where] += 1
        count = self._counts[where]
        if re.fullmatch("10*", str(count)):
            trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
            self._logger.error(f"{trace}(failure {count} of this kind; the node goes on)")


class WarningsOfTheRest(logging.Handler):
    """Forwards what the package logs by Python's logging to the node's log, until closed."""

    def __init__(self, node: Node):
        super().__init__(logging.WARNING)
        self._logger = node.get_logger()
        self._package = logging.getLogger("semcorr_ros")
        self._package.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record to the node's log, from any thread."""
        self._logger.warning(record.getMessage())

    def close(self) -> None:
        """Stop forwarding."""
        self._package.removeHandler(self)
        super().close()
