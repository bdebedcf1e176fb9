"""Start the perceive node and, with `camera:=simulated`, a camera that circles a rendered object.

ros2 launch semcorr_ros perceive.launch.py classes:=/data/mug.safetensors image:=/camera/color/image_raw \\
    camera_info:=/camera/color/camera_info depth:=/camera/aligned_depth_to_color/image_raw
"""

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

DEFAULT_PARAMETERS = PathJoinSubstitution([FindPackageShare("semcorr_ros"), "config", "perceive.yaml"])
ARGUMENTS = {
    "namespace": ("", "namespace of all nodes and of their input topics"),
    "use_sim_time": ("false", "take the time from /clock"),
    "params_file": (DEFAULT_PARAMETERS, "YAML file with parameters of the nodes"),
    "log_level": ("info", "debug, info, warn, error or fatal"),
    "device": ("", "torch device, e.g. cuda:0; empty = as in params_file"),
    "classes": ("", "class files, separated by commas; empty = as in params_file"),
    "active_classes": ("", "names of classes to align to every image, separated by commas"),
    "image": ("image", "topic of the color image"),
    "camera_info": ("camera_info", "topic of its calibration"),
    "depth": ("depth", "topic of the depth image that is registered to the color image"),
    "camera": ("none", "simulated = start scene_camera as well"),
    "respawn": ("false", "start a node again when it dies"),
}


def start(context: LaunchContext) -> list[Node]:
    """The nodes, with what was given on the command line on top of the parameter file."""
    given = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    if given["camera"] not in ("none", "simulated"):
        raise ValueError(f"camera must be none or simulated, got {given['camera']!r}")
    overrides: dict[str, object] = {"device": given["device"]} if given["device"] else {}
    for name in ("classes", "active_classes"):
        if given[name]:
            overrides[name] = [part.strip() for part in given[name].split(",")]
    nodes = [_node("perceive", "semcorr", given, overrides)]
    if given["camera"] == "simulated":
        nodes.append(_node("scene_camera", "scene_camera", given, {}))
    return nodes


def _node(executable: str, name: str, given: dict[str, str], overrides: dict[str, object]) -> Node:
    use_sim_time = given["use_sim_time"].lower() in ("true", "1", "yes")
    return Node(
        package="semcorr_ros",
        executable=executable,
        name=name,
        namespace=given["namespace"],
        parameters=[given["params_file"], {"use_sim_time": use_sim_time, **overrides}],
        remappings=[(topic, given[topic]) for topic in ("image", "camera_info", "depth")],
        arguments=["--ros-args", "--log-level", given["log_level"]],
        respawn=given["respawn"].lower() == "true",
        output="screen",
    )


def generate_launch_description() -> LaunchDescription:
    """Called by `ros2 launch`."""
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=text)
        for name, (default, text) in ARGUMENTS.items()
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=start)])
