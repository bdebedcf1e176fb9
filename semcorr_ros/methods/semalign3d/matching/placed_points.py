"""From points placed in the camera frame to pixels, states and 3D: refine, test visibility, read depth."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from semcorr_ros.artifacts import Camera, Correspondences, DepthMap, KeypointState
from semcorr_ros.geometry import cameras, grid, measured_depth
from semcorr_ros.methods.semalign3d.artifacts import Alignment, ClassRepresentation, View
from semcorr_ros.methods.semalign3d.matching.local_evidence import image_radius, refine
from semcorr_ros.methods.semalign3d.matching.uncertainty import point_covariance
from semcorr_ros.methods.semalign3d.matching.visibility import visible_share

EDGE = 0.3  # object radii in which a keypoint on an outline has a pixel of the object
DEPTH_TOLERANCE = 0.35  # canonical units by which sensor and class may disagree about the same surface
HIDDEN = 0.3  # soft visibility below which a point counts as hidden by the object itself


@dataclass(frozen=True)
class PlacedPoints:
    """Points in the camera frame with the feature expected there."""

    xyz: Float[Tensor, "point 3"]  # depth units
    features: Float[Tensor, "point channel"]  # unit norm


def locate(model: ClassRepresentation, placed: PlacedPoints, view: View, sigma: float) -> Correspondences:
    """Find pixels, states, scores and 3D positions of placed points. sigma: see `local_evidence.refine`."""
    return found_at(placed, refine(model, view, placed.xyz, placed.features, sigma), view)


def found_at(placed: PlacedPoints, pixels: Float[Tensor, "point 2"], view: View) -> Correspondences:
    """Tell states, scores and 3D positions of placed points that were found at pixels."""
    aligned = view.aligned
    inside = _inside(pixels, aligned.camera)
    xyz = cameras.unproject(pixels, placed.xyz[:, 2], aligned.camera)
    hidden = visible_share(placed.xyz, aligned) < HIDDEN
    blind, empty = torch.ones_like(hidden), torch.zeros_like(hidden)
    if view.seen.depth is not None and aligned.metric:
        xyz, blocked, blind, empty = measure(xyz, pixels, aligned, view.seen.depth)
        hidden = hidden | blocked
    state = torch.full((len(pixels),), int(KeypointState.VISIBLE), device=pixels.device)
    state[blind] = int(KeypointState.NO_DEPTH)
    state[empty] = int(KeypointState.UNKNOWN)
    state[hidden] = int(KeypointState.OCCLUDED)
    state[~inside] = int(KeypointState.OUT_OF_IMAGE)
    if not aligned.metric:
        xyz = torch.full_like(xyz, torch.nan)
    nowhere = (state == int(KeypointState.NO_DEPTH)) | (state == int(KeypointState.UNKNOWN))
    xyz[nowhere] = torch.nan
    similarity = (grid.features_at(view.seen.features, pixels) * placed.features).sum(-1)
    score = aligned.confidence[0] * (0.5 + 0.5 * similarity.clamp(0, 1))
    return Correspondences(pixels, score, state, xyz, point_covariance(xyz, placed.xyz, state, aligned))


def unknown(found: Correspondences, rows: Bool[Tensor, "point"] | None = None) -> Correspondences:
    """Mark points as UNKNOWN, without position: all of them, or some rows."""
    state, xyz = found.state.clone(), found.xyz.clone()
    chosen = torch.ones_like(state, dtype=torch.bool) if rows is None else rows
    state[chosen] = int(KeypointState.UNKNOWN)
    xyz[chosen] = torch.nan
    return replace(found, state=state, xyz=xyz)


def measure(
    xyz: Float[Tensor, "point 3"],
    pixels: Float[Tensor, "point 2"],
    aligned: Alignment,
    depth: DepthMap,
) -> tuple[Float[Tensor, "point 3"], Bool[Tensor, "point"], Bool[Tensor, "point"], Bool[Tensor, "point"]]:
    """Replace the class's depth by the sensor's where both see the same surface.

    Near an edge, where the sensor sees only what is behind, the class's depth stays. Returns the points,
    which of them something nearer hides, which have no valid depth around them at all, and which are in
    empty space.
    """
    window = measured_depth.window(pixels, depth.values)
    tolerance = DEPTH_TOLERANCE * aligned.scale[0]
    difference = window - xyz[:, 2:]
    same = torch.isfinite(window) & (difference.abs() < tolerance)
    nearer = torch.isfinite(window) & (difference <= -tolerance)
    z = torch.where(same, window, torch.nan).nanmedian(-1).values
    measured = cameras.unproject(pixels, z, aligned.camera)
    blocked = ~same.any(-1) & (nearer.float().mean(-1) > 0.5)
    blind = ~torch.isfinite(window).any(-1)
    around = measured_depth.window(pixels, depth.values, reach=_reach(aligned))
    farther = around - xyz[:, 2:] > tolerance
    empty = farther.any(-1) & (farther | ~torch.isfinite(around)).all(-1)
    return torch.where(same.any(-1, keepdim=True), measured, xyz), blocked, blind, empty


def _reach(aligned: Alignment) -> int:
    """Choose how far from a keypoint a surface may be that it belongs to, pixels."""
    return max(measured_depth.WINDOW_PX, round(EDGE * image_radius(aligned)))


def _inside(pixels: Float[Tensor, "point 2"], camera: Camera) -> Bool[Tensor, "point"]:
    h, w = camera.size
    limit: Int[Tensor, "2"] = torch.tensor([w, h], device=pixels.device)
    return ((pixels > -0.5) & (pixels < limit - 0.5)).all(-1)
