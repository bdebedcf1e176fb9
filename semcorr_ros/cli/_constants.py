"""From options to how thoroughly classes are placed."""

from __future__ import annotations

from semcorr_ros.cli._options.pictures import ConstantsOptions
<<<<<<< HEAD
from semcorr_ros.methods import Quality
=======
from semcorr_ros.methods.semalign3d.alignment import Config
from semcorr_ros.methods.semalign3d.alignment.presets import constants
>>>>>>> options


def quality_from(options: ConstantsOptions) -> Quality:
    """Raises ValueError for what is of streams only."""
    if options.quality == "tracking":
        raise ValueError("--quality tracking is for streams, single images have no past: use fast or paper")
<<<<<<< HEAD
    return Quality(str(options.alignment or options.quality), options.without)
=======
    quality, path = options.quality, options.alignment
    found = config.load(Config, path) if path else constants(quality, category)
    kept = tuple(term for term in found.objective.terms if term not in options.without)
    return replace(found, objective=replace(found.objective, terms=kept))
>>>>>>> options
