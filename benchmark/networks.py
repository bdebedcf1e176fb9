"""Seconds and memory of one network on this machine: `python -m benchmark.networks KIND NAME`.

KIND is features, depth or masks, NAME a plug-in with weights on this machine (`weights fetch`). One 640x480
picture of noise, whose content does not matter to the time; mask networks are asked for what three points
mean. One process each, so that the peak of its memory is this network's.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from semcorr_ros.artifacts import AnnotatedImage, Observation
from semcorr_ros.depth import DEPTH
from semcorr_ros.features import FEATURES, ImageRef
from semcorr_ros.masks import MASKS
from semcorr_ros.memory import MEGABYTE, peak_memory
from semcorr_ros.registry import Plugin, Registry
from semcorr_ros.weights.networks import PRECISIONS

SIZE = (480, 640)  # (h, w)
REGISTRIES: dict[str, Registry[Any]] = {"features": FEATURES, "depth": DEPTH, "masks": MASKS}


def main() -> int:
    """Prints one line. Returns 0, or 2 for what cannot be timed."""
    args = _arguments()
    torch.set_num_threads(args.threads)
    try:
        work = job(args.kind, args.name, args.option, args.precision)
    except (ValueError, OSError, ImportError) as error:
        print(f"benchmark.networks: {error}", file=sys.stderr)
        return 2
    with torch.no_grad():
        seconds = timed(work, args.runs)
    memory = peak_memory()["process_bytes"] / MEGABYTE
    what = " ".join([args.kind, args.name, *args.option, args.precision])
    print(f"{what}: {seconds:.2f} s (median of {args.runs}), peak {memory:.0f} MiB, {args.threads} threads")
    return 0


def job(kind: str, name: str, options: list[str], precision: str) -> Callable[[], Any]:
    """What is timed. Raises ValueError or FileNotFoundError as the plug-in, or for one that reads files."""
    plugin: Plugin[Any] = REGISTRIES[kind].load(name)
    if plugin.needs_files or plugin.needs_annotations:
        raise ValueError(f"{kind} {name} reads files: there is no network to be timed")
    made = plugin.make(plugin.parse(options, "--option"), {"device": "cpu", "precision": precision})
    image = torch.randint(0, 256, (*SIZE, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    ref = ImageRef(image, "noise", "anything")
    if kind == "features":
        return lambda: made.encode(ref)
    if kind == "depth":
        return lambda: made.from_image(image)
    sample, seen = _annotated(), Observation(image, FEATURES.load("tiny").make({}, {}).encode(ref))
    return lambda: made.mask(sample, seen, None)


def timed(work: Callable[[], Any], runs: int) -> float:
    """Median seconds; one run before does not count."""
    work()
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def _annotated() -> AnnotatedImage:
    points = torch.tensor([[300.0, 200.0], [340.0, 260.0], [320.0, 300.0]])
    box = (260.0, 160.0, 380.0, 340.0)
    return AnnotatedImage(
        "noise", "anything", Path("noise.png"), SIZE, points, torch.ones(3, dtype=torch.bool), box
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmark.networks", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("kind", choices=list(REGISTRIES))
    parser.add_argument("name", help="of the plug-in, as for --backbone, --depth and --masks")
    parser.add_argument("--option", action="append", default=[], metavar="KEY=VALUE", help="of its settings")
    parser.add_argument("--precision", default="fp32", choices=PRECISIONS)
    parser.add_argument("--runs", type=int, default=3, metavar="N")
    parser.add_argument("--threads", type=int, default=1, metavar="N")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
