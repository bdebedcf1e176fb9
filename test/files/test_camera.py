"""One camera, written by any tool, is the same camera; one of another picture is scaled or refused."""

from __future__ import annotations

import json
import logging

import cv2
import numpy as np
import pytest

from semcorr_ros.files.camera import read_calibration, read_camera

SIZE = (480, 640)
K = np.array([[612.5, 0, 322.25], [0, 611.0, 241.5], [0, 0, 1]])
P = np.array([[590.0, 0, 330.0, 0], [0, 592.0, 238.0, 0], [0, 0, 1, 0]])
D = (-0.28, 0.09, 0.001, -0.002, 0.01)

OST_YAML = f"""image_width: 640
image_height: 480
camera_name: narrow_stereo
camera_matrix:
  rows: 3
  cols: 3
  data: {K.ravel().tolist()}
distortion_model: plumb_bob
distortion_coefficients:
  rows: 1
  cols: 5
  data: {list(D)}
rectification_matrix:
  rows: 3
  cols: 3
  data: [1, 0, 0, 0, 1, 0, 0, 0, 1]
projection_matrix:
  rows: 3
  cols: 4
  data: {P.ravel().tolist()}
"""
OST_TXT = f"""# oST version 5.0 parameters


[image]

width
640

height
480

[narrow_stereo]

camera matrix
{K[0, 0]} 0.000000 {K[0, 2]}
0.000000 {K[1, 1]} {K[1, 2]}
0.000000 0.000000 1.000000

distortion
{" ".join(map(str, D))}

rectification
1.000000 0.000000 0.000000
0.000000 1.000000 0.000000
0.000000 0.000000 1.000000

projection
{" ".join(map(str, P[0]))}
{" ".join(map(str, P[1]))}
{" ".join(map(str, P[2]))}
"""
KALIBR = f"""cam0:
  cam_overlaps: []
  camera_model: pinhole
  distortion_coeffs: {list(D[:4])}
  distortion_model: radtan
  intrinsics: [{K[0, 0]}, {K[1, 1]}, {K[0, 2]}, {K[1, 2]}]
  resolution: [640, 480]
  rostopic: /cam0/image_raw
"""


def storage(folder, name: str):
    """As OpenCV's own calibration sample writes it."""
    file = cv2.FileStorage(str(folder / name), cv2.FILE_STORAGE_WRITE)
    file.write("calibration_time", "Mon Nov 30 2026")
    file.write("image_width", 640)
    file.write("image_height", 480)
    file.write("camera_matrix", K)
    file.write("distortion_coefficients", np.array([D]).T)
    file.release()
    return folder / name


def written(folder, name: str, content):
    (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))
    return folder / name


FLAT = {"width": 640, "height": 480, "fx": K[0, 0], "fy": K[1, 1]}
LENS_FREE = {
    "K": {"K": K.tolist()},
    "with sizes": {"K": K.tolist(), "width": 640, "height": 480},
    "flat": {"camera_matrix": K.ravel().tolist()},
    "Open3D": {"width": 640, "height": 480, "intrinsic_matrix": K.T.ravel().tolist()},
    "RealSense": FLAT | {"ppx": K[0, 2], "ppy": K[1, 2], "model": "Brown Conrady", "coeffs": [0.0] * 5},
    "nested": {"color": {"intrinsics": {**FLAT, "cx": K[0, 2], "cy": K[1, 2]}}},
    "four numbers": {"intrinsics": [K[0, 0], K[1, 1], K[0, 2], K[1, 2]]},
    "a bare list": K.tolist(),
    "text": "\n".join(" ".join(map(str, row)) for row in K),
    "a byte order mark": "\ufeff" + json.dumps({"K": K.tolist()}),
    "ROS without distortion": OST_YAML.replace(str(list(D)), "[0.0, 0.0, 0.0, 0.0, 0.0]").replace(
        str(P.ravel().tolist()), str(np.c_[K, np.zeros(3)].ravel().tolist())
    ),
}


