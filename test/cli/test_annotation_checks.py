"""Annotations that contradict their images or their names are told in words."""

from pathlib import Path

import torch

from semcorr_ros.artifacts import AnnotatedImage, CategoryInfo
from semcorr_ros.cli._annotation_checks import about_annotations, about_size

NAMES = ("rim_left", "rim_right", "handle")
RIGHT = CategoryInfo("mug", NAMES, (1, 0, 2))


def _image(*points):
    keypoints = torch.tensor(points)
    visible = torch.isfinite(keypoints).all(-1)
    return AnnotatedImage("a", "mug", Path("a.png"), (100, 200), keypoints, visible, (0.0, 0.0, 1.0, 1.0))


def test_right_annotations_say_nothing():
    nothing = [torch.nan, torch.nan]
    assert about_annotations([_image([0.0, 0.0], [199.0, 99.0], nothing)], RIGHT) == []


def test_keypoints_outside_are_named_with_their_place():
    images = [_image([150.0, 50.0], [50.0, 150.0], [-3.0, 7.0])] * 3
    (told,) = about_annotations(images, RIGHT)
    assert "a: rim_right at (50, 150) of 200x100" in told
    assert "a: handle at (-3, 7)" in told
    assert "rim_left" not in told
    assert "and 3 more" in told


def test_a_flip_table_against_the_names_is_told_with_the_right_one():
    (told,) = about_annotations([], CategoryInfo("mug", NAMES, (0, 1, 2)))
    assert "puts rim_left in the place of rim_left" in told
    assert "it would be rim_right" in told
    assert "[1, 0, 2]" in told
    (told,) = about_annotations([], CategoryInfo("mug", NAMES, None))
    assert "no 'flip'" in told
    assert "[1, 0, 2]" in told
    assert about_annotations([], CategoryInfo("mug", ("a", "b"), (1, 0))) == []


def test_a_size_in_millimetres_is_asked_about():
    assert about_size(None, RIGHT) == []
    assert about_size((0.08, 0, 1), RIGHT) == []
    (told,) = about_size((80.0, 0, 1), RIGHT)
    assert "80 metres from rim_left to rim_right" in told
