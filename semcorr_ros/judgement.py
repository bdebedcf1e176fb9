"""What may be told of an alignment: one judgement for the node, `align`, `transfer` and `replay`."""

from __future__ import annotations

from dataclasses import replace

import torch

from semcorr_ros.artifacts import Correspondences, KeypointState, Observation, Pose
from semcorr_ros.backbones import name_of
from semcorr_ros.geometry.boxes import box_of
from semcorr_ros.provider_options import MIN_SCORE
from semcorr_ros.refusal import Code, Refusal

# MIN_SCORE by the name of a backbone, where another value was measured. efficientnet_lite: 95 % of the
# confidences in training photographs of another class are below it.
MIN_SCORE_ON: dict[str, float] = {"efficientnet_lite": 0.3}
# A point scores the object's confidence times 0.5 to 1, by its appearance: compared with min_score itself,
# all points of an object just above it would be rejected. The middle of that range.
OF_A_POINT = 0.75
DOUBTFUL = 3.0  # times the size of the class; instances differ by less


def min_score_for(backbone: str, given: float | None = None) -> float:
    """Choose the least confidence: a given one unless negative, else that of the backbone."""
    if given is not None and given >= 0:
        return given
    return MIN_SCORE_ON.get(name_of(backbone), MIN_SCORE)


def unmeasured(seen: Observation, pose: Pose) -> str:
    """Return a note for an answer without metric positions although there is metric depth; empty
    otherwise."""
    if seen.depth is None or not seen.depth.metric or pose.metric:
        return ""
    if seen.camera is None:
        return "depth without a calibrated camera: pixels only, no metric positions"
    return "hardly any depth was measured on the object: pixels only, no metric positions"


def size_doubt(seen: Observation, pose: Pose | None, diameter: float) -> str:
    """Return a sentence where an object's size contradicts that of its class by more than DOUBTFUL; empty
    otherwise.

    diameter: of the class in metres, 0 = unknown. pose: without one, or one that is not metric, the depth
    and the width of the mask in the picture tell the size.
    """
    if seen.depth is None or not seen.depth.metric or seen.camera is None or diameter <= 0:
        return ""
    size = float(pose.size.norm()) if pose is not None and pose.metric else _extent(seen)
    if not size > 0 or 1 / DOUBTFUL <= size / diameter <= DOUBTFUL:
        return ""
    return (
        f"by its depth the object is {size:.2g} m large, but the class {diameter:.2g} m: "
        f"{max(size / diameter, diameter / size):.1f} times off. Is the depth in another unit (depth_scale), "
        "or K of another picture?"
    )


def _extent(seen: Observation) -> float:
    """Measure the longer side of the masked object in metres; 0 where nothing is masked or measured."""
    assert seen.depth is not None
    assert seen.camera is not None
    if seen.mask is None:
        return 0.0
    known = seen.depth.values[seen.mask & (seen.depth.values > 0)]
    known = known[torch.isfinite(known)]
    if not len(known):
        return 0.0
    return max(box_of(seen.mask)[2:]) / float(seen.camera.focal.mean()) * float(known.median())


def low_score(confidence: float, min_score: float, why: str = "") -> Refusal | None:
    """Return the refusal of a placed object whose confidence is below `min_score`; None otherwise. why: a
    sentence about what may be the matter."""
    if confidence >= min_score:
        return None
    near = f"{confidence:.2f}" == f"{min_score:.2f}"  # 0.297 is not "0.30, below 0.30"
    told = f"{confidence:.4f}" if near else f"{confidence:.2f}"
    return Refusal(
        Code.LOW_SCORE, f"confidence {told} is below min_score {min_score:.2f}{why and '; ' + why}"
    )


def judged(found: Correspondences, min_score: float, refused: bool = False) -> Correspondences:
    """Set the state of points: one scoring below OF_A_POINT of min_score becomes REJECTED, a visible one
    without position NO_DEPTH; where the whole object is refused, all become REJECTED and lose their
    position. Of an UNKNOWN one not even the pixel is told."""
    state, xyz, pixels = found.state.clone(), found.xyz.clone(), found.points.clone()
    pixels[state == int(KeypointState.UNKNOWN)] = torch.nan
    visible = state == int(KeypointState.VISIBLE)
    state[visible & ~torch.isfinite(xyz).all(-1)] = int(KeypointState.NO_DEPTH)
    state[visible & ~(found.score >= OF_A_POINT * min_score)] = int(KeypointState.REJECTED)
    if refused:
        state[state != int(KeypointState.UNKNOWN)] = int(KeypointState.REJECTED)
    nowhere = (state == int(KeypointState.NO_DEPTH)) | (state == int(KeypointState.UNKNOWN))
    xyz[nowhere if not refused else torch.ones_like(nowhere)] = torch.nan
    return replace(
        found, points=pixels, state=state, xyz=xyz, covariance=None if refused else found.covariance
    )
