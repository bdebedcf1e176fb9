"""Distances along a surface: along edges by SciPy's Dijkstra, or by potpourri3d's heat method.

`graph` goes along edges, diagonals of unfolded pairs of faces, and bridges between the pieces of an object
that share no vertex (a wheel beside its car); near places cost little, however fine the mesh. `heat`
(geometry-central) measures the whole surface each time, and needs one piece. On a ball they are 1.7 % and
0.9 % off.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse
from scipy.sparse.csgraph import dijkstra

from semcorr_ros.mesh_prior.fine_surface import Surface, bridges, components, edges_of

GRAPH, HEAT = "graph", "heat"
ENGINES = (GRAPH, HEAT)


class Geodesics:
    """Measures on one surface; what was measured once is remembered."""

    def __init__(self, surface: Surface, limit: float = np.inf, engine: str = GRAPH) -> None:
        """limit: distances above it are infinite. engine: one of ENGINES.

        Raises ValueError for an unknown one.
        """
        if engine not in ENGINES:
            raise ValueError(f"geodesics are measured by one of {', '.join(ENGINES)}, not {engine!r}")
        self._surface, self._limit, self._engine = surface, limit, engine
        self._known: dict[int, tuple[np.ndarray, np.ndarray]] = {}  # vertices within the limit, how far

    def between(
        self, sources: Int[np.ndarray, "pair"], targets: Int[np.ndarray, "pair"]
    ) -> Float[np.ndarray, "pair"]:
        """Measure the distance of each pair of vertices, in diagonals of the surface's box.

        Raises ValueError for the heat method on a surface of several pieces.
        """
        wanted = np.unique(sources)
        missing = np.array([one for one in wanted.tolist() if one not in self._known], np.int64)
        if len(missing):
            rows = self._heat(missing) if self._engine == HEAT else self._along_edges(missing)
            for source, row in zip(missing.tolist(), rows / self._surface.diagonal, strict=True):
                near = np.flatnonzero(row <= self._limit)
                self._known[source] = near, row[near].astype(np.float32)
        found = np.full(len(sources), np.inf)
        for source in wanted.tolist():
            near, length = self._known[source]
            own = np.flatnonzero(sources == source)
            at = np.searchsorted(near, targets[own]).clip(max=len(near) - 1)
            hit = near[at] == targets[own]
            found[own[hit]] = length[at[hit]]
        return found

    def _heat(self, sources: Int[np.ndarray, "source"]) -> Float[np.ndarray, "source V"]:
        return np.array([self._solver.compute_distance(int(one)) for one in sources])

    @cached_property
    def _solver(self) -> Any:
        try:
            import potpourri3d  # `graph` does without
        except ImportError as error:
            extra = "pip install 'semcorr_ros[mesh_prior]'"
            raise ImportError(f"geodesics {HEAT!r} need the package 'potpourri3d': {extra}") from error
        pieces, _ = components(len(self._surface.vertices), edges_of(self._surface.faces)[0])
        if pieces > 1:
            raise ValueError(f"the mesh has {pieces} pieces, the heat method needs one: use {GRAPH!r}")
        return potpourri3d.MeshHeatMethodDistanceSolver(self._surface.vertices, self._surface.faces)

    def _along_edges(self, sources: Int[np.ndarray, "source"]) -> Float[np.ndarray, "source V"]:
        found: Float[np.ndarray, "source V"] = dijkstra(
            self._graph, directed=False, indices=sources, limit=self._limit * self._surface.diagonal
        )
        return found

    @cached_property
    def _graph(self) -> sparse.csr_matrix:
        vertices, faces = self._surface.vertices, self._surface.faces
        edges, sides = edges_of(faces)
        bridged = bridges(vertices, edges)
        plain = np.concatenate([edges, bridged])
        length = np.linalg.norm(vertices[plain[:, 0]] - vertices[plain[:, 1]], axis=1)
        across, diagonal = _across(vertices, faces, edges, sides)
        rows, columns = np.concatenate([plain, across]).T
        # Two vertices may be joined by more than one diagonal; the matrix would add these up.
        order = np.lexsort((np.concatenate([length, diagonal]), columns, rows))
        rows, columns, values = (one[order] for one in (rows, columns, np.concatenate([length, diagonal])))
        first = np.ones(len(rows), bool)
        first[1:] = (np.diff(rows) != 0) | (np.diff(columns) != 0)
        shape = (len(vertices), len(vertices))
        return sparse.csr_matrix((values[first], (rows[first], columns[first])), shape=shape)


def _across(
    vertices: np.ndarray, faces: np.ndarray, edges: np.ndarray, sides: np.ndarray
) -> tuple[Int[np.ndarray, "D 2"], Float[np.ndarray, "D"]]:
    """Join the corners that face each other across an edge, by the length in the unfolded pair of faces."""
    opposite = np.roll(faces, 1, axis=1).ravel()  # of the side from corner i to i + 1: corner i + 2
    order = np.argsort(sides.ravel(), kind="stable")
    edge, corner = sides.ravel()[order], opposite[order]
    twice = np.flatnonzero(edge[1:] == edge[:-1])
    e, a, b = edge[twice], corner[twice], corner[twice + 1]
    start, end = vertices[edges[e, 0]], vertices[edges[e, 1]]
    along = (end - start) / np.linalg.norm(end - start, axis=1, keepdims=True)

    def unfolded(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        away = vertices[corners] - start
        x = (away * along).sum(1)
        return x, np.linalg.norm(away - x[:, None] * along, axis=1)

    (ax, ay), (bx, by) = unfolded(a), unfolded(b)
    crossing = ax + (bx - ax) * ay / np.maximum(ay + by, 1e-12)
    inside = (crossing > 0) & (crossing < np.linalg.norm(end - start, axis=1)) & (a != b)
    pairs = np.sort(np.stack([a, b], 1)[inside], axis=1)
    return pairs, np.hypot(bx - ax, ay + by)[inside]
