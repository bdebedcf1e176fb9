"""Start the perceive node and, as asked for, a simulated camera, RViz and a bridge for Foxglove.

ros2 launch semcorr_ros perceive.launch.py classes:=/data/mug.safetensors image:=/camera/color/image_raw \\
    camera_info:=/camera/color/camera_info depth:=/camera/aligned_depth_to_color/image_raw rviz:=true
"""

import dataclasses
import os
from collections.abc import Callable

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.action import Action
from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction, SetEnvironmentVariable
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

from semcorr_ros.node_options import Parameters
from semcorr_ros.options import choices_of

LISTS = ("classes", "active_classes", "cameras")
PARAMETERS = {item.name: item for item in dataclasses.fields(Parameters)}


def _parameter(name: str) -> tuple[str, str]:
    """Return default and description of an argument that is a parameter of the node."""
    commas = ", separated by commas" if name in LISTS else ""
    return "", f"{PARAMETERS[name].metadata['doc']}{commas}; not given = as in params_file"


SHARE = FindPackageShare("semcorr_ros")
DEFAULT_PARAMETERS = PathJoinSubstitution([SHARE, "config", "perceive.yaml"])
ARGUMENTS = {
    "namespace": ("", "namespace of all nodes and of their input topics"),
    "name": ("semcorr", "name of the perceive node, and of its section in params_file"),
    "use_sim_time": ("false", "take the time from /clock"),
    "params_file": (DEFAULT_PARAMETERS, "YAML file with parameters of the nodes"),
    "log_level": ("info", "debug, info, warn, error or fatal"),
    "autostart": _parameter("autostart"),
    "device": _parameter("device"),
    "classes": _parameter("classes"),
    "active_classes": _parameter("active_classes"),
    "target_frame": _parameter("target_frame"),
    "frame_prefix": _parameter("frame_prefix"),
    "cameras": _parameter("cameras"),
    "image": (
        "image",
        "topic of the color image; with `cameras` one for each, separated by commas, as are the next",
    ),
    "camera_info": ("camera_info", "topic of its calibration"),
    "depth": ("depth", "topic of the depth image that is registered to the color image"),
    "regions": ("regions", "topic of a detector's regions of interest"),
    "detections": ("detections", "topic of a detector's vision_msgs/Detection2DArray"),
    "image_transport": _parameter("image_transport"),
    "depth_transport": _parameter("depth_transport"),
    "camera": ("none", "simulated = start scene_camera as well, where semcorr_lab is installed"),
    "rviz": ("false", "start RViz as well, where it is installed"),
    "fixed_frame": ("camera_optical_frame", "RViz' fixed frame: the frame_id of the image, or one tf2 knows"),
    "foxglove": (
        "false",
        "start foxglove_bridge as well, where it is installed",
    ),
    "dds_profile": (
        "",
        "large_images = config/*_large_images.xml for everything started here; not given = our nodes choose "
        "Fast DDS's by themselves, where nothing else is chosen",
    ),
    "enclave": ("", "SROS2 enclave of the perceive node, e.g. /semcorr"),
    "respawn": ("false", "start a node again when it dies"),
    "respawn_delay": ("2.0", "seconds before it is started again"),
}
TOPICS = ("image", "camera_info", "depth", "regions", "detections")
TEXTS = ("device", "target_frame", "frame_prefix", "image_transport", "depth_transport")
SWITCHES = ("use_sim_time", "autostart", "rviz", "foxglove", "respawn")
CHOICES = {"camera": ("none", "simulated"), "dds_profile": ("", "large_images")}
SHOWN = (
    "semcorr/markers",
    "semcorr/pose_markers",
    "semcorr/overlay",
    "image",
    "depth",
    "camera_info",
)  # in rviz/perceive.rviz
BEFORE_KILTED = ("humble", "iron", "jazzy")  # Fast DDS had another variable


def start(context: LaunchContext) -> list[Action]:
    """Start the nodes, with the command line's arguments overriding the parameter file."""
    given = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    for name, allowed in {**CHOICES, **dict.fromkeys(SWITCHES, ("true", "false"))}.items():
        if given[name].lower() not in allowed and (name, given[name]) != ("autostart", ""):
            raise ValueError(f"{name} must be {' or '.join(filter(None, allowed))}, got {given[name]!r}")
    for name in TEXTS:
        allowed = choices_of(PARAMETERS[name])
        if given[name] and allowed and given[name] not in allowed:
            raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {given[name]!r}")
    if not os.path.isfile(given["params_file"]):
        raise ValueError(f"params_file {given['params_file']!r} does not exist: give a path that does")
    share = SHARE.perform(context)
    actions = _profile(share, given["dds_profile"])
    security = ["--enclave", given["enclave"]] if given["enclave"] else []
    actions.append(_node("perceive", given["name"], given, _overrides(given), security))
    if given["camera"] == "simulated":
        actions.append(_node("scene_camera", "scene_camera", given, {}, []))
    if _on(given["rviz"]):
        actions += _if_installed("rviz2", lambda: _rviz(share, given))
    if _on(given["foxglove"]):
        actions += _if_installed("foxglove_bridge", lambda: _foxglove(given))
    return actions


