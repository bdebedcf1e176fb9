"""Piecewise-linear schedules of Table 5."""

import pytest

from semcorr_ros.methods.semalign3d.alignment import schedules


@pytest.mark.parametrize(
    ("step", "value"), [(-5, 1.0), (0, 1.0), (150, 0.55), (300, 0.1), (400, 0.065), (500, 0.03), (999, 0.03)]
)
def test_sigma_dense_of_the_paper(step, value):
    assert schedules.at(schedules.PAPER.sigma_dense, step) == pytest.approx(value)


def test_bottle_differs_where_table_5_says_so():
    assert schedules.at(schedules.PAPER_BOTTLE.sparse, 1000) == 10.0
    assert schedules.at(schedules.PAPER.sparse, 1000) == 1.0
    assert schedules.at(schedules.PAPER_BOTTLE.background, 700) == 0.0
    assert schedules.at(schedules.PAPER_BOTTLE.depth, 0) == 10.0
