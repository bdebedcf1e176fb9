"""Write SPair-71k's JSON fields of images and pairs, and choose the pairs.

Training pairs cover all images, test pairs favor extreme changes of view.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from semcorr_lab.synthetic.instance import Instance
from semcorr_lab.synthetic.raycast import RayCaster
from semcorr_lab.synthetic.render import Rendering, camera_rays
from semcorr_lab.synthetic.scene import camera_center

KEYPOINT_SLOTS = 30  # SPair lists "0" to "29" for every category
_POSES = ("Frontal", "Left", "Rear", "Right")
_STEP = 8  # pixels between the rays that measure occlusion
_NOTICEABLE = 0.08  # share of the object that must be hidden to call it occluded or truncated
_VIEW_STEPS_DEG = (45.0, 100.0)  # between viewing directions: 0 below the first, 2 above the second
_SCALE_STEPS = (1.3, 1.8)  # of the boxes' longer sides
# Odds of a pair of each viewpoint variation.
_ODDS = {"trn": (1.0, 1.0, 1.0), "val": (1.0, 2.0, 3.0), "test": (1.0, 3.0, 6.0)}
_MIN_COMMON = 3  # keypoints of a val or test pair, if there are enough such pairs


def image_annotation(stem: str, instance: Instance, rendering: Rendering) -> dict[str, Any]:
    """Write the content of ImageAnnotation/<category>/<stem>.json.

    Keypoints are whole pixels, as in SPair.
    """
    h, w = rendering.camera.size
    azimuth = _azimuth_deg(instance, rendering)
    whole = _object_alone(instance, rendering)
    visible = rendering.mask[::_STEP, ::_STEP]
    return {
        "filename": f"{stem}.jpg",
        "src_database": "semcorr_ros synthetic",
        "src_annotation": "rendered",
        "src_image": instance.name or stem,
        "image_width": w,
        "image_height": h,
        "image_depth": 3,
        "category": instance.category,
        "pose": _POSES[round(azimuth / 90) % 4],
        "truncated": int(_outside_share(instance, rendering) > _NOTICEABLE),
        "occluded": int((whole & ~visible).sum() > _NOTICEABLE * max(int(whole.sum()), 1)),
        "difficult": 0,
        "bndbox": _box(rendering.mask),
        "kps": _slots(rendering),
        "azimuth_id": round(azimuth / 45) % 8,
    }


def pair_annotation(
    pair_id: int, source: dict[str, Any], target: dict[str, Any], angle_deg: float
) -> dict[str, Any]:
    """Write the content of a PairAnnotation file; `angle_deg` lies between the two viewing directions."""
    ids = common_keypoints(source, target)
    stems = [annotation["filename"].rpartition(".")[0] for annotation in (source, target)]
    pair: dict[str, Any] = {
        "pair_id": pair_id,
        "filename": f"{pair_id:06d}-{stems[0]}-{stems[1]}:{source['category']}",
    }
    sides = (("src", source), ("trg", target))
    pair |= {f"{side}_imname": a["filename"] for side, a in sides}
    pair |= {f"{side}_imsize": [a["image_width"], a["image_height"], 3] for side, a in sides}
    pair |= {f"{side}_bndbox": a["bndbox"] for side, a in sides}
    pair["category"] = source["category"]
    pair |= {f"{side}_pose": a["pose"] for side, a in sides}
    pair |= {f"{side}_kps": [a["kps"][i] for i in ids] for side, a in sides}
    longest = [max(a["bndbox"][2] - a["bndbox"][0], a["bndbox"][3] - a["bndbox"][1]) for _, a in sides]
    return pair | {
        "kps_ids": ids,
        "mirror": 0,
        "viewpoint_variation": viewpoint_variation(angle_deg),
        "scale_variation": int(np.searchsorted(_SCALE_STEPS, max(longest) / min(longest))),
        "truncation": source["truncated"] + 2 * target["truncated"],
        "occlusion": source["occluded"] + 2 * target["occluded"],
    }


def common_keypoints(source: dict[str, Any], target: dict[str, Any]) -> list[str]:
    """List ids of keypoints visible in both images, ascending."""
    return [i for i in source["kps"] if source["kps"][i] is not None and target["kps"][i] is not None]


def viewpoint_variation(angle_deg: float) -> int:
    """Grade a change of view: 0 easy, 1 medium, 2 hard."""
    return int(np.searchsorted(_VIEW_STEPS_DEG, angle_deg))


def _azimuth_deg(instance: Instance, rendering: Rendering) -> float:
    x, y, _ = camera_center(rendering.camera_from_object) - instance.bounds.mean(0)
    return float(np.degrees(np.arctan2(y, x))) % 360


def _box(mask: Bool[np.ndarray, "height width"]) -> list[int]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return [int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1]


def _slots(rendering: Rendering) -> dict[str, list[int] | None]:
    h, w = rendering.camera.size
    slots: dict[str, list[int] | None] = {str(i): None for i in range(KEYPOINT_SLOTS)}
    for i in np.flatnonzero(rendering.visible):
        x, y = np.clip(np.round(rendering.keypoints[i]), 0, [w - 1, h - 1])
        slots[str(i)] = [int(x), int(y)]
    return slots


def _object_alone(instance: Instance, rendering: Rendering) -> Bool[np.ndarray, "row column"]:
    """Cast the mask the object would have with nothing around it, on every eighth pixel."""
    h, w = rendering.camera.size
    rays = camera_rays(rendering.camera, rendering.camera_from_object).reshape(h, w, 3)[::_STEP, ::_STEP]
    eye = np.broadcast_to(camera_center(rendering.camera_from_object), rays.shape)
    caster = RayCaster([part.mesh for part in instance.parts])
    return caster.blocked(eye.reshape(-1, 3), rays.reshape(-1, 3)).reshape(rays.shape[:2])


def _outside_share(instance: Instance, rendering: Rendering) -> float:
    """Compute the share of the object's projected box beyond the image border."""
    h, w = rendering.camera.size
    pixels = _projected(instance.vertices, rendering)
    low, high = pixels.min(0), pixels.max(0)
    inside = np.clip(np.minimum(high, [w, h]) - np.maximum(low, 0), 0, None)
    return 1 - float(inside.prod() / max((high - low).prod(), 1e-9))


