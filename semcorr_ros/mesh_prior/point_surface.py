"""Triangles over a cloud of surface points: the boundary of its solid alpha shape."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import sparse
from scipy.spatial import Delaunay, QhullError, cKDTree

GROWTH = 1.25  # of the radius, until the surface holds together
REACHED = 0.97  # share of the points that one piece must reach
FIRST = 1.0  # radius at first, in median distances to the sixth neighbour
NEIGHBOUR = 6


def triangulate(points: Float[np.ndarray, "V 3"]) -> Int[np.ndarray, "F 3"]:
    """Span a closed surface over points, counter-clockwise seen from outside.

    Of the Delaunay tetrahedra those are removed that a ball reaches from outside, through triangles that it
    fits through (alpha shapes, Edelsbrunner and Muecke 1994, hollows left in); the smallest ball that leaves
    one piece with nearly all points. Raises ValueError for points that span no solid.
    """
    if len(points) <= NEIGHBOUR:
        raise ValueError(f"{len(points)} points span no surface")
    try:
        found = Delaunay(points)
    except QhullError as error:
        raise ValueError(f"the points span no solid: {str(error).splitlines()[0]}") from error
    tetrahedra, neighbors = found.simplices, found.neighbors
    radius = np.stack([_circumradius(points[np.delete(tetrahedra, k, 1)]) for k in range(4)], 1)
    limit = FIRST * float(np.median(cKDTree(points).query(points, NEIGHBOUR + 1)[0][:, -1]))
    largest = float(radius[np.isfinite(radius)].max())
    while True:
        piece = _largest_piece(tetrahedra[~_reached(neighbors, radius > limit)], len(points))
        if len(np.unique(piece)) >= REACHED * len(points) or limit > largest:
            break
        limit *= GROWTH
    if not len(piece):
        raise ValueError("the points span no solid")
    return _boundary(piece, points)


def _circumradius(corners: Float[np.ndarray, "T 3 3"]) -> Float[np.ndarray, "T"]:
    a, b, c = (np.linalg.norm(corners[:, i] - corners[:, j], axis=1) for i, j in ((1, 2), (2, 0), (0, 1)))
    edges = corners[:, 1:] - corners[:, :1]
    area = np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=1)
    return a * b * c / np.maximum(2 * area, 1e-30)


def _reached(neighbors: Int[np.ndarray, "T 4"], passable: Bool[np.ndarray, "T 4"]) -> Bool[np.ndarray, "T"]:
    """Tell which tetrahedra are reached from outside; neighbour k lies beyond triangle k, -1 is outside."""
    count = len(neighbors)
    start, side = np.nonzero(passable)
    end = np.where(neighbors[start, side] < 0, count, neighbors[start, side])
    links = sparse.coo_matrix((np.ones(len(start), bool), (start, end)), (count + 1, count + 1))
    label = sparse.csgraph.connected_components(links, directed=False)[1]
    return label[:count] == label[count]


def _largest_piece(tetrahedra: Int[np.ndarray, "T 4"], count: int) -> Int[np.ndarray, "t 4"]:
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
