import numpy as np
import pytest
import trimesh

from semcorr_lab.training.part_frames import fold, nearest_part, part_frames


def _box(low, high):
    return trimesh.creation.box(bounds=[low, high]).vertices


def _table():
    """A board on four legs: front and rear, left and right."""
    legs = [("leg", _box((x, y, 0), (x + 0.1, y + 0.1, 1))) for x in (-0.5, 0.4) for y in (-0.3, 0.2)]
    return [("board", _box((-0.5, -0.3, 1), (0.5, 0.3, 1.1))), *legs]


def _fold_one(point, part):
    return fold(np.array([point], float), np.array([part]), part_frames(_table()))[0]


def test_mirrored_points_share_their_coordinate():
    left = _fold_one((0.2, 0.25, 1.1), 0)
    right = _fold_one((0.2, -0.25, 1.1), 0)
    assert np.allclose(left, right)
    assert not np.allclose(left, _fold_one((0.2, 0.05, 1.1), 0), atol=0.3)
    assert not np.allclose(left, _fold_one((-0.2, 0.25, 1.1), 0), atol=0.3)


def test_repeated_parts_share_their_coordinate_and_their_ends_differ():
    corners = [(-0.5, -0.3), (-0.5, 0.3), (0.4, -0.3), (0.4, 0.3)]
    parts = [1, 2, 3, 4]
    bottoms = [_fold_one((x + 0.05, y, 0), part) for (x, y), part in zip(corners, parts, strict=True)]
    for bottom in bottoms[1:]:
        assert np.allclose(bottoms[0], bottom)
    top = _fold_one((-0.45, -0.3, 1), 1)
    assert top[2] - bottoms[0][2] == pytest.approx(2)


def test_pieces_of_one_name_share_one_box():
    frames = part_frames(
        [("back", _box((0, 0.2, 0), (0.1, 0.3, 1))), ("back", _box((0, -0.3, 1), (0.1, 0.3, 1.2)))]
    )
    assert np.allclose(frames.center[0], frames.center[1])
    post = fold(np.array([[0.05, 0.25, 1.0]]), np.array([0]), frames)
    rail = fold(np.array([[0.05, -0.25, 1.0]]), np.array([1]), frames)
    assert np.allclose(post, rail)


def test_a_part_across_the_mirror_plane_reaches_it():
    frames = part_frames([("board", _box((-0.5, -0.3, 0), (0.5, 0.3, 0.1)))])
    assert fold(np.array([[0.0, 0.0, 0.0]]), np.array([0]), frames)[0, 1] == pytest.approx(-1)


def test_symmetric_classes_know_radius_and_height_only():
    cylinder = trimesh.creation.cylinder(radius=0.1, height=0.4).vertices
    frames = part_frames([("body", cylinder)], symmetric=True)
    angles = np.linspace(0, 6, 7)
    ring = np.stack([0.08 * np.cos(angles), 0.08 * np.sin(angles), np.full(7, 0.1)], 1)
    local = fold(ring, np.zeros(7, int), frames)
    assert np.allclose(local, local[0])


def test_planar_parts_stay_finite():
    frames = part_frames([("screen", _box((0, -0.3, 0), (0, 0.3, 0.4)))])
    local = fold(np.array([[1e-4, 0.1, 0.2]]), np.array([0]), frames)
    assert np.isfinite(local).all()
    assert np.abs(local).max() <= 1.25


def test_nearest_part():
    triangles = [trimesh.creation.box(bounds=[[i, 0, 0], [i + 0.5, 1, 1]]).triangles for i in range(3)]
    assert nearest_part(np.array([[2.4, 0.5, 1.1], [-0.1, 0, 0]]), triangles).tolist() == [2, 0]


def test_empty_parts_are_refused():
    with pytest.raises(ValueError, match="at least one part"):
        part_frames([])
    with pytest.raises(ValueError, match="vertices"):
        part_frames([("leg", np.zeros((0, 3)))])
