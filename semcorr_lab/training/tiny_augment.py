"""Training batches for the `tiny` backbone: random crops of samples with broken color and texture.

Cells that fall outside a picture are IGNORE. Mirroring is legal because targets are folded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor
from torch.nn import functional

from semcorr_lab.training.rendered_samples import RenderedSample

IGNORE = -2
_GRID = 60  # of the trained network
_BEYOND = 0.6  # cells of that grid around a cell that count as its own
_REACH = 0.8  # share of the half width that is sampled, by _PLACES x _PLACES places
_PLACES = 5


@dataclass(frozen=True)
class Batch:
    """Square pictures and, per output cell, what is seen there."""

    images: Float[Tensor, "batch 3 side side"]  # RGB in [0, 1]
    name: Int[Tensor, "batch grid grid"]  # part name index of the sample's category; -1 background
    local: Float[Tensor, "batch grid grid 3"]  # folded part coordinate
    categories: tuple[str, ...]


def make_batch(samples: Sequence[RenderedSample], side: int, grid: int, generator: torch.Generator) -> Batch:
    """Draw views of samples. Same generator state, same batch."""
    images, names, locals_ = [], [], []
    for sample in samples:
        theta = _random_crop(sample, generator)
        image, name, local = _view(sample, theta, side, grid)
        _erase(image, name, generator)
        images.append(image)
        names.append(name)
        locals_.append(local)
    stacked = _recolor(torch.stack(images), generator)
    categories = tuple(sample.category for sample in samples)
    return Batch(_degrade(stacked, generator), torch.stack(names), torch.stack(locals_), categories)


def _uniform(low: float, high: float, generator: torch.Generator) -> float:
    return low + (high - low) * float(torch.rand((), generator=generator))


def _random_crop(sample: RenderedSample, generator: torch.Generator) -> Float[Tensor, "2 3"]:
    """Draw an affine map from the square crop in [-1, 1]^2 to the picture: zoom, stretch, roll, mirror."""
    zoom = 2 ** _uniform(-1.0, 0.2, generator)
    stretch = 2 ** _uniform(-0.25, 0.25, generator)
    roll = 0.15 * float(torch.randn((), generator=generator))
    mirror = -1.0 if _uniform(0, 1, generator) < 0.5 else 1.0
    scale = torch.tensor([min(zoom * stretch, 1.2), min(zoom / stretch, 1.2)])
    height, width = sample.image.shape[:2]
    x1, y1, x2, y2 = sample.bbox
    middle = torch.tensor([(x1 + x2) / width - 1, (y1 + y2) / height - 1])
    spread = torch.tensor([(x2 - x1) / width, (y2 - y1) / height]) * 0.5 + 0.15
    center = middle + spread * torch.randn(2, generator=generator)
    room = (1 - scale).clamp_min(0)
    center = center.clamp(-room, room)
    cos, sin = torch.cos(torch.tensor(roll)), torch.sin(torch.tensor(roll))
    rotation = torch.stack([torch.stack([cos, -sin]), torch.stack([sin, cos])])
    linear = scale[:, None] * rotation * torch.tensor([mirror, 1.0])
    return torch.cat([linear, center[:, None]], 1)


def _view(sample: RenderedSample, theta: Tensor, side: int, grid: int) -> tuple[Tensor, Tensor, Tensor]:
    height, width = sample.image.shape[:2]
    linear, offset = theta[:, :2], theta[:, 2]
    half = torch.tensor([width, height])[:, None] / 2
    # Pillow warps bytes several times faster than grid_sample on a busy CPU.
    start = half * (offset - linear.sum(1) + 1)[:, None]
    wide = 2 * side  # twice the pixels, then averaged: Pillow's warp has no antialiasing
    coefficients = torch.cat([half * linear * 2 / wide, start], 1).flatten().tolist()
    picture = Image.fromarray(sample.image.numpy())
    warped = picture.transform(
        (wide, wide), Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR, fillcolor=(128,) * 3
    )
    image = torch.from_numpy(np.array(warped.reduce(2))).permute(2, 0, 1).float() / 255
    name, local = _cells(sample, theta, grid)
    return image, name, local


def _cells(sample: RenderedSample, theta: Tensor, grid: int) -> tuple[Tensor, Tensor]:
    """Find what each cell shows: the object pixel nearest to its middle, looking a little beyond its border.

    Keypoints often lie on corners and tips; a feature interpolated there must not be half background.
    """
    reach = _REACH * (0.5 + _BEYOND * grid / _GRID)  # cells
    offsets = torch.cartesian_prod(*[torch.linspace(-reach, reach, _PLACES)] * 2)
    offsets = offsets[offsets.norm(dim=1).argsort(stable=True)]  # from the middle outwards
    middles = (torch.arange(grid) + 0.5).view(-1, 1)
    x, y = ((middles + offsets[:, i]) / grid * 2 - 1 for i in (0, 1))  # (grid, place) in [-1, 1]
    places = torch.stack(torch.broadcast_tensors(x[None], y[:, None]), -1) @ theta[:, :2].T + theta[:, 2]
    h, w = sample.name.shape
    column, row = ((places + 1) / 2 * torch.tensor([w, h])).floor().long().unbind(-1)
    pixel = row.clamp(0, h - 1) * w + column.clamp(0, w - 1)  # (grid, grid, place)
    on_object = sample.name.flatten()[pixel] >= 0
    chosen = pixel.gather(2, on_object.byte().argmax(-1, keepdim=True))[:, :, 0]
    name = sample.name.flatten()[chosen].long()
    name[(places[:, :, 0].abs() > 1).any(-1)] = IGNORE
    return name, sample.local.flatten(0, 1)[chosen].float()


def _erase(image: Tensor, name: Tensor, generator: torch.Generator) -> None:
    """Paint a box over every other picture: an occluder, so its cells are background."""
    side, grid = image.shape[-1], name.shape[-1]
    for _ in range(int(torch.randint(0, 2, (), generator=generator))):
        size = torch.randint(grid // 16, grid // 4, (2,), generator=generator)
        row, column = (int(torch.randint(0, grid - int(s), (), generator=generator)) for s in size)
        rows, columns = slice(row, row + int(size[0])), slice(column, column + int(size[1]))
        factor = side // grid
        patch = image[:, row * factor : rows.stop * factor, column * factor : columns.stop * factor]
        color = torch.rand(3, 1, 1, generator=generator)
        grain = 0.3 * torch.rand((), generator=generator)
        patch.copy_(color + grain * (torch.rand(patch.shape, generator=generator) - 0.5))
        hidden = name[rows, columns]
        hidden[hidden >= 0] = -1


def _recolor(images: Tensor, generator: torch.Generator) -> Tensor:
    """Change color mixing, contrast, brightness, gamma and channel order at random, per picture."""
    count = len(images)
    mixing = torch.eye(3) + 0.12 * torch.randn(count, 3, 3, generator=generator)
    gray = torch.full((3, 3), 1 / 3)
    saturation = torch.rand(count, 1, 1, generator=generator) * 1.3
    mixing = mixing @ (saturation * torch.eye(3) + (1 - saturation) * gray)
    for i in range(count):
        if _uniform(0, 1, generator) < 0.3:
            mixing[i] = mixing[i][torch.randperm(3, generator=generator)]
    mixed = torch.einsum("bij,bjhw->bihw", mixing, images)
    contrast = 0.75 + 0.5 * torch.rand(count, 1, 1, 1, generator=generator)
    brightness = 0.2 * (torch.rand(count, 1, 1, 1, generator=generator) - 0.5)
    gamma = 2 ** (torch.rand(count, 1, 1, 1, generator=generator) - 0.5)
    return ((mixed - 0.5) * contrast + 0.5 + brightness).clamp(1e-3, 1) ** gamma


def _degrade(images: Tensor, generator: torch.Generator) -> Tensor:
    """Blur a fifth of the pictures and add noise to all."""
    out = images.clone()
    for i in range(len(images)):
        if _uniform(0, 1, generator) < 0.2:
            factor = _uniform(0.5, 0.9, generator)
            small = functional.interpolate(images[i : i + 1], scale_factor=factor, mode="area")
            out[i] = functional.interpolate(small, images.shape[-2:], mode="bilinear", align_corners=False)[0]
    strength = 0.05 * torch.rand(len(images), 1, 1, 1, generator=generator) ** 2
    return (out + strength * torch.randn(out.shape, generator=generator)).clamp(0, 1)
