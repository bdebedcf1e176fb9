"""Tracebacks in the node's log: each kind at its 1st, 10th, 100th ... time, so that no disk is filled."""

from __future__ import annotations

import re
import traceback
from collections import Counter

from rclpy.node import Node


class FailureLog:
    """Thread-safe enough: a count that is off by one does no harm."""

    def __init__(self, node: Node):
        self._logger, self._context = node.get_logger(), node.context
        self._counts: Counter[str] = Counter()

    def add(self, error: BaseException) -> None:
        """Log what nobody foresaw. Once a signal has shut the context down, any call fails: no failure."""
        if not self._context.ok():
            return
        where = "".join(traceback.format_tb(error.__traceback__))  # the message may differ every time
        self._counts[where] += 1
        count = self._counts[where]
        if re.fullmatch("10*", str(count)):
            trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
            self._logger.error(f"{trace}(failure {count} of this kind; the node goes on)")
