"""Results on another device."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import TypeVar, cast

from torch import Tensor

Tree = TypeVar("Tree")


def moved(tree: Tree, device: str) -> Tree:
    """A tensor, or a dataclass with all tensors in it and in its dataclasses, on a device."""
    if isinstance(tree, Tensor):
        return cast(Tree, tree.to(device))
    if is_dataclass(tree) and not isinstance(tree, type):
        there = {field.name: moved(getattr(tree, field.name), device) for field in fields(tree)}
        return cast(Tree, replace(tree, **there))
    return tree
