"""No class point should fall on the background (Eq. 11 of SemAlign3D)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.methods.semalign3d.alignment.state import BackgroundGrid, Evidence, State, project
from semcorr_ros.methods.semalign3d.alignment.terms import Term
from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation

LOOKUP_PER_CELL = 2  # lookup nodes per grid cell
MARGIN = 0.25  # how far the lookup reaches beyond the image, as a share of its size


def energy(state: State, evidence: Evidence, model: ClassRepresentation) -> Float[Tensor, "hypothesis"]:
    """Compute 1/N sum_i E_xy in background [p_spatial(xy, i)]."""
    return lookup(project(state.dense, state), evidence.background, state.sigma_dense).mean(-1)


PLUGIN = Term(energy)


def lookup(
    points: Float[Tensor, "hypothesis point 2"], background: BackgroundGrid, sigma: float
) -> Float[Tensor, "hypothesis point"]:
    """Compute E_xy in background [g(|xy - point|; 0, sigma)] by bilinear lookup into the blurred background.

    The sum over background cells factorizes into rows and columns, so at the lookup's nodes it is
    exact; in between the error is below 1 % of g's peak while nodes are closer than sigma / 4.
    """
    rows, columns = background.share.shape
    y, squared_y = axis(rows, background.origin[1], background.step[1])
    x, squared_x = axis(columns, background.origin[0], background.step[0])
    blurred = blur(background, (squared_x, squared_y), sigma)
    low, high = torch.stack([x[0], y[0]]), torch.stack([x[-1], y[-1]])
    coords = 2 * (points - low) / (high - low) - 1
    values = torch.nn.functional.grid_sample(
        blurred[None, None], coords[None], mode="bilinear", padding_mode="zeros", align_corners=True
    )
    return values[0, 0]


def blur(
    background: BackgroundGrid,
    squared: tuple[Float[Tensor, "nx column"], Float[Tensor, "ny row"]],
    sigma: float,
) -> Float[Tensor, "ny nx"]:
    """Blur the background at every node of the lookup, given the squared distances of `axis` in x and y."""
    wx, wy = (torch.exp(distances * (-0.5 / sigma**2)) for distances in squared)
    return wy @ background.share @ wx.T / background.share.sum().clamp_min(1e-9)


def axis(
    count: int, origin: Tensor, step: Tensor
) -> tuple[Float[Tensor, "node"], Float[Tensor, "node cell"]]:
    """Compute node positions along one axis and the squared distance of every cell to every node."""
    margin = round(MARGIN * count) * LOOKUP_PER_CELL
    nodes = torch.arange(-margin, (count - 1) * LOOKUP_PER_CELL + margin + 1, device=step.device)
    nodes = origin + nodes * step / LOOKUP_PER_CELL
    cells = origin + torch.arange(count, device=step.device) * step
    return nodes, (nodes[:, None] - cells).square()
