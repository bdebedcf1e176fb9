"""The likelihood of many starts from few samples: kernels/scoring.hpp."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.methods.semalign3d.alignment.compiled import layout, library
from semcorr_ros.methods.semalign3d.alignment.compiled.tables import class_tables, floats, sample_tables
from semcorr_ros.methods.semalign3d.alignment.compiled.threads import share_out
from semcorr_ros.methods.semalign3d.alignment.initialize import Starts
from semcorr_ros.methods.semalign3d.alignment.state import Evidence
from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation


def score(
    model: ClassRepresentation, evidence: Evidence, starts: Starts, sigma: float, samples: int
) -> Float[Tensor, "start"]:
    """Compute the dense reconstruction likelihood of the undeformed class at the starts.

    See engine.Engine.
    """
    few = torch.arange(min(samples, len(evidence.dense.points)))
    known, glimpse = class_tables(model, evidence.visibility), sample_tables(evidence.dense.subset(few))
    points = floats((model.sparse @ starts.rotation.mT + starts.translation[:, None]).mT)
    focal, surface = floats(starts.focal), floats(starts.surface_depth)
    found = np.zeros(len(points), np.float32)
    tables = layout.of_class(known), layout.of_samples(glimpse, known.barycentric.shape[1])

    def work(rows: slice) -> None:
        some = points[rows]
        count = len(some)
        library.load().semcorr_score(
            *tables, layout.floats(some, count, 3, len(model.sparse)), layout.floats(focal[rows], count),
            layout.floats(surface[rows], count), count, sigma, layout.floats(found[rows], count),
        )  # fmt: skip

    share_out(work, len(points))
    return torch.from_numpy(found).to(model.sparse.device)
