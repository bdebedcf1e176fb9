"""Options of `demo`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from semcorr_ros.options import option


@dataclass(frozen=True)
class DemoOptions:
    """All of them."""

    output: Path = option(Path("demo_out"), "everything that is made; kept and used again", metavar="DIR")
    category: str = option("mug", "what is rendered", metavar="NAME")
    images: int = option(30, "training images", 1, metavar="N")
    calls: int = option(3, "service calls", 1, metavar="N")
    limit_mm: float = option(15.0, "3D error that passes", 0.0, metavar="MM")
    device: str = option("auto", "of the node; auto = cuda where there is one")
    weights: Path | None = option(None, "of the tiny backbone (default: its own)", metavar="FILE")
    seed: int = option(0, "of everything", metavar="N")
