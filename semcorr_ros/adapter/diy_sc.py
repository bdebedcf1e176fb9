"""Pseudo-labels in the form of DIY-SC (Dünkel et al., 2025): `<category>_anns.pt`, a list of one dictionary
per pair whose points are the corners of 14-pixel patches on a letterbox of 840 pixels.

Files are read with weights_only, so that nothing in them is executed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.adapter.labels import Labels, Matches, PictureName
from semcorr_ros.geometry.letterbox import CELLS, SIDE, letterboxed, to_canvas, to_image
from semcorr_ros.storage import atomic_path, read_torch

PATCH = SIDE // CELLS  # pixels
ENDING = "_anns.pt"


def write_diy_sc(folder: str | Path, labels: Labels) -> list[Path]:
    """Write `<folder>/<category>_anns.pt` of each category, atomically; points become corners of patches."""
    written = []
    for category in labels.categories:
        own = [one for one in labels.matches if labels.pictures[one.source].category == category]
        path = Path(folder) / f"{category}{ENDING}"
        with atomic_path(path) as temporary:
            torch.save([_entry(labels.pictures, one) for one in own], temporary)
        written.append(path)
    return written


def read_diy_sc(path: str | Path) -> Labels:
    """Read such a file; points are the centres of the patches. Pictures are named without their ending.

    Raises FileNotFoundError, or ValueError for another or damaged file and one with mirrored pairs.
    """
    path = Path(path)
    entries = read_torch(path)
    category = path.name.removesuffix(ENDING).removesuffix(".pt")
    rows: dict[PictureName, int] = {}
    try:
        found = [_matches(entry, category, rows) for entry in entries]
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{path} is no file of DIY-SC's pseudo-labels: {error}") from error
    return Labels(tuple(rows), tuple(found), {"labels": "DIY-SC"})


def _entry(pictures: Sequence[PictureName], one: Matches) -> dict[str, Any]:
    source, target = pictures[one.source], pictures[one.target]
    return {
        "src_imname": f"{source.name}.jpg",
        "trg_imname": f"{target.name}.jpg",
        "src_imsize": list(source.size[::-1]),
        "tgt_imsize": list(target.size[::-1]),
        "num_kps": len(one),
        "source_kps": _corners(one.source_points, source.size),
        "target_kps": _corners(one.target_points, target.size),
        "img_size_kps": SIDE,
    }


def _corners(points: Float[Tensor, "match 2"], size: tuple[int, int]) -> list[list[int]]:
    cells = (to_canvas(points, letterboxed(size)) / PATCH).floor().clamp(0, CELLS - 1)
    found: list[list[int]] = (cells.long() * PATCH).tolist()
    return found


def _matches(entry: Mapping[str, Any], category: str, rows: dict[PictureName, int]) -> Matches:
    if entry.get("flip"):
        raise ValueError("it has mirrored pairs, which are not understood")
    if int(entry["img_size_kps"]) != SIDE:
        raise ValueError(f"img_size_kps is {entry['img_size_kps']}, not {SIDE}")
    found = []
    for side in ("src", "trg"):
        width, height = (int(one) for one in entry["src_imsize" if side == "src" else "tgt_imsize"][:2])
        picture = PictureName(category, Path(str(entry[f"{side}_imname"])).stem, (height, width))
        corners = torch.as_tensor(entry["source_kps" if side == "src" else "target_kps"]).float()
        points = to_image(corners.reshape(-1, 2) + PATCH / 2, letterboxed(picture.size))
        found.append((rows.setdefault(picture, len(rows)), points))
    (source, here), (target, there) = found
    if len(here) != len(there):
        raise ValueError(f"{len(here)} source points and {len(there)} target points")
    return Matches(source, target, here, there)
