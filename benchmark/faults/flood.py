"""Fifty callers at once: each is answered, most with BUSY, and the camera's pictures are still looked at."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from typing import Any

from semcorr_ros.msg import SemanticKeypointsArray
from semcorr_ros.srv import TransferKeypoints

from benchmark.faults import lab
from semcorr_ros.refusal import Code
from semcorr_ros.ros.quality_of_service import SERVICES

CALLERS = 50
# Callers share clients: every answer of a service comes to every client, and with fifty of them in one
# process it is the process of the callers that does not keep up.
CLIENTS = 5
QUIET, SETTLE = 10.0, 1.0  # seconds of the stream alone, and before it is counted


def flood(subject: lab.Subject, rounds: int) -> dict[str, Any]:
    """Every caller calls `rounds` times in a row, all at once, while the stream runs."""
    streaming = {"active_classes": f"[{subject.class_name}]", "max_rate": 0.0}
    subject = replace(subject, parameters={**subject.parameters, **streaming})
    arrivals: list[float] = []
    with lab.start_node(subject) as node, lab.start_camera(subject, 30.0), lab.probing() as probe:
        probe.node.create_subscription(
            SemanticKeypointsArray,
            f"{subject.full_name}/keypoints",
            lambda _: arrivals.append(time.monotonic()),
            5,
        )
        probe.transfer_until(subject, lambda answer: answer.success, lab.UP)
        probe.spin_until(lambda: False, SETTLE)
        before = len(arrivals)
        probe.spin_until(lambda: False, QUIET)
        quiet_rate = (len(arrivals) - before) / QUIET
        before, start = len(arrivals), time.monotonic()
        answers, waits = _all_at_once(probe, subject, rounds)
        seconds = time.monotonic() - start
        alive, tracebacks = node.alive, node.tracebacks()
    return {
        "calls": CALLERS * rounds,
        "answered": sum(answers.values()),
        "answers": dict(answers),
        "seconds": round(seconds, 2),
        "longest_wait": round(max(waits, default=0.0), 2),
        "stream_hz_quiet": round(quiet_rate, 2),
        "stream_hz_flooded": round((len(arrivals) - before) / seconds, 2),
        "alive": alive,
        "tracebacks": tracebacks,
    }


def _all_at_once(probe: lab.Probe, subject: lab.Subject, rounds: int) -> tuple[Counter[str], list[float]]:
    name = f"{subject.full_name}/transfer_keypoints"
    clients = [
        probe.node.create_client(TransferKeypoints, name, qos_profile=SERVICES) for _ in range(CLIENTS)
    ]
    probe.spin_until(lambda: all(client.service_is_ready() for client in clients), lab.UP)
    request = TransferKeypoints.Request(class_name=subject.class_name)
    answers: Counter[str] = Counter()
    waits: list[float] = []
    left = [rounds] * CALLERS
    open_calls: dict[int, tuple[Any, float]] = {}
    end = time.monotonic() + lab.ANSWER
    while (any(left) or open_calls) and time.monotonic() < end:
        for i in range(CALLERS):
            if i not in open_calls and left[i]:
                left[i] -= 1
                open_calls[i] = (clients[i % CLIENTS].call_async(request), time.monotonic())
        probe.spin_until(lambda: any(future.done() for future, _ in open_calls.values()), 1.0)
        for i in [i for i, (future, _) in open_calls.items() if future.done()]:
            future, start = open_calls.pop(i)
            answers[Code(future.result().error_code).name] += 1
            waits.append(time.monotonic() - start)
    return answers, waits
