"""The networks that a node's parameters name, loaded once for all of its classes."""

from __future__ import annotations

from typing import Any

from semcorr_ros import backbones
from semcorr_ros import plugin_options as options
from semcorr_ros.backbones import Origin
from semcorr_ros.live_providers import DEFAULT_MASKS, LiveProviders, live_depth, live_masks
from semcorr_ros.methods.semalign3d.class_file import read_origin
from semcorr_ros.ros.parameters import Parameters

DEVICE = {"device": "the parameter device"}  # what plug-ins are not told by their own options
OWN = DEVICE | {"weights": "the parameter weights", "precision": "the parameter precision"}


def providers_from(parameters: Parameters, device: str) -> LiveProviders:
    """Features, masks and depth. Raises ValueError naming the parameter that cannot be used,
    FileNotFoundError for missing weights, ImportError naming the extra."""
    common = {"device": device}
    built_on = origin_from(parameters)
    backbone = backbones.chosen(parameters.backbone, built_on)
    if parameters.precision:
        _check_precision(parameters, backbone)
        common["precision"] = parameters.precision
    return LiveProviders(
        features=_features(parameters, backbone, built_on, common),
        depth=live_depth(parameters.depth_network, parameters.depth_options, "depth_options", common, DEVICE),
        masks=live_masks(parameters.masks, parameters.mask_options, "mask_options", common, DEVICE),
    )


def origin_from(parameters: Parameters) -> Origin | None:
    """What the first of the active classes was built on, of all classes where none is active, or None.

    Raises FileNotFoundError, ValueError naming a class file.
    """
    found = [read_origin(path) for path in parameters.classes]
    active = [one for name in parameters.active_classes for one in found if one.category == name]
    return next(iter(active + found), None)


def _features(parameters: Parameters, name: str, built_on: Origin | None, common: dict[str, str]) -> Any:
    texts = backbones.with_those_of(built_on, name, parameters.backbone_options)
    given = options.settings("features", name, texts, "backbone_options", OWN)
    if parameters.weights:
        given["weights"] = parameters.weights
    return options.build("features", name, given, common)


def _check_precision(parameters: Parameters, backbone: str) -> None:
    """Raises ValueError where no network has a choice."""
    names = [("features", backbone)]
    names += [("masks", name) for name in parameters.masks or DEFAULT_MASKS]
    names += [("depth", parameters.depth_network)] if parameters.depth_network else []
    if not any(options.has_setting(kind, name, "precision") for kind, name in names):
        listed = ", ".join(name for _, name in names)
        raise ValueError(f"precision {parameters.precision!r} means nothing to {listed}")