@pytest.mark.parametrize("form", LENS_FREE)
def test_every_form_of_a_matrix(tmp_path, form):
    camera, lens = read_calibration(written(tmp_path, "c", LENS_FREE[form]), SIZE)
    np.testing.assert_allclose(camera.focal, K[[0, 1], [0, 1]])
    np.testing.assert_allclose(camera.principal_point, K[:2, 2])
    assert lens is None


def test_arrays(tmp_path):
    np.save(tmp_path / "c.npy", K)
    np.savez(tmp_path / "c.npz", mtx=K, dist=np.array([D]))
    assert read_calibration(tmp_path / "c.npy", SIZE)[1] is None
    camera, lens = read_calibration(tmp_path / "c.npz", SIZE)
    np.testing.assert_allclose(camera.focal, K[[0, 1], [0, 1]])
    assert lens.coefficients == D


@pytest.mark.parametrize("tool", ["ost.yaml", "ost.txt", "camchain.yaml", "out.yml", "out.xml", "c.json"])
def test_calibration_tools(tmp_path, tool):
    texts = {"ost.yaml": OST_YAML, "ost.txt": OST_TXT, "camchain.yaml": KALIBR}
    texts["c.json"] = {
        "K": K.tolist(),
        "distortion": dict(zip(("k1", "k2", "p1", "p2", "k3"), D, strict=True)),
    }
    path = written(tmp_path, tool, texts[tool]) if tool in texts else storage(tmp_path, tool)
    camera, lens = read_calibration(path, SIZE)
    np.testing.assert_allclose(camera.focal, K[[0, 1], [0, 1]])
    np.testing.assert_allclose(camera.principal_point, K[:2, 2])
    assert lens.model == "plumb_bob"
    np.testing.assert_allclose(lens.coefficients, D[:4] if "camchain" in tool else D)


def test_a_rectified_picture_has_the_projection_matrix_and_no_lens(tmp_path):
    for tool, text in (("ost.yaml", OST_YAML), ("ost.txt", OST_TXT)):
        camera, lens = read_calibration(written(tmp_path, tool, text), SIZE, rectified=True)
        assert lens is None
        assert (camera.focal.tolist(), camera.principal_point.tolist()) == ([590, 592], [330, 238])


@pytest.mark.parametrize("form", ["with sizes", "Open3D"])
def test_a_calibration_of_another_resolution_is_scaled(tmp_path, form, caplog):
    camera = read_camera(written(tmp_path, "c", LENS_FREE[form]), (240, 320))
    assert "is for 640x480 and scaled to the image, 320x240" in caplog.text or form == "Open3D"  # said once
    np.testing.assert_allclose(camera.focal, K[[0, 1], [0, 1]] / 2)
    np.testing.assert_allclose(camera.principal_point, (K[:2, 2] + 0.5) / 2 - 0.5)


