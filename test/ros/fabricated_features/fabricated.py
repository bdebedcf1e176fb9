"""A backbone for pictures of test/pear_camera.py. `slow` in the environment stands for a large model."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

import pear_camera

from semcorr_ros.artifacts import FeatureMap
from semcorr_ros.features import ImageRef


@dataclass(frozen=True)
class Config:
    device: str = "cpu"


class Extractor:
    backbone = "fabricated:1"

    def encode(self, ref: ImageRef) -> FeatureMap:
        time.sleep(float(os.environ.get("FABRICATED_SECONDS", "0")))
        return pear_camera.read_features(ref.image)


def build(config: Config) -> Extractor:
    return Extractor()
