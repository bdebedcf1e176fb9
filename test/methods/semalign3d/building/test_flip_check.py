import builders
import pytest
import torch
from beast_views import views_of

from semcorr_ros.methods.semalign3d.building.flip_check import check_flip

WRONG = {
    "identity": tuple(range(11)),
    "front legs for rear legs": (0, 1, 2, 5, 6, 3, 4, 8, 7, 10, 9),
    "other numbering": (1, 0, 2, 3, 5, 4, 7, 6, 9, 8, 10),
    "flanks forgotten": (0, 1, 2, 4, 3, 6, 5, 8, 7, 9, 10),
}


@pytest.mark.parametrize(("images", "variation"), [(30, 0.1), (30, 0.2), (8, 0.1)])
def test_the_right_table_is_accepted(images, variation):
    views = views_of(builders.pictures(images, 0, variation))
    check = check_flip(views, builders.FLIP, torch.Generator().manual_seed(0))
    assert check.accepted, check.reason
    assert "fits" in check.reason
    assert check.well_formed


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_table_is_rejected(name):
    views = views_of(builders.pictures(30, 0, 0.1))
    check = check_flip(views, WRONG[name], torch.Generator().manual_seed(0))
    assert not check.accepted, check.reason
    assert "does not fit" in check.reason


def test_malformed_and_missing_tables_are_rejected_with_a_reason():
    views = views_of(builders.pictures(5, 0))
    generator = torch.Generator().manual_seed(0)
    missing = check_flip(views, None, generator)
    assert "no flip table" in missing.reason
    assert not missing.well_formed
    assert missing.distance_score == missing.volume_score == 0
    for table in ((0, 1), (1, 2, 0, *range(3, 11)), (0, 0, *range(2, 11))):
        check = check_flip(views, table, generator)
        assert not check.accepted
        assert not check.well_formed
        assert "does not swap 11 keypoints" in check.reason
