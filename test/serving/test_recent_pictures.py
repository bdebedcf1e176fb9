"""Pictures by their stamps: which is meant, which may still come, and which never will."""

from __future__ import annotations

import camera_messages
import numpy as np
import pytest

from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.sensing.picture import Picture
from semcorr_ros.serving.recent_pictures import LATEST, RecentPictures, Wanted, stamp_of

PIXELS = np.zeros((4, 5, 3), np.uint8)


def picture(seconds: float) -> Picture:
    message = camera_messages.image(PIXELS, "rgb8")
    message.header = camera_messages.header(seconds=seconds)
    return Picture(message)


def kept(count: int, budget: int = 10_000) -> RecentPictures:
    recent = RecentPictures(budget, lambda: 0.0)
    for i in range(count):
        recent.add(picture(10.0 + i))
    return recent


def found(recent: RecentPictures, wanted: Wanted) -> int:
    one = recent.find(wanted)
    assert one is not None
    return stamp_of(one.header)[0]


def test_nothing_yet():
    assert kept(0).find(LATEST) is None
    assert kept(0).age == float("inf")


def test_the_latest_an_exact_one_and_one_that_is_not_older():
    recent = kept(5)
    assert found(recent, LATEST) == 14
    assert found(recent, Wanted((11, 0))) == 11
    assert found(recent, Wanted((11, 0), not_before=True)) == 14
    assert recent.find(Wanted((15, 0))) is None  # it may still come
    assert recent.find(Wanted((15, 0), not_before=True)) is None


@pytest.mark.parametrize("stamp", [(9, 0), (11, 5)])
def test_one_that_never_comes(stamp):
    with pytest.raises(Refusal, match=r"kept: 5 from 10\.0+ to 14\.0+") as caught:
        kept(5).find(Wanted(stamp))
    assert caught.value.code == Code.BAD_REQUEST


def test_the_oldest_make_room():
    recent = kept(5, budget=2 * PIXELS.nbytes)
    assert found(recent, Wanted((13, 0))) == 13
    with pytest.raises(Refusal):
        recent.find(Wanted((12, 0)))
    none = kept(3, budget=0)
    assert found(none, LATEST) == 12
    with pytest.raises(Refusal, match="picture_memory_mb"):
        none.find(Wanted((11, 0)))


def test_what_was_computed_stays_with_the_latest_only():
    recent = kept(1)
    recent.find(LATEST).decoded = "a frame"
    assert recent.find(LATEST).decoded == "a frame"
    recent.add(picture(20.0))
    assert recent.find(Wanted((10, 0))).decoded is None


def test_another_time():
    recent = kept(3)
    recent.clear()
    assert recent.find(LATEST) is None
