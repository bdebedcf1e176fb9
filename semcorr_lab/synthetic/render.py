"""Ray-cast a scene to RGB, depth, mask, parts, object-frame points and visible keypoints."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from semcorr_lab.synthetic.lighting import shade
from semcorr_lab.synthetic.raycast import Hits
from semcorr_lab.synthetic.scene import Scene, camera_center
from semcorr_lab.synthetic.sensor import expose
from semcorr_lab.synthetic.texture import sample_tile
from semcorr_ros.artifacts import Camera

VISIBLE_TOLERANCE = 0.02  # of the object's size: how far a keypoint may lie behind the first hit
_SHADOW_OFFSET = 2e-3  # of the object's size, along the normal, against self-shadowing


@dataclass(frozen=True)
class Rendering:
    """One picture with everything known about it."""

    image: UInt8[np.ndarray, "height width 3"]  # RGB
    depth: Float[np.ndarray, "height width"]  # metres along optical z, 0 = nothing hit
    mask: Bool[np.ndarray, "height width"]  # True on the object
    part: Int[np.ndarray, "height width"]  # index into instance.parts, -1 off the object
    points: Float[np.ndarray, "height width 3"]  # object frame, metres; 0 where nothing was hit
    keypoints: Float[np.ndarray, "keypoint 2"]  # (x, y) pixels, also of hidden ones; NaN = unknown
    visible: Bool[np.ndarray, "keypoint"]  # in the image and in front of everything else
    camera: Camera
    camera_from_object: Float[np.ndarray, "4 4"]


def render(scene: Scene) -> Rendering:
    """Render the scene from its camera. Same scene, same picture."""
    h, w = scene.camera.size
    eye = camera_center(scene.camera_from_object)
    rays = camera_rays(scene.camera, scene.camera_from_object)
    hits = scene.caster.first_hits(np.broadcast_to(eye, rays.shape), rays)
    struck = np.flatnonzero(hits.face >= 0)
    found = Hits(hits.face[struck], hits.distance[struck], hits.bary[struck])
    # Rays have length 1 along the optical axis: the distance along them is the depth.
    depth = np.zeros(h * w, np.float32)
    depth[struck] = found.distance
    points = np.zeros((h * w, 3), np.float32)
    points[struck] = eye + rays[struck] * found.distance[:, None]
    body = np.full(h * w, -1, np.int32)
    body[struck] = scene.caster.body[found.face]
    part = np.where(body < len(scene.instance.parts), body, -1)
    radiance = np.empty((h * w, 3), np.float32)
    missed = np.flatnonzero(hits.face < 0)
    radiance[missed] = _sky(scene, rays[missed])
    radiance[struck] = _surface(scene, found, points[struck], rays[struck], body[struck])
    keypoints, visible = project_keypoints(scene)
    return Rendering(
        image=expose(scene.sensor, radiance.reshape(h, w, 3)),
        depth=depth.reshape(h, w),
        mask=(part >= 0).reshape(h, w),
        part=part.reshape(h, w).astype(np.int32),
        points=points.reshape(h, w, 3),
        keypoints=keypoints,
        visible=visible,
        camera=scene.camera,
        camera_from_object=scene.camera_from_object,
    )


def camera_rays(camera: Camera, camera_from_object: Float[np.ndarray, "4 4"]) -> Float[np.ndarray, "pixel 3"]:
    """Compute pixel directions in the object frame, row by row, of length 1 along the optical axis."""
    h, w = camera.size
    (fx, fy), (cx, cy) = camera.focal.tolist(), camera.principal_point.tolist()
    x = (np.arange(w, dtype=np.float32) - cx) / fx
    y = (np.arange(h, dtype=np.float32) - cy) / fy
    grid = np.stack([*np.meshgrid(x, y), np.ones((h, w), np.float32)], -1).reshape(-1, 3)
    return grid @ camera_from_object[:3, :3].astype(np.float32)


def project_keypoints(scene: Scene) -> tuple[Float[np.ndarray, "keypoint 2"], Bool[np.ndarray, "keypoint"]]:
    """Project the instance's keypoints to pixels, and whether a ray from the camera reaches them."""
    h, w = scene.camera.size
    pose, points = scene.camera_from_object, scene.instance.keypoints
    placed = points @ pose[:3, :3].T + pose[:3, 3]
    in_front = placed[:, 2] > 1e-6
    z = np.where(in_front, placed[:, 2], np.nan)[:, None]
    pixels = placed[:, :2] / z * scene.camera.focal.numpy() + scene.camera.principal_point.numpy()
    inside = ((pixels > -0.5) & (pixels < [w - 0.5, h - 0.5])).all(1)
    eye = camera_center(pose)
    known = np.where(np.isfinite(points), points, 0.0)
    # Unit-length rays: Embree measures in lengths of the direction, the tolerance is in metres.
    distance = np.linalg.norm(known - eye, axis=1)
    rays = (known - eye) / distance[:, None]
    hits = scene.caster.first_hits(np.broadcast_to(eye, rays.shape), rays)
    tolerance = VISIBLE_TOLERANCE * scene.instance.size
    free = (hits.face < 0) | (hits.distance > distance - tolerance)
    return pixels.astype(np.float32), inside & free


