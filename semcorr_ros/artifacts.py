"""Every stage's result, one frozen dataclass each: the page to read first.

Units and frames follow CONVENTIONS.md: points (x, y) in pixels of the original image with the
centre of the first pixel at (0, 0); sizes (h, w); camera frame optical (x right, y down, z forward);
depth along optical z. `L` keypoints, `N` dense points, `C` feature channels.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Protocol

from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor


@dataclass(frozen=True)
class Camera:
    """Pinhole camera of one image. All in pixels of that image."""

    focal: Float[Tensor, "2"]  # fx, fy
    principal_point: Float[Tensor, "2"]  # cx, cy
    size: tuple[int, int]  # (h, w)


@dataclass(frozen=True)
class Lens:
    """Lens distortion of an image, which its pinhole camera leaves out. Pixels of that image."""

    model: str  # a key of geometry/distortion.py COEFFICIENTS
    coefficients: tuple[float, ...]  # in OpenCV's order
    focal: tuple[float, float]
    principal_point: tuple[float, float]
    size: tuple[int, int]  # (h, w)


@dataclass(frozen=True)
class FeatureMap:
    """Unit-norm features on a grid without padding over the whole image, or over a window of it.

    Only geometry/grid.py knows how cells and pixels map onto each other.
    """

    values: Float[Tensor, "height width channel"]  # float32, each cell of unit length
    image_size: tuple[int, int]  # (h, w) of the original image
    backbone: str  # "<name>:<fingerprint>"; equal strings mean comparable features
    window: tuple[int, int, int, int] | None = None  # x, y, width, height in pixels; None: the whole image
    # Of the cells before they were normalized, for networks that were trained on such; None: not kept.
    lengths: Float[Tensor, "height width"] | None = None


@dataclass(frozen=True)
class DepthMap:
    """Depth along optical z of every pixel of the original image; 0 or non-finite = invalid."""

    values: Float[Tensor, "height width"]
    metric: bool  # True: metres. False: up to an unknown scale.
    focal: float | None = None  # pixels, estimated by the depth network; None: not estimated


@dataclass(frozen=True)
class Frame:
    """A rectified (pinhole) image, perhaps turned upright, and the depth measured with it."""

    image: UInt8[Tensor, "height width 3"]  # RGB
    camera: Camera | None = None  # None: not calibrated
    depth: DepthMap | None = None
    lens: Lens | None = None  # what was corrected; None: nothing
    rotate: int = 0  # degrees clockwise by which it was turned after that: geometry/taken.py leads back


@dataclass(frozen=True)
class Observation:
    """One image, ready to be aligned. Everything but the features is optional evidence."""

    image: UInt8[Tensor, "height width 3"]  # RGB
    features: FeatureMap
    mask: Bool[Tensor, "height width"] | None = None  # True on the object
    depth: DepthMap | None = None
    camera: Camera | None = None  # None: focal length is searched for, principal point at centre
    lens: Lens | None = None  # image and depth were rectified; leads back to the pixels of the original
    rotate: int = 0  # and turned, as in Frame
    mask_is_given: bool = False  # by a detector, file or user: not found by recognising the class


@dataclass(frozen=True)
class AnnotatedImage:
    """One image of a dataset with its annotations; files are read lazily by datasets/."""

    name: str  # unique within the category: the file's stem, with folder or #number where that is not
    category: str
    image_path: Path
    size: tuple[int, int]  # (h, w)
    keypoints: Float[Tensor, "keypoint 2"]  # NaN rows where not annotated
    visible: Bool[Tensor, "keypoint"]
    bbox: tuple[float, float, float, float]  # x1, y1, x2, y2
    mask_path: Path | None = None
    depth_path: Path | None = None
    camera: Camera | None = None
    azimuth_id: int | None = None  # 0..7, eighths of a turn, where the data set tells
    shared: str = ""  # name of the picture, where it shows several objects of the data set

    @property
    def picture(self) -> str:
        """Name of the picture: of files that belong to all of it, such as features and depth."""
        return self.shared or self.name


@dataclass(frozen=True)
class ImagePair:
    """A benchmark pair. Only keypoints visible in both images are listed."""

    source: str  # name of the source AnnotatedImage
    target: str
    keypoint_ids: Int[Tensor, "keypoint"]
    source_keypoints: Float[Tensor, "keypoint 2"]
    target_keypoints: Float[Tensor, "keypoint 2"]
    target_bbox: tuple[float, float, float, float]
    difficulty: dict[str, int] = field(default_factory=dict)  # viewpoint, scale, truncation, occlusion


@dataclass(frozen=True)
class CategoryInfo:
    """What a dataset knows about a category beyond its images."""

    name: str
    keypoint_names: tuple[str, ...]
    flip: tuple[int, ...] | None  # keypoint ids after left/right mirroring; None = unknown
    flat: bool = False  # seen from the front only (TV): solutions facing away are discarded
    symmetric: bool = False  # rotation about the up axis cannot be observed
    edges: tuple[tuple[int, int], ...] = ()  # skeleton, for drawing


class Built(Protocol):
    """A class that was built on features."""

    @property
    def info(self) -> CategoryInfo: ...

    @property
    def backbone(self) -> str:
        """FeatureMap.backbone of the training features."""
        ...

    @property
    def provenance(self) -> dict[str, str]: ...


@dataclass(frozen=True)
class Prototypes:
    """Mean unit features, the spread of their cosine similarity to the training samples, and from
    where the point can be seen."""

    features: Float[Tensor, "point channel"]  # unit norm
    similarity_mean: Float[Tensor, "point"]
    similarity_std: Float[Tensor, "point"]
    # Mean of the unit directions point -> camera over the samples, canonical frame. Near 0: seen from
    # all sides. None: unknown.
    facing: Float[Tensor, "point 3"] | None = None

    def subset(self, rows: Tensor) -> Prototypes:
        """Select the given rows."""
        facing = None if self.facing is None else self.facing[rows]
        return Prototypes(self.features[rows], self.similarity_mean[rows], self.similarity_std[rows], facing)


@dataclass(frozen=True)
class Pose:
    """Where a class is in the camera frame."""

    rotation: Float[Tensor, "3 3"]  # camera_from_canonical, rigid
    translation: Float[Tensor, "3"]  # of the canonical origin, depth units
    scale: float  # depth units per canonical unit
    size: Float[Tensor, "3"]  # extent along the canonical axes, depth units
    metric: bool  # True: depth units are metres
    # Of x y z (square depth units) and rotations about the camera's axes (rad); None: unknown.
    covariance: Float[Tensor, "6 6"] | None = None


class KeypointState(IntEnum):
    """Same values as semcorr_ros/msg/SemanticKeypoint."""

    UNKNOWN = 0
    VISIBLE = 1
    OCCLUDED = 2
    OUT_OF_IMAGE = 3
    NO_DEPTH = 4
    REJECTED = 5


@dataclass(frozen=True)
class Correspondences:
    """Where the queried points are in the target image."""

    points: Float[Tensor, "point 2"]  # pixels
    score: Float[Tensor, "point"]  # [0, 1]
    state: Int[Tensor, "point"]  # KeypointState
    xyz: Float[Tensor, "point 3"]  # camera frame, depth units; NaN = unknown
    covariance: Float[Tensor, "point 3 3"] | None = None  # of xyz; None or NaN = unknown
