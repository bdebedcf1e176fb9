"""The mark of rendered pictures, and who is warned where it is missing."""

import pytest
import torch
from PIL import Image

from semcorr_ros import rendered
from semcorr_ros.features import tiny
from semcorr_ros.files.picture import read_image
from semcorr_ros.observations import Providers, lone_image, observe
from semcorr_ros.storage import write_image


@pytest.fixture(autouse=True)
def _nobody_was_warned(monkeypatch):
    monkeypatch.setattr(rendered, "_warned", set())


@pytest.fixture
def picture():
    return torch.randint(0, 256, (40, 60, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_mark_is_in_the_file_and_not_in_the_pixels(picture, tmp_path, suffix):
    for name in "ab":
        write_image(tmp_path / f"{name}.{suffix}", picture, rendered.save)
    plain, marked = tmp_path / f"plain.{suffix}", tmp_path / f"a.{suffix}"
    write_image(plain, picture)
    assert marked.read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()
    assert rendered.is_marked(marked)
    assert not rendered.is_marked(plain)
    assert torch.equal(read_image(marked), read_image(plain))


@pytest.mark.parametrize("content", [b"", b"no image"])
def test_what_is_no_image_has_no_mark(tmp_path, content):
    (tmp_path / "x.jpg").write_bytes(content)
    assert not rendered.is_marked(tmp_path / "x.jpg")
    assert not rendered.is_marked(tmp_path / "gone.jpg")


def test_another_comment_is_no_mark(tmp_path):
    Image.new("RGB", (9, 9)).save(tmp_path / "x.jpg", comment="taken by a phone")
    assert not rendered.is_marked(tmp_path / "x.jpg")


def test_tiny_says_once_that_it_is_no_good_on_photographs(picture, tmp_path, caplog):
    providers = Providers(tiny.build(tiny.TinySettings()))
    paths = [tmp_path / f"{i}.png" for i in range(3)]
    for path, save in zip(paths, (rendered.save, Image.Image.save, Image.Image.save), strict=True):
        write_image(path, picture, save)
    observe(lone_image(paths[0], "mug"), providers)
    assert not caplog.messages
    for path in paths:
        observe(lone_image(path, "mug"), providers)
    (said,) = caplog.messages
    assert str(paths[1]) in said
    assert "build_class --backbone efficientnet_lite" in said


def test_other_backbones_are_not_warned_of(picture, tmp_path, caplog):
    write_image(tmp_path / "a.png", picture)
    rendered.warn_of_photograph("efficientnet_lite:0", tmp_path / "a.png")
    assert not caplog.messages
