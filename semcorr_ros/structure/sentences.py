"""A user's sentence "A is nearer than B" to ids of what was collected."""

from __future__ import annotations

from collections.abc import Sequence

from semcorr_ros.artifacts import CategoryInfo
from semcorr_ros.structure.reversal import Nearer
from semcorr_ros.structure.sightings import Collected


def parse(texts: Sequence[Sequence[str]], info: CategoryInfo, collected: Collected) -> list[Nearer]:
    """Parse (A, B) or (A, B, image) by name. Raises ValueError naming what is not there, and what is."""
    return [_parse(text, info, collected) for text in texts]


def _parse(text: Sequence[str], info: CategoryInfo, collected: Collected) -> Nearer:
    if len(text) not in (2, 3):
        raise ValueError(
            f"--nearer takes two keypoints and perhaps an image, A B [IMAGE], got {' '.join(text)!r}"
        )
    names = info.keypoint_names
    for name in text[:2]:
        if name not in names:
            raise ValueError(f"--nearer: no keypoint {name!r} in {info.name!r}; known: {', '.join(names)}")
        if not collected.placed[names.index(name)]:
            raise ValueError(
                f"--nearer: keypoint {name!r} is annotated too rarely to be placed; name another"
            )
    if text[0] == text[1]:
        raise ValueError(f"--nearer: {text[0]!r} cannot be nearer than itself")
    first, second = (int(collected.placed[: names.index(name)].sum()) for name in text[:2])
    if len(text) == 2:
        return Nearer(first, second)
    images = [image.name for image in collected.images]
    if text[2] not in images:
        reason = collected.refused.get(text[2])
        why = f"it was left out: {reason}" if reason else f"there are {', '.join(images[:5])}, ..."
        raise ValueError(f"--nearer: no image {text[2]!r} (its name without folder and ending); {why}")
    return Nearer(first, second, images.index(text[2]))
