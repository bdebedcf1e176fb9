"""Render-and-compare: scale and translation for which the mesh's silhouette meets the object's mask.

Geometry Matters, 3.1. First attraction by distance transforms, which works where the two are disjoint, then
soft IoU, which is sharper.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from semcorr_ros.artifacts import Camera
from semcorr_ros.geometry.boxes import box_of
from semcorr_ros.geometry.cameras import project
from semcorr_ros.mesh_prior.artifacts import PosedMesh
from semcorr_ros.mesh_prior.coverage import draw
from semcorr_ros.mesh_prior.rasterizers import RASTERIZERS, SIGMA
from semcorr_ros.mesh_prior.surface import simplified
from semcorr_ros.mesh_prior.window import Target, target_of, window_around

LEAST_SHOWN = 0.2  # of the mesh's vertices inside the image: a start with less is moved onto the mask
MOST_RATIO = 4.0  # of mesh and mask in size: a start beyond is given the mask's size
DOUBTFUL = 0.25  # overlap loss that is left: above it, a start on the mask is tried as well
LEAST_MASK, MOST_MASK = 16, 0.98  # pixels; share of the image: others say nothing of where an object ends
ALIKE = 0.95  # IoU of a simplified mesh with the whole one
KEPT = (0.8, 0.9)  # of the moments, by Adam

Loss = Callable[[Tensor, Target], Tensor]


@dataclass(frozen=True)
class Resolution:
    """How long and how finely a phase renders."""

    steps: int
    side: int  # pixels of the longer side
    faces: int  # of the mesh at least, where it has as many
    sigma: float  # of the silhouette, see rasterizers/
    shift: float  # step of the translation, in widths of the window at the object's depth
    growth: float  # step of the log-scale


@dataclass(frozen=True)
class RefineConfig:
    """The two phases, and what is rewarded."""

    approach: Resolution = Resolution(50, 40, 250, 4 * SIGMA, 0.06, 0.02)  # from anywhere in the image
    attract: Resolution = Resolution(50, 40, 250, 4 * SIGMA, 0.02, 0.03)  # in a window around the two
    overlap: Resolution = Resolution(50, 64, 500, SIGMA, 0.01, 0.02)
    coverage: float = 10.0  # lambda of the reward for covering the mask's inside
    spill: float = (
        0.3  # weight of what is rendered beside the mask in the overlap, an occluder may be there; 1: IoU
    )
    dilation: float = 1.0  # of the mask, in pixels of the rendering
    rasterizer: str = "built_in"


def attraction(silhouette: Float[Tensor, "*b h w"], target: Target, coverage: float) -> Float[Tensor, "*b"]:
    """Compute L_DT: what is rendered outside by how far, what is not rendered inside by how deep; the reward
    is for what is rendered inside."""
    spilled = (silhouette * target.outside * target.known).mean((-2, -1))
    missed = ((1 - silhouette) * target.inside).mean((-2, -1))
    return spilled + missed - coverage * (silhouette * target.inside).mean((-2, -1))


def overlap(silhouette: Float[Tensor, "*b h w"], target: Target, spill: float) -> Float[Tensor, "*b"]:
    """Compute 1 - soft IoU, what is rendered beside the mask weighed by `spill`."""
    both = (silhouette * target.mask).sum((-2, -1))
    beside = (silhouette * (1 - target.mask) * target.known).sum((-2, -1))
    return 1 - both / (target.mask.sum() + spill * beside)


def intersection_over_union(mesh: PosedMesh, mask: Bool[Tensor, "height width"]) -> float:
    """Compare the rendered mesh with the mask in pixels of the image."""
    shown = draw(mesh.in_camera()[None], mesh.faces, mesh.camera).face[0] >= 0
    return float((shown & mask).sum() / (shown | mask).sum().clamp_min(1))


def refine(mesh: PosedMesh, mask: Bool[Tensor, "height width"], config: RefineConfig) -> PosedMesh:
    """Return the mesh with refined log-scale and translation; `measures` say iou_before and iou_after.

    Where little overlaps in the end, a start on the mask is tried too, and the best is taken: the given pose,
    where nothing is better.

    Raises ValueError for a mask that shows no outline, or of another size than the image.
    """
    check_mask(mask, mesh.camera)
    start = _shown(mesh, mask)
    tried = [_both_phases(start, mask, config)]
    if tried[0][1] > DOUBTFUL:
        tried.append(_both_phases(_onto(mesh, mask), mask, config))
        tried.append(
            _overlapped(start, mask, config, replace(config.overlap, steps=1, shift=0.0, growth=0.0))
        )
    best = min(range(len(tried)), key=lambda i: tried[i][1])
    found = tried[best][0]
    measures = {
        "iou_before": intersection_over_union(mesh, mask),
        "iou_after": intersection_over_union(found, mask),
        "moved_first": float(start is not mesh or best == 1),
    }
    return replace(found, measures=mesh.measures | measures)


def _both_phases(
    mesh: PosedMesh, mask: Bool[Tensor, "height width"], config: RefineConfig
) -> tuple[PosedMesh, float]:
    """Attract, then overlap; return the loss that is left as well."""
    for how in (config.approach, config.attract):
        mesh, _ = _descend(mesh, mask, config, lambda s, t: attraction(s, t, config.coverage), how)
    return _overlapped(mesh, mask, config, config.overlap)


def _overlapped(
    mesh: PosedMesh, mask: Bool[Tensor, "height width"], config: RefineConfig, how: Resolution
) -> tuple[PosedMesh, float]:
    return _descend(mesh, mask, config, lambda s, t: overlap(s, t, config.spill), how)


def check_mask(mask: Bool[Tensor, "height width"], camera: Camera) -> None:
    """Raises ValueError for a mask without an outline, or of another size than the image."""
    if tuple(mask.shape) != tuple(camera.size):
        raise ValueError(f"its mask is {tuple(mask.shape)}, its image {tuple(camera.size)} (h, w)")
    count = int(mask.sum())
    if count < LEAST_MASK:
        raise ValueError(f"its mask is empty: {count} pixels, at least {LEAST_MASK} are needed")
    if count > MOST_MASK * mask.numel():
        raise ValueError(f"its mask is full: {count} of {mask.numel()} pixels, so no outline is seen")


def _shown(mesh: PosedMesh, mask: Bool[Tensor, "height width"]) -> PosedMesh:
    """Move a mesh that is hardly in the image, or of quite another size, onto the mask: no gradient leads
    there."""
    width, height = box_of(mask)[2:]
    points, (h, w) = mesh.in_camera(), mesh.camera.size
    if bool((points[:, 2] > 0).all()):
        pixels = project(points, mesh.camera)
        inside = ((pixels >= 0) & (pixels <= torch.tensor([w - 1, h - 1]))).all(1)
        ratio = float((pixels.amax(0) - pixels.amin(0)).norm()) / math.hypot(width, height)
        if float(inside.float().mean()) >= LEAST_SHOWN and 1 / MOST_RATIO < ratio < MOST_RATIO:
            return mesh
    return _onto(mesh, mask)


def _onto(mesh: PosedMesh, mask: Bool[Tensor, "height width"]) -> PosedMesh:
    """Give a mesh the mask's size and place in the image."""
    x, y, width, height = box_of(mask)
    focal = float(mesh.camera.focal.mean())
    middle = torch.tensor([x + (width - 1) / 2, y + (height - 1) / 2])
    ray = torch.cat([(middle - mesh.camera.principal_point) / mesh.camera.focal, torch.ones(1)])
    # A depth in front of the camera is trusted, else the size.
    depth = float(mesh.translation[2])
    if depth <= mesh.scale / 2:
        depth = mesh.scale * max(1.0, focal / math.hypot(width, height))
    return replace(
        mesh, translation=ray * depth, log_scale=math.log(math.hypot(width, height) / focal * depth)
    )


