"""A demonstration on disk: the messages of one moment and the marked points, as one safetensors file.

The messages are stored byte for byte, so that after a restart they go through the same code as before, and
a rebuilt class can still be placed in them. What is read has the fields of the ROS messages without their
types, which is all that `sensing` needs. Nothing is ever unpickled.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from semcorr_ros.pose_transfer import Poses
from semcorr_ros.sensing import compressed
from semcorr_ros.sensing.picture import Picture
from semcorr_ros.sensing.reading import Reading
from semcorr_ros.storage import read_tensors, write_tensors

FORMAT = "semcorr_ros demonstration 1"
LARGEST_FILE = 256 * 2**20  # bytes; nothing larger is opened
LARGEST_MESSAGE = 96 * 2**20  # bytes of an image or depth image that is kept
ROI = ("x_offset", "y_offset", "width", "height")
PIXELS = ("height", "width", "is_bigendian", "step")  # numbers that say how an Image's bytes are laid out
CALIBRATION = ("d", "k", "r", "p")
NO_POSES = Poses(torch.zeros(0, 3), torch.zeros(0, 3, 3))


@dataclass(frozen=True)
class Info:
    """Entry of a demonstration in a list."""

    id: str
    class_name: str
    point_names: tuple[str, ...]
    height: int  # of the image; 0 = not known before it is decoded
    width: int
    has_depth: bool
    stamp: tuple[int, int]  # seconds and nanoseconds, of the image
    persistent: bool  # on disk
    pose_names: tuple[str, ...] = ()  # of the gripper, kept with it


@dataclass(frozen=True)
class Record:
    """A demonstration: a picture and the points marked in it."""

    id: str
    class_name: str
    picture: Picture
    points: Tensor  # float (N, 2), pixels
    names: tuple[str, ...]  # one per point
    roi: Any = None  # a RegionOfInterest; None or width 0 = the whole image
    poses: Poses = NO_POSES  # of the gripper, optical frame of the picture
    pose_names: tuple[str, ...] = ()  # one per pose


def write_record(path: Path, record: Record) -> Info:
    """Write a demonstration atomically. Raises ValueError for messages that are too large, OSError."""
    check_size(record)
    header = describe(record)
    tensors = {"points": record.points.reshape(-1, 2).float()}
    for name, message in (("image", record.picture.image), ("depth", record.picture.depth)):
        if message is not None:
            tensors[name] = torch.from_numpy(np.frombuffer(message.data, np.uint8).copy())
    if len(record.poses):
        tensors |= {"positions": record.poses.position.float(), "rotations": record.poses.rotation.float()}
    write_tensors(path, tensors, header)
    return info_from(header, persistent=True)


def check_size(record: Record) -> int:
    """Sum the bytes of a record's messages. Raises ValueError for one that is too large to be stored."""
    sizes = [len(message.data) for message in (record.picture.image, record.picture.depth) if message]
    if max(sizes) > LARGEST_MESSAGE:
        raise ValueError(f"an image of {max(sizes)} bytes is not kept; at most {LARGEST_MESSAGE}")
    return sum(sizes)


def describe(record: Record) -> dict[str, Any]:
    """Describe a record, all but points and pixels, as JSON can hold it."""
    picture = record.picture
    header: dict[str, Any] = {
        "format": FORMAT,
        "id": record.id,
        "class_name": record.class_name,
        "names": list(record.names),
        "roi": [int(getattr(record.roi, name, 0)) for name in ROI],
        "image": _fields(picture.image),
        "reading": asdict(picture.reading),
        "pose_names": list(record.pose_names),
    }
    if picture.depth is not None:
        header["depth"] = _fields(picture.depth)
    if picture.camera_info is not None:
        header["camera_info"] = _calibration(picture.camera_info)
    return header


def info_from(header: dict[str, Any], persistent: bool) -> Info:
    """Read what `describe` wrote, for a list of demonstrations."""
    image = header["image"]
    # The size of a compressed image is unknown before it is decoded; its calibration has it.
    size = header.get("camera_info", {}).get("size", [0, 0])
    return Info(
        id=str(header["id"]),
        class_name=str(header["class_name"]),
        point_names=tuple(str(name) for name in header["names"]),
        height=int(image.get("height", size[0])),
        width=int(image.get("width", size[1])),
        has_depth="depth" in header,
        stamp=(int(image["stamp"][0]), int(image["stamp"][1])),
        persistent=persistent,
        pose_names=tuple(str(name) for name in header.get("pose_names", [])),
    )


