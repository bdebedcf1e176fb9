"""Networks of the hub, from a local folder, for the plug-ins that run them. Imports transformers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from jaxtyping import Float, UInt8
from PIL import Image
from safetensors import SafetensorError
from torch import Tensor
from transformers.utils import logging as transformers_logging

from semcorr_ros.storage import read_json

PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
# The version of transformers that brought a class; those that are not named are in every one we accept.
SINCE = {
    "Dinov2WithRegistersModel": "4.48",
    "DepthProForDepthEstimation": "4.50",
    "DINOv3ViTModel": "4.56",
    "Sam2Model": "4.56",
    "Sam3Model": "5.0",
}
Triple = tuple[float, float, float]
IMAGENET_MEAN: Triple = (0.485, 0.456, 0.406)
IMAGENET_STD: Triple = (0.229, 0.224, 0.225)
HALF: Triple = (0.5, 0.5, 0.5)  # mean and deviation of networks that want values in [-1, 1]


def load_network(folder: Path, classes: Mapping[str, str], device: str, precision: str = "fp32") -> Any:
    """Load a model in the hub's layout.

    Its config's `model_type` is a key of `classes` (values: class names).

    precision: of the parameters; `autocast` computes in less with parameters of full precision. Raises
    FileNotFoundError, ImportError for a transformers that is too old, ValueError naming the folder for
    another model, damaged or incomplete weights, or an unknown precision.
    """
    check_choice("precision", precision, PRECISIONS)
    kind = read_json(folder / "config.json").get("model_type")
    if kind not in classes:
        raise ValueError(f"{folder} holds a model of type {kind!r}, expected {' or '.join(classes)}")
    cls = getattr(transformers, classes[kind], None)
    if cls is None:
        since = f">={SINCE[classes[kind]]}" if classes[kind] in SINCE else ""
        raise ImportError(
            f"transformers {transformers.__version__} has no {classes[kind]}: "
            f"pip install -U 'semcorr_ros[foundation]' 'transformers{since}'"
        )
    network = _from_pretrained(cls, folder).float().requires_grad_(False).eval()
    # Parameters only: buffers hold frequencies of positions, which half precision would shift.
    for parameter in network.parameters():
        parameter.data = parameter.data.to(PRECISIONS[precision])
    return network.to(device)


@contextmanager
def autocast(device: str, precision: str) -> Iterator[None]:
    """Enter inference mode, with matrix products in the given precision."""
    dtype = PRECISIONS[precision]
    half = dtype != torch.float32
    with torch.inference_mode(), torch.autocast(torch.device(device).type, dtype, enabled=half):
        yield


def check_choice(name: str, value: str, choices: Any) -> None:
    """Check that a value is one of the choices. Raises ValueError naming them."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, got {value!r}")


def resized(
    image: UInt8[Tensor, "h w 3"], size: tuple[int, int], filter: Image.Resampling
) -> UInt8[Tensor, "height width 3"]:
    """Resize antialiased, on 8-bit values and the CPU, as image processors do it without torchvision.

    Not by OpenCV, which does not antialias: the networks were published with these pixels.
    """
    height, width = size
    picture = Image.fromarray(image.cpu().numpy()).resize((width, height), filter)
    return torch.from_numpy(np.array(picture))


def normalized(
    image: UInt8[Tensor, "height width 3"], mean: Triple, std: Triple
) -> Float[Tensor, "1 3 height width"]:
    """Compute (value / 255 - mean) / std, a batch of one."""
    values = (image.float() / 255 - torch.tensor(mean)) / torch.tensor(std)
    return values.permute(2, 0, 1)[None].contiguous()


def _from_pretrained(cls: Any, folder: Path) -> Any:
    with _quiet():
        try:
            network, report = cls.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, output_loading_info=True
            )
        except (SafetensorError, RuntimeError, ValueError, TypeError, KeyError) as error:
            raise ValueError(f"{folder} cannot be loaded as {cls.__name__}: {error}") from error
    missing = sorted(report["missing_keys"])
    if missing:  # transformers fills these with random numbers
        raise ValueError(f"{folder} lacks {len(missing)} weights of {cls.__name__}, first {missing[0]}")
    return network


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence bars and the table of missing weights: those raise instead."""
    verbosity, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()
