"""How much of a backbone's time the head takes: Table 5 of the paper, on this machine."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from semcorr_ros.artifacts import FeatureMap
from semcorr_ros.features import FEATURES, FeatureExtractor, ImageRef
from semcorr_ros.features._sphere_mapper import SphereMapper, map_sphere
from semcorr_ros.methods.spherical.config import head_for, published

SIZE = (480, 640)  # (h, w) of the picture
RUNS = {"tiny": 9, "efficientnet_lite": 9, "dinov2": 3}


def rows() -> list[str]:
    """Markdown: seconds per picture of backbone and head, by turns, medians; pairs per second of both.

    DINOv2 has random weights of its base size, which take as long as others, and the published head.
    """
    lines = ["| backbone | head | backbone, s | head, s | pairs / s | with the head | overhead |"]
    lines.append("|---|---|---:|---:|---:|---:|---:|")
    for name, runs in RUNS.items():
        with TemporaryDirectory() as folder:
            extractor = _extractor(name, Path(folder))
            draws = torch.Generator().manual_seed(0)
            image = torch.randint(0, 256, (*SIZE, 3), dtype=torch.uint8, generator=draws)
            features = extractor.encode(ImageRef(image))
            for title, mapper in _mappers(name, features).items():
                encode, head = _timed(partial(extractor.encode, ImageRef(image)), mapper, features, runs)
                pairs, both = 1 / (2 * encode), 1 / (2 * (encode + head))
                cells = [name, title, f"{encode:.3f}", f"{head:.4f}", f"{pairs:.3g}", f"{both:.3g}"]
                lines.append(f"| {' | '.join(cells)} | {100 * head / encode:.1f} % |")
    return lines


def _mappers(name: str, features: FeatureMap) -> dict[str, SphereMapper]:
    channels = features.values.shape[-1]
    found = {"ours": SphereMapper(head_for(channels))}
    return found | ({"published": SphereMapper(published(channels))} if name == "dinov2" else {})


def _timed(
    encode: Callable[[], FeatureMap], mapper: SphereMapper, features: FeatureMap, runs: int
) -> tuple[float, float]:
    """Median seconds of both, taken in turns so that a busy machine is busy for both."""
    seconds: tuple[list[float], list[float]] = ([], [])
    jobs: tuple[Callable[[], Any], ...] = (encode, partial(map_sphere, mapper.eval(), features))
    for _ in range(runs + 1):
        for job, taken in zip(jobs, seconds, strict=True):
            start = time.perf_counter()
            job()
            taken.append(time.perf_counter() - start)
    first, second = (statistics.median(taken[1:]) for taken in seconds)  # the first of each does not count
    return first, second


def _extractor(name: str, folder: Path) -> FeatureExtractor:
    plugin = FEATURES.load(name)
    if name != "dinov2":
        return plugin.make({}, {"device": "cpu"})
    from transformers import Dinov2Config, Dinov2Model  # of the extra `foundation`

    Dinov2Model(Dinov2Config(image_size=518)).save_pretrained(folder)
    return plugin.make({"weights": str(folder)}, {"device": "cpu"})
