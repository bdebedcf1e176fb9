"""The verdict on a fast engine, from what both answered."""

import pytest

from benchmark import agreement
from benchmark.agreement import Found


def rows(energy, pck=0.9, seconds=0.1):
    """Of two engines on two images of one class; `energy` is the faster one's."""
    return [
        Found("reference", "mug", {"a": -2.0, "b": -4.0}, 1.0, 0.9),
        Found("auto", "mug", dict(zip("ab", energy, strict=True)), seconds, pck),
    ]


@pytest.mark.parametrize(
    ("energy", "pck", "same", "percent"),
    [
        ((-2.0, -4.0), 0.9, True, 0.0),
        ((-2.1, -3.9), 0.9, True, 0.0),
        ((-2.0, -3.976), 0.9, True, 0.4),
        ((-2.0, -3.96), 0.9, False, 0.667),
        ((-3.0, -5.0), 0.9, True, -33.333),
        ((-2.0, -4.0), 0.88, False, 0.0),
    ],
)
def test_worse_by_half_a_percent_or_one_point_is_worse(energy, pck, same, percent):
    found = agreement.compare(rows(energy, pck), "reference", "auto")
    assert found["same"] is same
    assert found["energy %"] == pytest.approx(percent)
    assert found["times faster"] == 10
    assert found["images"] == 2


def test_images_that_only_one_could_align_do_not_count():
    found = rows((-2.0, -4.0))
    found[0].energy["c"] = 100.0
    assert agreement.compare(found, "reference", "auto")["images"] == 2


def test_a_class_without_pairs_has_no_pck_and_spoils_no_mean():
    found = rows((-2.0, -4.0)) + [
        Found(engine, "car", {"d": -3.0}, 1.0, float("nan")) for engine in ("reference", "auto")
    ]
    assert agreement.compare(found, "reference", "auto")["PCK@0.1"] == "90.0 against 90.0"
    lines = agreement.table(found, ["reference", "auto"]).splitlines()
    assert lines[-1].startswith("| all | 3 | -3.0000 | -3.0000 | 90.0 | 90.0 |")
