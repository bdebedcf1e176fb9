"""The outline that depth proposes, of rendered objects whose own faces are large planes."""

import pytest
import torch

from semcorr_lab.synthetic.render import render
from semcorr_lab.synthetic.turntable import Turntable
from semcorr_ros.artifacts import DepthMap, Frame
from semcorr_ros.teach.outlines import by_depth


@pytest.mark.parametrize("category", ["car", "tvmonitor", "chair", "mug"])
@pytest.mark.parametrize("view", [0, 5])
def test_depth_outlines_all_of_what_stands_in_the_middle(category, view):
    made = render(Turntable(category, 7, 12, (240, 320), elevation_deg=35.0).scene(view))
    depth = DepthMap(torch.from_numpy(made.depth), metric=True)
    found = by_depth(Frame(torch.from_numpy(made.image), made.camera, depth))
    truth = torch.from_numpy(made.mask)
    assert found is not None
    assert float((found & truth).sum() / (found | truth).sum()) > 0.75


def test_without_metric_depth_nothing_is_outlined():
    image = torch.zeros(20, 30, 3, dtype=torch.uint8)
    assert by_depth(Frame(image)) is None
