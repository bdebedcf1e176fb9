"""What arrived, what was published and why the rest was not: /diagnostics."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterable

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from semcorr_ros.artifacts import KeypointState
from semcorr_ros.reasons import REASONS
from semcorr_ros.refusal import Code, shortened

RECENT = 1000  # times of each kind that are kept
GOOD = ("pictures published", "requests answered")
# A caller's mistake is no defect of the node: these are, when nothing comes through beside them.
DEFECTS = {
    Code.UNKNOWN,
    Code.NO_CAMERA_INFO,
    Code.UNCALIBRATED,
    Code.BAD_ENCODING,
    Code.SIZE_MISMATCH,
    Code.SYNC_MISS,
    Code.QOS_INCOMPATIBLE,
    Code.TF_MISSING,
    Code.OUT_OF_MEMORY,
}
TRANSPORT = (Code.QOS_INCOMPATIBLE, Code.MESSAGE_LOST)  # why nothing arrives


class Counters:
    """Thread-safe counts by name, with the latest sentence for each reason to drop a frame."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._told: Counter[str] = Counter()  # as of the last message
        self._reasons: dict[Code, str] = {}
        self._facts: dict[str, str] = {}
        self._durations: dict[str, deque[float]] = {}

    def add(self, name: str, amount: int = 1) -> None:
        """Count something that happened."""
        with self._lock:
            self._counts[name] += amount

    def tell(self, key: str, value: str) -> None:
        """A fact that is part of every message from now on."""
        with self._lock:
            self._facts[key] = value

    def points(self, states: Iterable[int]) -> None:
        """Count published keypoints by state: how many were missing, and why."""
        with self._lock:
            self._counts.update(f"points {KeypointState(state).name}" for state in states)

    def took(self, name: str, seconds: float) -> None:
        """Remember how long something took; the last RECENT times of each name count."""
        with self._lock:
            self._durations.setdefault(name, deque(maxlen=RECENT)).append(seconds)

    def drop(self, reason: Code | str, sentence: str) -> bool:
        """Count a dropped frame or refused request; True when this reason is new (worth a log line)."""
        code = Code[reason] if isinstance(reason, str) else reason
        with self._lock:
            self._counts[_dropped(code)] += 1
            new = code not in self._reasons
            self._reasons[code] = shortened(sentence)
        return new

    def message(self, name: str) -> DiagnosticArray:
        """All counts as one diagnostic status, which is about the time since the last one.

        WARN when something went wrong in that time, ERROR when a defect let nothing through.
        The caller stamps it.
        """
        with self._lock:
            counts, reasons, facts = dict(self._counts), dict(self._reasons), dict(self._facts)
            recent = self._counts - self._told
            durations = {name: sorted(times) for name, times in self._durations.items()}
            self._told = self._counts.copy()
        level, text = _verdict(counts, recent)
        status = DiagnosticStatus(name=name, level=level, message=text)
        status.values = [KeyValue(key=key, value=str(value)) for key, value in sorted(counts.items())]
        facts |= _milliseconds(durations)
        status.values += [KeyValue(key=key, value=value) for key, value in sorted(facts.items())]
        for code, sentence in sorted(reasons.items()):
            status.values.append(KeyValue(key=f"why {code.name}", value=sentence))
            status.values.append(KeyValue(key=f"fix {code.name}", value=REASONS[code].fix))
        return DiagnosticArray(status=[status])


def _verdict(counts: dict[str, int], recent: Counter[str]) -> tuple[bytes, str]:
    lost = {code: recent[_dropped(code)] for code, reason in REASONS.items() if not reason.harmless}
    worst = max(lost, key=lambda code: lost[code])
    if not counts.get("images received") and not any(lost[code] for code in TRANSPORT):
        return DiagnosticStatus.WARN, "no image has arrived"
    if lost[worst]:
        broken = worst in DEFECTS and not any(recent[name] for name in GOOD)
        broken |= worst == Code.MESSAGE_LOST and not recent["images received"]
        level = DiagnosticStatus.ERROR if broken else DiagnosticStatus.WARN
        return level, f"{worst.name} ({lost[worst]} in the last period): {REASONS[worst].meaning}"
    if not recent["images received"]:
        return DiagnosticStatus.WARN, "images no longer arrive"
    return DiagnosticStatus.OK, "looking at images"


def _milliseconds(durations: dict[str, list[float]]) -> dict[str, str]:
    """Median, 99th percentile and maximum of sorted times."""
    shares = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    return {
        f"{name} {label} ms": f"{1000 * times[min(len(times) - 1, int(share * len(times)))]:.3f}"
        for name, times in durations.items()
        for label, share in shares.items()
    }


def _dropped(code: Code) -> str:
    return f"dropped {code.name}"
