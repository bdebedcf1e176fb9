"""Instances from GLB meshes and a list of their keypoints (`instances.json`).

The list holds objects {category, instance, file, keypoints: {name: [x, y, z]}, note}. Meshes stand
in the object frame (x front, y left, z up, metres), or in another one (mesh_frame.py). A note
"same mesh as X" keeps a recolored shape on the side of the split where X is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from jaxtyping import Float

from semcorr_lab.synthetic.categories import flip_table, mirrored_name
from semcorr_lab.synthetic.glb import load_parts
from semcorr_lab.synthetic.instance import Instance, Part
from semcorr_lab.synthetic.mesh_frame import AUTO, MeshFrame, frame_of
from semcorr_lab.synthetic.raycast import RayCaster
from semcorr_ros.artifacts import CategoryInfo
from semcorr_ros.storage import read_json

MIN_KEYPOINTS = 4  # fewer do not span a shape in 3D
_MIN_SHAPES = 2  # one to train, another one to test on
_TEST_SHARE = 0.4
_LOPSIDED = 0.1  # of the largest distance between keypoints
_REACH = 0.06  # of the object's size
_DIRECTIONS = 200
_OPEN = 0.3  # share of directions; the back of a wheel is seen from fewer
_LIFT = 1e-3  # of the object's size: start of the test rays above the surface


@dataclass(frozen=True)
class MeshEntry:
    """One mesh of the list."""

    category: str
    name: str
    path: Path
    keypoints: tuple[tuple[str, tuple[float, float, float]], ...]  # metres, object frame
    shape: str  # name of the first mesh with this shape
    frame: MeshFrame = field(default_factory=MeshFrame)


@dataclass(frozen=True)
class MeshSource:
    """Meshes that take turns in the images of their split."""

    entries: tuple[MeshEntry, ...]

    def infos(self) -> dict[str, CategoryInfo]:
        """Describe the categories.

        Names are all keypoints that two or more shapes have; sides come from the names.
        """
        return {category: _info(category, self._of(category)) for category in sorted(self._categories())}

    def instance(self, category: str, split: str, index: int, rng: np.random.Generator) -> Instance:
        """Load mesh number `index` of the split, modulo their number."""
        shown = split_entries(self._of(category), split)
        entry = shown[index % len(shown)]
        return _load(entry, self.infos()[category].keypoint_names)

    def clutter(self, category: str, rng: np.random.Generator) -> tuple[Instance, ...]:
        """Return none, only plain boxes, balls and tubes stand around: meshes cannot be repainted."""
        return ()

    def _categories(self) -> set[str]:
        return {entry.category for entry in self.entries}

    def _of(self, category: str) -> list[MeshEntry]:
        return [entry for entry in self.entries if entry.category == category]


def open_meshes(
    root: Path,
    keypoints: Path,
    categories: list[str] | None = None,
    axes: str = AUTO,
    unit: str = AUTO,
) -> tuple[MeshSource, list[str]]:
    """Find the usable meshes of a folder, and one sentence about each that is not.

    Raises FileNotFoundError or ValueError when nothing usable is left or the list is malformed.
    """
    items = read_json(keypoints)
    if not isinstance(items, list):
        raise ValueError(f"{keypoints}: expected a list of meshes, got {type(items).__name__}")
    listed = [_entry(root, item, keypoints) for item in items]
    known = sorted({entry.category for entry in listed})
    unknown = sorted(set(categories or []) - set(known))
    if unknown:
        raise ValueError(f"{keypoints} has no category {unknown[0]!r}; it has {', '.join(known)}")
    usable: list[MeshEntry] = []
    skipped: list[str] = []
    for category in categories or known:
        members = [entry for entry in listed if entry.category == category]
        framed = [_framed(entry, axes, unit) for entry in members]
        checked = [_without_lopsided(entry) for entry, _ in framed if entry is not None]
        skipped += [problem for _, problem in [*framed, *checked] if problem]
        good, problems = _usable(category, [entry for entry, _ in checked])
        usable += good
        skipped += problems
    if not usable:
        raise ValueError(f"no usable mesh in {keypoints}: {'; '.join(skipped)}")
    return MeshSource(tuple(usable)), skipped


def split_entries(entries: list[MeshEntry], split: str) -> list[MeshEntry]:
    """List the members of a split. Shapes of test are never in trn or val; val differs from trn too, unless
    there are fewer than four shapes."""
    shapes = sorted({entry.shape for entry in entries})
    test = shapes[:: max(round(1 / _TEST_SHARE), 2)]
    rest = [shape for shape in shapes if shape not in test]
    val = rest[:1] if len(shapes) >= 4 else rest
    chosen = {"test": test, "val": val, "trn": [s for s in rest if len(shapes) < 4 or s not in val]}[split]
    return [entry for entry in entries if entry.shape in chosen]


def _framed(entry: MeshEntry, axes: str, unit: str) -> tuple[MeshEntry | None, str]:
    """Read the mesh, and convert its keypoints to our axes and metres; None for one that cannot be used."""
    if len(entry.keypoints) < MIN_KEYPOINTS or not entry.path.is_file():
        return entry, ""  # named by `_usable`
    points = {name: np.array(xyz) for name, xyz in entry.keypoints}
    try:
        corners = np.concatenate([np.asarray(part.mesh.vertices) for part in load_parts(entry.path)])
        extent = float(np.linalg.norm(np.ptp(corners, axis=0)))
        frame, guess = frame_of(points, extent, axes, unit)
        _check_beside(frame.points(np.array(list(points.values()))), frame.vertices(corners))
    except (ValueError, OSError) as error:
        return None, f"{entry.category}/{entry.name}: skipped, {error}"
    moved = tuple((name, tuple(frame.points(xyz).tolist())) for name, xyz in points.items())
    told = f"{entry.category}/{entry.name}: {guess}" if guess else ""
    return replace(entry, keypoints=moved, frame=frame), told


def _check_beside(points: Float[np.ndarray, "keypoint 3"], corners: Float[np.ndarray, "corner 3"]) -> None:
    """Raises ValueError where most keypoints are not at the mesh: they have other axes, or another origin."""
    low, high = corners.min(0), corners.max(0)
    away = np.linalg.norm(np.maximum(low - points, points - high).clip(min=0), axis=1)
    beside = int((away > _REACH * np.linalg.norm(high - low)).sum())
    if 2 * beside > len(points):
        raise ValueError(
            f"{beside} of {len(points)} keypoints are outside of the mesh: list them in the axes and from the"
            " origin of the file"
        )


def _entry(root: Path, item: Any, where: Path) -> MeshEntry:
    if not isinstance(item, dict) or not isinstance(item.get("keypoints"), dict):
        raise ValueError(f"{where}: an entry is no object with 'keypoints': {str(item)[:120]}")
    missing = [key for key in ("category", "instance", "file") if not isinstance(item.get(key), str)]
    if missing:
        raise ValueError(f"{where}: an entry has no {missing[0]!r}: {str(item)[:120]}")
    same = re.search(r"same mesh as (\S+?)[,;.]?(\s|$)", str(item.get("note", "")))
    points = tuple((name, _xyz(name, xyz, where)) for name, xyz in item["keypoints"].items())
    shape = same.group(1) if same else item["instance"]
    return MeshEntry(item["category"], item["instance"], root / item["file"], points, shape)


def _xyz(name: str, xyz: Any, where: Path) -> tuple[float, float, float]:
    if isinstance(xyz, list) and len(xyz) == 3 and all(type(v) in (int, float) and abs(v) < 1e9 for v in xyz):
        return float(xyz[0]), float(xyz[1]), float(xyz[2])
    raise ValueError(f"{where}: keypoint {name!r} must be 3 numbers, got {str(xyz)[:80]}")


def _without_lopsided(entry: MeshEntry) -> tuple[MeshEntry, str]:
    """Drop left/right pairs that are not mirror images: one of the two must be wrong."""
    points = {name: np.array(xyz) for name, xyz in entry.keypoints}
    size = max((float(np.linalg.norm(a - b)) for a in points.values() for b in points.values()), default=0.0)
    bad = {
        name
        for name, xyz in points.items()
        for other in (mirrored_name(name),)
        if other in points and np.linalg.norm(points[other] * [1, -1, 1] - xyz) > _LOPSIDED * size
    }
    if not bad:
        return entry, ""
    kept = tuple((name, xyz) for name, xyz in entry.keypoints if name not in bad)
    problem = f"{entry.category}/{entry.name}: {', '.join(sorted(bad))} are not mirror images; dropped"
    return replace(entry, keypoints=kept), problem


def _usable(category: str, members: list[MeshEntry]) -> tuple[list[MeshEntry], list[str]]:
    good, problems = [], []
    for entry in members:
        if len(entry.keypoints) < MIN_KEYPOINTS:
            reason = f"{len(entry.keypoints)} keypoints, at least {MIN_KEYPOINTS} are needed"
        elif not entry.path.is_file():
            reason = f"no file {entry.path}"
        else:
            good.append(entry)
            continue
        problems.append(f"{category}/{entry.name}: skipped, {reason}")
    shapes = {entry.shape for entry in good}
    if len(shapes) < _MIN_SHAPES:
        reason = f"{len(shapes)} usable shapes, {_MIN_SHAPES} are needed to test on an unseen one"
        return [], [*problems, f"{category}: skipped, {reason}"]
    return good, problems


def _info(category: str, entries: list[MeshEntry]) -> CategoryInfo:
    shapes: dict[str, set[str]] = {}
    for entry in entries:
        for name, _ in entry.keypoints:
            shapes.setdefault(name, set()).add(entry.shape)
    names = tuple(name for name, having in shapes.items() if len(having) >= _MIN_SHAPES)
    try:
        flip: tuple[int, ...] | None = flip_table(names)
    except ValueError:
        flip = None  # names do not pair left and right: mirroring is unknown
    return CategoryInfo(category, names, flip)


@lru_cache(maxsize=64)
def _load(entry: MeshEntry, names: tuple[str, ...]) -> Instance:
    parts = tuple(_moved(part, entry.frame) for part in load_parts(entry.path))
    listed = dict(entry.keypoints)
    wanted = np.array([listed.get(name, (np.nan,) * 3) for name in names], float)
    return Instance(entry.category, parts, _on_surface([part.mesh for part in parts], wanted), entry.name)


def _moved(part: Part, frame: MeshFrame) -> Part:
    mesh = trimesh.Trimesh(frame.vertices(np.asarray(part.mesh.vertices)), part.mesh.faces, process=False)
    return replace(part, mesh=mesh)


def _on_surface(
    meshes: list[trimesh.Trimesh], wanted: Float[np.ndarray, "keypoint 3"]
) -> Float[np.ndarray, "keypoint 3"]:
    known = np.isfinite(wanted).all(1)
    points = wanted.copy()
    points[known] = exposed_points(RayCaster(meshes), wanted[known])
    return points


def exposed_points(caster: RayCaster, points: Float[np.ndarray, "point 3"]) -> Float[np.ndarray, "point 3"]:
    """Find for each point the nearest surface point that is well visible from outside.

    Candidates are the nearest surface point and the first hits along the four horizontal axis
    directions, within 6 % of the object's size. A point with no surface nearby stays where it is.
    """
    corners = caster.triangles.reshape(-1, 3)
    size = float(np.linalg.norm(np.ptp(corners, axis=0)))
    return np.array([_best(caster, point, size) for point in points]).reshape(-1, 3)


def _best(caster: RayCaster, point: Float[np.ndarray, "3"], size: float) -> Float[np.ndarray, "3"]:
    candidates = _candidates(caster, point)
    distance = np.linalg.norm(candidates - point, axis=1)
    near = distance < _REACH * size
    if not near.any():
        return point
    candidates, distance = candidates[near], distance[near]
    exposure = np.array([_exposure(caster, candidate, size) for candidate in candidates])
    open_enough = exposure >= min(_OPEN, float(exposure.max()))
    return candidates[int(np.where(open_enough, distance, np.inf).argmin())]


def _candidates(caster: RayCaster, point: Float[np.ndarray, "3"]) -> Float[np.ndarray, "candidate 3"]:
    triangles = caster.triangles.astype(float)
    closest = trimesh.triangles.closest_point(triangles, np.broadcast_to(point, (len(triangles), 3)))
    nearest = closest[int(np.linalg.norm(closest - point, axis=1).argmin())]
    # Not up or down: the lowest point of a wheel is well exposed, too.
    axes = np.concatenate([np.eye(3)[:2], -np.eye(3)[:2]])
    hits = caster.first_hits(np.broadcast_to(point, axes.shape), axes)
    along = point + axes * np.where(hits.face >= 0, hits.distance, np.inf)[:, None].clip(max=1e6)
    return np.concatenate([nearest[None], along[hits.face >= 0]])


def _exposure(caster: RayCaster, point: Float[np.ndarray, "3"], size: float) -> float:
    """Compute the share of directions from which nothing hides the point."""
    i = np.arange(_DIRECTIONS) + 0.5
    z, turn = 1 - 2 * i / _DIRECTIONS, np.pi * (1 + 5**0.5) * i
    r = np.sqrt(1 - z * z)
    directions = np.stack([r * np.cos(turn), r * np.sin(turn), z], 1)
    return float((~caster.blocked(point + directions * _LIFT * size, directions)).mean())
