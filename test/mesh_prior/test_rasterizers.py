"""Soft silhouettes: their gradients are those of finite differences, and they are the hard ones made soft."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh
from mesh_cases import posed

from semcorr_ros.geometry import cameras
from semcorr_ros.mesh_prior import coverage
from semcorr_ros.mesh_prior.coverage import draw
from semcorr_ros.mesh_prior.rasterizers import SIGMA, built_in, default_rasterizer

CAMERA = cameras.centered(40.0, (24, 32))


def ball(subdivisions=1, dtype=torch.float64):
    mesh = trimesh.creation.icosphere(subdivisions, 0.5)
    vertices = torch.tensor(np.array(mesh.vertices), dtype=dtype) + torch.tensor(
        [0.1, -0.05, 2.5], dtype=dtype
    )
    return vertices[None], torch.tensor(np.array(mesh.faces))


def weighted(vertices, faces):
    weights = torch.rand(CAMERA.size, generator=torch.Generator().manual_seed(0), dtype=vertices.dtype)
    return (built_in.silhouettes(vertices, faces, CAMERA, 20 * SIGMA) * weights).sum()


def test_gradients_are_those_of_finite_differences():
    vertices, faces = ball()
    vertices.requires_grad_()
    (slope,) = torch.autograd.grad(weighted(vertices, faces), vertices)
    assert float(slope.abs().max()) > 1
    for seed in range(4):
        way = torch.randn(vertices.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        step = 1e-5
        with torch.no_grad():
            found = weighted(vertices + step * way, faces) - weighted(vertices - step * way, faces)
        assert float(found) / (2 * step) == pytest.approx(float((slope * way).sum()), rel=1e-3, abs=1e-2)


def test_a_sharp_silhouette_is_the_drawn_one():
    vertices, faces = ball(2)
    soft = built_in.silhouettes(vertices, faces, CAMERA, 0.1 * SIGMA)[0]
    hard = draw(vertices, faces, CAMERA).face[0] >= 0
    assert int(((soft > 0.5) != hard).sum()) <= 3
    assert float(soft.min()) >= 0
    assert float(soft.max()) <= 1


def test_pictures_of_a_batch_are_those_of_each():
    vertices, faces = ball()
    other = vertices + torch.tensor([0.3, 0.2, 0.5])
    both = built_in.silhouettes(torch.cat([vertices, other]), faces, CAMERA, SIGMA)
    assert torch.allclose(both[1:], built_in.silhouettes(other, faces, CAMERA, SIGMA), atol=1e-12)
    assert not torch.allclose(both[0], both[1])


def test_what_is_behind_the_camera_is_not_drawn():
    vertices, faces = ball()
    behind = vertices * torch.tensor([1.0, 1.0, -1.0])
    assert float(built_in.silhouettes(behind, faces, CAMERA, SIGMA).max()) == 0
    assert int((draw(behind, faces, CAMERA).face >= 0).sum()) == 0


def test_the_nearest_triangle_is_drawn_at_its_depth():
    square = torch.tensor([[-9.0, -9, 0], [9, -9, 0], [0, 9, 0]])
    far, near = square + torch.tensor([0, 0, 5.0]), square * 0.01 + torch.tensor([0, 0, 2.0])
    slanted = near + torch.tensor([[0, 0, 0.0], [0, 0, 0.5], [0, 0, 0]])
    drawn = draw(torch.cat([far, slanted])[None], torch.tensor([[0, 1, 2], [3, 4, 5]]), CAMERA)
    seen = drawn.face[0] == 1
    assert 3 <= int(seen.sum()) < 60
    assert bool((drawn.face[0][~seen] == 0).all())
    assert torch.allclose(drawn.depth[0][~seen], torch.tensor(5.0), atol=1e-5)
    rows, columns = seen.nonzero().T
    point = torch.einsum("pk,kx->px", drawn.weights[0][seen], slanted)
    assert torch.allclose(point[:, 2], drawn.depth[0][seen], atol=1e-5)
    back = cameras.project(point, CAMERA)
    assert torch.allclose(back, torch.stack([columns, rows], 1).float(), atol=1e-3)


def test_a_picture_that_takes_all_memory_is_refused(monkeypatch):
    monkeypatch.setattr(coverage, "MOST_PAIRS", 100)
    with pytest.raises(ValueError, match=r"at most 100 are made: simplify it"):
        draw(*ball(2), CAMERA)


def test_pytorch3d_draws_the_same():
    pytest.importorskip("pytorch3d")
    from semcorr_ros.mesh_prior.rasterizers import pytorch3d

    mesh = posed("mug")
    mesh = replace(mesh, camera=cameras.centered(100.0, (48, 64)))
    found = []
    for silhouettes in (built_in.silhouettes, pytorch3d.silhouettes):
        vertices = mesh.in_camera()[None].requires_grad_()
        picture = silhouettes(vertices, mesh.faces, mesh.camera, SIGMA)
        found.append((picture, torch.autograd.grad((picture**2).sum(), vertices)[0].sum((0, 1))))
    (ours, slope), (theirs, their_slope) = found
    assert float((ours - theirs).abs().max()) < 0.05
    assert torch.allclose(slope, their_slope, rtol=0.05)


def test_the_default_is_one_that_is_there():
    assert default_rasterizer() in ("pytorch3d", "built_in")
