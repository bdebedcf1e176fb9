"""A newcomer's road: own images, one JSON of keypoints, a class, an evaluation."""

import json

import pytest

from semcorr_ros.__main__ import main
from semcorr_ros.datasets import folder, spair71k
from semcorr_ros.methods.semalign3d.class_file import read_class

pytest.importorskip("embreex")
CATEGORY = "mug"


@pytest.fixture(scope="module")
def own_images(tmp_path_factory):
    """Rendered mugs, listed in keypoints.json as a person would list photographs."""
    root = tmp_path_factory.mktemp("mugs")
    counts = {"images-trn": 10, "images-val": 0, "images-test": 3}
    counts |= {"pairs-trn": 0, "pairs-val": 0, "pairs-test": 3}
    made = [part for name, count in counts.items() for part in (f"--{name}", str(count))]
    options = ["--categories", CATEGORY, "--size", "320x240", "--workers", "1", "--no-occluders"]
    assert main(["synthesize", "--output", str(root), *made, *options]) == 0
    source = spair71k.build(root)
    info = source.info(CATEGORY)
    images = [
        {
            "file": str(sample.image_path.relative_to(root)),
            "depth": str(sample.depth_path.relative_to(root)),
            "category": CATEGORY,
            "split": split,
            "keypoints": {
                name: sample.keypoints[i].tolist() if sample.visible[i] else None
                for i, name in enumerate(info.keypoint_names)
            },
        }
        for split in ("trn", "test")
        for sample in source.images(CATEGORY, split)
    ]
    entry = {"keypoint_names": list(info.keypoint_names), "flip": list(info.flip)}
    (root / "keypoints.json").write_text(json.dumps({"categories": {CATEGORY: entry}, "images": images}))
    return root


def test_a_class_is_built_and_evaluated(own_images, tmp_path):
    class_file, report = tmp_path / "mug.safetensors", tmp_path / "out.json"
    given = ["--dataset", "folder", "--root", str(own_images), "--category", CATEGORY, "--threads", "1"]
    built = ["build_class", *given, "--depth", "sensor", "--masks", "none", "--output", str(class_file)]
    assert main(built) == 0
    assert (
        read_class(class_file).info.keypoint_names == folder.build(own_images).info(CATEGORY).keypoint_names
    )
    evaluated = ["evaluate", *given, "--depth", "sensor", "--class-file", str(class_file)]
    methods = ["--method", "aligned", "--method", "nearest_neighbor", "--json", str(report)]
    assert main([*evaluated, *methods]) == 0
    rows = json.loads(report.read_text())
    assert [row["method"] for row in rows] == ["aligned", "nearest_neighbor"]
    assert all(row["pairs"] == 6 for row in rows), "all pairs of three test images, both ways"
