"""Approximate time synchronization: pairs, drops, resets."""

import pytest

from semcorr_ros.sensing.synchronizer import Synchronizer


def test_pairs_within_slop_in_any_order():
    sync = Synchronizer(("image", "depth"), slop=0.02)
    assert sync.add("depth", 1.00, "d1") is None
    assert sync.add("image", 1.01, "i1") == {"image": "i1", "depth": "d1"}
    assert sync.add("image", 2.0, "i2") is None
    assert sync.add("depth", 2.015, "d2") == {"image": "i2", "depth": "d2"}


def test_beyond_slop_there_is_no_pair():
    sync = Synchronizer(("image", "depth"), slop=0.02)
    sync.add("image", 1.0, "i")
    assert sync.add("depth", 1.03, "d") is None


def test_nearest_partner_wins_and_older_ones_are_dropped():
    sync = Synchronizer(("image", "depth"), slop=0.05)
    for stamp in (0.90, 0.98, 1.03):
        sync.add("depth", stamp, stamp)
    assert sync.add("image", 1.0, "i") == {"image": "i", "depth": 0.98}
    assert sync.dropped == 1
    assert sync.add("image", 1.04, "j") == {"image": "j", "depth": 1.03}


def test_a_message_is_used_once():
    sync = Synchronizer(("image", "depth"), slop=0.05)
    sync.add("depth", 1.0, "d")
    assert sync.add("image", 1.0, "i") is not None
    assert sync.add("image", 1.01, "j") is None


def test_queues_are_bounded():
    sync = Synchronizer(("image", "depth"), slop=0.01, depth=3)
    for stamp in range(10):
        sync.add("image", float(stamp), stamp)
    assert sync.dropped == 7
    assert sync.add("depth", 0.0, "late") is None
    assert sync.add("depth", 9.0, "d") == {"image": 9, "depth": "d"}


def test_time_going_back_clears_the_queues():
    sync = Synchronizer(("image", "depth"), slop=0.01)
    sync.add("image", 100.0, "old")
    assert sync.add("depth", 1.0, "d") is None
    sync.add("image", 1.0, "i")
    assert sync.dropped >= 1
    assert sync.add("depth", 100.0, "d2") is None


def test_three_streams():
    sync = Synchronizer(("a", "b", "c"), slop=0.1)
    sync.add("a", 1.0, 1)
    sync.add("b", 1.05, 2)
    assert sync.add("c", 1.02, 3) == {"a": 1, "b": 2, "c": 3}


@pytest.mark.parametrize(("slop", "depth"), [(0.0, 5), (-1.0, 5), (0.1, 0)])
def test_nonsense_is_refused(slop, depth):
    with pytest.raises(ValueError, match="slop"):
        Synchronizer(("a",), slop, depth)
