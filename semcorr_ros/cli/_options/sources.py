"""Where data, features, depth and masks come from, and who computes."""

from __future__ import annotations

from dataclasses import MISSING, dataclass
from functools import partial
from pathlib import Path

from semcorr_ros.options import exclude, group, option
from semcorr_ros.provider_options import ComputeOptions, DepthOptions, FeatureOptions, MaskOptions
from semcorr_ros.registry import names

NONE = "none"
SPLITS = ("trn", "val", "test")


def method_names() -> list[str]:
    """List what `--method` takes."""
    return ["aligned", *names("semcorr_ros.methods")]  # aligned: that of the class file


@dataclass(frozen=True)
class DatasetOptions:
    """Which data set."""

    root: Path = option(MISSING, "folder of the data set", metavar="DIR")
    dataset: str = option(
        "spair71k", "its format", choices=partial(names, "semcorr_ros.datasets"), metavar="FORMAT"
    )


@dataclass(frozen=True)
class CategoryOptions:
    """One category or all."""

    category: str = option("", "one category", metavar="NAME")
    all_categories: bool = option(False, "every category of the data set, or of --class-dir")

    def __post_init__(self) -> None:
        exclude(self, "category", "all_categories", required=True)


@dataclass(frozen=True)
class CacheOptions:
    """Features that are there already."""

    features_dir: Path | None = option(
        None, "<stem>.npz with features (h, w, C), instead of --backbone", metavar="DIR"
    )
    feature_cache: Path | None = option(
        None,
        "keep features (float16) and what networks say of depth and masks here, and read what is there",
        metavar="DIR",
    )
    feature_cache_gb: float = option(
        50.0, "largest size of --feature-cache; the longest unused go first", 0.0, metavar="N"
    )


@dataclass(frozen=True)
class DatasetDepthOptions:
    """Depth of the images of a data set."""

    depth: str = option(
        "",
        "where depth comes from (default: precomputed with --depth-dir, else the data set's own)",
        choices=lambda: [*names("semcorr_ros.depth"), NONE],
        metavar="NAME",
    )
    depth_dir: Path | None = option(None, "<stem>.npy, 16-bit mm <stem>.png, or alike", metavar="DIR")
    depth_scale: float = option(
        0.0,
        "metres per unit of depth (default: integers are mm, floats metres, in --depth-dir of any unit)",
        0.0,
        1000.0,
        metavar="METRES",
    )
    depth_kind: str = option(
        "",
        "what the files of --depth-dir hold: distance along z (default) or its inverse",
        choices=("depth", "disparity"),
    )
    depth_options: tuple[str, ...] = option(
        (),
        "another setting of the depth provider, such as size=small",
        flag="depth-option",
        several=True,
        metavar="KEY=VALUE",
    )


@dataclass(frozen=True)
class DatasetMaskOptions:
    """Masks of the images of a data set."""

    masks: tuple[str, ...] = option(
        (),
        "tried in this order until one has an answer (default: annotation attention)",
        choices=lambda: [*names("semcorr_ros.masks"), NONE],
        metavar="NAME",
    )
    masks_dir: Path | None = option(
        None, "<stem>.png or .npy: alpha, white, colour or label = object", metavar="DIR"
    )
    mask_options: tuple[str, ...] = option(
        (),
        "another setting of the mask provider NAME, such as sam.size=base",
        flag="mask-option",
        several=True,
        metavar="NAME.KEY=VALUE",
    )


@dataclass(frozen=True)
class DatasetSources:
    """What an image of a data set is observed with."""

    features: FeatureOptions = group(FeatureOptions)
    depth: DatasetDepthOptions = group(DatasetDepthOptions, rare=True)
    masks: DatasetMaskOptions = group(DatasetMaskOptions, rare=True)
    cache: CacheOptions = group(CacheOptions, rare=True)
    compute: ComputeOptions = group(ComputeOptions, rare=True)


@dataclass(frozen=True)
class LiveSources:
    """What a picture is observed with that no data set lies beside."""

    masks: MaskOptions = group(MaskOptions)
    depth_network: DepthOptions = group(DepthOptions)
    features: FeatureOptions = group(FeatureOptions, rare=True)
    cache: CacheOptions = group(CacheOptions, rare=True)
    compute: ComputeOptions = group(ComputeOptions, rare=True)


@dataclass(frozen=True)
class WorkerOptions:
    """Who does jobs that do not depend on each other."""

    engine: str = option(
        "local",
        "processes of this machine, or of a Ray cluster (RAY_ADDRESS) whose machines share the folders",
        choices=partial(names, "semcorr_ros.workers"),
    )
    workers: int | None = option(
        None, "jobs at a time: categories, or images (default: 1; with ray, all cores)", 1, metavar="N"
    )
