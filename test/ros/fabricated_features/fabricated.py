"""A backbone for pictures of test/pear_camera.py. FABRICATED_SECONDS in the environment: a large model.

FABRICATED_ORDERS in the environment names a folder in which a test leaves orders for the process while
it runs: while there is a file `hold`, encoding does not end (and makes a file `holding` once it is at it);
`full`, with a number in it, is how many of the next attempts (to build the backbone or to encode) find the
device full; while there is `no_memory`, the allocator of the CPU is asked for more than there is.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import pear_camera
import torch

from semcorr_ros.artifacts import FeatureMap
from semcorr_ros.features import ImageRef

ABSURD = 2**50  # bytes: more than any machine can address


@dataclass(frozen=True)
class Config:
    device: str = "cpu"


class Extractor:
    backbone = "fabricated:1"

    def encode(self, ref: ImageRef) -> FeatureMap:
        time.sleep(float(os.environ.get("FABRICATED_SECONDS", "0")))
        if "FABRICATED_ORDERS" in os.environ:
            _obey(Path(os.environ["FABRICATED_ORDERS"]))
        return pear_camera.read_features(ref.image)


def _obey(orders: Path) -> None:
    while (orders / "hold").exists():
        (orders / "holding").touch()
        time.sleep(0.005)
    if (orders / "no_memory").exists():
        torch.empty(ABSURD, dtype=torch.uint8)
    _allocate(orders)


def _allocate(orders: Path) -> None:
    left = int((orders / "full").read_text()) if (orders / "full").exists() else 0
    if left:
        (orders / "full").write_text(str(left - 1))
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB\nGPU 0 has ...")


def build(config: Config) -> Extractor:
    if "FABRICATED_ORDERS" in os.environ:
        _allocate(Path(os.environ["FABRICATED_ORDERS"]))
    return Extractor()
