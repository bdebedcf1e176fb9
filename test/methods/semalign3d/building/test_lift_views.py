import builders
import torch

from semcorr_ros.geometry.cameras import mirrored, project
from semcorr_ros.methods.semalign3d.building.config import BuildConfig
from semcorr_ros.methods.semalign3d.building.evidence import observe
from semcorr_ros.methods.semalign3d.building.lift_views import (
    add_mirrored,
    camera_of,
    lift_surface,
    lift_views,
)


def _evidence(known_camera):
    pictures = builders.pictures(4, seed=1, known_camera=known_camera)
    generator = torch.Generator().manual_seed(0)
    return pictures, [observe(p.sample, BuildConfig(), generator) for p in pictures]


def test_lifted_keypoints_lie_on_the_instance():
    pictures, evidence = _evidence(known_camera=True)
    views = lift_views(evidence, torch.ones(4))
    truth = torch.stack([picture.keypoints for picture in pictures])
    error = (views.points - truth)[views.visible].norm(dim=-1)
    assert error.median() < 0.05  # of about 2 m; feet lie on silhouettes of a 160 pixel image
    assert (views.points[~views.visible] == 0).all()


def test_an_estimated_focal_is_in_units_of_the_longer_side():
    pictures, evidence = _evidence(known_camera=False)
    focal = float(pictures[0].camera.focal[0]) / 160
    assert torch.allclose(camera_of(evidence[0], focal).focal, pictures[0].camera.focal)
    points = lift_surface(evidence[0], focal)
    assert torch.allclose(project(points, pictures[0].camera), evidence[0].surface_pixels, atol=1e-2)


def test_mirrored_views_are_what_the_mirrored_image_shows():
    pictures, evidence = _evidence(known_camera=True)
    views = add_mirrored(lift_views(evidence, torch.ones(4)), builders.FLIP)
    assert views.mirrored.tolist() == [False] * 4 + [True] * 4
    left, right = (
        builders.BEAST.keypoint_names.index("left ear"),
        builders.BEAST.keypoint_names.index("right ear"),
    )
    assert torch.equal(views.visible[:4, left], views.visible[4:, right])
    assert torch.equal((views.points != 0).any(-1), views.visible)
    pixels = evidence[1].pixels[left] if views.visible[1, left] else evidence[1].pixels[0]
    row = right if views.visible[1, left] else 0
    projected = project(views.points[5, row], mirrored(pictures[1].camera))
    assert torch.allclose(projected, torch.stack([159 - pixels[0], pixels[1]]), atol=1e-2)
    twice = add_mirrored(views, builders.FLIP)
    assert torch.equal(twice.points[12:], views.points[:4])
