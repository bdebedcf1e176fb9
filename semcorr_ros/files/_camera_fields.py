"""What camera files of different tools call the same numbers."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from semcorr_ros.geometry.calibration import Calibration
from semcorr_ros.geometry.distortion import known_model

LOG = logging.getLogger(__name__)
# Names without case, _ and -; in this order.
MATRIX = ("k", "cameramatrix", "intrinsicmatrix", "intrinsics", "intrinsic", "camk", "mtx", "m1")
DISTORTION = (
    "d", "distortioncoefficients", "distortioncoeffs", "distcoeffs", "dist", "distortion", "coeffs", "d1"
)  # fmt: skip
MATRIX_SIZES = (4, 9, 12, 16)  # fx, fy, cx, cy; 3 x 3; [K | 0] of KITTI; 4 x 4 of ScanNet
PROJECTION = ("p", "projectionmatrix")
FX, FY, CX, CY = ("fx", "flx"), ("fy", "fly"), ("cx", "ppx"), ("cy", "ppy")  # fl_x: nerfstudio, instant-ngp
WIDTH, HEIGHT = ("width", "imagewidth", "w"), ("height", "imageheight", "h")
BOTH = ("resolution", "imagesize")  # width, height
MODEL = ("distortionmodel", "model")
PINHOLE = ("pinhole", "simplepinhole")
FISHEYE = ("fisheyemodel", "fisheye", "isfisheye")
ORDER = ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6")
ORDER_FISHEYE = ("k1", "k2", "k3", "k4")
EXPECTED = 'expected {"K": [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]}, or the file of a calibration tool'


def calibration_of(content: Mapping[Any, Any]) -> Calibration:
    """Read a calibration from fields by any tool's names. Raises ValueError saying what is wrong."""
    fields = _plain(content)
    matrix = _first(fields, MATRIX)
    if matrix is None and _first(fields, FX) is not None:
        matrix = fields
    if matrix is None:
        return calibration_of(_unwrapped(content))
    own = _plain(matrix)
    model, coefficients = _distortion({**own, **fields}, _is_matrix(matrix))
    P = _first(fields, PROJECTION)
    return Calibration(
        K=_matrix(matrix),
        size=_size({**fields, **own}),
        model=model,
        coefficients=coefficients,
        P=None if P is None else _numbers(P, "P", (12,)).reshape(3, 4)[:, :3],
        binning=_binning(fields),
        roi=_roi(fields.get("roi")),
    )


def _unwrapped(content: Mapping[Any, Any]) -> dict[Any, Any]:
    """Take what is wrapped in one name, `cam0` or `camera`, with what stands beside it. Raises ValueError."""
    inner = [key for key, value in content.items() if isinstance(value, dict) and value]
    if len(inner) != 1:
        several = f"; it holds {', '.join(map(str, inner))}: keep one" if inner else ""
        raise ValueError(f"{EXPECTED}; got {', '.join(map(str, content)) or 'nothing'}{several}")
    beside = {key: value for key, value in content.items() if key != inner[0]}
    return {**beside, **content[inner[0]]}


def _distortion(fields: Mapping[str, Any], tool: bool) -> tuple[str, tuple[float, ...]]:
    """Read model ("": plumb_bob) and coefficients. tool: it is a file of a calibration tool, which writes
    them."""
    value, of_camera = _first(fields, DISTORTION), _model_of_camera(fields)
    model = _first(fields, MODEL) or _first(_plain(value), MODEL) or of_camera
    if _first(fields, FISHEYE) in (1, True):
        model = "equidistant"
    if (value is None or value == "none") and any(name in fields for name in ORDER):
        value = {name: fields[name] for name in ORDER if name in fields}  # each a field of its own
    if value is None and (model or tool) and model != "none":
        raise ValueError("it has no distortion, which calibration tools write: is it cut off?")
    coefficients = _coefficients(value, str(model))
    if len(coefficients) == 4 and any(coefficients) and not model:
        LOG.warning(
            "4 distortion coefficients without a model are read as k1, k2, p1, p2; a fisheye's need "
            "distortion_model: equidistant"
        )
    return ("" if model in (None, "none") else str(model)), coefficients


def _model_of_camera(fields: Mapping[str, Any]) -> str | None:
    """Tell the distortion from `camera_model`, as COLMAP names both at once. Raises ValueError."""
    camera = fields.get("cameramodel")
    if camera is None or str(camera).lower().replace("_", "") in PINHOLE:
        return None
    if known_model(str(camera)) is None:
        raise ValueError(f"camera_model {camera!r} is not supported; use pinhole")
    return str(camera)


