"""Errors of one alignment against the truth, and how well the confidence tells good from bad."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.artifacts import AnnotatedImage
from semcorr_ros.evaluation.pck import box_size
from semcorr_ros.methods import Model, Placed

GOOD = 0.5  # share of keypoints within 0.1 of the box from which an alignment counts as good


@dataclass(frozen=True)
class ImageErrors:
    """Of the best hypothesis of one image."""

    name: str
    rotation_deg: float
    position_mm: float  # median over visible keypoints; NaN without metric depth
    pck: float  # of the class's keypoints at 0.1 of the box
    confidence: float

    @property
    def good(self) -> bool:
        """Whether the alignment is worth using."""
        return self.pck >= GOOD


def errors(model: Model, sample: AnnotatedImage, view: Placed, root: Path, truth: Path) -> ImageErrors | None:
    """None for an image in which no keypoint of the class is visible."""
    known = torch.tensor([name in model.known for name in model.info.keypoint_names])
    ids, pose = (sample.visible & known).nonzero()[:, 0], view.pose
    if len(ids) == 0 or pose is None:
        return None
    found = view.keypoints(ids)
    near = (found.points - sample.keypoints[ids]).norm(dim=-1) < 0.1 * box_size(sample.bbox)
    with np.load(truth / sample.category / f"{sample.name}.npz", allow_pickle=False) as file:
        real = torch.from_numpy(file["keypoints"]).float()[ids]
    distance = (found.xyz - real).norm(dim=-1)
    distance = distance[torch.isfinite(distance)]
    return ImageErrors(
        name=sample.name,
        rotation_deg=_angle(pose.rotation, _true_rotation(root, sample), model.info.symmetric),
        position_mm=float(1000 * distance.median()) if len(distance) else float("nan"),
        pck=float(near.float().mean()),
        confidence=view.confidence,
    )


def roc_auc(positive: list[float], negative: list[float]) -> float:
    """Chance that a positive scores higher than a negative; ties count half. NaN when either is empty."""
    if not positive or not negative:
        return float("nan")
    a, b = torch.tensor(positive)[:, None], torch.tensor(negative)[None]
    return float((a > b).double().mean() + 0.5 * (a == b).double().mean())


def calibration(confidence: list[float], good: list[bool], bins: int = 5) -> list[tuple[float, float, int]]:
    """Mean confidence, share of good alignments and count of every filled bin of equal width."""
    rows = []
    binned = [min(bins - 1, int(c * bins)) for c in confidence]
    for k in sorted(set(binned)):
        inside = [i for i, b in enumerate(binned) if b == k]
        mean = sum(confidence[i] for i in inside) / len(inside)
        rows.append((mean, sum(good[i] for i in inside) / len(inside), len(inside)))
    return rows


def _true_rotation(root: Path, sample: AnnotatedImage) -> Float[Tensor, "3 3"]:
    path = root / "Cameras" / sample.category / f"{sample.name}.json"
    return torch.tensor(json.loads(path.read_text())["camera_from_canonical"])[:3, :3].float()


def _angle(found: Float[Tensor, "3 3"], real: Float[Tensor, "3 3"], symmetric: bool) -> float:
    """Degrees between rotations; between their z axes where turns about z cannot be observed."""
    cosine = found[:, 2] @ real[:, 2] if symmetric else ((found.T @ real).trace() - 1) / 2
    return float(cosine.clamp(-1, 1).acos().rad2deg())
