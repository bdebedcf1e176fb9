"""Lloyd's k-means on 3D points, exact and deterministic."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.spatial import cKDTree
from torch import Tensor

ITERATIONS = 12


def kmeans(
    points: Float[Tensor, "point 3"], count: int, generator: torch.Generator
) -> tuple[Float[Tensor, "cluster 3"], Int[Tensor, "point"]]:
    """Find centers and the cluster of every point. At most as many clusters as points; none is empty."""
    data = points.double().numpy()
    start = torch.randperm(len(points), generator=generator)[: min(count, len(points))]
    centers = data[start.sort().values.numpy()]
    for _ in range(ITERATIONS):
        label = cKDTree(centers).query(data)[1]
        size = np.bincount(label, minlength=len(centers))
        total = np.stack([np.bincount(label, data[:, axis], len(centers)) for axis in range(3)], -1)
        centers = total[size > 0] / size[size > 0, None]
    label = cKDTree(centers).query(data)[1]
    kept, label = np.unique(label, return_inverse=True)
    return torch.from_numpy(centers[kept]).float(), torch.from_numpy(label.reshape(-1))
