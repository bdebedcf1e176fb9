"""SAM 2.1 (Ravi et al., 2024): as `sam`, with a smaller and faster encoder; needs transformers 4.56."""

from __future__ import annotations

from dataclasses import dataclass

from semcorr_ros import weights
from semcorr_ros.masks import MaskPlugin
from semcorr_ros.masks._segmenter import PromptedSegmenter, Settings, check
from semcorr_ros.weights import networks

SIZES = ("tiny", "small", "base-plus", "large")
# The hub's folders hold the model for videos, of which that for images is a part.
CLASSES = {"sam2": "Sam2Model", "sam2_video": "Sam2Model"}


@dataclass(frozen=True)
class Sam2Settings(Settings):
    """`weights` is a model folder, which then decides about the size; empty: looked up by `size`."""

    size: str = "large"
    weights: str = ""


def build(config: Sam2Settings) -> PromptedSegmenter:
    """Load the network. Raises FileNotFoundError for missing weights, ValueError naming a bad value,
    ImportError for a transformers that is too old."""
    check(config)
    networks.check_choice("size", config.size, SIZES)
    folder = weights.find(f"sam2.1-hiera-{config.size}", config.weights)
    return PromptedSegmenter(networks.load_network(folder, CLASSES, config.device), config, "sam2", folder)


PLUGIN = MaskPlugin(Sam2Settings, build)
