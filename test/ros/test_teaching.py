"""The page's camera and node over real DDS: a class is loaded, a point carried over, a demonstration kept."""

from __future__ import annotations

import signal
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pear_camera
import pytest
import torch
from ros.conftest import spin_until
from ros.test_perceive import Camera, _in_front

from semcorr_ros.artifacts import DepthMap, Frame
from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.ros.teaching import Graph
from semcorr_ros.teach.node_link import Marked

NAMES = SimpleNamespace(node="/semcorr", image="/image", camera_info="", depth="")


@pytest.fixture(scope="module")
def perceive(start, settings, tmp_path_factory):
    empty = {key: value for key, value in settings.items() if key != "classes"}
    node = start("perceive", empty | {"demonstration_folder": str(tmp_path_factory.mktemp("taught"))})
    yield node
    status, output = node.stop(signal.SIGINT)
    assert status == 0, output


def test_from_the_page_to_the_node_and_back(perceive, ros, model, class_file):
    graph = Graph(NAMES)
    try:
        with pytest.raises(Refusal, match="no image") as refused:
            graph.camera.latest()
        assert refused.value.code == Code.NO_IMAGE
        assert spin_until(ros, lambda: graph.node.status()["reachable"], 60.0)
        with pytest.raises(Refusal) as refused:
            graph.node.load(Path("/nothing.safetensors"))
        assert refused.value.code == Code.BAD_FILE
        assert "holds pear" in graph.node.load(class_file)
        assert spin_until(ros, lambda: graph.node.status()["classes"] == ["pear"], 30.0)
        shown = pear_camera.shoot(model, 70)
        camera = Camera(ros, shown)

        def seen() -> bool:
            camera.publish()
            try:
                return bool(graph.camera.latest().frame.depth is not None)
            except Refusal:
                return False

        assert spin_until(ros, seen, 60.0)
        taken = pear_camera.shoot(model, 50)
        frame = Frame(
            torch.from_numpy(taken.image), taken.camera, DepthMap(torch.from_numpy(taken.depth), True)
        )
        both = [i for i in range(10) if _in_front(taken, i) and _in_front(shown, i)]
        pixels = [(float(x), float(y)) for x, y in taken.pixels[both]]
        marked = Marked(frame, pixels, tuple(f"p{i}" for i in both))
        answers = []

        def answered() -> bool:  # about a picture that has arrived here, too: a busy machine loses some
            camera.publish()
            answers.append(graph.node.transfer("pear", marked))
            return answers[-1][1] is not None

        assert spin_until(ros, answered, 60.0)
        told, shot = answers[-1]
        assert told["found"], told
        assert [one["name"] for one in told["points"]] == list(marked.names)
        found = np.array([one["xyz"] for one in told["points"]], float)
        assert np.median(np.linalg.norm(found - shown.keypoints[both], axis=1)) < 0.01
        assert (shot.frame.image.numpy() == shown.image).all()
        assert "'first' is kept on disk" in graph.node.store("pear", "first", marked)
        with pytest.raises(Refusal, match="must be 1-64 letters"):
            graph.node.store("pear", "../first", marked)
        assert not graph.node.transfer("spoon", marked)[0]["found"]
    finally:
        graph.node.close()
