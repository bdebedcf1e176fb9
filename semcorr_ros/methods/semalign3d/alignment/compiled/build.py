"""Compile kernels/ into a shared library, where none came with the installation. Standard library only.

One source, once for each kind of processor in kernels/variants.txt, by the flags in kernels/flags.txt;
CMakeLists.txt reads the same two files. Not -ffast-math: its start-up code would flush denormals to zero
in the whole process.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

SOURCES = Path(__file__).parent / "kernels"
COMPILERS = ("c++", "g++", "clang++")
CPU_INFO = Path("/proc/cpuinfo")


class Unavailable(RuntimeError):  # noqa: N818 - a fact about the machine, which the caller may live with
    """Raised where the kernels can be neither found nor compiled; the message says why and what to do."""


def digest() -> str:
    """Digest the sources for a library's name, as CMakeLists.txt computes it."""
    files = sorted(path for path in SOURCES.iterdir() if path.suffix in (".cpp", ".hpp", ".txt"))
    listed = "".join(hashlib.sha256(path.read_bytes()).hexdigest() for path in files)
    return hashlib.sha256(listed.encode()).hexdigest()[:12]


def variants() -> Iterator[tuple[str, list[str]]]:
    """List name and flags of the variants that this processor runs, the fastest first."""
    machine, able = platform.machine(), _abilities()
    for line in (SOURCES / "variants.txt").read_text().splitlines():
        architecture, name, *flags = line.split()
        if architecture in ("any", machine) and {flag.removeprefix("-m") for flag in flags} <= able:
            yield name, flags


def file_name(variant: str) -> str:
    """Name the library of one variant of these sources."""
    return f"semcorr_kernels-{digest()}-{variant}.so"


class Compilation:
    """A compiler at work on the fastest variant for this processor, in a process of its own.

    Leaving the context ends it, finished or not.
    """

    def __init__(self, folder: Path):
        """Start the compiler.

        Raises Unavailable without a compiler, OSError where `folder` cannot be written.
        """
        name, flags = next(variants())
        command = [*compiler(), *(SOURCES / "flags.txt").read_text().split(), *flags]
        self._name, self._target = command[0], folder / file_name(name)
        self._work = Path(tempfile.mkdtemp(prefix="building-", dir=folder))
        self._log = (self._work / "log").open("w+")
        self._start = time.monotonic()
        try:
            self._process = subprocess.Popen(
                [*command, "-fPIC", "-shared", "-o", "library.so", str(SOURCES / "kernels.cpp")],
                cwd=self._work,
                env={**os.environ, "TMPDIR": str(self._work)},
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                start_new_session=True,  # Ctrl-C is for us to answer
            )
        except OSError as error:
            self._clear()
            raise Unavailable(f"the compiler {self._name!r} does not start: {error}") from error

    def __enter__(self) -> Compilation:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def seconds(self) -> float:
        """Measure the time since it began."""
        return time.monotonic() - self._start

    def done(self) -> bool:
        """Tell whether it has ended, without waiting."""
        return self._process.poll() is not None

    def library(self) -> Path:
        """Wait for the library, then move it into place atomically. Raises Unavailable."""
        if self._process.wait() != 0:
            self._log.seek(0)
            lines = [line for line in self._log.read().splitlines() if line.strip()]
            said = next((line for line in lines if "error" in line), lines[0] if lines else "it said nothing")
            raise Unavailable(f"{self._name} failed ({self._process.returncode}): {said}")
        os.replace(self._work / "library.so", self._target)
        return self._target

    def stop(self) -> None:
        """End the compiler, with those that it started; any thread may."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Stop, and remove what is unfinished."""
        self.stop()
        self._process.wait()
        self._clear()

    def _clear(self) -> None:
        self._log.close()
        shutil.rmtree(self._work, ignore_errors=True)


def compiler() -> list[str]:
    """Return the command of $CXX, or of the first compiler that is installed. Raises Unavailable."""
    chosen = shlex.split(os.environ.get("CXX", ""))
    for command in [chosen] if chosen else [[name] for name in COMPILERS]:
        if shutil.which(command[0]):
            return command
    tried = chosen[0] if chosen else ", ".join(COMPILERS)
    raise Unavailable(f"no C++ compiler ({tried}) is installed (sudo apt install g++)")


def _abilities() -> set[str]:
    """List the instruction sets of this processor, as far as Linux tells."""
    try:
        lines = CPU_INFO.read_text().splitlines()
    except OSError:
        return set()
    return set(next((line for line in lines if line.startswith("flags")), "").partition(":")[2].split())
