"""The messages of one moment as one rectified RGB-D picture, and that as an observation of a class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import UInt8
from torch import Tensor

from semcorr_ros import pipeline
from semcorr_ros.artifacts import Camera, DepthMap, FeatureMap, Lens, Observation
from semcorr_ros.depth import ImageDepth
from semcorr_ros.features import ImageRef
from semcorr_ros.geometry import cameras
from semcorr_ros.geometry.distortion import rectify_depth, rectify_image
from semcorr_ros.live_providers import LiveProviders
from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation
from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.sensing import calibration, images
from semcorr_ros.zoom import zoomed

SMALL = "if it is there but small, give a region of interest"


@dataclass(frozen=True)
class Frame:
    """Image and depth as a pinhole camera would have taken them."""

    image: UInt8[Tensor, "height width 3"]  # RGB
    camera: Camera | None  # None: not calibrated
    depth: DepthMap | None
    lens: Lens | None = None  # what was corrected; None: nothing


def read_frame(
    image: Any,
    camera_info: Any | None,
    depth: Any | None,
    to_rgb: Callable[[Any], UInt8[Tensor, "height width 3"]] = images.color_from_message,
) -> Frame:
    """Decode, by `to_rgb` what is color, and rectify.

    Raises Refusal BAD_ENCODING, SIZE_MISMATCH, UNCALIBRATED.
    """
    color = to_rgb(image)
    size = (int(color.shape[0]), int(color.shape[1]))
    camera = None if camera_info is None else calibration.camera_from_message(camera_info, size)
    lens = None if camera is None else calibration.lens_from_message(camera_info, camera)
    metric = None if depth is None else images.depth_from_message(depth)
    if metric is not None and depth is not None and tuple(metric.values.shape) != size:
        h, w = metric.values.shape
        raise Refusal(
            Code.SIZE_MISMATCH,
            f"depth is {w}x{h} in frame {depth.header.frame_id!r} but the image is {size[1]}x{size[0]} "
            f"in frame {image.header.frame_id!r}; feed depth that is registered to the image",
        )
    if lens is not None:
        color = rectify_image(color, lens)
        # Depth that is registered to the image has its lens too.
        metric = None if metric is None else DepthMap(rectify_depth(metric.values, lens), metric.metric)
    return Frame(color, camera, metric, lens)


def with_depth(frame: Frame, network: ImageDepth | None) -> Frame:
    """A frame without measured depth gets that of the network; an uncalibrated camera its focal length."""
    if network is None or frame.depth is not None:
        return frame
    depth = network.from_image(frame.image, frame.camera)
    camera = frame.camera
    if camera is None and depth.focal is not None:
        camera = cameras.centered(depth.focal, (frame.image.shape[0], frame.image.shape[1]))
    return replace(frame, depth=depth, camera=camera)


def observe(
    frame: Frame, features: FeatureMap, model: ClassRepresentation, providers: LiveProviders
) -> Observation:
    """The frame on the device of its features, with the object found. Raises Refusal NOT_FOUND."""
    device = features.values.device
    extras = pipeline.Extras(depth=_depth_to(frame.depth, device), camera=_camera_to(frame.camera, device))
    try:
        seen = pipeline.observe(model, frame.image.to(device), features, extras, providers.masks)
    except ValueError as error:
        raise Refusal(Code.NOT_FOUND, f"{error}; {SMALL}") from error
    return replace(zoomed(seen, ImageRef(frame.image), providers.features), lens=frame.lens)


def _camera_to(camera: Camera | None, device: torch.device) -> Camera | None:
    if camera is None:
        return None
    return Camera(camera.focal.to(device), camera.principal_point.to(device), camera.size)


def _depth_to(depth: DepthMap | None, device: torch.device) -> DepthMap | None:
    return None if depth is None else DepthMap(depth.values.to(device), depth.metric)
