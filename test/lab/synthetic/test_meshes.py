"""GLB meshes with a list of keypoints as a source of pictures."""

import json
import struct
from importlib.util import find_spec

import numpy as np
import pytest
import trimesh
from PIL import Image

from semcorr_lab.synthetic import glb
from semcorr_lab.synthetic.dataset import DatasetConfig, jobs, make_dataset, picture
from semcorr_lab.synthetic.meshes import exposed_points, open_meshes, split_entries
from semcorr_lab.synthetic.raycast import RayCaster
from semcorr_lab.synthetic.scene import SceneConfig

CORNERS = {
    "front_left": [0.9, 0.45, 0.5],
    "front_right": [0.9, -0.45, 0.5],
    "rear_left": [-0.9, 0.45, 0.5],
    "rear_right": [-0.9, -0.45, 0.5],
}


def entry(name, category="cart", keypoints=CORNERS, **more):
    return {"category": category, "instance": name, "file": f"{name}.glb", "keypoints": keypoints} | more


@pytest.fixture
def folder(tmp_path):
    for i, name in enumerate(("a", "b", "c", "d", "a_red")):
        box = trimesh.creation.box(extents=(2, 1, 0.8 + 0.1 * i))
        box.apply_translation([0, 0, 0.5])
        uv = np.random.default_rng(i).random((len(box.vertices), 2))
        image = Image.fromarray(np.full((4, 4, 3), (40 * i, 200, 30), np.uint8))
        box.visual = trimesh.visual.TextureVisuals(uv=uv, image=image)
        box.export(tmp_path / f"{name}.glb")
    entries = [entry(name) for name in ("a", "b", "c", "d")]
    entries.append(entry("a_red", note="same mesh as a, recolored"))
    entries.append(entry("bare", keypoints={}))
    entries.append(entry("lost"))
    entries.append(entry("only", category="lamp", file="a.glb"))
    crooked = CORNERS | {"lamp_left": [0.1, 0.2, 0.9], "lamp_right": [0.9, 0.4, 0.2]}
    entries.append(entry("e", file="b.glb", keypoints=crooked))
    (tmp_path / "instances.json").write_text(json.dumps(entries))
    return tmp_path


def test_reasons_for_what_is_skipped(folder):
    source, skipped = open_meshes(folder, folder / "instances.json")
    assert list(source.infos()) == ["cart"]
    text = "\n".join(skipped)
    assert "cart/bare: skipped, 0 keypoints" in text
    assert "cart/lost: skipped, no file" in text
    assert "lamp: skipped, 1 usable" in text
    assert "cart/e: lamp_left, lamp_right are not mirror images" in text
    info = source.infos()["cart"]
    assert info.keypoint_names == tuple(CORNERS)
    assert info.flip == (1, 0, 3, 2)


def test_one_shape_stays_on_one_side(folder):
    source, _ = open_meshes(folder, folder / "instances.json")
    splits = {
        split: {e.name for e in split_entries(list(source.entries), split)}
        for split in ("trn", "val", "test")
    }
    assert all(splits.values())
    assert not splits["trn"] & splits["test"]
    assert not splits["val"] & splits["test"]
    assert any({"a", "a_red"} <= names for names in splits.values())


def test_pictures_carry_the_texture_of_the_mesh(folder):
    source, _ = open_meshes(folder, folder / "instances.json")
    scene = SceneConfig(size=(48, 64), occluders=False, truncation=False, sensor=False)
    config = DatasetConfig((1, 1, 2), (1, 1, 1), 0, scene)
    for job in jobs(source, config):
        _, rendering = picture(source, config, job)
        red, green, blue = rendering.image[rendering.mask].astype(float).mean(0)
        assert green > 1.2 * max(red, blue)
        assert rendering.visible.sum() >= 2


def test_a_whole_data_set_from_meshes(folder, tmp_path):
    source, _ = open_meshes(folder, folder / "instances.json")
    config = DatasetConfig((2, 1, 2), (2, 1, 2), 0, SceneConfig(size=(48, 64), occluders=False))
    report = make_dataset(tmp_path / "out", source, config)
    assert report.rendered == 5
    assert (tmp_path / "out/Segmentation/cart/trn_0000.png").is_file()


def test_nothing_usable_and_unknown_category_are_errors(folder):
    with pytest.raises(ValueError, match="no category 'boat'"):
        open_meshes(folder, folder / "instances.json", ["boat"])
    with pytest.raises(ValueError, match="no usable mesh"):
        open_meshes(folder, folder / "instances.json", ["lamp"])
    (folder / "broken.json").write_text('[{"category": "cart", "file": "a.glb", "keypoints": {}}]')
    with pytest.raises(ValueError, match="no 'instance'"):
        open_meshes(folder, folder / "broken.json")


