"""Labels from annotated keypoints: every pair of pictures of a category, and a picture with its mirror image
(Zhang et al., "Telling Left from Right", CVPR 2024, Section 3.4)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch

from semcorr_ros.adapter.labels import Labels, Matches, PictureName
from semcorr_ros.artifacts import AnnotatedImage, CategoryInfo

FEWEST = 3  # keypoints that both show, as in AP-10K's pairs


def keypoint_labels(
    samples: Sequence[AnnotatedImage], info: CategoryInfo, most: int | None, draws: torch.Generator
) -> Labels:
    """Pair the pictures of a category by the keypoints that both show.

    most: a random subset of so many pairs. Where the class's flip table is known, every picture is also
    paired with its own mirror image: there a left keypoint is found where the right one was.
    """
    pictures = tuple(PictureName(one.category, one.name, one.size) for one in samples)
    pairs = list(itertools.combinations(range(len(samples)), 2))
    if most is not None and most < len(pairs):
        pairs = [pairs[i] for i in torch.randperm(len(pairs), generator=draws)[:most].sort().values.tolist()]
    found = []
    for i, j in pairs:
        ids = (samples[i].visible & samples[j].visible).nonzero()[:, 0]
        if len(ids) >= FEWEST:
            found.append(Matches(i, j, samples[i].keypoints[ids], samples[j].keypoints[ids]))
    if info.flip is not None:
        found += [one for i, sample in enumerate(samples) if (one := _self_flip(i, sample, info.flip))]
    return Labels(pictures, tuple(found))


def _self_flip(row: int, sample: AnnotatedImage, flip: tuple[int, ...]) -> Matches | None:
    """Match a picture with its mirror image; None where too few keypoints show both sides."""
    other = torch.tensor(flip)
    ids = (sample.visible & sample.visible[other]).nonzero()[:, 0]
    if len(ids) < FEWEST:
        return None
    mirrored = mirror(sample.keypoints[other[ids]], sample.size[1])
    return Matches(row, row, sample.keypoints[ids], mirrored, mirrored=True)


def mirror(points: torch.Tensor, width: int) -> torch.Tensor:
    """Return where pixels (x, y) lie in the mirrored picture."""
    return torch.stack([width - 1 - points[:, 0], points[:, 1]], -1)
