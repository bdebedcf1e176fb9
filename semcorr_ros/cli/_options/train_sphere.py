"""Options of `train_sphere`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from semcorr_ros.cli._options.sources import SPLITS, DatasetOptions, DatasetSources
from semcorr_ros.options import exclude, group, option

VIEWPOINTS = ("annotation", "cameras", "class", "none")
HINGES = ("released", "paper")
LOSSES = ("reconstruction", "relative_distance", "orientation", "viewpoint")


@dataclass(frozen=True)
class CategoriesOptions:
    """What one mapper is trained on."""

    category: tuple[str, ...] = option((), "one or several, learned together", metavar="NAME")
    all_categories: bool = option(False, "every category of the data set")

    def __post_init__(self) -> None:
        exclude(self, "category", "all_categories", required=True)


@dataclass(frozen=True)
class ViewpointOptions:
    """Where the coarse viewpoints come from."""

    viewpoints: str = option(
        "annotation",
        "annotation: azimuth_id of the data set; cameras: of --cameras-dir; class: of the classes in "
        "--class-dir, aligned to the pictures; none: without that loss",
        choices=VIEWPOINTS,
    )
    cameras_dir: Path | None = option(
        None,
        "<category>/<stem>.json with camera_from_canonical (default: Cameras of --root)",
        metavar="DIR",
    )
    class_dir: Path | None = option(None, "holds <category>.safetensors of build_class", metavar="DIR")


@dataclass(frozen=True)
class SphereOutputOptions:
    """What is written."""

    output: Path = option(Path("sphere.safetensors"), "mapper and categories", metavar="FILE")
    split_dir: Path | None = option(None, "the same, one file per category: what a node loads", metavar="DIR")
    json: Path | None = option(None, "report (default: beside --output)", metavar="FILE")
    picture: Path | None = option(None, "pictures as maps of the sphere (default: beside)", metavar="PNG")
    curve: Path | None = option(None, "losses over the steps (default: beside)", metavar="PNG")
    work: Path | None = option(
        None,
        "encoded crops and checkpoint, from which a stopped run goes on (default: beside)",
        metavar="DIR",
    )


@dataclass(frozen=True)
class ScheduleOptions:
    """How long and from what."""

    steps: int = option(3000, "of the optimizer", 1, metavar="N")
    batch: int = option(16, "pictures per step", 1, 4096, metavar="N")
    lr: float = option(2e-3, "of Adam at first; falls as half a cosine", 1e-6, 1.0, metavar="X")
    seed: int = option(0, "same seed, same file", 0, 2**31, metavar="N")
    split: str = option("trn", "of the data set", choices=SPLITS)
    max_images: int | None = option(None, "a random subset of so many per category", 1, metavar="N")
    held_out: float = option(0.1, "share of the pictures that only the curve sees", 0.0, 0.9, metavar="X")
    train_precision: str = option(
        "", "of the matrix products (default: bf16 on a GPU, else fp32)", choices=("fp32", "bf16")
    )
    crops: int = option(4, "encoded per picture", 1, 100, metavar="N")


@dataclass(frozen=True)
class HeadOptions:
    """Networks, losses and matching."""

    grid: int = option(16, "tokens per side; published: 32", 4, 128, metavar="N")
    waves: int = option(
        2,
        "of the positions that a token is told; 0, as published, for backbones that know them",
        0,
        8,
        metavar="N",
    )
    without: tuple[str, ...] = option((), "losses left out", choices=LOSSES, metavar="LOSS")
    hinge: str = option(
        "released", "of the orientation: squared from 1, or the paper's linear from 0.7", choices=HINGES
    )
    no_mirror: bool = option(False, "train on pictures as they are, as published")
    alpha: float = option(0.2, "weight of the sphere in matching", 0.0, 1.0, metavar="X")
    metric: str = option(
        "", "how features are compared (default: l2 for sd_dino, else cosine)", choices=("cosine", "l2")
    )
    published: Path | None = option(
        None, "the authors' checkpoint: take its mapper, train nothing", metavar="PTH"
    )


@dataclass(frozen=True)
class TrainSphereOptions:
    """All of them."""

    dataset: DatasetOptions = group(DatasetOptions)
    which: CategoriesOptions = group(CategoriesOptions)
    output: SphereOutputOptions = group(SphereOutputOptions)
    views: ViewpointOptions = group(ViewpointOptions)
    schedule: ScheduleOptions = group(ScheduleOptions, rare=True)
    head: HeadOptions = group(HeadOptions, rare=True)
    sources: DatasetSources = group(DatasetSources)
