"""Providers of meshes: frames, units, and what is missing."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mesh_cases import posed, shown

from semcorr_ros.artifacts import FeatureMap, Observation
from semcorr_ros.geometry import rotations
from semcorr_ros.mesh_prior.reconstruction import MESHES
from semcorr_ros.mesh_prior.reconstruction.files import AXES, Files, FilesSettings
from semcorr_ros.mesh_prior.reconstruction.sam3d import Sam3d, Sam3dSettings, focal_of, mesh_of
from semcorr_ros.mesh_prior.refine import intersection_over_union
from semcorr_ros.observations import unannotated

TRUTH = posed("mug")
SAMPLE = replace(unannotated("mug", TRUTH.camera.size), name="one")
PLACED = TRUTH.in_camera()


def seen(camera=TRUTH.camera):
    features = FeatureMap(torch.ones(1, 1, 1), TRUTH.camera.size, "none")
    image = torch.zeros(*TRUTH.camera.size, 3, dtype=torch.uint8)
    return Observation(image, features, mask=shown(TRUTH), camera=camera)


def write(folder, vertices, content, name="one.ply"):
    import trimesh

    trimesh.Trimesh(np.asarray(vertices), TRUTH.faces.numpy(), process=False).export(folder / name)
    (folder / "one.json").write_text(json.dumps(content))
    return Files(FilesSettings(folder))


def pose(rotation=TRUTH.rotation, **more):
    content = {"rotation": rotation.tolist(), "translation": TRUTH.translation.tolist()}
    return content | {"scale": TRUTH.scale} | more


@pytest.mark.parametrize("axes", sorted(AXES))
def test_files_are_posed_whatever_their_axes(tmp_path, axes):
    """The same surface before the camera, and the same object frame."""
    vertices = TRUTH.vertices @ AXES[axes]  # x_file = axes^T x_object
    provider = write(tmp_path, vertices + 0.3, pose(TRUTH.rotation @ AXES[axes], axes=axes), "one.glb")
    found = provider.reconstruct(SAMPLE, seen())
    moved = PLACED + TRUTH.scale * (TRUTH.rotation @ AXES[axes] @ torch.full((3,), 0.3))
    order = lambda points: points[points[:, 0].argsort()].amax(0)  # noqa: E731
    assert torch.allclose(order(found.in_camera()), order(moved), atol=1e-4)
    assert torch.allclose(found.vertices.amax(0), TRUTH.vertices.amax(0), atol=1e-5)
    assert torch.allclose(found.rotation, TRUTH.rotation, atol=1e-5)
    assert found.log_scale == pytest.approx(TRUTH.log_scale, abs=1e-5)


def test_a_file_in_millimetres_with_a_pose_in_metres_is_understood_and_said(tmp_path):
    found = write(tmp_path, TRUTH.vertices * TRUTH.scale * 1000, pose(scale=1.0)).reconstruct(SAMPLE, seen())
    assert found.log_scale == pytest.approx(TRUTH.log_scale, abs=1e-4)
    assert "millimetres" in found.provenance["unit"]
    assert intersection_over_union(found, shown(TRUTH)) > 0.98


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (pose(scale=TRUTH.scale * 60), "times as large in the image as its mask"),
        (pose(scale=0.0), "is no size"),
        (pose(2 * TRUTH.rotation), "orthonormal"),
        (pose(-TRUTH.rotation), "mirrors"),
        (pose(axes="blender"), "axes must be one of object, gltf, got 'blender'"),
        (pose(pitch=3), "unknown key 'pitch'"),
        ({"rotation": TRUTH.rotation.tolist()}, 'needs "translation"'),
        (pose() | {"translation": [0, 0]}, "translation must be three numbers"),
        ({"quaternion": [0, 0, 0, 2], "translation": [0, 0, 1]}, "four numbers of norm 1"),
        (pose(K=[[1, 0, 0], [0, 1, 0], [0, 0, 1]]), "K must be in pixels"),
        ([], "expected an object"),
    ],
)
def test_a_pose_that_is_none_is_named_with_its_file(tmp_path, content, said):
    with pytest.raises(ValueError, match=said) as error:
        write(tmp_path, TRUTH.vertices, content).reconstruct(SAMPLE, seen())
    assert str(tmp_path / "one.") in str(error.value)


def test_what_is_missing_is_named(tmp_path):
    provider = Files(FilesSettings(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"no mesh .*one with one of \.glb"):
        provider.reconstruct(SAMPLE, seen())
    with pytest.raises(ValueError, match='has no "K", and the data set no camera for one'):
        write(tmp_path, TRUTH.vertices, pose()).reconstruct(SAMPLE, seen(None))
    with pytest.raises(ValueError, match="needs --mesh-dir"):
        Files(FilesSettings())


def sam3d_output():
    """As documented: PyTorch3D's camera, row vectors, w x y z, z-up local frame, glb exported y-up."""
    optical = torch.diag(torch.tensor([-1.0, -1.0, 1.0]))
    rows = (optical @ TRUTH.rotation).mT  # x_row = (scale * local) @ rows + t
    quat = rotations.to_quaternion(rows)
    x, y, z = TRUTH.vertices.T
    glb = SimpleNamespace(vertices=torch.stack([x, z, -y], 1).numpy(), faces=TRUTH.faces.numpy())
    h, w = TRUTH.camera.size
    u, v = torch.meshgrid(torch.arange(w / 2) * 2 + 0.5, torch.arange(h / 2) * 2 + 0.5, indexing="xy")
    depth = 2 + 0.01 * u
    rays = torch.stack([u - (w - 1) / 2, v - (h - 1) / 2], -1) / TRUTH.camera.focal
    points = torch.cat([-rays * depth[..., None], depth[..., None]], -1)
    points[3, 4] = torch.nan
    return {
        "rotation": quat[[3, 0, 1, 2]][None],
        "translation": (optical @ TRUTH.translation)[None],
        "scale": torch.full((1, 3), TRUTH.scale),
        "glb": glb,
        "pointmap": points,
    }


