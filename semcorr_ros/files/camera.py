"""Camera files: `{"K": 3x3 pixels}`, one per image or one for all."""

from __future__ import annotations

from pathlib import Path

import torch

from semcorr_ros.artifacts import Camera
from semcorr_ros.geometry.cameras import from_matrix
from semcorr_ros.storage import read_json


def read_camera(path: str | Path, size: tuple[int, int]) -> Camera:
    """Read the camera of an image of `size` (h, w). Raises FileNotFoundError or ValueError naming the
    file."""
    content = read_json(path)
    if not isinstance(content, dict) or "K" not in content:
        raise ValueError(f'{path}: expected {{"K": [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]}}, got {content!r}')
    try:
        return from_matrix(torch.tensor(content["K"], dtype=torch.float32), size)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error
