"""The backbone below another one, which a file says that it was trained on."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from semcorr_ros.features import FEATURES, FeatureExtractor

ON_TOP = ("adapter", "spherical")  # which need a file themselves: nothing says where it is


def check_below(backbone: str) -> None:
    """Raises ValueError for a backbone that nothing can be trained on top of."""
    if backbone.partition(":")[0] in ON_TOP:
        raise ValueError(f"--backbone {backbone.partition(':')[0]} is on top of another one: train on that")


def backbone_below(
    path: Path, backbone: str, provenance: dict[str, str], common: dict[str, Any]
) -> FeatureExtractor:
    """Build the backbone that the file at `path` was trained on, with weights that lie beside it if it had
    its own. common: device and precision.

    Raises ValueError naming the file where there is no such backbone, or where its weights are others.
    """
    name = backbone.partition(":")[0]
    if name in ON_TOP or name not in FEATURES.names():
        raise ValueError(f"{path} was trained on backbone {backbone!r}, which nothing can be put on top of")
    plugin = FEATURES.load(name)
    if plugin.needs_files:
        raise ValueError(f"{path} was trained on features of files ({backbone}), they encode no pictures")
    given = plugin.parse(shlex.split(provenance.get("backbone_options", "")), "backbone option")
    name = provenance.get("backbone_weights", "")
    if name and plugin.has_setting("weights") and (path.parent / Path(name).name).exists():
        given["weights"] = str(path.parent / Path(name).name)
    found = plugin.make(given, common)
    if found.backbone != backbone:
        raise ValueError(
            f"{path} was trained on backbone {backbone!r}, and the one of that name here is "
            f"{found.backbone!r}: same network, other weights"
            + (f"; put {name} beside that file" if name else "")
        )
    return found
