"""Active classes in every picture: find the objects, publish them, count what was dropped and why."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from semcorr_ros.answer import Answer
from semcorr_ros.finder import Watch
from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.ros.camera import Moment
from semcorr_ros.ros.outputs import Outputs
from semcorr_ros.ros.running import FailureLog
from semcorr_ros.ros.session import NodeState, Session
from semcorr_ros.sensing.regions import shot_of
from semcorr_ros.serving.counters import Counters
from semcorr_ros.serving.worker import KeepGoing

NOTE_PERIOD = 10.0  # seconds between two caveats on answers


class Streaming:
    """Finds the active classes in the latest pictures and publishes them."""

    def __init__(
        self, state: NodeState, outputs: Outputs, counters: Counters, failures: FailureLog, log: Any
    ):
        """Store the parts. log: the node's logger."""
        self._state, self._outputs, self._counters = state, outputs, counters
        self._failures, self._log = failures, log
        self._last: dict[str, float] = {}
        self._noted: dict[str, str] = {}  # the latest caveat on the answers of a class

    def offer(self, moment: Moment) -> None:
        """Queue a picture for the inference thread, in place of an older one of its camera."""
        session = self._state.current
        if session is None or not any(resident.active for resident in session.bank.all()):
            return
        if session.worker.offer(moment, moment.camera):
            self._counters.drop(Code.REPLACED, "images come faster than they can be looked at")

    def look(self, moment: Moment, keep_going: KeepGoing) -> None:
        """Find the active classes in a picture and publish them."""
        camera, rate, now = moment.camera, self._state.settings.max_rate, time.monotonic()
        if rate and now - self._last.get(camera, -float("inf")) < 1 / rate:
            self._counters.drop(Code.RATE_LIMIT, f"images come faster than max_rate ({rate:g} per second)")
            return
        self._last[camera] = now
        session = self._state.current
        if session is None:  # cleaned up since the picture was queued
            return
        found: list[Answer] = []
        for name in [resident.info.name for resident in session.bank.all() if resident.active]:
            try:
                found += session.spare(partial(self._objects, session, name, moment, Watch(keep_going)))
            except Exception as error:  # one bad picture must not end the stream
                if isinstance(error, Refusal) and error.code == Code.TIMEOUT:
                    self._counters.drop(Code.PREEMPTED, "a request came while the image was looked at")
                    return
                self._drop(name, error)
        self._publish(moment, found)

    def _objects(self, session: Session, name: str, moment: Moment, watch: Watch) -> list[Answer]:
        """Find every object of a class. Raises Refusal."""
        finder, picture = self._state.finder, moment.picture
        shot = shot_of(picture, moment.marks, finder.scene, self._state.settings.max_instances)
        answers, refused = session.look(finder, name, moment, shot, watch)
        for answer in refused:
            if answer.refusal is not None:
                self._drop(name, answer.refusal)
        for note in {answer.note for answer in answers} - {"", self._noted.get(name)}:
            self._noted[name] = note
            self._log.warning(f"class {name!r}: {note}", throttle_duration_sec=NOTE_PERIOD)
        return answers

    def _publish(self, moment: Moment, found: list[Answer]) -> None:
        if not self._state.active:
            return
        try:
            if not self._outputs.publish(moment.camera, moment.picture, found):
                return
        except Refusal as refusal:
            if self._counters.drop(refusal.code, refusal.message):
                self._log.warning(refusal.message)
            return
        self._counters.add("pictures published")
        for answer in found:
            self._counters.points(answer.states)

    def _drop(self, name: str, error: Exception) -> None:
        if not isinstance(error, Refusal):
            self._counters.drop(Code.UNKNOWN, str(error))
            self._failures.add(error)
        elif self._counters.drop(error.code, error.message):
            self._log.info(f"class {name!r}: {error.message}")
