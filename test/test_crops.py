"""Crops of training pictures: around the object, and not the same ones in every picture."""

from dataclasses import replace

import torch

from semcorr_ros import crops, encoded_pictures
from semcorr_ros.observations import unannotated


def mask():
    shown = torch.zeros(100, 140, dtype=torch.bool)
    shown[30:70, 50:90] = True
    return shown


def test_crops_lie_in_the_picture_and_show_enough_of_the_object():
    draws = torch.Generator().manual_seed(0)
    around = (42, 22, 56, 56)
    areas = []
    for _ in range(200):
        x, y, w, h = crops.random_window(mask(), around, draws)
        assert x >= 0 <= y
        assert x + w <= 140
        assert y + h <= 100
        assert int(mask()[y : y + h, x : x + w].sum()) >= crops.LEAST_SHOWN * 1600
        areas.append(w * h / 56**2)
    assert min(areas) < 0.6
    assert max(areas) > 1.4


def test_where_no_crop_shows_enough_the_object_alone_is_taken():
    corner = torch.zeros(100, 140, dtype=torch.bool)
    corner[:5, :5] = True
    around = (80, 60, 40, 40)  # of something else
    assert crops.random_window(corner, around, torch.Generator().manual_seed(0)) == around


def test_every_picture_has_crops_of_its_own_and_the_same_ones_each_time():
    first = replace(unannotated("mug", (100, 140)), name="a")
    second = replace(first, name="b")
    drawn = [encoded_pictures.draws(one, 0).initial_seed() for one in (first, second, first)]
    assert drawn[0] == drawn[2] != drawn[1]
    assert encoded_pictures.draws(first, 1).initial_seed() != drawn[0]
