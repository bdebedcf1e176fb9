"""Mesh files of all kinds, good and bad."""

import numpy as np
import pytest
import torch
import trimesh

from semcorr_ros.mesh_prior import surface
from semcorr_ros.mesh_prior.point_surface import triangulate
from semcorr_ros.mesh_prior.surface import read_surface, simplified, surface_of

BOX = trimesh.creation.box((2.0, 1.0, 2.0))


def same_box(found, scale=1.0):
    assert found.diagonal == pytest.approx(3.0 * scale, rel=1e-3)
    assert torch.allclose(found.vertices.amax(0), torch.tensor([1 / 3, 1 / 6, 1 / 3]), atol=1e-3)
    assert torch.allclose(found.vertices.amin(0), -torch.tensor([1 / 3, 1 / 6, 1 / 3]), atol=1e-3)
    assert (len(found.vertices), len(found.faces)) == (8, 12)


@pytest.mark.parametrize("suffix", ["glb", "obj", "ply", "off", "stl"])
def test_every_format_gives_the_same_surface(tmp_path, suffix):
    BOX.export(tmp_path / f"box.{suffix}")
    found = read_surface(tmp_path / f"box.{suffix}")
    same_box(found)
    assert found.watertight


def test_a_scene_of_several_meshes_is_one_in_the_frame_of_its_root(tmp_path):
    scene = trimesh.Scene()
    for x in (0.0, 5.0):
        scene.add_geometry(BOX, transform=trimesh.transformations.translation_matrix((x, 0, 0)))
    scene.export(tmp_path / "two.glb")
    found = read_surface(tmp_path / "two.glb")
    assert len(found.faces) == 24
    assert torch.allclose(found.middle, torch.tensor([2.5, 0, 0]), atol=1e-6)


def test_draco_compressed_meshes_are_read(tmp_path):
    draco = pytest.importorskip("DracoPy")
    ball = trimesh.creation.icosphere(2)
    data = draco.encode(ball.vertices, ball.faces, quantization_bits=14)
    (tmp_path / "ball.drc").write_bytes(data)
    found = read_surface(tmp_path / "ball.drc")
    assert len(found.faces) == 320
    assert torch.allclose(found.vertices.norm(dim=1), torch.tensor(1 / 12**0.5), atol=1e-3)
    (tmp_path / "cut.drc").write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match=r"cut\.drc is not a readable mesh"):
        read_surface(tmp_path / "cut.drc")


def test_millimetres_give_the_same_surface():
    same_box(surface_of(np.array(BOX.vertices) * 1000, np.array(BOX.faces)), 1000.0)


def test_an_open_mesh_is_kept_and_said_to_be_open():
    found = surface_of(np.array(BOX.vertices), np.array(BOX.faces)[2:])
    assert len(found.faces) == 10
    assert not found.watertight


def test_a_huge_mesh_is_simplified():
    ball = trimesh.creation.icosphere(4)
    found = surface_of(np.array(ball.vertices), np.array(ball.faces), 500)
    assert 400 <= len(found.faces) <= 500
    radius = found.vertices.norm(dim=1) * found.diagonal
    assert torch.allclose(radius, torch.ones(len(radius)), atol=0.03)


def test_a_huge_file_is_not_read(tmp_path, monkeypatch):
    BOX.export(tmp_path / "box.ply")
    monkeypatch.setattr(surface, "LARGEST_FILE", 100)
    with pytest.raises(ValueError, match=r"box\.ply has \d+ bytes, at most 100 are read"):
        read_surface(tmp_path / "box.ply")


def broken(what):
    vertices, faces = np.array(BOX.vertices), np.array(BOX.faces)
    if what == "nan":
        vertices[0] = np.nan
    if what == "index":
        faces[0, 0] = 99
    if what == "flat":
        vertices[:, 1:] = 0
    if what == "point":
        vertices[:] = 1.0
    if what == "empty":
        faces = faces[:0]
    return vertices, faces


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("nan", "not finite"),
        ("index", "names a vertex that is not there"),
        ("flat", "is empty|no surface"),
        ("point", "it is empty: 0 triangles"),
        ("empty", "it is empty: 0 triangles"),
    ],
)
def test_what_is_no_surface_is_refused(what, said):
    with pytest.raises(ValueError, match=said):
        surface_of(*broken(what))


@pytest.mark.parametrize("data", [b"", b"ply\nformat ascii 1.0\nelement vertex 3", b"\x00\x01garbage"])
@pytest.mark.parametrize("suffix", ["glb", "obj", "ply", "stl"])
def test_a_file_that_is_no_mesh_is_named(tmp_path, data, suffix):
    path = tmp_path / f"bad.{suffix}"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=rf"bad\.{suffix}"):
        read_surface(path)


def test_a_mesh_with_few_triangles_is_not_simplified():
    vertices, faces = (
        torch.tensor(np.array(BOX.vertices), dtype=torch.float32),
        torch.tensor(np.array(BOX.faces)),
    )
    assert simplified(vertices, faces, 12)[1] is faces


@pytest.mark.parametrize(("shape", "volume"), [("ball", 4 / 3 * np.pi), ("ring", 2 * np.pi**2 * 0.09)])
def test_points_on_a_solid_are_spanned_by_its_surface(shape, volume):
    mesh = trimesh.creation.icosphere(4) if shape == "ball" else trimesh.creation.torus(1.0, 0.3)
    points = np.array(trimesh.sample.sample_surface_even(mesh, 900, seed=1)[0])
    found = trimesh.Trimesh(points, triangulate(points), process=False)
    assert found.volume == pytest.approx(volume, rel=0.12)  # turned outward, and the ring keeps its hole
    assert len(np.unique(found.faces)) > 0.97 * len(points)


def test_points_in_a_plane_span_no_solid():
    flat = np.random.default_rng(0).uniform(size=(40, 3)) * [1, 1, 0]
    with pytest.raises(ValueError, match="span no solid"):
        triangulate(flat)
