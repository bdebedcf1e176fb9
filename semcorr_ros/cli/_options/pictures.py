"""Options of verbs that align classes: constants, judgement, and what is written."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from semcorr_ros.options import option
from semcorr_ros.provider_options import AlignmentOptions
from semcorr_ros.registry import names

MATCHERS = ("aligned", "paper")
TERMS = partial(names, "semcorr_ros.methods.semalign3d.alignment.terms")


@dataclass(frozen=True)
class ConstantsOptions(AlignmentOptions):
    """The constants of the alignment."""

    alignment: Path | None = option(None, "constants from a file, instead of --quality", metavar="YAML")
    without: tuple[str, ...] = option(
        (),
        "leave a term of the energy out, to see what it is worth",
        choices=TERMS,
        several=True,
        metavar="TERM",
    )

    def __post_init__(self) -> None:
        if self.alignment and self.quality != AlignmentOptions.quality:
            raise ValueError("--quality and --alignment exclude each other")


@dataclass(frozen=True)
class PairConstantsOptions(ConstantsOptions):
    """The constants of the alignment, and of the matching between two aligned images."""

    matcher: str | None = option(
        None,
        "how pixels are carried over: ours, or the paper's Eq. 14 to the letter (default: that of --quality)",
        choices=MATCHERS,
    )


@dataclass(frozen=True)
class PictureOutputOptions:
    """What is written."""

    output: Path | None = option(None, "picture of the result", metavar="PNG")
    json: Path | None = option(None, "result in numbers", metavar="FILE")
