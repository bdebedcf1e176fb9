"""ROS 2 lifecycle node: hold classes, place them in camera images, answer TransferKeypoints.

Subscribes to image, camera_info and depth (registered to the image, optional). Publishes ~/keypoints,
~/poses, ~/markers, ~/overlay, ~/classes (latched) and /diagnostics. Serves ~/transfer_keypoints,
~/list_classes, ~/load_class, ~/unload_class and ~/reset, and the action ~/align_class.

configure loads backbone and classes, activate subscribes, deactivate keeps what is loaded, cleanup frees
its memory. With `autostart` (the default) the node is active once it is up.
"""

from __future__ import annotations

import math
import time
from threading import Thread
from typing import Any

from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType, JumpThreshold
from rclpy.duration import Duration
from rclpy.parameter import Parameter

from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.ros import parameters, running
from semcorr_ros.ros.actions import AlignAction
from semcorr_ros.ros.camera import Cameras
from semcorr_ros.ros.diagnostics import Diagnostics
from semcorr_ros.ros.kernels import Kernels
from semcorr_ros.ros.lifecycle import ReportingLifecycleNode
from semcorr_ros.ros.outputs import Catalogue, Outputs
from semcorr_ros.ros.poses import PoseService
from semcorr_ros.ros.requests import Requests
from semcorr_ros.ros.services import ClassServices, DemonstrationServices, TransferService
from semcorr_ros.ros.session import NodeState, Session
from semcorr_ros.ros.streaming import Streaming
from semcorr_ros.sensing.assembly import BACK
from semcorr_ros.serving.counters import Counters

EXPIRY_PERIOD = 0.1  # seconds between checks of the deadlines of requests
CLOSING_TIME = 2.0  # seconds the inference thread has to finish its step: launch kills after 5
ONE_JUMP = 1.0  # seconds in which all streams notice that time went back


class PerceiveNode(ReportingLifecycleNode):
    """Connects the parts and implements the transitions. Callbacks only store and forward; one thread
    computes.

    Everything slow has a callback group of its own: the services of the lifecycle and of the parameters
    share the default one, which must answer at once.
    """

    def __init__(self, **node_arguments: Any):
        super().__init__("semcorr", **node_arguments)
        self._warnings = running.WarningsOfTheRest(self)
        settings = parameters.declare(self)
        self._kernels = Kernels(self, self.start_late if settings.autostart else None)
        self.state = NodeState(settings, self.label, self._kernels.check)
        self._ending: list[Thread] = []  # of sessions that were left: they end after what they are computing
        self._counters = Counters()
        self._catalogue, self._outputs = Catalogue(self), Outputs(self)
        self._streaming = Streaming(
            self.state, self._outputs, self._counters, self.failures, self.get_logger()
        )
        self._cameras = Cameras(self, self.state, self._counters, self._streaming.offer, self._time_went_back)
        self._jumped = -math.inf  # when time last went back
        # Of /clock, where no image tells: kept, as the clock holds no reference.
        self._jumps = self.get_clock().create_jump_callback(
            JumpThreshold(min_forward=None, min_backward=Duration(seconds=-BACK), on_clock_change=False),
            post_callback=lambda jump: self._time_went_back(-jump.delta.nanoseconds * 1e-9),
        )
        self._serve()
        self._diagnostics = Diagnostics(self, self._counters, self._kernels, self.state)
        self.add_on_set_parameters_callback(self._change)
        self.create_timer(EXPIRY_PERIOD, self._expire, clock=Clock(clock_type=ClockType.STEADY_TIME))
        if settings.autostart and self._kernels.ready:
            self.start()

    def _serve(self) -> None:
        requests = Requests(self, self.state, self._counters, self.failures)
        goals = AlignAction(self, requests, self.state, self._cameras, self._outputs)
        TransferService(requests, self.state, self._cameras, self._outputs)
        ClassServices(requests, self.state, goals.preempt)
        DemonstrationServices(requests, self.state, self._cameras, self._outputs)
        PoseService(self, requests, self.state, self._cameras, self._outputs)

    def configure(self) -> None:
        """Load backbone and classes. On failure everything stays as it was."""
        self._kernels.finish()
        settings = self.state.settings
        session = Session(settings, self._streaming.look, self.get_logger().warning, self.failures.add)
        try:
            self._outputs.open(settings)
        except BaseException:
            self._leave(session)
            self._outputs.close()
            raise
        session.bank.on_change = lambda: self._catalogue.publish(session.bank.all())
        session.bank.on_change()
        self.state.current = session
        session.announce(self.get_logger())

    def activate(self) -> None:
        """Subscribe to the cameras."""
        self._counters.begin()
        self._cameras.open()
        self.state.active = True

    def deactivate(self) -> None:
        """Unsubscribe and answer waiting requests; keep what is loaded."""
        self.state.active = False
        self._cameras.close()
        if self.state.current is not None:
            self.state.current.flush(Refusal(Code.INACTIVE, "the node was deactivated"))

    def clean_up(self) -> None:
        """Free the memory of backbone and classes; that of a running job once it stops."""
        self.deactivate()
        session, self.state.current = self.state.current, None
        if session is not None:
            session.bank.on_change = lambda: None
            self._leave(session)
        self._outputs.close()
        self._catalogue.publish([])

    def _leave(self, session: Session) -> None:
        """Stop a session's threads without waiting for them."""
        self._ending = [thread for thread in self._ending if thread.is_alive()] + session.close()

    def close(self) -> bool:
        """Stop the threads, as the process ends; False if one does not stop in time."""
        self._kernels.close()
        self._warnings.close()
        if self.state.current is not None:
            self._leave(self.state.current)
        end = time.monotonic() + CLOSING_TIME
        for thread in self._ending:
            thread.join(max(0.0, end - time.monotonic()))
        if not any(thread.is_alive() for thread in self._ending):
            return True
        self.get_logger().warning("what is being computed did not stop in time")
        return False

    def _time_went_back(self, seconds: float) -> None:
        """Begin anew: transforms, pairs and tracks with stamps in the future fit nothing that comes now."""
        self._cameras.forget_time()
        self._outputs.forget_time()
        if self.state.current is not None:
            self.state.current.forget()
        now = time.monotonic()
        if now - self._jumped > ONE_JUMP:  # every stream notices it
            self._counters.drop(Code.TIME_JUMP, f"time went back by {seconds:.1f} s")
            self.get_logger().warning(f"time went back by {seconds:.1f} s: tf, pairs and tracks begin anew")
        self._jumped = now

    def _expire(self) -> None:
        self._cameras.expire()
        if self.state.current is not None:
            self.state.current.expire()

    def _change(self, changes: list[Parameter]) -> SetParametersResult:
        session = self.state.current
        activates = session is not None and any(change.name == "active_classes" for change in changes)
        try:
            settings = parameters.updated(self, changes, configured=session is not None)
            if session is not None and activates:
                session.bank.activate(set(settings.active_classes))
        except (ValueError, Refusal) as error:
            return SetParametersResult(successful=False, reason=str(error))
        self.state.settings = settings
        if session is not None and activates:
            session.forget()  # followed objects hold the tensors of their class
        return SetParametersResult(successful=True)


def main(arguments: list[str]) -> int:
    """Run the node until SIGINT or SIGTERM."""
    return running.run(PerceiveNode, arguments, __doc__)
