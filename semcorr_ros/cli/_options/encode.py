"""Options of `encode`."""

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
from semcorr_ros.options import group, option


@dataclass(frozen=True)
class EncodeImageOptions:
    """Which images."""

    split: tuple[str, ...] = option(("trn", "test"), "of the data set", choices=SPLITS, metavar="SPLIT")
    mirror: bool = option(False, "the mirrored images, too")
    class_dir: Path | None = option(None, "classes that attention masks look for", metavar="DIR")


@dataclass(frozen=True)
class EncodeOptions:
    """All of them."""

    dataset: DatasetOptions = group(DatasetOptions)
    which: CategoryOptions = group(CategoryOptions)
    images: EncodeImageOptions = group(EncodeImageOptions)
    sources: DatasetSources = group(DatasetSources)
    workers: WorkerOptions = group(WorkerOptions)
