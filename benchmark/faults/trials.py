"""The trials by name, and what each one must come to."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmark.faults import class_files, control, day, flood, fuzz, latency, outages, soak, transport
from benchmark.faults.lab import Subject

Result = dict[str, Any]


@dataclass(frozen=True)
class Trial:
    """`failures` gives one sentence per expectation that a result misses."""

    run: Callable[[Subject, argparse.Namespace], Result]
    failures: Callable[[Result], list[str]]


def _missed(result: Result, expected: dict[str, Callable[[Any], bool]]) -> list[str]:
    return [f"{key} is {result[key]!r}" for key, holds in expected.items() if not holds(result[key])]


def _fuzz_failures(result: Result) -> list[str]:
    unforeseen = [name for name in result["answers"] if name.endswith(": UNKNOWN")]
    failed = [f"unforeseen failures: {', '.join(unforeseen)}"] if unforeseen else []
    none = {"unanswered": lambda n: n == 0, "alive": bool, "tracebacks": lambda n: n == 0}
    return failed + _missed(result, none | {"same_answer_after": bool})


def _flood_failures(result: Result) -> list[str]:
    failed = _missed(result, {"alive": bool, "tracebacks": lambda n: n == 0})
    if result["answered"] != result["calls"]:
        failed.append(f"{result['answered']} of {result['calls']} calls were answered")
    if result["stream_hz_flooded"] <= 0 or not result["answers"].get("BUSY"):
        failed.append("the stream stood still" if result["answers"].get("BUSY") else "nobody was told BUSY")
    return failed


def _camera_failures(result: Result) -> list[str]:
    gone = {"while_gone": lambda text: "old" in text}
    return _missed(result, {"first": bool, "back": bool, "tracebacks": lambda n: n == 0} | gone)


def _kill_failures(result: Result) -> list[str]:
    return _missed(result, {"same_answer_after": bool, "tracebacks": lambda n: n == 0})


def _namespace_failures(result: Result) -> list[str]:
    blind = {"right": lambda code: code == "NO_IMAGE"}
    return _missed(result, {"left": bool, "right_inline": bool} | blind)


def _slow_failures(result: Result) -> list[str]:
    share = result["hz_beside_a_slow_one"] / max(result["hz_alone"], 1e-9)
    return [] if share > 0.7 else [f"a slow subscriber slows the stream to {share:.0%}"]


def _file_failures(result: Result) -> list[str]:
    none = {"without_a_reason": lambda n: n == 0, "tracebacks": lambda n: n == 0}
    return _missed(result, none | {"alive": bool, "works_after": bool, "accepted": _harmless})


def _harmless(accepted: dict[str, int]) -> bool:
    """A header may be garbled where it means nothing, or means the same: in its provenance, for example."""
    return set(accepted) <= {"header"}


def _soak_failures(result: Result) -> list[str]:
    flat = {"mib_per_hour": lambda slope: slope < 60 or result["minutes"] < 5}
    return _missed(result, {"alive": bool, "failed": lambda n: n == 0, "tracebacks": lambda n: n == 0} | flat)


def _callback_failures(result: Result) -> list[str]:
    return _missed(result, {"p99_ms": lambda ms: ms < 2, "pictures_published": lambda n: n > 0})


def _service_failures(result: Result) -> list[str]:
    return _missed(result, {"overhead_p99_ms": lambda ms: ms <= 15})


def _transport_failures(result: Result) -> list[str]:
    """As the camera offers it, images come; what does not come is named."""
    failed = []
    for name, found in result.items():
        rate, size = found["images_per_second"], name.split()[0]
        huge = size in ("1920x1080", "4000x3000") and "with profile" not in name
        if "as_offered" in name and rate < (1.0 if huge else 0.8 * transport.RATE):
            failed.append(f"{name}: {rate} images a second")
        if rate == 0 and not found["times_messages_were_lost"]:
            failed.append(f"{name}: nothing arrives, and nothing says why")
    return failed


def _transition_failures(result: Result) -> list[str]:
    whole = {"answered_inactive": lambda n: n == result["goals"], "tracebacks": lambda n: n == 0}
    return _missed(result, whole | {"p50_ms": lambda ms: ms < 100})


def _cancel_failures(result: Result) -> list[str]:
    whole = {"canceled": lambda n: n == result["count"], "tracebacks": lambda n: n == 0}
    return _missed(result, whole | {"p50_ms": lambda ms: ms < 100})


def _day_failures(result: Result) -> list[str]:
    failed = [f"ctrl_c: {line}" for line in _missed(result["ctrl_c"], {
        "seconds": lambda s: s < 5, "status": lambda n: n == 0, "tracebacks": lambda n: n == 0,
    })]  # fmt: skip
    none = {"images received": lambda n: n > 0, **dict.fromkeys(day.LOST, lambda n: n == 0)}
    failed += [f"lost: {line}" for line in _missed(result["lost"], none)]
    failed += [f"kill: {line}" for line in _kill_failures(result["kill"])]
    return failed + ([f"soak: {line}" for line in _soak_failures(result["soak"])] if "soak" in result else [])


TRIALS = {
    "day": Trial(lambda subject, args: day.day(subject, args.minutes, args.load), _day_failures),
    "fuzz": Trial(lambda subject, args: fuzz.fuzz(subject, args.count, args.seed), _fuzz_failures),
    "flood": Trial(lambda subject, args: flood.flood(subject, max(1, args.count // 1000)), _flood_failures),
    "camera": Trial(lambda subject, args: outages.camera_dies(subject), _camera_failures),
    "kill": Trial(lambda subject, args: outages.node_killed(subject), _kill_failures),
    "namespaces": Trial(lambda subject, args: outages.two_namespaces(subject), _namespace_failures),
    "slow_subscriber": Trial(lambda subject, args: outages.slow_subscriber(subject), _slow_failures),
    "class_files": Trial(
        lambda subject, args: class_files.damaged_files(subject, args.count, args.seed), _file_failures
    ),
    "soak": Trial(lambda subject, args: soak.soak(subject, args.minutes), _soak_failures),
    "transitions": Trial(
        lambda subject, args: control.transitions(subject, min(args.count, 100)), _transition_failures
    ),
    "cancels": Trial(lambda subject, args: control.cancels(subject, min(args.count, 100)), _cancel_failures),
    "transport": Trial(lambda subject, args: transport.transport(subject), _transport_failures),
    "callbacks": Trial(lambda subject, args: latency.camera_callbacks(subject), _callback_failures),
    "service": Trial(lambda subject, args: latency.service_overhead(subject, args.count), _service_failures),
}
