"""A recorded camera on the page: one step is ten pictures, forward and back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

pytest.importorskip("rosbags")

from fabricated_bag import write_bag
from methods.semalign3d.alignment import fabricated
from pear_camera import shoot

from semcorr_ros.teach.bag_source import BagSource


@pytest.fixture(scope="module")
def shots():
    one = shoot(fabricated.make_class(), 30.0)
    return [replace(one, image=np.full_like(one.image, 10 * i)) for i in range(13)]


@pytest.fixture
def source(shots, tmp_path):
    write_bag(tmp_path / "bag", shots)
    opened = BagSource(tmp_path / "bag")
    yield opened
    opened.close()


def shade(source) -> int:
    return int(source.latest().frame.image[0, 0, 0])


def test_a_bag_is_stepped_through_and_back(source):
    assert source.position() == (1, 13)
    assert shade(source) == 0
    source.step(1)
    assert source.position() == (11, 13)
    assert shade(source) == 100
    source.step(1)  # not beyond the last one
    assert source.position() == (13, 13)
    assert shade(source) == 120
    source.step(-1)
    assert source.position() == (3, 13)
    assert shade(source) == 20


def test_pictures_come_with_camera_and_depth(source, shots):
    frame = source.latest().frame
    assert torch.allclose(frame.camera.focal, shots[0].camera.focal)
    assert frame.depth is not None
    assert frame.depth.metric
    known = torch.from_numpy(shots[0].depth)
    torch.testing.assert_close(frame.depth.values[known > 0], known[known > 0], atol=6e-4, rtol=0)
