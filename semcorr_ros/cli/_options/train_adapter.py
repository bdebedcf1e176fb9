"""Options of `train_adapter`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from semcorr_ros.cli._options.sources import SPLITS, DatasetSources
from semcorr_ros.options import exclude, group, option
from semcorr_ros.registry import names


@dataclass(frozen=True)
class LabelOptions:
    """What is learned from: pseudo-labels, or annotated keypoints."""

    labels: Path | None = option(
        None,
        "pseudo-labels: a file (also <category>_anns.pt of DIY-SC), or a work folder of mesh_prior; without, "
        "keypoints of the data set",
        metavar="PATH",
    )
    root: Path | None = option(None, "folder of the data set (default: that of the labels)", metavar="DIR")
    dataset: str = option(
        "",
        "its format (default: that of the labels, else spair71k)",
        choices=partial(names, "semcorr_ros.datasets"),
        metavar="FORMAT",
    )
    category: tuple[str, ...] = option((), "one or several, learned together", metavar="NAME")
    all_categories: bool = option(False, "every category of the data set")

    def __post_init__(self) -> None:
        if self.labels is None:
            exclude(self, "category", "all_categories", required=True)
            if self.root is None:
                raise ValueError("--root must be given where there are no --labels")
        elif self.all_categories:
            raise ValueError("--labels has its own categories: --all-categories means nothing with it")


@dataclass(frozen=True)
class AdapterOutputOptions:
    """What is written."""

    output: Path = option(Path("adapter.safetensors"), "the adapter", metavar="FILE")
    json: Path | None = option(None, "report (default: beside --output)", metavar="FILE")
    curve: Path | None = option(None, "losses over the steps (default: beside)", metavar="PNG")
    work: Path | None = option(
        None,
        "encoded pictures and checkpoint, from which a stopped run goes on (default: beside)",
        metavar="DIR",
    )


@dataclass(frozen=True)
class AdapterScheduleOptions:
    """How long and from what."""

    steps: int = option(3000, "of the optimizer", 1, metavar="N")
    batch: int = option(1, "pairs per step", 1, 4096, metavar="N")
    lr: float | None = option(
        None, "at the top of the cycle (default: 5e-3; with keypoints 1.25e-3)", 1e-6, 1.0, metavar="X"
    )
    seed: int = option(0, "same seed, same file", 0, 2**31, metavar="N")
    split: str = option("trn", "of the data set, with keypoints", choices=SPLITS)
    max_images: int | None = option(None, "a random subset of so many per category", 2, metavar="N")
    max_pairs: int | None = option(None, "a random subset of so many per category", 1, metavar="N")
    held_out: float = option(
        0.1, "share of the pictures by which the best step is chosen", 0.0, 0.9, metavar="X"
    )
    select: str = option("pck", "what is best on these", choices=("pck", "loss"))
    check_every: int = option(200, "steps between two looks at these", 1, metavar="N")
    crops: int = option(
        3, "encoded per picture: the object, the whole, then random ones", 1, 100, metavar="N"
    )


@dataclass(frozen=True)
class AdapterHeadOptions:
    """Network and losses."""

    sources: tuple[int, ...] = option(
        (), "channels of maps that the backbone joins (default: known for sd_dino, else one map)", metavar="N"
    )
    width: int = option(
        0,
        "channels of the result, a multiple of 32 (default: 768, less for narrow backbones)",
        0,
        4096,
        metavar="N",
    )
    points: int = option(50, "of a pair and step", 2, metavar="N")
    dropout: float = option(0.2, "of the maps' numbers", 0.0, 0.95, metavar="X")
    double_flip: float | None = option(
        None, "weight of the mirrored pair (default: 0; with keypoints 1)", 0.0, 10.0, metavar="X"
    )
    self_flip: float | None = option(
        None,
        "weight of a picture and its mirror image, with keypoints (default: 0.25)",
        0.0,
        10.0,
        metavar="X",
    )


@dataclass(frozen=True)
class TrainAdapterOptions:
    """All of them."""

    labels: LabelOptions = group(LabelOptions)
    output: AdapterOutputOptions = group(AdapterOutputOptions)
    schedule: AdapterScheduleOptions = group(AdapterScheduleOptions, rare=True)
    head: AdapterHeadOptions = group(AdapterHeadOptions, rare=True)
    sources: DatasetSources = group(DatasetSources)