def _sky(scene: Scene, rays: Float[np.ndarray, "ray 3"]) -> Float[np.ndarray, "ray 3"]:
    azimuth = np.arctan2(rays[:, 1], rays[:, 0]) / (2 * np.pi)
    height = rays[:, 2] / np.linalg.norm(rays, axis=1)
    # Whole turns of the tile, so that the sky has no seam.
    uv = np.stack([2 * azimuth, 0.5 * height], 1) + scene.sky.shift
    return sample_tile(scene.sky.tile, uv) * 0.9


def _surface(
    scene: Scene,
    hits: Hits,
    points: Float[np.ndarray, "hit 3"],
    rays: Float[np.ndarray, "hit 3"],
    body: Int[np.ndarray, "hit"],
) -> Float[np.ndarray, "hit 3"]:
    view = rays / np.linalg.norm(rays, axis=1, keepdims=True)
    normals = scene.caster.normals(hits)
    normals *= np.where(np.einsum("nx,nx->n", normals, view) > 0, -1, 1).astype(np.float32)[:, None]
    gloss = np.array([part.gloss for part in scene.bodies], np.float32)[body]
    albedo = _albedo(scene, hits, points, normals, body)
    shadow = _shadow(scene, points, normals)
    return shade(scene.lighting, albedo, normals, view, gloss, shadow)


def _albedo(
    scene: Scene,
    hits: Hits,
    points: Float[np.ndarray, "hit 3"],
    normals: Float[np.ndarray, "hit 3"],
    body: Int[np.ndarray, "hit"],
) -> Float[np.ndarray, "hit 3"]:
    albedo = np.empty_like(points)
    # Sorted by body, each texture is evaluated once on a contiguous run.
    order = np.argsort(body.astype(np.int16), kind="stable")
    edges = np.searchsorted(body[order], np.arange(len(scene.bodies) + 1))
    for i, (start, end) in enumerate(pairwise(edges)):
        rows, part = order[start:end], scene.bodies[i]
        if len(rows) == 0:
            continue
        if part.skin is not None:
            face = hits.face[rows] - scene.caster.first_face[i]
            albedo[rows] = part.skin.colors(face, hits.bary[rows])
        else:
            albedo[rows] = part.texture.colors(points[rows], normals[rows])
    return albedo


def _shadow(
    scene: Scene, points: Float[np.ndarray, "hit 3"], normals: Float[np.ndarray, "hit 3"]
) -> Bool[np.ndarray, "hit"]:
    shadow = np.zeros(len(points), bool)
    if not scene.lighting.shadows:
        return shadow
    lamp = scene.lighting.directions[0]
    lit = np.flatnonzero(normals @ lamp > 0)
    start = points[lit] + normals[lit] * np.float32(_SHADOW_OFFSET * scene.instance.size)
    shadow[lit] = scene.caster.blocked(start, np.broadcast_to(lamp, start.shape))
    return shadow
