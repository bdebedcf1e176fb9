"""The device that torch computes on, and results on another one."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import TypeVar, cast

import torch
from torch import Tensor

from semcorr_ros.options import Spell
from semcorr_ros.provider_options import ComputeOptions

Tree = TypeVar("Tree")


def moved(tree: Tree, device: str) -> Tree:
    """Move a tensor, or all tensors in a dataclass and its nested dataclasses, to a device."""
    if isinstance(tree, Tensor):
        return cast(Tree, tree.to(device))
    if is_dataclass(tree) and not isinstance(tree, type):
        there = {field.name: moved(getattr(tree, field.name), device) for field in fields(tree)}
        return cast(Tree, replace(tree, **there))
    return tree


def choose_device(options: ComputeOptions, spell: Spell) -> str:
    """Set the number of CPU threads and return the torch device. Raises ValueError for an unavailable one."""
    if options.threads:
        torch.set_num_threads(options.threads)
    device = options.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"{spell(options, 'device')} {device} cannot be used here: {error}") from error
    return device
