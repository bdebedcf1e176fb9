"""Masks and depth for pictures that no data set lies beside: of cameras, bags, single files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from semcorr_ros import plugin_options as options
from semcorr_ros import plugins
from semcorr_ros.depth import ImageDepth
from semcorr_ros.masks import MaskProvider
from semcorr_ros.observations import Providers

DEFAULT_MASKS = ("attention",)


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
    """The providers in the order in which they are asked; none named: attention.

    texts: NAME.KEY=VALUE as given to `where`; common: settings for all that have them; elsewhere: see
    `plugin_options.settings`. Raises ValueError, also for a provider of files, FileNotFoundError for missing
    weights, ImportError.
    """
    names = names or DEFAULT_MASKS
    for name in names:
        _check("masks", name)
    found = []
    for name, own in options.by_name(texts, names, where).items():
        given = options.settings("masks", name, own, f"{where} {name}.", elsewhere)
        found.append(options.build("masks", name, given, common))
    return tuple(found)


def live_depth(
    name: str, texts: Sequence[str], where: str, common: Mapping[str, Any], elsewhere: Mapping[str, str]
) -> ImageDepth | None:
    """The network that gives depth to pictures without; no name: none. Arguments and errors as `live_masks`,
    but for texts, which are KEY=VALUE."""
    if not name:
        if texts:
            raise ValueError(f"{where} {texts[0]}: no depth network is chosen")
        return None
    _check("depth", name)
    return options.build("depth", name, options.settings("depth", name, texts, where, elsewhere), common)


def _check(kind: str, name: str) -> None:
    if options.needs_files(kind, name):
        others = [other for other in plugins.available(kind) if not _reads_files(kind, other)]
        raise ValueError(
            f"the {kind} plug-in {name!r} reads files of a data set; for pictures alone there are "
            f"{', '.join(others)}"
        )


def _reads_files(kind: str, name: str) -> bool:
    try:
        return options.needs_files(kind, name)
    except ImportError:
        return False
