"""What lies beside a turned photograph is turned with it."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from semcorr_ros.datasets import coco
from semcorr_ros.files import orientation
from semcorr_ros.files.mask import read_mask

STORED = (6, 9)


def photograph(folder, value: int, size: tuple[int, int] = STORED):
    exif = Image.Exif()
    exif[0x0112] = value
    Image.fromarray(np.zeros((*size, 3), np.uint8)).save(folder / "x.jpg", exif=exif)
    return folder / "x.jpg"


@pytest.mark.parametrize("value", range(1, 9))
def test_pixels_and_points_go_where_pillow_puts_them(value):
    marked = np.zeros(STORED, np.uint8)
    marked[1, 7] = 255
    image = Image.fromarray(marked)
    image.getexif()[0x0112] = value
    shown = np.array(ImageOps.exif_transpose(image))
    assert np.array_equal(orientation.upright(marked, value), shown)
    found = orientation.upright_points(torch.tensor([[7.0, 1.0]]), value, shown.shape)
    assert found.tolist() == [np.argwhere(shown)[0][::-1].tolist()]


def test_the_size_that_an_annotation_says_tells_which_pixels_it_means(tmp_path, caplog):
    path = photograph(tmp_path, 6)
    assert orientation.of_annotation(path, (9, 6)) == 1
    assert not caplog.records
    assert orientation.of_annotation(path, STORED) == 6
    assert "annotated as stored" in caplog.text
    with pytest.raises(ValueError, match=r"x\.jpg is 6x9 but its annotation says 9x7"):
        orientation.of_annotation(path, (7, 9))
    assert orientation.of_annotation(photograph(tmp_path, 3), STORED) == 1
    assert orientation.of_annotation(photograph(tmp_path, 6, (6, 6)), (6, 6)) == 1


@pytest.mark.parametrize("value", [5, 6, 7, 8])
def test_a_mask_of_stored_pixels_is_turned_with_its_photograph(tmp_path, value):
    path = photograph(tmp_path, value)
    stored = np.zeros(STORED, np.uint8)
    stored[1, 7] = 255
    shown = orientation.upright(stored, value)
    for mask in (stored, shown):
        Image.fromarray(mask).save(tmp_path / "m.png")
        assert np.array_equal(read_mask(tmp_path / "m.png", (9, 6), path).numpy(), shown > 0)
    Image.fromarray(stored).save(tmp_path / "m.png")
    with pytest.raises(ValueError, match=r"m\.png is 9x6 but its image is 6x9"):
        read_mask(tmp_path / "m.png", (9, 6))


@pytest.mark.parametrize("value", range(1, 9))
@pytest.mark.parametrize("by", ["viewers", "OpenCV"])
def test_a_coco_file_of_turned_photographs(tmp_path, value, by):
    photograph(tmp_path, value)
    stored = torch.tensor([[7.0, 1.0], [2.0, 4.0]])
    shown = (9, 6) if value > 4 else STORED
    right = orientation.upright_points(stored, value, shown)
    # Of a size that is the same either way, what viewers show is meant.
    as_stored = by == "OpenCV" and value > 4
    size, points = (STORED, stored) if as_stored else (shown, right)
    (x1, y1), (x2, y2) = points.amin(0).tolist(), points.amax(0).tolist()
    content = {
        "images": [{"id": 1, "file_name": "x.jpg", "height": size[0], "width": size[1]}],
        "categories": [{"id": 1, "name": "mug", "keypoints": ["a", "b"]}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "bbox": [x1, y1, x2 - x1, y2 - y1],
             "keypoints": [number for x, y in points.tolist() for number in (x, y, 2)]}
        ],
    }  # fmt: skip
    (tmp_path / "train.json").write_text(json.dumps(content))
    dataset = coco.build(tmp_path)
    assert not dataset.problems()
    sample = dataset.images("mug", "trn")[0]
    assert sample.size == shown
    assert torch.equal(sample.keypoints, right)
    ends = torch.tensor(sample.bbox).reshape(2, 2)
    margin = 1.0 if as_stored else 0.0  # corners are edges of pixels: a turned one moves by a pixel
    assert (ends[0] - right.amin(0)).abs().max() <= margin
    assert (ends[1] - right.amax(0)).abs().max() <= margin
