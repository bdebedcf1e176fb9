"""Every form in which people save a mask gives the same object; what can be read in two ways is refused."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from PIL import Image, ImageFilter

from semcorr_ros.artifacts import AnnotatedImage
from semcorr_ros.files.mask import read_labels, read_mask
from semcorr_ros.masks import annotation
from semcorr_ros.observations import unannotated

SIZE = (48, 64)
OBJECT = np.zeros(SIZE, bool)
OBJECT[10:30, 20:50] = True
OBJECT[15:25, 50:56] = True  # a handle
GRAY = OBJECT.astype(np.uint8)
PHOTO = np.random.default_rng(1).integers(20, 230, (*SIZE, 3), np.uint8)
VOC = [0, 0, 0, 128, 0, 0, 0, 128, 0] + [0] * (253 * 3 - 3) + [224, 224, 192]


def palette(index: np.ndarray, colors: list[int], **options) -> Image.Image:
    image = Image.fromarray(index.astype(np.uint8), "P")
    image.putpalette(colors)
    return image


def with_alpha(rgb: np.ndarray, alpha: np.ndarray) -> Image.Image:
    return Image.fromarray(np.dstack([rgb, alpha.astype(np.uint8)]))


def coloured(color: tuple[int, int, int]) -> np.ndarray:
    return OBJECT[..., None] * np.array(color, np.uint8)


RING = np.zeros(SIZE, bool)
RING[8:32, 18:58] = True
RING &= ~OBJECT
HANDLE = (np.arange(64) > 49)[None, :, None]
FORMS = {
    "0/255": Image.fromarray(GRAY * 255),
    "0/1": Image.fromarray(GRAY),
    "1 bit": Image.fromarray(OBJECT),
    "a label": Image.fromarray(GRAY * 38),
    "labels of parts": Image.fromarray(GRAY * np.where(np.arange(64) > 49, 2, 1).astype(np.uint8)),
    "0/1 of 16 bits": Image.fromarray(GRAY.astype(np.uint16)),
    "0/65535": Image.fromarray(GRAY.astype(np.uint16) * 65535),
    "an id of 16 bits": Image.fromarray(GRAY.astype(np.uint16) * 1000),
    "white in three channels": Image.fromarray(coloured((255, 255, 255))),
    "red": Image.fromarray(coloured((255, 0, 0))),
    "dark blue": Image.fromarray(coloured((0, 0, 64))),
    "a colour per part": Image.fromarray(coloured((0, 200, 0)) + HANDLE * coloured((30, 0, 9))),
    "a photo with alpha": with_alpha(PHOTO, GRAY * 255),
    "a cut-out": with_alpha(coloured((1, 1, 1)) * PHOTO, GRAY * 255),
    "a cut-out with a matte": with_alpha(
        PHOTO, np.asarray(Image.fromarray(GRAY * 255).filter(ImageFilter.BoxBlur(1)))
    ),
    "a faint overlay": with_alpha(coloured((255, 0, 0)), GRAY * 90),
    "gray and alpha": Image.merge("LA", [Image.fromarray(PHOTO[..., 0]), Image.fromarray(GRAY * 255)]),
    "opaque with alpha": with_alpha(coloured((255, 255, 255)), np.full(SIZE, 255)),
    "alpha of nothing": with_alpha(coloured((255, 255, 255)), np.zeros(SIZE)),
    "VOC palette": palette(GRAY, VOC),
    "VOC palette with its outline": palette(np.where(RING, 255, GRAY * 2), VOC),
    "labels with an outline": Image.fromarray(np.where(RING, 255, GRAY * 5).astype(np.uint8)),
    "white first": palette(1 - GRAY, [255, 255, 255, 0, 0, 0]),
    "black second": palette(1 - GRAY, [250, 10, 10, 0, 0, 0]),
    "no black": palette(GRAY, [90, 90, 90, 200, 10, 10]),
    "soft": Image.fromarray(GRAY * 255).filter(ImageFilter.BoxBlur(1)),
}  # fmt: skip


def same(found: np.ndarray, form: str) -> bool:
    return np.array_equal(found, OBJECT) if form not in SOFT else (found != OBJECT).mean() < 0.01


SOFT = ("a cut-out with a matte", "soft")  # their corners are rounded


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_mask_is_the_same_object(tmp_path, form):
    FORMS[form].save(tmp_path / "m.png")
    assert same(read_mask(tmp_path / "m.png", SIZE).numpy(), form)


@pytest.mark.parametrize("form", ["0/255", "red", "soft"])
def test_blurred_by_jpeg(tmp_path, form):
    FORMS[form].convert("RGB").save(tmp_path / "m.jpg", quality=80)
    assert (read_mask(tmp_path / "m.jpg", SIZE).numpy() != OBJECT).mean() < 0.01


@pytest.mark.parametrize(
    "values", [OBJECT, GRAY, GRAY.astype(np.int64) * 7, OBJECT.astype(np.float32), OBJECT[None]]
)
def test_arrays(tmp_path, values):
    np.save(tmp_path / "m.npy", values)
    np.savez_compressed(tmp_path / "m.npz", mask=values, score=np.ones(1))
    for name in ("m.npy", "m.npz"):
        assert np.array_equal(read_mask(tmp_path / name, SIZE).numpy(), OBJECT)


TRIMAP = np.where(RING, 3, np.where(OBJECT, 1, 2)).astype(np.uint8)
REFUSED = {
    "it holds many colours: a picture": Image.fromarray(PHOTO),
    "shades up to 229: a picture": Image.fromarray(PHOTO[..., 0]),
    "the mask is empty": Image.fromarray(GRAY * 0),
    "the whole image is masked": Image.fromarray(GRAY * 0 + 255),
    "no pixel is 0, so nothing is background; it holds 1, 2, 3": Image.fromarray(TRIMAP),
    "no pixel is black, so nothing is background": Image.fromarray(coloured((5, 9, 9)) + np.uint8(50)),
    "labels or shades": Image.fromarray(np.where(RING, 220, GRAY * 38).astype(np.uint8)),
    "is 63x48 but its image is 64x48": Image.fromarray(GRAY[:, 1:]),
    "3072 shades up to 3071: a picture, not": Image.fromarray(
        np.arange(48 * 64).reshape(SIZE).astype(np.uint16)
    ),  # depth
}


@pytest.mark.parametrize("sentence", REFUSED)
def test_what_is_no_mask_is_refused(tmp_path, sentence):
    REFUSED[sentence].save(tmp_path / "m.png")
    with pytest.raises(
        ValueError, match=rf"m\.png.*{sentence}" if "holds?" not in sentence else r"m\.png.*a picture, not"
    ):
        read_mask(tmp_path / "m.png", SIZE)


def test_a_mask_of_the_background_is_doubted(tmp_path, caplog):
    Image.fromarray(255 - GRAY * 255).save(tmp_path / "m.png")
    with caplog.at_level(logging.WARNING):
        assert np.array_equal(read_mask(tmp_path / "m.png", SIZE).numpy(), ~OBJECT)
    assert "is it inverted" in caplog.text


def annotated(path, category: str) -> AnnotatedImage:
    return AnnotatedImage(**{**vars(unannotated(category, SIZE)), "mask_path": path})


@pytest.mark.parametrize("form", ["0/255", "0/1", "a cut-out", "red"])
def test_an_own_mask_of_a_category_that_voc_has(tmp_path, form):
    FORMS[form].save(tmp_path / "m.png")
    found = annotation.AnnotationMasks().mask(annotated(tmp_path / "m.png", "bottle"), None, None)
    assert np.array_equal(found.numpy(), OBJECT)


def test_class_ids_of_voc_stay_class_ids(tmp_path):
    labels = np.where(RING, 255, GRAY * 5)
    labels[40:45, 2:9] = 15  # a person
    palette(labels, VOC).save(tmp_path / "m.png")
    found = annotation.AnnotationMasks().mask(annotated(tmp_path / "m.png", "bottle"), None, None)
    assert np.array_equal(found.numpy(), OBJECT)
    assert read_labels(tmp_path / "m.png", SIZE)[0].max() == 15
    with pytest.raises(ValueError, match=r"m\.png: no pixel of 'cat'; the image holds 0, 5, 15"):
        annotation.AnnotationMasks().mask(annotated(tmp_path / "m.png", "cat"), None, None)
