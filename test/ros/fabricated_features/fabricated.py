"""A backbone for pictures of test/pear_camera.py. FABRICATED_SECONDS in the environment: a large model.

FABRICATED_ORDERS in the environment names a folder in which a test leaves orders for the process while
it runs. While there is a file
- `hold`, encoding does not end (and makes a file `holding` once it is at it),
- `busy`, neither, and it is in native code, as a large model is,
- `full`, the device is full when the backbone is built and when it encodes (`full_once`: for one attempt),
- `no_memory`, the CPU's allocator is asked for more than there is.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import pear_camera
import torch

from semcorr_ros.artifacts import FeatureMap
from semcorr_ros.features import Backbone, FeatureExtractor, ImageRef

ABSURD = 2**50  # bytes: more than any machine can address


@dataclass(frozen=True)
class FabricatedSettings:
    device: str = "cpu"


class Extractor(FeatureExtractor):
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
    while (orders / "busy").exists():
        (orders / "holding").touch()
        torch.rand(1500, 1500) @ torch.rand(1500, 1500)
    if (orders / "no_memory").exists():
        torch.empty(ABSURD, dtype=torch.uint8)
    _allocate(orders)


def _allocate(orders: Path) -> None:
    once = (orders / "full_once").exists()
    (orders / "full_once").unlink(missing_ok=True)
    if once or (orders / "full").exists():
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB\nGPU 0 has ...")


def build(config: FabricatedSettings) -> Extractor:
    if "FABRICATED_ORDERS" in os.environ:
        _allocate(Path(os.environ["FABRICATED_ORDERS"]))
    return Extractor()


PLUGIN = Backbone(FabricatedSettings, build)