DOUBLE = (np.diag([2, 2, 1]) @ K).tolist()
REFUSED = {
    "of another mode": (
        {"K": K.tolist(), "width": 640, "height": 360},
        "is for 640x360 but the image is 640x480",
    ),
    "turned": (
        {"K": K.tolist(), "width": 480, "height": 640},
        "another mode of the camera, cropped or turned",
    ),
    "of twice the size": ({"K": DOUBLE}, "in the middle of one of 1290x967: scale K, or give the width"),
    "that contradicts": ({"K": DOUBLE, "width": 640, "height": 480}, "in the middle of one of 1290x967"),
    "of half the size": ({"K": (np.diag([0.5, 0.5, 1]) @ K).tolist()}, "in the middle of one of 323x24"),
    "normalized": ({"K": (np.diag([1 / 640, 1 / 480, 1]) @ K).tolist()}, "normalized. multiply"),
    "far outside": ({"K": [[600, 0, 9e3], [0, 600, 240], [0, 0, 1]]}, "its principal point is"),
    "transposed": ({"K": K.T.tolist()}, "K must be"),
    "of no numbers": ({"K": [["612.5", 0, 322], [0, 611, 241], [0, 0, 1]]}, "K must be 4 or 9 numbers"),
    "null": ({"K": None}, "expected .*; got K"),
    "not finite": ('{"K": [[NaN, 0, 322], [0, 611, 241], [0, 0, 1]]}', "K must be finite"),
    "empty": ("", "expected"),
    "of several cameras": (KALIBR + KALIBR.replace("cam0", "cam1"), "it holds cam0, cam1: keep one"),
    "of another projection": (KALIBR.replace("pinhole", "omni"), "camera_model 'omni' is not supported"),
    "of an unknown lens": (KALIBR.replace("radtan", "fov"), "distortion model 'fov' is not supported"),
    "that contains itself": ("K: &a [*a]", "expected"),
    "of endless digits": ('{"K": [' + "9" * 400 + ", 1, 1, 1]}", "expected"),
    "cut": (OST_YAML[: OST_YAML.index("distortion_model")], "is it cut off"),
    "cut after the model": (OST_YAML[: OST_YAML.index("distortion_coeff")], "is it cut off"),
    "cut in its numbers": (OST_YAML[: OST_YAML.index("distortion_coeff") + 60], "c: "),
    "cut text": (OST_TXT[:-30], "no complete projection: is it cut off"),
    "of fewer numbers than it says": (
        OST_YAML.replace("cols: 5", "cols: 8"),
        "distortion has 1 x 8 numbers, got 5",
    ),
    "broken JSON": ('{"K": [[1,', "it is not readable"),
    "broken YAML": ("a: [b: c\n  - d", "it is not readable"),
    "text": ("a photograph of a mug", "expected"),
    "bad sizes": ({"K": K.tolist(), "width": 640.5, "height": 480}, "whole numbers of pixels"),
}


@pytest.mark.parametrize("form", REFUSED)
def test_what_is_no_camera_of_the_picture_is_named(tmp_path, form):
    content, said = REFUSED[form]
    with pytest.raises(ValueError, match=rf"(?s)c: .*{said}" if said != "c: " else "c: "):
        read_calibration(written(tmp_path, "c", content), SIZE)
    with pytest.raises(FileNotFoundError, match="no file"):
        read_calibration(tmp_path / "nothing", SIZE)


@pytest.mark.parametrize(
    ("model", "count", "name"),
    [("fisheye", 4, "equidistant"), ("equi", 4, "equidistant"), ("Kannala-Brandt4", 4, "equidistant"),
     ("radtan", 4, "plumb_bob"), ("plumb bob", 5, "plumb_bob"), ("plumb_bob", 8, "rational_polynomial"),
     ("rational_polynomial", 8, "rational_polynomial"), ("rational_polynomial", 12, "rational_polynomial"),
     ("rational_polynomial", 14, "rational_polynomial"), ("rational_polynomial", 5, "plumb_bob")],
)  # fmt: skip
def test_names_and_counts_of_distortion(tmp_path, model, count, name):
    given = [0.01 * (i + 1) for i in range(count)]
    _, lens = read_calibration(
        written(tmp_path, "c", {"K": K.tolist(), "D": given, "distortion_model": model}), SIZE
    )
    assert (lens.model, lens.coefficients) == (name, tuple(given))


def test_the_lens_of_a_data_set_is_not_silent(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        read_camera(written(tmp_path, "c", OST_YAML), SIZE)
    assert "the distortion is ignored: rectify" in caplog.text


def test_a_principal_point_outside_of_the_picture_is_doubted(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        read_camera(written(tmp_path, "c", {"K": [[600, 0, -90.0], [0, 600, 240], [0, 0, 1]]}), SIZE)
    assert "the principal point (-90, 240) is outside of the 640x480 image" in caplog.text
