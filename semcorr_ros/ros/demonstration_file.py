"""A demonstration on disk: the messages of one moment and the marked points, as one safetensors file.

The messages are kept byte for byte, so that after a restart they go through the same code as when they
came, and a class that has been rebuilt since can still be placed in them. Nothing is ever unpickled.
"""

from __future__ import annotations

import json
from array import array
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from builtin_interfaces.msg import Time
from safetensors import SafetensorError, safe_open
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, RegionOfInterest
from std_msgs.msg import Header
from torch import Tensor

from semcorr_ros.msg import DemonstrationInfo
from semcorr_ros.ros.perception import Picture
from semcorr_ros.storage import read_tensors, write_tensors

FORMAT = "semcorr_ros demonstration 1"
LARGEST_FILE = 256 * 2**20  # bytes; nothing larger is opened
LARGEST_MESSAGE = 96 * 2**20  # bytes of an image or depth image that is kept

RawImage: TypeAlias = Image | CompressedImage


@dataclass(frozen=True)
class Record:
    """What was shown, and where in it."""

    id: str
    class_name: str
    picture: Picture
    points: Tensor  # float (N, 2), pixels
    names: tuple[str, ...]  # one per point
    roi: RegionOfInterest = field(default_factory=RegionOfInterest)  # width 0 = the whole image


def write_record(path: Path, record: Record) -> DemonstrationInfo:
    """Atomic. Raises ValueError for messages that are too large, OSError where nothing can be written."""
    check_size(record)
    header = describe(record)
    tensors = {"points": record.points.reshape(-1, 2).float()}
    for name, message in (("image", record.picture.image), ("depth", record.picture.depth)):
        if message is not None:
            tensors[name] = torch.from_numpy(np.frombuffer(message.data, np.uint8).copy())
    write_tensors(path, tensors, header)
    return info_message(header, persistent=True)


def check_size(record: Record) -> int:
    """Bytes of its messages. Raises ValueError for one that is too large to be kept."""
    sizes = [len(message.data) for message in (record.picture.image, record.picture.depth) if message]
    if max(sizes) > LARGEST_MESSAGE:
        raise ValueError(f"an image of {max(sizes)} bytes is not kept; at most {LARGEST_MESSAGE}")
    return sum(sizes)


def describe(record: Record) -> dict[str, Any]:
    """Everything but points and pixels, as JSON can hold it."""
    picture = record.picture
    header: dict[str, Any] = {
        "format": FORMAT,
        "id": record.id,
        "class_name": record.class_name,
        "names": list(record.names),
        "roi": [record.roi.x_offset, record.roi.y_offset, record.roi.width, record.roi.height],
        "image": _fields(picture.image),
    }
    if picture.depth is not None:
        header["depth"] = _fields(picture.depth)
    if picture.camera_info is not None:
        header["camera_info"] = _calibration(picture.camera_info)
    return header


def info_message(header: dict[str, Any], persistent: bool) -> DemonstrationInfo:
    """What `describe` says, for those who ask which demonstrations there are."""
    image = header["image"]
    message = DemonstrationInfo(id=str(header["id"]), class_name=str(header["class_name"]))
    message.point_names = [str(name) for name in header["names"]]
    # A compressed image does not tell its size before it is decoded; its calibration does.
    size = header.get("camera_info", {}).get("size", [0, 0])
    message.height, message.width = int(image.get("height", size[0])), int(image.get("width", size[1]))
    message.has_depth, message.persistent = "depth" in header, persistent
    message.stamp = Time(sec=int(image["stamp"][0]), nanosec=int(image["stamp"][1]))
    return message


def read_info(path: Path) -> DemonstrationInfo:
    """Only the header is read. Raises OSError, or ValueError for a damaged or foreign file."""
    try:
        with safe_open(str(path), framework="pt") as file:
            header = json.loads((file.metadata() or {})["header"])
        if header.get("format") != FORMAT:
            raise ValueError(f"its format is {header.get('format')!r}")
        return info_message(header, persistent=True)
    except (SafetensorError, AttributeError, KeyError, TypeError, IndexError, ValueError) as error:
        raise ValueError(f"{path} is not a demonstration or is damaged: {error}") from error


def read_record(path: Path) -> Record:
    """Raises FileNotFoundError, or ValueError for a file that is damaged, foreign or too large."""
    if path.is_file() and path.stat().st_size > LARGEST_FILE:
        raise ValueError(
            f"{path} has {path.stat().st_size} bytes; a demonstration has at most {LARGEST_FILE}"
        )
    tensors, header = read_tensors(path)
    if header.get("format") != FORMAT:
        raise ValueError(f"{path} is not a demonstration (its format is {header.get('format')!r})")
    try:
        x, y, width, height = (int(value) for value in header["roi"])
        depth = _put_together(tensors["depth"], header["depth"]) if "depth" in header else None
        info = _camera_info(header["camera_info"]) if "camera_info" in header else None
        points, names = tensors["points"], tuple(str(name) for name in header["names"])
        if points.shape != (len(names), 2) or not torch.isfinite(points).all():
            raise ValueError(f"{len(names)} names for points of shape {tuple(points.shape)}")
        return Record(
            id=str(header["id"]),
            class_name=str(header["class_name"]),
            picture=Picture(_put_together(tensors["image"], header["image"]), info, depth),
            points=points,
            names=names,
            roi=RegionOfInterest(x_offset=x, y_offset=y, width=width, height=height),
        )
    except (KeyError, TypeError, ValueError, AssertionError) as error:
        raise ValueError(f"{path} is a damaged demonstration: {error}") from error


def _fields(message: RawImage) -> dict[str, Any]:
    stamp = message.header.stamp
    about: dict[str, Any] = {"stamp": [stamp.sec, stamp.nanosec], "frame_id": message.header.frame_id}
    if isinstance(message, CompressedImage):
        return about | {"format": message.format}
    return about | {
        name: getattr(message, name) for name in ("height", "width", "encoding", "is_bigendian", "step")
    }


def _put_together(data: Tensor, about: dict[str, Any]) -> RawImage:
    sec, nanosec = (int(value) for value in about["stamp"])
    header = Header(stamp=Time(sec=sec, nanosec=nanosec), frame_id=str(about["frame_id"]))
    if data.dtype != torch.uint8 or data.dim() != 1:
        raise ValueError("image data must be bytes")
    if "format" in about:
        message: RawImage = CompressedImage(header=header, format=str(about["format"]))
    else:
        message = Image(header=header, encoding=str(about["encoding"]))
        for name in ("height", "width", "is_bigendian", "step"):
            setattr(message, name, int(about[name]))
    content = array("B")
    content.frombytes(data.numpy().data)
    message.data = content
    return message


def _calibration(info: CameraInfo) -> dict[str, Any]:
    return {
        "size": [info.height, info.width],
        "distortion_model": info.distortion_model,
        **{name: [float(value) for value in getattr(info, name)] for name in ("d", "k", "r", "p")},
    }


def _camera_info(about: dict[str, Any]) -> CameraInfo:
    height, width = (int(value) for value in about["size"])
    info = CameraInfo(height=height, width=width, distortion_model=str(about["distortion_model"]))
    info.d = [float(value) for value in about["d"]]
    for name in ("k", "r", "p"):
        setattr(info, name, np.array(about[name], np.float64))
    return info