def _overrides(given: dict[str, str]) -> dict[str, object]:
    found: dict[str, object] = {name: given[name] for name in TEXTS if given[name]}
    found |= {name: [part.strip() for part in given[name].split(",")] for name in LISTS if given[name]}
    if given["autostart"]:
        found["autostart"] = _on(given["autostart"])
    return found


def _node(
    executable: str, name: str, given: dict[str, str], overrides: dict[str, object], security: list[str]
) -> Node:
    return Node(
        package="semcorr_ros",
        executable=executable,
        name=name,
        namespace=given["namespace"],
        parameters=[given["params_file"], {"use_sim_time": _on(given["use_sim_time"]), **overrides}],
        remappings=_remappings(given),
        arguments=["--ros-args", "--log-level", given["log_level"], *security],
        respawn=_on(given["respawn"]),
        respawn_delay=float(given["respawn_delay"]),  # without, a node that cannot start takes all of a core
        output="screen",
    )


def _remappings(given: dict[str, str]) -> list[tuple[str, str]]:
    """Remap the inputs; of several cameras those of each, where topics are given for them."""
    cameras = [part.strip() for part in given["cameras"].split(",") if part.strip()]
    if not cameras:
        return [(topic, given[topic]) for topic in TOPICS]
    found = []
    for topic in TOPICS:
        names = [part.strip() for part in given[topic].split(",")]
        if names == [topic]:
            continue
        if len(names) != len(cameras):
            raise ValueError(
                f"{topic} must name a topic for each of {', '.join(cameras)}, got {given[topic]!r}"
            )
        found += [(f"{camera}/{topic}", name) for camera, name in zip(cameras, names, strict=True)]
    return found


def _rviz(share: str, given: dict[str, str]) -> Node:
    # The file has absolute names; relative replacements land in the namespace of this node.
    remappings = [(f"/{topic}", _shown(topic, given)) for topic in SHOWN]
    return Node(
        package="rviz2",
        executable="rviz2",
        namespace=given["namespace"],
        parameters=[{"use_sim_time": _on(given["use_sim_time"])}],
        remappings=remappings,
        arguments=["-d", f"{share}/rviz/perceive.rviz", "-f", given["fixed_frame"]],
        output="screen",
    )


def _shown(topic: str, given: dict[str, str]) -> str:
    """Return the name of a topic of rviz/perceive.rviz here; with several cameras, of the first."""
    first = given["cameras"].partition(",")[0].strip()
    if topic in TOPICS:
        name = given[topic].partition(",")[0].strip()
        return f"{first}/{name}" if first and name == topic else name
    below = f"{given['name']}/{first}" if first else given["name"]
    return topic.replace("semcorr", below, 1)


def _foxglove(given: dict[str, str]) -> Node:
    use_sim_time = _on(given["use_sim_time"])
    # Only this machine: whoever reaches the bridge may call every service.
    parameters = {"use_sim_time": use_sim_time, "address": "127.0.0.1", "include_hidden": False}
    return Node(
        package="foxglove_bridge", executable="foxglove_bridge", parameters=[parameters], output="screen"
    )


def _if_installed(package: str, make: Callable[[], Node]) -> list[Action]:
    try:
        get_package_share_directory(package)
    except PackageNotFoundError:
        fix = f"sudo apt install ros-$ROS_DISTRO-{package.replace('_', '-')}"
        return [LogInfo(msg=f"{package} is not installed and not started: {fix}")]
    return [make()]


def _profile(share: str, name: str) -> list[Action]:
    if not name:
        return []
    prefix = "FASTRTPS" if os.environ.get("ROS_DISTRO") in BEFORE_KILTED else "FASTDDS"
    return [  # every middleware reads its own
        SetEnvironmentVariable(f"{prefix}_DEFAULT_PROFILES_FILE", f"{share}/config/fastdds_{name}.xml"),
        SetEnvironmentVariable("CYCLONEDDS_URI", f"file://{share}/config/cyclonedds_{name}.xml"),
    ]


def _on(switch: str) -> bool:
    return switch.lower() == "true"


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments and return the description, for `ros2 launch`."""
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=text)
        for name, (default, text) in ARGUMENTS.items()
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=start)])
