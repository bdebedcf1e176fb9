"""Meshes on their images: one row per image, a column per stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, UInt8
from torch import Tensor

from semcorr_ros.mesh_prior.artifacts import PosedMesh
from semcorr_ros.mesh_prior.views import shade, views_of

TILE, GAP, HEAD = 200, 6, 22  # pixels
MASK_COLOR, MESH_COLOR = (40, 200, 60), (235, 90, 30)
BLEND = 0.65


@dataclass(frozen=True)
class Row:
    """What is shown of an image; a stage that has not run is None."""

    image: UInt8[Tensor, "height width 3"]
    mask: Bool[Tensor, "height width"]
    mesh: PosedMesh
    refined: PosedMesh | None = None
    canonical: PosedMesh | None = None


def contact_sheet(rows: Sequence[Row]) -> UInt8[Tensor, "height width 3"]:
    """Draw image with mask (green), mesh before and after refinement, and the mesh from what is its front."""
    lines = [_line(row) for row in rows]
    return torch.from_numpy(np.concatenate(lines) if lines else np.full((TILE, TILE, 3), 255, np.uint8))


def _line(row: Row) -> np.ndarray:
    image = row.image.cpu().numpy()
    tiles = [_tile(_outlined(image, row.mask), row.mesh.name)]
    tiles.append(_tile(_with_mesh(image, row.mask, row.mesh), _overlap("start", row.refined, "iou_before")))
    if row.refined is not None:
        title = _overlap("refined", row.refined, "iou_after")
        tiles.append(_tile(_with_mesh(image, row.mask, row.refined), title))
    if row.canonical is not None:
        view = views_of(row.mesh.name, row.canonical.vertices, row.canonical.faces, TILE, 1)[0]
        found = row.canonical.measures
        title = f"front ({found['yaw_deg']:.0f} deg, {found['yaw_votes']:.0%})"
        tiles.append(_tile(view.image.numpy(), title))
    return np.concatenate(tiles, 1)


def _overlap(stage: str, refined: PosedMesh | None, measure: str) -> str:
    return stage if refined is None else f"{stage}, IoU {refined.measures[measure]:.2f}"


def _outlined(image: np.ndarray, mask: Bool[Tensor, "height width"]) -> np.ndarray:
    edges, _ = cv2.findContours(mask.numpy().astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    width = max(1, round(max(image.shape[:2]) / TILE))
    return np.asarray(cv2.drawContours(image.copy(), edges, -1, MASK_COLOR, width))


def _with_mesh(image: np.ndarray, mask: Bool[Tensor, "height width"], mesh: PosedMesh) -> np.ndarray:
    gray, shown = shade(mesh.in_camera(), mesh.faces, mesh.camera)
    tinted = gray.numpy() / 255.0 * np.array(MESH_COLOR) * 1.2
    mixed = np.where(shown.numpy()[..., None], BLEND * tinted + (1 - BLEND) * image, image)
    return _outlined(mixed.clip(0, 255).astype(np.uint8), mask)


def _tile(picture: np.ndarray, title: str) -> np.ndarray:
    """Fit a picture into a tile with a title above."""
    zoom = TILE / max(picture.shape[:2])
    size = max(1, round(picture.shape[1] * zoom)), max(1, round(picture.shape[0] * zoom))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR)
    tile = np.full((HEAD + TILE + GAP, TILE + GAP, 3), 255, np.uint8)
    top, left = HEAD + (TILE - size[1]) // 2, (TILE - size[0]) // 2
    tile[top : top + size[1], left : left + size[0]] = small
    cv2.putText(tile, title, (2, HEAD - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
    return tile
