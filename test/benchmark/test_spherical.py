"""What the benchmark of spherical maps counts."""

import math

import pytest

from benchmark.rendered.measures import ImageErrors
from benchmark.spherical import alignment, report


def error(degrees: float, pck: float) -> ImageErrors:
    return ImageErrors("a", degrees, 1.0, pck, 0.5)


def test_turned_poses_are_counted_from_25_degrees_and_from_90():
    found = alignment.summary([error(3, 1.0), error(25, 0.75), error(26, 0.5), error(91, 0.25)])
    assert found == {"images": 4, "turned": 2, "back": 1, "pck": pytest.approx(0.625)}


def test_no_aligned_picture_has_no_score():
    assert math.isnan(alignment.summary([])["pck"])


def test_the_table_has_a_line_per_result():
    row = {"category": "car", "outlines": "attention", "features": "features"}
    text = report.alignment_table([row | alignment.summary([error(30, 0.5)])])
    assert text.splitlines()[-1] == "| car | attention | features | 1 | 1 | 0 | 50.0 |"
