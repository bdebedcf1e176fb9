"""Options of `train_tiny`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from semcorr_ros.options import group, option


@dataclass(frozen=True)
class TrainingOptions:
    """The schedule; of training/tiny_backbone.py where not given."""

    steps: int = option(3600, "of the optimizer", 1, metavar="N")
    batch: int = option(16, "pictures per step", 1, metavar="N")
    sides: tuple[int, ...] = option((96, 160, 240), "pixels of training pictures, first to last", metavar="N")
    learning_rate: float = option(0.02, "of Muon", 0.0, metavar="X")
    precision: str = option("bf16", "of the training", choices=("bf16", "fp32"))
    images: int = option(498, "training pictures per category", 1, metavar="N")

    def __post_init__(self) -> None:
        if len(self.sides) != 3:
            raise ValueError(f"--sides takes three numbers, got {' '.join(map(str, self.sides))}")


@dataclass(frozen=True)
class TrainTinyOptions:
    """All of them."""

    work: Path = option(Path("runs/train_tiny"), "pictures and checkpoint", metavar="DIR")
    output: Path | None = option(None, "weights file to write (default: the package's own)", metavar="FILE")
    evaluate: bool = option(False, "measure --output instead of training it")
    categories: tuple[str, ...] = option((), "default: all procedural ones", metavar="NAME")
    unseen: int = option(24, "test pictures per category", 1, metavar="N")
    device: str = option("cpu", "torch device")
    threads: int = option(2, "CPU threads and rendering processes", 1, metavar="N")
    seed: int = option(0, "of everything", metavar="N")
    json: Path | None = option(None, "write a report here", metavar="FILE")
    picture: Path | None = option(None, "draw the features of unseen pictures here", metavar="PNG")
    training: TrainingOptions = group(TrainingOptions)
