"""Where the kernels come from: found, compiled where they are missing, kept, and never half there."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from semcorr_ros.geometry.rotations import from_quaternion
from semcorr_ros.methods.semalign3d.alignment import compiled, initialize
from semcorr_ros.methods.semalign3d.alignment.compiled import build, layout, library, tables
from test.methods.semalign3d.alignment import by_autograd, fabricated
from test.methods.semalign3d.alignment.kernels import forgotten_kernels

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture
def nothing_compiled(monkeypatch, tmp_path):
    folder = tmp_path / "kernels"
    with forgotten_kernels(monkeypatch, folder):
        yield folder


def slow_compiler(folder: Path) -> str:
    """A compiler that says it has begun and waits for the file `go`; then the quick one does the work."""
    script = folder / "slow_compiler"
    script.write_text(
        f"#!/bin/sh\ntouch {folder}/begun\nwhile [ ! -e {folder}/go ]; do sleep 0.02; done\n"
        'exec c++ "$@" -O0\n'
    )
    script.chmod(0o755)
    return str(script)


def quick_compiler(folder: Path) -> str:
    """The real one, told not to optimize, for tests that are not about the arithmetic."""
    script = folder / "quick_compiler"
    script.write_text('#!/bin/sh\nexec c++ "$@" -O0\n')
    script.chmod(0o755)
    return str(script)


def test_they_are_compiled_once_and_kept(nothing_compiled, monkeypatch, tmp_path, caplog):
    monkeypatch.setenv("CXX", quick_compiler(tmp_path))
    assert library.find() is None
    library.load()
    assert next(record.message for record in caplog.records).startswith("compiling the alignment kernels")
    path = library.find()
    assert path.parent == nothing_compiled
    assert os.listdir(nothing_compiled) == [path.name]
    made = path.stat().st_mtime_ns
    library.Kernels().load()
    assert path.stat().st_mtime_ns == made
    assert len(caplog.records) == 2


def test_every_variant_of_this_processor_agrees(nothing_compiled, monkeypatch):
    """The baseline, which other processors run, is not what the other tests look at here."""
    model = fabricated.make_class()
    evidence = by_autograd.evidence_of(model)
    rotations = from_quaternion(torch.randn(40, 4, generator=torch.Generator()))
    starts = initialize.place(rotations, torch.full((40,), 2.0), evidence)
    found = []
    for variant in list(build.variants()):
        monkeypatch.setattr(library, "variants", lambda variant=variant: iter([variant]))
        monkeypatch.setattr(build, "variants", lambda variant=variant: iter([variant]))
        monkeypatch.setattr(library, "KERNELS", library.Kernels())
        found.append(compiled.score(model, evidence, starts, 0.1, 64))
        assert library.find().name == build.file_name(variant[0])
    for other in found[1:]:
        torch.testing.assert_close(other, found[0], rtol=1e-4, atol=1e-6)


def test_small_numbers_live_on():
    """-ffast-math would link start-up code that flushes them to zero in the whole process."""
    library.load()
    assert np.float64(5e-324) * 1.0 > 0
    assert np.float32(1e-45) * np.float32(1) > 0


def test_an_interrupted_compilation_leaves_nothing(nothing_compiled, monkeypatch, tmp_path):
    monkeypatch.setenv("CXX", slow_compiler(tmp_path))
    with library.begin() as compilation:
        while not (tmp_path / "begun").exists():
            time.sleep(0.01)
        assert not compilation.done()
    assert os.listdir(nothing_compiled) == []
    assert library.find() is None


def test_a_compiler_that_fails_is_quoted(nothing_compiled, monkeypatch, tmp_path):
    script = tmp_path / "broken"
    script.write_text("#!/bin/sh\necho 'kernels.cpp:1: error: out of luck' >&2\nexit 3\n")
    script.chmod(0o755)
    monkeypatch.setenv("CXX", str(script))
    with pytest.raises(library.Unavailable, match=r"failed \(3\).*out of luck"):
        library.load()


def test_a_damaged_library_is_named(nothing_compiled):
    nothing_compiled.mkdir()
    path = nothing_compiled / build.file_name(next(build.variants())[0])
    path.write_bytes(b"not a library")
    with pytest.raises(library.Unavailable, match=f"{path}.*delete the file"):
        library.load()


def test_a_folder_that_others_may_write_to_is_not_used(nothing_compiled, monkeypatch, tmp_path):
    """Below /tmp, anybody could have put a library there."""
    monkeypatch.setenv("CXX", quick_compiler(tmp_path))
    nothing_compiled.write_text("a file, so that no folder can be made")
    shared = library._shared()
    shared.mkdir()
    shared.chmod(0o777)
    with library.begin() as compilation:
        assert compilation.library().parent not in (shared, nothing_compiled)
    shared.chmod(0o700)
    with library.begin() as compilation:
        assert compilation.library().parent == shared
    assert stat.S_IMODE(library.find().parent.stat().st_mode) == 0o700
    shared.chmod(0o777)
    assert library.find() is None


def test_with_nothing_to_write_to_it_says_so(nothing_compiled, monkeypatch):
    nothing_compiled.write_text("a file, so that no folder can be made")

    def nowhere() -> str:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(library.tempfile, "gettempdir", nowhere)
    library._of_this_process.cache_clear()
    assert library.find() is None
    with pytest.raises(library.Unavailable, match=r"No usable temporary.*set SEMCORR_KERNELS"):
        library.load()


def test_arrays_of_another_kind_are_refused():
    values = np.zeros((2, 3), np.float32)
    for wrong in (values.astype(np.float64), values.T, values[:, :2]):
        with pytest.raises(TypeError, match="a kernel wants float32"):
            layout.floats(wrong, 2, 3)


def test_a_library_of_another_layout_is_refused(monkeypatch):
    monkeypatch.setattr(layout, "EXPECTED", (*layout.EXPECTED[:-1], 0.75))
    with pytest.raises(library.Unavailable, match=r"structures or constants are .*0\.75"):
        library.Kernels().load()
    assert tables.BLOCK == 64


@pytest.mark.skipif(shutil.which("cmake") is None, reason="needs CMake")
def test_cmake_builds_what_is_looked_for(tmp_path):
    """Same sources, same digest: what CMakeLists.txt installs is found by the name that build.py gives."""
    folder = ROOT / "semcorr_ros/methods/semalign3d/alignment/compiled/kernels"
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.16)\nproject(only_kernels CXX)\n"
        f"include({ROOT}/cmake/kernels.cmake)\nkernels_targets({folder} libraries)\n"
    )
    work = tmp_path / "build"
    environment = {**os.environ, "CXX": quick_compiler(tmp_path)}
    for command in (
        ["-S", tmp_path, "-B", work, f"-DCMAKE_INSTALL_PREFIX={tmp_path}"],
        ["--build", work, "--target", "install"],
    ):
        done = subprocess.run(["cmake", *command], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    found = {path.name for path in (tmp_path / "libraries").iterdir()}
    assert found >= {build.file_name(name) for name, _ in build.variants()}
