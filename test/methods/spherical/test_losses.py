"""Worked values of the four losses, and what each does where the authors' code gives NaN."""

import math

import pytest
import torch
from torch.nn.functional import normalize

from semcorr_ros.methods.spherical import losses
from semcorr_ros.methods.spherical.losses import Triplets

PLACES = torch.tensor([[[0.5, 0.5], [0.6, 0.5], [0.5, 0.9]]])  # row, column: b is nearer, to its right is c


def triplet(a, b, c, places=PLACES):
    return Triplets(places, torch.tensor([[a, b, c]], dtype=torch.float32))


def at_cosine(cosine):
    return [cosine, math.sqrt(1 - cosine**2), 0.0]


@pytest.mark.parametrize(("negative", "wanted"), [(0.2, 0.0), (0.6, 0.2)])
def test_relative_distance_has_its_worked_values(negative, wanted):
    found = losses.relative_distance(triplet([1.0, 0, 0], at_cosine(0.9), at_cosine(negative)))
    assert float(found) == pytest.approx(wanted, abs=1e-6)


def test_what_is_nearer_in_the_picture_is_the_positive():
    swapped = triplet([1.0, 0, 0], at_cosine(0.2), at_cosine(0.9))  # the near one is far on the sphere
    assert float(losses.relative_distance(swapped)) == pytest.approx(0.9 - 0.2 + 0.5, abs=1e-6)


def test_of_two_equally_near_the_second_is_the_positive():
    places = torch.tensor([[[0.5, 0.5], [0.6, 0.5], [0.4, 0.5]]])
    found = losses.relative_distance(triplet([1.0, 0, 0], at_cosine(0.9), at_cosine(0.2), places))
    assert float(found) == pytest.approx(0.9 - 0.2 + 0.5, abs=1e-6)


@pytest.mark.parametrize(("turns", "wanted"), [((0, 2), 0.0), ((0, 4), -1.0), ((0, 1), 0.7071)])
def test_viewpoints_agree_as_the_cosine_of_their_azimuths(turns, wanted):
    first, second = (losses.direction_of(turn / losses.BINS) for turn in turns)
    assert float(first @ second) == pytest.approx(wanted, abs=1e-4)


def maps(*directions):
    """Pictures whose cells all lie in one direction."""
    unit = normalize(torch.tensor(directions, dtype=torch.float32), dim=-1)
    return unit[:, None, None].expand(-1, 3, 4, 3), torch.ones(len(unit), 3, 4, dtype=torch.bool)


def test_viewpoint_compares_every_two_pictures():
    spheres, mask = maps([1.0, 0, 0], [1.0, 0, 0])
    opposite = torch.stack([losses.direction_of(0.0), losses.direction_of(0.5)])
    # The diagonal is right; both other entries are 1 and should be -1.
    assert float(losses.viewpoint(spheres, mask, opposite)) == pytest.approx(2 * 4 / 4)
    spheres, mask = maps([0, 0, 1.0], [0, 0, -1.0])  # in which frame does not matter
    assert float(losses.viewpoint(spheres, mask, opposite)) == pytest.approx(0.0, abs=1e-6)


def test_viewpoint_looks_at_the_object_alone():
    spheres, mask = maps([1.0, 0, 0], [1.0, 0, 0])
    spheres = spheres.clone()
    spheres[1, 0], mask[1, 0] = torch.tensor([-1.0, 0, 0]), False
    same = torch.stack([losses.direction_of(0.0)] * 2)
    assert float(losses.viewpoint(spheres, mask, same)) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("case", ["unknown", "empty", "alone"])
def test_viewpoint_without_anything_to_compare_is_nought_and_has_gradients(case):
    spheres, mask = maps([1.0, 0, 0])
    spheres = spheres.clone().requires_grad_()
    towards = torch.full((1, 3), math.nan) if case == "unknown" else losses.direction_of(0.25)[None]
    found = losses.viewpoint(spheres, mask & (case != "empty"), towards)
    assert found.item() == pytest.approx(0.0, abs=1e-6)
    (found + spheres.sum()).backward()
    assert torch.isfinite(spheres.grad).all()


