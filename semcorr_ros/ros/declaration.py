"""ROS parameters from a dataclass: declared with description, range and when they may be changed."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node

ALWAYS, UNCONFIGURED, NEVER = "always", "unconfigured", "never"  # when a parameter may be changed

Settings = TypeVar("Settings")


def param(default: Any, doc: str, low: float | None = None, high: float | None = None, **more: Any) -> Any:
    """A field of a dataclass of settings. more: `change`, when it may be changed."""
    about = {"doc": doc, "low": low, "high": high, "change": UNCONFIGURED} | more
    return dataclasses.field(default=default, metadata=about)


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
    """The declared values with `changes` applied. Raises ValueError for NaN."""
    values = {}
    for item in dataclasses.fields(kind):  # type: ignore[arg-type]
        value = changes.get(item.name, node.get_parameter(item.name).value)
        if isinstance(item.default, tuple):
            value = tuple(entry for entry in value or () if entry)
        check_number(item.name, value)
        values[item.name] = value
    return kind(**values)


def check_number(name: str, value: Any) -> None:
    """Raises ValueError for a float that is none."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name} must be a number, got {value}")


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
