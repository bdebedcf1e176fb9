"""Read a GLB file into parts with the colors it carries."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from jaxtyping import Float

from semcorr_lab.synthetic.instance import Part
from semcorr_lab.synthetic.texture import Skin, solid

_GRAY = np.full(3, 0.6, np.float32)
_GLOSS = 0.2


def load_parts(path: Path) -> tuple[Part, ...]:
    """Load all meshes of the file in its root frame. Raises ValueError for a file that is not a mesh."""
    try:
        scene = trimesh.load_scene(str(path))
        meshes = [mesh for mesh in scene.dump() if isinstance(mesh, trimesh.Trimesh) and len(mesh.faces)]
    except (ValueError, KeyError, IndexError, OSError) as error:
        raise ValueError(f"{path} is not a readable mesh: {error}") from error
    if not meshes:
        raise ValueError(f"{path} holds no triangles")
    return tuple(_part(mesh, path) for mesh in meshes)


def _part(mesh: trimesh.Trimesh, path: Path) -> Part:
    name = str(mesh.metadata.get("name", path.stem))
    bare = trimesh.Trimesh(np.array(mesh.vertices), np.array(mesh.faces), process=False)
    visual: Any = mesh.visual
    uv, material = getattr(visual, "uv", None), getattr(visual, "material", None)
    image = _image(material)
    if uv is not None and image is not None:
        # trimesh counts v upwards, image rows go down.
        corners = (np.asarray(uv) * [1, -1] + [0, 1])[mesh.faces]
        return Part(name, bare, solid(_GRAY), _GLOSS, Skin(image, corners.astype(np.float32)))
    if visual.kind in ("vertex", "face"):
        return Part(name, bare, solid(_GRAY), _GLOSS, _face_skin(visual.face_colors))
    return Part(name, bare, solid(_factor(material)), _GLOSS)


def _image(material: Any) -> Float[np.ndarray, "height width 3"] | None:
    picture = getattr(material, "baseColorTexture", None) or getattr(material, "image", None)
    if picture is None:
        return None
    return np.asarray(picture.convert("RGB"), np.float32) / 255 * _factor(material, np.ones(3, np.float32))


def _factor(material: Any, default: Float[np.ndarray, "3"] = _GRAY) -> Float[np.ndarray, "3"]:
    color = getattr(material, "baseColorFactor", None)
    if color is None and not hasattr(material, "baseColorTexture"):
        color = getattr(material, "main_color", None)
    if color is None:
        return default
    values = np.asarray(color)[:3]
    return (values / (255.0 if values.dtype.kind in "ui" else 1.0)).astype(np.float32)


def _face_skin(colors: np.ndarray) -> Skin:
    """Make a skin of one texel per face."""
    count = len(colors)
    u = (np.arange(count) + 0.5) / count
    corners = np.stack([np.repeat(u[:, None], 3, 1), np.full((count, 3), 0.5)], -1)
    return Skin((np.asarray(colors)[None, :, :3] / 255.0).astype(np.float32), corners)
