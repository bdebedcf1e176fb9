"""The model side of the node, in this process: here its steps can be counted."""

from __future__ import annotations

import contextlib

import pear_camera
import pytest
from std_msgs.msg import Header

from semcorr_ros.finder import Finder, Watch
from semcorr_ros.methods import Quality
from semcorr_ros.methods.semalign3d.class_file import write_class
from semcorr_ros.refusal import Refusal
from semcorr_ros.ros import conversions
from semcorr_ros.ros.parameters import Parameters, providers_from
from semcorr_ros.sensing.picture import Picture
from semcorr_ros.serving.class_bank import ClassBank

pytestmark = pytest.mark.usefixtures("fabricated_backbone")

MOST_STEPS = 5  # between two looks at whether to go on


@pytest.mark.parametrize("engine", ["compiled", "reference"])
def test_the_optimizer_ends_at_the_next_look_and_looks_all_the_time(model, engine, tmp_path):
    write_class(tmp_path / "pear.safetensors", model)
    (tmp_path / "quality.yaml").write_text(f"engine: {engine}\noptimize: {{steps: 200}}\n")
    parameters = Parameters(backbone="fabricated")
    finder = Finder(providers_from(parameters, "cpu"))
    bank = ClassBank("cpu", finder.backbone, quality=Quality(str(tmp_path / "quality.yaml")))
    pear = bank.load(tmp_path / "pear.safetensors").model
    shot = pear_camera.shoot(model, 70)
    header = Header(frame_id="optical")
    picture = Picture(
        conversions.color_message(shot.image, header),
        conversions.camera_message(shot.camera, header),
        conversions.depth_message(shot.depth, header),
    )

    def look(until: int) -> list[bool]:
        """Answers to "go on?" of an alignment that is stopped at the `until`-th one."""
        answers: list[bool] = []

        def keep_going() -> bool:
            answers.append(len(answers) + 1 < until)
            return answers[-1]

        with contextlib.suppress(Refusal):
            finder.find(pear, picture.scene(finder.scene), watch=Watch(keep_going))
        return answers

    assert len(look(until=10_000)) >= 200 / MOST_STEPS
    for until in (1, 2, 7):
        assert look(until) == [True] * (until - 1) + [False]
