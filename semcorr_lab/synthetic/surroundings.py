"""What stands around the object: ground, walls, clutter, and occluders in front of it."""

from __future__ import annotations

import numpy as np
import trimesh
from jaxtyping import Float

from semcorr_lab.synthetic import shapes
from semcorr_lab.synthetic.instance import Instance, Part
from semcorr_lab.synthetic.texture import paint

_FLOOR_REACH = 60.0  # object sizes; beyond it the sky begins


def ground(rng: np.random.Generator, bounds: Float[np.ndarray, "2 3"], size: float) -> Part:
    """Make a large floor under the object, lengths in metres."""
    z = bounds[0, 2] - 0.002 * size
    reach = _FLOOR_REACH * size if rng.random() < 0.7 else rng.uniform(1.0, 3.0) * size
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * reach
    turn = _turn(rng.uniform(0, np.pi))
    vertices = np.c_[corners @ turn.T, np.full(4, z)]
    mesh = trimesh.Trimesh(vertices, [[0, 1, 2], [0, 2, 3]], process=False)
    return Part("ground", mesh, paint(rng, 2 * size), float(rng.uniform(0, 0.3)))


def wall(
    rng: np.random.Generator, bounds: Float[np.ndarray, "2 3"], size: float, away: Float[np.ndarray, "2"]
) -> Part:
    """Make a wall behind the object; `away` is the horizontal unit direction from camera to object."""
    direction = _turn(rng.normal(0, 0.35)) @ away
    middle = bounds.mean(0)[:2] + direction * size * rng.uniform(0.9, 5.0)
    along = np.array([-direction[1], direction[0]]) * _FLOOR_REACH * size
    low, high = bounds[0, 2] - size, bounds[1, 2] + 30 * size
    a, b = middle - along, middle + along
    vertices = np.array([[*a, low], [*b, low], [*b, high], [*a, high]])
    mesh = trimesh.Trimesh(vertices, [[0, 1, 2], [0, 2, 3]], process=False)
    return Part("wall", mesh, paint(rng, 2 * size), 0.0)


def clutter(
    rng: np.random.Generator,
    instance: Instance,
    away: Float[np.ndarray, "2"],
    others: tuple[Instance, ...],
    count: int,
) -> list[Part]:
    """Make things standing beside and behind the object on the same floor, never inside it."""
    bounds, size = instance.bounds, instance.size
    middle, floor = bounds.mean(0)[:2], bounds[0, 2]
    radius = float(np.linalg.norm(np.ptp(bounds, axis=0)[:2])) / 2
    parts: list[Part] = []
    for _ in range(count):
        height = size * rng.uniform(0.1, 0.7)
        # Mostly beside and behind: what stands in front is drawn by `occluder`.
        angle = rng.normal(0, 1.0) if rng.random() < 0.85 else rng.uniform(-np.pi, np.pi)
        spot = middle + _turn(angle) @ away * (radius + height * 0.75 + size * rng.uniform(0.02, 2.0))
        if others and rng.random() < 0.4:
            parts += _placed(rng, others[int(rng.integers(len(others)))], spot, floor, height)
        else:
            mesh = _thing(rng, height)
            mesh.apply_translation([*spot, floor - mesh.vertices[:, 2].min()])
            parts.append(Part("clutter", mesh, paint(rng, height), float(rng.uniform(0, 0.6))))
    return parts


def occluder(rng: np.random.Generator, instance: Instance, camera_center: Float[np.ndarray, "3"]) -> Part:
    """Make a bar, board or ball between the camera and a random place on the object."""
    vertices = instance.vertices
    aim = vertices[int(rng.integers(len(vertices)))]
    share = rng.uniform(0.45, 0.75)
    spot = camera_center + share * (aim - camera_center)
    width = instance.size * (1 - share) * rng.uniform(0.15, 0.32)
    mesh = _thing(rng, width)
    if rng.random() < 0.4:
        stretched = mesh.vertices * [1, 1, rng.uniform(2, 6)]
        mesh = trimesh.Trimesh(stretched, mesh.faces, process=False)
    turn = trimesh.transformations.random_rotation_matrix(rng.random(3))
    mesh.apply_transform(turn)
    mesh.apply_translation(spot - mesh.vertices.mean(0))
    return Part("occluder", mesh, paint(rng, width), float(rng.uniform(0, 0.6)))


def _thing(rng: np.random.Generator, height: float) -> trimesh.Trimesh:
    width, depth = height * rng.uniform(0.25, 1.0, 2)
    kind = int(rng.integers(5))
    if kind == 0:
        mesh = shapes.box((-width / 2, -depth / 2, 0), (width / 2, depth / 2, height))
    elif kind == 1:
        mesh = shapes.revolve([(width / 2, 0), (width / 2 * rng.uniform(0.2, 1.2), height)], segments=24)
    elif kind == 2:
        mesh = trimesh.creation.icosphere(3, radius=height / 2)
    elif kind == 3:
        radii = width / 2 * rng.uniform(0.3, 1.0, 6)
        mesh = shapes.revolve(list(zip(radii, np.linspace(0, height, 6), strict=True)), segments=24)
    else:
        z = np.linspace(0, height, 12)
        bend = width * np.sin(z / height * rng.uniform(1, 6))
        mesh = shapes.tube(np.c_[bend, 0.3 * bend, z], height * rng.uniform(0.03, 0.15))
    mesh.apply_transform(trimesh.transformations.rotation_matrix(rng.uniform(0, 2 * np.pi), [0, 0, 1]))
    return mesh


def _placed(
    rng: np.random.Generator, other: Instance, spot: Float[np.ndarray, "2"], floor: float, height: float
) -> list[Part]:
    scale = 1.3 * height / other.size
    center = np.array([*other.bounds.mean(0)[:2], other.bounds[0, 2]])
    turn = np.eye(3)
    turn[:2, :2] = _turn(rng.uniform(0, 2 * np.pi))
    parts = []
    for part in other.parts:
        vertices = scale * (part.mesh.vertices - center) @ turn.T + [*spot, floor]
        mesh = trimesh.Trimesh(vertices, part.mesh.faces, process=False)
        parts.append(Part("clutter", mesh, paint(rng, height), part.gloss))
    return parts


def _turn(angle: float) -> Float[np.ndarray, "2 2"]:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s], [s, c]])
