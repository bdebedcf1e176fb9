import numpy as np
import pytest
import spair_folder
import torch

from semcorr_ros.features import ImageRef, precomputed
from semcorr_ros.geometry.grid import features_at

IMAGE = torch.zeros(375, 500, 3, dtype=torch.uint8)


def encode(folder, mirrored=False, name="a", category="chair"):
    extractor = precomputed.build(precomputed.PrecomputedFeaturesSettings(folder))
    return extractor.encode(ImageRef(IMAGE, name, category, mirrored))


def test_npz_covers_the_whole_image_with_unit_cells(tmp_path):
    values = np.random.default_rng(0).normal(size=(6, 8, 5)).astype(np.float16)
    spair_folder.save_features(tmp_path / "a.npz", values)
    features = encode(tmp_path)
    assert features.image_size == (375, 500)
    assert features.backbone == "precomputed:5"
    norms = np.linalg.norm(values.astype(np.float32), axis=-1, keepdims=True)
    np.testing.assert_allclose(features.values, values / norms, atol=1e-6)


@pytest.mark.parametrize("batch", [False, True])
def test_plain_arrays_are_maps_too(batch, tmp_path):
    values = np.random.default_rng(0).normal(size=(4, 5, 3)).astype(np.float32)
    np.save(tmp_path / "a.npy", values[None] if batch else values)
    np.testing.assert_allclose(
        encode(tmp_path).values, values / np.linalg.norm(values, axis=-1, keepdims=True), atol=1e-6
    )
    spair_folder.save_features(tmp_path / "a.npz", np.eye(3)[None])  # the form that says what it is
    assert encode(tmp_path).values.shape == (1, 3, 3)


def test_category_folder_wins_and_flip_is_another_file(tmp_path):
    spair_folder.save_features(tmp_path / "a.npz", np.eye(3)[None])
    spair_folder.save_features(tmp_path / "chair" / "a.npz", np.eye(3)[None, ::-1])
    assert encode(tmp_path).values[0, 0].tolist() == [0, 0, 1]
    assert encode(tmp_path, category="car").values[0, 0].tolist() == [1, 0, 0]
    with pytest.raises(FileNotFoundError, match="a_flip"):
        encode(tmp_path, mirrored=True)
    spair_folder.save_features(tmp_path / "a_flip.npz", np.eye(3)[None])
    assert encode(tmp_path, mirrored=True).values[0, 0].tolist() == [1, 0, 0]


def test_a_declared_backbone_is_taken_as_it_is(tmp_path):
    spair_folder.save_features(tmp_path / "a.npz", np.eye(3)[None])
    spair_folder.write(tmp_path / "backbone.json", {"backbone": "tiny:0123"})
    assert encode(tmp_path).backbone == "tiny:0123"
    spair_folder.write(tmp_path / "backbone.json", {"name": "tiny"})
    with pytest.raises(ValueError, match=r"backbone\.json"):
        encode(tmp_path)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"features": np.ones((4, 5))}, r"\(h, w, C\)"),
        ({"features": np.full((4, 5, 3), np.nan)}, "NaN"),
        ({"features": np.zeros((4, 5, 3))}, "all zero"),
        ({"features": np.ones((4, 5, 2))}, "2 channels, other files have 3"),
        ({"descriptors": np.ones((4, 5, 3))}, "it holds descriptors; name one features"),
        ({"features": np.array([[["x"]]])}, "expected numbers"),
        ({"features": np.array([[[{}]]])}, "allow_pickle"),
    ],
)
def test_bad_npz_files_are_named(tmp_path, arrays, message):
    spair_folder.save_features(tmp_path / "0.npz", np.ones((4, 5, 3)))
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ValueError, match=rf"(?s)a\.npz.*{message}"):
        encode(tmp_path)


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((27, 36, 8), None),
        ((26, 36, 8), None),  # rounded to whole cells
        ((60, 60, 8), None),  # squeezed into a square
        ((36, 64, 8), None),  # into 16:9
        ((36, 27, 8), r"look like \(w, h, C\): save them as features\.transpose\(1, 0, 2\)"),
        ((384, 27, 36), r"look like \(C, h, w\): save them as features\.transpose\(1, 2, 0\)"),
        ((64, 27, 36), r"look like \(C, h, w\)"),
        ((384, 37, 37), r"look like \(C, h, w\)"),
        ((27, 384, 36), "stretched"),
        ((36, 384, 27), "stretched"),
    ],
)
def test_axes_that_cannot_be_those_of_the_image_are_refused(shape, said, tmp_path):
    spair_folder.save_features(tmp_path / "a.npz", np.ones(shape))
    if said is None:
        assert encode(tmp_path).values.shape == shape
    else:
        with pytest.raises(ValueError, match=said):
            encode(tmp_path)


