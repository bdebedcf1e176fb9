"""Triangles over a cloud of surface points: the boundary of its alpha shape."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse
from scipy.spatial import Delaunay, QhullError, cKDTree

GROWTH = 1.25  # of the radius, until the surface holds together
REACHED = 0.97  # share of the points that one piece must reach
FIRST = 1.5  # radius at first, in median distances to the sixth neighbour
NEIGHBOUR = 6


def triangulate(points: Float[np.ndarray, "V 3"]) -> Int[np.ndarray, "F 3"]:
    """Span a closed surface over points, counter-clockwise seen from outside.

    Delaunay tetrahedra whose circumsphere is below a radius (Edelsbrunner and Muecke 1994), the smallest
    radius for which one piece reaches nearly all points. Raises ValueError for points that span no solid.
    """
    if len(points) <= NEIGHBOUR:
        raise ValueError(f"{len(points)} points span no surface")
    try:
        tetrahedra = Delaunay(points).simplices
    except QhullError as error:
        raise ValueError(f"the points span no solid: {str(error).splitlines()[0]}") from error
    radius = _circumradius(points[tetrahedra])
    step = float(np.median(cKDTree(points).query(points, NEIGHBOUR + 1)[0][:, -1]))
    limit, largest = FIRST * step, float(radius[np.isfinite(radius)].max())
    while True:
        kept = tetrahedra[radius <= limit]
        piece = _largest_piece(kept, len(points))
        if len(np.unique(piece)) >= REACHED * len(points) or limit > largest:
            break
        limit *= GROWTH
    if not len(piece):
        raise ValueError("the points span no solid")
    return _boundary(piece, points)


def _circumradius(corners: Float[np.ndarray, "T 4 3"]) -> Float[np.ndarray, "T"]:
    edges = corners[:, 1:] - corners[:, :1]
    square = (edges**2).sum(-1)
    volume = np.linalg.det(edges)
    a, b, c = edges.transpose(1, 0, 2)
    top = square[:, :1] * np.cross(b, c) + square[:, 1:2] * np.cross(c, a) + square[:, 2:] * np.cross(a, b)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.linalg.norm(top, axis=1) / (2 * np.abs(volume))
    return np.where(np.isfinite(found), found, np.inf)


def _largest_piece(tetrahedra: Int[np.ndarray, "T 4"], count: int) -> Int[np.ndarray, "T 4"]:
    """Keep the tetrahedra that hang together with most others, by common corners."""
    if not len(tetrahedra):
        return tetrahedra
    start, end = np.repeat(tetrahedra[:, 0], 3), tetrahedra[:, 1:].ravel()
    links = sparse.coo_matrix((np.ones(len(start), bool), (start, end)), (count, count))
    label = sparse.csgraph.connected_components(links, directed=False)[1][tetrahedra[:, 0]]
    return tetrahedra[label == np.bincount(label).argmax()]


def _boundary(tetrahedra: Int[np.ndarray, "T 4"], points: Float[np.ndarray, "V 3"]) -> Int[np.ndarray, "F 3"]:
    """Return the triangles that belong to one tetrahedron only, turned outward."""
    triangles = np.concatenate([np.delete(tetrahedra, k, 1) for k in range(4)])
    opposite = np.concatenate([tetrahedra[:, k] for k in range(4)])
    _, first, count = np.unique(np.sort(triangles, 1), axis=0, return_index=True, return_counts=True)
    alone = first[count == 1]
    triangles, opposite = triangles[alone], opposite[alone]
    a, b, c = points[triangles].transpose(1, 0, 2)
    inward = np.einsum("fx,fx->f", np.cross(b - a, c - a), points[opposite] - a) > 0
    triangles[inward] = triangles[inward][:, [0, 2, 1]]
    return triangles
