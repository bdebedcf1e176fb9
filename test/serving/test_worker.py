"""Requests in order, latest frame wins, nothing waits for ever."""

from __future__ import annotations

import threading
import time

import pytest

from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.serving.worker import GOALS, Job, Worker

SOON = 20.0


class Bench:
    """A worker whose frames and answers are recorded."""

    def __init__(self, capacity: int = 2):
        self.frames: list[object] = []
        self.answers: list[object] = []
        self.came = threading.Condition()
        self.hold = threading.Event()
        self.hold.set()
        self.failures: list[BaseException] = []
        self.worker = Worker(self._look, capacity, self._note(self.failures))

    def submit(self, work, seconds: float = SOON) -> None:
        self.worker.submit(Job(work, self._note(self.answers), time.monotonic() + seconds))

    def wait(self, condition) -> bool:
        with self.came:
            return self.came.wait_for(condition, SOON)

    def _look(self, frame, keep_going) -> None:
        self._note(self.frames)(frame)
        while not self.hold.wait(0.01) and keep_going():
            pass

    def _note(self, where):
        def note(item) -> None:
            with self.came:
                where.append(item)
                self.came.notify_all()

        return note


@pytest.fixture
def bench():
    bench = Bench()
    yield bench
    bench.hold.set()
    assert bench.worker.close(SOON)


def test_requests_are_answered_in_order(bench):
    release = threading.Event()
    bench.submit(lambda _: release.wait(SOON) and 1)
    bench.submit(lambda _: 2)
    release.set()
    assert bench.wait(lambda: bench.answers == [1, 2])


def test_an_exception_is_an_answer_and_the_worker_lives_on(bench):
    bench.submit(lambda _: 1 / 0)
    assert bench.wait(lambda: len(bench.answers) == 1)
    bench.submit(lambda _: "alive")
    assert bench.wait(lambda: len(bench.answers) == 2)
    assert isinstance(bench.answers[0], ZeroDivisionError)
    assert bench.answers[1] == "alive"


def test_latest_frame_wins(bench):
    bench.hold.clear()
    bench.worker.offer("first")
    assert bench.wait(lambda: bench.frames == ["first"])
    assert [bench.worker.offer(frame) for frame in ("old", "older", "new")] == [False, True, True]
    bench.hold.set()
    assert bench.wait(lambda: bench.frames == ["first", "new"])


def test_a_request_preempts_a_frame(bench):
    bench.hold.clear()
    bench.worker.offer("slow frame")
    assert bench.wait(lambda: bench.frames == ["slow frame"])
    bench.submit(lambda _: "answer")
    assert bench.wait(lambda: bench.answers == ["answer"])


def test_too_many_requests_are_busy(bench):
    release = threading.Event()
    started = threading.Event()
    bench.submit(lambda _: started.set() or release.wait(SOON))
    assert started.wait(SOON)
    bench.submit(lambda _: 2)
    bench.submit(lambda _: 3)
    with pytest.raises(Refusal) as caught:
        bench.submit(lambda _: 4)
    assert caught.value.code == Code.BUSY
    release.set()
    assert bench.wait(lambda: len(bench.answers) == 3)


def test_what_was_canceled_while_it_waited_takes_no_place(bench):
    release, started = threading.Event(), threading.Event()
    bench.submit(lambda _: started.set() or release.wait(SOON))
    assert started.wait(SOON)
    jobs = [Job(lambda _: "never", bench._note(bench.answers), time.monotonic() + SOON) for _ in range(2)]
    for job in jobs:
        bench.worker.submit(job)
    jobs[0].answer("canceled")
    bench.submit(lambda _: "in its place")
    release.set()
    assert bench.wait(lambda: bench.answers == ["canceled", True, "never", "in its place"])


def test_an_answer_that_nobody_takes_is_told(bench):
    def refuse(outcome) -> None:
        raise RuntimeError("the executor is gone")

    bench.worker.submit(Job(lambda _: 1, refuse, time.monotonic() + SOON))
    bench.submit(lambda _: "alive")
    assert bench.wait(lambda: bench.answers == ["alive"])
    assert [str(failure) for failure in bench.failures] == ["the executor is gone"]


