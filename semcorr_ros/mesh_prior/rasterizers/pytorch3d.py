"""PyTorch3D's mesh rasterizer and soft silhouette shader; compiled for CPU and CUDA."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from pytorch3d.renderer import BlendParams, MeshRasterizer, PerspectiveCameras, RasterizationSettings
from pytorch3d.renderer.mesh.shader import SoftSilhouetteShader
from pytorch3d.structures import Meshes
from torch import Tensor

from semcorr_ros.artifacts import Camera
from semcorr_ros.mesh_prior.rasterizers import REACH, SIGMA, Rasterizer

LAYERS = 50  # triangles that count in a pixel, the nearest ones
TO_PYTORCH3D = (-1.0, -1.0, 1.0)  # optical axes (x right, y down) as theirs (x left, y up)


def silhouettes(
    vertices: Float[Tensor, "B V 3"], faces: Int[Tensor, "F 3"], camera: Camera, sigma: float = SIGMA
) -> Float[Tensor, "B h w"]:
    """Render the coverage of each pixel, differentiable in the vertices (camera frame)."""
    h, w = camera.size
    axes = torch.tensor(TO_PYTORCH3D, dtype=vertices.dtype, device=vertices.device)
    meshes = Meshes((vertices * axes).float(), faces.expand(len(vertices), -1, -1))
    settings = RasterizationSettings(
        image_size=(h, w),
        blur_radius=REACH * sigma,
        faces_per_pixel=LAYERS,
        bin_size=0,  # the coarse pass drops triangles where there are many
        cull_to_frustum=False,
    )
    # Their pixel (0, 0) has its corner at 0, ours its centre.
    center = camera.principal_point.to(vertices).float() + 0.5
    theirs = PerspectiveCameras(
        focal_length=camera.focal.to(vertices).float()[None],
        principal_point=center[None],
        image_size=torch.tensor([[h, w]], device=vertices.device),
        in_ndc=False,
        device=vertices.device,
    )
    fragments = MeshRasterizer(theirs, settings)(meshes)
    shader = SoftSilhouetteShader(blend_params=BlendParams(sigma=sigma))
    return shader(fragments, meshes)[..., 3].to(vertices)


PLUGIN = Rasterizer(silhouettes)
