"""ROS parameters from a dataclass of options: declared with description, range and when they may change."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node

from semcorr_ros.options import ALWAYS, NEVER, UNCONFIGURED, check

Settings = TypeVar("Settings")


def parameter(holder: object, name: str) -> str:
    """Name a field that is a ROS parameter, for messages."""
    return f"the parameter {name}"


def declare(node: Node, kind: type[Settings]) -> Settings:
    """Declare every field of `kind` and read it. Raises ValueError naming a value that is not allowed."""
    for item in dataclasses.fields(kind):  # type: ignore[arg-type]
        # An empty list has no element type in ROS: [""] stands for it.
        default = list(item.default or ("",)) if isinstance(item.default, tuple) else item.default
        try:
            node.declare_parameter(item.name, default, _descriptor(item))
        except (InvalidParameterTypeException, InvalidParameterValueException) as error:
            raise ValueError(str(error)) from error
    return read(node, kind, {})


def read(node: Node, kind: type[Settings], changes: dict[str, Any]) -> Settings:
    """Read the declared values with `changes` applied. Raises ValueError naming one that is not allowed."""
    values = {}
    for item in dataclasses.fields(kind):  # type: ignore[arg-type]
        value = changes.get(item.name, node.get_parameter(item.name).value)
        if isinstance(item.default, tuple):
            value = tuple(entry for entry in value or () if entry)
        values[item.name] = value
    return check(kind(**values), parameter)


def _descriptor(item: dataclasses.Field) -> ParameterDescriptor:
    descriptor = ParameterDescriptor(
        name=item.name, description=_description(item), read_only=item.metadata["change"] == NEVER
    )
    low, high = item.metadata["low"], item.metadata["high"]
    if low is not None and isinstance(item.default, float):
        descriptor.floating_point_range = [FloatingPointRange(from_value=float(low), to_value=float(high))]
    elif low is not None:
        descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high), step=1)]
    return descriptor


def _description(item: dataclasses.Field) -> str:
    when = {ALWAYS: "", UNCONFIGURED: " (changed while unconfigured only)", NEVER: " (set at start only)"}
    return item.metadata["doc"] + when[item.metadata["change"]]
