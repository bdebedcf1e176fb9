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
    "of no numbers": ({"K": [["612.5", 0, 322], [0, 611, 241], [0, 0, 1]]}, "K must be 4 or 9 "),
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
    "a region of no sense": (
        {"K": K.tolist(), "roi": {"x_offset": -3, "width": 64, "height": 48}},
        "roi must be whole numbers of pixels",
    ),
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
    assert "its distortion is ignored" in caplog.text
    assert "cv2.undistort" in caplog.text


def test_a_principal_point_outside_of_the_picture_is_doubted(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        read_camera(written(tmp_path, "c", {"K": [[600, 0, -90.0], [0, 600, 240], [0, 0, 1]]}), SIZE)
    assert "the principal point (-90, 240) is outside of the 640x480 image" in caplog.text


def echoed(binning=(0, 0), roi=(0, 0, 0, 0)):
    """Write what `ros2 topic echo --once camera_info` prints."""
    lines = "".join(f"- {value}\n" for value in K.ravel())
    x, y, w, h = roi
    return (
        f"header:\n  frame_id: optical\nheight: 480\nwidth: 640\ndistortion_model: plumb_bob\n"
        f"d:\n- 0.0\n- 0.0\n- 0.0\n- 0.0\n- 0.0\nk:\n{lines}"
        f"binning_x: {binning[0]}\nbinning_y: {binning[1]}\n"
        f"roi:\n  x_offset: {x}\n  y_offset: {y}\n  height: {h}\n  width: {w}\n  do_rectify: false\n---\n"
    )


@pytest.mark.parametrize(
    ("text", "size", "expected"),
    [
        (echoed(), (480, 640), (612.5, 611.0, 322.25, 241.5)),
        (echoed() * 2, (480, 640), (612.5, 611.0, 322.25, 241.5)),
        (echoed((2, 2)), (240, 320), (306.25, 305.5, 160.875, 120.5)),
        # Half the pixels in both cases: a region keeps the focal length, a smaller copy does not.
        (echoed(roi=(160, 120, 320, 240)), (240, 320), (612.5, 611.0, 162.25, 121.5)),
        (echoed((2, 2), (160, 120, 320, 240)), (120, 160), (306.25, 305.5, 80.875, 60.5)),
    ],
)
def test_camera_info_that_was_echoed(tmp_path, text, size, expected):
    camera, lens = read_calibration(written(tmp_path, "camera.yaml", text), size)
    assert lens is None
    assert (*camera.focal.tolist(), *camera.principal_point.tolist()) == pytest.approx(expected, abs=1e-3)


CAMERA = {"fx": 612.5, "fy": 611.0, "cx": 322.25, "cy": 241.5}


@pytest.mark.parametrize(
    ("content", "model", "coefficients"),
    [
        (CAMERA | {"k1": 0.2, "k2": 0.1, "p1": 0, "p2": 0}, "plumb_bob", (0.2, 0.1)),
        ({"camera_matrix": CAMERA | {"k1": 0.2, "k2": 0.1}}, "plumb_bob", (0.2, 0.1)),
        ({"camera": CAMERA, "distortion": [0.2, 0.1, 0, 0, 0]}, "plumb_bob", (0.2, 0.1)),
        (
            {"K": K.tolist(), "distortion": {"model": "fisheye", "k1": 0.2, "k3": 0.1}},
            "equidistant",
            (0.2, 0, 0.1),
        ),
        (
            {"K": K.tolist(), "k1": 0.2, "k2": 0.1, "k6": 0.3},
            "rational_polynomial",
            (0.2, 0.1, 0, 0, 0, 0, 0, 0.3),
        ),
        # nerfstudio's transforms.json
        (
            {
                "fl_x": 612.5,
                "fl_y": 611.0,
                "cx": 322.25,
                "cy": 241.5,
                "w": 640,
                "h": 480,
                "k1": 0.2,
                "k2": 0.1,
            }
            | {"camera_model": "OPENCV_FISHEYE", "k3": 0.05, "frames": []},
            "equidistant",
            (0.2, 0.1, 0.05),
        ),
    ],
)
def test_a_distortion_is_found_wherever_it_stands(tmp_path, content, model, coefficients):
    camera, lens = read_calibration(written(tmp_path, "c.json", content), SIZE)
    assert (*camera.focal.tolist(), *camera.principal_point.tolist()) == (612.5, 611.0, 322.25, 241.5)
    assert lens is not None
    assert lens.model == model
    assert lens.coefficients[: len(coefficients)] == pytest.approx(coefficients)
    assert not any(lens.coefficients[len(coefficients) :])


def test_everything_that_a_npz_names_counts(tmp_path, caplog):
    path = tmp_path / "c.npz"
    points = np.array([np.zeros((3, 2)), np.zeros((4, 2))], object)  # as many as were seen
    np.savez(
        path,
        cameraMatrix=K,
        distCoeffs=np.array([[0.2, 0.1, 0, 0]]),
        image_size=[640, 480],
        rvecs=np.eye(3),
        imgpoints=points,
    )
    camera, lens = read_calibration(path, (240, 320))
    assert camera.focal.tolist() == [306.25, 305.5]
    assert lens is not None
    assert lens.coefficients[:2] == pytest.approx((0.2, 0.1))
    assert "a fisheye's need distortion_model: equidistant" in caplog.text


@pytest.mark.parametrize("shape", [(3, 4), (4, 4)])
def test_matrices_of_whole_projections(tmp_path, shape):
    whole = np.eye(4)
    whole[:3, :3] = K
    np.savetxt(tmp_path / "c.txt", whole[: shape[0]])
    camera, _ = read_calibration(tmp_path / "c.txt", SIZE)
    assert (*camera.focal.tolist(), *camera.principal_point.tolist()) == (612.5, 611.0, 322.25, 241.5)


def test_a_skew_is_not_silent(tmp_path, caplog):
    skewed = K + np.array([[0, 6.5, 0], [0, 0, 0], [0, 0, 0]])
    read_calibration(written(tmp_path, "c", {"K": skewed.tolist()}), SIZE)
    assert "K has a skew of 6.5 pixels, which is ignored" in caplog.text
