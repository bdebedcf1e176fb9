"""Dataclasses of tensors on another device."""

from dataclasses import fields, is_dataclass, replace

import torch

BEST = "cuda" if torch.cuda.is_available() else "cpu"


def moved(tree, device=BEST):
    """A tensor, or a dataclass with all tensors in it, on a device."""
    if isinstance(tree, torch.Tensor):
        return tree.to(device)
    if is_dataclass(tree):
        there = {field.name: moved(getattr(tree, field.name), device) for field in fields(tree)}
        return replace(tree, **there)
    return tree
