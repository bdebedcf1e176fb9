"""How many images of a camera process reach the node, by size of the image and way of sending."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray

from benchmark.faults import lab
from benchmark.faults.camera import Picture
from semcorr_ros.artifacts import Camera

SIZES = ((480, 640), (720, 1280), (1080, 1920), (3000, 4000))
RATE, WATCH = 10.0, 8.0  # images a second, and seconds of them
PROFILE = "FASTDDS_DEFAULT_PROFILES_FILE"
OVERRIDE = "qos_overrides./{topic}.subscription.reliability"


def transport(subject: lab.Subject) -> dict[str, Any]:
    """What arrives: with best effort and as offered (the default), without and with the profile."""
    found: dict[str, Any] = {}
    profile = str(lab.ROOT / "config/fastdds_large_images.xml")
    for profiled in (False, True):
        with environment(PROFILE, profile if profiled else None):
            for reliability in ("best_effort", "as_offered"):
                for size in SIZES:
                    name = f"{size[1]}x{size[0]} {reliability}{' with profile' if profiled else ''}"
                    found[name] = _watch(_with_size(subject, size), reliability)
                    print(name, found[name], flush=True)
    return found


def _watch(subject: lab.Subject, reliability: str) -> dict[str, Any]:
    wish = {OVERRIDE.format(topic=topic): reliability for topic in ("image", "depth")}
    if reliability != "as_offered":
        subject = replace(subject, parameters={**subject.parameters, **wish})
    told: dict[str, str] = {}

    def take(message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == f"{subject.full_name[1:]}: perception":
                told.update({item.key: item.value for item in status.values})

    def count(key: str) -> int:
        return int(told.get(key, 0))

    with lab.start_node(subject), lab.start_camera(subject, RATE), lab.probing() as probe:
        probe.node.create_subscription(DiagnosticArray, "/diagnostics", take, 10)
        arrivals = "images received", "dropped MESSAGE_LOST"
        probe.spin_until(lambda: any(map(count, arrivals)), lab.UP)
        probe.spin_until(lambda: False, 1.0)
        before = [count(key) for key in arrivals]
        probe.spin_until(lambda: False, WATCH)
        received, lost = (count(key) - had for key, had in zip(arrivals, before, strict=True))
    return {"images_per_second": round(received / WATCH, 1), "times_messages_were_lost": lost}


def _with_size(subject: lab.Subject, size: tuple[int, int]) -> lab.Subject:
    """The same picture, cut or repeated to a size: what is in it does not matter here."""
    image, depth = (
        np.resize(x, (*size, *x.shape[2:])) for x in (subject.picture.image, subject.picture.depth)
    )
    camera = subject.picture.camera
    return replace(subject, picture=Picture(image, depth, Camera(camera.focal, camera.principal_point, size)))


@contextmanager
def environment(name: str, value: str | None) -> Iterator[None]:
    """Of the processes that are started inside."""
    before = os.environ.pop(name, None)
    if value is not None:
        os.environ[name] = value
    try:
        yield
    finally:
        os.environ.pop(name, None)
        if before is not None:
            os.environ[name] = before
