"""From where a picture shows a class, by its clicked keypoints; and which clicks do not fit the others.

A perspective camera is fitted to the keypoints of the class's mean shape (SQPnP: G. Terzakis, M. Lourakis,
ECCV 2020), refined, without the clicks that are furthest off. Milliseconds: nothing is encoded or aligned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation

FEWEST = 5  # keypoints that a view is told from
FOCALS = (1.0, 1.5, 2.5)  # of the longer side, where the camera is not known
ODD = 0.12  # misfit of a click, as a share of the object's size in the picture, that is shown for review
TIMES = 3.0  # and how much more than usual for that keypoint it must be
SWAPPED = 0.6  # misfit with the sides exchanged, as a share of the one as clicked, that is called swapped
SECTORS = 12  # of the ring
NO_LENS = np.zeros(4)  # pictures are rectified
HIGH = 40.0  # degrees of elevation from which the camera looks down: the inner ring


@dataclass(frozen=True)
class Clicked:
    """What a picture says. points: (keypoint, 2) pixels, NaN where hidden."""

    name: str
    points: np.ndarray
    size: tuple[int, int]
    K: np.ndarray | None = None


@dataclass(frozen=True)
class View:
    """Camera and misfits of a picture. Angles in degrees: azimuth 0 sees the front, 90 the left side."""

    name: str
    azimuth: float
    elevation: float
    misfit: float  # median over its keypoints, as a share of the object's size
    off: np.ndarray  # (keypoint,), of each click; NaN where there is none
    expected: np.ndarray  # (keypoint, 2), where the class puts them, pixels
    swapped: bool = False  # it fits much better with left and right exchanged


@dataclass(frozen=True)
class Doubt:
    """A click, or a whole picture, to look at again."""

    picture: str
    keypoint: str  # empty: the whole picture
    kind: str  # "off", "swapped", "disagrees"
    message: str
    x: float = 0.0  # where it would fit; of "off" only
    y: float = 0.0


def view_of(clicked: Clicked, model: ClassRepresentation) -> View | None:
    """Find from where a picture was taken; None with too few keypoints or where nothing fits."""
    shape = model.sparse.cpu().double().numpy()
    known = model.annotated.cpu().numpy() & np.isfinite(clicked.points).all(1)
    found = _fitted(clicked, shape, known)
    if found is None or model.info.flip is None:
        return found
    order = np.array(model.info.flip)
    other = replace(clicked, points=clicked.points[order])
    exchanged = _fitted(other, shape, known[order])
    return replace(found, swapped=exchanged is not None and exchanged.misfit < SWAPPED * found.misfit)


def doubts(views: Sequence[View], names: Sequence[str]) -> list[Doubt]:
    """List clicks that are far from where the class puts them, worst first, and swapped pictures."""
    found = []
    usual = _usual(views, len(names))
    for view in views:
        if view.swapped and view.misfit > ODD / 3:
            message = f"left and right may be swapped in {view.name}"
            found.append((1.0, Doubt(view.name, "", "swapped", message)))
            continue
        for row, name in enumerate(names):
            off = view.off[row]
            if off > ODD and off > TIMES * usual[row]:
                x, y = view.expected[row].tolist()
                message = f"{name} in {view.name} is {100 * off:.0f} % of the object away from where it fits"
                found.append((float(off), Doubt(view.name, name, "off", message, x, y)))
    return [doubt for _, doubt in sorted(found, key=lambda one: -one[0])]


def ring(views: Sequence[View]) -> list[dict[str, float | int | str]]:
    """Count the pictures in every sector of two rings, low and high; sector 0 is about the front."""
    cells = {(level, sector): 0 for level in ("low", "high") for sector in range(SECTORS)}
    for view in views:
        sector = round(view.azimuth / (360 / SECTORS)) % SECTORS
        cells["high" if view.elevation > HIGH else "low", sector] += 1
    return [{"level": level, "sector": sector, "count": n} for (level, sector), n in cells.items()]


def _usual(views: Sequence[View], count: int) -> np.ndarray:
    """Return the median misfit of every keypoint over the pictures that show it."""
    rows = np.array([view.off for view in views]).reshape(len(views), count)
    usual = np.zeros(count)
    for k in range(count):
        seen = rows[np.isfinite(rows[:, k]), k]
        usual[k] = np.median(seen) if len(seen) > 2 else 0.0
    return usual


def _fitted(clicked: Clicked, shape: np.ndarray, known: np.ndarray) -> View | None:
    if known.sum() < FEWEST:
        return None
    pixels = clicked.points[known]
    extent = float(np.ptp(pixels, axis=0).max()) or 1.0
    tried = [
        (float(np.median(np.linalg.norm(_seen(shape[known], pose, K) - pixels, axis=1))), pose, K)
        for K in _cameras(clicked)
        if (pose := _posed(shape[known], pixels, K)) is not None
    ]
    if not tried:
        return None
    misfit, (rotation, translation), K = min(tried, key=lambda one: one[0])
    expected = _seen(shape, (rotation, translation), K)
    off = np.linalg.norm(expected - clicked.points, axis=1) / extent
    eye = -cv2.Rodrigues(rotation)[0].T @ translation.reshape(3)
    azimuth, level = np.degrees(np.arctan2(eye[1], eye[0])), np.hypot(eye[0], eye[1])
    elevation = np.degrees(np.arctan2(eye[2], level))
    off = np.where(known, off, np.nan)
    return View(clicked.name, float(azimuth), float(elevation), misfit / extent, off, expected)


def _posed(points: np.ndarray, pixels: np.ndarray, K: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Fit a pose, then once more without the worst quarter of the clicks."""
    kept, pose = np.ones(len(points), bool), None
    for share in (1.0, 0.75):
        try:
            good, turn, move = cv2.solvePnP(points[kept], pixels[kept], K, NO_LENS, flags=cv2.SOLVEPNP_SQPNP)
            if not good or not np.isfinite(np.concatenate([turn, move])).all():
                return pose
            turn, move = cv2.solvePnPRefineLM(points[kept], pixels[kept], K, NO_LENS, turn, move)
        except cv2.error:
            return pose
        if (cv2.Rodrigues(turn)[0] @ points.T + move)[2].min() <= 0:
            return pose
        pose = turn, move
        errors = np.linalg.norm(_seen(points, pose, K) - pixels, axis=1)
        kept = errors <= np.quantile(errors, share if share < 1 else 0.75)
        if kept.sum() < FEWEST:
            return pose
    return pose


def _seen(points: np.ndarray, pose: tuple[np.ndarray, np.ndarray], K: np.ndarray) -> np.ndarray:
    turn, move = pose
    seen, _ = cv2.projectPoints(points, turn, move, K, NO_LENS)
    return np.asarray(seen).reshape(-1, 2)


def _cameras(clicked: Clicked) -> list[np.ndarray]:
    if clicked.K is not None:
        return [clicked.K]
    height, width = clicked.size
    middle = (width - 1) / 2, (height - 1) / 2
    return [
        np.array([[f * max(width, height), 0, middle[0]], [0, f * max(width, height), middle[1]], [0, 0, 1]])
        for f in FOCALS
    ]
