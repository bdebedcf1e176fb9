"""The mesh of an aligned class: its triangles are those of the class, its place that of the alignment."""

from dataclasses import replace

import pytest
import torch
from methods.semalign3d.alignment import fabricated

from semcorr_ros.errors import BackboneMismatchError
from semcorr_ros.mesh_prior.reconstruction import MESHES
from semcorr_ros.mesh_prior.reconstruction.class_mesh import ClassMesh, ClassMeshSettings
from semcorr_ros.mesh_prior.refine import intersection_over_union
from semcorr_ros.methods.semalign3d.class_file import write_class
from semcorr_ros.observations import unannotated

QUICK = "optimize: {steps: 40}\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("class")
    representation = fabricated.make_class()
    write_class(folder / "pear.safetensors", representation)
    (folder / "quick.yaml").write_text(QUICK)
    settings = {"class_file": folder / "pear.safetensors", "quality": str(folder / "quick.yaml")}
    return representation, MESHES.load("class_mesh").make(settings, {"device": "cpu"})


def test_a_class_is_meshed_where_it_is_aligned(made):
    representation, provider = made
    meshes = []
    for azimuth in (40, 120):
        seen = fabricated.observe(representation, azimuth, 20)[0]
        sample = replace(unannotated("pear", seen.features.image_size), name=f"at{azimuth}")
        mesh = provider.reconstruct(sample, seen)
        assert (mesh.name, mesh.category) == (sample.name, "pear")
        assert intersection_over_union(mesh, seen.mask) > 0.7
        assert torch.allclose((mesh.vertices.amax(0) - mesh.vertices.amin(0)).norm(), torch.tensor(1.0))
        assert torch.allclose(mesh.vertices.amax(0), -mesh.vertices.amin(0), atol=1e-5)
        assert 0 <= mesh.measures["confidence"] <= 1
        meshes.append(mesh)
    assert torch.equal(meshes[0].faces, meshes[1].faces)
    assert torch.equal(provider.reconstruct(sample, seen).vertices, meshes[1].vertices)


def test_its_surface_is_turned_outward(made):
    representation, provider = made
    seen = fabricated.observe(representation, 40, 20)[0]
    mesh = provider.reconstruct(replace(unannotated("pear", seen.features.image_size), name="a"), seen)
    a, b, c = mesh.vertices[mesh.faces].unbind(1)
    assert float((torch.linalg.cross(a, b) * c).sum()) > 0  # six times the volume


def test_another_backbone_is_refused(made):
    representation, provider = made
    seen = fabricated.observe(representation, 40, 20)[0]
    other = replace(seen, features=replace(seen.features, backbone="other:1"))
    with pytest.raises(BackboneMismatchError, match="other:1"):
        provider.reconstruct(unannotated("pear", seen.features.image_size), other)


def test_a_class_file_must_be_given():
    with pytest.raises(ValueError, match="needs --class-file"):
        ClassMesh(ClassMeshSettings())
