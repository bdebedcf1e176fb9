"""Surfaces the categories are made of: box, loft, revolve, tube, and the mirror."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import trimesh
from jaxtyping import Float

Vector = Sequence[float] | np.ndarray
Section = Float[np.ndarray, "corner 3"]


def join(*meshes: trimesh.Trimesh) -> trimesh.Trimesh:
    """Join several meshes to one."""
    offsets = np.cumsum([0] + [len(m.vertices) for m in meshes[:-1]])
    vertices = np.concatenate([m.vertices for m in meshes])
    faces = np.concatenate([m.faces + o for m, o in zip(meshes, offsets, strict=True)])
    return _mesh(vertices, faces)


def line(start: Vector, end: Vector, count: int = 3) -> Float[np.ndarray, "point 3"]:
    """Make a straight path of `count` points."""
    t = np.linspace(0, 1, count)[:, None]
    return np.asarray(start, float) * (1 - t) + np.asarray(end, float) * t


def mirror(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """Reflect the mesh at y = 0, facing outwards again."""
    return _mesh(mesh.vertices * [1, -1, 1], mesh.faces[:, ::-1])


def loft(sections: Sequence[Section], closed_ends: bool = True) -> trimesh.Trimesh:
    """Skin over closed sections with equally many corners, ordered counterclockwise when the next
    section comes towards the viewer. Ends are capped by fans around their mean."""
    rings = np.stack(sections)  # (S, K, 3)
    count, corners, _ = rings.shape
    s, k = np.meshgrid(np.arange(count - 1), np.arange(corners), indexing="ij")
    a, b = s * corners + k, s * corners + (k + 1) % corners
    c, d = a + corners, b + corners
    faces = [np.stack([a, b, d], -1).reshape(-1, 3), np.stack([a, d, c], -1).reshape(-1, 3)]
    vertices = [rings.reshape(-1, 3)]
    if closed_ends:
        base = count * corners
        for ring, turn in ((rings[0], -1), (rings[-1], 1)):
            # Caps own their vertices, so that shading keeps the edge.
            vertices.append(np.vstack([ring, ring.mean(0)]))
            i = np.arange(corners)
            fan = np.stack([i, (i + 1) % corners, np.full(corners, corners)], 1)[:, ::turn]
            faces.append(fan + base)
            base += corners + 1
    return _mesh(np.concatenate(vertices), np.concatenate(faces))


def box(
    low: Sequence[float], high: Sequence[float], taper: tuple[float, float] = (1.0, 1.0), shear: float = 0.0
) -> trimesh.Trimesh:
    """Make an axis-aligned box; the top is scaled by `taper` in x and y and moved by `shear` metres in x."""
    x0, y0, z0 = low
    x1, y1, z1 = high
    square = np.array([[x1, y0], [x1, y1], [x0, y1], [x0, y0]], float)
    top = (square - square.mean(0)) * taper + square.mean(0) + [shear, 0.0]
    return loft([np.c_[square, np.full(4, z0)], np.c_[top, np.full(4, z1)]])


def rounded(
    center: Sequence[float], u: Sequence[float], v: Sequence[float], exponent: float = 2.0, corners: int = 20
) -> Section:
    """Make a superellipse around `center` with half axes u and v: 2 is an ellipse, 6 nearly a rectangle."""
    t = (np.arange(corners) + 0.5) / corners * 2 * np.pi
    c, s = np.cos(t), np.sin(t)
    x, y = np.sign(c) * np.abs(c) ** (2 / exponent), np.sign(s) * np.abs(s) ** (2 / exponent)
    return np.asarray(center, float) + x[:, None] * np.asarray(u, float) + y[:, None] * np.asarray(v, float)


def revolve(
    profile: Sequence[tuple[float, float]],
    oval: tuple[float, float] = (1.0, 1.0),
    segments: int = 40,
    exponent: float = 2.0,
) -> trimesh.Trimesh:
    """Turn (radius, z) around z, from the bottom up outside (and down again inside, if hollow)."""
    rings = [
        rounded((0, 0, z), (max(r, 1e-5) * oval[0], 0, 0), (0, max(r, 1e-5) * oval[1], 0), exponent, segments)
        for r, z in profile
    ]
    return loft(rings)


def patch(grid: Float[np.ndarray, "row column 3"]) -> trimesh.Trimesh:
    """Make an open sheet through a grid of points."""
    rows, columns, _ = grid.shape
    r, c = np.meshgrid(np.arange(rows - 1), np.arange(columns - 1), indexing="ij")
    a = (r * columns + c).ravel()
    b, d = a + 1, a + columns
    faces = np.concatenate([np.stack([a, b, d + 1], 1), np.stack([a, d + 1, d], 1)])
    return _mesh(grid.reshape(-1, 3), faces)


def tube(
    path: Float[np.ndarray, "point 3"],
    radius: float | Vector,
    corners: int = 10,
    flatten: float = 1.0,
    exponent: float = 2.0,
) -> trimesh.Trimesh:
    """Sweep a round section along a path in metres; `flatten` scales it along its second axis,
    which starts closest to y."""
    path = np.asarray(path, float)
    radii = np.broadcast_to(np.asarray(radius, float), len(path))
    tangents = np.gradient(path, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    side = np.array([0.0, 1.0, 0.0]) if abs(tangents[0, 1]) < 0.9 else np.array([1.0, 0.0, 0.0])
    rings = []
    for point, tangent, r in zip(path, tangents, radii, strict=True):
        # Carried along the path, so the section does not twist.
        side = side - tangent * (side @ tangent)
        side /= np.linalg.norm(side)
        rings.append(rounded(point, r * np.cross(side, tangent), r * flatten * side, exponent, corners))
    return loft(rings)


def _mesh(vertices: np.ndarray, faces: np.ndarray) -> trimesh.Trimesh:
    return trimesh.Trimesh(vertices=vertices, faces=faces, process=False, validate=False)
