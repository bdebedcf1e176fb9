"""Depth in every unit and file that cameras leave is metres, or refused; the class doubts the rest."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest
from PIL import Image

from semcorr_ros.files.arrays import find_file
from semcorr_ros.files.depth import SUFFIXES, metres, read_depth

SIZE = (6, 8)
METRES = np.linspace(0.4, 0.8, 48).reshape(SIZE).astype(np.float32)
MILLIMETRES = np.rint(METRES * 1000).astype(np.uint16)
HALF = 6e-4  # half a millimetre, and rounding


def written(folder, values: np.ndarray, name: str):
    path = folder / name
    if path.suffix.lower() == ".npy":
        np.save(folder / "x", values)
        (folder / "x.npy").rename(path)
    elif path.suffix.lower() == ".npz":
        np.savez_compressed(folder / "x", depth=values, mask=np.ones(3))
        (folder / "x.npz").rename(path)
    else:
        Image.fromarray(values).save(path, {"pfm": "PPM", "pgm": "PPM"}.get(path.suffix[1:]))
    return path


@pytest.mark.parametrize("name", ["a.png", "a.PNG", "a.Tiff", "a.TIF", "a.npy", "a.NPY", "a.npz", "a.pgm"])
def test_integers_are_millimetres(tmp_path, name):
    np.testing.assert_allclose(read_depth(written(tmp_path, MILLIMETRES, name), SIZE), METRES, atol=HALF)


@pytest.mark.parametrize("kind", [np.int32, np.int64, np.uint32, ">u2"])
def test_of_any_width(tmp_path, kind):
    found = read_depth(written(tmp_path, MILLIMETRES.astype(kind), "a.npy"), SIZE)
    np.testing.assert_allclose(found, METRES, atol=HALF)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.npy", np.float32), ("a.npy", np.float16), ("a.npz", np.float64), ("a.tiff", np.float32),
     ("a.pfm", np.float32), ("a.npy", ">f4")],
)  # fmt: skip
def test_floats_are_metres(tmp_path, name, kind):
    found = read_depth(written(tmp_path, METRES.astype(kind), name), SIZE)
    np.testing.assert_allclose(found, METRES, atol=HALF)


@pytest.mark.parametrize(
    ("unit", "kind"),
    [
        (1e-4, np.uint16),
        (2e-4, np.uint16),
        (2.5e-4, np.int32),
        (1e-3, np.float32),
        (0.01, np.float64),
        (1e-6, "i8"),
    ],
)
@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_a_scale_is_metres_per_unit(tmp_path, unit, kind, name):
    values = np.rint(METRES / unit).astype(kind)
    found = read_depth(written(tmp_path, values, name), SIZE, scale=unit)
    np.testing.assert_allclose(found, METRES, atol=max(unit, HALF))


def test_millimetres_as_floats_are_no_metres(tmp_path):
    path = written(tmp_path, METRES * 1000, "a.npy")
    with pytest.raises(
        ValueError, match=r"a\.npy: depth has a median of 600 m: floats are metres.* 0\.001 says"
    ):
        read_depth(path, SIZE)
    with pytest.raises(ValueError, match=r"median of 600 m: the scale is 1$"):
        read_depth(path, SIZE, scale=1.0)
    path = written(tmp_path, np.rint(METRES).astype(np.uint8) + np.uint16(1), "b.npy")
    with pytest.raises(
        ValueError, match=r"b\.npy: depth has a median of 0\.00\d m: integers are millimetres"
    ):
        read_depth(path, SIZE)


def test_what_is_not_measured_is_zero():
    values = METRES.copy()
    values[0, :5] = (np.nan, np.inf, -np.inf, -1.0, 0.0)
    found = metres(values)
    assert not found[0, :5].any()
    assert np.array_equal(found[1:], METRES[1:])
    saturated = MILLIMETRES.copy()
    saturated[0, 0] = 65535
    assert metres(saturated)[0, 0] == 0


REFUSED = {
    "a.jpg": ("depth is read from .png, .tif, .tiff", MILLIMETRES.astype(np.uint8)),
    "a.exr": ("convert OpenEXR to a .npy of floats", None),
    "a.mat": ("depth is read from", None),
    "a.png": ("expected one channel of 16-bit integers or of floats", np.zeros((*SIZE, 3), np.uint8)),
    "b.png": ("expected one channel of 16-bit integers or of floats", MILLIMETRES.astype(np.uint8)),
    "a.npy": ("expected one channel", np.zeros((2, *SIZE), np.float32)),
    "b.npy": ("no valid depth", np.zeros(SIZE, np.float32)),
    "c.npy": ("is 7x6 but its image is 8x6", METRES[:, 1:]),
    "d.npy": ("not a readable NumPy file", np.array([object()])),
    "e.npy": ("expected numbers, got complex64", METRES.astype(np.complex64)),
    "f.npy": ("expected one channel", METRES > 0.5),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_depth_is_named(tmp_path, name):
    sentence, values = REFUSED[name]
    if values is None or name.endswith("jpg"):
        (tmp_path / name).write_bytes(b"anything")
    elif name.endswith("npy"):
        np.save(tmp_path / name, values, allow_pickle=True)
    else:
        Image.fromarray(values).save(tmp_path / name)
    with pytest.raises(ValueError, match=rf"{name}.*{sentence}"):
        read_depth(tmp_path / name, SIZE)
    with pytest.raises(FileNotFoundError, match="no depth file"):
        read_depth(tmp_path / "nothing.png", SIZE)


def test_several_arrays_need_a_name(tmp_path):
    np.savez(tmp_path / "a.npz", first=METRES, second=METRES)
    with pytest.raises(ValueError, match=r"a\.npz.*it holds first, second; name one depth or"):
        read_depth(tmp_path / "a.npz", SIZE)


def test_depth_of_stored_pixels_is_turned_with_its_photograph(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((*SIZE, 3), np.uint8)).save(tmp_path / "x.jpg", exif=exif)
    path = written(tmp_path, METRES, "a.npy")
    found = read_depth(path, (8, 6), image=tmp_path / "x.jpg").numpy()
    assert np.array_equal(found, np.rot90(METRES, -1))
    with pytest.raises(ValueError, match="not the same view"):
        read_depth(path, (8, 6))


def test_files_are_found_in_any_case_and_in_order(tmp_path):
    (tmp_path / "b").mkdir()
    for name in ("x.PNG", "b/x.npy", "y.Tif"):
        (tmp_path / name).touch()
    assert find_file([tmp_path, tmp_path / "b"], "x", SUFFIXES) == tmp_path / "x.PNG"
    assert find_file([tmp_path], "y", SUFFIXES) == tmp_path / "y.Tif"
    assert find_file([tmp_path], "z", SUFFIXES) is None


def test_a_part_that_is_no_array(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("depth.npy", b"no array at all")
    with pytest.raises(ValueError, match=r"a\.npz is not a readable NumPy file"):
        read_depth(tmp_path / "a.npz", SIZE)
