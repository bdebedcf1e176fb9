"""Numbers that stay with objects."""

from __future__ import annotations

import numpy as np

from semcorr_ros.identities import FORGET, Identities, Sighting, duplicates


def at(x: float, y: float = 0.0, tracker_id: str = "") -> Sighting:
    """An object of 10 cm, half a metre away."""
    return Sighting((600 * x, 600 * y), 120.0, (x, y, 0.5), 0.1, tracker_id)


def flat(x: float) -> Sighting:
    return Sighting((x, 0.0), 100.0)


def test_numbers_follow_objects_that_are_listed_in_another_order():
    known = Identities()
    places = [at(0.0), at(0.3), at(0.6)]
    assert known.assign("mug", places, 0.0) == [0, 1, 2]
    assert known.assign("mug", places[::-1], 0.1) == [2, 1, 0]
    assert known.assign("bowl", places, 0.1) == [0, 1, 2]  # each class counts for itself


def test_two_objects_pass_each_other():
    known = Identities()
    for step in range(31):
        numbers = known.assign("mug", [at(0.02 * step), at(0.6 - 0.02 * step, 0.08)], 0.1 * step)
        assert numbers == [0, 1]


def test_a_lost_object_keeps_its_number_for_a_while():
    known = Identities()
    known.assign("mug", [at(0.0), at(0.3)], 0.0)
    assert known.assign("mug", [at(0.3)], 1.0) == [1]
    assert known.assign("mug", [at(0.31), at(0.01)], 2.0) == [1, 0]
    assert known.assign("mug", [at(0.31)], 3.0 + FORGET) == [0]  # all forgotten


def test_a_new_object_far_away_is_another_one():
    known = Identities()
    assert known.assign("mug", [at(0.0)], 0.0) == [0]
    assert known.assign("mug", [at(0.5)], 0.1) == [1]
    assert known.assign("mug", [at(0.5), at(0.0), at(1.0)], 0.2) == [1, 0, 2]


def test_the_number_of_a_tracker_decides():
    known = Identities()
    assert known.assign("mug", [at(0.0, tracker_id="a"), at(0.3, tracker_id="b")], 0.0) == [0, 1]
    assert known.assign("mug", [at(0.0, tracker_id="b"), at(0.3, tracker_id="a")], 0.1) == [1, 0]
    assert known.assign("mug", [at(0.0, tracker_id="c")], 0.2) == [2]


def test_in_pixels_where_there_are_no_metres():
    known = Identities()
    assert known.assign("mug", [flat(0.0), flat(300.0)], 0.0) == [0, 1]
    assert known.match("mug", [flat(290.0), flat(700.0)], 0.1) == [1, None]
    assert known.assign("mug", [flat(290.0)], 0.1) == [1]


def test_a_bag_that_starts_again():
    known = Identities()
    known.assign("mug", [at(0.0), at(0.3)], 100.0)
    assert known.assign("mug", [at(0.3)], 0.0) == [0]


def test_one_object_found_twice():
    sightings = [at(0.0), at(0.01), at(0.3), Sighting((np.nan, np.nan), 10.0)]
    assert duplicates(sightings, [0.5, 0.9, 0.2, 0.1]) == {0}
    assert duplicates([], []) == set()
