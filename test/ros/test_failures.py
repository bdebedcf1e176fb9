"""Tracebacks of what nobody foresaw: each kind, but not every time, and not once the process is to end."""

from __future__ import annotations

from types import SimpleNamespace

from semcorr_ros.ros.running import FailureLog


class Node:
    """What the log needs of a node."""

    def __init__(self):
        self.said: list[str] = []
        self.up = True
        self.context = SimpleNamespace(ok=lambda: self.up)

    def get_logger(self) -> SimpleNamespace:
        return SimpleNamespace(error=self.said.append)


def failure() -> Exception:
    try:
        raise RuntimeError("broken")
    except RuntimeError as error:
        return error


def test_each_kind_at_its_1st_10th_and_100th_time():
    node = Node()
    log = FailureLog(node)
    for _ in range(150):
        log.add(failure())
    assert len(node.said) == 3
    assert "RuntimeError: broken\n(failure 100 of this kind" in node.said[-1]
    log.add(ValueError("another"))
    assert len(node.said) == 4


def test_what_fails_because_the_process_ends_is_no_failure():
    """The inference thread publishes while a signal shuts the context down."""
    node = Node()
    node.up = False
    FailureLog(node).add(failure())
    assert node.said == []
