import torch

from semcorr_ros.methods.semalign3d.building.dense_cloud import kmeans


def test_separate_blobs_are_found():
    generator = torch.Generator().manual_seed(0)
    middles = torch.tensor([[0.0, 0, 0], [10, 0, 0], [0, 10, 0]])
    points = middles.repeat(50, 1) + 0.1 * torch.randn(150, 3, generator=generator)
    centers, label = kmeans(points, 12, generator)
    assert len(label) == 150
    assert torch.cdist(points, centers).argmin(1).equal(label)
    assert (torch.cdist(points, centers).min(1).values < 0.5).all()
    assert torch.bincount(label, minlength=len(centers)).min() > 0


def test_more_clusters_than_points_and_same_seed_same_result():
    points = torch.randn(5, 3, generator=torch.Generator().manual_seed(1))
    centers, _ = kmeans(points, 10, torch.Generator().manual_seed(0))
    assert len(centers) <= 5
    again, _ = kmeans(points, 10, torch.Generator().manual_seed(0))
    assert torch.equal(centers, again)
