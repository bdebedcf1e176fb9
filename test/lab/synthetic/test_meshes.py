"""GLB meshes with a list of keypoints as a source of pictures."""

import json

import numpy as np
import pytest
import trimesh
from PIL import Image

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