def _descend(
    mesh: PosedMesh, mask: Bool[Tensor, "height width"], config: RefineConfig, loss: Loss, how: Resolution
) -> tuple[PosedMesh, float]:
    """Go down a loss by Adam from where the mesh is; return its last value as well. The depth stays: size
    answers for it."""
    render = RASTERIZERS.load(config.rasterizer).silhouettes
    window = window_around(mask, project(mesh.in_camera(), mesh.camera))
    target = target_of(mask, mesh.camera, window, how.side, config.dilation)
    vertices, faces = _coarse(mesh, target.camera, how.faces)
    turned = vertices @ mesh.rotation.mT
    unit = float(mesh.translation[2]) * max(window[2:]) / float(mesh.camera.focal.mean())
    rates = torch.tensor([how.growth, how.shift, how.shift])
    state, moments = torch.zeros(3), torch.zeros(2, 3)  # growth and shift; of their gradient
    value = torch.tensor(math.inf)
    for step in range(how.steps):
        state.requires_grad_()
        points = mesh.scale * state[0].exp() * turned + _moved(mesh, state, unit).translation
        value = loss(render(points[None], faces, target.camera, how.sigma), target).sum()
        (slope,) = torch.autograd.grad(value, state)
        moments, direction = _adam(moments, slope, step + 1)
        state = state.detach() - rates * (1 - 0.9 * step / how.steps) * direction
    found = replace(_moved(mesh, state, unit), log_scale=mesh.log_scale + float(state[0]))
    return found, float(value.detach())


def _adam(moments: Float[Tensor, "2 n"], slope: Float[Tensor, "n"], step: int) -> tuple[Tensor, Tensor]:
    """Update Adam's moments, and return them with the direction to go against.

    Written out: the first use of torch.optim imports the compiler, ten seconds for nothing.
    """
    keep = torch.tensor(KEPT)[:, None]
    moments = keep * moments + (1 - keep) * torch.stack([slope, slope**2])
    mean, square = moments / (1 - keep**step)
    return moments, mean / (square.sqrt() + 1e-12)


def _moved(mesh: PosedMesh, state: Float[Tensor, "3"], unit: float) -> PosedMesh:
    """Shift a mesh, differentiably; the depth stays."""
    return replace(mesh, translation=mesh.translation + torch.cat([state[1:] * unit, torch.zeros(1)]))


def _coarse(mesh: PosedMesh, camera: Camera, least: int) -> tuple[Tensor, Tensor]:
    """Simplify the mesh as far as its silhouette stays what it is."""
    whole = draw(mesh.in_camera()[None], mesh.faces, camera).face >= 0
    while least < len(mesh.faces):
        vertices, faces = simplified(mesh.vertices, mesh.faces, least)
        coarse = replace(mesh, vertices=vertices, faces=faces)
        shown = draw(coarse.in_camera()[None], faces, camera).face >= 0
        if float((shown & whole).sum()) >= ALIKE * float((shown | whole).sum()):
            return vertices, faces
        least *= 2
    return mesh.vertices, mesh.faces
