"""What a lift found, for the report, and in words what the user should know or do."""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.artifacts import CategoryInfo
from semcorr_ros.structure.lift import Structure
from semcorr_ros.structure.sightings import Collected

FEW_IMAGES = 8
ONE_SIDE = math.radians(20)  # spread of viewing directions below which depth is a guess
FLAT = 0.03  # smallest over largest extent of coplanar keypoints
LINE = 0.02  # the same of the keypoints of a picture
THIN = 0.1  # second over largest extent of keypoints on a line
MISFIT = 0.15  # mean error of an image's annotations, shares of the object's radius


def describe(structure: Structure, collected: Collected, info: CategoryInfo) -> dict[str, Any]:
    """Describe the lift, JSON-ready. Costs are the mean of log(1 + (e / slip)^2) of an annotation."""
    verdict, names = structure.verdict, [image.name for image in collected.images]
    errors = _errors(structure, collected)
    return {
        "images": len(names),
        "keypoint_error": round(float(errors.mean()), 4),
        "image_errors": dict(zip(names, (round(float(e), 4) for e in errors), strict=True)),
        "cost": round(verdict.annotations[0], 4),
        "cost_of_reversal": round(verdict.annotations[1], 4),
        "margin": round(verdict.margin, 2),
        "images_that_prefer_it": f"{verdict.votes[0]} of {verdict.votes[1]}",
        "symmetric": structure.symmetric,
        "reversal_clear": verdict.clear,
        "reversal_decided_by": verdict.decided_by,
        "swapped left/right": [name for name, swap in zip(names, structure.swapped, strict=True) if swap],
        "spread_of_views_degrees": round(math.degrees(view_spread(structure.camera_from_shape)), 1),
        "extents": [round(float(e), 3) for e in _extents(structure.shape)],
        "refused": collected.refused,
    }


def warnings(structure: Structure, collected: Collected, info: CategoryInfo) -> list[str]:
    """List warnings, one sentence each that says what to do."""
    told = [*_about_reversal(structure), *_about_views(structure, collected, info)]
    if collected.flip is not None and not structure.symmetric:
        told.append(
            "the keypoints do not obey the flip table (lifted without symmetry): check 'flip' of "
            f"{info.name!r}, which keypoint becomes which in a mirrored image"
        )
    names = info.keypoint_names
    count = len(collected.images)
    if count < FEW_IMAGES:
        told.append(f"depth from the keypoints of {count} images is a guess; annotate 10 to 50")
    lost = [names[k] for k in (~collected.placed).nonzero()[:, 0].tolist()]
    if lost:
        told.append(
            f"keypoints annotated in fewer than two images have no depth and are left out: "
            f"{', '.join(lost)}; annotate them in more images"
        )
    swapped = [image.name for image, swap in zip(collected.images, structure.swapped, strict=True) if swap]
    if swapped:
        told.append(
            f"left and right look exchanged in {', '.join(swapped)}: lifted the other way round; check them"
        )
    errors = _errors(structure, collected)
    bad = [image.name for image, error in zip(collected.images, errors, strict=True) if error > MISFIT]
    if bad:
        told.append(
            f"the keypoints of {', '.join(bad)} do not fit the shape of the others "
            f"(off by more than {MISFIT:.0%} of the object's radius): check their annotations"
        )
    return told


def view_spread(camera_from_shape: Float[Tensor, "view 3 3"]) -> float:
    """Compute the RMS angle (rad) between the viewing directions and their mean axis.

    Opposite directions count as one.
    """
    ahead = camera_from_shape[:, 2]
    spread = torch.linalg.eigvalsh(ahead.T @ ahead / len(ahead))
    return float((1 - spread[-1]).clamp(0, 1).sqrt().asin())


def _about_reversal(structure: Structure) -> list[str]:
    verdict = structure.verdict
    if verdict.decided_by == "nearer":
        if verdict.clear and verdict.margin < 0:
            return [
                "--nearer overrules the pictures, which clearly prefer the opposite: check that the first "
                "keypoint is the one nearer to the camera"
            ]
        return []
    if verdict.clear:
        return []
    return [
        "the pictures hardly tell the shape from its depth reversal (near and far exchanged): "
        f"{verdict.votes[0]} of {verdict.votes[1]} prefer the one that was taken. If the class looks inside "
        "out, or to be sure, say which of two keypoints is nearer to the camera: --nearer A B [IMAGE]"
    ]


def _about_views(structure: Structure, collected: Collected, info: CategoryInfo) -> list[str]:
    extents = _extents(structure.shape)
    told = []
    if extents[1] < THIN * extents[0] or bool((_thickness(collected) < LINE).all()):
        told.append("all keypoints lie nearly on one line: the class has no orientation about it; add others")
    elif structure.symmetric and collected.flip == tuple(range(len(structure.shape))) and not info.flat:
        told.append(
            f"'flip' of {info.name!r} pairs no keypoints, which puts all of them into its mirror plane: give "
            "the pairs of left and right, or no 'flip' where there are none"
        )
    elif extents[2] < FLAT * extents[0] and not info.flat:
        told.append(
            "all keypoints lie nearly in one plane: depth off the plane is unknown; annotate keypoints that "
            "stand out of it"
        )
    spread = view_spread(structure.camera_from_shape)
    if spread < ONE_SIDE:
        told.append(
            f"all images show the object from nearly the same side (within {math.degrees(spread):.0f} "
            "degrees): its depth is a guess; add images from other sides"
        )
    return told


def _thickness(collected: Collected) -> Float[Tensor, "view"]:
    """Divide the second by the first extent of every picture's keypoints.

    The shape alone does not show a line: it deforms.
    """
    shown = collected.sights.visible[..., None]
    middle = (collected.sights.points * shown).sum(1, keepdim=True) / shown.sum(1, keepdim=True)
    extents = torch.linalg.svdvals((collected.sights.points - middle) * shown)
    return extents[:, 1] / extents[:, 0]


def _errors(structure: Structure, collected: Collected) -> Float[Tensor, "view"]:
    return structure.error.sum(1) / collected.sights.visible.sum(1)


def _extents(shape: Float[Tensor, "keypoint 3"]) -> Float[Tensor, "3"]:
    return torch.linalg.svdvals(shape - shape.mean(0)) / len(shape) ** 0.5
