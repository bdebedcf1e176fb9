"""Count what arrived, what was published and why the rest was not, and judge it."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from semcorr_ros.artifacts import KeypointState
from semcorr_ros.reasons import REASONS, Level
from semcorr_ros.refusal import Code, shortened

RECENT = 1000  # times of each kind that are kept
GRACE = 3.0  # seconds in which nodes that start find each other
QUIET = 10.0  # seconds without a reason after which it is news again
GOOD = ("pictures published", "requests answered")
# A caller's mistake is no defect of the node: these are, when nothing succeeds beside them.
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


@dataclass(frozen=True)
class Report:
    """Counts and facts, and the verdict on them."""

    level: Level
    text: str
    values: dict[str, str]


class Counters:
    """Thread-safe counts by name, with the latest sentence for each reason to drop a frame."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """Start at zero. now: a clock in seconds."""
        self._now, self._begun = now, now()
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._told: Counter[str] = Counter()  # `_counts` as of the last report
        self._reasons: dict[Code, str] = {}
        self._seen: dict[Code, float] = {}  # when each reason last applied
        self._logged: set[Code] = set()  # of those that still apply
        self._facts: dict[str, str] = {}
        self._durations: dict[str, deque[float]] = {}

    def begin(self) -> None:
        """Begin the grace period: cameras are subscribed to from now on."""
        with self._lock:
            self._begun = self._now()

    def add(self, name: str, amount: int = 1) -> None:
        """Count an event."""
        with self._lock:
            self._counts[name] += amount

    def tell(self, key: str, value: str) -> None:
        """Set a fact that is part of every report from now on."""
        with self._lock:
            self._facts[key] = value

    def points(self, states: Iterable[int]) -> None:
        """Count published keypoints by state: how many were missing, and why."""
        with self._lock:
            self._counts.update(f"points {KeypointState(state).name}" for state in states)

    def took(self, name: str, seconds: float) -> None:
        """Record how long something took; the last RECENT times of each name count."""
        with self._lock:
            self._durations.setdefault(name, deque(maxlen=RECENT)).append(seconds)

    def drop(self, code: Code, sentence: str) -> bool:
        """Count a dropped frame or refused request; True when that is news, worth a line in the log: it did
        not happen for QUIET seconds, and is not what always happens while nodes start."""
        with self._lock:
            now = self._now()
            if now - self._seen.get(code, -math.inf) > QUIET:
                self._logged.discard(code)
            self._counts[_dropped(code)] += 1
            self._seen[code], self._reasons[code] = now, shortened(sentence)
            new = code not in self._logged and not (REASONS[code].starting and now - self._begun < GRACE)
            if new:
                self._logged.add(code)
        return new

    def report(self) -> Report:
        """Judge the time since the last report, and return all counts since the start.

        WARN when something went wrong in that time, ERROR when a defect let nothing through.
        """
        with self._lock:
            counts, reasons, facts = dict(self._counts), dict(self._reasons), dict(self._facts)
            ages = {code: self._now() - seen for code, seen in self._seen.items()}
            recent = self._counts - self._told
            durations = {name: sorted(times) for name, times in self._durations.items()}
            self._told = self._counts.copy()
        level, text = _verdict(counts, recent)
        values = {key: str(value) for key, value in sorted(counts.items())}
        values |= dict(sorted((facts | _milliseconds(durations)).items()))
        for code, sentence in sorted(reasons.items()):
            values |= {f"why {code.name}": sentence, f"fix {code.name}": REASONS[code].fix}
            values[f"last {code.name}"] = f"{ages[code]:.1f} s ago"
        return Report(level, text, values)


def _verdict(counts: dict[str, int], recent: Counter[str]) -> tuple[Level, str]:
    lost = {code: recent[_dropped(code)] for code, reason in REASONS.items() if not reason.harmless}
    worst = max(lost, key=lambda code: lost[code])
    if not counts.get("images received") and not any(lost[code] for code in TRANSPORT):
        return Level.WARN, "no image has arrived"
    if lost[worst]:
        broken = worst in DEFECTS and not any(recent[name] for name in GOOD)
        broken |= worst == Code.MESSAGE_LOST and not recent["images received"]
        level = Level.ERROR if broken else Level.WARN
        return level, f"{worst.name} ({lost[worst]} in the last period): {REASONS[worst].meaning}"
    if not recent["images received"]:
        return Level.WARN, "images no longer arrive"
    return Level.OK, "looking at images"


def _milliseconds(durations: dict[str, list[float]]) -> dict[str, str]:
    """Format median, 99th percentile and maximum of sorted times in milliseconds."""
    shares = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    return {
        f"{name} {label} ms": f"{1000 * times[min(len(times) - 1, int(share * len(times)))]:.3f}"
        for name, times in durations.items()
        for label, share in shares.items()
    }


def _dropped(code: Code) -> str:
    return f"dropped {code.name}"
