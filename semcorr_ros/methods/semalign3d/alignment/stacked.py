"""Evidence of several images side by side, for energy terms that are written for one image.

A stack is an `Evidence` whose tensors and numbers have a leading image dimension; `for_each` lets a function
of one image see one row of it, and computes all rows at once (torch.func.vmap).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from semcorr_ros.methods.semalign3d.alignment.state import Evidence, ImageSamples


def kind(seen: Evidence) -> Hashable:
    """Images whose kinds are equal can be stacked: equal sizes, and the same is known of them."""
    shapes = tuple(leaf.shape if isinstance(leaf, Tensor) else () for leaf in _leaves(seen))
    return shapes, seen.focal is None, seen.visibility


def stack(seen: Sequence[Evidence]) -> Evidence:
    """Of one kind."""
    like = seen[0].dense.points
    rows = zip(*(_leaves(one) for one in seen), strict=True)
    return _filled(seen[0], (torch.stack([torch.as_tensor(x).to(like) for x in row]) for row in rows))


def glimpse(stacked: Evidence, rows: Int[Tensor, "image 2 batch"]) -> Evidence:
    """With these samples only: of the dense ones, and of the sparse ones."""
    dense, sparse = stacked.dense, stacked.sparse
    return replace(stacked, dense=_picked(dense, rows[:, 0]), sparse=_picked(sparse, rows[:, 1]))


def for_each(work: Callable[..., Any], stacked: Evidence, *more: Tensor) -> Any:
    """work(evidence of an image, the image's row of each of `more`) of every image."""

    def one(leaves: list[Tensor], *rows: Tensor) -> Any:
        return work(_filled(stacked, iter(leaves)), *rows)

    return torch.func.vmap(one)(list(_leaves(stacked)), *more)


def _picked(samples: ImageSamples, rows: Int[Tensor, "image batch"]) -> ImageSamples:
    return ImageSamples(*(leaf[torch.arange(len(rows))[:, None], rows] for leaf in _leaves(samples)))


def _leaves(part: Any) -> Iterator[Any]:
    """Tensors and numbers, depth first."""
    for field in dataclasses.fields(part):
        value = getattr(part, field.name)
        if dataclasses.is_dataclass(value):
            yield from _leaves(value)
        elif isinstance(value, Tensor) or type(value) is float:
            yield value


def _filled(part: Any, leaves: Iterator[Tensor]) -> Any:
    """`part` with other tensors in place of its tensors and numbers."""
    found = {}
    for field in dataclasses.fields(part):
        value = getattr(part, field.name)
        if dataclasses.is_dataclass(value):
            found[field.name] = _filled(value, leaves)
        elif isinstance(value, Tensor) or type(value) is float:
            found[field.name] = next(leaves)
    return replace(part, **found)
