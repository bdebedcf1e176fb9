"""From labels to what a trainer takes: their pictures in a data set, and which of them are held out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from semcorr_ros.adapter.config import Material
from semcorr_ros.adapter.labels import Labels
from semcorr_ros.adapter.maps import Picture
from semcorr_ros.artifacts import AnnotatedImage
from semcorr_ros.datasets import Dataset
from semcorr_ros.encoded_pictures import Skipped

SPLITS = ("trn", "val", "test")
LEAST = 2  # pictures of a category that are learned from


def samples_of(labels: Labels, dataset: Dataset) -> tuple[list[AnnotatedImage], list[Skipped]]:
    """Find the pictures of the labels in the data set; those that are not there, or of another size, are
    named and left out."""
    splits = [labels.provenance["split"]] if "split" in labels.provenance else SPLITS
    there: dict[tuple[str, str], AnnotatedImage] = {}
    for category in set(labels.categories) & set(dataset.categories()):
        for split in splits:
            there |= {(category, one.name): one for one in dataset.images(category, split)}
    found, skipped = [], []
    for one in labels.pictures:
        sample = there.get((one.category, one.name))
        name = f"{one.category}/{one.name}"
        if sample is None:
            skipped.append(Skipped(name, "the data set has no such picture"))
        elif sample.size != one.size:
            (h, w), (height, width) = sample.size, one.size
            skipped.append(Skipped(name, f"it is {w}x{h}, and the labels are of {width}x{height}"))
        else:
            found.append(sample)
    return found, skipped


def material_of(labels: Labels, pictures: Sequence[Picture], share: float) -> Material:
    """Put labels and encoded pictures together, and hold out every n-th picture of a category, with all pairs
    that show it. share: of the pictures; none where hardly any pairs would be left.

    Raises ValueError where no pair is left.
    """
    rows = {(one.sample.category, one.sample.name): i for i, one in enumerate(pictures)}
    moved = []
    for one in labels.matches:
        shown = labels.pictures[one.source], labels.pictures[one.target]
        source, target = (rows.get((each.category, each.name)) for each in shown)
        if len(one) and source is not None and target is not None:
            moved.append(replace(one, source=source, target=target))
    if all(one.mirrored for one in moved):
        raise ValueError("no pair of pictures has labels that can be learned from")
    held = held_out(pictures, share)
    kept = [one for one in moved if not {one.source, one.target} & held]
    if all(one.mirrored for one in kept):
        return Material(pictures, moved, [])
    checked = [one for one in moved if {one.source, one.target} & held and not one.mirrored]
    return Material(pictures, kept, checked)


def held_out(pictures: Sequence[Picture], share: float) -> set[int]:
    """Choose every n-th picture of a category, at most all but two."""
    found: set[int] = set()
    for category in sorted({one.sample.category for one in pictures}):
        own = [i for i, one in enumerate(pictures) if one.sample.category == category]
        count = min(math.ceil(share * len(own)), len(own) - LEAST)
        found |= set(own[:: max(1, len(own) // count)][:count]) if count > 0 else set()
    return found
