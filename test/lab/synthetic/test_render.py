"""The renderer against analytic depth, brute-force visibility and the project's own projection."""

import dataclasses

import numpy as np
import pytest
import torch
import trimesh

from semcorr_lab.synthetic import categories
from semcorr_lab.synthetic.instance import Instance, Part
from semcorr_lab.synthetic.lighting import Lighting
from semcorr_lab.synthetic.raycast import RayCaster
from semcorr_lab.synthetic.render import VISIBLE_TOLERANCE, camera_rays, render
from semcorr_lab.synthetic.scene import Scene, SceneConfig, camera_center, sample_scene, view
from semcorr_lab.synthetic.texture import solid
from semcorr_lab.synthetic.viewpoint import Viewpoint, frame_object
from semcorr_ros.geometry import cameras

SIZE = (60, 80)
FULL = SceneConfig(size=SIZE)
FRONT = Viewpoint(0, 0)
PLAIN = SceneConfig(
    size=SIZE, clutter=False, occluders=False, truncation=False, background=False, sensor=False
)


def scene_of(mesh, keypoints, viewpoint=FRONT):
    instance = Instance("thing", (Part("all", mesh, solid([0.5, 0.5, 0.5])),), np.asarray(keypoints, float))
    camera, pose = frame_object(instance.vertices, viewpoint, SIZE)
    light = Lighting(np.array([[0.0, 0, 1]]), np.ones((1, 3)), np.full(3, 0.5), shadows=True)
    return Scene(instance, instance.parts, RayCaster([mesh]), solid([0, 0, 1]), light, camera, pose)


def random_scene(name, seed, config=FULL):
    rng = np.random.default_rng(seed)
    category = categories.load(name)
    return sample_scene(rng, category.generate(rng), config)


def test_depth_of_a_ball_is_analytic():
    scene = scene_of(trimesh.creation.icosphere(6, radius=1.0), [[1, 0, 0]])
    rendering = render(scene)
    eye = camera_center(scene.camera_from_object)
    rays = camera_rays(scene.camera, scene.camera_from_object).astype(float).reshape(*SIZE, 3)
    a, b, c = (rays**2).sum(-1), rays @ eye, eye @ eye - 1
    inside = b**2 - a * c
    t = (-b - np.sqrt(np.maximum(inside, 0))) / a
    surely = inside > 0.02 * b**2
    np.testing.assert_allclose(rendering.depth[surely], t[surely], rtol=1e-3)
    assert rendering.mask[surely].all()
    assert not rendering.mask[inside < -0.02 * b**2].any()
    assert (rendering.depth[~rendering.mask] == 0).all()
    assert (rendering.part[rendering.mask] == 0).all()
    assert (rendering.part[~rendering.mask] == -1).all()


def test_depth_of_a_plane_facing_the_camera_is_constant():
    board = trimesh.creation.box(extents=(0.2, 2, 2))
    rendering = render(scene_of(board, [[0.1, 0, 0]]))
    assert rendering.mask.sum() > 100
    front = rendering.depth[rendering.mask]
    np.testing.assert_allclose(front, front[0], rtol=1e-4)


def test_points_project_to_their_own_pixels_and_depths():
    scene = random_scene("chair", 1)
    rendering = render(scene)
    hit = rendering.depth > 0
    points = torch.from_numpy(rendering.points[hit].astype(np.float64))
    pose = torch.from_numpy(rendering.camera_from_object)
    in_camera = points @ pose[:3, :3].T + pose[:3, 3]
    pixels = cameras.project(in_camera, rendering.camera).numpy()
    rows, columns = np.nonzero(hit)
    near = rendering.depth[hit] < 20 * scene.instance.size
    assert np.abs(pixels - np.stack([columns, rows], 1))[near].max() < 0.02
    np.testing.assert_allclose(in_camera[:, 2].numpy()[near], rendering.depth[hit][near], rtol=1e-4)


