"""What arrived, what was published and why the rest was not: /diagnostics."""

from __future__ import annotations

import threading
from collections import Counter

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from semcorr_ros.ros.refusal import Code


class Counters:
    """Thread-safe counts by name, with the latest sentence for each reason to drop a frame."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._reasons: dict[str, str] = {}

    def add(self, name: str, amount: int = 1) -> None:
        """Count something that happened."""
        with self._lock:
            self._counts[name] += amount

    def drop(self, reason: Code | str, sentence: str) -> bool:
        """Count a dropped frame or refused request; True when this reason is new (worth a log line)."""
        name = reason.name if isinstance(reason, Code) else reason
        with self._lock:
            self._counts[f"dropped {name}"] += 1
            new = name not in self._reasons
            self._reasons[name] = sentence
        return new

    def message(self, name: str) -> DiagnosticArray:
        """All counts as one diagnostic status. The caller stamps it."""
        with self._lock:
            counts, reasons = dict(self._counts), dict(self._reasons)
        status = DiagnosticStatus(name=name, level=DiagnosticStatus.OK, message="looking at images")
        if not counts.get("images received"):
            status.level, status.message = DiagnosticStatus.WARN, "no image has arrived"
        status.values = [KeyValue(key=key, value=str(value)) for key, value in sorted(counts.items())]
        status.values += [KeyValue(key=f"why {key}", value=text) for key, text in sorted(reasons.items())]
        return DiagnosticArray(status=[status])