def test_a_picture_of_unknown_viewpoint_changes_nothing():
    spheres, mask = maps([1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0])
    known = torch.stack([losses.direction_of(0.0), losses.direction_of(0.5)])
    with_unknown = torch.cat([known, torch.full((1, 3), math.nan)])
    wanted = losses.viewpoint(spheres[:2], mask[:2], known)
    assert float(losses.viewpoint(spheres, mask, with_unknown)) == pytest.approx(float(wanted))


def on_ball(rows, columns, size=9):
    """The front of a ball as a camera sees it: right is +y, down is -z, towards it is +x."""
    y, z = (columns / (size - 1) - 0.5), -(rows / (size - 1) - 0.5)
    return torch.stack([(1 - y**2 - z**2).sqrt(), y, z], -1)


def ball():
    rows, columns = torch.meshgrid(torch.arange(9.0), torch.arange(9.0), indexing="ij")
    return on_ball(rows, columns)[None], torch.ones(1, 9, 9, dtype=torch.bool)


@pytest.mark.parametrize("hinge", losses.HINGES.values(), ids=losses.HINGES.keys())
def test_a_ball_is_oriented_and_its_mirror_image_is_not(hinge):
    spheres, mask = ball()
    draws = torch.Generator().manual_seed(0)
    right = losses.orientation(losses.draw_triplets(spheres, mask, draws, 200), hinge)
    mirrored = losses.orientation(losses.draw_triplets(spheres.flip(2), mask, draws, 200), hinge)
    assert float(right) < 0.15
    assert float(mirrored) > 1.3


def test_both_hinges_have_their_worked_values():
    # From a, b lies along +y and c at an angle of 30 degrees counter-clockwise: d_S is its sine, 0.5.
    near = 1e-3
    a = [1.0, 0.0, 0.0]
    b = normalize(torch.tensor([1.0, near, 0.0]), dim=0).tolist()
    c = normalize(
        torch.tensor([1.0, near * math.cos(math.pi / 6), near * math.sin(math.pi / 6)]), dim=0
    ).tolist()
    # Counter-clockwise on the screen too, rows pointing down: b right of a, c above it.
    places = torch.tensor([[[0.5, 0.5], [0.5, 0.6], [0.4, 0.5]]])
    found = triplet(a, b, c, places)
    assert float(losses.sphere_turn(found.spheres)[0]) == pytest.approx(0.5, abs=1e-3)
    assert float(losses.orientation(found, losses.HINGES["released"])) == pytest.approx(0.25, abs=1e-3)
    assert float(losses.orientation(found, losses.HINGES["paper"])) == pytest.approx(0.2, abs=1e-3)


def test_a_triplet_that_is_not_square_is_not_asked():
    places = torch.tensor([[[0.5, 0.5], [0.5, 0.6], [0.45, 0.6]]])  # sine 0.447
    assert float(losses.image_turn(places)[0].abs()) < losses.SQUARE_ENOUGH
    assert float(losses.orientation(triplet([1.0, 0, 0], [0, 1.0, 0], [0, 0, -1.0], places))) == 0.0


def test_without_a_triplet_every_loss_is_nought():
    spheres, mask = ball()
    none = losses.draw_triplets(spheres, mask & False, torch.Generator().manual_seed(0))
    assert len(none.places) == 0
    assert float(losses.relative_distance(none)) == float(losses.orientation(none)) == 0.0
    assert float(losses.reconstruction(torch.zeros(0, 4), torch.zeros(0, 4))) == 0.0


def test_triplets_are_of_one_picture_and_on_the_object():
    spheres, mask = maps([1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0])
    mask = mask.clone()
    mask[1] = False
    mask[0, :, 1:] = False
    found = losses.draw_triplets(spheres, mask, torch.Generator().manual_seed(0), 50)
    assert len(found.places) == 100, "the empty picture gives none"
    assert (found.spheres[:, 0] == found.spheres[:, 1]).all()
    assert (found.places[:50, :, 1] == 0).all(), "only the first column is on the object"
    assert found.places.amax() == 1.0


def test_reconstruction_is_one_minus_the_cosine():
    features, rebuilt = torch.tensor([[1.0, 0], [3.0, 4.0]]), torch.tensor([[0, 2.0], [6.0, 8.0]])
    assert float(losses.reconstruction(features, rebuilt)) == pytest.approx((1.0 + 0.0) / 2)
