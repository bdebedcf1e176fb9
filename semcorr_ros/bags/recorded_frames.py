"""tf of a recording: a transform between two frames at a moment, as tf2 would give it; without ROS.

Between two stamps it is interpolated, position linearly and direction on the shortest way (slerp), as
`tf2::BufferCore` does. Before the first and after the last one it is unknown: the nearest belongs to another
moment.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.sensing.frames import check_header

MESSAGE = "tf2_msgs/msg/TFMessage"
STATIC = "tf_static"


@dataclass
class _Frame:
    """Where a frame is in its parent, at every moment that was recorded; a static one always."""

    stamps: list[int] = field(default_factory=list)  # nanoseconds
    parents: list[str] = field(default_factory=list)
    matrices: list[np.ndarray] = field(default_factory=list)  # (4, 4)
    static: bool = False

    def add(self, stamp: int, parent: str, matrix: np.ndarray, static: bool) -> None:
        if static:
            self.stamps, self.parents, self.matrices = [], [], []
        self.static = static
        at = bisect_left(self.stamps, stamp)
        if at < len(self.stamps) and self.stamps[at] == stamp:
            self.parents[at], self.matrices[at] = parent, matrix
            return
        self.stamps.insert(at, stamp)
        self.parents.insert(at, parent)
        self.matrices.insert(at, matrix)

    def at(self, stamp: int) -> tuple[str, np.ndarray] | None:
        """Return parent and transform to it; None where the stamp is not within what was recorded."""
        if self.static:
            return self.parents[-1], self.matrices[-1]
        after = bisect_left(self.stamps, stamp)
        if after < len(self.stamps) and self.stamps[after] == stamp:
            return self.parents[after], self.matrices[after]
        if after in (0, len(self.stamps)):
            return None
        before = after - 1
        if self.parents[before] != self.parents[after]:  # put elsewhere in between
            return self.parents[before], self.matrices[before]
        begin, end = self.stamps[before], self.stamps[after]
        share = (stamp - begin) / (end - begin)
        return self.parents[before], _between(self.matrices[before], self.matrices[after], share)


class RecordedFrames:
    """All transforms of a bag."""

    def __init__(self) -> None:
        self._frames: dict[str, _Frame] = {}

    def add(self, message: Any, static: bool) -> None:
        """Take a TFMessage; what is not finite or has no rotation is left out."""
        for one in message.transforms:
            matrix = _matrix(one.transform)
            if matrix is None:
                continue
            stamp = one.header.stamp.sec * 10**9 + one.header.stamp.nanosec
            frame = self._frames.setdefault(one.child_frame_id.lstrip("/"), _Frame())
            frame.add(stamp, one.header.frame_id.lstrip("/"), matrix, static)

    def lookup(self, target: str, header: Any) -> np.ndarray:
        """Find the transform (4, 4) from the frame of a header to `target`, at its stamp. Raises Refusal
        TF_MISSING."""
        check_header(header, target)
        stamp = header.stamp.sec * 10**9 + header.stamp.nanosec
        up, ends = self._way_up(header.frame_id, stamp)
        down, other = self._way_up(target, stamp)
        common = next((name for name in up if name in down), None)
        if common is None:
            ends = f"{ends!r}" if ends == other else f"{ends!r} and {other!r}"
            known = ", ".join(sorted({*self._frames, *self._parents()})) or "none"
            raise Refusal(
                Code.TF_MISSING,
                f"the bag's tf has no transform from {header.frame_id!r} to {target!r} at the stamp of the "
                f"image: the ways up end at {ends}; frames: {known}",
            )
        found: np.ndarray = np.linalg.inv(down[common]) @ up[common]
        return found

    def _parents(self) -> set[str]:
        return {parent for frame in self._frames.values() for parent in frame.parents}

    def _way_up(self, name: str, stamp: int) -> tuple[dict[str, np.ndarray], str]:
        """Collect the transforms from a frame to itself and all above it, in this order; and the last one."""
        whole, ways = np.eye(4), {name: np.eye(4)}
        while name in self._frames:
            step = self._frames[name].at(stamp)
            if step is None or step[0] in ways:
                break
            name, whole = step[0], step[1] @ whole
            ways[name] = whole
        return ways, name


def _matrix(transform: Any) -> np.ndarray | None:
    at, turn = transform.translation, transform.rotation
    quaternion = np.array([turn.x, turn.y, turn.z, turn.w])
    matrix = np.eye(4)
    matrix[:3, 3] = at.x, at.y, at.z
    if not (np.isfinite(matrix).all() and np.isfinite(quaternion).all() and np.linalg.norm(quaternion) > 0.1):
        return None
    matrix[:3, :3] = Rotation.from_quat(quaternion).as_matrix()
    return matrix


def _between(first: np.ndarray, second: np.ndarray, share: float) -> np.ndarray:
    found = (1 - share) * first + share * second
    turns = Rotation.from_matrix(np.stack([first[:3, :3], second[:3, :3]]))
    found[:3, :3] = Slerp([0.0, 1.0], turns)(share).as_matrix()
    return found
