"""The Python interface: load a class, give it pictures, get answers."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Num, UInt8

from semcorr_ros import backbones, methods, pose_transfer
from semcorr_ros.answer import Answer
from semcorr_ros.artifacts import Camera, DepthMap, Frame
from semcorr_ros.devices import choose_device
from semcorr_ros.files.depth import metres
from semcorr_ros.finder import Finder
from semcorr_ros.geometry import cameras
from semcorr_ros.geometry.taken import size_taken, straightened, turned
from semcorr_ros.live_providers import live_providers
from semcorr_ros.methods import Model, Quality
from semcorr_ros.options import check
from semcorr_ros.places import Box, Place, box_in, check_inside, mask_in
from semcorr_ros.pose_transfer import CarriedPoses, Poses
from semcorr_ros.provider_options import (
    AlignmentOptions,
    ComputeOptions,
    DepthOptions,
    FeatureOptions,
    JudgementOptions,
    MaskOptions,
)
from semcorr_ros.visualization.overlay import draw_answer

RIGID = 1e-3  # by which a rotation times its transpose may differ from the identity


def load(
    class_file: str | Path,
    device: str = "auto",
    min_score: float = JudgementOptions.min_score,
    quality: str = AlignmentOptions.quality,
    seed: int = AlignmentOptions.seed,
) -> LoadedClass:
    """Load a class file and the backbone that it was built on.

    device: of torch; auto = cuda where there is one. min_score: confidence below which an object is refused;
    -1 = the backbone's own. quality: "fast", "paper", or a YAML file. Raises FileNotFoundError, ValueError
    naming what is not allowed or a damaged file, ImportError naming the extra that its backbone needs.
    """
    if not isinstance(class_file, (str, Path)) or not str(class_file):
        raise ValueError(f"class_file must be the path of a class file, got {class_file!r}")
    check(JudgementOptions(min_score), _spelled)
    check(AlignmentOptions(quality, operator.index(seed)), _spelled)
    device = choose_device(ComputeOptions(device), _spelled)
    origin = methods.read_origin(class_file)
    providers = live_providers((FeatureOptions(), MaskOptions(), DepthOptions()), device, origin, _spelled)
    model = methods.load(class_file, device, Quality(quality))
    backbones.check(model, providers.features.backbone, class_file)
    return LoadedClass(model, Finder(providers, min_score, seed))


def draw(
    answer: Answer, image: UInt8[np.ndarray, "height width 3"] | None = None
) -> UInt8[np.ndarray, "rows columns 3"]:
    """Draw an answer; one that is refused in a red frame with the reason.

    image: RGB, without the lens's distortion; it is turned as it was looked at (default: the one that was
    looked at, where something was placed). Raises ValueError for an image of another type or size, and
    without any.
    """
    placed = None if answer.placed is None else answer.placed.seen.image.cpu()
    if image is None:
        if placed is None:
            raise ValueError("nothing was placed: give the image, draw(answer, rgb)")
        return np.asarray(draw_answer(placed, answer))
    shown = _rgb(image)
    if answer.placed is not None:
        shown = turned(shown, answer.placed.seen.rotate)
    if placed is not None and shown.shape != placed.shape:
        raise ValueError(f"the answer is about an image of {tuple(placed.shape)}, got {tuple(shown.shape)}")
    return np.asarray(draw_answer(shown, answer))


@dataclass(frozen=True)
class LoadedClass:
    """A class, ready to be found in pictures."""

    model: Model
    finder: Finder

    @property
    def keypoints(self) -> tuple[str, ...]:
        """Names of the keypoints that can be found."""
        return self.model.known

    def find(
        self,
        image: UInt8[np.ndarray, "height width 3"],
        depth: Num[np.ndarray, "height width"] | None = None,
        K: Any = None,
        box: Box | None = None,
        mask: Bool[np.ndarray, "height width"] | None = None,
        depth_scale: float = 0.0,
        rotate: int = 0,
    ) -> Answer:
        """Find the object in an RGB picture, and its keypoints.

        depth: metres along the optical axis, or numbers of depth_scale metres, 0 or NaN where unknown,
        registered to the image. K: 3x3 camera matrix in pixels. box: (x, y, width, height) in pixels, or
        mask: True on the object, from a detector. rotate: degrees clockwise that make the picture upright;
        pixels and positions stay those of the picture that is given. Metric positions need depth and K.
        Raises ValueError naming what does not fit.
        """
        taken = _frame(image, depth, K, depth_scale)
        if box is not None and mask is not None:
            raise ValueError("box and mask exclude each other")
        frame = straightened(taken, None, rotate)
        place = Place(
            box=None if box is None else box_in(_box(box, taken), frame),
            mask=None if mask is None else mask_in(_mask(mask, taken), frame),
        )
        return self.finder.find(self.model, self.finder.scene(frame), place)

    def transfer(self, source: Answer, pixels: Any, target: Answer, names: Sequence[str] = ()) -> Answer:
        """Carry pixels (n, 2) of the source's picture over to the target's.

        Of a source or target that is refused every point is REJECTED. Raises ValueError for pixels outside
        the source, names that are not one per pixel, and what is no answer.
        """
        for answer in (source, target):
            if not isinstance(answer, Answer):
                raise ValueError(f"source and target are answers of find(), got {type(answer).__name__}")
        points = np.asarray(pixels, np.float32)
        if points.ndim != 2 or points.shape[1] != 2 or not len(points):
            raise ValueError(f"pixels must be (n, 2), one or more, got {points.shape}")
        if source.placed is not None:
            check_inside(points.tolist(), size_taken(source.placed.seen), "pixel")
        names = tuple(names) or tuple(f"point_{i}" for i in range(len(points)))
        if len(names) != len(points):
            raise ValueError(f"{len(names)} names for {len(points)} pixels")
        return self.finder.transfer(source, torch.from_numpy(points), names, target)

    def transfer_poses(
        self, source: Answer, poses: Any, target: Answer, names: Sequence[str] = ()
    ) -> CarriedPoses:
        """Carry poses of a gripper (n, 4, 4) at the source's object over to the target's.

        Poses are rigid, in the optical frame of the source's camera, metres; the answer's are in that of the
        target's. Raises ValueError for what is no pose, Refusal where an object was refused or has no metres.
        """
        matrices = np.asarray(poses, np.float64)
        if matrices.ndim != 3 or matrices.shape[1:] != (4, 4) or not len(matrices):
            raise ValueError(f"poses must be (n, 4, 4), one or more, got {matrices.shape}")
        turns = matrices[:, :3, :3]
        off = np.abs(turns @ turns.transpose(0, 2, 1) - np.eye(3)).max()
        if not np.isfinite(matrices).all() or off > RIGID or (np.linalg.det(turns) < 0).any():
            raise ValueError("poses must be finite, and their upper left 3x3 proper rotations")
        names = tuple(names) or tuple(f"pose_{i}" for i in range(len(matrices)))
        if len(names) != len(matrices):
            raise ValueError(f"{len(names)} names for {len(matrices)} poses")
        taught = Poses(torch.from_numpy(matrices[:, :3, 3]).float(), torch.from_numpy(turns).float())
        return pose_transfer.carry(source, taught, names, target)


def _spelled(options: object, name: str) -> str:
    """Name an option as an argument of `load`."""
    return name


def _rgb(image: Any) -> torch.Tensor:
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"image must be uint8 RGB (height, width, 3), got {image.dtype} {image.shape}")
    return _tensor(image)


def _tensor(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.require(array, requirements=["C", "W"]))


def _frame(image: Any, depth: Any, K: Any, depth_scale: float) -> Frame:
    shown = _rgb(image)
    size = (int(shown.shape[0]), int(shown.shape[1]))
    return Frame(
        shown,
        None if K is None else _camera(K, size),
        None if depth is None else _depth(depth, size, depth_scale),
    )


def _camera(K: Any, size: tuple[int, int]) -> Camera:
    try:
        matrix = np.asarray(K, np.float32)
    except (TypeError, ValueError) as error:
        raise ValueError(f"K must be a 3x3 matrix of numbers in pixels, got {K!r}") from error
    return cameras.from_matrix(torch.from_numpy(matrix), size)


def _depth(depth: Any, size: tuple[int, int], scale: float) -> DepthMap:
    depth = np.asarray(depth)
    if depth.shape != size or depth.dtype.kind not in ("iuf" if scale else "f"):
        told = f"got {depth.dtype} {depth.shape}; millimetres have depth_scale=0.001"
        raise ValueError(f"depth must be float metres {size}, {told}")
    return DepthMap(torch.from_numpy(metres(depth, scale)), metric=True)


def _mask(mask: Any, frame: Frame) -> torch.Tensor:
    mask, size = np.asarray(mask), tuple(frame.image.shape[:2])
    if mask.dtype != bool or mask.shape != size or not mask.any():
        told = f"got {mask.dtype} {mask.shape}, {int((mask != 0).sum())} True"
        raise ValueError(f"mask must be bool {size} with a True pixel, {told}")
    return _tensor(mask)


def _box(box: Any, frame: Frame) -> Box:
    h, w = frame.image.shape[:2]
    wanted = f"box (x, y, width, height) must lie inside the {w}x{h} image, 4 px or more; got {box}"
    numbers = np.asarray(box, float)
    if numbers.shape != (4,) or not np.isfinite(numbers).all():
        raise ValueError(wanted)
    x, y, width, height = (round(value) for value in numbers.tolist())
    if min(x, y) < 0 or min(width, height) < 4 or x + width > w or y + height > h:
        raise ValueError(wanted)
    return x, y, width, height
