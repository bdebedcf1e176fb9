"""Options of `build_class`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from semcorr_ros.cli._options.sources import (
    SPLITS,
    CategoryOptions,
    DatasetOptions,
    DatasetSources,
    WorkerOptions,
)
from semcorr_ros.options import exclude, group, option


@dataclass(frozen=True)
class ImageOptions:
    """Which images."""

    split: str = option("trn", "of the data set", choices=SPLITS)
    max_images: int | None = option(None, "a random subset of this many images", 1, metavar="N")
    mirror: bool = option(False, "double the images where the flip table fits them (default: as --config)")
    no_mirror: bool = option(False, "leave that out")
    config: Path | None = option(None, "constants of the build", metavar="YAML")
    seed: int = option(0, "the same seed gives the same bytes", metavar="N")

    def __post_init__(self) -> None:
        exclude(self, "mirror", "no_mirror")


@dataclass(frozen=True)
class ClassOutputOptions:
    """What is written."""

    output: Path | None = option(None, "<class>.safetensors", metavar="FILE")
    class_dir: Path | None = option(None, "of the files of --all-categories", metavar="DIR")
    json: Path | None = option(None, "report (default: beside --output)", metavar="FILE")
    picture: Path | None = option(None, "picture (default: beside --output)", metavar="PNG")
    progress: Path | None = option(
        None, 'while it runs, {"stage", "share"} of what is done, for a program that waits', metavar="FILE"
    )


@dataclass(frozen=True)
class KeypointDepthOptions:
    """Depth and size from keypoints."""

    nearer: tuple[tuple[str, ...], ...] = option(
        (),
        "A B [IMAGE]: keypoint A is nearer to the camera than B, in most images or in the one named: "
        "pictures cannot always tell a shape from its depth reversal",
        several=True,
        metavar="NAME ...",
    )
    size: tuple[str, ...] = option(
        (),
        "METRES A B: a mean length of the class, from keypoint A to keypoint B, e.g. 0.09 rim_left "
        "rim_right: its size in metres, whatever its depth says",
        metavar="METRES",
    )


@dataclass(frozen=True)
class BuildClassOptions:
    """All of them."""

    dataset: DatasetOptions = group(DatasetOptions)
    which: CategoryOptions = group(CategoryOptions)
    output: ClassOutputOptions = group(ClassOutputOptions)
    keypoints: KeypointDepthOptions = group(KeypointDepthOptions)
    images: ImageOptions = group(ImageOptions, rare=True)
    sources: DatasetSources = group(DatasetSources)
    workers: WorkerOptions = group(WorkerOptions, rare=True)
