"""Options of `align`."""

from __future__ import annotations

from dataclasses import MISSING, dataclass
from pathlib import Path

from semcorr_ros.cli._options.pictures import ConstantsOptions, PictureOutputOptions
from semcorr_ros.cli._options.sources import LiveSources
from semcorr_ros.options import group, option
from semcorr_ros.provider_options import JudgementOptions, ReadingOptions


@dataclass(frozen=True)
class PictureOptions:
    """A picture and the files that say more about it."""

    image: Path = option(MISSING, "picture to be looked at", metavar="FILE")
    class_file: Path = option(MISSING, "what is looked for; see build_class", metavar="FILE")
    depth: Path | None = option(None, "16-bit mm .png, float metres .npy, ...", metavar="FILE")
    mask: Path | None = option(
        None,
        "the object: alpha, white, colour or label, see docs/datasets.md (default: found by --masks)",
        metavar="FILE",
    )
    camera: Path | None = option(
        None,
        '{"K": 3x3 pixels} or of a calibration tool (default: searched for)',
        metavar="FILE",
    )


@dataclass(frozen=True)
class AlignOptions:
    """All of them."""

    picture: PictureOptions = group(PictureOptions)
    output: PictureOutputOptions = group(PictureOutputOptions)
    judgement: JudgementOptions = group(JudgementOptions)
    alignment: ConstantsOptions = group(ConstantsOptions)
    reading: ReadingOptions = group(ReadingOptions, rare=True)
    sources: LiveSources = group(LiveSources)
