"""Surfaces to measure on: edges, distances against known ones, places below pixels."""

import numpy as np
import pytest
import torch
import trimesh
from mesh_pictures import posed, wedge

from semcorr_ros.geometry import cameras
from semcorr_ros.mesh_prior.fine_surface import Surface, bridges, components, edges_of, surface_of
from semcorr_ros.mesh_prior.geodesics import GRAPH, HEAT, Geodesics
from semcorr_ros.mesh_prior.raycasting import interpolated, lift


def test_edges_are_split_and_the_surface_stays_closed():
    surface, weights = surface_of(posed(trimesh.creation.box((1, 2, 3))), 0.1)
    edges, _ = edges_of(surface.faces)
    length = np.linalg.norm(surface.vertices[edges[:, 0]] - surface.vertices[edges[:, 1]], axis=1)
    assert length.max() <= 0.1 + 1e-9
    body = trimesh.Trimesh(surface.vertices, surface.faces, process=False)
    assert body.is_watertight
    side = 1 / np.sqrt(14)
    assert body.volume == pytest.approx(6 * side**3, rel=1e-4), "faces still look outside"
    np.testing.assert_allclose(np.asarray(weights.sum(1)).ravel(), 1, atol=1e-12)
    corners = posed(trimesh.creation.box((1, 2, 3))).vertices.double().numpy()
    np.testing.assert_allclose(weights @ corners, surface.vertices, atol=1e-6)


def test_double_vertices_are_one_and_flat_faces_go():
    box = trimesh.creation.box((1, 1, 1))
    soup = trimesh.Trimesh(box.triangles.reshape(-1, 3), np.arange(36).reshape(-1, 3), process=False)
    found, weights = surface_of(posed(soup), 10.0)
    assert (len(found.vertices), len(found.faces)) == (8, 12)
    assert weights.shape == (8, 36)


@pytest.mark.parametrize("points", [np.zeros((3, 3)), np.array([[0.0, 0, 0], [1, 0, 0], [1, 0, 0]])])
def test_a_mesh_without_area_is_refused(points):
    mesh = posed(trimesh.creation.box((1, 1, 1)))
    bad = type(mesh)(
        **{**vars(mesh), "vertices": torch.tensor(points).float(), "faces": torch.tensor([[0, 1, 2]])}
    )
    with pytest.raises(ValueError, match=r"single point|no area"):
        surface_of(bad)


def ball():
    surface, _ = surface_of(posed(trimesh.creation.icosphere(3)), 0.08)
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, len(surface.vertices), (2, 60))
    radius = np.linalg.norm(surface.vertices, axis=1).mean()
    cosine = (surface.vertices[a] * surface.vertices[b]).sum(1) / radius**2
    return surface, a, b, radius * np.arccos(cosine.clip(-1, 1)) / surface.diagonal


@pytest.mark.parametrize(("engine", "off"), [(GRAPH, 0.03), (HEAT, 0.03)])
def test_distances_on_a_ball_are_arcs(engine, off):
    if engine == HEAT:
        pytest.importorskip("potpourri3d")
    surface, a, b, wanted = ball()
    found = Geodesics(surface, engine=engine).between(a, b)
    assert np.abs(found - wanted).mean() < off * wanted.mean()
    assert np.abs(found - wanted).max() < 0.1 * wanted.max()


def test_beyond_the_limit_is_infinite_and_the_rest_unchanged():
    surface, a, b, _ = ball()
    whole, cut = Geodesics(surface).between(a, b), Geodesics(surface, 0.3).between(a, b)
    np.testing.assert_allclose(cut[whole <= 0.3], whole[whole <= 0.3], rtol=1e-5)
    assert np.isinf(cut[whole > 0.3]).all()
    assert 5 < np.isinf(cut).sum() < 55


def test_pieces_are_bridged_where_they_are_nearest():
    surface, _ = surface_of(posed(wedge()), 0.1)
    edges, _ = edges_of(surface.faces)
    assert components(len(surface.vertices), edges)[0] == 2
    (bridge,) = bridges(surface.vertices, edges)
    assert np.linalg.norm(np.diff(surface.vertices[bridge], axis=0)) < 0.04
    top, bottom = surface.vertices[:, 2].argmax(), surface.vertices[:, 2].argmin()
    found = Geodesics(surface).between(np.array([top]), np.array([bottom]))
    assert 0.4 < found[0] < 1.5


def test_the_heat_method_says_that_it_needs_one_piece():
    pytest.importorskip("potpourri3d")
    surface, _ = surface_of(posed(wedge()), 0.2)
    with pytest.raises(ValueError, match="2 pieces, the heat method needs one: use 'graph'"):
        Geodesics(surface, engine=HEAT).between(np.array([0]), np.array([1]))
    with pytest.raises(ValueError, match="one of graph, heat"):
        Geodesics(surface, engine="exact")


def test_a_diagonal_of_two_faces_is_walked_straight():
    corners = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    square = Surface(corners, np.array([[0, 1, 2], [0, 2, 3]]))
    found = Geodesics(square).between(np.array([1, 0]), np.array([3, 1])) * square.diagonal
    assert found == pytest.approx([2**0.5, 1.0], rel=1e-6)


def test_the_place_below_a_vertex_s_pixel_is_that_vertex():
    mesh = posed(wedge())
    surface, _ = surface_of(mesh, 0.1)
    rotation = mesh.rotation.double().numpy()
    at = torch.from_numpy(surface.vertices @ rotation.T).float() + mesh.translation
    lifted = lift(mesh, surface, cameras.project(at, mesh.camera))
    assert lifted.met.mean() > 0.9
    place = interpolated(surface.vertices, surface, lifted)
    shown = np.linalg.norm(place - surface.vertices, axis=1) < 1e-3
    depth = np.linalg.norm(place @ rotation.T + mesh.translation.numpy(), axis=1)
    hidden = lifted.met & ~shown
    assert 0.3 < shown.mean() < 0.7, "about half of them face the camera"
    assert (depth[hidden] < np.linalg.norm(at.numpy(), axis=1)[hidden] + 1e-4).all(), "first hit in front"
    same = lifted.vertex[shown] == np.flatnonzero(shown)
    assert same.mean() > 0.95


def test_a_ray_past_the_mesh_meets_nothing():
    mesh = posed(wedge())
    surface, _ = surface_of(mesh, 0.2)
    lifted = lift(mesh, surface, torch.tensor([[0.0, 0.0], [63.5, 47.5]]))
    assert lifted.met.tolist() == [False, True]
    assert lifted.vertex[0] == -1
    assert (interpolated(surface.vertices, surface, lifted)[0] == 0).all()
