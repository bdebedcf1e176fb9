"""SAM 3 (Meta, 2025): finds every object of a name; needs transformers 5. Gated, under a licence of its own.

Which of them is meant, say the keypoints while a class is built, and then attention.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import transformers
from jaxtyping import Bool, Float, UInt8
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from semcorr_ros import weights
from semcorr_ros.artifacts import AnnotatedImage, Observation
from semcorr_ros.masks import MaskNetwork, MaskPlugin, Recognizer
from semcorr_ros.masks._prompts import Prompt, agreement, prompt_for
from semcorr_ros.weights import networks
from semcorr_ros.weights.fingerprint import named

# The hub's folder holds the model for videos, of which that for images is a part.
CLASSES = {"sam3": "Sam3Model", "sam3_video": "Sam3Model"}
WORDS = {
    "aeroplane": "airplane",
    "motorbike": "motorcycle",
    "pottedplant": "potted plant",
    "tvmonitor": "tv monitor",
}
TEXT_LENGTH = 32  # tokens, padded
MASK_THRESHOLD = 0.5


@dataclass(frozen=True)
class Sam3Settings:
    """`weights` is a model folder; empty: looked up. text: what to find; empty: the category.

    threshold: least score of an object.
    """

    weights: str = ""
    text: str = ""
    threshold: float = 0.3
    precision: str = "fp32"
    device: str = "cpu"


class NamedSegmenter(MaskNetwork):
    """One object of a name."""

    def __init__(self, network: Any, tokenizer: Any, config: Sam3Settings, folder: Path) -> None:
        self._network = network
        self._tokenizer = tokenizer
        self._config = config
        self._folder = folder
        self._side = int(network.config.image_size)
        self.variant = config.precision

    @cached_property
    def model(self) -> str:
        """Which weights, and how they are used."""
        return named("sam3", self._folder, {"threshold": self._config.threshold})

    def question(
        self, sample: AnnotatedImage, seen: Observation, model: Recognizer | None
    ) -> tuple[str, tuple[Tensor, ...]]:
        """Return the text, and the prompt where there is one."""
        prompt = prompt_for(sample, seen, model)
        return self._text(sample), () if prompt is None else prompt.tensors()

    def mask(
        self, sample: AnnotatedImage, seen: Observation, model: Recognizer | None
    ) -> Bool[Tensor, "height width"] | None:
        """Segment by name; None where nothing of that name, or nothing that the prompt means, is found."""
        masks, scores = self.objects(seen.image, self._text(sample))
        return choose(masks, scores, prompt_for(sample, seen, model))

    def _text(self, sample: AnnotatedImage) -> str:
        return self._config.text or WORDS.get(sample.category, sample.category.replace("_", " "))

    def objects(
        self, image: UInt8[Tensor, "height width 3"], text: str
    ) -> tuple[Bool[Tensor, "object height width"], Float[Tensor, "object"]]:
        """Segment all objects scored above the threshold, at image size; returns masks and scores."""
        size, device = (image.shape[0], image.shape[1]), self._config.device
        words = self._tokenizer(
            text, return_tensors="pt", padding="max_length", max_length=TEXT_LENGTH, truncation=True
        )
        with networks.autocast(device, self._config.precision):
            found = self._network(
                pixel_values=self.pixels(image).to(device),
                input_ids=words["input_ids"].to(device),
                attention_mask=words["attention_mask"].to(device),
            )
            scores = found.pred_logits[0].float().sigmoid() * found.presence_logits.float().sigmoid().view(-1)
            kept = scores > self._config.threshold
            soft = found.pred_masks[0, kept].float().sigmoid()
            if len(soft):
                soft = interpolate(soft[None], size, mode="bilinear", align_corners=False)[0]
            else:
                soft = soft.new_zeros(0, *size)
        return soft > MASK_THRESHOLD, scores[kept] + 0

    def pixels(self, image: UInt8[Tensor, "height width 3"]) -> Float[Tensor, "1 3 side side"]:
        """Stretch to the network's square input, values in [-1, 1]."""
        square = networks.resized(image, (self._side, self._side), Image.Resampling.BILINEAR)
        return networks.normalized(square, networks.HALF, networks.HALF)


def choose(
    masks: Bool[Tensor, "object height width"], scores: Float[Tensor, "object"], prompt: Prompt | None
) -> Bool[Tensor, "height width"] | None:
    """Choose the best object by score times agreement with the prompt; by score alone without one."""
    if prompt is not None and len(masks):
        scores = scores * agreement(masks, prompt)
    if len(masks) == 0 or float(scores.max()) <= 0:
        return None
    return masks[scores.argmax()]


def build(config: Sam3Settings) -> NamedSegmenter:
    """Load the network. Raises FileNotFoundError for missing weights, ValueError naming a bad value,
    ImportError for a transformers that is too old."""
    networks.check_choice("precision", config.precision, networks.PRECISIONS)
    folder = weights.find("sam3", config.weights)
    network = networks.load_network(folder, CLASSES, config.device)
    return NamedSegmenter(network, _tokenizer(folder), config, folder)


PLUGIN = MaskPlugin(Sam3Settings, build)


def _tokenizer(folder: Path) -> Any:
    # Without files transformers makes an empty tokenizer, to which every name is the same.
    if not (folder / "tokenizer.json").is_file() and not (folder / "vocab.json").is_file():
        raise ValueError(f"{folder} holds no CLIP tokenizer: neither tokenizer.json nor vocab.json")
    try:
        return transformers.CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(f"{folder} holds no readable CLIP tokenizer: {error}") from error
