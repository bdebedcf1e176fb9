"""SemAlign3D as a method: what a class says of itself, and what is placed, stored, followed and refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from methods.semalign3d.alignment import fabricated

from semcorr_ros.artifacts import KeypointState
from semcorr_ros.errors import NotFoundError
from semcorr_ros.methods import Search
from semcorr_ros.methods.semalign3d import model as method
from semcorr_ros.methods.semalign3d.alignment import AlignmentConfig
from semcorr_ros.methods.semalign3d.artifacts import Coarse
from semcorr_ros.methods.semalign3d.model import Aligned, SemAlign3D

QUICK = replace(AlignmentConfig(), optimize=replace(AlignmentConfig().optimize, steps=20))


@pytest.fixture(scope="module")
def representation():
    """With coarse copies of objects up to 50 pixels, and one keypoint that was never annotated."""
    made = fabricated.make_class()
    annotated = torch.arange(10) != 4
    return replace(
        made, annotated=annotated, coarse=Coarse(50, made.sparse_prototypes, made.dense.prototypes)
    )


@pytest.fixture(scope="module")
def seen(representation):
    return fabricated.observe(representation, 40, 20)[0]


def search():
    return Search(torch.Generator().manual_seed(0))


def test_what_a_class_says_of_itself(representation):
    pear = SemAlign3D(representation, QUICK)
    assert pear.info.name == "pear"
    assert pear.backbone == fabricated.BACKBONE
    assert pear.known == tuple(f"k{i}" for i in range(10) if i != 4)
    assert pear.metric_scale == pytest.approx(0.05)
    assert pear.with_size(0.1).diameter == pytest.approx(2 * pear.diameter)
    assert pear.with_size(0.1).metric_scale == pytest.approx(0.1)
    assert len(pear.prototypes.features) == 409
    assert pear.recognizes
    assert pear.provenance == {}


def test_a_small_object_is_compared_with_coarse_copies(representation, seen):
    """Of 50 pixels or fewer, along the longer side of its outline."""
    pear = SemAlign3D(representation, QUICK)
    rows, columns = seen.mask.nonzero(as_tuple=True)
    side = max(int(rows.max() - rows.min()), int(columns.max() - columns.min())) + 1
    for limit, small in ((side, True), (side - 1, False)):
        other = replace(
            pear, representation=replace(representation, coarse=replace(representation.coarse, side=limit))
        )
        placed = other.place(seen, search())
        assert (placed.representation.coarse is None) == small
    for rows, columns in ((5, 30), (30, 5)):
        mask = torch.zeros_like(seen.mask)
        mask[10 : 10 + rows, 20 : 20 + columns] = True
        assert method._side(replace(seen, mask=mask)) == 30
    for mask in (None, torch.zeros_like(seen.mask)):
        assert method._side(replace(seen, mask=mask)) == float("inf")


def test_what_was_placed_can_be_stored_and_read_again(representation, seen, tmp_path):
    pear = SemAlign3D(representation, QUICK)
    path = tmp_path / "a.safetensors"
    assert pear.restore(path, seen) is None
    placed = pear.place(seen, search())
    pear.store(path, placed)
    again = pear.restore(path, seen)
    torch.testing.assert_close(again.aligned.keypoints, placed.aligned.keypoints)
    assert again.confidence == pytest.approx(placed.confidence)
    assert again.facts.keys() == placed.facts.keys()
    assert again.facts["energy_by_term"]["geometry"] == pytest.approx(
        placed.facts["energy_by_term"]["geometry"]
    )
    assert again.shape.known == tuple(representation.annotated.tolist())


def test_only_a_class_that_tracks_starts_where_it_was(representation, seen):
    plain, tracking = (SemAlign3D(representation, QUICK, tracks=tracks) for tracks in (False, True))
    assert plain.follow(seen, None, search()).tracker is None
    first = tracking.follow(seen, None, search())
    second = tracking.follow(seen, first, search())
    assert first.tracker is second.tracker
    assert second.tracker.searches == 1
    stranger = replace(first, representation=replace(first.representation, metric_scale=0.2))
    assert tracking.follow(seen, stranger, search()).tracker is not first.tracker


@pytest.mark.parametrize("what", ["keypoints", "confidence"])
def test_an_alignment_that_is_not_finite_is_no_answer(representation, seen, what):
    pear = SemAlign3D(representation, QUICK)
    found = pear.place(seen, search()).aligned
    spoiled = replace(found, **{what: torch.full_like(getattr(found, what), torch.nan)})
    with pytest.raises(NotFoundError, match="the alignment of class 'pear' diverged"):
        pear._checked(Aligned(representation, seen, spoiled))


def test_a_hidden_direction_makes_what_turns_unknown(representation, seen, monkeypatch):
    placed = SemAlign3D(representation, QUICK).place(seen, search())
    assert (placed.directed, placed.caveat) == (True, "")
    before = placed.keypoints(torch.arange(10))
    hidden = Aligned(representation, seen, placed.aligned)
    monkeypatch.setattr(method.direction, "direction_is_seen", lambda model, aligned: False)
    assert hidden.caveat.startswith("direction about the upright axis unknown")
    after = hidden.keypoints(torch.arange(10))
    turning = method.direction.turns_with_it(placed.aligned.keypoints[0], representation, placed.aligned)
    assert 0 < turning.sum() < 10
    assert (after.state[turning] == int(KeypointState.UNKNOWN)).all()
    assert torch.isnan(after.xyz[turning]).all()
    assert torch.equal(after.state[~turning], before.state[~turning])
    asked = torch.tensor([[64.0, 48.0], [70.0, 40.0]])
    for source, target in ((hidden, placed), (placed, hidden)):
        assert torch.isnan(source.carry(asked, target).xyz).all()
    assert torch.isfinite(placed.pose.covariance).all()
    wider = hidden.pose.covariance[3:, 3:].trace() - placed.pose.covariance[3:, 3:].trace()
    assert float(wider) == pytest.approx(torch.pi**2 / 3, rel=1e-2)
