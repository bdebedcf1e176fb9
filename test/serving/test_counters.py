"""/diagnostics tells what went wrong since the last time, and what to do about it."""

from __future__ import annotations

from semcorr_ros.artifacts import KeypointState
from semcorr_ros.reasons import Level
from semcorr_ros.refusal import Code
from semcorr_ros.serving.counters import Counters, Report


def status(counters: Counters) -> Report:
    return counters.report()


def values(counters: Counters) -> dict[str, str]:
    return status(counters).values


def test_from_silence_to_health_and_back():
    counters = Counters()
    assert (status(counters).level, status(counters).text) == (
        Level.WARN,
        "no image has arrived",
    )
    counters.add("images received")
    counters.add("pictures published")
    got = status(counters)
    assert (got.level, got.text) == (Level.OK, "looking at images")
    assert status(counters).text == "images no longer arrive"


def test_what_is_lost_is_named_with_its_fix():
    time = [0.0]
    counters = Counters(lambda: time[0])
    time[0] = 5.0
    counters.add("images received", 3)
    assert counters.drop(Code.SYNC_MISS, "stamps differ") is True
    assert counters.drop(Code.SYNC_MISS, "stamps differ a lot") is False
    time[0] = 7.5
    counters.drop(Code.NO_DEPTH, "none")
    got = status(counters)
    assert got.level == Level.ERROR
    assert got.text.startswith("SYNC_MISS (2 ")
    told = values(counters)
    assert told["dropped SYNC_MISS"] == "2"
    assert told["why SYNC_MISS"] == "stamps differ a lot"
    assert "sync_slop" in told["fix SYNC_MISS"]
    assert told["last SYNC_MISS"] == "2.5 s ago"


def test_what_happens_while_nodes_start_leaves_the_line_in_the_log_to_what_stays():
    time = [0.0]
    counters = Counters(lambda: time[0])
    assert not counters.drop(Code.NO_CAMERA_INFO, "not yet")
    assert counters.drop(Code.UNCALIBRATED, "that is no noise")
    time[0] = 20.0
    counters.begin()  # activated
    assert not counters.drop(Code.NO_CAMERA_INFO, "not yet")
    time[0] = 24.0
    assert counters.drop(Code.NO_CAMERA_INFO, "still")
    assert not counters.drop(Code.NO_CAMERA_INFO, "still")


def test_a_reason_that_comes_back_is_news():
    time = [100.0]
    counters = Counters(lambda: time[0])
    counters.drop(Code.LOW_SCORE, "unsure")
    news = []
    for time[0] in (105.0, 110.0, 119.0, 130.0, 131.0):
        news.append(counters.drop(Code.LOW_SCORE, "unsure"))
    assert news == [False, False, False, True, False]


def test_why_nothing_arrives_goes_before_that_nothing_arrives():
    counters = Counters()
    counters.drop(Code.NO_IMAGE, "a caller asked")
    assert status(counters).text == "no image has arrived"
    counters.drop(Code.MESSAGE_LOST, "/image: 3 messages were lost")
    got = status(counters)
    assert (got.level, got.text.split()[0]) == (Level.ERROR, "MESSAGE_LOST")


def test_a_loss_among_successes_is_a_warning_and_old_ones_are_forgiven():
    counters = Counters()
    counters.add("images received")
    counters.add("pictures published")
    counters.drop(Code.LOW_SCORE, "unsure")
    assert status(counters).level == Level.WARN
    counters.add("images received")
    got = status(counters)
    assert (got.level, got.text) == (Level.OK, "looking at images")


def test_what_is_harmless_is_counted_but_no_warning():
    counters = Counters()
    counters.add("images received")
    counters.drop(Code.PREEMPTED, "a request came first")
    counters.drop(Code.PREEMPTED, "a request came first")
    assert status(counters).level == Level.OK
    assert values(counters)["dropped PREEMPTED"] == "2"


def test_points_are_counted_by_state():
    counters = Counters()
    counters.points([KeypointState.VISIBLE, KeypointState.NO_DEPTH, KeypointState.NO_DEPTH])
    assert values(counters)["points NO_DEPTH"] == "2"


def test_a_callers_mistake_is_no_error_of_the_node():
    counters = Counters()
    counters.add("images received")
    counters.drop(Code.CLASS_UNKNOWN, "no class 'spoon' is loaded")
    assert status(counters).level == Level.WARN


def test_durations_in_milliseconds():
    counters = Counters()
    for i in range(100):
        counters.took("camera callback", i / 1000)
    told = values(counters)
    assert told["camera callback p50 ms"] == "50.000"
    assert told["camera callback p99 ms"] == told["camera callback max ms"] == "99.000"
