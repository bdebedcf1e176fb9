"""Keypoints that look alike and differ by position only: left and right wheel, the four table legs.

A keypoint of a pair is geo-aware if the target shows another keypoint of its group (GeoAware-SC, CVPR
2024, Section 3.2). Groups are tabulated for SPair-71k and AP-10K; elsewhere they are the pairs that
swap when the image is mirrored.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from semcorr_ros.artifacts import CategoryInfo

Groups = tuple[tuple[int, ...], ...]


def _consecutive(first: int, last: int) -> Groups:
    return tuple((i, i + 1) for i in range(first, last, 2))


_LAMPS: Groups = (*((i, i + 3, i + 10, i + 13) for i in range(10, 13)), (16, 17, 26, 27), (18, 19, 28, 29))
_EARS_AND_PAWS: Groups = ((2, 3), (9, 10, 11, 12))
_CATTLE: Groups = (*_EARS_AND_PAWS, (15, 16, 17, 18), (19, 20))

SPAIR: dict[str, Groups] = {
    "aeroplane": _consecutive(4, 21),
    "bicycle": ((2, 3), (6, 7), (9, 10)),
    "bird": ((1, 2), (10, 11), (12, 13), (14, 15)),
    "boat": _consecutive(1, 12),
    "bottle": _consecutive(0, 9),
    "bus": ((0, 1), (2, 3, 5, 6), (4, 7), *_LAMPS),
    "car": ((0, 1), (2, 3, 6, 7), (4, 8), (5, 9), *_LAMPS),
    "cat": _EARS_AND_PAWS,
    "chair": ((0, 1), (2, 3), (4, 5, 6, 7), *_consecutive(8, 13)),
    "cow": _CATTLE,
    "dog": _EARS_AND_PAWS,
    "horse": ((2, 3), (10, 11, 12, 13), (16, 17, 18, 19)),
    "motorbike": ((0, 1), (2, 3)),
    "person": _consecutive(8, 19),
    "pottedplant": ((0, 1, 2, 3), (4, 5), (6, 8)),
    "sheep": _CATTLE,
    "train": _consecutive(0, 17),
    "tvmonitor": ((0, 2, 4, 6), (1, 3, 5, 7), (8, 10, 12, 14), (9, 11, 13, 15)),
}
AP10K: Groups = ((5, 8), (6, 9, 12, 15), (7, 10, 13, 16), (11, 14))
_AP10K_FIRST_NAMES = ("left_eye", "right_eye", "nose", "neck", "root_of_tail", "left_shoulder")


def groups(info: CategoryInfo) -> Groups:
    """List the groups of several look-alike keypoints, by id; empty where nothing is known."""
    names = tuple(name.strip().lower().replace(" ", "_") for name in info.keypoint_names)
    if len(names) == 17 and names[:6] == _AP10K_FIRST_NAMES:
        return AP10K
    # Other data sets of the same categories number keypoints in their own way: they give names, or
    # (PF-PASCAL) know of no flip.
    if info.name in SPAIR and info.flip is not None and names == tuple(map(str, range(len(names)))):
        return SPAIR[info.name]
    return tuple((i, other) for i, other in enumerate(info.flip or ()) if i < other)


def geo_aware(
    keypoint_ids: Int[Tensor, "keypoint"],
    visible_in_target: Bool[Tensor, "id"],
    members: Sequence[Sequence[int]],
) -> Bool[Tensor, "keypoint"]:
    """Find the geo-aware keypoints of a pair: at least two members of their group are in the target."""
    shown = set(visible_in_target.nonzero()[:, 0].tolist())
    together = {i for group in members if len(shown.intersection(group)) > 1 for i in group}
    return torch.tensor([i in together for i in keypoint_ids.tolist()], dtype=torch.bool)