def test_a_portrait_has_a_tall_map(tmp_path):
    extractor = precomputed.PrecomputedFeatures
    for shape, said in (((36, 27, 8), None), ((27, 36, 8), r"\(w, h, C\)"), ((384, 36, 27), r"\(C, h, w\)")):
        spair_folder.save_features(tmp_path / "a.npz", np.ones(shape))
        ref = ImageRef(IMAGE.transpose(0, 1).contiguous(), "a", "chair")
        one = extractor(precomputed.PrecomputedFeaturesSettings(tmp_path))
        if said is None:
            assert one.encode(ref).values.shape == shape
        else:
            with pytest.raises(ValueError, match=said):
                one.encode(ref)


@pytest.mark.parametrize("bit", [0, 5, 6])
def test_an_archive_that_says_it_is_encrypted_or_patched_is_named(bit, tmp_path):
    spair_folder.save_features(tmp_path / "a.npz", np.ones((4, 5, 3)))
    content = bytearray((tmp_path / "a.npz").read_bytes())
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + at] |= 1 << bit
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.npz.*(encrypt|patched)"):
        encode(tmp_path)


def test_one_truncated_file_does_not_keep_the_others_from_being_read(tmp_path):
    spair_folder.save_features(tmp_path / "a.npz", np.ones((4, 5, 3)))
    whole = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "0.npz").write_bytes(whole[: len(whole) // 2])
    assert encode(tmp_path).backbone == "precomputed:3"
    with pytest.raises(ValueError, match=r"0\.npz"):
        encode(tmp_path, name="0")


def test_empty_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"<stem>\.npz"):
        encode(tmp_path)


def write_letterboxed(folder, stem="a", ending=".pt"):
    """A landscape image: 500x375 fills rows 7.5 to 52.5 of the 60x60 square."""
    generator = torch.Generator().manual_seed(0)
    dino = torch.randn(1, 6, 60, 60, generator=generator)
    sides = {"s3": (4, 60), "s4": (3, 30), "s5": (2, 15)}
    layers = {k: torch.randn(1, c, side, side, generator=generator) for k, (c, side) in sides.items()}
    torch.save(dino, folder / f"{stem}_dino{ending}")
    torch.save(layers, folder / f"{stem}_sd{ending}")
    return dino, layers


def test_geoaware_halves_are_normalized_joined_and_cut_out(tmp_path):
    dino, _ = write_letterboxed(tmp_path)
    features = encode(tmp_path)
    assert features.backbone == "precomputed:15"
    assert features.values.shape == (45, 60, 15)
    torch.testing.assert_close(features.values.norm(dim=-1), torch.ones(45, 60))
    # 45 rows of a 60-row square start half a cell below row 7: each is the mean of two letterbox rows.
    wanted = dino[0, :, [7, 8], 20] / dino[0, :, [7, 8], 20].norm(dim=0)
    cosine = torch.cosine_similarity(features.values[0, 20, 9:], wanted.mean(-1), dim=0)
    assert cosine > 0.999


def test_letterbox_worked_example(tmp_path):
    """500x375: the keypoint (100, 50) lies in row 13, column 12 of the 60x60 letterbox."""
    dino = torch.full((1, 2, 60, 60), 0.0)
    dino[0, 0] = 1
    dino[0, :, 13, 12] = torch.tensor([0.0, 1.0])
    torch.save(dino, tmp_path / "a_dino.pt")
    features = encode(tmp_path)
    # The point lies on the left edge of the column; its middle is 4 pixels further. The rows of the
    # cut-out lie half a cell off those of the letterbox, so that the mark is shared by two of them.
    inside, below, beside = features_at(features, torch.tensor([[104.0, 50.0], [104.0, 68.0], [88.0, 50.0]]))
    assert inside[1] > 0.65
    assert below[1] == 0
    assert beside[1] == 0


def test_mirrored_letterboxed_file(tmp_path):
    write_letterboxed(tmp_path)
    with pytest.raises(FileNotFoundError, match="_flip"):
        encode(tmp_path, mirrored=True)
    write_letterboxed(tmp_path, ending="_flip.pt")
    assert encode(tmp_path, mirrored=True).values.shape == (45, 60, 15)


class Evil:
    def __reduce__(self):
        return (print, ("code ran",))


def test_a_pickled_object_is_refused_without_running_it(tmp_path, capsys):
    spair_folder.save_features(tmp_path / "0.npz", np.ones((4, 5, 3)))
    torch.save(Evil(), tmp_path / "a_dino.pt")
    with pytest.raises(ValueError, match=r"a_dino\.pt"):
        encode(tmp_path)
    assert "code ran" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"s3": torch.ones(1, 2, 4, 4)}, "no layer 's4'"),
        (torch.ones(2, 4, 4), r"\[1, C, side, side\]"),
        (torch.ones(1, 2, 4, 5), r"\[1, C, side, side\]"),
    ],
)
def test_bad_tensor_files_are_named(tmp_path, content, message):
    spair_folder.save_features(tmp_path / "0.npz", np.ones((4, 5, 3)))
    torch.save(content, tmp_path / "a_sd.pt")
    with pytest.raises(ValueError, match=rf"a_sd\.pt.*{message}"):
        encode(tmp_path)
