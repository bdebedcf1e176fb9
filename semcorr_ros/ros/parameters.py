"""ROS parameters of the perceive node: declared, checked, changed, and the networks that they name."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from rclpy.node import Node
from rclpy.parameter import Parameter

from semcorr_ros.backbones import Origin
from semcorr_ros.live_providers import LiveProviders, live_providers
from semcorr_ros.methods import read_origin
from semcorr_ros.node_options import CAMERA_NAME, Parameters
from semcorr_ros.options import UNCONFIGURED
from semcorr_ros.options import check as check_options
from semcorr_ros.ros import declaration
from semcorr_ros.sensing.regions import aliases_from


def declare(node: Node) -> Parameters:
    """Declare every parameter and read it. Raises ValueError naming a value that is not allowed."""
    return check(declaration.declare(node, Parameters))


def updated(node: Node, changes: list[Parameter], configured: bool) -> Parameters:
    """Return the parameters with `changes` applied. Raises ValueError naming what is not allowed, and why."""
    when = {item.name: item.metadata["change"] for item in dataclasses.fields(Parameters)}
    fixed = [change.name for change in changes if when.get(change.name) == UNCONFIGURED]
    if configured and fixed:
        raise ValueError(
            f"{', '.join(fixed)} can only be changed while the node is unconfigured: "
            "deactivate it and clean it up first (ros2 lifecycle set NODE cleanup)"
        )
    wanted = check(declaration.read(node, Parameters, {change.name: change.value for change in changes}))
    if wanted.class_folder and any(change.name == "classes" for change in changes):
        _check_confined(wanted)
    return wanted


def check(parameters: Parameters) -> Parameters:
    """Check what ranges cannot express. Raises ValueError."""
    check_options(parameters, declaration.parameter)
    if parameters.depth_network and parameters.depth == "required":
        raise ValueError("depth_network gives depth to images without: it has no use if depth is required")
    if parameters.rotate == "auto" and not has_tf2():
        raise ValueError("rotate auto needs tf2_ros, which is not installed; give 0, 90, 180 or 270")
    for camera in parameters.cameras:
        if not CAMERA_NAME.fullmatch(camera) or parameters.cameras.count(camera) > 1:
            raise ValueError(
                f"cameras must be different names of letters, digits and _, got {list(parameters.cameras)}"
            )
    for name in ("target_frame", "frame_prefix"):
        if getattr(parameters, name).startswith("/"):
            raise ValueError(f"{name} must not begin with a slash: tf2 knows no such frame")
    if parameters.point and not all(parameters.point.partition("/")):
        raise ValueError(f"point is CLASS/KEYPOINT, e.g. mug/handle_outer, got {parameters.point!r}")
    aliases_from(parameters.class_aliases)
    return parameters


def has_tf2() -> bool:
    """Tell whether tf2 is installed."""
    try:
        import tf2_ros  # noqa: F401
    except ImportError:
        return False
    return True


def _check_confined(parameters: Parameters) -> None:
    """Confine paths set by a service call to class_folder, as in load_class; files named at start are
    free."""
    folder = Path(parameters.class_folder).expanduser().resolve()
    for path in parameters.classes:
        if not Path(path).resolve().is_relative_to(folder):
            raise ValueError(f"classes: {path} is not in the class_folder {folder}")


def providers_from(parameters: Parameters, device: str) -> LiveProviders:
    """Build the providers of features, masks and depth. Raises as `live_providers`, naming the parameter."""
    return live_providers(
        (parameters, parameters, parameters), device, origin_from(parameters), declaration.parameter
    )


def origin_from(parameters: Parameters) -> Origin | None:
    """Read what the first active class was built on, the first class where none is active; None without
    classes.

    Raises FileNotFoundError, ValueError naming a class file.
    """
    found = [read_origin(path) for path in parameters.classes]
    active = [one for name in parameters.active_classes for one in found if one.category == name]
    return next(iter(active + found), None)
