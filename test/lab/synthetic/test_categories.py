"""Every category file: names, sides, surfaces, variation. A new file is tested without a change here."""

import numpy as np
import pytest
import trimesh

from semcorr_lab.synthetic import categories
from semcorr_lab.synthetic.categories import described, flip_table
from semcorr_lab.synthetic.render import project_keypoints
from semcorr_lab.synthetic.scene import SceneConfig, sample_scene, view
from semcorr_lab.synthetic.viewpoint import Viewpoint

CATEGORIES = categories.available()
SEEDS = range(8)


@pytest.fixture(params=CATEGORIES)
def category(request):
    return categories.load(request.param)


def members(category):
    return [category.generate(np.random.default_rng(seed)) for seed in SEEDS]


def distance_to_surface(instance, points):
    triangles = np.concatenate([part.mesh.triangles for part in instance.parts])
    nearest = [
        np.linalg.norm(
            trimesh.triangles.closest_point(triangles, np.broadcast_to(p, (len(triangles), 3))) - p, axis=1
        ).min()
        for p in points
    ]
    return np.array(nearest)


def test_there_are_at_least_six():
    assert {"mug", "bottle", "chair", "tvmonitor", "aeroplane", "car"} <= set(CATEGORIES)


def test_info_is_complete(category):
    info = category.INFO
    count = len(info.keypoint_names)
    assert 8 <= count <= 14
    assert len(set(info.keypoint_names)) == count
    assert [info.flip[i] for i in info.flip] == list(range(count)), "flipping twice is the identity"
    assert info.flip != tuple(range(count))
    assert all(0 <= i < count for edge in info.edges for i in edge)
    assert {i for edge in info.edges for i in edge} != set()


def test_only_the_tv_is_flat():
    flat = [name for name in CATEGORIES if categories.load(name).INFO.flat]
    assert flat == ["tvmonitor"]


def test_same_seed_same_member_other_seed_other_member(category):
    first, again, other = (category.generate(np.random.default_rng(seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.keypoints, again.keypoints)
    np.testing.assert_array_equal(first.vertices, again.vertices)
    np.testing.assert_array_equal(first.parts[0].texture.tile, again.parts[0].texture.tile)
    assert np.abs(first.keypoints - other.keypoints).max() > 0.02 * first.size


def test_keypoints_lie_on_the_surface(category):
    for instance in members(category):
        assert instance.keypoints.shape == (len(category.INFO.keypoint_names), 3)
        assert distance_to_surface(instance, instance.keypoints).max() < 1e-3 * instance.size


def test_left_is_positive_y_and_flip_mirrors_the_keypoints(category):
    info = category.INFO
    for instance in members(category):
        mirrored = instance.keypoints * [1, -1, 1]
        np.testing.assert_allclose(mirrored, instance.keypoints[list(info.flip)], atol=1e-3 * instance.size)
        for name, (_, y, _) in zip(info.keypoint_names, instance.keypoints, strict=True):
            words = name.split("_")
            side = ("left" in words) - ("right" in words)
            assert np.sign(round(y / instance.size, 3)) == side, name


def test_each_part_name_is_mirror_symmetric(category):
    for instance in members(category)[:4]:
        by_name = {}
        for part in instance.parts:
            by_name.setdefault(part.name, []).append(np.array(part.mesh.triangles))
        for name, meshes in by_name.items():
            triangles = np.concatenate(meshes)
            rng = np.random.default_rng(0)
            corners = triangles.reshape(-1, 3)
            for point in corners[rng.integers(len(corners), size=15)] * [1, -1, 1]:
                stacked = np.broadcast_to(point, (len(triangles), 3))
                gap = np.linalg.norm(trimesh.triangles.closest_point(triangles, stacked) - point, axis=1)
                assert gap.min() < 2e-3 * instance.size, name


def test_repeated_parts_share_a_name():
    expected = {"car": ("wheel", 4), "chair": ("leg", 4), "aeroplane": ("wing", 2)}
    for name, (part, count) in expected.items():
        instance = categories.load(name).generate(np.random.default_rng(0))
        assert [p.name for p in instance.parts].count(part) == count


def test_shapes_vary_and_stay_plausible(category):
    plausible = {"mug": (0.1, 0.25), "bottle": (0.12, 0.4), "chair": (0.7, 1.5), "tvmonitor": (0.4, 1.8)}
    plausible |= {"car": (3.3, 6.5), "aeroplane": (5.0, 14.0)}
    boxes = np.array([np.ptp(instance.bounds, axis=0) for instance in members(category)])
    proportions = boxes / boxes.max(1, keepdims=True)
    assert (proportions.max(0) / proportions.min(0)).max() > 1.15
    if category.INFO.name in plausible:
        low, high = plausible[category.INFO.name]
        sizes = np.linalg.norm(boxes, axis=1)
        assert low < sizes.min()
        assert sizes.max() < high


def test_each_keypoint_can_be_seen_from_somewhere(category):
    config = SceneConfig(size=(48, 64), clutter=False, occluders=False, background=False, truncation=False)
    instance = category.generate(np.random.default_rng(1))
    scene = sample_scene(np.random.default_rng(0), instance, config)
    azimuths = range(-60, 61, 30) if category.INFO.flat else range(0, 360, 30)
    shown = np.zeros(len(instance.keypoints), bool)
    hidden = np.zeros(len(instance.keypoints), bool)
    for azimuth in azimuths:
        for elevation in (-10, 25, 60):
            visible = project_keypoints(view(scene, Viewpoint(azimuth, elevation)))[1]
            shown |= visible
            hidden |= ~visible
    names = np.array(category.INFO.keypoint_names)
    assert shown.all(), f"never visible: {names[~shown]}"
    if not category.INFO.flat:
        assert hidden.mean() > 0.5


def test_flip_table_swaps_sides_and_refuses_a_lonely_side():
    assert flip_table(("nose", "ear_left", "ear_right")) == (0, 2, 1)
    with pytest.raises(ValueError, match="ear_right"):
        flip_table(("nose", "ear_left"))


def test_a_category_described_by_texts():
    info = described("x", "a b_left b_right", "a-b_right b_left-b_right")
    assert info.keypoint_names == ("a", "b_left", "b_right")
    assert (info.flip, info.edges, info.flat) == ((0, 2, 1), ((0, 2), (1, 2)), False)
