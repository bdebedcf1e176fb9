"""What SPair-71k's files do not say about its 18 categories: left/right pairs and flags."""

from __future__ import annotations

Pairs = tuple[tuple[int, int], ...]


def _consecutive(first: int, last: int) -> Pairs:
    return tuple((i, i + 1) for i in range(first, last, 2))


_WHEELS_AND_LAMPS: Pairs = (
    *((i, i + 10) for i in range(10, 16)),
    (16, 17),
    (18, 19),
    (26, 27),
    (28, 29),
)
_HEAD: Pairs = ((0, 1), (2, 3), (4, 5), (6, 7), (9, 10), (11, 12))
_BODY: Pairs = ((15, 16), (17, 18), (19, 20))

# Keypoint ids that swap when the image is mirrored; every other id maps to itself.
FLIP_PAIRS: dict[str, Pairs] = {
    "aeroplane": _consecutive(4, 21),
    "bicycle": ((2, 3), (6, 7), (9, 10)),
    "bird": ((1, 2), (4, 5), (7, 8), (10, 11), (12, 13), (14, 15)),
    "boat": _consecutive(1, 12),
    "bottle": _consecutive(0, 9),
    "bus": ((0, 1), (2, 3), (5, 6), *_WHEELS_AND_LAMPS),
    "car": ((0, 1), (2, 3), (6, 7), *_WHEELS_AND_LAMPS),
    "cat": _HEAD,
    "chair": _consecutive(0, 13),
    "cow": (*_HEAD, *_BODY),
    "dog": ((0, 1), (2, 3), (4, 5), (9, 10), (11, 12)),
    "horse": ((0, 1), (2, 3), (4, 5), (6, 7), (10, 11), (12, 13), (16, 17), (18, 19)),
    "motorbike": ((0, 1), (2, 3)),
    "person": ((0, 1), (2, 3), *_consecutive(8, 19)),
    "pottedplant": ((0, 2), (4, 5), (6, 8)),
    "sheep": (*_HEAD, *_BODY),
    "train": _consecutive(0, 17),
    "tvmonitor": ((0, 2), (4, 6), (3, 7), (8, 10), (12, 14), (11, 15)),
}

# Near-flat in the data set: SemAlign3D discards solutions whose normal faces away (methods 1.2 a).
FLAT = frozenset({"bottle", "tvmonitor"})
# Turning the object about its up axis changes nothing that could be seen.
SYMMETRIC = frozenset({"bottle", "pottedplant"})
