"""Hours of camera, requests and classes that come and go; memory over time."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
from semcorr_ros.srv import LoadClass, UnloadClass

from benchmark.faults import lab

SAMPLE = 10.0  # seconds between two looks at the memory
WARM_UP = 0.25  # share of the time that is not judged: caches fill


def soak(subject: lab.Subject, minutes: float) -> dict[str, Any]:
    """Stream and requests for some minutes; every fifth round the class is unloaded and loaded again."""
    streaming = {"active_classes": f"[{subject.class_name}]", "max_rate": 5.0}
    subject = replace(subject, parameters={**subject.parameters, **streaming})
    service = subject.full_name
    rows: list[tuple[float, float]] = []
    calls = failures = rounds = 0
    with lab.start_node(subject) as node, lab.start_camera(subject), lab.probing() as probe:
        probe.transfer_until(subject, lambda answer: answer.success, lab.UP)
        start = time.monotonic()
        while time.monotonic() - start < 60 * minutes and node.alive:
            until = time.monotonic() + min(SAMPLE, 6 * minutes)
            while time.monotonic() < until:
                calls += 1
                failures += not probe.transfer(subject).success
                probe.spin_until(lambda: False, 0.2)
            rounds += 1
            if rounds % 5 == 0:
                unload = UnloadClass.Request(class_name=subject.class_name)
                load = LoadClass.Request(path=str(subject.class_file), active=True)
                probe.call(UnloadClass, f"{service}/unload_class", unload)
                probe.call(LoadClass, f"{service}/load_class", load)
            rows.append((time.monotonic() - start, node.memory() / 2**20))
            print(
                f"{rows[-1][0]:7.0f} s  {rows[-1][1]:8.1f} MiB  {calls} calls, {failures} failed", flush=True
            )
        alive, tracebacks = node.alive, node.tracebacks()
    return {
        "minutes": round(rows[-1][0] / 60, 2),
        "calls": calls,
        "failed": failures,
        "memory_mib": [round(memory, 1) for _, memory in rows],
        "mib_per_hour": round(_slope(rows), 2),
        "alive": alive,
        "tracebacks": tracebacks,
    }


def _slope(rows: list[tuple[float, float]]) -> float:
    """Of the memory after the warm-up, MiB per hour; by medians of both halves, which ignore single peaks."""
    judged = np.array(rows[int(WARM_UP * len(rows)) :])
    if len(judged) < 4:
        return 0.0
    half = len(judged) // 2
    first, second = np.median(judged[:half], axis=0), np.median(judged[half:], axis=0)
    return float((second[1] - first[1]) / (second[0] - first[0]) * 3600)
