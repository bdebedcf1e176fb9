"""The file of mapper and categories: what is written is what is read, and what is damaged is named."""

import pytest
import torch
from torch.nn.functional import normalize

from semcorr_ros import methods
from semcorr_ros.artifacts import CategoryInfo, Prototypes
from semcorr_ros.features._sphere_mapper import SphereMapper
from semcorr_ros.methods.spherical.artifacts import Category, Keypoints, SphereClasses
from semcorr_ros.methods.spherical.class_file import read_classes, with_only, write_classes
from semcorr_ros.methods.spherical.config import MatchConfig, head_for
from semcorr_ros.storage import read_tensors, write_tensors

CHANNELS = 16


def category(name, count=3):
    generator = torch.Generator().manual_seed(len(name))

    def draw(*size):
        return torch.randn(*size, generator=generator)

    keypoints = Keypoints(
        features=normalize(draw(count, CHANNELS).half().float(), dim=-1),
        spheres=normalize(draw(count, 3), dim=-1),
        annotated=torch.arange(count) > 0,
        slope=draw(count).abs(),
        offset=draw(count),
    )
    known = Prototypes(normalize(draw(5, CHANNELS), dim=-1), torch.rand(5), torch.rand(5))
    info = CategoryInfo(name, tuple(f"{name}_{i}" for i in range(count)), (0, 2, 1), edges=((0, 1),))
    return Category(info, keypoints, known)


def classes(*names):
    torch.manual_seed(0)
    mapper = SphereMapper(head_for(CHANNELS, grid=6)).requires_grad_(False).eval()
    how = MatchConfig(0.3, "l2", inside=False)
    return SphereClasses(mapper, how, tuple(map(category, names)), "fake:0", {"seed": "0"})


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "sphere.safetensors"
    wanted = classes("car", "mug")
    write_classes(path, wanted)
    found = read_classes(path)
    assert (found.backbone, found.provenance, found.matching, found.head) == (
        "fake:0", {"seed": "0"}, wanted.matching, wanted.head,
    )  # fmt: skip
    for one, other in zip(found.categories, wanted.categories, strict=True):
        assert one.info == other.info
        for name in ("features", "spheres", "annotated", "slope", "offset"):
            torch.testing.assert_close(
                getattr(one.keypoints, name), getattr(other.keypoints, name), atol=1e-3, rtol=0
            )
        torch.testing.assert_close(one.recognized_by.similarity_std, other.recognized_by.similarity_std)
    tokens = torch.randn(1, 6, 6, CHANNELS)
    torch.testing.assert_close(found.mapper(tokens), wanted.mapper(tokens))


def test_the_same_classes_give_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_classes(tmp_path / f"{name}.safetensors", classes("car"))
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_a_file_names_its_categories_and_one_of_them_is_a_class(tmp_path):
    path, alone = tmp_path / "sphere.safetensors", tmp_path / "mug.safetensors"
    several = classes("car", "mug")
    write_classes(path, several)
    write_classes(alone, with_only(several, "mug"))
    assert methods.categories_of(path) == ["car", "mug"]
    assert methods.load(alone).info.name == "mug"
    assert methods.load(alone).known == ("mug_1", "mug_2")
    with pytest.raises(ValueError, match=r"holds the classes car, mug: give a file of one .*--split-dir"):
        methods.load(path)


def test_a_model_is_chosen_by_category(tmp_path):
    path = tmp_path / "sphere.safetensors"
    write_classes(path, classes("car", "mug"))
    model = methods.METHODS.load("spherical").load(path, "cpu", methods.FAST)
    assert model.of("mug").info.name == "mug"
    assert model.of("mug").recognizes
    unseen = model.of("horse")
    assert (unseen.info.name, unseen.known, unseen.recognizes) == ("", (), False)
    with pytest.raises(ValueError, match="mapper of car, mug recognises no other class"):
        _ = unseen.prototypes


def damage(header, tensors, kind):
    if kind == "version":
        header["version"] = 99
    elif kind == "method":
        header["method"] = "other"
    elif kind == "nan":
        tensors["0.keypoints.spheres"][0, 0] = torch.nan
    elif kind == "missing":
        del tensors["sphere_mapper.3.bias"]
    elif kind == "names":
        header["categories"][0]["keypoint_names"].append("more")
    elif kind == "channels":
        tensors["0.recognized.features"] = tensors["0.recognized.features"][:, 1:]
    elif kind == "width":
        header["head"]["width"] = 100
    elif kind == "huge":
        header["head"]["channels"] = 10**9
    elif kind == "metric":
        header["matching"]["metric"] = "manhattan"
    else:
        del header["head"]


@pytest.mark.parametrize(
    "kind",
    ["version", "method", "nan", "missing", "names", "channels", "width", "huge", "metric", "head"],
)
def test_a_damaged_file_is_named(tmp_path, kind):
    path = tmp_path / "sphere.safetensors"
    write_classes(path, classes("car"))
    tensors, header = read_tensors(path)
    damage(header, tensors, kind)
    write_tensors(path, tensors, header)
    with pytest.raises(ValueError, match=r"sphere\.safetensors"):
        read_classes(path)


@pytest.mark.parametrize("listed", [7, "x", [None], [{"z": 1}], [[0]], {"z": 1}])
def test_a_garbled_list_of_categories_is_named(tmp_path, listed):
    path = tmp_path / "sphere.safetensors"
    write_classes(path, classes("car"))
    tensors, header = read_tensors(path)
    write_tensors(path, tensors, header | {"categories": listed})
    with pytest.raises(ValueError, match=r"sphere\.safetensors is damaged"):
        methods.categories_of(path)


def test_another_artefact_is_refused(tmp_path):
    write_tensors(tmp_path / "x.safetensors", {"a": torch.ones(1)}, {"schema": "other"})
    with pytest.raises(ValueError, match="not a class file"):
        read_classes(tmp_path / "x.safetensors")
    with pytest.raises(FileNotFoundError):
        read_classes(tmp_path / "nothing.safetensors")


def test_without_a_file_it_is_said_what_is_needed():
    with pytest.raises(ValueError, match="train_sphere"):
        methods.METHODS.load("spherical").load(None, "cpu", methods.FAST)
