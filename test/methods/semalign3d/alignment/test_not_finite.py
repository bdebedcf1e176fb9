"""What is not finite must neither end the process nor spread: a rotation is one in any case."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import numpy as np
from semcorr_ros.methods.semalign3d.alignment.compiled import layout, library

def fit_rotation(canonical, points, annotated):
    count, rotation = len(canonical), np.empty((3, 3), np.float32)
    library.load().semcorr_fit_rotation(
        layout.floats(canonical, count, 3), layout.floats(points, 3, count), count,
        layout.indices(annotated, len(annotated)), len(annotated), layout.floats(rotation, 3, 3),
    )
    return rotation

canonical = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
annotated = np.arange(6, dtype=np.int32)
for number in (np.nan, np.inf, 3e38):
    points = canonical.T.copy()
    points[1, 2] = number
    rotation = fit_rotation(canonical, points, annotated)
    assert np.isfinite(rotation).all(), rotation
assert np.allclose(fit_rotation(canonical, canonical.T.copy(), annotated), np.eye(3), atol=1e-5)
"""


def test_a_rotation_of_points_that_are_not_finite():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