def test_sam3d_is_brought_to_our_frames():
    found = mesh_of(sam3d_output(), SAMPLE, None)
    assert torch.allclose(found.rotation, TRUTH.rotation, atol=1e-5)
    assert torch.allclose(found.vertices.amax(0), TRUTH.vertices.amax(0), atol=1e-5)
    assert torch.allclose(found.in_camera().amin(0), PLACED.amin(0), atol=1e-4)
    assert torch.allclose(found.camera.focal, TRUTH.camera.focal, rtol=1e-4)
    assert intersection_over_union(found, shown(TRUTH)) > 0.98
    assert mesh_of(sam3d_output(), SAMPLE, replace(TRUTH.camera)).camera.focal is TRUTH.camera.focal


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"glb": None}, "returned no 'glb'"),
        ({"scale": torch.tensor([[1.0, 2, 1]])}, "anisotropic"),
        ({"rotation": torch.full((1, 4), torch.nan)}, "expected 4 finite numbers"),
        ({"pointmap": None}, "no 'pointmap'"),
        ({"pointmap": torch.zeros(8, 8, 3)}, "0 usable points"),
    ],
)
def test_another_output_is_refused(change, said):
    with pytest.raises(ValueError, match=said):
        mesh_of(sam3d_output() | change, SAMPLE, None)


def test_a_point_map_with_its_axes_first_gives_the_same_focal_length():
    points = sam3d_output()["pointmap"]
    assert focal_of(points.permute(2, 0, 1), SAMPLE.size) == pytest.approx(focal_of(points, SAMPLE.size))


def test_an_installation_that_is_not_there_is_explained(tmp_path):
    with pytest.raises(ImportError, match=r"sam3d needs SAM 3D Objects: clone https://.*folder=DIR"):
        Sam3d(Sam3dSettings())
    with pytest.raises(FileNotFoundError, match=r"inference\.py: clone https://"):
        Sam3d(Sam3dSettings(tmp_path))


def test_an_installation_is_called_as_documented(tmp_path):
    (tmp_path / "notebook").mkdir()
    (tmp_path / "checkpoints/hf").mkdir(parents=True)
    (tmp_path / "checkpoints/hf/pipeline.yaml").write_text("x: 1\n")
    (tmp_path / "notebook/inference.py").write_text(
        "class Inference:\n"
        "    def __init__(self, config_path, compile=False): self.path = config_path\n"
        "    def __call__(self, image, mask, seed, pointmap=None):\n"
        "        assert image.dtype == 'uint8' and mask.dtype == bool and seed == 7\n"
        "        return {'seen': int(mask.sum())}\n"
    )
    provider = MESHES.load("sam3d").make({"folder": tmp_path, "seed": 7}, {"device": "cpu"})
    with pytest.raises(ValueError, match="returned no 'rotation', only seen"):
        provider.reconstruct(SAMPLE, seen())
