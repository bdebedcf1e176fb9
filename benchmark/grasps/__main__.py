"""Carry grasps from one rendered mug to others: `python -m benchmark.grasps --class-file mug.safetensors`.

The class is built by `synthesize` and `build_class --backbone tiny` (README). Every mug is another one than
the class was built from; the truth is the same place on its mesh. Errors of poses that go with the surface,
beside poses that are carried rigidly with the class's pose, which is what is done without this package.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

import semcorr_ros
from benchmark.grasps.places import grasps
from benchmark.rendered.progress import progress
from semcorr_lab.synthetic.render import Rendering, render
from semcorr_lab.synthetic.turntable import Turntable
from semcorr_ros import pose_transfer
from semcorr_ros.answer import Answer
from semcorr_ros.api import LoadedClass
from semcorr_ros.geometry import rotations
from semcorr_ros.pose_transfer import CarriedPoses, Poses
from semcorr_ros.refusal import Refusal
from semcorr_ros.storage import write_json

FIRST_SEED = 5000  # of mugs that no class was built from
AZIMUTHS = (115.0, 150.0, 210.0, 245.0)  # the handle, at 180, is seen
CHI_90 = 10.645  # of six degrees of freedom, 90 %


@dataclass(frozen=True)
class Mug:
    """A mug in a picture, its grasps in the camera's frame, and where the class was placed."""

    truth: Float[np.ndarray, "grasp 4 4"]
    names: tuple[str, ...]
    answer: Answer


def main() -> int:
    """Print the table; returns 0."""
    args = _arguments()
    torch.set_num_threads(1)
    mug = semcorr_ros.load(args.class_file, device="cpu")
    with progress() as bar:
        seen = [look(mug, number) for number in bar.track(range(args.mugs), description="mugs")]
    rows = [row for i, one in enumerate(seen) for row in _from(one, seen[i + 1 :] + seen[:i])]
    report = {"mugs": args.mugs, "pairs": len(rows), "grasps": _summary(rows)}
    _print(report)
    if args.json:
        write_json(args.json, report)
    return 0


def look(mug: LoadedClass, number: int) -> Mug:
    """Render a mug and place the class in the picture."""
    table = Turntable(
        "mug", FIRST_SEED + number, views=1, size=(480, 640), azimuth_deg=AZIMUTHS[number % len(AZIMUTHS)]
    )
    shown: Rendering = render(table.scene(0))
    focal, center = shown.camera.focal.tolist(), shown.camera.principal_point.tolist()
    K = np.array([[focal[0], 0, center[0]], [0, focal[1], center[1]], [0, 0, 1]])
    at = grasps(table.instance)
    truth = np.stack([shown.camera_from_object @ pose for pose in at.values()])
    return Mug(truth, tuple(at), mug.find(shown.image, shown.depth, K))


def _from(one: Mug, others: list[Mug]) -> Iterator[dict[str, Any]]:
    taught = Poses(
        torch.from_numpy(one.truth[:, :3, 3]).float(), torch.from_numpy(one.truth[:, :3, :3]).float()
    )
    for other in others:
        try:
            carried = pose_transfer.carry(one.answer, taught, one.names, other.answer)
            beside = pose_transfer.rigid(one.answer, taught, other.answer)
        except Refusal as refusal:
            yield {"refused": refusal.code.name}
            continue
        yield from _errors(carried, beside, other)


def _errors(carried: CarriedPoses, beside: Poses, other: Mug) -> Iterator[dict[str, Any]]:
    for i, name in enumerate(carried.names):
        if carried.reasons[i]:
            yield {"refused": carried.reasons[i], "grasp": name}
            continue
        ours = error(other.truth[i], carried.poses.position[i], carried.poses.rotation[i])
        theirs = error(other.truth[i], beside.position[i], beside.rotation[i])
        off = np.concatenate([ours[0], ours[1]])
        inside = float(off @ np.linalg.solve(carried.covariance[i].double().numpy(), off)) <= CHI_90
        yield {
            "grasp": name, "inside": inside,
            "mm": 1000 * float(np.linalg.norm(ours[0])),
            "degrees": float(np.degrees(np.linalg.norm(ours[1]))),
            "rigid_mm": 1000 * float(np.linalg.norm(theirs[0])),
            "rigid_degrees": float(np.degrees(np.linalg.norm(theirs[1]))),
        }  # fmt: skip


def error(
    truth: Float[np.ndarray, "4 4"], position: torch.Tensor, rotation: torch.Tensor
) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
    """Return how far a pose is off: metres, and a rotation vector (rad) about the camera's axes."""
    turn = rotation.double() @ torch.from_numpy(truth[:3, :3]).T
    return position.double().numpy() - truth[:3, 3], rotations.to_vector(turn).numpy()


def _summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    names = list(dict.fromkeys(row["grasp"] for row in rows if "mm" in row))
    found: dict[str, Any] = {}
    for name in [*names, "all"]:
        mine = [row for row in rows if "mm" in row and name in ("all", row["grasp"])]
        keys = ("mm", "degrees", "rigid_mm", "rigid_degrees")
        found[name] = {key: float(np.median([row[key] for row in mine])) for key in keys}
        found[name] |= {f"{key} p90": float(np.percentile([row[key] for row in mine], 90)) for key in keys}
        found[name]["inside"] = float(np.mean([row["inside"] for row in mine]))
        found[name]["count"] = len(mine)
    found["refused"] = sum("refused" in row for row in rows)
    return found


def _print(report: dict[str, Any]) -> None:
    print(
        "| grasp | with the surface: mm, degrees | 90 % | rigidly: mm, degrees | 90 % | in 90 % ellipsoid |"
    )
    print("|---|---|---|---|---|---|")
    for name, row in report["grasps"].items():
        if isinstance(row, dict):
            cells = [f"{row[a]:.1f}, {row[b]:.1f}" for a, b in (
                ("mm", "degrees"), ("mm p90", "degrees p90"),
                ("rigid_mm", "rigid_degrees"), ("rigid_mm p90", "rigid_degrees p90"))]  # fmt: skip
            print(f"| {name} | {' | '.join(cells)} | {100 * row['inside']:.0f} % |")
    print(f"{report['grasps']['refused']} refused of {report['pairs']}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--class-file", type=Path, required=True)
    parser.add_argument("--mugs", type=int, default=12)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
