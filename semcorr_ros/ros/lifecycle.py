"""A lifecycle node whose transitions say why they fail and leave it in the state before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from semcorr_ros.refusal import Refusal
from semcorr_ros.ros.running import FailureLog, Fatal


class ReportingLifecycleNode(LifecycleNode):
    """Logs what a transition raises, which rclpy swallows, and keeps it for the caller."""

    def __init__(self, name: str, **node_arguments: Any):
        super().__init__(name, **node_arguments)
        self.failures = FailureLog(self)
        self._failure: Exception | None = None  # of the last transition

    def configure(self) -> None:
        """Load what the node needs. On failure everything stays as it was."""
        raise NotImplementedError

    def activate(self) -> None:
        """Start to work."""
        raise NotImplementedError

    def deactivate(self) -> None:
        """Stop working; keep what is loaded."""
        raise NotImplementedError

    def clean_up(self) -> None:
        """Free all resources, from any state."""
        raise NotImplementedError

    def label(self) -> str:
        """Return the name of the lifecycle state."""
        return str(self._state_machine.current_state[1])

    def start(self) -> None:
        """Configure and activate. Raises what kept the node from becoming active."""
        for transition in (self.trigger_configure, self.trigger_activate):
            if transition() != TransitionCallbackReturn.SUCCESS:
                failure = self._failure or RuntimeError("the transition failed")
                raise ValueError(str(failure)) if isinstance(failure, Refusal) else failure

    def start_late(self) -> None:
        """Run `start` in a callback: an error ends the process, as in the constructor."""
        try:
            self.start()
        except (ValueError, OSError, ImportError) as error:
            raise Fatal(str(error), status=2) from error

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Go from unconfigured to inactive."""
        return self._transition(self.configure)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Go from inactive to active."""
        return self._transition(self.activate)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Go from active to inactive."""
        return self._transition(self.deactivate)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Go to unconfigured; on shutdown to finalized, from any state."""
        return self._transition(self.clean_up)

    on_shutdown = on_error = on_cleanup

    def _transition(self, act: Callable[[], None]) -> TransitionCallbackReturn:
        self._failure = None
        try:
            act()
            return TransitionCallbackReturn.SUCCESS
        except (ValueError, OSError, ImportError, Refusal) as error:
            self._failure = error
            self.get_logger().error(f"{act.__name__}: {error}")
        except Exception as error:
            self._failure = error
            self.failures.add(error)
        return TransitionCallbackReturn.FAILURE
