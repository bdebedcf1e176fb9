"""AP-10K (Yu et al. 2021) with the splits that GeoAware-SC builds from it.

<root>/annotations/ap10k-{train,val,test}-split1.json (merged), <root>/data/<12 digits>.jpg, and
<root>/ap-10k_is_crowd.txt (optional: stems of images with several animals, which are left out).

The first annotation of an image counts, if it has at least three keypoints. Per species the last 30
images are for testing, the 20 before them for validation. Pairs share at least three keypoints. Besides
species there are the categories `family:<name>` (pairs across its species) and `all` (across families).
The published lists follow the order of a file system; ours are sorted, so pairs differ in detail.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from semcorr_ros.artifacts import AnnotatedImage, CategoryInfo, ImagePair
from semcorr_ros.datasets import Format, coco
from semcorr_ros.datasets._coco_categories import key_of
from semcorr_ros.datasets._coco_files import CocoFile, merged
from semcorr_ros.datasets._image_files import ImageFiles
from semcorr_ros.datasets._listed import Listed, every_pair, pair_of, require

TEST, VALIDATION = 30, 20  # images per species
SHARED = 3  # keypoints that a pair must have in common
TRAIN_PAIRS_PER_IMAGE = 50
CROSS_SPECIES = {"val": 400, "test": 900}  # pairs per family
CROSS_FAMILY = {"val": 20, "test": 30}  # pairs per two families
SEED = 42

Split = dict[str, list[AnnotatedImage]]


def build(root: Path) -> Listed:
    """Open a folder. Raises FileNotFoundError or ValueError naming the file."""
    root = Path(root)
    require(root / "annotations", "AP-10K", "annotations/ap10k-train-split1.json and data/")
    crowd = root / "ap-10k_is_crowd.txt"
    left_out = set(crowd.read_text().split()) if crowd.is_file() else set()
    infos: dict[str, CategoryInfo] = {}
    families: dict[str, str] = {}
    found: dict[str, dict[str, AnnotatedImage]] = {}
    skipped: list[str] = []
    places = ImageFiles(root)
    for file in coco.coco_files(root, skipped.append):
        file = merged(infos, file, skipped.append)
        families |= file.families
        for _, sample in coco.annotated(replace(file, annotations=_first(file)), places, skipped.append):
            if sample.name not in left_out:
                found.setdefault(sample.category, {}).setdefault(sample.name, sample)
    species = {name: _split(list(images.values())) for name, images in found.items()}
    return _with_crossings({name: infos[name] for name in species}, species, families, skipped)


PLUGIN = Format(build)


def _first(file: CocoFile) -> list[tuple[str, dict[str, Any]]]:
    first: dict[str | None, tuple[str, dict[str, Any]]] = {}
    for one in file.annotations:
        first.setdefault(key_of(one[1].get("image_id")), one)
    return [one for one in first.values() if _count(one[1]) >= SHARED]


def _count(annotation: Mapping[str, Any]) -> float:
    count = annotation.get("num_keypoints", SHARED)
    return count if isinstance(count, int | float) else SHARED


def _split(images: Sequence[AnnotatedImage]) -> Split:
    images = sorted(images, key=lambda image: image.name)
    rest = max(0, len(images) - TEST - VALIDATION)
    return {
        "trn": list(images[:rest]),
        "val": list(images[rest : max(rest, len(images) - TEST)]),
        "test": list(images[max(0, len(images) - TEST) :]),
    }


def _with_crossings(
    infos: dict[str, CategoryInfo],
    species: Mapping[str, Split],
    families: Mapping[str, str],
    skipped: list[str],
) -> Listed:
    draw = random.Random(SEED)
    images: dict[tuple[str, str], list[AnnotatedImage]] = {}
    pairs: dict[tuple[str, str], list[ImagePair]] = {}
    for name, split in sorted(species.items()):
        for part, members in split.items():
            images[name, part] = members
            every = every_pair(members, SHARED)
            if part == "trn":
                every = draw.sample(every, min(len(every), TRAIN_PAIRS_PER_IMAGE * len(members)))
            elif every:
                every = [pair for pair in every if pair.source < pair.target]  # combinations, not both ways
            pairs[name, part] = every
    groups: dict[str, list[str]] = {}
    for name in sorted(species):
        groups.setdefault(families[name], []).append(name)
    infos = dict(infos)
    for family, kin in sorted(groups.items()):
        if family and len(kin) > 1:
            _cross(f"family:{family}", [species[m] for m in kin], CROSS_SPECIES, draw, images, pairs)
            infos[f"family:{family}"] = replace(infos[kin[0]], name=f"family:{family}")
    merged = [_merged([species[m] for m in kin]) for _, kin in sorted(groups.items())]
    if len(merged) > 1:
        _cross("all", merged, CROSS_FAMILY, draw, images, pairs, per_two=True)
        infos["all"] = replace(next(iter(infos.values())), name="all")
    return Listed(infos, images, pairs, skipped)


def _merged(splits: Sequence[Split]) -> Split:
    return {part: [image for split in splits for image in split[part]] for part in ("trn", "val", "test")}


def _cross(
    name: str,
    groups: Sequence[Split],
    counts: Mapping[str, int],
    draw: random.Random,
    images: dict[tuple[str, str], list[AnnotatedImage]],
    pairs: dict[tuple[str, str], list[ImagePair]],
    per_two: bool = False,
) -> None:
    """Draw pairs between groups, `counts` in total or per two groups; training images have none."""
    for part in ("trn", "val", "test"):
        images[name, part] = [image for split in groups for image in split[part]]
        between = [
            [
                pair
                for a in one[part]
                for b in other[part]
                if len((pair := pair_of(a, b)).keypoint_ids) >= SHARED
            ]
            for one, other in itertools.combinations(groups, 2)
        ]
        pools = between if per_two else [list(itertools.chain.from_iterable(between))]
        count = counts.get(part, 0)
        pairs[name, part] = [pair for pool in pools for pair in draw.sample(pool, min(count, len(pool)))]