def test_the_middle_of_a_wheel_moves_to_its_outside():
    wheel = trimesh.creation.cylinder(
        0.3, 0.1, transform=trimesh.transformations.rotation_matrix(np.pi / 2, [1, 0, 0])
    )
    wheel.apply_translation([1, 0.75, 0.3])
    body = trimesh.creation.box(extents=(4, 1.38, 1.0))
    body.apply_translation([0, 0, 0.6])
    moved = exposed_points(RayCaster([wheel, body]), np.array([[1, 0.75, 0.3]]))
    np.testing.assert_allclose(moved, [[1, 0.8, 0.3]], atol=1e-4)


def write_meshes(folder, turn, unit=1.0, of_keypoints=None):
    """Four carts whose file has its own axes (rows: the file's in ours) and unit."""
    turn = np.array(turn, float)
    points = {name: (turn @ xyz * (of_keypoints or unit)).tolist() for name, xyz in CORNERS.items()}
    for i, name in enumerate("abcd"):
        box = trimesh.creation.box(extents=(2, 1, 0.8 + 0.1 * i))
        box.apply_translation([0, 0, 0.5])
        box.vertices = box.vertices @ turn.T * unit
        box.export(folder / f"{name}.glb")
    (folder / "instances.json").write_text(json.dumps([entry(name, keypoints=points) for name in "abcd"]))


IN_OURS = np.eye(3)
IN_GLTF = [[0, 1, 0], [0, 0, 1], [1, 0, 0]]  # x left, y up, z front
IN_BLENDER = [[1, 0, 0], [0, 0, 1], [0, -1, 0]]  # x front, y up, z right


@pytest.mark.parametrize(
    ("turn", "unit", "of_keypoints", "said"),
    [
        (IN_OURS, 1, None, ""),
        (IN_OURS, 1000, None, "guessed: unit mm"),
        (IN_OURS, 1000, 1, "guessed: keypoints in m, unit mm"),
        (IN_GLTF, 1, None, "guessed: axes z-front-y-up"),
        (IN_GLTF, 1000, None, "axes z-front-y-up (left and right say so), unit mm"),
        (IN_BLENDER, 1, None, "guessed: axes x-front-y-up"),
    ],
)
def test_axes_and_units_of_other_tools_are_guessed_and_said(turn, unit, of_keypoints, said, tmp_path):
    write_meshes(tmp_path, turn, unit, of_keypoints)
    source, told = open_meshes(tmp_path, tmp_path / "instances.json")
    assert all(said in sentence for sentence in told)
    assert len(told) == (4 if said else 0)
    made = source.instance("cart", "trn", 0, np.random.default_rng(0))
    corners = np.concatenate([part.mesh.vertices for part in made.parts])
    np.testing.assert_allclose(np.ptp(corners, axis=0)[:2], [2, 1], rtol=1e-5)
    for xyz, name in zip(made.keypoints, source.infos()["cart"].keypoint_names, strict=True):
        assert np.sign(xyz[:2]).tolist() == np.sign(CORNERS[name][:2]).tolist()
        assert np.linalg.norm(xyz - CORNERS[name]) < 0.2


def test_axes_and_units_that_are_given_are_not_guessed(tmp_path):
    write_meshes(tmp_path, IN_GLTF, 100)
    source, told = open_meshes(tmp_path, tmp_path / "instances.json", None, "z-front-y-up", "cm")
    assert told == []
    made = source.instance("cart", "trn", 0, np.random.default_rng(0))
    corners = np.concatenate([part.mesh.vertices for part in made.parts])
    np.testing.assert_allclose(np.ptp(corners, axis=0)[:2], [2, 1], rtol=1e-5)


def test_keypoints_of_another_object_are_refused(tmp_path):
    write_meshes(tmp_path, IN_OURS, 1, 37)
    with pytest.raises(ValueError, match=r"the mesh is 2\.\d+ large but its keypoints span 74"):
        open_meshes(tmp_path, tmp_path / "instances.json")