def _projected(points: Float[np.ndarray, "point 3"], rendering: Rendering) -> Float[np.ndarray, "point 2"]:
    pose, camera = rendering.camera_from_object, rendering.camera
    placed = points @ pose[:3, :3].T + pose[:3, 3]
    flat = placed[:, :2] / np.maximum(placed[:, 2:], 1e-6)
    return flat * camera.focal.numpy() + camera.principal_point.numpy()


def choose_pairs(
    annotations: list[dict[str, Any]],
    directions: Float[np.ndarray, "image 3"],
    split: str,
    count: int,
    rng: np.random.Generator,
) -> list[dict[str, Any]]:
    """Choose up to `count` pairs of one category, their ids counted from 1; fewer where fewer exist.

    `directions` are unit viewing directions in the object frame. In trn each image is in a pair,
    even if that takes more than `count`.
    """
    candidates = _candidates(annotations, 1 if split == "trn" else _MIN_COMMON, count)
    if not candidates:
        return []
    cosine = np.clip(directions @ directions.T, -1, 1)
    angles = np.degrees(np.arccos(cosine))
    odds = np.array([_ODDS[split][viewpoint_variation(angles[pair])] for pair in candidates])
    order = rng.choice(len(candidates), len(candidates), replace=False, p=odds / odds.sum())
    ranked = [candidates[i] for i in order]
    chosen = ranked[:count]
    if split == "trn":
        chosen = _covering(ranked, chosen)
    return [
        pair_annotation(i + 1, annotations[a], annotations[b], float(angles[a, b]))
        for i, (a, b) in enumerate(sorted(chosen))
    ]


def numbered(pairs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Number the pairs of several categories through the split."""
    return [
        pair | {"pair_id": i, "filename": f"{i:06d}-{pair['filename'].partition('-')[2]}"}
        for i, pair in enumerate(pairs, 1)
    ]


def _candidates(annotations: list[dict[str, Any]], least: int, count: int) -> list[tuple[int, int]]:
    """List ordered pairs that share `least` keypoints; where these are fewer than `count`, also others."""
    shared = {
        (a, b): len(common_keypoints(annotations[a], annotations[b]))
        for a in range(len(annotations))
        for b in range(len(annotations))
        if a != b
    }
    enough: list[tuple[int, int]] = []
    for needed in range(least, 0, -1):
        enough = [pair for pair, common in shared.items() if common >= needed]
        if len(enough) >= count:
            break
    return enough


def _covering(ranked: list[tuple[int, int]], chosen: list[tuple[int, int]]) -> list[tuple[int, int]]:
    covered = {image for pair in chosen for image in pair}
    chosen = list(chosen)
    for pair in ranked:
        if not covered.issuperset(pair):
            chosen.append(pair)
            covered.update(pair)
    return chosen
