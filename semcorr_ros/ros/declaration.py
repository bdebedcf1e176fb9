"""ROS parameters from a dataclass of options: declared with description, range and when they may change."""

from __future__ import annotations

import dataclasses
import difflib
from typing import Any, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node

from semcorr_ros.options import ALWAYS, NEVER, UNCONFIGURED, check

Settings = TypeVar("Settings")
RESERVED = ("use_sim_time", "start_type_description_service")  # of every node


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
    _warn_of_unknown(node)
    return read(node, kind, {})


def _warn_of_unknown(node: Node) -> None:
    """Log parameters that were given and mean nothing: a misspelled one would else be ignored in silence."""
    known = [name for name in node._parameters if "." not in name]
    for name in getattr(node, "_parameter_overrides", {}):
        if "." not in name and name not in RESERVED and not node.has_parameter(name):
            near = difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]!r}?" if near else " (ros2 param list shows all)"
            node.get_logger().warning(f"unknown parameter {name!r} is ignored{hint}")


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
