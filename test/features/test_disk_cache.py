import dataclasses
import os

import pytest
import torch

from semcorr_ros.artifacts import FeatureMap
from semcorr_ros.disk_cache import DiskStore
from semcorr_ros.features import FeatureExtractor, ImageRef, _disk_cache
from semcorr_ros.storage import write_tensors


class Counting(FeatureExtractor):
    """Features that depend on pixels, category, fingerprint and variant; counts what it computes."""

    from_pixels = True

    def __init__(self, backbone="fabricated:1", variant="float32"):
        self.backbone, self.variant, self.calls = backbone, variant, 0

    def encode(self, ref):
        self.calls += 1
        seed = int(ref.image.long().sum()) + len(ref.category + self.backbone + self.variant)
        values = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(seed))
        size = ref.image.shape[0], ref.image.shape[1]
        return FeatureMap(torch.nn.functional.normalize(values, dim=-1), size, self.backbone)


def image(value=7, size=(6, 8)):
    return torch.full((*size, 3), value, dtype=torch.uint8)


@pytest.fixture
def cached(tmp_path):
    def cached(extractor, max_bytes=10**9):
        return _disk_cache.DiskCache(extractor, DiskStore(tmp_path, max_bytes, "cpu"))

    return cached


def test_a_class_built_through_the_cache_names_the_origin_of_its_features_as_well(cached):
    published = Counting()
    published.origin = "some-model 1.0, Apache-2.0"
    assert cached(published).origin == published.origin
    assert cached(Counting()).origin == ""


def test_the_second_run_reads_the_same_bits(cached):
    first, second = Counting(), Counting()
    computed = cached(first).encode(ImageRef(image(), "a", "mug"))
    read = cached(second).encode(ImageRef(image(), "another name", "mug"))
    assert (first.calls, second.calls) == (1, 0)
    assert torch.equal(read.values, computed.values)
    assert (read.image_size, read.backbone, read.window) == ((6, 8), "fabricated:1", None)
    torch.testing.assert_close(read.values.norm(dim=-1), torch.ones(3, 4))
    plain = Counting().encode(ImageRef(image(), "a", "mug"))
    torch.testing.assert_close(read.values, plain.values, atol=5e-4, rtol=0)


@pytest.mark.parametrize(
    ("ref", "extractor"),
    [
        (ImageRef(image(8)), Counting()),
        (ImageRef(image(7, (8, 6))), Counting()),
        (ImageRef(image(), category="mug"), Counting()),
        (ImageRef(image()), Counting(backbone="fabricated:2")),
        (ImageRef(image()), Counting(variant="float16")),
    ],
)
def test_whatever_features_depend_on_is_part_of_the_key(cached, ref, extractor):
    cached(Counting()).encode(ImageRef(image()))
    found = cached(extractor).encode(ref)
    assert extractor.calls == 1
    torch.testing.assert_close(found.values, extractor.encode(ref).values, atol=5e-4, rtol=0)


def test_of_a_batch_only_what_is_missing_is_computed(cached):
    refs = [ImageRef(image(value)) for value in (1, 2, 3)]
    cached(Counting()).encode(refs[1])
    extractor = Counting()
    cache = cached(extractor)
    together = cache.encode_batch(refs)
    assert extractor.calls == 2
    assert (cache.read, cache.computed) == (1, 2)
    for ref, found in zip(refs, together, strict=True):
        assert torch.equal(found.values, cache.encode(ref).values)
    assert extractor.calls == 2


def spoil_truncated(path):
    path.write_bytes(path.read_bytes()[:50])


def spoil_other_size(path):
    write_tensors(path, {"features": torch.ones(3, 4, 5).half()}, {"image_size": [1, 1]})


def spoil_other_content(path):
    write_tensors(path, {"keypoints": torch.ones(3)}, {"image_size": [6, 8]})


@pytest.mark.parametrize("spoil", [spoil_truncated, spoil_other_size, spoil_other_content])
def test_a_damaged_entry_is_computed_again_and_mended(cached, tmp_path, caplog, spoil):
    known = cached(Counting()).encode(ImageRef(image()))
    (path,) = tmp_path.rglob("*.safetensors")
    spoil(path)
    extractor = Counting()
    found = cached(extractor).encode(ImageRef(image()))
    assert extractor.calls == 1
    assert torch.equal(found.values, known.values)
    assert "computed again" in caplog.text
    assert path.name in caplog.text
    assert torch.equal(cached(extractor).encode(ImageRef(image())).values, known.values)
    assert extractor.calls == 1


def test_the_longest_unused_go_first(cached, tmp_path):
    cache = cached(Counting())
    for value in range(4):
        cache.encode(ImageRef(image(value)))
        (newest,) = [path for path in tmp_path.rglob("*.safetensors") if path.stat().st_mtime > 10**9]
        os.utime(newest, (value, value))
    each = newest.stat().st_size
    cached(Counting()).encode(ImageRef(image(0)))  # used again: the youngest
    extractor = Counting()
    small = cached(extractor, max_bytes=4 * each)
    small.encode(ImageRef(image(4)))  # a fifth entry: 3.6 of them may stay
    kept = sum(path.stat().st_size for path in tmp_path.rglob("*.safetensors"))
    assert kept == 3 * each
    for value in (0, 3, 4):
        small.encode(ImageRef(image(value)))
    assert extractor.calls == 1
    small.encode(ImageRef(image(1)))
    assert extractor.calls == 2


def test_a_folder_that_cannot_be_written_costs_no_result(tmp_path, caplog):
    (tmp_path / "fabricated-1").write_text("in the way")
    found = _disk_cache.DiskCache(Counting(), DiskStore(tmp_path, 10**9, "cpu")).encode(ImageRef(image()))
    assert found.values.shape == (3, 4, 5)
    assert "not cached" in caplog.text


def test_only_what_is_computed_from_pixels_is_cached(tmp_path):
    extractor = Counting()
    extractor.from_pixels = False
    with pytest.raises(ValueError, match="fabricated:1 cannot be cached: they are files already"):
        _disk_cache.DiskCache(extractor, DiskStore(tmp_path, 1, "cpu"))
    with pytest.raises(ValueError, match="positive"):
        DiskStore(tmp_path, 0, "cpu")


class Long(Counting):
    """Features that were not of unit length."""

    def encode(self, ref):
        found = super().encode(ref)
        return dataclasses.replace(found, lengths=torch.arange(12.0).reshape(3, 4))


def test_lengths_are_kept_and_their_absence_too(cached):
    for _ in range(2):
        found = cached(Long()).encode(ImageRef(image(9)))
        torch.testing.assert_close(found.lengths, torch.arange(12.0).reshape(3, 4))
        assert cached(Counting("fabricated:2")).encode(ImageRef(image(9))).lengths is None
