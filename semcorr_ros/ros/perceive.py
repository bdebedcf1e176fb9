"""ROS 2 lifecycle node: hold classes, place them in camera images, answer TransferKeypoints.

Subscribes to image, camera_info and depth (registered to the image, optional). Publishes ~/keypoints,
~/poses, ~/markers, ~/overlay, ~/classes (latched) and /diagnostics. Serves ~/transfer_keypoints,
~/list_classes, ~/load_class, ~/unload_class and ~/reset, and the action ~/align_class.

configure loads backbone and classes, activate subscribes, deactivate keeps what is loaded, cleanup frees
its memory. With `autostart` (the default) the node is active once it is up.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.task import Future

from semcorr_ros.judgement import min_score_for
from semcorr_ros.ros import actions, kernels, parameters, running, services, streaming
from semcorr_ros.ros.camera import Camera
from semcorr_ros.ros.catalogue import Catalogue
from semcorr_ros.ros.counters import Counters
from semcorr_ros.ros.demonstration_services import DemonstrationServices
from semcorr_ros.ros.diagnostics import Diagnostics
from semcorr_ros.ros.failures import FailureLog, WarningsOfTheRest
from semcorr_ros.ros.outputs import Outputs
from semcorr_ros.ros.perception import Picture
from semcorr_ros.ros.refusal import Code, Refusal, shortened
from semcorr_ros.ros.session import Session
from semcorr_ros.ros.worker import REQUESTS, Job, KeepGoing

EXPIRY_PERIOD = 0.1  # seconds between looks at the deadlines of requests
CLOSING_TIME = 5.0  # seconds the inference thread has to finish its step when the process ends


class PerceiveNode(LifecycleNode):
    """Callbacks only store and forward; one worker thread computes.

    Everything that may take its time has a callback group of its own: the services of the lifecycle and
    of the parameters share the default one, which must answer at once.
    """

    def __init__(self, **node_arguments: Any):
        super().__init__("semcorr", **node_arguments)
        self.settings = parameters.declare(self)
        self.counters = Counters()
        self.failures = FailureLog(self)
        self._warnings = WarningsOfTheRest(self)
        self.outputs: dict[str, Outputs] = {}  # by camera; "" is the only one of a node without names
        self.active = False  # the lifecycle state; cameras are subscribed to
        self._cameras: dict[str, Camera] = {}
        self.failure: Exception | None = None  # of the last transition
        self._session: Session | None = None
        self.streaming = streaming.Streaming(self)
        self.service_group = ReentrantCallbackGroup()  # several requests may wait for the worker at once
        self.steady = Clock(clock_type=ClockType.STEADY_TIME)  # simulated time may stand still
        self.catalogue = Catalogue(self)
        self.action = actions.AlignAction(self)
        self._own_services = services.Services(self), DemonstrationServices(self)
        self._diagnostics = Diagnostics(self)
        self.add_on_set_parameters_callback(self._change)
        self.create_timer(EXPIRY_PERIOD, self._expire, clock=self.steady)
        self.kernels = kernels.Kernels(self, self._start_late if self.settings.autostart else None)
        if self.settings.autostart and self.kernels.ready:
            self._start()

    @property
    def session(self) -> Session:
        """What configure loaded. Raises Refusal INACTIVE, PREPARING before that."""
        if self._session is None:
            self.kernels.check()
            raise Refusal(Code.INACTIVE, "the node is not configured (ros2 lifecycle set NODE configure)")
        return self._session

    @property
    def min_score(self) -> float:
        """The least confidence of what is told. Raises Refusal INACTIVE before configure."""
        return min_score_for(self.session.perception.backbone, self.settings.min_score)

    @property
    def state(self) -> str:
        """Label of the lifecycle state."""
        return str(self._state_machine.current_state[1])

    def latest(self, camera: str = "") -> Picture:
        """The latest complete picture of a camera, or of the first one.

        Raises Refusal INACTIVE, BAD_REQUEST, NO_IMAGE, NO_CAMERA_INFO and others.
        """
        self.check_active()
        names = self.settings.cameras or ("",)
        if camera and camera not in names:
            listed = ", ".join(self.settings.cameras) or "none has a name"
            raise Refusal(Code.BAD_REQUEST, f"no camera {camera!r}; cameras: {listed}")
        return self._cameras[camera or names[0]].inputs.latest(self.settings.max_image_age)

    def in_target_frame(self, answer: Any) -> Any:
        """An answer about a camera's picture, moved. Raises Refusal TF_MISSING. For the inference thread."""
        outputs = next(iter(self.outputs.values()), None)  # the frame is the same for every camera
        if outputs is not None:
            answer.header = outputs.target.move(answer.header, [answer.keypoints], [answer.pose])
        return answer

    def check_active(self) -> None:
        """Raises Refusal INACTIVE, PREPARING."""
        if not self.active:
            self.kernels.check()
            raise Refusal(
                Code.INACTIVE, f"the node is {self.state}, not active (ros2 lifecycle set NODE activate)"
            )

    async def in_worker(self, work: Callable[[KeepGoing], Any], timeout: float, lane: str = REQUESTS) -> Any:
        """Result of `work`, computed by the worker while the executor goes on. Raises Refusal."""
        future, _ = self.submit(work, timeout if timeout > 0 else self.settings.request_timeout, lane)
        outcome = await future
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def submit(self, work: Callable[[KeepGoing], Any], seconds: float, lane: str) -> tuple[Future, Job]:
        """The job, and the future of its result or exception. Raises Refusal INACTIVE, BUSY."""
        future: Future = Future(executor=self.executor)

        def deliver(outcome: Any) -> None:
            future.set_result(outcome)
            if self.executor is not None:
                self.executor.wake()  # the waiting coroutine is resumed by the executor's next turn

        session = self.session
        job = Job(
            lambda keep_going: session.spare(lambda: work(keep_going)),
            deliver,
            time.monotonic() + seconds,
            lane,
        )
        session.submit(job)
        return future, job

    def refuse(self, response: Any, error: Exception) -> Any:
        """Fill the error fields of a response; an unforeseen error is logged with its traceback."""
        if isinstance(error, Refusal):
            code, message = error.code, error.message
        else:
            code, message = Code.UNKNOWN, shortened(f"{type(error).__name__}: {error}")
            self.failures.add(error)
        self.counters.drop(code, message)
        if hasattr(response, "success"):
            response.success = False
        response.error_code, response.message = int(code), message
        return response

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load backbone and classes. On failure everything stays as it was."""
        return self._transition(self._configure)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe."""
        return self._transition(self._activate)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe and answer who waits; what is loaded stays."""
        return self._transition(self._deactivate)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the memory of backbone and classes; of what still runs, once it has stopped."""
        return self._transition(self._clean_up)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Give everything back, from any state."""
        return self._transition(self._clean_up)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Back to unconfigured."""
        return self._transition(self._clean_up)

    def close(self) -> bool:
        """Stop the threads: the process ends. False if one does not stop in time."""
        self.kernels.close()
        self._warnings.close()
        session = self._session
        if session is None or session.close(CLOSING_TIME):
            return True
        self.get_logger().warning("what is being computed did not stop in time")
        return False

    def _transition(self, act: Callable[[], None]) -> TransitionCallbackReturn:
        """rclpy would swallow the exception: say what happened, and stay in the state before."""
        self.failure = None
        try:
            act()
            return TransitionCallbackReturn.SUCCESS
        except (ValueError, OSError, ImportError, Refusal) as error:
            self.failure = error
            self.get_logger().error(f"{act.__name__.strip('_')}: {error}")
        except Exception as error:
            self.failure = error
            self.failures.add(error)
        return TransitionCallbackReturn.FAILURE

    def _start(self) -> None:
        """Raises what kept the node from becoming active."""
        for transition in (self.trigger_configure, self.trigger_activate):
            if transition() != TransitionCallbackReturn.SUCCESS:
                failure = self.failure or RuntimeError("the transition failed")
                raise ValueError(str(failure)) if isinstance(failure, Refusal) else failure

    def _start_late(self) -> None:
        """`_start` in a callback: what would have ended the constructor ends the process."""
        try:
            self._start()
        except (ValueError, OSError, ImportError) as error:
            raise running.Fatal(str(error), status=2) from error

    def _configure(self) -> None:
        self.kernels.finish()
        warn = self.get_logger().warning
        session = Session(self.settings, self.streaming.look, warn, self.failures.add)
        try:
            self._make_outputs()
        except BaseException:
            session.close(timeout=0.0)
            self._close_outputs()
            raise
        session.bank.on_change = lambda: self.catalogue.publish(session.bank.all())
        session.bank.on_change()
        self._session = session
        session.announce(self.get_logger())

    def _make_outputs(self) -> None:
        settings = self.settings
        for name in settings.cameras or ("",):
            self.outputs[name] = Outputs(self, settings.broadcast_tf, name, settings.target_frame)

    def _close_outputs(self) -> None:
        outputs, self.outputs = self.outputs, {}
        for each in outputs.values():
            each.close()

    def _activate(self) -> None:
        for name in self.settings.cameras or ("",):
            self._cameras[name] = Camera(self, name, self._offer)
        self.active = True

    def _deactivate(self) -> None:
        self.active = False
        cameras, self._cameras = self._cameras, {}
        for camera in cameras.values():
            camera.close()
        if self._session is not None:
            self._session.flush(Refusal(Code.INACTIVE, "the node was deactivated"))

    def _clean_up(self) -> None:
        self._deactivate()
        session, self._session = self._session, None
        if session is not None:
            session.bank.on_change = lambda: None
            session.close(timeout=0.0)
        self._close_outputs()
        self.catalogue.publish([])

    def _offer(self, moment: streaming.Moment) -> None:
        session = self._session
        if session is None or not any(resident.active for resident in session.bank.all()):
            return
        if session.worker.offer(moment, moment.camera):
            self.counters.drop(Code.REPLACED, "images come faster than they can be looked at")

    def forget(self) -> None:
        """What is followed in the stream counts as new. Raises Refusal INACTIVE."""
        self.session.perception.forget()
        self.streaming.forget()

    def _expire(self) -> None:
        if self._session is not None:
            self._session.expire()

    def _change(self, changes: list[Parameter]) -> SetParametersResult:
        session = self._session
        try:
            settings = parameters.updated(self, changes, configured=session is not None)
            if session is not None and any(change.name == "active_classes" for change in changes):
                session.bank.activate(set(settings.active_classes))
        except (ValueError, Refusal) as error:
            return SetParametersResult(successful=False, reason=str(error))
        self.settings = settings
        if session is not None and any(change.name == "active_classes" for change in changes):
            self.forget()  # what follows an object holds on to the tensors of its class
        return SetParametersResult(successful=True)


def main(arguments: list[str]) -> int:
    """Run the node until SIGINT or SIGTERM."""
    return running.run(PerceiveNode, arguments, __doc__)
