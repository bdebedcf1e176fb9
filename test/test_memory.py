"""Peaks of memory."""

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from semcorr_ros.memory import MEGABYTE, peak_memory

ASK = "import json; from semcorr_ros.memory import peak_memory; {}; print(json.dumps(peak_memory()))"


def of_a_process(work: str) -> dict:
    done = subprocess.run(
        [sys.executable, "-c", ASK.format(work)], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_the_peak_stays_when_the_memory_is_given_back():
    plain = of_a_process("0")
    busy = of_a_process("x = bytearray(200 << 20); del x")
    assert 150 * MEGABYTE < busy["process_bytes"] - plain["process_bytes"] < 250 * MEGABYTE


def test_without_a_gpu_it_says_so(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    peak = peak_memory()
    assert (peak["gpu"], peak["gpu_bytes"]) == ("none", None)
    assert peak["worker_bytes"] >= 0


@pytest.mark.parametrize(("initialized", "expected"), [(True, ("H200", 300)), (False, ("unused", None))])
def test_a_gpu_counts_once_it_is_used(monkeypatch, initialized, expected):
    fake = SimpleNamespace(
        is_available=lambda: True,
        is_initialized=lambda: initialized,
        device_count=lambda: 2,
        get_device_name=lambda: "H200",
        max_memory_allocated=lambda device: 100 * (device + 1),
    )
    monkeypatch.setattr(torch, "cuda", fake)
    peak = peak_memory()
    assert (peak["gpu"], peak["gpu_bytes"]) == expected
