"""One thread runs all inference. Requests, goals and the latest frames take turns, so that none starves."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from semcorr_ros.refusal import Code, Refusal

KeepGoing = Callable[[], bool]  # polled between optimizer steps; False = give up

REQUESTS, GOALS, FRAMES = "requests", "goals", "frames"
LOADS = "loads"  # reading classes: in a worker of its own, so that inference does not wait


@dataclass(eq=False)
class Job:
    """A request. `done` gets its result or exception exactly once, from any thread."""

    work: Callable[[KeepGoing], Any]
    done: Callable[[Any], None]
    deadline: float  # time.monotonic()
    lane: str = REQUESTS
    answered: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, outcome: Any) -> None:
        """Deliver an outcome unless one was delivered. Running work is told to stop at its next step."""
        with self.lock:
            if self.answered:
                return
            self.answered = True
        self.done(outcome)

    def expired(self) -> bool:
        """Tell whether the deadline has passed or an answer was given."""
        return self.answered or time.monotonic() > self.deadline


class Worker:
    """Owns the inference thread.

    A request preempts a frame that is being looked at, but not twice in a row: a client that asks without
    pause must not starve the stream. What `on_frame` and answers raise goes to `on_failure`; `on_end` is
    called last.
    """

    def __init__(
        self,
        on_frame: Callable[[Any, KeepGoing], None],
        capacity: int,
        on_failure: Callable[[BaseException], object],
        on_end: Callable[[], None] = lambda: None,
    ):
        self._on_frame, self._on_failure, self._on_end = on_frame, on_failure, on_end
        self._capacity = capacity
        self._jobs: dict[str, deque[Job]] = {REQUESTS: deque(), GOALS: deque(), LOADS: deque()}
        self._turns = deque([*self._jobs, FRAMES])  # the next turn first
        self._frames: dict[str, Any] = {}  # latest frame by camera
        self._running: Job | None = None
        self._stop_frame = self._protect_frame = False
        self._closing = False
        self._wake = threading.Condition()
        self.thread = threading.Thread(target=self._run, name="inference", daemon=True)
        self.thread.start()

    def submit(self, job: Job) -> None:
        """Queue a request. Raises Refusal BUSY when too many of its lane wait, SHUTDOWN when closing."""
        with self._wake:
            if self._closing:
                raise Refusal(Code.SHUTDOWN, "the node is shutting down")
            lane = self._jobs[job.lane]
            waiting = sum(not other.answered for other in lane)  # a canceled one takes no place
            if waiting >= self._capacity:
                raise Refusal(Code.BUSY, f"{waiting} {job.lane} are waiting already; try again later")
            lane.append(job)
            self._stop_frame = not self._protect_frame
            self._wake.notify()

    def offer(self, frame: Any, camera: str = "") -> bool:
        """Queue the latest frame of a camera. True where it replaced one that was never looked at."""
        with self._wake:
            replaced = self._frames.pop(camera, None) is not None
            self._frames[camera] = frame
            self._wake.notify()
        return replaced

    def expire(self) -> None:
        """Answer jobs whose deadline passed, waiting or running. Called regularly by the owner."""
        with self._wake:
            jobs = [job for job in self._pending() if job.expired()]
            for name, lane in self._jobs.items():
                self._jobs[name] = deque(job for job in lane if not job.expired())
        for job in jobs:
            job.answer(_too_late())

    def flush(self, refusal: Refusal) -> None:
        """Answer all waiting and running jobs with `refusal` and drop the frames, without waiting."""
        with self._wake:
            jobs = self._pending()
            for lane in self._jobs.values():
                lane.clear()
            self._frames.clear()
            self._stop_frame = True
        for job in jobs:
            job.answer(refusal)

    def close(self, timeout: float) -> bool:
        """Stop after the current optimizer step; False if the thread did not end in time."""
        with self._wake:
            self._closing = True
            waiting = [job for lane in self._jobs.values() for job in lane]
            for lane in self._jobs.values():
                lane.clear()
            self._wake.notify()
        for job in waiting:
            job.answer(Refusal(Code.SHUTDOWN, "the node is shutting down"))
        self.thread.join(timeout)
        return not self.thread.is_alive()

    def _pending(self) -> list[Job]:
        waiting = [job for lane in self._jobs.values() for job in lane]
        return [*waiting, *([self._running] if self._running else [])]

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._closing or self._frames or any(self._jobs.values()))
                if self._closing:
                    break
                task = self._next()
            if isinstance(task, Job):
                self._do(task)
            else:
                self._look(task)
            del task  # free its pictures before waiting for the next one
        self._on_end()

    def _next(self) -> Any:
        """Take a job, or the frame of the camera that waits longest. Called with the lock held."""
        lane = next(name for name in self._turns if (self._frames if name == FRAMES else self._jobs[name]))
        self._turns.remove(lane)
        self._turns.append(lane)
        if lane == FRAMES:
            self._stop_frame = False
            self._protect_frame |= any(self._jobs.values())
            return self._frames.pop(next(iter(self._frames)))
        self._running = self._jobs[lane].popleft()
        return self._running

    def _do(self, job: Job) -> None:
        outcome: Any
        try:
            outcome = _too_late() if job.expired() else job.work(lambda: not (self._closing or job.expired()))
        except Exception as error:  # the caller gets it; the thread must live on
            outcome = error
        self._running = None
        try:
            job.answer(outcome)
        except Exception as error:  # e.g. the executor is gone
            self._on_failure(error)

    def _look(self, frame: Any) -> None:
        try:
            self._on_frame(frame, lambda: not (self._closing or self._stop_frame))
        except Exception as error:
            self._on_failure(error)
        with self._wake:
            self._protect_frame = self._stop_frame


def _too_late() -> Refusal:
    return Refusal(Code.TIMEOUT, "the time allowed for the request is over")
