"""One thread runs all inference: requests in order, then the latest frame; a request preempts a frame."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from semcorr_ros.ros.refusal import Code, Refusal

KeepGoing = Callable[[], bool]  # polled between optimizer steps; False = give up


@dataclass
class Job:
    """A request. `done` gets its result or exception exactly once, from any thread."""

    work: Callable[[KeepGoing], Any]
    done: Callable[[Any], None]
    deadline: float  # time.monotonic()
    answered: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, outcome: Any) -> None:
        """Deliver unless already delivered."""
        with self.lock:
            if self.answered:
                return
            self.answered = True
        self.done(outcome)

    def expired(self) -> bool:
        """Is it too late for an answer, or has one been given?"""
        return self.answered or time.monotonic() > self.deadline


class Worker:
    """Owns the inference thread. `on_frame` must not raise; what it raises ends in `failures`."""

    def __init__(self, on_frame: Callable[[Any, KeepGoing], None], capacity: int):
        self._on_frame = on_frame
        self._capacity = capacity
        self._jobs: deque[Job] = deque()
        self._running: Job | None = None
        self._frame: Any = None
        self._closing = False
        self._wake = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="inference", daemon=True)
        self.replaced = 0  # frames that a newer one replaced before they were looked at
        self.failures: list[BaseException] = []
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Queue a request. Raises Refusal BUSY when too many wait, SHUTDOWN when closing."""
        with self._wake:
            if self._closing:
                raise Refusal(Code.SHUTDOWN, "the node is shutting down")
            if len(self._jobs) >= self._capacity:
                raise Refusal(Code.BUSY, f"{len(self._jobs)} requests are waiting already; try again later")
            self._jobs.append(job)
            self._wake.notify()

    def offer(self, frame: Any) -> None:
        """Hand over the latest frame; one that still waits is replaced."""
        with self._wake:
            self.replaced += self._frame is not None
            self._frame = frame
            self._wake.notify()

    def expire(self) -> None:
        """Answer requests whose deadline passed, waiting or running. Called regularly by the owner."""
        with self._wake:
            jobs = [*self._jobs, *([self._running] if self._running else [])]
            self._jobs = deque(job for job in self._jobs if not job.expired())
        for job in jobs:
            if job.expired():
                job.answer(_too_late())

    def close(self, timeout: float) -> bool:
        """Stop after the current optimizer step; False if the thread did not end in time."""
        with self._wake:
            self._closing = True
            waiting, self._jobs = list(self._jobs), deque()
            self._wake.notify()
        for job in waiting:
            job.answer(Refusal(Code.SHUTDOWN, "the node is shutting down"))
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._closing or self._jobs or self._frame is not None)
                if self._closing:
                    return
                job = self._running = self._jobs.popleft() if self._jobs else None
                frame = None
                if job is None:
                    frame, self._frame = self._frame, None
            if job is not None:
                self._do(job)
            else:
                self._look(frame)

    def _do(self, job: Job) -> None:
        outcome: Any
        try:
            outcome = _too_late() if job.expired() else job.work(lambda: not (self._closing or job.expired()))
        except Exception as error:  # the caller gets it; the thread must live on
            outcome = error
        self._running = None
        job.answer(outcome)

    def _look(self, frame: Any) -> None:
        try:
            self._on_frame(frame, lambda: not (self._closing or self._jobs))
        except Exception as error:
            self.failures.append(error)


def _too_late() -> Refusal:
    return Refusal(Code.TIMEOUT, "the time allowed for the request is over")