def read_info(path: Path) -> Info:
    """Read the header of a demonstration alone. Raises OSError, or ValueError for a damaged or foreign
    file."""
    try:
        with safe_open(str(path), framework="pt") as file:
            header = json.loads((file.metadata() or {})["header"])
        if header.get("format") != FORMAT:
            raise ValueError(f"its format is {header.get('format')!r}")
        return info_from(header, persistent=True)
    except (SafetensorError, AttributeError, KeyError, TypeError, IndexError, ValueError) as error:
        raise ValueError(f"{path} is not a demonstration or is damaged: {error}") from error


def read_record(path: Path) -> Record:
    """Read a demonstration. Raises FileNotFoundError, or ValueError for a file that is damaged, foreign or
    too large."""
    if path.is_file() and path.stat().st_size > LARGEST_FILE:
        raise ValueError(
            f"{path} has {path.stat().st_size} bytes; a demonstration has at most {LARGEST_FILE}"
        )
    tensors, header = read_tensors(path)
    if header.get("format") != FORMAT:
        raise ValueError(f"{path} is not a demonstration (its format is {header.get('format')!r})")
    try:
        depth = _put_together(tensors["depth"], header["depth"]) if "depth" in header else None
        info = _camera_info(header["camera_info"]) if "camera_info" in header else None
        points, names = tensors["points"], tuple(str(name) for name in header["names"])
        if points.shape != (len(names), 2) or not torch.isfinite(points).all():
            raise ValueError(f"{len(names)} names for points of shape {tuple(points.shape)}")
        return Record(
            id=str(header["id"]),
            class_name=str(header["class_name"]),
            picture=Picture(
                _put_together(tensors["image"], header["image"]),
                info,
                depth,
                reading=Reading(**header.get("reading", {})),
            ),
            points=points,
            names=names,
            roi=SimpleNamespace(**{name: int(value) for name, value in zip(ROI, header["roi"], strict=True)}),
            poses=_poses(tensors, header),
            pose_names=tuple(str(name) for name in header.get("pose_names", [])),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is a damaged demonstration: {error}") from error


def _poses(tensors: dict[str, Tensor], header: dict[str, Any]) -> Poses:
    count = len(header.get("pose_names", []))
    if not count:
        return NO_POSES
    position, rotation = tensors["positions"], tensors["rotations"]
    if position.shape != (count, 3) or rotation.shape != (count, 3, 3):
        raise ValueError(f"{count} names for poses of shape {tuple(position.shape)}")
    if not (torch.isfinite(position).all() and torch.isfinite(rotation).all()):
        raise ValueError("its poses are not finite")
    return Poses(position, rotation)


def _fields(message: Any) -> dict[str, Any]:
    stamp = message.header.stamp
    about: dict[str, Any] = {"stamp": [stamp.sec, stamp.nanosec], "frame_id": message.header.frame_id}
    if compressed.is_compressed(message):
        return about | {"format": message.format}
    return about | {name: getattr(message, name) for name in (*PIXELS, "encoding")}


def _put_together(data: Tensor, about: dict[str, Any]) -> SimpleNamespace:
    sec, nanosec = (int(value) for value in about["stamp"])
    header = SimpleNamespace(stamp=SimpleNamespace(sec=sec, nanosec=nanosec), frame_id=str(about["frame_id"]))
    if data.dtype != torch.uint8 or data.dim() != 1:
        raise ValueError("image data must be bytes")
    message = SimpleNamespace(header=header, data=data.numpy().tobytes())
    if "format" in about:
        message.format = str(about["format"])
        return message
    message.encoding = str(about["encoding"])
    for name in PIXELS:
        number = int(about[name])
        if not 0 <= number < 2**32:
            raise ValueError(f"{name} is {number}")
        setattr(message, name, number)
    return message


def _calibration(info: Any) -> dict[str, Any]:
    return {
        "size": [info.height, info.width],
        "distortion_model": info.distortion_model,
        **{name: [float(value) for value in getattr(info, name)] for name in CALIBRATION},
    }


def _camera_info(about: dict[str, Any]) -> SimpleNamespace:
    height, width = (int(value) for value in about["size"])
    info = SimpleNamespace(height=height, width=width, distortion_model=str(about["distortion_model"]))
    for name in CALIBRATION:
        setattr(info, name, np.array(about[name], np.float64))
    if (len(info.k), len(info.r), len(info.p)) != (9, 9, 12):
        raise ValueError("the calibration has matrices of other sizes")
    return info
