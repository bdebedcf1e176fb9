"""What the node adds: time in camera callbacks while it computes, and around the model in a request."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray

from benchmark.faults import lab

WATCH = 12.0  # seconds of stream, with inference all the time


def camera_callbacks(subject: lab.Subject, rate: float = 30.0) -> dict[str, Any]:
    """Milliseconds the node spends in a camera callback while the inference thread is busy."""
    streaming = {"active_classes": f"[{subject.class_name}]", "max_rate": 0.0}
    subject = replace(subject, parameters={**subject.parameters, **streaming})
    told: dict[str, str] = {}

    def take(message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == f"{subject.full_name[1:]}: perception":
                told.update({item.key: item.value for item in status.values})

    with lab.start_node(subject), lab.start_camera(subject, rate), lab.probing() as probe:
        probe.node.create_subscription(DiagnosticArray, "/diagnostics", take, 10)
        probe.transfer_until(subject, lambda answer: answer.success, lab.UP)
        probe.spin_until(lambda: False, WATCH)
    return {
        "images": int(told["images received"]),
        "pictures_published": int(told.get("pictures published", "0")),
        "p50_ms": float(told["camera callback p50 ms"]),
        "p99_ms": float(told["camera callback p99 ms"]),
        "max_ms": float(told["camera callback max ms"]),
    }


def service_overhead(subject: lab.Subject, calls: int) -> dict[str, Any]:
    """Round trip of a request that brings its picture, minus what the node spent on the picture."""
    overhead, whole = [], []
    request = subject.inline_request()
    with lab.start_node(subject), lab.probing() as probe:
        for _ in range(5):
            probe.transfer(subject, request)
        for _ in range(calls):
            start = time.perf_counter()
            answer = probe.transfer(subject, request)
            seconds = time.perf_counter() - start
            overhead.append(1000 * (seconds - answer.inference_time))
            whole.append(1000 * seconds)
    height, width = subject.picture.image.shape[:2]
    return {
        "picture": f"{width}x{height}",
        "calls": calls,
        "round_trip_p50_ms": round(float(np.median(whole)), 2),
        "overhead_p50_ms": round(float(np.median(overhead)), 2),
        "overhead_p99_ms": round(float(np.quantile(overhead, 0.99)), 2),
    }
