"""Pictures on their way into a project: bounded, decoded before they are kept, under names of their own."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from semcorr_ros.artifacts import Camera, Frame
from semcorr_ros.files.depth import MILLIMETRES
from semcorr_ros.files.picture import format_of, image_size, orientation_of, read_image
from semcorr_ros.storage import atomic_path, write_json
from semcorr_ros.teach.actions import AddPicture

LARGEST_UPLOAD = 64 * 2**20  # bytes of one picture
SMALLEST_SIDE = 32  # pixels; nothing is recognised in less
ENDINGS = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "BMP": ".bmp", "TIFF": ".tif"}
QUALITY = 95
UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Shot:
    """A picture that may be taken."""

    frame: Frame
    name: str = ""  # of its file; empty: it comes from a camera
    data: bytes = b""  # of its file, kept as it is; empty: the frame is written
    ending: str = ".jpg"  # of what is kept


def read_shot(data: bytes, name: str) -> Shot:
    """Decode a picture file. Raises ValueError saying what is wrong with it."""
    if len(data) > LARGEST_UPLOAD:
        raise ValueError(f"{name} has {len(data)} bytes; a picture has at most {LARGEST_UPLOAD}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture"
        path.write_bytes(data)
        try:
            height, width = image_size(path)
            if min(height, width) < SMALLEST_SIDE:
                raise ValueError(f"{path} is {width}x{height}; a picture has {SMALLEST_SIDE} pixels a side")
            frame, upright = Frame(read_image(path)), orientation_of(path) == 1
            ending = ENDINGS.get(format_of(path))
        except ValueError as error:
            raise ValueError(str(error).replace(str(path), name)) from error
    # Masks and clicks are of the upright picture: a file that has to be turned is written anew.
    return Shot(frame, name, data, ending) if upright and ending else Shot(frame, name)


def keep(root: Path, shot: Shot, taken: Callable[[str], bool]) -> AddPicture:
    """Write a picture with its depth and camera into a project. taken: tells names that are in use.

    Raises OSError where it cannot be written.
    """
    stem = UNSAFE.sub("_", Path(shot.name).stem).strip("_")[:48]
    name = _free(root, stem, taken)
    frame, size = shot.frame, (int(shot.frame.image.shape[0]), int(shot.frame.image.shape[1]))
    file = f"images/{name}{shot.ending}"
    with atomic_path(root / file) as temporary:
        if shot.data:
            temporary.write_bytes(shot.data)
        else:
            Image.fromarray(frame.image.cpu().numpy()).save(temporary, "JPEG", quality=QUALITY)
    depth = camera = ""
    if frame.depth is not None and frame.depth.metric and bool((frame.depth.values > 0).any()):
        depth = f"depth/{name}.png"
        _write_depth(root / depth, frame.depth.values)
    if frame.camera is not None:
        camera = f"cameras/{name}.json"
        write_json(root / camera, {"K": matrix(frame.camera)})
    return AddPicture(name, file, size, depth, camera)


def matrix(camera: Camera) -> list[list[float]]:
    """Return K, pixels."""
    (fx, fy), (cx, cy) = camera.focal.tolist(), camera.principal_point.tolist()
    return [[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]]


def jpeg(image: UInt8[Tensor, "height width 3"], longest: int, quality: int = 85) -> bytes:
    """Encode an image for display, at most `longest` pixels a side."""
    pixels = image.cpu().numpy()
    shrink = longest / max(pixels.shape[:2])
    if shrink < 1:
        width, height = (max(1, round(side * shrink)) for side in (pixels.shape[1], pixels.shape[0]))
        pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return bytes(data.tobytes())


def files_of(folder: Path) -> list[Path]:
    """List the pictures of a folder, or of its images/, by name. Raises FileNotFoundError where there are
    none."""
    suffixes = {*ENDINGS.values(), ".jpeg", ".tiff"}
    for place in (folder, folder / "images"):
        found = [path for path in sorted(place.glob("*")) if path.suffix.lower() in suffixes]
        if found:
            return found
    raise FileNotFoundError(f"no pictures ({' '.join(sorted(suffixes))}) in {folder} or its images/")


def _free(root: Path, stem: str, taken: Callable[[str], bool]) -> str:
    """Return a name that neither the project nor a file has; numbers where there is no stem."""
    files = {path.stem for path in (root / "images").glob("*")}
    used = lambda name: taken(name) or name in files  # noqa: E731
    if stem and not used(stem):
        return stem
    numbers = (f"{stem}_{i}" if stem else f"{i:04d}" for i in range(1, 10_000))
    return next(name for name in numbers if not used(name))


def _write_depth(path: Path, depth: Tensor) -> None:
    values = np.nan_to_num(np.rint(depth.cpu().numpy() / MILLIMETRES), nan=0.0, posinf=0.0, neginf=0.0)
    values[(values < 0) | (values > np.iinfo(np.uint16).max)] = 0
    with atomic_path(path) as temporary:
        Image.fromarray(values.astype(np.uint16)).save(temporary)
