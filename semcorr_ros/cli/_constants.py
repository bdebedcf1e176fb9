"""From options to how thoroughly classes are placed."""

from __future__ import annotations

from semcorr_ros.cli._options.pictures import ConstantsOptions, PairConstantsOptions
from semcorr_ros.methods import Quality


def quality_from(options: ConstantsOptions) -> Quality:
    """Read the quality of placement. Raises ValueError for one that is for streams only."""
    if options.quality == "tracking":
        raise ValueError("--quality tracking is for streams, single images have no past: use fast or paper")
    matcher = options.matcher if isinstance(options, PairConstantsOptions) else None
    return Quality(str(options.alignment or options.quality), options.without, matcher or "")