def _is_matrix(value: Any) -> bool:
    """Tell a matrix with rows and columns, as ROS and OpenCV write it."""
    return isinstance(value, dict) and "data" in value


def _matrix(value: Any) -> np.ndarray:
    if isinstance(value, dict) and "data" not in value:
        fields = _plain(value)
        value = [_first(fields, names) for names in (FX, FY, CX, CY)]
    numbers = _numbers(value, "K", MATRIX_SIZES)
    if len(numbers) == 4:
        fx, fy, cx, cy = numbers
        return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    if len(numbers) > 9:
        return numbers.reshape(-1, 4)[:3, :3]
    K = numbers.reshape(3, 3)
    flat = not (isinstance(value, list) and value and isinstance(value[0], list))
    return K.T if flat and K[2, 2] == 1 and not K[:2, 2].any() and K[2, :2].any() else K  # Open3D: by columns


def _coefficients(value: Any, model: str) -> tuple[float, ...]:
    if value is None:
        return ()
    if isinstance(value, dict) and "data" not in value:
        known = _plain(value)
        order = ORDER_FISHEYE if known_model(model) == "equidistant" else ORDER
        last = max((i + 1 for i, name in enumerate(order) if name in known), default=0)
        count = len(order) if last > 5 else min(len(order), 5)
        value = [known.get(name, 0.0) for name in order[:count]]
    return tuple(_numbers(value, "distortion", ()).tolist())


def _size(fields: Mapping[str, Any]) -> tuple[int, int] | None:
    width, height = _first(fields, WIDTH), _first(fields, HEIGHT)
    if width is None or height is None:
        both = _first(fields, BOTH)
        if both is None:
            return None
        width, height = _numbers(both, "resolution", (2,)).tolist()
    w, h = _whole([width, height], "width and height")
    if min(w, h) < 1:
        raise ValueError(f"width and height must be pixels of an image, got {w} and {h}")
    return h, w


def _binning(fields: Mapping[str, Any]) -> tuple[int, int]:
    x, y = _whole([fields.get("binningx", 0), fields.get("binningy", 0)], "binning_x and binning_y")
    return max(x, 1), max(y, 1)


def _roi(value: Any) -> tuple[int, int, int, int] | None:
    """Read x, y, width, height of a camera_info's roi; all zero is the whole sensor."""
    fields = _plain(value)
    names = ("xoffset", "yoffset", "width", "height")
    x, y, w, h = _whole([fields.get(name, 0) for name in names], "roi")
    return (x, y, w, h) if w and h else None


def _whole(values: list[Any], what: str) -> list[int]:
    numbers = _numbers(values, what, (len(values),)).tolist()
    if any(number % 1 or number < 0 for number in numbers):
        raise ValueError(
            f"{what} must be whole numbers of pixels, got {', '.join(f'{number:g}' for number in numbers)}"
        )
    return [int(number) for number in numbers]


def _numbers(value: Any, what: str, counts: tuple[int, ...]) -> np.ndarray:
    """Flatten lists, and OpenCV's and ROS's {"data": [...]}. Raises ValueError for anything else."""
    flat = list(_flat(value["data"] if _is_matrix(value) else value))
    if _is_matrix(value) and value.get("rows", len(flat)) * value.get("cols", 1) != len(flat):
        raise ValueError(f"{what} has {value.get('rows')} x {value.get('cols')} numbers, got {len(flat)}")
    if not all(type(number) in (int, float) for number in flat) or (counts and len(flat) not in counts):
        listed = " or ".join(map(str, counts))
        raise ValueError(
            f"{EXPECTED}; {what} must be {listed + ' ' if counts else ''}numbers, got {value!r:.200}"
        )
    numbers = np.array(flat, np.float64)
    if not np.isfinite(numbers).all():
        raise ValueError(f"{what} must be finite, got {str(value)[:200]}")
    return numbers


def _flat(value: Any) -> Iterable[Any]:
    if isinstance(value, list):
        for item in value:
            yield from _flat(item)
    else:
        yield value


def _plain(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        return {}
    return {re.sub(r"[\s_-]", "", str(key)).lower(): item for key, item in value.items()}


def _first(fields: Mapping[str, Any], names: Iterable[str]) -> Any:
    return next((fields[name] for name in names if fields.get(name) is not None), None)
