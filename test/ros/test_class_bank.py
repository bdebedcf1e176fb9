"""Classes under a memory budget: who goes, who stays, and that nothing adds up over many swaps."""

from __future__ import annotations

import gc
import os
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch
from methods.semalign3d.alignment import fabricated

from semcorr_ros.methods.semalign3d.class_file import write_class
from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.ros.session import Session
from semcorr_ros.serving import resident
from semcorr_ros.serving.class_bank import MEGABYTE, ClassBank
from semcorr_ros.serving.resident import tensor_bytes

NAMES = ("apple", "pear", "plum")


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("classes")
    for name in NAMES:
        write_class(folder / f"{name}.safetensors", replace(model, info=replace(model.info, name=name)))
    return folder


@pytest.fixture
def bank(model, folder):
    """Room for two of three."""
    bank = ClassBank("cpu", fabricated.BACKBONE, int(2.5 * tensor_bytes(model)))
    for name in NAMES:
        bank.load(folder / f"{name}.safetensors")
    return bank


def held(bank: ClassBank) -> list[str]:
    return [resident.info.name for resident in bank.all() if resident.held is not None]


def test_the_least_recently_used_class_is_evicted_and_comes_back(bank, model):
    assert held(bank) == ["pear", "plum"]
    assert [resident.info.name for resident in bank.all()] == list(NAMES)  # all of them are known
    assert bank.used() == 2 * tensor_bytes(model)
    bank.hold("pear")
    assert torch.equal(bank.hold("apple").model.representation.sparse, model.sparse)
    assert held(bank) == ["apple", "pear"]


def test_active_classes_stay(bank):
    bank.hold("apple")
    bank.activate({"apple"})
    for name in ("pear", "plum", "pear"):
        bank.hold(name)
        assert "apple" in held(bank)
    with pytest.raises(Refusal) as caught:
        bank.activate(set(NAMES))
    assert caught.value.code == Code.OUT_OF_MEMORY
    assert "memory_budget_mb" in caught.value.message
    assert [resident.active for resident in bank.all()] == [True, False, False]


def test_memory_is_flat_over_a_thousand_swaps(bank):
    first = weakref.ref(bank.hold("apple").model)
    for i in range(30):  # the page cache and the allocator have settled
        bank.hold(NAMES[i % 3])
    before = _resident_bytes()
    for i in range(1000):
        bank.hold(NAMES[i % 3])
    gc.collect()
    assert first() is None
    assert bank.used() <= 2.5 * tensor_bytes(bank.hold("pear").model)
    assert _resident_bytes() - before < 20 * MEGABYTE


def test_changes_are_told(bank):
    told = []
    bank.on_change = lambda: told.append(held(bank))
    bank.hold("apple")
    bank.unload("plum")
    assert told == [["apple", "plum"], ["apple"]]


def test_a_file_that_changed_while_evicted(model, folder, tmp_path):
    path = tmp_path / "fig.safetensors"
    write_class(path, replace(model, info=replace(model.info, name="fig")))
    bank = ClassBank("cpu", fabricated.BACKBONE, int(1.5 * tensor_bytes(model)))
    version = bank.load(path).version
    bank.load(folder / "pear.safetensors")
    write_class(path, replace(model, info=replace(model.info, name="fig", flat=True)))
    assert bank.hold("fig").version != version
    assert bank.get("fig").info.flat
    bank.hold("pear")
    write_class(path, model)
    with pytest.raises(Refusal, match="not 'fig'") as caught:
        bank.hold("fig")
    assert caught.value.code == Code.BAD_FILE
    path.unlink()
    with pytest.raises(Refusal) as caught:
        bank.hold("fig")
    assert caught.value.code == Code.BAD_FILE


@pytest.mark.parametrize("path", ["/etc/passwd", "../outside.safetensors", "link.safetensors"])
def test_callers_are_confined_to_the_folder(model, tmp_path, path):
    folder = tmp_path / "classes"
    write_class(folder / "pear.safetensors", model)
    write_class(tmp_path / "outside.safetensors", model)
    os.symlink(tmp_path / "outside.safetensors", folder / "link.safetensors")
    bank = ClassBank("cpu", fabricated.BACKBONE, folder=str(folder))
    assert bank.load("pear.safetensors", confined=True).info.name == model.info.name
    assert bank.load(folder / "pear.safetensors", confined=True).path == folder / "pear.safetensors"
    with pytest.raises(Refusal, match="class_folder") as caught:
        bank.load(path, confined=True)
    assert caught.value.code == Code.FORBIDDEN


@pytest.mark.parametrize("path", ["/dev/zero", "/etc/passwd", "/dev/zero.safetensors", "/proc"])
def test_without_a_folder_only_class_files_are_opened(path):
    with pytest.raises(Refusal) as caught:
        ClassBank("cpu", "any:1").load(path, confined=True)
    assert caught.value.code == Code.BAD_FILE


def test_devices_and_folders_are_not_read():
    for path in ("/dev/zero", "/proc"):
        with pytest.raises(Refusal, match="is not a file"):
            ClassBank("cpu", "any:1").load(path)


def test_a_class_that_is_being_read_holds_nobody_up(bank, folder, monkeypatch):
    """While the file of one class does not end, the others are held, listed, evicted and forgotten."""
    reading, go_on, read = threading.Event(), threading.Event(), resident.methods.load

    def slow(*given):
        reading.set()
        assert go_on.wait(30)
        return read(*given)

    bank.unload("apple")
    monkeypatch.setattr(resident.methods, "load", slow)
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(bank.load, folder / "apple.safetensors")
        try:
            assert reading.wait(30)
            assert bank.hold("pear").model is not None
            assert bank.used() > 0
            bank.activate({"plum"})
            bank.evict_idle()
            bank.unload("pear")
            assert [resident.info.name for resident in bank.all()] == ["plum"]
            assert not loading.done()
        finally:
            go_on.set()
        assert loading.result().info.name == "apple"
    assert [resident.info.name for resident in bank.all()] == ["apple", "plum"]
    assert bank.get("plum").active


class _Full(Session):
    """A session whose device is full, without a backbone."""

    def __init__(self, bank: ClassBank):
        self.bank, self.demonstrations = bank, self
        self.forgot = []
        self._streams = {"": self}

    def forget(self) -> None:
        self.forgot.append("demonstrations")

    def release(self) -> None:
        self.forgot.append("streams")


def test_a_full_device_is_cleared_once_and_then_refused(bank):
    session, attempts = _Full(bank), []

    def work(fails: int) -> str:
        attempts.append(held(bank))
        if len(attempts) <= fails:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return "done"

    assert session.spare(lambda: work(1)) == "done"
    assert attempts == [["pear", "plum"], []]
    assert session.forgot == ["demonstrations", "streams"]
    attempts.clear()
    with pytest.raises(Refusal, match="Tried to allocate") as caught:
        session.spare(lambda: work(2))
    assert caught.value.code == Code.OUT_OF_MEMORY


def _resident_bytes() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
