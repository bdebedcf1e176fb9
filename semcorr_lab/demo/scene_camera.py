"""ROS 2 node: a simulated RGB-D camera that circles a procedural object.

Publishes image (rgb8), depth (16UC1 millimetres), camera_info and, for checking, the true keypoints on
~/true_keypoints; the four messages of a moment carry the same stamp. The views of the circle are
rendered once, in the background, and then repeated, so that the rate holds on a slow machine.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import torch
from rclpy.node import Node
from rclpy.qos import QoSProfile
from semcorr_ros.msg import SemanticKeypoints, SemanticKeypointsArray
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from semcorr_lab.synthetic.render import Rendering, render
from semcorr_lab.synthetic.turntable import Turntable
from semcorr_ros.answer import Answer
from semcorr_ros.artifacts import Correspondences, KeypointState
from semcorr_ros.options import NEVER, option
from semcorr_ros.ros import conversions, declaration, running
from semcorr_ros.ros.messages import instance_message

QOS = QoSProfile(depth=2)  # reliable, as camera drivers publish (REP 2003)


TURNTABLE = ("category", "seed", "views", "azimuth_deg", "reach_deg", "elevation_deg", "horizontal_fov_deg")


@dataclass(frozen=True)
class Settings:
    """Parameters. The views are rendered once: none can be changed later."""

    category: str = option("mug", "what stands on the floor", change=NEVER)
    seed: int = option(0, "which object of the category, on which floor", 0, 2**31, change=NEVER)
    views: int = option(24, "points on the circle; the pictures repeat after them", 1, 10000, change=NEVER)
    rate: float = option(10.0, "pictures per second", 0.01, 1000.0, change=NEVER)
    width: int = option(640, "pixels", 16, 8192, change=NEVER)
    height: int = option(480, "pixels", 16, 8192, change=NEVER)
    azimuth_deg: float = option(
        180.0, "middle of the arc; 0 looks at the object's front", -360.0, 360.0, change=NEVER
    )
    reach_deg: float = option(
        180.0, "to both sides of the middle; 180 = the whole circle", 0.0, 180.0, change=NEVER
    )
    elevation_deg: float = option(35.0, "of the camera above the floor", -80.0, 80.0, change=NEVER)
    horizontal_fov_deg: float = option(50.0, "field of view", 1.0, 149.0, change=NEVER)
    frame_id: str = option("camera_optical_frame", "frame of all messages", change=NEVER)


@dataclass(frozen=True)
class Moment:
    """Messages of one view; only their headers change from round to round."""

    image: Image
    depth: Image
    camera_info: CameraInfo
    truth: SemanticKeypoints


class SceneCamera(Node):
    """Publishes on a timer, renders in a thread."""

    def __init__(self, **node_arguments: Any):
        super().__init__("scene_camera", **node_arguments)
        self._settings = declaration.declare(self, Settings)
        self._turntable = _turntable(self._settings)
        self._image = self.create_publisher(Image, "image", QOS)
        self._depth = self.create_publisher(Image, "depth", QOS)
        self._camera_info = self.create_publisher(CameraInfo, "camera_info", QOS)
        self._truth = self.create_publisher(SemanticKeypointsArray, "~/true_keypoints", QOS)
        self._moments: list[Moment] = []
        self._next = 0
        self._closing = False
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._render_all, name="rendering", daemon=True)
        self._thread.start()
        self.create_timer(1.0 / self._settings.rate, self._publish)

    def close(self) -> bool:
        """Stop rendering after the current view."""
        self._closing = True
        self._thread.join()
        return True

    def _render_all(self) -> None:
        try:
            for i in range(self._turntable.views):
                if self._closing:
                    return
                self._moments.append(_moment(render(self._turntable.scene(i)), self._turntable))
            if self.context.ok():
                self.get_logger().info(f"all {len(self._moments)} views are rendered")
        except Exception as error:
            self._failure = error

    def _publish(self) -> None:
        if self._failure is not None:
            raise running.Fatal(f"rendering failed: {self._failure}") from self._failure
        if not self._moments:
            return
        moment = self._moments[self._next % len(self._moments)]
        self._next += 1
        header = Header(stamp=self.get_clock().now().to_msg(), frame_id=self._settings.frame_id)
        for publisher, message in (
            (self._camera_info, moment.camera_info),
            (self._depth, moment.depth),
            (self._image, moment.image),
        ):
            message.header = header
            publisher.publish(message)
        self._truth.publish(SemanticKeypointsArray(header=header, instances=[moment.truth]))


def _turntable(settings: Settings) -> Turntable:
    values = {name: getattr(settings, name) for name in TURNTABLE}
    return Turntable(size=(settings.height, settings.width), **values)


def _moment(rendering: Rendering, turntable: Turntable) -> Moment:
    header = Header()
    return Moment(
        conversions.color_message(rendering.image, header),
        conversions.depth_message(rendering.depth, header),
        conversions.camera_message(rendering.camera, header),
        _truth(rendering, turntable),
    )


def _truth(rendering: Rendering, turntable: Turntable) -> SemanticKeypoints:
    pose = torch.from_numpy(rendering.camera_from_object).float()
    keypoints = torch.from_numpy(turntable.instance.keypoints).float()
    pixels = torch.from_numpy(rendering.keypoints).float()
    true = Correspondences(
        points=pixels,
        score=torch.ones(len(pixels)),
        state=_states(rendering, pixels),
        xyz=keypoints @ pose[:3, :3].T + pose[:3, 3],
    )
    info = turntable.info
    answer = Answer(info, info.keypoint_names, true, 1.0, edges=info.edges, instance_id=f"{info.name}_0")
    return instance_message(answer)


def _states(rendering: Rendering, pixels: torch.Tensor) -> torch.Tensor:
    h, w = rendering.camera.size
    state = torch.full((len(pixels),), int(KeypointState.OCCLUDED))
    outside = (pixels < -0.5).any(1) | (pixels >= torch.tensor([w - 0.5, h - 0.5])).any(1)
    state[outside] = int(KeypointState.OUT_OF_IMAGE)
    state[torch.from_numpy(rendering.visible)] = int(KeypointState.VISIBLE)
    state[pixels.isnan().any(1)] = int(KeypointState.UNKNOWN)
    return state


def main(arguments: list[str]) -> int:
    """Run the camera until SIGINT or SIGTERM."""
    return running.run(SceneCamera, arguments, __doc__)
