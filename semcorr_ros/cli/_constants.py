"""From options to the constants of the alignment."""

from __future__ import annotations

from dataclasses import replace

from semcorr_ros import config
from semcorr_ros.cli._options.pictures import ConstantsOptions
from semcorr_ros.methods.semalign3d.alignment import Config
from semcorr_ros.methods.semalign3d.alignment.presets import constants


def alignment_from(options: ConstantsOptions, category: str) -> Config:
    """The constants for a category. Raises ValueError or FileNotFoundError for a bad file."""
    if options.quality == "tracking":
        raise ValueError("--quality tracking is for streams, single images have no past: use fast or paper")
    quality, path = options.quality, options.alignment
    found = config.load(Config, path) if path else constants(quality, category)
    kept = tuple(term for term in found.objective.terms if term not in options.without)
    return replace(found, objective=replace(found.objective, terms=kept))
