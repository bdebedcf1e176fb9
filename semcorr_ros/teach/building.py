"""The class is built by a process of its own, beside the page, and built again when pictures come."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semcorr_ros.storage import read_json, write_json

LATE = 0.5  # share of a build that is done, from which it is not given up for a newer one
POLITE = 10  # niceness: the page comes first
WORDS = 2000  # characters of what a failed build said

Command = Callable[[Path, Path], Sequence[str]]  # class file, progress file -> words of a process


@dataclass(frozen=True)
class Built:
    """A class file, and of which revision of the project it is."""

    path: Path
    report: dict[str, Any]
    revision: int
    seconds: float


class Builder:
    """Runs one build at a time; the latest request counts."""

    def __init__(self, folder: Path, command: Command, on_built: Callable[[Built], None]) -> None:
        """Start idle. folder: of what is made; on_built: called from a thread of the builder."""
        self._folder, self._command, self._on_built = folder, command, on_built
        self._lock = threading.Condition()
        self._wanted: tuple[int, str] | None = None
        self._running: subprocess.Popen[bytes] | None = None
        self._error = ""
        self._built = 0
        self._began = 0.0
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="builds", daemon=True)
        self._thread.start()

    def want(self, revision: int, content: str) -> None:
        """Ask for a build of a revision. One that runs is given up, unless it is nearly done.

        content: a digest of what it is built from. Where the last build was of the same, before a restart as
        well, it is taken as it is.
        """
        with self._lock:
            self._wanted = revision, content
            if self._running is not None and self._progress()[1] < LATE:
                _end(self._running)
            self._lock.notify()

    def forget(self) -> None:
        """Build nothing: what there is to build has gone."""
        with self._lock:
            self._wanted = None
            if self._running is not None:
                _end(self._running)

    def status(self) -> dict[str, Any]:
        """Tell what is going on, for the page."""
        with self._lock:
            running, wanted = self._running is not None, self._wanted is not None
            stage, share = self._progress() if running else ("", 0.0)
            state = "running" if running else "waiting" if wanted else "failed" if self._error else "idle"
            seconds = time.monotonic() - self._began if running else 0.0
            return {
                "state": state,
                "stage": stage,
                "share": round(share, 3),
                "seconds": round(seconds, 1),
                "error": self._error,
                "revision": self._built,
            }

    def close(self) -> None:
        """End the build that runs."""
        with self._lock:
            self._closed = True
            self._wanted = None
            if self._running is not None:
                _end(self._running)
            self._lock.notify()
        self._thread.join(10)

    def _run(self) -> None:
        while True:
            with self._lock:
                self._lock.wait_for(lambda: self._closed or self._wanted is not None)
                if self._closed or self._wanted is None:
                    return
                (revision, content), self._wanted = self._wanted, None
                if self._is_there(content):
                    process = None
                else:
                    process, log = self._start()
            status = 0 if process is None else process.wait()
            with self._lock:
                self._running = None
                given_up = self._wanted is not None and status != 0
            if not given_up and not self._closed and status != -signal.SIGTERM:
                self._finish(status, revision, content, log if process else None)

    def _start(self) -> tuple[subprocess.Popen[bytes], Path]:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._progress_file.unlink(missing_ok=True)
        self._made_of.unlink(missing_ok=True)
        log = self._folder / "build.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                self._command(self._class_file, self._progress_file),
                stdout=file,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        with contextlib.suppress(OSError, AttributeError):
            os.setpriority(os.PRIO_PROCESS, process.pid, POLITE)
        self._running, self._began, self._error = process, time.monotonic(), ""
        return process, log

    def _finish(self, status: int, revision: int, content: str, log: Path | None) -> None:
        try:
            if status != 0:
                said = _last_words(log) if log else ""
                raise ValueError(said or f"the build ended with status {status}")
            if log is not None:
                write_json(self._made_of, {"content": content, "seconds": time.monotonic() - self._began})
            report = read_json(self._class_file.with_suffix(".json"))
            seconds = float(read_json(self._made_of)["seconds"])
            self._on_built(Built(self._class_file, report, revision, seconds))
            self._built = revision
        except Exception as error:
            with self._lock:
                self._error = str(error)

    def _is_there(self, content: str) -> bool:
        try:
            return bool(read_json(self._made_of)["content"] == content) and self._class_file.is_file()
        except (OSError, ValueError, KeyError, TypeError):
            return False

    @property
    def _made_of(self) -> Path:
        return self._folder / "made_of.json"

    @property
    def _class_file(self) -> Path:
        return self._folder / "class.safetensors"

    @property
    def _progress_file(self) -> Path:
        return self._folder / "progress.json"

    def _progress(self) -> tuple[str, float]:
        try:
            told = read_json(self._progress_file)
            return str(told["stage"]), float(told["share"])
        except (OSError, ValueError, KeyError, TypeError):
            return "starting", 0.0


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        process.terminate()


def _last_words(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    named = [line for line in lines if line.startswith("semcorr_ros")]
    return (named or lines or [""])[-1][-WORDS:]
