"""Objects too small for attention to the whole picture are found on their plane, or in windows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pear_camera
import pytest
import torch
from masks.table_scene import CAMERA, SIZE, look, open_box
from methods.semalign3d.alignment import fabricated

from semcorr_ros.artifacts import DepthMap, FeatureMap, Frame, Prototypes
from semcorr_ros.features import FeatureExtractor
from semcorr_ros.geometry.boxes import box_of
from semcorr_ros.observations import scene_of_frame
from semcorr_ros.proposals import propose

CUP, CAN = open_box(-0.06, 0.0), [((0.10, -0.04, 0.0), (0.16, 0.02, 0.12))]
RED, GREEN = (220, 30, 30), (30, 200, 40)


class Colors(FeatureExtractor):
    """Looks at the mean color of every cell; cells are as coarse as a network's."""

    backbone = "colors:1"
    from_pixels = True
    cells = 12  # along the longer side

    def __init__(self):
        self.encoded = 0

    def encode(self, ref):
        self.encoded += 1
        h, w = ref.image.shape[:2]
        grid = tuple(max(2, round(self.cells * side / max(h, w))) for side in (h, w))
        pixels = (ref.image.float() - 100).permute(2, 0, 1)[None]
        values = torch.nn.functional.adaptive_avg_pool2d(pixels, grid)[0].permute(1, 2, 0)
        return FeatureMap(torch.nn.functional.normalize(values, dim=-1), (h, w), self.backbone)


class Red:
    """A class of red things."""

    backbone = "colors:1"
    info = fabricated.make_class().info
    diameter = 0.0
    prototypes = Prototypes(
        torch.nn.functional.normalize(torch.tensor([RED]).float() - 100, dim=-1),
        torch.tensor([0.98]), torch.tensor([0.05]),
    )  # fmt: skip

    def prototypes_at(self, side):
        return self.prototypes


def picture(depth: bool):
    """A red open box and a green can on a gray table; and which pixels are red."""
    both, _ = look([*CUP, *CAN])
    (_, cup), (_, can) = look(CUP), look(CAN)
    image = np.full((*SIZE, 3), (96, 100, 108), np.uint8)
    image[can], image[cup] = GREEN, RED
    measured = both if depth else None
    return Frame(torch.from_numpy(image), CAMERA, measured), cup


def share_inside(place, red) -> float:
    """Of the red pixels."""
    if place.mask is not None:
        return float((place.mask.numpy() & red).sum() / red.sum())
    x, y, w, h = place.box
    return float(red[y : y + h, x : x + w].sum() / red.sum())


@pytest.mark.parametrize("depth", [True, False])
def test_the_place_most_alike_comes_first(depth):
    frame, red = picture(depth)
    features = Colors()
    scene = scene_of_frame(frame, features)
    places = propose(scene, Red(), features, 2)
    assert share_inside(places[0], red) > 0.8
    _, _, w, h = places[0].box or box_of(places[0].mask)
    assert w * h < 4 * red.sum()


def test_a_place_that_was_encoded_is_not_encoded_again():
    frame, _ = picture(True)
    features = Colors()
    scene = scene_of_frame(frame, features)
    (place,) = propose(scene, Red(), features, 1)
    count = features.encoded
    assert count <= 1 + 5  # the whole picture, and what stands in it
    scene.close_up(place.mask, features)
    assert features.encoded == count


def test_relative_depth_is_looked_at_in_windows():
    frame, red = picture(True)
    frame = replace(frame, depth=DepthMap(frame.depth.values, False))
    features = Colors()
    places = propose(scene_of_frame(frame, features), Red(), features, 1)
    assert share_inside(places[0], red) > 0.8


def test_nothing_alike_is_nowhere_without_depth():
    frame, _ = picture(False)
    gray = replace(frame, image=torch.full_like(frame.image, 96))
    features = Colors()
    assert propose(scene_of_frame(gray, features), Red(), features, 2) == []


def test_features_of_files_propose_nothing():
    shot = pear_camera.shoot(fabricated.make_class(), 70)
    features = Colors()
    features.from_pixels = False
    frame = Frame(torch.from_numpy(shot.image), shot.camera, DepthMap(torch.from_numpy(shot.depth), True))
    assert propose(scene_of_frame(frame, features), Red(), features, 2) == []


@pytest.mark.parametrize("size", [(16, 16), (9, 200), (40, 50), (64, 64), (100, 40)])
def test_small_pictures_are_looked_at_as_a_whole(size):
    class Picky(Colors):
        def encode(self, ref):
            assert min(ref.image.shape[:2]) >= 8  # as networks do
            return super().encode(ref)

    image = torch.randint(0, 255, (*size, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    features = Picky()
    propose(scene_of_frame(Frame(image), features), Red(), features, 2)
