"""Ray queries against analytic answers."""

import numpy as np
import trimesh

from semcorr_lab.synthetic.raycast import RayCaster


def test_first_hit_of_box_and_floor_is_exact():
    box = trimesh.creation.box(extents=(2, 2, 2))
    floor = trimesh.Trimesh([[-9, -9, -3], [9, -9, -3], [0, 9, -3]], [[0, 1, 2]], process=False)
    caster = RayCaster([box, floor])
    origins = np.array([[5.0, 0.3, 0.2], [0.2, 0.1, 4.0], [4.0, 0.0, 0.0], [0, 0, 9.0]])
    rays = np.array([[-1.0, 0, 0], [0, 0, -2.0], [0, 0, -1.0], [0, 0, 1.0]])
    hits = caster.first_hits(origins, rays)
    np.testing.assert_allclose(hits.distance[:3], [4.0, 1.5, 3.0], rtol=1e-5)
    assert caster.body[hits.face[:3]].tolist() == [0, 0, 1]
    assert hits.face[3] == -1
    assert caster.blocked(origins, rays).tolist() == [True, True, True, False]


def test_bary_weights_give_the_hit_point():
    triangle = trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]], process=False)
    hits = RayCaster([triangle]).first_hits(np.array([[0.2, 0.5, 1.0]]), np.array([[0, 0, -1.0]]))
    np.testing.assert_allclose(hits.bary, [[0.2, 0.5]], atol=1e-6)


def test_normals_are_smooth_on_a_ball_and_hard_on_a_box():
    directions = np.random.default_rng(0).normal(size=(200, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    for mesh, smooth in ((trimesh.creation.icosphere(4), True), (trimesh.creation.box(), False)):
        caster = RayCaster([mesh])
        hits = caster.first_hits(5 * directions, -directions)
        normals = caster.normals(hits)
        np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-5)
        if smooth:
            assert (normals * directions).sum(1).min() > 0.999
        else:
            assert (np.abs(normals).max(1) > 0.999).all()
