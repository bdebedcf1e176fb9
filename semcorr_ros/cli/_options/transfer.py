"""Options of `transfer`."""

from __future__ import annotations

from dataclasses import MISSING, dataclass
from pathlib import Path

from semcorr_ros.cli._options.pictures import PairConstantsOptions, PictureOutputOptions
from semcorr_ros.cli._options.sources import LiveSources, method_names
from semcorr_ros.options import exclude, group, option
from semcorr_ros.provider_options import ROTATIONS, JudgementOptions, ReadingOptions


@dataclass(frozen=True)
class SourceOptions:
    """The picture that is pointed at, and at what."""

    source: Path = option(MISSING, "picture that is pointed at", metavar="FILE")
    points: str | None = option(None, "pixels of the source", metavar='"X,Y X,Y"')
    keypoints: tuple[str, ...] = option((), 'keypoints of the class, or "all"', metavar="NAME")
    source_depth: Path | None = option(None, "16-bit mm .png, float metres .npy, ...", metavar="FILE")
    source_mask: Path | None = option(None, "alpha, white, colour or label = object", metavar="FILE")
    camera: Path | None = option(
        None,
        '{"K": 3x3 pixels} or of a calibration tool (default: searched for)',
        metavar="FILE",
    )

    def __post_init__(self) -> None:
        if self.points != "":  # `parse_points` refuses that
            exclude(self, "points", "keypoints", required=True)


@dataclass(frozen=True)
class TargetOptions:
    """The pictures where they are looked for."""

    target: tuple[Path, ...] = option(MISSING, "pictures to find them in", metavar="FILE")
    target_depth: tuple[Path, ...] = option((), "one per target", metavar="FILE")
    target_mask: tuple[Path, ...] = option((), "one per target", metavar="FILE")
    target_camera: tuple[Path, ...] = option((), "one per target (default: --camera)", metavar="FILE")
    target_rotate: tuple[str, ...] = option(
        (), "one per target (default: --rotate)", choices=ROTATIONS, metavar="DEGREES"
    )


@dataclass(frozen=True)
class MethodOptions:
    """How."""

    class_file: Path | None = option(
        None, "the class, for methods that align; see build_class", metavar="FILE"
    )
    method: str = option(
        "aligned",
        "carries points over; aligned: the class",
        choices=method_names,
        metavar="NAME",
    )


@dataclass(frozen=True)
class TransferOptions:
    """All of them."""

    source: SourceOptions = group(SourceOptions)
    targets: TargetOptions = group(TargetOptions)
    method: MethodOptions = group(MethodOptions)
    output: PictureOutputOptions = group(PictureOutputOptions)
    judgement: JudgementOptions = group(JudgementOptions)
    alignment: PairConstantsOptions = group(PairConstantsOptions, rare=True)
    reading: ReadingOptions = group(ReadingOptions, rare=True)
    sources: LiveSources = group(LiveSources)
