"""How well a view fits the class as it is labelled: a mean over what it shows."""

import math
from statistics import mean

import builders
import pytest
import torch
from beast_views import mean_keypoints, views_of

from semcorr_ros.methods.semalign3d.building.procrustes import align_views
from semcorr_ros.methods.semalign3d.building.swapped_sides import ROBUST, _fit


def test_the_misfit_is_a_robust_mean_over_visible_keypoints():
    shape = mean_keypoints() - mean_keypoints().mean(0)
    views = views_of(builders.pictures(6, 0, 0.2))
    usable, misfit, near = _fit(views, shape, torch.nn.functional.normalize(shape, dim=-1))
    assert usable.all()
    assert (near.abs() <= 1).all()
    off = (align_views(views.points, views.visible.float(), shape).points - shape).norm(dim=-1)
    for view, shown in enumerate(views.visible):
        own = [math.log1p((value / ROBUST) ** 2) for value in off[view][shown].tolist()]
        assert float(misfit[view]) == pytest.approx(mean(own), rel=1e-4)
