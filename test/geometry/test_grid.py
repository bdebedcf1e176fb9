"""Feature cells and pixels map onto each other at any image size."""

import pytest
import torch

from semcorr_ros.artifacts import FeatureMap
from semcorr_ros.geometry import grid


@pytest.mark.parametrize(
    ("cells", "image"), [((60, 60), (480, 640)), ((60, 45), (1000, 750)), ((3, 7), (20, 14))]
)
def test_cell_centers_round_trip(cells, image):
    centers = grid.cell_centers(cells, image)
    back = grid.pixels_to_cells(centers, cells, image)
    rows, columns = torch.meshgrid(torch.arange(cells[0]), torch.arange(cells[1]), indexing="ij")
    torch.testing.assert_close(back, torch.stack([columns, rows], -1).float(), atol=1e-4, rtol=0)


def test_sampling_at_centers_gives_the_cells():
    values = torch.rand(6, 8, 3, generator=torch.Generator().manual_seed(0))
    centers = grid.cell_centers((6, 8), (60, 96)).reshape(-1, 2)
    torch.testing.assert_close(
        grid.sample(values, centers, (60, 96)), values.reshape(-1, 3), atol=1e-5, rtol=0
    )


def test_sampling_halfway_is_the_mean_and_the_border_extends():
    values = torch.tensor([[[0.0], [2.0]]])
    got = grid.sample(values, torch.tensor([[10.0, 5.0], [-50.0, 5.0], [90.0, 5.0]]), (10, 20))
    torch.testing.assert_close(got[:, 0], torch.tensor([1.0, 0.0, 2.0]))


def test_interpolated_features_have_unit_length():
    values = torch.nn.functional.normalize(torch.randn(5, 5, 4), dim=-1)
    features = grid.features_at(FeatureMap(values, (50, 50), "x"), torch.rand(30, 2) * 50)
    torch.testing.assert_close(features.norm(dim=-1), torch.ones(30))


def test_a_window_of_the_image():
    """Cells of a map that covers a part of the image: where they are, how large, what is read there."""
    values = torch.rand(4, 5, 3, generator=torch.Generator().manual_seed(0))
    features = FeatureMap(values, (100, 200), "x", window=(40, 10, 50, 20))
    assert grid.window(features) == (40, 10, 50, 20)
    assert grid.cell_size(features) == (10.0, 5.0)
    centers = grid.centers(features)
    assert centers[0, 0].tolist() == [45.0, 12.5]
    assert centers[3, 4].tolist() == [85.0, 27.5]
    torch.testing.assert_close(grid.interpolated(features, centers.reshape(-1, 2)), values.reshape(-1, 3))
    between = grid.interpolated(features, torch.tensor([[50.0, 15.0]]))[0]
    torch.testing.assert_close(between, values[:2, :2].mean((0, 1)))
    whole = FeatureMap(values, (100, 200), "x")
    assert grid.window(whole) == (0, 0, 200, 100)
    assert grid.cell_size(whole) == (40.0, 25.0)
