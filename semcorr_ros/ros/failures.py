"""What went wrong, in the node's log.

Tracebacks of each kind at their 1st, 10th, 100th ... time, so that no disk is filled; and the warnings of
those rooms that know no ROS.
"""

from __future__ import annotations

import logging
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


class WarningsOfTheRest(logging.Handler):
    """What the package logs by Python's logging goes to the node's log, until closed."""

    def __init__(self, node: Node):
        super().__init__(logging.WARNING)
        self._logger = node.get_logger()
        self._package = logging.getLogger("semcorr_ros")
        self._package.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Any thread may."""
        self._logger.warning(record.getMessage())

    def close(self) -> None:
        """No longer."""
        self._package.removeHandler(self)
        super().close()
