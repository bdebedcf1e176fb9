"""Options of `evaluate`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from semcorr_ros.cli._options.pictures import PairConstantsOptions
from semcorr_ros.cli._options.sources import (
    SPLITS,
    CategoryOptions,
    DatasetOptions,
    DatasetSources,
    WorkerOptions,
    method_names,
)
from semcorr_ros.evaluation import THRESHOLDS
from semcorr_ros.options import group, option


@dataclass(frozen=True)
class WhatOptions:
    """What is measured."""

    method: tuple[str, ...] = option(
        (),
        "how points are carried over; aligned (default): by the class file's own method",
        choices=method_names,
        several=True,
        metavar="NAME",
    )
    class_file: Path | None = option(None, "of --category; see build_class", metavar="FILE")
    class_dir: Path | None = option(None, "holds <category>.safetensors", metavar="DIR")
    split: str = option("test", "of the data set", choices=SPLITS)
    max_pairs: int | None = option(None, "a random subset of this many pairs", 1, metavar="N")


@dataclass(frozen=True)
class ProtocolOptions:
    """How it is measured."""

    threshold: str = option(
        "bbox",
        "what alpha is a fraction of: the target's box, at 0.1 0.05 0.01, or its image, at 0.15 0.1 0.05 as "
        "usual on PF-PASCAL",
        choices=tuple(THRESHOLDS),
    )
    kap_grid: str = option(
        "features",
        "cells that KAP looks at: those of the features, or 60 x 60 on a square canvas like in published "
        "numbers",
        choices=("features", "letterbox"),
    )
    adaptive_flip: bool = option(
        False,
        "methods without alignment match the mirrored source where that resembles the target more "
        "(GeoAware-SC)",
    )


@dataclass(frozen=True)
class ReportOptions:
    """What is written."""

    json: Path | None = option(
        None,
        "an object; with several methods a list; with --all-categories an object of such lists",
        metavar="FILE",
    )
    markdown: Path | None = option(None, "the tables", metavar="FILE")
    html: Path | None = option(None, "one page with the tables and pictures of pairs", metavar="FILE")
    pictures: int = option(2, "of the worst and of the best pairs, each, in --html", 0, metavar="N")
    work: Path | None = option(
        None,
        "predictions and alignments, resumed if nothing relevant changed (default: <json>_predictions/, "
        "without --json a temporary folder)",
        metavar="DIR",
    )
    rescore: Path | None = option(
        None, "only score what is in this --work folder, without features", metavar="DIR"
    )


@dataclass(frozen=True)
class EvaluateOptions:
    """All of them."""

    dataset: DatasetOptions = group(DatasetOptions)
    which: CategoryOptions = group(CategoryOptions)
    what: WhatOptions = group(WhatOptions)
    output: ReportOptions = group(ReportOptions)
    alignment: PairConstantsOptions = group(PairConstantsOptions, rare=True)
    protocol: ProtocolOptions = group(ProtocolOptions, rare=True)
    sources: DatasetSources = group(DatasetSources)
    workers: WorkerOptions = group(WorkerOptions, rare=True)
