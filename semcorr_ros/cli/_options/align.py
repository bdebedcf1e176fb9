"""Options of `align`."""

from __future__ import annotations

from dataclasses import MISSING, dataclass
from pathlib import Path

from semcorr_ros.cli._options.pictures import ConstantsOptions, PictureOutputOptions
from semcorr_ros.cli._options.sources import LiveSources
from semcorr_ros.options import group, option
from semcorr_ros.provider_options import ROTATIONS, JudgementOptions


@dataclass(frozen=True)
class PictureOptions:
    """A picture and the files that say more about it."""

    image: Path = option(MISSING, "picture", metavar="FILE")
    class_file: Path = option(MISSING, "what is looked for; see build_class", metavar="FILE")
    depth: Path | None = option(None, "16-bit mm .png, float metres .npy, or alike", metavar="FILE")
    depth_scale: float = option(
        0.0, "metres per unit of the depth; 0 = integers are mm, floats m", 0.0, 1000.0, metavar="METRES"
    )
    mask: Path | None = option(
        None,
        "the object: alpha, white, colour or label, see docs/datasets.md (default: found by --masks)",
        metavar="FILE",
    )
    camera: Path | None = option(
        None,
        '{"K": 3x3 pixels}, or the file of a calibration tool (default: the focal length is searched for)',
        metavar="FILE",
    )
    rectified: bool = option(False, "pictures have no distortion any more, whatever the camera file says")
    rotate: str = option(
        "0", "degrees clockwise that make the picture upright", choices=ROTATIONS, metavar="DEGREES"
    )


@dataclass(frozen=True)
class AlignOptions:
    """All of them."""

    picture: PictureOptions = group(PictureOptions)
    output: PictureOutputOptions = group(PictureOutputOptions)
    judgement: JudgementOptions = group(JudgementOptions)
    alignment: ConstantsOptions = group(ConstantsOptions)
    sources: LiveSources = group(LiveSources)