@pytest.mark.parametrize("name", ["mug", "car"])
def test_visibility_agrees_with_brute_force(name):
    for seed in range(4):
        scene = random_scene(name, seed)
        rendering = render(scene)
        eye = camera_center(scene.camera_from_object)
        h, w = SIZE
        expected = []
        for point, (x, y) in zip(scene.instance.keypoints, rendering.keypoints, strict=True):
            inside = -0.5 < x < w - 0.5 and -0.5 < y < h - 0.5
            reach = 1 - VISIBLE_TOLERANCE * scene.instance.size / np.linalg.norm(point - eye)
            expected.append(inside and not brute_force_hit(scene.caster.triangles, eye, point - eye, reach))
        assert rendering.visible.tolist() == expected


def brute_force_hit(triangles, origin, ray, reach):
    """Moeller and Trumbore 1997, all triangles at once."""
    a, b, c = triangles.astype(float).transpose(1, 0, 2)
    p = np.cross(ray, c - a)
    det = ((b - a) * p).sum(1)
    det[np.abs(det) < 1e-15] = np.inf
    u = ((origin - a) * p).sum(1) / det
    q = np.cross(origin - a, b - a)
    v, t = (q @ ray) / det, ((c - a) * q).sum(1) / det
    return bool(((u >= 0) & (v >= 0) & (u + v <= 1) & (t > 1e-6) & (t < reach)).any())


def test_keypoint_pixels_fall_on_the_object_where_visible():
    found = total = 0
    for seed in range(6):
        rendering = render(random_scene("car", seed, SceneConfig(size=(240, 320))))
        grown = rendering.mask.copy()
        for shift in (-2, -1, 1, 2):
            for axis in (0, 1):
                grown |= np.roll(rendering.mask, shift, axis)
        for x, y in rendering.keypoints[rendering.visible].round().astype(int):
            found += grown[min(y, 239), min(x, 319)]
            total += 1
    assert total > 20
    assert found == total


def test_same_scene_same_picture_and_seeds_differ():
    first, again, other = (render(random_scene("bottle", seed)) for seed in (2, 2, 3))
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.depth, again.depth)
    assert (first.image != other.image).mean() > 0.5


def test_a_scene_is_rendered_from_other_viewpoints_without_rebuilding():
    scene = random_scene("mug", 0)
    turned = view(scene, Viewpoint(90, 10))
    assert turned.caster is scene.caster
    assert (render(turned).image != render(view(scene, Viewpoint(-90, 10))).image).any()
    back = dataclasses.replace(turned, camera=scene.camera, camera_from_object=scene.camera_from_object)
    np.testing.assert_array_equal(render(back).image, render(scene).image)


def test_shadow_falls_below_a_board():
    board = trimesh.creation.box(extents=(1, 1, 0.1))
    board.apply_translation([0, 0, 1])
    floor = trimesh.creation.box(extents=(3, 3, 0.1))
    mesh = trimesh.util.concatenate([board, floor])
    scene = scene_of(mesh, [[0, 0, 1]], Viewpoint(0, 20))
    lit = render(scene)
    dark = render(dataclasses.replace(scene, lighting=dataclasses.replace(scene.lighting, shadows=False)))
    changed = (lit.image.astype(int) < dark.image.astype(int) - 20).any(-1)
    xy = lit.points[changed]
    assert changed.sum() > 20
    assert np.abs(xy[:, :2]).max() < 0.55
    assert xy[:, 2].max() < 0.1


def test_clutter_occluders_and_background_can_be_left_out():
    busy = random_scene("mug", 5)
    assert len(busy.bodies) > len(busy.instance.parts)
    bare = random_scene("mug", 5, PLAIN)
    assert bare.bodies == bare.instance.parts
    assert (render(bare).depth[~render(bare).mask] == 0).all()


def test_occluders_hide_keypoints_of_some_pictures():
    lost = 0
    for seed in range(12):
        scene = random_scene("mug", seed)
        alone = dataclasses.replace(
            scene, bodies=scene.instance.parts, caster=RayCaster([p.mesh for p in scene.instance.parts])
        )
        lost += int((render(alone).visible & ~render(scene).visible).sum())
    assert lost > 0
