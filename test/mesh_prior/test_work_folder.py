"""Files of the stages: round trips, damage is noticed, settings are kept, a stage resumes."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from errands import put

from semcorr_ros.geometry import cameras, rotations
from semcorr_ros.mesh_prior.artifacts import PosedMesh
from semcorr_ros.mesh_prior.mesh_file import digest, read_mesh, write_mesh
from semcorr_ros.mesh_prior.stages import Skipped, each_image, jobs_of
from semcorr_ros.mesh_prior.work_folder import MESHES, REFINED, WorkFolder
from semcorr_ros.workers import Crew


def tetrahedron() -> PosedMesh:
    return PosedMesh(
        name="one",
        category="tetra",
        vertices=torch.tensor([[0.0, 0, 0], [0.1, 0, 0], [0, 1 / 3, 0], [0, 0, 0.7]]),
        faces=torch.tensor([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]]),
        rotation=rotations.from_vector(torch.tensor([0.3, -1.0, 0.2])),
        translation=torch.tensor([0.1, -0.2, 3.0]),
        log_scale=-0.7,
        camera=cameras.centered(500.0, (48, 64)),
        measures={"iou_before": 1 / 3},
        provenance={"provider": "files"},
    )


def test_a_mesh_comes_back_bit_by_bit(tmp_path):
    path = tmp_path / "meshes" / "one.ply"
    write_mesh(path, tetrahedron())
    first = path.read_bytes(), path.with_suffix(".json").read_bytes()
    found = read_mesh(path)
    for name in ("vertices", "faces", "rotation", "translation"):
        assert torch.equal(getattr(found, name), getattr(tetrahedron(), name)), name
    assert torch.equal(found.camera.focal, torch.tensor([500.0, 500.0]))
    for name in ("name", "category", "log_scale", "metric", "measures", "provenance"):
        assert getattr(found, name) == getattr(tetrahedron(), name), name
    write_mesh(path, found)
    assert (path.read_bytes(), path.with_suffix(".json").read_bytes()) == first


def test_turning_the_object_frame_leaves_the_surface_where_it_is():
    mesh = tetrahedron()
    turned = mesh.turned(rotations.from_vector(torch.tensor([0.0, 0.0, torch.pi / 2])))
    assert torch.allclose(turned.vertices[1], torch.tensor([0.0, 0.1, 0.0]), atol=1e-7)
    assert torch.allclose(turned.in_camera(), mesh.in_camera(), atol=1e-6)
    corner = torch.tensor(-0.7).exp() * mesh.rotation @ mesh.vertices[3] + mesh.translation
    assert torch.allclose(mesh.in_camera()[3], corner, atol=1e-6)


def test_damage_is_noticed(tmp_path):
    path = tmp_path / "one.ply"
    write_mesh(path, tetrahedron())
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"\x01")
    with pytest.raises(ValueError, match=r"one\.ply is damaged: the \.ply is not the one"):
        read_mesh(path)
    path.write_bytes(whole)
    path.with_suffix(".json").unlink()
    with pytest.raises(FileNotFoundError, match=r"one\.json"):
        read_mesh(path)
    write_mesh(path, replace(tetrahedron(), rotation=-torch.eye(3)))
    with pytest.raises(ValueError, match="not a proper rotation"):
        read_mesh(path)


def test_the_digest_tells_a_moved_mesh(tmp_path):
    write_mesh(tmp_path / "a.ply", tetrahedron())
    write_mesh(tmp_path / "b.ply", replace(tetrahedron(), log_scale=-0.6))
    assert digest(tmp_path / "a.ply") != digest(tmp_path / "b.ply")


def test_names_that_leave_the_folder_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"category '\.\./x'"):
        WorkFolder(tmp_path, "../x")
    with pytest.raises(ValueError, match="image 'a/b'"):
        WorkFolder(tmp_path, "mug").file(MESHES, "a/b")


def test_other_settings_are_refused(tmp_path):
    work = WorkFolder(tmp_path, "mug")
    work.settle(REFINED, {"steps": 10})
    work.settle(REFINED, {"steps": 10})
    with pytest.raises(ValueError, match=r"refined was made with steps=10, not 20.*--work"):
        work.settle(REFINED, {"steps": 20})
    assert work.names(REFINED, ".json") == []


@pytest.mark.parametrize("crew", [None, Crew(workers=1)])
def test_a_stage_makes_what_is_missing_and_names_what_fails(tmp_path, crew):
    (tmp_path / "b").write_text("b")
    (tmp_path / "c").write_text("damaged")
    jobs = jobs_of(["a", "b", "c", "bad"], partial(put, tmp_path))
    seen = []

    def valid(name):
        return (tmp_path / name).read_text() == name

    def tick():
        seen.append(1)

    report = each_image("test", list(jobs), valid, jobs, crew, tick)
    assert (report.made, report.kept, report.skipped) == (["a", "c"], ["b"], [Skipped("bad", "it is bad")])
    assert report.done == ["a", "b", "c"]
    assert len(seen) == 4
    again = each_image("test", list(jobs), valid, jobs, crew)
    assert (again.made, again.kept) == ([], ["a", "b", "c"])
