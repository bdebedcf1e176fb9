import math

import torch

from semcorr_ros.methods.semalign3d.building.geometry_measures import edge_pair_measures, frame_measures


def test_edge_pair_measures_match_hand_computed_values():
    points = torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 3, 0], [0, 3, 3]])
    got = edge_pair_measures(points, torch.tensor([[0, 1, 1, 2], [0, 1, 2, 3], [0, 1, 0, 1]]))
    assert torch.allclose(got[0], torch.tensor([0.5, 0.25]), atol=1e-5)
    cosine = -1 / math.sqrt(10)
    assert torch.allclose(
        got[1], torch.tensor([math.acos(cosine) / math.pi, 1 / (1 + math.sqrt(10))]), atol=1e-5
    )
    assert torch.allclose(got[2], torch.tensor([0.0, 0.5]), atol=1e-3)


def test_frame_measures_match_an_explicit_frame():
    points = torch.randn(5, 4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    got = frame_measures(points, torch.tensor([[0, 1, 2, 3]]))[:, 0]
    a, b, c, d = points.unbind(1)
    x = torch.nn.functional.normalize(b - a, dim=-1)
    z = torch.nn.functional.normalize(torch.linalg.cross(b - a, c - a), dim=-1)
    frame = torch.stack([x, torch.linalg.cross(z, x), z], 1)
    ray = torch.nn.functional.normalize(d - a, dim=-1)
    assert torch.allclose(got, ((frame @ ray[..., None])[..., 0] + 1) / 2, atol=1e-5)


def test_measures_ignore_similarity_and_only_frames_see_mirroring():
    points = torch.randn(6, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    rotation = torch.linalg.qr(
        torch.randn(3, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    )[0]
    rotation = rotation * torch.linalg.det(rotation)
    moved, mirrored = 0.03 * points @ rotation.mT + 5, points * torch.tensor([-1.0, 1, 1])
    rows = torch.tensor([[0, 1, 2, 3], [4, 5, 1, 2]])
    for measures in (edge_pair_measures, frame_measures):
        assert torch.allclose(measures(moved, rows), measures(points, rows), atol=1e-9)
    assert torch.allclose(edge_pair_measures(mirrored, rows), edge_pair_measures(points, rows), atol=1e-9)
    flipped = frame_measures(points, rows) * torch.tensor([1.0, 1, -1]) + torch.tensor([0.0, 0, 1])
    assert torch.allclose(frame_measures(mirrored, rows), flipped, atol=1e-9)


def test_gradients_are_right_and_finite_at_degenerate_points():
    rows = torch.tensor([[0, 1, 2, 3], [0, 1, 1, 2], [3, 2, 1, 0]])
    points = torch.randn(
        2, 4, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64, requires_grad=True
    )
    for measures in (edge_pair_measures, frame_measures):
        assert torch.autograd.gradcheck(lambda p, m=measures: m(p, rows), (points,), atol=1e-4)
    for bad in (torch.zeros(4, 3), torch.tensor([[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [2, 0, 0]])):
        for measures in (edge_pair_measures, frame_measures):
            leaf = bad.clone().requires_grad_()
            out = measures(leaf, rows)
            out.sum().backward()
            assert torch.isfinite(out).all()
            assert torch.isfinite(leaf.grad).all()


def test_no_combinations_give_an_empty_result():
    empty = torch.zeros(0, 4, dtype=torch.int64)
    assert edge_pair_measures(torch.randn(3, 5, 3), empty).shape == (3, 0, 2)
    assert frame_measures(torch.randn(3, 5, 3), empty).shape == (3, 0, 3)
