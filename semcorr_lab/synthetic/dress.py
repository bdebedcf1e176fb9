"""Give the bare shapes of an instance their looks, and pin keypoints to the surface."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import trimesh
from jaxtyping import Float

from semcorr_lab.synthetic.instance import Instance, Part
from semcorr_lab.synthetic.texture import Texture, paint
from semcorr_ros.artifacts import CategoryInfo

Shape = tuple[str, trimesh.Trimesh]  # part name, surface in the object frame
Point = tuple[float, float, float]  # x, y, z in metres, object frame

# Looks that real parts of this name mostly have; the rest of the time they are painted like any other.
_USUAL = {"wheel": ("noise", True), "window": ("gradient", True), "screen": ("mosaic", False)}
_USUAL |= {"label": ("writing", False), "cockpit": ("gradient", True)}
_USUAL_SHARE = 0.65
_SNAP_SHARE = 0.03  # of the object's size: farther away, a keypoint is a bug of its category


def dress(
    rng: np.random.Generator,
    info: CategoryInfo,
    shapes: Sequence[Shape],
    keypoints: Mapping[str, Sequence[float]],
) -> Instance:
    """Texture the shapes, order the keypoints as `info` does and move each to the nearest surface.

    Repeated parts (same name) mostly look alike; sometimes the whole object is of one look,
    sometimes each single part differs, so that no look tells parts or sides apart.
    """
    if set(keypoints) != set(info.keypoint_names):
        odd = sorted(set(keypoints) ^ set(info.keypoint_names))
        raise ValueError(f"{info.name}: keypoints {odd} are missing or not in INFO.keypoint_names")
    surface = np.concatenate([mesh.triangles for _, mesh in shapes])
    size = float(np.linalg.norm(np.ptp(surface.reshape(-1, 3), axis=0)))
    looks = _looks(rng, [name for name, _ in shapes], size)
    gloss = {name: float(rng.uniform(0.0, 0.7)) for name, _ in shapes}
    parts = [Part(name, mesh, look, gloss[name]) for (name, mesh), look in zip(shapes, looks, strict=True)]
    wanted = np.array([keypoints[name] for name in info.keypoint_names], float)
    return Instance(info.name, tuple(parts), _snap(wanted, surface, size, info))


def _looks(rng: np.random.Generator, names: list[str], size: float) -> list[Texture]:
    style = rng.random()
    if style < 0.1:
        return [paint(rng, size) for _ in names]
    main = paint(rng, size)
    by_name: dict[str, Texture] = {}
    for name in dict.fromkeys(names):
        kind, dark = _USUAL.get(name, (None, False))
        if name in _USUAL and rng.random() < _USUAL_SHARE:
            by_name[name] = paint(rng, 0.6 * size, kind, dark)
        elif style < 0.35 or rng.random() < 0.25:
            by_name[name] = main
        else:
            by_name[name] = paint(rng, size)
    return [by_name[name] for name in names]


def _snap(
    wanted: Float[np.ndarray, "keypoint 3"],
    surface: Float[np.ndarray, "face 3 3"],
    size: float,
    info: CategoryInfo,
) -> Float[np.ndarray, "keypoint 3"]:
    nearest = np.empty_like(wanted)
    for i, point in enumerate(wanted):
        candidates = trimesh.triangles.closest_point(surface, np.broadcast_to(point, (len(surface), 3)))
        distance = np.linalg.norm(candidates - point, axis=1)
        # One keypoint at a time keeps the memory small; ties go to the first face.
        nearest[i] = candidates[int(distance.argmin())]
        assert distance.min() < _SNAP_SHARE * size, (
            f"{info.name}: keypoint {info.keypoint_names[i]} is {distance.min():.4f} m off the surface"
        )
    return nearest
