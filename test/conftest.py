"""For all tests: checked shapes, few threads, Triton without a GPU, the backbone of the fabricated class."""

import os
from collections.abc import Iterator
from pathlib import Path

import jaxtyping
import pytest
import shapes
import torch

shapes.install()

from semcorr_ros import features  # noqa: E402 - once shapes are checked

# Small tensors on few cores: more than one thread per process only makes the suite slower.
torch.set_num_threads(1)
if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"  # read when triton is imported, by whichever test comes first


@pytest.fixture
def fabricated_backbone(monkeypatch):
    """The backbone `fabricated` is there, in this process as in those of run_node.py."""
    folder = Path(__file__).parent / "ros/fabricated_features"
    monkeypatch.setattr(features, "__path__", [*features.__path__, str(folder)])


@pytest.fixture
def wrong_shapes() -> Iterator[None]:
    """For tests that give wrong shapes on purpose, to see what the code itself says to them."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
