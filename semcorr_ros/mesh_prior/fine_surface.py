"""A mesh as a surface to measure on: short edges, no double vertices, and what is apart bridged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse
from scipy.spatial import cKDTree

from semcorr_ros.mesh_prior.artifacts import PosedMesh

LONGEST = 0.05  # edge, in diagonals of the mesh's box
MOST = 60_000  # vertices: a finer mesh is not split any further
_SAME = 1e-6  # diagonals


@dataclass(frozen=True)
class Surface:
    """Vertices and faces that lengths are measured on."""

    vertices: Float[np.ndarray, "V 3"]  # object frame of the mesh
    faces: Int[np.ndarray, "F 3"]

    @property
    def diagonal(self) -> float:
        """Return the diagonal of the box, object units."""
        return float(np.linalg.norm(np.ptp(self.vertices, axis=0)))


def surface_of(mesh: PosedMesh, longest: float = LONGEST) -> tuple[Surface, sparse.csr_matrix]:
    """Weld the vertices of a mesh and split its edges until none is longer than `longest` diagonals.

    Also returns (V, vertices of the mesh) weights: values at the mesh's own vertices, such as descriptors,
    become values of the surface's. Raises ValueError for a mesh without area.
    """
    vertices, faces = mesh.vertices.double().numpy(), mesh.faces.numpy()
    diagonal = float(np.linalg.norm(np.ptp(vertices[faces.ravel()], axis=0)))
    if not diagonal > 0:
        raise ValueError("the mesh is a single point")
    vertices, faces, weights = _welded(vertices, faces, _SAME * diagonal)
    if not len(faces):
        raise ValueError("the mesh has no area")
    while len(vertices) < MOST:
        split = _split(vertices, faces, longest * diagonal)
        if split is None:
            break
        faces, middles = split
        vertices, weights = middles @ vertices, sparse.csr_matrix(middles @ weights)
    return Surface(vertices, faces), weights


def edges_of(faces: Int[np.ndarray, "F 3"]) -> tuple[Int[np.ndarray, "E 2"], Int[np.ndarray, "F 3"]]:
    """List the edges once, and the three of each face, from corner i to i + 1."""
    every = np.sort(np.stack([faces, np.roll(faces, -1, axis=1)], -1).reshape(-1, 2), axis=1)
    edges, rows = np.unique(every, axis=0, return_inverse=True)
    return edges, rows.reshape(-1, 3)


def components(count: int, edges: Int[np.ndarray, "E 2"]) -> tuple[int, Int[np.ndarray, "V"]]:
    """Number the connected pieces of `count` vertices."""
    graph = sparse.coo_matrix((np.ones(len(edges)), edges.T), shape=(count, count))
    found: tuple[int, Int[np.ndarray, "V"]] = sparse.csgraph.connected_components(graph, directed=False)
    return found


def bridges(vertices: Float[np.ndarray, "V 3"], edges: Int[np.ndarray, "E 2"]) -> Int[np.ndarray, "B 2"]:
    """Join the pieces of a mesh: each to its nearest neighbour, until all are one.

    A wheel and its car are one object though they share no vertex.
    """
    found = np.zeros((0, 2), np.int64)
    while True:
        count, piece = components(len(vertices), np.concatenate([edges, found]))
        if count == 1:
            return found
        new = []
        for one in range(count):
            own, others = np.flatnonzero(piece == one), np.flatnonzero(piece != one)
            distance, nearest = cKDTree(vertices[others]).query(vertices[own])
            best = int(distance.argmin())
            new.append(sorted((int(own[best]), int(others[nearest[best]]))))
        found = np.concatenate([found, np.unique(np.array(new), axis=0)])


def _welded(
    vertices: np.ndarray, faces: np.ndarray, distance: float
) -> tuple[np.ndarray, np.ndarray, sparse.csr_matrix]:
    """Merge vertices at one place, and drop faces without area and vertices without a face."""
    cells = np.round(vertices / distance).astype(np.int64)
    _, first, rows = np.unique(cells, axis=0, return_index=True, return_inverse=True)
    faces = rows.reshape(-1)[faces]
    corners = np.sort(faces, axis=1)
    faces = faces[(np.diff(corners, axis=1) > 0).all(1)]
    used, faces = np.unique(faces, return_inverse=True)
    kept = first[used]
    ones = (np.ones(len(kept)), (np.arange(len(kept)), kept))
    return vertices[kept], faces.reshape(-1, 3), sparse.csr_matrix(ones, shape=(len(kept), len(vertices)))


def _split(
    vertices: np.ndarray, faces: np.ndarray, longest: float
) -> tuple[np.ndarray, sparse.csr_matrix] | None:
    """Halve long edges, the same for both of their faces; None where there are none."""
    edges, sides = edges_of(faces)
    length = np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1)
    # The longest edge of each face that has a long one: faces stay well shaped.
    own = length[sides]
    worst = sides[np.arange(len(faces)), own.argmax(1)][own.max(1) > longest]
    if not len(worst):
        return None
    long = np.zeros(len(edges), bool)
    long[worst] = True
    row = np.full(len(edges), -1)
    row[long] = len(vertices) + np.arange(long.sum())
    halves = np.full((int(long.sum()), 2), 0.5)
    where = (np.repeat(np.arange(long.sum()), 2), edges[long].ravel())
    middle = sparse.csr_matrix((halves.ravel(), where), shape=(int(long.sum()), len(vertices)))
    middles = sparse.vstack([sparse.eye(len(vertices)), middle]).tocsr()
    return _refined(faces, row[sides]), middles


def _refined(faces: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """Cut faces through the middles of their sides (-1: not halved)."""
    count = (middle >= 0).sum(1)
    found = [faces[count == 0]]
    for i in range(3):  # one side, after turning it to the front
        f, m = np.roll(faces, -i, axis=1), np.roll(middle, -i, axis=1)
        one = (count == 1) & (m[:, 0] >= 0)
        a, b, c, x = f[one, 0], f[one, 1], f[one, 2], m[one, 0]
        found += [np.stack([a, x, c], 1), np.stack([x, b, c], 1)]
        two = (count == 2) & (m[:, 2] < 0)
        a, b, c, x, y = f[two, 0], f[two, 1], f[two, 2], m[two, 0], m[two, 1]
        found += [np.stack([x, b, y], 1), np.stack([a, x, y], 1), np.stack([a, y, c], 1)]
    three = count == 3
    (a, b, c), (x, y, z) = faces[three].T, middle[three].T
    found += [np.stack(t, 1) for t in ((a, x, z), (x, b, y), (y, c, z), (x, y, z))]
    return np.concatenate(found)
