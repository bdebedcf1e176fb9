"""What a class remembers of the models that it was made with."""

from __future__ import annotations

from semcorr_ros.cli._options.sources import NONE, DatasetSources
from semcorr_ros.cli._providers import depth_name, masks_of
from semcorr_ros.depth import DepthNetwork, DepthProvider
from semcorr_ros.masks import MaskNetwork, MaskProvider
from semcorr_ros.observations import Providers
from semcorr_ros.registry import by_name


def origins(sources: DatasetSources, providers: Providers) -> dict[str, str]:
    """Name the models that `depth` and `masks` come from, without paths: "depth_anything:0123456789ab
    side=70"; and where the weights of the features are published, if known."""
    names = masks_of(sources.masks)
    texts = by_name(sources.masks.mask_options, names, "--mask-option")
    masks = [_origin(*one, texts[one[0]]) for one in zip(names, providers.masks, strict=True)]
    depth = NONE
    if providers.depth is not None:
        kind = [f"kind={sources.depth.depth_kind}"] if sources.depth.depth_kind else []
        depth = _origin(depth_name(sources), providers.depth, [*sources.depth.depth_options, *kind])
    found = {"depth": depth, "masks": ", ".join(masks) or NONE}
    published = providers.features.origin
    return found | ({"features": published} if published else {})


def _origin(name: str, provider: DepthProvider | MaskProvider, settings: list[str]) -> str:
    shown = [text for text in settings if not text.startswith("weights=")]
    model = provider.model if isinstance(provider, (DepthNetwork, MaskNetwork)) else name
    return " ".join([model, *sorted(shown)])
