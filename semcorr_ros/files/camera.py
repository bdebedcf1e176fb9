"""Camera files of any tool: JSON, YAML of ROS and Kalibr, OpenCV's FileStorage, ost.txt, a matrix alone.

`{"K": 3x3}` in pixels is enough. With width and height K is scaled to the image; a distortion gives a lens.
"""

from __future__ import annotations

import logging
from pathlib import Path

from semcorr_ros.artifacts import Camera, Lens
from semcorr_ros.files._camera_text import calibration_in
from semcorr_ros.geometry.calibration import camera_of

LOG = logging.getLogger(__name__)


def read_calibration(
    path: str | Path, size: tuple[int, int], rectified: bool | None = None
) -> tuple[Camera, Lens | None]:
    """Read camera and lens of an image of `size` (h, w).

    rectified: see geometry/calibration.py. Raises FileNotFoundError, or ValueError naming the file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    try:
        return camera_of(calibration_in(path), size, rectified)
    except ValueError as error:
        raise error if str(path) in str(error) else ValueError(f"{path}: {error}") from error


def read_camera(path: str | Path, size: tuple[int, int]) -> Camera:
    """Read the camera of an image of a data set, whose annotations are of the picture as it is: a lens is not
    taken out, and said to be there. Raises as `read_calibration`."""
    camera, lens = read_calibration(path, size)
    if lens is not None:
        LOG.warning(
            "%s: its distortion is ignored, since annotations are pixels of the picture as it is. Rectify "
            "pictures (cv2.undistort) before they are annotated; of rectified ones give the K without a "
            "distortion: the first three columns of P",
            path,
        )
    return camera
