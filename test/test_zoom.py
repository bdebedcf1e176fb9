"""Features of a window: the right place in the image, and only where a window helps."""

import pytest
import torch

from semcorr_ros.artifacts import FeatureMap, Observation
from semcorr_ros.features import FeatureExtractor, ImageRef
from semcorr_ros.geometry import grid
from semcorr_ros.zoom import MARGIN, encode_object, object_window


class ColorExtractor(FeatureExtractor):
    """Features are the mean color of a cell: what is found where can be read off the picture."""

    backbone = "color:1"
    from_pixels = True

    def encode(self, ref: ImageRef) -> FeatureMap:
        pixels = ref.image.permute(2, 0, 1)[None].float()
        values = torch.nn.functional.adaptive_avg_pool2d(pixels, (20, 20))[0].permute(1, 2, 0)
        values = torch.nn.functional.normalize(values + 1e-3, dim=-1)
        return FeatureMap(values, tuple(ref.image.shape[:2]), self.backbone)


def observation(box=(40, 60, 90, 80), size=(200, 300)):
    x1, y1, x2, y2 = box
    image = torch.zeros(*size, 3, dtype=torch.uint8)
    image[..., 0] = 200
    image[y1:y2, x1:x2] = torch.tensor([0, 0, 200], dtype=torch.uint8)
    mask = torch.zeros(size, dtype=torch.bool)
    mask[y1:y2, x1:x2] = True
    return Observation(image, ColorExtractor().encode(ImageRef(image)), mask)


def test_features_stay_at_their_pixels():
    seen = observation()
    close = encode_object(ImageRef(seen.image), seen.mask, ColorExtractor())
    assert close.window is not None
    assert close.image_size == (200, 300)
    corners = torch.tensor([[44.0, 63.0], [86.0, 77.0], [37.0, 58.0], [94.0, 83.0]])
    blue = grid.features_at(close, corners)[:, 2]
    assert blue[:2].min() > 0.95
    assert blue[2:].max() < 0.3


def test_cells_are_finer_by_the_size_of_the_window():
    seen = observation()
    close = encode_object(ImageRef(seen.image), seen.mask, ColorExtractor())
    assert grid.cell_size(close)[0] == pytest.approx(50 * (1 + 2 * MARGIN) / 20, abs=0.1)
    centers = grid.centers(close).reshape(-1, 2)
    torch.testing.assert_close(
        grid.features_at(close, centers), close.values.reshape(-1, 3), atol=1e-4, rtol=0
    )


def test_window_is_cut_at_the_border_and_holds_the_mask():
    seen = observation(box=(0, 150, 120, 200))
    x, y, w, h = object_window(seen.mask)
    assert x == 0
    assert y + h <= 200
    assert x + w >= 120
    assert y <= 150


@pytest.mark.parametrize("box", [(0, 0, 300, 200), (5, 5, 290, 195)])
def test_an_object_that_fills_the_image_is_left_alone(box):
    seen = observation(box=box)
    assert encode_object(ImageRef(seen.image), seen.mask, ColorExtractor()).window is None


def test_without_mask_or_pixels_nothing_happens():
    seen = observation()
    for nothing in (None, torch.zeros(200, 300, dtype=torch.bool)):
        assert encode_object(ImageRef(seen.image), nothing, ColorExtractor()).window is None
    files = ColorExtractor()
    files.from_pixels = False
    assert encode_object(ImageRef(seen.image), seen.mask, files).window is None
