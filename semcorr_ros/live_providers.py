"""From options to providers, and to those for pictures that no data set lies beside."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from semcorr_ros import backbones
from semcorr_ros.backbones import Origin
from semcorr_ros.depth import DEPTH, ImageDepth
from semcorr_ros.features import FEATURES, FeatureExtractor
from semcorr_ros.masks import MASKS
from semcorr_ros.observations import Providers
from semcorr_ros.options import Spell
from semcorr_ros.provider_options import DepthOptions, FeatureOptions, MaskOptions
from semcorr_ros.registry import Plugin, Registry, by_name

DEFAULT_MASKS = ("attention",)

Folder = tuple[Path | None, str]  # of precomputed features, and the option that names it
AnyPlugin = TypeVar("AnyPlugin", bound=Plugin[Any])
Made = TypeVar("Made")


@dataclass(frozen=True)
class LiveProviders(Providers):
    """Those that need nothing but pixels."""

    depth: ImageDepth | None = None  # for pictures without measured depth


@dataclass(frozen=True)
class Common:
    """What all providers of one call share."""

    device: str
    precision: str
    spell: Spell  # of the device and of the options in messages

    def settings(self) -> dict[str, str]:
        """Return the settings for every plug-in that has them."""
        return {"device": self.device} | ({"precision": self.precision} if self.precision else {})


def live_providers(
    options: tuple[FeatureOptions, MaskOptions, DepthOptions],
    device: str,
    built_on: Origin | None,
    spell: Spell,
    folder: Folder | None = None,
) -> LiveProviders:
    """Build the providers that the options name. built_on: origin of the class that the pictures are compared
    with; folder: of precomputed features, where an option names it.

    Raises ValueError naming the option, also for a provider of files, FileNotFoundError for missing weights,
    ImportError naming the extra.
    """
    features, masks, depth = options
    named = {name: _without_files(MASKS, name) for name in masks.masks or DEFAULT_MASKS}
    network = _without_files(DEPTH, depth.depth_network) if depth.depth_network else None
    common = Common(device, features.precision, spell)
    others: list[Plugin[Any]] = [*named.values(), *([network] if network else [])]
    extractor = feature_extractor(features, common, built_on, others, folder)
    where = spell(masks, "mask_options")
    texts = by_name(masks.mask_options, list(named), where)
    found = [
        provider(plugin, texts[name], f"{where} {name}.", {}, common, masks) for name, plugin in named.items()
    ]
    return LiveProviders(extractor, live_depth(network, depth, common), tuple(found))


def live_depth(network: Plugin[Any] | None, depth: DepthOptions, common: Common) -> ImageDepth | None:
    """Build the network that gives depth to pictures without; None without one. Raises as `provider`."""
    where = common.spell(depth, "depth_options")
    if network is None:
        if depth.depth_options:
            raise ValueError(f"{where} {depth.depth_options[0]}: no depth network is chosen")
        return None
    found = provider(network, depth.depth_options, where, {}, common, depth)
    assert isinstance(found, ImageDepth)
    return found


def feature_extractor(
    options: FeatureOptions,
    common: Common,
    built_on: Origin | None,
    others: Sequence[Plugin[Any]] = (),
    folder: Folder | None = None,
) -> FeatureExtractor:
    """Build the given backbone, or the one that the class was built on.

    others: the networks that a precision is meant for as well; one of all must have a choice. folder: of
    precomputed features, where an option names it. Raises as `live_providers`.
    """
    name = options.backbone or ("precomputed" if folder and folder[0] else backbones.chosen("", built_on))
    plugin = FEATURES.load(name)
    if options.precision and not any(one.has_setting("precision") for one in (plugin, *others)):
        listed = ", ".join(one.name.partition("/")[2] for one in (plugin, *others))
        what = common.spell(options, "precision")
        raise ValueError(f"{what} {options.precision!r} means nothing to {listed}")
    texts = backbones.with_those_of(built_on, name, options.backbone_options)
    weights = options.weights or backbones.weights_beside(built_on, name)
    own: dict[str, tuple[Any, str]] = {"weights": (weights, common.spell(options, "weights"))}
    own |= {"folder": folder} if folder else {}
    try:
        return provider(plugin, texts, common.spell(options, "backbone_options"), own, common, options)
    except ValueError as error:
        if weights or built_on is None or built_on.name != name or not built_on.weights:
            raise
        raise ValueError(
            f"{error}; class {built_on.category!r} was built with the weights {built_on.weights}: give that "
            "file, or put it beside the class file"
        ) from error


def provider(
    plugin: Plugin[Made],
    texts: Sequence[str],
    where: str,
    own: Mapping[str, tuple[Any, str]],
    common: Common,
    holder: object,
) -> Made:
    """Build a provider from KEY=VALUE texts, given to `where`, and settings that have options of their own.

    own: value and option by setting; empty values are not given. holder: the options' group. Raises
    ValueError for a setting that it does not have, that is missing, or that belongs elsewhere.
    """
    kind, _, name = plugin.name.partition("/")
    given = {key: value for key, (value, _) in own.items() if value}
    for key in given:
        if not plugin.has_setting(key):
            raise ValueError(f"{own[key][1]} means nothing to the {kind} plug-in {name!r}")
    elsewhere = {"device": common.spell(holder, "device")} | {key: flag for key, (_, flag) in own.items()}
    if isinstance(holder, FeatureOptions):
        elsewhere["precision"] = common.spell(holder, "precision")
    given |= plugin.parse(texts, where, elsewhere)
    for field in dataclasses.fields(plugin.settings):
        needed = field.default is field.default_factory is dataclasses.MISSING
        if needed and field.name not in given:
            raise ValueError(f"the {kind} plug-in {name!r} needs {elsewhere.get(field.name, field.name)}")
    return plugin.make(given, common.settings())


def _without_files(registry: Registry[AnyPlugin], name: str) -> AnyPlugin:
    plugin = registry.load(name)
    if plugin.needs_files:
        others = [other for other in registry.names() if not _reads_files(registry, other)]
        raise ValueError(
            f"the {plugin.name.partition('/')[0]} plug-in {name!r} reads files of a data set; for pictures "
            f"alone there are {', '.join(others)}"
        )
    return plugin


def _reads_files(registry: Registry[AnyPlugin], name: str) -> bool:
    try:
        return registry.load(name).needs_files
    except ImportError:
        return False
