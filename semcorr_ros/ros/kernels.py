"""The alignment's kernels, compiled beside the executor: requests meanwhile are refused at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from lifecycle_msgs.msg import Transition
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode
from rclpy.task import Future

from semcorr_ros.methods.semalign3d.alignment.compiled import library
from semcorr_ros.refusal import Code, Refusal

PERIOD = 0.02  # seconds between checks whether they are ready
PROGRESS = 5.0  # seconds between two lines in the log


class Kernels:
    """The kernels: found, or compiled by a thread's child process from the start of the node on.

    Without a compiler there are none: the log says so, and another engine is chosen.
    """

    def __init__(self, node: LifecycleNode, on_ready: Callable[[], None] | None):
        """Find the kernels, or start to compile them. on_ready: called by the executor once they are
        compiled; not where they are found."""
        self._node, self._on_ready = node, on_ready
        self._group = ReentrantCallbackGroup()
        self._start = self._told = time.monotonic()
        self._waiting: list[Future] = []
        self._thread: threading.Thread | None = None
        self.state = ""  # for diagnostics
        self.awaited = on_ready is not None  # by a configure that waits for them
        if library.find() is not None:
            self._load()
            return
        self._thread = threading.Thread(target=self._load, name="kernels", daemon=True)
        self._thread.start()
        clock = Clock(clock_type=ClockType.STEADY_TIME)  # simulated time may stand still
        self._timer = node.create_timer(PERIOD, self._look, callback_group=self._group, clock=clock)
        self._let_configure_wait()

    @property
    def ready(self) -> bool:
        """Whether there is nothing to wait for."""
        return self._thread is None

    def check(self) -> None:
        """Raises Refusal PREPARING while `configure` waits for the kernels."""
        if self.awaited and not self.ready:
            raise Refusal(Code.PREPARING, self._progress())

    def when_ready(self) -> Future:
        """Return a future that is done once the kernels are; the executor must spin."""
        self.awaited = True
        future: Future = Future(executor=self._node.executor)
        self._waiting.append(future)
        return future

    def finish(self) -> None:
        """Wait for the kernels, without spinning the node."""
        if self._thread is not None:
            self._thread.join()
            self._on_ready = None  # the caller itself goes on
            self._look()

    def close(self) -> None:
        """Stop the compiler, as the process ends."""
        if self._thread is not None:
            library.KERNELS.stop()

    def _load(self) -> None:
        try:
            library.load()
            self.state = "ready"
        except library.Unavailable as error:
            self.state = f"none: {error}"

    def _look(self) -> None:
        if self._thread is None:
            return
        if self._thread.is_alive():
            self.state = self._progress()
            if time.monotonic() - self._told > PROGRESS:
                self._told = time.monotonic()
                self._node.get_logger().info(self.state)
            return
        self._thread.join()
        self._thread = None
        self._timer.cancel()
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            future.set_result(None)
        if self._on_ready is not None:
            self._on_ready()

    def _progress(self) -> str:
        seconds = time.monotonic() - self._start
        return f"the alignment kernels are being compiled, for {seconds:.0f} s now ({library.COST})"

    def _let_configure_wait(self) -> None:
        """Delay the answer of the service change_state to `configure` until the kernels are ready, without
        blocking the executor."""
        service: Any = self._node._service_change_state
        change: Callable[[Any, Any], Any] = service.callback

        async def change_state(request: Any, response: Any) -> Any:
            asked = request.transition
            configure = asked.id == Transition.TRANSITION_CONFIGURE or asked.label == "configure"
            if configure and not self.ready:
                await self.when_ready()
            return change(request, response)

        service.callback, service.callback_group = change_state, self._group
        self._group.add_entity(service)
