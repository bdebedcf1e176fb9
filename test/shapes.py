"""Shapes and element types of tensors are checked while tests run: jaxtyping's import hook, with beartype.

beartype and not typeguard: jaxtyping does not work with typeguard 3 and 4, and a check of beartype takes
microseconds.
"""

from __future__ import annotations

import importlib.machinery
import sys
from collections.abc import Callable
from types import UnionType
from typing import Any, Union, get_args, get_origin

import jaxtyping
from beartype import beartype

PACKAGES = ("semcorr_ros", "semcorr_lab")
KERNELS = "semcorr_ros.methods.semalign3d.alignment.fused"  # Triton reads their source


class Unchecked:
    """Finds the kernels as Python does, before jaxtyping's hook would."""

    @staticmethod
    def find_spec(name: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        inside = name == KERNELS or name.startswith(f"{KERNELS}.")
        return importlib.machinery.PathFinder.find_spec(name, path, target) if inside else None


def install() -> None:
    """Check what is imported from now on."""
    jaxtyping.install_import_hook(PACKAGES, f"{__name__}.check")
    sys.meta_path.insert(0, Unchecked)


def check(function: Callable) -> Callable:
    """Hold `function` to those of its annotations that are shapes.

    The others are mypy's: here they would forbid doubles, and the wrong arguments that tests pass on purpose.
    """
    hints = function.__annotations__
    if not any(map(_is_shape, hints.values())):
        return function
    hints.update({name: Any for name, hint in hints.items() if not _is_shape(hint)})
    return beartype(function)


def _is_shape(hint: Any) -> bool:
    """A shape, or a choice or tuple with one; not a list or dict: beartype looks at one item, by chance."""
    if isinstance(hint, type) and issubclass(hint, jaxtyping.AbstractArray):
        return True
    parts = get_args(hint)
    whole = get_origin(hint) in (tuple, Union, UnionType) and Ellipsis not in parts
    return whole and any(map(_is_shape, parts)) and not any(map(_by_chance, parts))


def _by_chance(hint: Any) -> bool:
    parts = get_args(hint)
    nested = get_origin(hint) not in (None, tuple, Union, UnionType) or Ellipsis in parts
    return bool(parts) and (nested or any(map(_by_chance, parts)))
