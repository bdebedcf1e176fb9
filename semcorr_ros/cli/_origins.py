"""What a class remembers of the models that it was made with."""

from __future__ import annotations

import argparse

from semcorr_ros.cli import _data_arguments as data
from semcorr_ros.depth import DepthNetwork, DepthProvider
from semcorr_ros.masks import MaskNetwork, MaskProvider
from semcorr_ros.observations import Providers
from semcorr_ros.registry import by_name


def origins(args: argparse.Namespace, providers: Providers) -> dict[str, str]:
    """Which models `depth` and `masks` come from, without paths: "depth_anything:0123456789ab side=70"; and
    where the weights of the features are published, if these say so."""
    names = [name for name, _ in data.masks_of(args)]
    texts = by_name(args.mask_option, names, "--mask-option")
    masks = [_origin(*one, texts[one[0]]) for one in zip(names, providers.masks, strict=True)]
    depth = data.NONE
    if providers.depth is not None:
        kind = [f"kind={args.depth_kind}"] if args.depth_kind else []
        depth = _origin(data.depth_name(args), providers.depth, [*args.depth_option, *kind])
    found = {"depth": depth, "masks": ", ".join(masks) or data.NONE}
    published = providers.features.origin
    return found | ({"features": published} if published else {})


def _origin(name: str, provider: DepthProvider | MaskProvider, settings: list[str]) -> str:
    shown = [text for text in settings if not text.startswith("weights=")]
    model = provider.model if isinstance(provider, (DepthNetwork, MaskNetwork)) else name
    return " ".join([model, *sorted(shown)])
