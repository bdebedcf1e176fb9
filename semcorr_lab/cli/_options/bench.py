"""Options of `bench`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from semcorr_ros.options import group, option
from semcorr_ros.provider_options import ComputeOptions
from semcorr_ros.registry import names


@dataclass(frozen=True)
class BenchOptions:
    """All of them."""

    work: Path = option(Path("bench_out"), "folder of the class and the results", metavar="DIR")
    category: str = option(
        "mug", "what is rendered", choices=partial(names, "semcorr_lab.synthetic.categories")
    )
    runs: int = option(20, "of each stage", 1, metavar="N")
    slow_runs: int = option(3, "of the slow ones", 1, metavar="N")
    frames: int = option(8, "rendered pictures", 2, metavar="N")
    no_scaling: bool = option(False, "leave the scaling curves (CPU) out")
    calls: int = option(100, "of a running node's service; 0: none", 0, metavar="N")
    classes: int = option(50, "resident at once; 0: none", 0, metavar="N")
    engine: str = option(
        "auto",
        "of the alignments; auto: the node's choice",
        choices=("auto", "reference", "compiled", "fused"),
    )
    seed: int = option(0, "of the rendered object", metavar="N")
    json: Path | None = option(None, "the numbers (default: bench.json in --work)", metavar="FILE")
    compute: ComputeOptions = group(ComputeOptions)
