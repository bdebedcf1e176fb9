"""The six procedural classes, exact keypoints seen from one side each: accuracy, and the right handedness."""

import math

import builders
import numpy as np
import pytest
import torch
from beast_views import shape_error

from semcorr_lab.synthetic import categories
from semcorr_ros.methods.semalign3d.artifacts import Views
from semcorr_ros.methods.semalign3d.building.config import BuildConfig
from semcorr_ros.methods.semalign3d.building.lift_views import add_mirrored
from semcorr_ros.methods.semalign3d.building.pairwise import signed_volumes
from semcorr_ros.methods.semalign3d.building.procrustes import generalized_procrustes
from semcorr_ros.methods.semalign3d.building.sparse_cloud import sparse_cloud

IMAGES = 30
# The roofs of cars end in two places; the cloud shows the more frequent, the mean lies in between.
TOLERANCE = {"car": 0.065}
SIDE = -0.2  # cosine to the camera's direction from which on a keypoint is taken to be visible


def _views(category: str) -> tuple[Views, torch.Tensor]:
    """Random members of a class from random sides, and their keypoints in the object frame."""
    generator = torch.Generator().manual_seed(0)
    generate = categories.load(category).generate
    shapes = [generate(np.random.default_rng([7, i])).keypoints for i in range(IMAGES)]
    whole = torch.as_tensor(np.stack(shapes)).float()
    centered = whole - whole.mean(1, keepdim=True)
    unit = centered.square().sum(-1).mean(1).sqrt()[:, None, None]
    turn = 40 if categories.load(category).INFO.flat else 180
    around = torch.linspace(-1, 1, IMAGES)[torch.randperm(IMAGES, generator=generator)] * math.radians(turn)
    above = torch.linspace(-0.1, 0.8, IMAGES)
    rotation = torch.stack([builders.look_at(float(a), float(e)) for a, e in zip(around, above, strict=True)])
    points = centered / unit @ rotation.mT
    visible = torch.nn.functional.normalize(-points, dim=-1)[..., 2] > SIDE
    points = points + torch.tensor([0.0, 0.0, 5.0])
    names = tuple(str(i) for i in range(IMAGES))
    original = torch.zeros(IMAGES, dtype=torch.bool)
    return Views(torch.where(visible[..., None], points, 0.0), visible, original, names), whole


@pytest.mark.parametrize("category", categories.available())
def test_the_sparse_cloud_is_accurate_and_not_its_mirror_image(category):
    info = categories.load(category).INFO
    views, whole = _views(category)
    both = add_mirrored(views, info.flip)
    cloud = sparse_cloud(both, info, True, BuildConfig())
    everything = torch.ones(whole.shape[:2], dtype=torch.bool)
    complete = add_mirrored(Views(whole, everything, views.mirrored, views.names), info.flip)
    truth, _, _ = generalized_procrustes(complete, whole.mean(0), everything[0])
    assert cloud.placed.all()
    assert shape_error(cloud.points, truth) < TOLERANCE.get(category, 0.03)
    subsets = torch.combinations(torch.arange(len(truth)), 4)
    shapes = torch.stack([truth, cloud.points])
    one = Views(shapes[:1], everything[:1], views.mirrored[:1], ("truth",))
    other = Views(shapes[1:], everything[:1], views.mirrored[:1], ("found",))
    expected, found = signed_volumes(one, subsets)[0], signed_volumes(other, subsets)[0]
    clear = expected.abs() > 0.2
    assert clear.any() or info.flat
    assert (expected[clear] * found[clear] > 0).all()
