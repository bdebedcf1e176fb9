import dataclasses
import hashlib

import pytest
import spair_folder
import torch

from semcorr_ros.artifacts import Camera, FeatureMap
from semcorr_ros.datasets import spair71k
from semcorr_ros.evaluation import views
from semcorr_ros.features import FeatureExtractor
from semcorr_ros.masks import MaskProvider
from semcorr_ros.methods import FAST, nearest_neighbor
from semcorr_ros.methods.semalign3d.alignment_file import read_alignment, write_alignment
from semcorr_ros.methods.semalign3d.artifacts import Alignment
from semcorr_ros.observations import Providers


def fabricated_alignment():
    generator = torch.Generator().manual_seed(0)
    values = {
        "keypoints": (2, 4, 3),
        "dense": (2, 9, 3),
        "rotation": (2, 3, 3),
        "translation": (2, 3),
        "scale": (2,),
        "focal": (2,),
        "energy": (2,),
        "confidence": (2,),
    }
    tensors = {name: torch.rand(shape, generator=generator) for name, shape in values.items()}
    camera = Camera(torch.tensor([70.0, 71]), torch.tensor([40.0, 30]), (60, 80))
    terms = {"depth": torch.rand(2, generator=generator), "geometry": torch.rand(2, generator=generator)}
    return Alignment(**tensors, energy_by_term=terms, camera=camera, metric=True)


def flat(found):
    content = dataclasses.asdict(found)
    terms, camera = content.pop("energy_by_term"), content.pop("camera")
    return {**content, **terms, **{f"camera {name}": value for name, value in camera.items()}}


def test_an_alignment_survives_the_disk(tmp_path):
    found = fabricated_alignment()
    write_alignment(tmp_path / "a.safetensors", found)
    again = read_alignment(tmp_path / "a.safetensors")
    for name, value in flat(found).items():
        if isinstance(value, torch.Tensor):
            torch.testing.assert_close(flat(again)[name], value)
        else:
            assert flat(again)[name] == value, name


def setup_of(samples, extractor=None):
    model = nearest_neighbor.PLUGIN.load(None, "cpu", FAST)
    return views.Setup(samples, Providers(extractor), model, whole_image=True)


def test_an_image_fails_with_the_same_reason_each_time(tmp_path):
    unknown = views.Views(setup_of({}), tmp_path)
    for _ in range(2):
        with pytest.raises(ValueError, match="a: no readable image"):
            unknown.view("a")


class CountingFeatures(FeatureExtractor):
    backbone = "fabricated"

    def __init__(self):
        self.calls = []

    def encode(self, ref):
        self.calls.append(ref.name)
        raise ValueError(f"{ref.name}.npz is damaged")


def test_a_failing_image_is_tried_once(tmp_path):
    spair_folder.write_folder(tmp_path)
    samples = {s.name: s for s in spair71k.build(tmp_path).images("chair", "trn")}
    extractor = CountingFeatures()
    cache = views.Views(setup_of(samples, extractor), tmp_path)
    name = next(iter(samples))
    for _ in range(3):
        with pytest.raises(ValueError, match="damaged"):
            cache.view(name)
    assert extractor.calls == [name]


class PairFeatures(FeatureExtractor):
    """Features that say who is compared with whom."""

    backbone = "fabricated"

    def encode(self, ref):
        return self._map(ref, 0.0)

    def encode_pair(self, source, target):
        assert (source.category, target.category) == ("chair", "chair")
        return self._map(source, float(target.name[-1])), self._map(target, float(source.name[-1]))

    def _map(self, ref, value):
        return FeatureMap(torch.full((3, 4, 1), value), tuple(ref.image.shape[:2]), self.backbone)


def test_features_of_a_pair_are_asked_for_where_there_are_such(tmp_path):
    spair_folder.write_folder(tmp_path)
    samples = {s.name: s for s in spair71k.build(tmp_path).images("chair", "trn")}
    cache = views.Views(setup_of(samples, PairFeatures()), tmp_path)
    first, second = list(samples)[:2]
    for one, other in ((first, second), (second, first), (first, first)):
        source, target = cache.pair(one, other)
        assert source.seen.features.values.unique().tolist() == [float(other[-1])]
        assert target.seen.features.values.unique().tolist() == [float(one[-1])]
    assert cache.view(first).seen.features.values.unique().tolist() == [0.0]


class Noted(FeatureExtractor):
    """Features of one cell, which remember who was encoded."""

    backbone = "fabricated"

    def __init__(self):
        self.calls = []

    def encode(self, ref):
        self.calls.append(ref.name)
        return FeatureMap(torch.ones(3, 4, 1), tuple(ref.image.shape[:2]), self.backbone)


