"""The benchmark of the sparse cloud: its pictures, its truth, and a table that adds up."""

from dataclasses import replace

import pytest
import torch

from benchmark.building import measure
from benchmark.rendered import scenes
from benchmark.rendered.splits import VALIDATION
from semcorr_lab.synthetic.scene import SceneConfig
from semcorr_lab.synthetic.source import ProceduralSource


def test_a_shape_is_compared_up_to_a_similarity():
    truth = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    turn = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    assert measure.shape_error(3 * truth @ turn.T + 2, truth) < 1e-5
    assert measure.shape_error(truth * torch.tensor([1.0, 1.0, -1.0]), truth) > 0.05


def test_a_class_is_built_from_pictures_and_compared_with_what_they_show(tmp_path):
    scene = SceneConfig(size=(120, 160), clutter=False, occluders=False)
    source, made = ProceduralSource(("chair",)), replace(VALIDATION.pictures(8, 40), scene=scene)
    scenes.render(tmp_path / "data", source, made, 1, lambda: None)
    scenes.write_truth(tmp_path / "oracle", source, made, lambda: None)
    row = measure.category(tmp_path, "chair", VALIDATION.spair, 0, ("clean", "both"))
    assert (row["category"], row["images"]) == ("chair", 8)
    assert 0 < row["clean"]["error"] < 12
    assert row["clean"]["error"] < row["both"]["error"] < 25
    assert (row["clean"]["swapped"], row["both"]["swapped"]) == (0, 1)


def test_errors_are_averaged_and_swapped_images_counted():
    def row(name, error, found):
        outcome = {"error": error, "swapped": 3, "found": found, "false_alarms": 1}
        return {"category": name, **dict.fromkeys(measure.KINDS, outcome)}

    lines = measure.table([row("car", 1.0, 3), row("mug", 2.0, 1)]).splitlines()
    assert lines[0] == "| | car | mug | mean | swapped found | false alarms |"
    assert lines[2] == "| clean | 1.00 | 2.00 | 1.50 | 4 of 6 | 2 |"
    assert len(lines) == 2 + len(measure.KINDS)


def test_pictures_that_are_not_there_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="is not an SPair-71k folder"):
        measure.category(tmp_path, "mug", "val", 0)
