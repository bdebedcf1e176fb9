"""Read a GLB file into parts with the colors it carries."""

from __future__ import annotations

import json
import struct
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from jaxtyping import Float

from semcorr_lab.synthetic.instance import Part
from semcorr_lab.synthetic.texture import Skin, solid

DRACO = "KHR_draco_mesh_compression"
GLB = struct.Struct("<4sIIII")  # magic, version, length; length and kind of the first chunk
MOST_TRIANGLES = 5_000_000
FARTHEST = 1e7  # of a vertex, in any unit
_GRAY = np.full(3, 0.6, np.float32)
_GLOSS = 0.2


def load_parts(path: Path) -> tuple[Part, ...]:
    """Load all meshes of the file in its root frame. Raises ValueError for a file that is not a mesh."""
    _check_header(path)
    try:
        scene = trimesh.load_scene(str(path))
        meshes = [mesh for mesh in scene.dump() if isinstance(mesh, trimesh.Trimesh) and len(mesh.faces)]
    except Exception as error:  # trimesh raises anything for a damaged file
        raise ValueError(f"{path} is not a readable mesh: {error or type(error).__name__}") from error
    if not meshes:
        raise ValueError(f"{path} holds no triangles")
    count = sum(len(mesh.faces) for mesh in meshes)
    if count > MOST_TRIANGLES:
        raise ValueError(f"{path} has {count} triangles, {MOST_TRIANGLES} at most: simplify it first")
    for mesh in meshes:
        corners = np.asarray(mesh.vertices)
        if not (np.isfinite(corners).all() and (np.abs(corners) < FARTHEST).all()):
            raise ValueError(f"{path} has vertices that are no places: NaN, infinite or beyond {FARTHEST:g}")
    return tuple(_part(mesh, path) for mesh in meshes)


def _check_header(path: Path) -> None:
    """Refuse at once what trimesh would read for minutes, or as something else. Raises ValueError."""
    if path.suffix.lower() != ".glb":
        return
    with path.open("rb") as file:
        head = file.read(GLB.size)
        if len(head) < GLB.size or not head.startswith(b"glTF"):
            raise ValueError(f"{path} is no GLB file")
        _, _, length, size, _ = GLB.unpack(head)
        if path.stat().st_size < length:
            raise ValueError(f"{path} is cut off: {path.stat().st_size} of {length} bytes")
        try:
            tree = json.loads(file.read(size))
            needed = [*tree.get("extensionsRequired", ()), *tree.get("extensionsUsed", ())]
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"{path} is not a readable mesh: {error}") from error
    if DRACO in needed and find_spec("DracoPy") is None:
        raise ValueError(
            f"{path} is compressed by Draco: pip install 'semcorr_ros[draco]', or write it without (Blender: "
            "glTF export, Data, Compression off; gltf-transform: copy in.glb out.glb)"
        )
    for one in ("EXT_meshopt_compression", "KHR_meshopt_compression"):
        if one in needed:
            raise ValueError(f"{path} is compressed by {one}, which is not supported: export it without")


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