def test_the_oldest_observations_are_forgotten_first_but_two_are_kept(tmp_path, monkeypatch):
    spair_folder.write_folder(tmp_path, images=8)
    samples = {s.name: s for s in spair71k.build(tmp_path).images("chair", "test")}
    extractor = Noted()
    cache = views.Views(setup_of(samples, extractor), tmp_path / "stored")
    names = list(samples)[:4]
    size = views._size(cache.view(names[0]).seen)
    assert size == 60 * 80 * 3 + 3 * 4 * 4
    monkeypatch.setattr(views, "MEMORY_BYTES", 3 * size)
    for name in (names[1], names[2], names[0], names[3]):
        cache.view(name)
    assert list(cache._placed) == [names[2], names[0], names[3]]
    monkeypatch.setattr(views, "MEMORY_BYTES", 1)
    cache.view(names[1])
    assert list(cache._placed) == [names[3], names[1]]
    assert extractor.calls == [names[0], names[1], names[2], names[3], names[1]]
    assert set(cache.seconds) == set(names)
    assert all(0 < seconds < 60 for seconds in cache.seconds.values())


def test_a_placement_depends_on_the_image_and_the_seed_alone(tmp_path):
    spair_folder.write_folder(tmp_path)
    samples = {s.name: s for s in spair71k.build(tmp_path).images("chair", "trn")}
    first, second = list(samples)[:2]

    def drawn(name, seed, order):
        """What the generator of a placement would draw."""
        setup = dataclasses.replace(setup_of(samples, Noted()), seed=seed)
        found = {}

        class Recorder:
            recognizes, backbone = False, ""

            def place(self, seen, search):
                found[len(found)] = torch.rand(1, generator=search.generator).item()
                return nearest_neighbor.PLUGIN.load(None, "cpu", FAST).place(seen, search)

            def restore(self, path, seen):
                return None

            def store(self, path, placed):
                return None

        cache = views.Views(dataclasses.replace(setup, model=Recorder()), tmp_path / "stored")
        for each in order:
            cache.view(each)
        return found[list(order).index(name)]

    one = drawn(first, 0, (first, second))
    assert one == drawn(first, 0, (second, first))
    assert one != drawn(second, 0, (first, second))
    assert one != drawn(first, 1, (first, second))


def test_the_first_provider_that_knows_the_object_says_where_it_is(tmp_path):
    spair_folder.write_folder(tmp_path)
    samples = {s.name: s for s in spair71k.build(tmp_path).images("chair", "trn")}
    name, asked = next(iter(samples)), []

    class Says:
        def __init__(self, mask):
            self.answer = mask

        def mask(self, sample, seen, model):
            asked.append((sample.name, model))
            return self.answer

    mask = torch.ones(60, 80, dtype=torch.bool)
    setup = setup_of(samples, Noted())
    providers = dataclasses.replace(setup.providers, masks=(Says(None), Says(mask), Says(~mask)))
    cache = views.Views(dataclasses.replace(setup, providers=providers), tmp_path / "stored")
    assert cache.mask(name) is mask
    assert cache.mask(name) is mask
    assert asked == [(name, None)] * 2, "asked once each, until one knows"


class Stored:
    """A model that writes what it places, and notes with which seed it did."""

    recognizes, backbone = False, ""

    def __init__(self):
        self.seeds = []
        self.plain = nearest_neighbor.PLUGIN.load(None, "cpu", FAST)

    def place(self, seen, search):
        self.seeds.append(search.generator.initial_seed())
        return self.plain.place(seen, search)

    def restore(self, path, seen):
        return self.plain.restore(path, seen) if path.exists() else None

    def store(self, path, placed):
        path.parent.mkdir(exist_ok=True)
        path.write_text("placed")


def test_what_is_stored_is_not_placed_again(tmp_path):
    spair_folder.write_folder(tmp_path)
    samples = {s.name: s for s in spair71k.build(tmp_path).images("chair", "trn")}
    setup, first = dataclasses.replace(setup_of(samples, Noted()), model=Stored()), next(iter(samples))
    for _ in range(2):
        views.Views(setup, tmp_path / "stored").view(first)
    assert len(setup.model.seeds) == 1
    assert [path.name for path in (tmp_path / "stored").iterdir()] == [f"{first}.safetensors"]


def test_the_seed_of_an_image_is_the_start_of_a_digest(tmp_path):
    """The same for good: placements that were stored are compared with new ones."""
    spair_folder.write_folder(tmp_path)
    samples = {s.name: s for s in spair71k.build(tmp_path).images("chair", "trn")}
    first = next(iter(samples))
    for seed, of_seed in ((0, {}), (5, {"seed": 5})):
        setup = dataclasses.replace(setup_of(samples, Noted()), model=Stored(), **of_seed)
        views.Views(setup, tmp_path / f"stored {seed}").view(first)
        digest = hashlib.sha256(f"{seed}/{first}".encode()).hexdigest()
        assert setup.model.seeds == [int(digest[:8], 16)]


def test_the_object_is_looked_for_unless_whole_images_are_asked_for(tmp_path):
    spair_folder.write_folder(tmp_path)
    samples = {s.name: s for s in spair71k.build(tmp_path).images("chair", "trn")}
    first, mask = next(iter(samples)), torch.ones(60, 80, dtype=torch.bool)

    class Says(MaskProvider):
        def mask(self, sample, seen, model):
            return mask

    providers = Providers(Noted(), masks=(Says(),))
    whole = setup_of(samples)
    for setup, found in (
        (views.Setup(samples, providers, whole.model), mask),
        (dataclasses.replace(whole, providers=providers), None),
    ):
        assert views.Views(setup, tmp_path / "stored").view(first).seen.mask is found
