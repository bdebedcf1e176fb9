"""The rotation between two sets of keypoints: kernels/rotation.hpp."""

from __future__ import annotations

import numpy as np

from semcorr_ros.methods.semalign3d.alignment.compiled import layout, library
from semcorr_ros.methods.semalign3d.alignment.compiled.tables import Array, Index


def fit_rotation(canonical: Array, points: Array, seen: Index) -> Array:
    """Fit the proper rotation (3, 3) that turns canonical (L, 3) into points (3, L), over the seen keypoints.

    The identity where points are not finite.
    """
    count, rotation = len(canonical), np.empty((3, 3), np.float32)
    library.load().semcorr_fit_rotation(
        layout.floats(canonical, count, 3), layout.floats(points, 3, count), count,
        layout.indices(seen, len(seen)), len(seen), layout.floats(rotation, 3, 3),
    )  # fmt: skip
    return rotation
