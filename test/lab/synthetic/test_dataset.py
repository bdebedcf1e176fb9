"""The written data set: layout, determinism, resuming, and that the package's own reader takes it."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semcorr_lab.synthetic.dataset import SPLITS, DatasetConfig, jobs, make_dataset, picture
from semcorr_lab.synthetic.scene import SceneConfig
from semcorr_lab.synthetic.source import ProceduralSource
from semcorr_ros.datasets import spair71k
from semcorr_ros.rendered import is_marked

CONFIG = DatasetConfig(images=(4, 2, 4), pairs=(6, 2, 5), seed=7, scene=SceneConfig(size=(72, 96)))
SOURCE = ProceduralSource(("chair", "mug"))
FIELDS = [
    "filename",
    "src_database",
    "src_annotation",
    "src_image",
    "image_width",
    "image_height",
    "image_depth",
    "category",
    "pose",
    "truncated",
    "occluded",
    "difficult",
    "bndbox",
    "kps",
    "azimuth_id",
]
PAIR_FIELDS = [
    "pair_id",
    "filename",
    "src_imname",
    "trg_imname",
    "src_imsize",
    "trg_imsize",
    "src_bndbox",
    "trg_bndbox",
    "category",
    "src_pose",
    "trg_pose",
    "src_kps",
    "trg_kps",
    "kps_ids",
    "mirror",
    "viewpoint_variation",
    "scale_variation",
    "truncation",
    "occlusion",
]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "set"
    report = make_dataset(path, SOURCE, CONFIG)
    assert (report.rendered, report.reused, report.skipped) == (20, 0, [])
    return path


def contents(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def test_every_image_has_all_files_and_all_fields(root):
    for job in jobs(SOURCE, CONFIG):
        stem = f"{job.category}/{job.stem}"
        annotation = json.loads((root / f"ImageAnnotation/{stem}.json").read_text())
        assert list(annotation) == FIELDS
        assert annotation["filename"] == f"{job.stem}.jpg"
        assert list(annotation["kps"]) == [str(i) for i in range(30)]
        assert 0 <= annotation["azimuth_id"] < 8
        assert annotation["pose"] in ("Frontal", "Left", "Rear", "Right")
        with Image.open(root / f"JPEGImages/{stem}.jpg") as image:
            assert image.size == (annotation["image_width"], annotation["image_height"]) == (96, 72)
        mask = np.array(Image.open(root / f"Segmentation/{stem}.png"))
        assert set(np.unique(mask)) == {0, {"chair": 9, "mug": 21}[job.category]}
        rows, columns = np.nonzero(mask)
        box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert annotation["bndbox"] == box


def test_depth_is_millimetres_of_the_rendering(root):
    job = jobs(SOURCE, CONFIG)[0]
    _, rendering = picture(SOURCE, CONFIG, job)
    stored = np.array(Image.open(root / f"Depth/{job.category}/{job.stem}.png"))
    assert stored.dtype == np.uint16
    fits = rendering.depth < 65.5
    np.testing.assert_allclose(stored[fits] / 1000, rendering.depth[fits], atol=6e-4)
    assert (stored[~fits] == 0).all()
    assert (stored[rendering.mask] > 0).all()


def test_pairs_and_layouts(root):
    numbers = {"trn": 0, "val": 0, "test": 0}
    for split in SPLITS:
        names = (root / f"Layout/large/{split}.txt").read_text().split()
        files = sorted((root / f"PairAnnotation/{split}").glob("*.json"))
        assert sorted(names) == [path.stem for path in files]
        assert set((root / f"Layout/small/{split}.txt").read_text().split()) <= set(names)
        for path in files:
            pair = json.loads(path.read_text())
            numbers[split] += 1
            assert set(pair) == set(PAIR_FIELDS)
            assert pair["filename"] == path.stem
            assert pair["mirror"] == 0
            assert pair["viewpoint_variation"] in (0, 1, 2)
            sides = [
                json.loads((root / f"ImageAnnotation/{pair['category']}/{pair[key][:-4]}.json").read_text())
                for key in ("src_imname", "trg_imname")
            ]
            common = [i for i in sides[0]["kps"] if sides[0]["kps"][i] and sides[1]["kps"][i]]
            assert pair["kps_ids"] == common
            assert pair["src_kps"] == [sides[0]["kps"][i] for i in common]
            assert pair["trg_kps"] == [sides[1]["kps"][i] for i in common]
            assert pair["truncation"] == sides[0]["truncated"] + 2 * sides[1]["truncated"]
            assert pair["occlusion"] == sides[0]["occluded"] + 2 * sides[1]["occluded"]
            assert all(name.startswith(f"{split}_") for name in (pair["src_imname"], pair["trg_imname"]))
    assert numbers["test"] == 10
    assert numbers["trn"] >= 6


def test_the_packages_reader_takes_it(root):
    dataset = spair71k.build(root)
    assert dataset.categories() == ["chair", "mug"]
    assert dataset.info("mug") == SOURCE.infos()["mug"]
    images = dataset.images("chair", "trn")
    assert [image.name for image in images] == [f"trn_{i:04d}" for i in range(4)]
    assert len(dataset.pairs("chair", "test")) == 5
    assert dataset.problems() == []
    job = next(j for j in jobs(SOURCE, CONFIG) if j.category == "chair")
    _, rendering = picture(SOURCE, CONFIG, job)
    assert images[0].visible.tolist() == [*rendering.visible]
    np.testing.assert_allclose(images[0].camera.focal, rendering.camera.focal)
    visible = rendering.visible
    np.testing.assert_allclose(images[0].keypoints[visible], rendering.keypoints[visible], atol=0.51)


def test_cameras_project_the_instance_to_the_annotation(root):
    job = jobs(SOURCE, CONFIG)[1]
    instance, rendering = picture(SOURCE, CONFIG, job)
    stored = json.loads((root / f"Cameras/{job.category}/{job.stem}.json").read_text())
    K, pose = np.array(stored["K"]), np.array(stored["camera_from_canonical"])
    projected = (instance.keypoints @ pose[:3, :3].T + pose[:3, 3]) @ K.T
    np.testing.assert_allclose(projected[:, :2] / projected[:, 2:], rendering.keypoints, atol=1e-2)
    assert stored["instance"] == instance.name


def test_instances_of_splits_differ():
    names = [
        picture(SOURCE, CONFIG, job)[0].keypoints for job in jobs(SOURCE, CONFIG) if job.category == "mug"
    ]
    flat = np.stack(names).reshape(len(names), -1)
    gaps = np.linalg.norm(flat[:, None] - flat[None], axis=-1) + np.eye(len(flat))
    assert gaps.min() > 1e-4


def test_two_workers_stop_when_told_and_write_the_same_bytes(root, tmp_path):
    path = tmp_path / "again"

    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_dataset(path, SOURCE, CONFIG, workers=2, on_image=stop)
    finished = len(list(path.glob("ImageAnnotation/*/*.json")))
    assert 0 < finished < 20, "the queue must not be worked off after an interruption"
    report = make_dataset(path, SOURCE, CONFIG, workers=2)
    assert report.reused == finished
    assert contents(path) == contents(root)


def test_resumes_after_an_interruption(root, tmp_path):
    path = tmp_path / "set"
    made = []

    def stop_after_three():
        made.append(1)
        if len(made) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_dataset(path, SOURCE, CONFIG, on_image=stop_after_three)
    # A crash between two files of one image: the annotation, written last, is missing.
    first = jobs(SOURCE, CONFIG)[0]
    (path / f"ImageAnnotation/{first.category}/{first.stem}.json").unlink()
    report = make_dataset(path, SOURCE, CONFIG)
    assert (report.rendered, report.reused) == (18, 2)
    assert contents(path) == contents(root)


def test_another_configuration_in_the_same_folder_is_refused(root, tmp_path):
    other = DatasetConfig(CONFIG.images, CONFIG.pairs, 8, CONFIG.scene)
    with pytest.raises(ValueError, match="seed = 7, now it is 8"):
        make_dataset(root, SOURCE, other)
    (tmp_path / "ImageAnnotation").mkdir()
    with pytest.raises(ValueError, match="did not write"):
        make_dataset(tmp_path, SOURCE, CONFIG)


def test_every_picture_is_marked_as_rendered(root):
    pictures = list(root.glob("JPEGImages/*/*.jpg"))
    assert pictures
    assert all(map(is_marked, pictures))
