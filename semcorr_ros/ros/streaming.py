"""Active classes in every picture: align, name the objects, publish, count what was dropped and why."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import Any

from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.ros.camera import Moment
from semcorr_ros.ros.outputs import Found, Outputs
from semcorr_ros.ros.results import describe, renamed, sighting
from semcorr_ros.ros.running import FailureLog
from semcorr_ros.ros.session import NodeState, Session
from semcorr_ros.sensing import regions as regions_of_interest
from semcorr_ros.sensing.assembly import stamp_of
from semcorr_ros.sensing.identities import Identities, Sighting, duplicates
from semcorr_ros.sensing.judgement import low_score
from semcorr_ros.sensing.picture import Picture
from semcorr_ros.sensing.place import Place
from semcorr_ros.serving.counters import Counters
from semcorr_ros.serving.perception import Task
from semcorr_ros.serving.worker import KeepGoing


class Streaming:
    """Called by the worker with the latest picture of a camera."""

    def __init__(
        self, state: NodeState, outputs: Outputs, counters: Counters, failures: FailureLog, log: Any
    ):
        """log: the node's logger."""
        self._state, self._outputs, self._counters = state, outputs, counters
        self._failures, self._log = failures, log
        self._last: dict[str, float] = {}
        self._identities: dict[str, Identities] = {}

    def offer(self, moment: Moment) -> None:
        """Hand a picture to the inference thread, in place of an older one of its camera."""
        session = self._state.current
        if session is None or not any(resident.active for resident in session.bank.all()):
            return
        if session.worker.offer(moment, moment.camera):
            self._counters.drop(Code.REPLACED, "images come faster than they can be looked at")

    def look(self, moment: Moment, keep_going: KeepGoing) -> None:
        """Publish what is found of the active classes."""
        camera, rate, now = moment.camera, self._state.settings.max_rate, time.monotonic()
        if rate and now - self._last.get(camera, -float("inf")) < 1 / rate:
            self._counters.drop(Code.RATE_LIMIT, f"images come faster than max_rate ({rate:g} per second)")
            return
        self._last[camera] = now
        session = self._state.current
        if session is None:  # cleaned up since the picture came
            return
        found: list[Found] = []
        for name in [resident.info.name for resident in session.bank.all() if resident.active]:
            try:
                found += session.spare(partial(self._objects, session, name, moment, keep_going))
            except _Preempted:
                self._counters.drop(Code.PREEMPTED, "a request came while the image was looked at")
                return
            except Exception as error:  # one bad picture must not end the stream
                self._drop(name, error)
        self._publish(moment, found)

    def forget(self) -> None:
        """What is followed counts as new. Raises Refusal INACTIVE."""
        self._state.session.perception.forget()
        self._identities = {}

    def _objects(self, session: Session, name: str, moment: Moment, keep_going: KeepGoing) -> list[Found]:
        """Every object of a class, with a number that stays with it. Raises Refusal."""
        places = self._places(session, name, moment)
        found, seen = [], []
        keys = self._keys(name, moment, [marked for marked, _ in places])
        for key, (marked, place) in zip(keys, places, strict=True):
            try:
                item = self._find(session, name, moment.picture, Task(keep_going, place), key)
            except Refusal as refusal:
                if refusal.code == Code.TIMEOUT:
                    raise _Preempted from refusal
                self._drop(name, refusal)
                continue
            found.append(item)
            seen.append(replace(sighting(item), tracker_id=marked.tracker_id))
        twice = duplicates(seen, [item.pose.confidence for item in found])
        found = [item for i, item in enumerate(found) if i not in twice]
        seen = [item for i, item in enumerate(seen) if i not in twice]
        numbers = self._known(moment.camera).assign(name, seen, stamp_of(moment.picture))
        prefix = f"{moment.camera}_" if moment.camera else ""
        return [
            renamed(item, f"{prefix}{name}_{number}") for item, number in zip(found, numbers, strict=True)
        ]

    def _places(self, session: Session, name: str, moment: Moment) -> list[tuple[Sighting, Place]]:
        resident = session.bank.hold(name)
        if moment.regions is None:
            most = self._state.settings.max_instances
            found = session.perception.candidates(resident, moment.picture, most)
            return [(_sighting_of(place), place) for place in found]
        found_regions = regions_of_interest.places(moment.regions, moment.picture.frame())
        return [
            (replace(_sighting_of(place), tracker_id=region.instance_id), place)
            for region, place in found_regions
            if region.class_name in ("", name)
        ]

    def _keys(self, name: str, moment: Moment, marked: list[Sighting]) -> list[str]:
        """What each object is followed under, before it has been found again."""
        if len(marked) == 1 and moment.regions is None:
            return [f"{moment.camera}/{name}"]
        numbers = self._known(moment.camera).match(name, marked, stamp_of(moment.picture))
        return [
            f"{moment.camera}/{name}/{i if number is None else number}" for i, number in enumerate(numbers)
        ]

    def _find(self, session: Session, name: str, picture: Picture, task: Task, key: str) -> Found:
        min_score, resident = self._state.min_score, session.bank.hold(name)
        view = session.perception.next_view(resident, picture, task, key)
        found = describe(resident.model, view, "", min_score)
        if refusal := low_score(found.pose.confidence, min_score):
            raise refusal
        return found

    def _publish(self, moment: Moment, found: list[Found]) -> None:
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
        for item in found:
            self._counters.points(keypoint.state for keypoint in item.keypoints.keypoints)

    def _known(self, camera: str) -> Identities:
        return self._identities.setdefault(camera, Identities())

    def _drop(self, name: str, error: Exception) -> None:
        if not isinstance(error, Refusal):
            self._counters.drop(Code.UNKNOWN, str(error))
            self._failures.add(error)
        elif self._counters.drop(error.code, error.message):
            self._log.info(f"class {name!r}: {error.message}")


class _Preempted(Exception):  # noqa: N818 - nothing is wrong
    """A request goes first: the picture is given up."""


def _sighting_of(place: Place) -> Sighting:
    """A place before anything is known of what is there."""
    if place.mask is not None:
        rows, columns = place.mask.nonzero().T
        low, high = (columns.min(), rows.min()), (columns.max(), rows.max())
        x, y = float(low[0]), float(low[1])
        w, h = float(high[0]) - x + 1, float(high[1]) - y + 1
    elif place.box is not None:
        x, y, w, h = map(float, place.box)
    else:
        return Sighting(pixel=(0.0, 0.0), extent_px=0.0)
    return Sighting(pixel=(x + w / 2, y + h / 2), extent_px=max(w, h))
