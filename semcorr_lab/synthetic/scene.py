"""A scene: an instance, its surroundings, light and camera. Built once, rendered from anywhere."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float

from semcorr_lab.synthetic import surroundings
from semcorr_lab.synthetic.instance import Instance, Part
from semcorr_lab.synthetic.lighting import Lighting, sample_lighting
from semcorr_lab.synthetic.raycast import RayCaster
from semcorr_lab.synthetic.sensor import Sensor, sample_sensor
from semcorr_lab.synthetic.texture import Texture, paint
from semcorr_lab.synthetic.viewpoint import Viewpoint, frame_object, sample_viewpoint
from semcorr_ros.artifacts import Camera


@dataclass(frozen=True)
class SceneConfig:
    """What may appear in a random scene."""

    size: tuple[int, int] = (480, 640)  # (h, w) of the image
    clutter: bool = True
    occluders: bool = True
    truncation: bool = True
    background: bool = True  # floor and walls
    sensor: bool = True  # blur, noise, exposure
    flat: bool = False  # camera in front of the object only


@dataclass(frozen=True)
class Scene:
    """Everything `render` needs. The world frame is the object frame of `instance`."""

    instance: Instance
    bodies: tuple[Part, ...]  # the instance's parts first, then the surroundings
    caster: RayCaster  # of the bodies, shared by all viewpoints
    sky: Texture  # seen where a ray hits nothing
    lighting: Lighting
    camera: Camera
    camera_from_object: Float[np.ndarray, "4 4"]
    sensor: Sensor = field(default_factory=Sensor)


def sample_scene(
    rng: np.random.Generator,
    instance: Instance,
    config: SceneConfig,
    viewpoint: Viewpoint | None = None,
    others: tuple[Instance, ...] = (),
) -> Scene:
    """Draw a scene around an instance. Same generator state, same scene.

    `others` are instances that may stand around as clutter; their textures are replaced.
    """
    viewpoint = viewpoint or sample_viewpoint(rng, config.flat, config.truncation)
    camera, pose = frame_object(instance.vertices, viewpoint, config.size)
    bodies = instance.parts + tuple(_surroundings(rng, instance, config, pose, others))
    return Scene(
        instance=instance,
        bodies=bodies,
        caster=RayCaster([body.mesh for body in bodies]),
        sky=paint(rng, 1.0),
        lighting=sample_lighting(rng),
        camera=camera,
        camera_from_object=pose,
        sensor=sample_sensor(rng, config.size[1]) if config.sensor else Sensor(),
    )


def view(scene: Scene, viewpoint: Viewpoint) -> Scene:
    """Move the camera to another viewpoint; nothing is rebuilt."""
    camera, pose = frame_object(scene.instance.vertices, viewpoint, scene.camera.size)
    return replace(scene, camera=camera, camera_from_object=pose)


def camera_center(camera_from_object: Float[np.ndarray, "4 4"]) -> Float[np.ndarray, "3"]:
    """Return the position of the camera in the object frame, metres."""
    return -camera_from_object[:3, :3].T @ camera_from_object[:3, 3]


def _surroundings(
    rng: np.random.Generator,
    instance: Instance,
    config: SceneConfig,
    pose: Float[np.ndarray, "4 4"],
    others: tuple[Instance, ...],
) -> list[Part]:
    bounds, size, eye = instance.bounds, instance.size, camera_center(pose)
    away = bounds.mean(0)[:2] - eye[:2]
    away /= np.linalg.norm(away)
    parts: list[Part] = []
    # A camera below the floor would see nothing but the floor's underside.
    if config.background and eye[2] > bounds[0, 2] + 0.03 * size and rng.random() < 0.85:
        parts.append(surroundings.ground(rng, bounds, size))
    if config.background and rng.random() < 0.6:
        parts.append(surroundings.wall(rng, bounds, size, away))
    if config.clutter:
        parts += surroundings.clutter(rng, instance, away, others, int(rng.integers(0, 6)))
    if config.occluders and rng.random() < 0.35:
        parts.append(surroundings.occluder(rng, instance, eye))
    return parts
