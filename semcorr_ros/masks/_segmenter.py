"""Segment Anything with points and a box: what `sam` and `sam2` share."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float, UInt8
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate, pad

from semcorr_ros.artifacts import AnnotatedImage, Observation
from semcorr_ros.masks import MaskNetwork, Recognizer
from semcorr_ros.masks._prompts import Prompt, agreement, prompt_for
from semcorr_ros.weights import networks
from semcorr_ros.weights.fingerprint import named

PADDED = ("sam",)  # input: the image, scaled and padded to a square; of others: stretched to it
PROMPTS = ("auto", "points", "box")
CANDIDATES = ("whole", "best")
MIN_AGREEMENT = 0.3  # overlap with what attention found; with less, something else was segmented


@dataclass(frozen=True)
class Settings:
    """prompt: "points", "box", or "auto": keypoints while a class is built, then attention's box and points.

    candidate: which of the three answers to annotated points, "whole" (the largest scale, as in the authors'
    release) or "best" (by the network's own score). Given what attention found, it is the one that agrees.
    """

    prompt: str = "auto"
    candidate: str = "whole"
    precision: str = "fp32"
    device: str = "cpu"


class PromptedSegmenter(MaskNetwork):
    """A network that encodes an image once and answers prompts with three masks of different scale."""

    def __init__(self, network: Any, settings: Settings, name: str, folder: Path) -> None:
        self._network = network
        self._settings = settings
        self._name, self._folder = name, folder
        self._padded = name in PADDED
        self._side = int(network.config.prompt_encoder_config.image_size)
        self._last: tuple[bytes, Any] = (b"", None)  # digest and encoding of the last image
        self.variant = settings.precision

    @cached_property
    def model(self) -> str:
        """Which weights, and how they are used."""
        settings = {"prompt": self._settings.prompt, "candidate": self._settings.candidate}
        return named(self._name, self._folder, settings)

    def question(
        self, sample: AnnotatedImage, seen: Observation, model: Recognizer | None
    ) -> tuple[str, tuple[Tensor, ...]]:
        """Return the prompt."""
        prompt = prompt_for(sample, seen, model)
        return ("nothing", ()) if prompt is None else ("prompt", prompt.tensors())

    def mask(
        self, sample: AnnotatedImage, seen: Observation, model: Recognizer | None
    ) -> Bool[Tensor, "height width"] | None:
        """Segment what the prompt means; None without one, its region where the network finds nothing."""
        prompt = prompt_for(sample, seen, model)
        if prompt is None:
            return None
        mask = self.segment(seen.image, prompt)
        return mask if mask.any() else prompt.region

    def segment(self, image: UInt8[Tensor, "height width 3"], prompt: Prompt) -> Bool[Tensor, "height width"]:
        """Choose the candidate that the prompt means, at image size; its region where none agrees."""
        masks, scores = self.candidates(image, prompt)
        if prompt.region is not None:
            agreed = agreement(masks, prompt)
            good = float(agreed.max()) >= MIN_AGREEMENT
            return masks[agreed.argmax()] if good else prompt.region.to(masks.device)
        return masks[-1 if self._settings.candidate == "whole" else scores.argmax()]

    def candidates(
        self, image: UInt8[Tensor, "height width 3"], prompt: Prompt
    ) -> tuple[Bool[Tensor, "mask height width"], Float[Tensor, "mask"]]:
        """Predict masks from part to whole, and the network's estimates of their IoU; one for a box alone."""
        size = image.shape[0], image.shape[1]
        content = self.content(size)
        encoded = self._encoded(image)
        asked = self._inputs(prompt, size, content)
        with torch.inference_mode():
            found = self._network(image_embeddings=encoded, **asked)
            logits = self._at_size(found.pred_masks[0].float(), size, content)
        return logits > 0, found.iou_scores[0, 0].float() + 0

    def _encoded(self, image: UInt8[Tensor, "height width 3"]) -> Any:
        """Encode the image; keeps the last one, in which several objects may be looked for."""
        content = image.cpu().contiguous()
        digest = hashlib.sha256(str(content.shape).encode() + content.numpy().tobytes()).digest()
        if self._last[0] != digest:
            device = self._settings.device
            with networks.autocast(device, self._settings.precision):
                encoded = self._network.get_image_embeddings(self.pixels(image).to(device))
            # Positions of prompts do not survive half precision: 1000 pixels in bf16 are steps of 4.
            encoded = [level.float() for level in encoded] if isinstance(encoded, list) else encoded.float()
            self._last = (digest, encoded)
        return self._last[1]

    def pixels(self, image: UInt8[Tensor, "height width 3"]) -> Float[Tensor, "1 3 side side"]:
        """Resize, normalize and pad to the network's input."""
        height, width = content = self.content((image.shape[0], image.shape[1]))
        resized = networks.resized(image, content, Image.Resampling.BILINEAR)
        values = networks.normalized(resized, networks.IMAGENET_MEAN, networks.IMAGENET_STD)
        return pad(values, (0, self._side - width, 0, self._side - height))

    def content(self, size: tuple[int, int]) -> tuple[int, int]:
        """Compute (h, w) of the image in the upper left corner of the network's square."""
        if not self._padded:
            return self._side, self._side
        scale = self._side / max(size)
        return int(size[0] * scale + 0.5), int(size[1] * scale + 0.5)

    def _inputs(self, prompt: Prompt, size: tuple[int, int], content: tuple[int, int]) -> dict[str, Any]:
        device = self._settings.device
        scale = torch.tensor([content[1] / size[1], content[0] / size[0]])

        def placed(points: Float[Tensor, "point 2"]) -> Float[Tensor, "point 2"]:
            # The network adds the half pixel that lies between a pixel's centre and its corner.
            return ((points.cpu() + 0.5) * scale - 0.5).to(device)

        with_points, with_box = self._parts(prompt)
        inputs: dict[str, Any] = {"multimask_output": with_points}
        if with_points:
            inputs["input_points"] = placed(prompt.points)[None, None]
            inputs["input_labels"] = torch.ones(1, 1, len(prompt.points), dtype=torch.int64, device=device)
        if with_box:
            corners = torch.tensor(prompt.box, dtype=torch.float32).view(2, 2)
            inputs["input_boxes"] = placed(corners).view(1, 1, 4)
        return inputs

    def _parts(self, prompt: Prompt) -> tuple[bool, bool]:
        """Decide whether the network is given points, and whether the box."""
        kind = self._settings.prompt
        with_box = prompt.box is not None and (
            kind == "box" or len(prompt.points) == 0 or (kind == "auto" and prompt.region is not None)
        )
        return len(prompt.points) > 0 and not (kind == "box" and with_box), with_box

    def _at_size(
        self, logits: Float[Tensor, "1 mask h w"], size: tuple[int, int], content: tuple[int, int]
    ) -> Float[Tensor, "mask height width"]:
        if self._padded:
            square = (self._side, self._side)
            whole = interpolate(logits, square, mode="bilinear", align_corners=False)
            logits = whole[..., : content[0], : content[1]]
        return interpolate(logits, size, mode="bilinear", align_corners=False)[0]


def check(settings: Settings) -> None:
    """Raises ValueError naming the choices."""
    networks.check_choice("prompt", settings.prompt, PROMPTS)
    networks.check_choice("candidate", settings.candidate, CANDIDATES)
    networks.check_choice("precision", settings.precision, networks.PRECISIONS)