def test_deadlines_of_running_and_waiting_requests(bench):
    def until_told(keep_going):
        while keep_going():
            time.sleep(0.01)
        raise Refusal(Code.TIMEOUT, "stopped in between")

    bench.submit(until_told, seconds=0.1)
    bench.submit(lambda _: "never", seconds=0.1)
    time.sleep(0.15)
    bench.worker.expire()
    assert bench.wait(lambda: len(bench.answers) == 2)
    assert [answer.code for answer in bench.answers] == [Code.TIMEOUT, Code.TIMEOUT]
    bench.submit(lambda _: "next")
    assert bench.wait(lambda: bench.answers[-1] == "next")


def test_closing_answers_those_who_wait():
    bench = Bench()
    started = threading.Event()

    def until_told(keep_going):
        started.set()
        while keep_going():
            time.sleep(0.01)
        return "stopped"

    bench.submit(until_told)
    assert started.wait(SOON)
    bench.submit(lambda _: 2)
    assert bench.worker.close(SOON)
    codes = {getattr(answer, "code", answer) for answer in bench.answers}
    assert codes == {Code.SHUTDOWN, "stopped"}
    with pytest.raises(Refusal):
        bench.submit(lambda _: 3)


def test_a_failing_frame_does_not_end_the_worker():
    def fail(frame, keep_going):
        raise RuntimeError(frame)

    failures = []
    worker = Worker(fail, 1, failures.append)
    worker.offer("broken")
    answers = []
    done = threading.Event()
    worker.submit(Job(lambda _: 1, lambda a: (answers.append(a), done.set()), time.monotonic() + SOON))
    assert done.wait(SOON)
    assert answers == [1]
    assert worker.close(SOON)
    assert [str(failure) for failure in failures] == ["broken"]  # somebody hears of it


def test_requests_and_goals_take_turns():
    bench = Bench(capacity=10)
    release, started = threading.Event(), threading.Event()
    bench.submit(lambda _: started.set() or release.wait(SOON))
    assert started.wait(SOON)
    for name in ("request 1", "request 2", "request 3"):
        bench.submit(lambda _, name=name: name)
    for name in ("goal 1", "goal 2"):
        job = Job(lambda _, name=name: name, bench._note(bench.answers), time.monotonic() + SOON, GOALS)
        bench.worker.submit(job)
    release.set()
    assert bench.wait(lambda: len(bench.answers) == 6)
    assert bench.answers[1:] == ["goal 1", "request 1", "goal 2", "request 2", "request 3"]
    assert bench.worker.close(SOON)


def test_a_flood_of_requests_does_not_starve_the_frames(bench):
    """A client that asks again as soon as it is answered stops every other frame at most."""
    done, stop = [], threading.Event()

    def look(frame, keep_going) -> None:
        for _ in range(20):
            if not keep_going():
                return
            time.sleep(0.001)
        done.append(frame)

    worker = Worker(look, 4, print)

    def again(_=None) -> None:
        if not stop.is_set():
            worker.submit(Job(lambda _: time.sleep(0.002), again, time.monotonic() + SOON))

    again()
    end = time.monotonic() + SOON
    while len(done) < 5 and time.monotonic() < end:
        worker.offer(object())
        time.sleep(0.005)
    stop.set()
    assert len(done) >= 5
    assert worker.close(SOON)


def test_frames_of_several_cameras_take_turns(bench):
    bench.hold.clear()
    bench.worker.offer("first", "left")
    assert bench.wait(lambda: bench.frames == ["first"])
    for frame, camera in (("l1", "left"), ("r1", "right"), ("l2", "left")):
        bench.worker.offer(frame, camera)
    bench.hold.set()
    assert bench.wait(lambda: len(bench.frames) == 3)
    assert bench.frames == ["first", "r1", "l2"]


def test_flush_answers_at_once_and_stops_what_runs(bench):
    started, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def until_told(keep_going):
        started.set()
        assert go_on.wait(SOON)  # a step that cannot be interrupted
        if not keep_going():
            ended.set()

    bench.submit(until_told)
    assert started.wait(SOON)
    bench.submit(lambda _: "never")
    bench.worker.flush(Refusal(Code.INACTIVE, "deactivated"))
    assert [answer.code for answer in bench.answers] == [Code.INACTIVE] * 2
    go_on.set()
    assert ended.wait(SOON)
    assert len(bench.answers) == 2
