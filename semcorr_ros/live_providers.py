"""Masks and depth for pictures that no data set lies beside: of cameras, bags, single files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from semcorr_ros.depth import DEPTH, ImageDepth
from semcorr_ros.masks import MASKS, MaskProvider
from semcorr_ros.observations import Providers
from semcorr_ros.registry import Plugin, Registry, by_name

DEFAULT_MASKS = ("attention",)

AnyPlugin = TypeVar("AnyPlugin", bound=Plugin[Any])


@dataclass(frozen=True)
class LiveProviders(Providers):
    """Those that need nothing but pixels."""

    depth: ImageDepth | None = None  # for pictures without measured depth


def live_masks(
    names: Sequence[str],
    texts: Sequence[str],
    where: str,
    common: Mapping[str, Any],
    elsewhere: Mapping[str, str],
) -> tuple[MaskProvider, ...]:
    """Build the providers in the order in which they are asked; none named: attention.

    texts: NAME.KEY=VALUE as given to `where`; common: settings for all that have them; elsewhere: see
    `Plugin.parse`. Raises ValueError, also for a provider of files, FileNotFoundError for missing
    weights, ImportError.
    """
    names = names or DEFAULT_MASKS
    plugins = {name: _without_files(MASKS, "masks", name) for name in names}
    settings = {
        name: plugins[name].parse(own, f"{where} {name}.", elsewhere)
        for name, own in by_name(texts, names, where).items()
    }
    return tuple(plugins[name].make(given, common) for name, given in settings.items())


def live_depth(
    name: str, texts: Sequence[str], where: str, common: Mapping[str, Any], elsewhere: Mapping[str, str]
) -> ImageDepth | None:
    """Build the network that gives depth to pictures without; no name: none. Arguments and errors as
    `live_masks`, but for texts, which are KEY=VALUE."""
    if not name:
        if texts:
            raise ValueError(f"{where} {texts[0]}: no depth network is chosen")
        return None
    plugin = _without_files(DEPTH, "depth", name)
    provider = plugin.make(plugin.parse(texts, where, elsewhere), common)
    assert isinstance(provider, ImageDepth)
    return provider


def _without_files(registry: Registry[AnyPlugin], kind: str, name: str) -> AnyPlugin:
    plugin = registry.load(name)
    if plugin.needs_files:
        others = [other for other in registry.names() if not _reads_files(registry, other)]
        raise ValueError(
            f"the {kind} plug-in {name!r} reads files of a data set; for pictures alone there are "
            f"{', '.join(others)}"
        )
    return plugin


def _reads_files(registry: Registry[AnyPlugin], name: str) -> bool:
    try:
        return registry.load(name).needs_files
    except ImportError:
        return False
