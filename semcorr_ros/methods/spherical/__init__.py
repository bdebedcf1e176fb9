"""Viewpoint-Guided Spherical Maps (CVPR 2024): a light head that maps every patch to the unit sphere."""

from __future__ import annotations

from pathlib import Path

from semcorr_ros.methods import Method, Quality
from semcorr_ros.methods.spherical.class_file import read_classes
from semcorr_ros.methods.spherical.model import Spherical


def load(path: Path | None, device: str, quality: Quality) -> Spherical:
    """Read a class file onto a device. Raises FileNotFoundError, ValueError."""
    if path is None:
        raise ValueError(
            "this method maps pictures by a trained head: it needs a class file; see train_sphere"
        )
    classes = read_classes(path, device)
    return Spherical(classes, classes.categories[0] if len(classes.categories) == 1 else None)


def check(quality: Quality) -> None:
    """Accept every quality: there is one way of mapping."""


PLUGIN = Method(load, check)
