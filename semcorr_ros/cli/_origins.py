"""What a class remembers of the models that it was made with."""

from __future__ import annotations

import argparse
from typing import Any

from semcorr_ros import plugin_options
from semcorr_ros.cli import _data_arguments as data
from semcorr_ros.observations import Providers


def origins(args: argparse.Namespace, providers: Providers) -> dict[str, str]:
    """Which models `depth` and `masks` come from, without paths: "depth_anything:0123456789ab side=70"; and
    where the weights of the features are published, if these say so."""
    names = [name for name, _ in data.masks_of(args)]
    texts = plugin_options.by_name(args.mask_option, names, "--mask-option")
    masks = [_origin(*one, texts[one[0]]) for one in zip(names, providers.masks, strict=True)]
    depth = data.NONE
    if providers.depth is not None:
        kind = [f"kind={args.depth_kind}"] if args.depth_kind else []
        depth = _origin(data.depth_name(args), providers.depth, [*args.depth_option, *kind])
    found = {"depth": depth, "masks": ", ".join(masks) or data.NONE}
    published = getattr(providers.features, "origin", "")
    return found | ({"features": published} if published else {})


def _origin(name: str, provider: Any, settings: list[str]) -> str:
    shown = [text for text in settings if not text.startswith("weights=")]
    return " ".join([getattr(provider, "model", name), *sorted(shown)])
