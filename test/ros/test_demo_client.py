"""The demo's client waits for a node that is not ready and says so; any other refusal is an answer."""

from __future__ import annotations

import pytest
from semcorr_ros.srv import TransferKeypoints

from semcorr_lab.demo import client as demo_client
from semcorr_ros.refusal import Code

NAME = "/semcorr/transfer_keypoints"


@pytest.fixture
def client(ros):
    client = demo_client.DemoClient("mug")
    yield client
    client.destroy_node()


def serve(client, codes):
    """A service in the client's own node, which one spin serves: it answers with one code after another."""
    asked = iter(codes)

    def answer(request, response):
        response.error_code = int(next(asked))
        response.success = response.error_code == Code.NONE
        response.message = "the kernels are being compiled"
        return response

    return client.create_service(TransferKeypoints, NAME, answer)


def test_it_asks_again_until_the_node_is_ready(client, monkeypatch, capsys):
    monkeypatch.setattr(demo_client, "PROGRESS", 0.0)
    early = [Code.PREPARING, Code.INACTIVE, Code.NO_IMAGE, Code.NO_CAMERA_INFO]
    serve(client, [*early, Code.NONE])
    response, _ = client.ask(TransferKeypoints.Request())
    assert response.success
    assert "still waiting: the kernels are being compiled" in capsys.readouterr().out


def test_it_gives_up_at_last(client, monkeypatch):
    monkeypatch.setattr(demo_client, "START_TIME", 0.3)
    serve(client, [Code.PREPARING] * 100)
    response, _ = client.ask(TransferKeypoints.Request())
    assert response.error_code == Code.PREPARING


def test_another_refusal_is_an_answer(client):
    serve(client, [Code.NOT_FOUND])
    response, _ = client.ask(TransferKeypoints.Request())
    assert response.error_code == Code.NOT_FOUND


def test_a_missed_picture_is_asked_for_again(client, monkeypatch, capsys):
    """Pictures are lost on a busy machine; the answer about the first one cannot be judged."""
    serve(client, [Code.NONE] * 2)
    shown = iter([TimeoutError("the camera's picture was missed"), ("picture", "truth")])

    def shown_at(header):
        found = next(shown)
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(client, "shown_at", shown_at)
    response, _, what = demo_client._answered(client, TransferKeypoints.Request())
    assert (response.success, what) == (True, ("picture", "truth"))
    assert "asking once more" in capsys.readouterr().out
