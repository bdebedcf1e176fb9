"""SemAlign3D (CVPR 2025): align a sparse and dense 3D class to an image by energy minimisation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from semcorr_ros import config
from semcorr_ros.methods import Method, Quality
from semcorr_ros.methods.semalign3d import alignment
from semcorr_ros.methods.semalign3d.alignment import engine, presets
from semcorr_ros.methods.semalign3d.class_file import read_class
from semcorr_ros.methods.semalign3d.model import SemAlign3D


def load(path: Path | None, device: str, quality: Quality) -> SemAlign3D:
    """Read a class file onto a device. Raises FileNotFoundError, ValueError."""
    if path is None:
        raise ValueError("this method aligns the class to the images: it needs a class file; see build_class")
    representation = read_class(path, device)
    settings = settings_for(quality, representation.info.name)
    return SemAlign3D(representation, settings, tracks=quality.name == "tracking")


def check(quality: Quality) -> None:
    """Raises ValueError for an unknown preset, a bad file or an engine that cannot work here."""
    settings = settings_for(quality, "")
    engine.choose(settings.engine, settings.objective)


def settings_for(quality: Quality, category: str) -> alignment.AlignmentConfig:
    """Choose settings for a category. Raises ValueError or FileNotFoundError for a bad file."""
    if quality.name not in presets.PRESETS and Path(quality.name).suffix:
        found = config.load(alignment.AlignmentConfig, quality.name)
    else:
        found = presets.preset(quality.name, category)
    if quality.matcher:
        found = replace(found, matching=presets.matching(quality.matcher, category))
    terms = tuple(term for term in found.objective.terms if term not in quality.without)
    return replace(found, objective=replace(found.objective, terms=terms))


PLUGIN = Method(load, check)
