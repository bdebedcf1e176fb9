"""Meshes of rendered objects whose pose is known, and folders of them as a provider elsewhere writes them."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import trimesh

from semcorr_lab.synthetic import categories
from semcorr_lab.synthetic.dataset import DatasetConfig, jobs, make_dataset, picture
from semcorr_lab.synthetic.instance import Instance
from semcorr_lab.synthetic.scene import SceneConfig
from semcorr_lab.synthetic.source import ProceduralSource
from semcorr_lab.synthetic.viewpoint import Viewpoint, frame_object
from semcorr_ros.mesh_prior.artifacts import PosedMesh
from semcorr_ros.mesh_prior.canonicalize import _about_z
from semcorr_ros.mesh_prior.coverage import draw
from semcorr_ros.mesh_prior.surface import surface_of

FACES = 600  # of a simplified object: it is drawn hundreds of times
QUIET = SceneConfig(size=(120, 160), clutter=False, occluders=False, truncation=False)


def joined(instance: Instance) -> trimesh.Trimesh:
    return trimesh.util.concatenate([part.mesh for part in instance.parts])


def posed(category: str, seed: int = 0, azimuth: float = 40.0, size=(120, 160)) -> PosedMesh:
    """A member of a class where it truly is before a camera."""
    instance = categories.load(category).generate(np.random.default_rng(seed))
    camera, pose = frame_object(instance.vertices, Viewpoint(azimuth, 25.0, fill=0.5), size)
    mesh = joined(instance)
    surface = surface_of(np.array(mesh.vertices), np.array(mesh.faces), FACES)
    rotation = torch.tensor(pose[:3, :3], dtype=torch.float32)
    translation = rotation @ surface.middle + torch.tensor(pose[:3, 3], dtype=torch.float32)
    scale = math.log(surface.diagonal)
    return PosedMesh(
        "one", category, surface.vertices, surface.faces, rotation, translation, scale, camera, True
    )


def shown(mesh: PosedMesh) -> torch.Tensor:
    return draw(mesh.in_camera()[None], mesh.faces, mesh.camera).face[0] >= 0


def turned_by(mesh: PosedMesh, degrees: int) -> PosedMesh:
    """The same surface in the image, its object frame turned."""
    return mesh.turned(_about_z(degrees))


def write_mesh_folder(root: Path, category: str, images: int, turns: dict[int, int] | None = None) -> Path:
    """A data set in `root`, and in `root/meshes` the true mesh of each image: 1.5 times too large, and those
    of `turns` turned by so many degrees. Returns the folder of meshes."""
    source, config = ProceduralSource((category,)), DatasetConfig((images, 0, 0), (0, 0, 0), 3, QUIET)
    make_dataset(root, source, config)
    folder = root / "meshes"
    folder.mkdir()
    for job in jobs(source, config):
        instance, rendering = picture(source, config, job)
        mesh, pose = joined(instance), rendering.camera_from_object
        turn = _about_z((turns or {}).get(job.index, 0)).double().numpy()
        mesh = mesh.simplify_quadric_decimation(face_count=FACES)
        mesh.vertices = mesh.vertices @ turn.T
        mesh.export(folder / f"{job.stem}.ply")
        content = {
            "rotation": (pose[:3, :3] @ turn.T).tolist(),
            "translation": pose[:3, 3].tolist(),
            "scale": 1.5,
            "axes": "object",
        }
        (folder / f"{job.stem}.json").write_text(json.dumps(content))
    return folder


def moved(mesh: PosedMesh, factor: float = 1.0, pixels: tuple[float, float] = (0.0, 0.0)) -> PosedMesh:
    """Another size, and so many pixels aside."""
    depth = mesh.translation[2]
    shift = torch.cat([torch.tensor(pixels) / mesh.camera.focal * depth, torch.zeros(1)])
    return replace(mesh, log_scale=mesh.log_scale + math.log(factor), translation=mesh.translation + shift)
