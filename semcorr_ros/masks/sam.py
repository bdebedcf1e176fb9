"""Segment Anything (Kirillov et al., ICCV 2023): keypoints while a class is built, then attention + SAM.

The masks of SemAlign3D: its training images are segmented at their keypoints, its test images where the
features resemble the class.
"""

from __future__ import annotations

from dataclasses import dataclass

from semcorr_ros import weights
from semcorr_ros.masks import MaskPlugin
from semcorr_ros.masks._segmenter import PromptedSegmenter, Settings, check
from semcorr_ros.weights import networks

SIZES = ("base", "large", "huge")
CLASSES = {"sam": "SamModel"}


@dataclass(frozen=True)
class SamSettings(Settings):
    """`weights` is a model folder, which then decides about the size; empty: looked up by `size`."""

    size: str = "huge"
    weights: str = ""


def build(config: SamSettings) -> PromptedSegmenter:
    """Load the network. Raises FileNotFoundError for missing weights, ValueError naming a bad value."""
    check(config)
    networks.check_choice("size", config.size, SIZES)
    folder = weights.find(f"sam-vit-{config.size}", config.weights)
    return PromptedSegmenter(networks.load_network(folder, CLASSES, config.device), config, "sam", folder)


PLUGIN = MaskPlugin(SamSettings, build)
