"""`align` and `transfer` on the files that cameras leave: turned, bent by a lens, deep, in any unit."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pear_camera
import pytest
import torch
from methods.semalign3d.alignment import fabricated
from PIL import Image
from verbs import run

from semcorr_ros.cli import align, transfer
from semcorr_ros.geometry.distortion import make_lens, to_ideal
from semcorr_ros.methods.semalign3d.class_file import write_class

pytestmark = pytest.mark.usefixtures("fabricated_backbone")
K = np.array(fabricated.K)
D = (-0.35, 0.1, 0.0, 0.0, 0.0)


@pytest.fixture(scope="module")
def shot():
    return pear_camera.shoot(fabricated.make_class(), 70)


@pytest.fixture
def folder(tmp_path, shot):
    write_class(tmp_path / "pear.safetensors", fabricated.make_class())
    (tmp_path / "fast.yaml").write_text("optimize:\n  steps: 80\n")
    (tmp_path / "K.json").write_text(json.dumps({"K": K.tolist()}))
    Image.fromarray(shot.image).save(tmp_path / "a.png")
    np.save(tmp_path / "a.npy", shot.depth.astype(np.float32))
    return tmp_path


def told(folder, verb, *given):
    common = [
        "--class-file",
        folder / "pear.safetensors",
        "--alignment",
        folder / "fast.yaml",
        "--device",
        "cpu",
    ]
    assert run(verb, *given, *common, "--threads", "1", "--json", folder / "out.json") == 0
    return json.loads((folder / "out.json").read_text())


def numbers(result, what: str) -> np.ndarray:
    unknown = [np.nan] * (3 if what == "xyz" else 2)
    return np.array([point[what] or unknown for point in result["keypoints"]])


@pytest.fixture
def truth(folder):
    return told(
        folder, align, "--image", folder / "a.png", "--depth", folder / "a.npy", "--camera", folder / "K.json"
    )


def test_a_photograph_of_a_phone_with_depth_of_a_tof_camera(folder, shot, truth):
    """EXIF says 180 degrees; depth of stored pixels in tenths of a millimetre would be 10 times too far."""
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.fromarray(shot.image[::-1, ::-1]).save(folder / "b.png", exif=exif)
    np.save(folder / "b.npy", np.rint(np.nan_to_num(shot.depth) * 10000).astype(np.uint16))
    given = ["--image", folder / "b.png", "--depth", folder / "b.npy", "--camera", folder / "K.json"]
    found = told(folder, align, *given, "--depth-scale", "0.0001")
    # Rounded to tenths of a millimetre, 80 steps end a little elsewhere.
    np.testing.assert_allclose(numbers(found, "pixel"), numbers(truth, "pixel"), atol=1.5)
    np.testing.assert_allclose(numbers(found, "xyz"), numbers(truth, "xyz"), atol=5e-3)
    assert found["note"] == ""


def test_a_camera_upside_down(folder, shot, truth):
    Image.fromarray(shot.image[::-1, ::-1]).save(folder / "b.png")
    np.save(folder / "b.npy", shot.depth[::-1, ::-1].astype(np.float32))
    height, width = shot.depth.shape
    own = K.copy()
    own[:2, 2] = (width - 1 - K[0, 2], height - 1 - K[1, 2])
    (folder / "own.json").write_text(json.dumps({"K": own.tolist()}))
    given = ["--depth", folder / "b.npy", "--camera", folder / "own.json", "--rotate", "180"]
    found = told(folder, align, "--image", folder / "b.png", *given)
    turned = np.array([width - 1, height - 1]) - numbers(truth, "pixel")
    np.testing.assert_allclose(numbers(found, "pixel"), turned, atol=1e-2)
    np.testing.assert_allclose(numbers(found, "xyz"), numbers(truth, "xyz") * [-1, -1, 1], atol=1e-4)
    # From the upright picture to the one upside down.
    first = [numbers(truth, "pixel")[i] for i in range(2)]
    points = " ".join(f"{x:.2f},{y:.2f}" for x, y in first)
    given = ["--source", folder / "a.png", "--points", points, "--target", folder / "b.png"]
    carried = told(folder, transfer, *given, "--target-rotate", "180", "--output", folder / "out.png")
    pixels = np.array([point["pixel"] for point in carried["targets"][0]["points"]])
    assert np.abs(pixels - (np.array([width - 1, height - 1]) - first)).max() < 4


def test_the_lens_of_a_camera_file(folder, shot, truth):
    """Pixels are those of the picture as the lens shows it, positions those of the scene."""
    size = shot.depth.shape
    lens = make_lens("plumb_bob", D, (K[0, 0], K[1, 1]), (K[0, 2], K[1, 2]), size)
    rows, columns = np.mgrid[: size[0], : size[1]].astype(np.float32)
    at = to_ideal(torch.from_numpy(np.stack([columns, rows], -1)), lens).nan_to_num(-1e3).numpy()
    bent = cv2.remap(shot.image, at[..., 0], at[..., 1], cv2.INTER_NEAREST)
    depth = cv2.remap(shot.depth.astype(np.float32), at[..., 0], at[..., 1], cv2.INTER_NEAREST)
    Image.fromarray(bent).save(folder / "b.png")
    np.save(folder / "b.npy", depth)
    file = cv2.FileStorage(str(folder / "camera.yml"), cv2.FILE_STORAGE_WRITE)
    for name, value in (("camera_matrix", K), ("distortion_coefficients", np.array(D))):
        file.write(name, value)
    file.release()
    given = ["--image", folder / "b.png", "--depth", folder / "b.npy", "--camera", folder / "camera.yml"]
    found = told(folder, align, *given)
    known = np.isfinite(numbers(truth, "xyz")).all(-1) & np.isfinite(numbers(found, "xyz")).all(-1)
    error = np.linalg.norm(numbers(found, "xyz")[known] - numbers(truth, "xyz")[known], axis=-1)
    assert np.median(error) < 0.006
    back = to_ideal(torch.tensor(numbers(found, "pixel")), lens).numpy()
    assert np.nanmedian(np.linalg.norm(back - numbers(truth, "pixel"), axis=-1)) < 2


def test_depth_in_another_unit_is_doubted(folder, shot, capsys):
    np.save(folder / "b.npy", np.rint(np.nan_to_num(shot.depth) * 10000).astype(np.uint16))
    mask = Image.fromarray((shot.depth > 0).astype(np.uint8) * 255)
    mask.save(folder / "m.png")
    common = [
        "--class-file",
        folder / "pear.safetensors",
        "--alignment",
        folder / "fast.yaml",
        "--device",
        "cpu",
    ]
    given = ["--image", folder / "a.png", "--depth", folder / "b.npy", "--camera", folder / "K.json"]
    run(align, *given, "--mask", folder / "m.png", *common, "--threads", "1", "--json", folder / "out.json")
    result = json.loads((folder / "out.json").read_text())
    said = result["note"] or result["refused"]["reason"]
    assert "Is the depth in another unit (depth_scale)" in said
