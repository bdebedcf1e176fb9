"""The networks that a node's parameters name, loaded once for all of its classes."""

from __future__ import annotations

from semcorr_ros.backbones import Origin
from semcorr_ros.live_providers import LiveProviders, live_providers
from semcorr_ros.methods import read_origin
from semcorr_ros.ros.declaration import parameter
from semcorr_ros.ros.parameters import Parameters


def providers_from(parameters: Parameters, device: str) -> LiveProviders:
    """Features, masks and depth. Raises as `live_providers`, naming the parameter."""
    return live_providers((parameters, parameters, parameters), device, origin_from(parameters), parameter)


def origin_from(parameters: Parameters) -> Origin | None:
    """What the first of the active classes was built on, of all classes where none is active, or None.

    Raises FileNotFoundError, ValueError naming a class file.
    """
    found = [read_origin(path) for path in parameters.classes]
    active = [one for name in parameters.active_classes for one in found if one.category == name]
    return next(iter(active + found), None)