@pytest.mark.parametrize("moved", [None, 50.0])
def test_keypoints_in_other_axes_or_from_another_origin_than_the_mesh_are_refused(moved, tmp_path):
    write_meshes(tmp_path, IN_GLTF if moved is None else IN_OURS)
    points = {name: (np.array(xyz) + (moved or 0.0)).tolist() for name, xyz in CORNERS.items()}
    (tmp_path / "instances.json").write_text(json.dumps([entry(name, keypoints=points) for name in "abcd"]))
    with pytest.raises(
        ValueError, match=r"a: skipped, \d of \d keypoints are outside of the mesh: list them in"
    ):
        open_meshes(tmp_path, tmp_path / "instances.json")


def test_a_mesh_of_millimetres_in_metres_is_doubted(tmp_path):
    write_meshes(tmp_path, IN_OURS, 1e-3)
    told = open_meshes(tmp_path, tmp_path / "instances.json")[1]
    assert all("guessed: unit m (it is 0.002" in sentence for sentence in told)
    assert open_meshes(tmp_path, tmp_path / "instances.json", unit="m")[1] == []


def compressed(path, extension):
    """A GLB that says its triangles are compressed."""
    data = path.read_bytes()
    size = struct.unpack_from("<I", data, 12)[0]
    tree = json.loads(data[20 : 20 + size]) | {
        "extensionsUsed": [extension],
        "extensionsRequired": [extension],
    }
    text = json.dumps(tree).encode()
    text += b" " * (-len(text) % 4)
    rest = data[20 + size :]
    head = struct.pack("<4sIIII", b"glTF", 2, 20 + len(text) + len(rest), len(text), 0x4E4F534A)
    path.write_bytes(head + text + rest)


def test_draco_is_one_clear_line_at_once(tmp_path, monkeypatch):
    write_meshes(tmp_path, IN_OURS)
    monkeypatch.setattr(glb, "find_spec", lambda name: None)
    monkeypatch.setattr(glb.trimesh, "load_scene", lambda *_: pytest.fail("it would read for minutes"))
    compressed(tmp_path / "a.glb", "KHR_draco_mesh_compression")
    with pytest.raises(ValueError, match=r"compressed by Draco: pip install 'semcorr_ros\[draco\]'"):
        glb.load_parts(tmp_path / "a.glb")
    compressed(tmp_path / "b.glb", "EXT_meshopt_compression")
    with pytest.raises(ValueError, match="compressed by EXT_meshopt_compression"):
        glb.load_parts(tmp_path / "b.glb")


@pytest.mark.skipif(find_spec("DracoPy") is None, reason="pip install 'semcorr_ros[draco]'")
def test_draco_is_read_where_its_package_is(tmp_path):
    box = trimesh.creation.box(extents=(2, 1, 1))
    (tmp_path / "a.glb").write_bytes(trimesh.exchange.gltf.export_glb(box.scene(), extension_draco=True))
    (part,) = glb.load_parts(tmp_path / "a.glb")
    np.testing.assert_allclose(part.mesh.extents, [2, 1, 1], atol=1e-3)


def test_a_mesh_that_is_none_costs_only_itself(tmp_path):
    write_meshes(tmp_path, IN_OURS)
    data = (tmp_path / "a.glb").read_bytes()
    for broken, said in ((b"", "is no GLB file"), (data[:-9], "is cut off"), (data[:20] + b"{" * 700, "")):
        (tmp_path / "a.glb").write_bytes(broken)
        source, told = open_meshes(tmp_path, tmp_path / "instances.json")
        assert len(source.entries) == 3
        assert "cart/a: skipped" in told[0]
        assert said in told[0]


def test_an_empty_an_open_and_an_endless_mesh(tmp_path, monkeypatch):
    trimesh.PointCloud(np.eye(3)).export(tmp_path / "points.ply")
    with pytest.raises(ValueError, match="no triangles"):
        glb.load_parts(tmp_path / "points.ply")
    sheet = trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]], process=False)
    sheet.export(tmp_path / "sheet.glb")
    assert len(glb.load_parts(tmp_path / "sheet.glb")[0].mesh.faces) == 1
    monkeypatch.setattr(glb, "MOST_TRIANGLES", 0)
    with pytest.raises(ValueError, match="1 triangles, 0 at most"):
        glb.load_parts(tmp_path / "sheet.glb")


@pytest.mark.parametrize("xyz", [None, [1, 2], ["1", 2, 3], [float("nan"), 0, 0], 7])
def test_a_keypoint_that_is_no_place_is_named(xyz, folder):
    (folder / "bad.json").write_text(json.dumps([entry("a", keypoints={"rim": xyz})]))
    with pytest.raises(ValueError, match="keypoint 'rim' must be 3 numbers"):
        open_meshes(folder, folder / "bad.json")
