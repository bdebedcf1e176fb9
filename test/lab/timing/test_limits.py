"""What is counted is what was done; a limit is the slowest resource."""

from dataclasses import replace

import pytest
import torch

from semcorr_lab.timing import beside, limits, machine
from semcorr_lab.timing.limits import Work
from semcorr_lab.timing.machine import Machine
from semcorr_ros.methods.semalign3d.alignment.presets import preset
from test.methods.semalign3d.alignment import fabricated

MACHINE = Machine(near_bytes_per_s=1e11, far_bytes_per_s=1e10, flops_per_s=1e12, launch_s=1e-6)


def test_operations_of_torch_are_counted_and_views_are_not():
    a = torch.ones(10, 20, requires_grad=True)
    work = limits.counted(lambda: (a.T.reshape(20, 10) @ a).exp().sum().backward(), times=2)
    assert work.flops == 2 * 3 * 2 * 20 * 10 * 20, "the product and its two gradients"
    plain = limits.counted(lambda: a.detach().view(200).exp())
    assert plain.launches == 1
    assert plain.bytes == plain.working_set == 2 * 200 * 4


def test_the_limit_is_what_takes_longest():
    work = Work(flops=1e9, bytes=1e8, launches=500, working_set=1e9)
    assert limits.verdict(work, MACHINE, 30.0) == {
        "limit": "bytes",
        "ms": pytest.approx({"bytes": 10.0, "arithmetic": 1.0, "launches": 0.5}),
        "times": pytest.approx(3.0),
    }
    assert limits.verdict(replace(work, working_set=1e6), MACHINE, 5.0)["ms"]["bytes"] == pytest.approx(1.0)
    assert limits.verdict(replace(work, launches=1e6), MACHINE, 5.0)["limit"] == "launches"


def test_an_alignment_grows_with_its_loops():
    model, fast = fabricated.make_class(), preset("fast")
    once = limits.of_alignment(model, fast, 16, 1)
    twice = replace(fast, optimize=replace(fast.optimize, batch=2 * fast.optimize.batch))
    assert 1.2 < limits.of_alignment(model, twice, 16, 1).flops / once.flops < 2
    assert limits.of_alignment(model, fast, 8, 1).flops < once.flops
    everything = replace(fast, optimize=replace(fast.optimize, survivors=()))
    assert limits.of_alignment(model, everything, 16, 1).flops > 2 * once.flops


def test_a_machine_is_measured():
    found = machine.measured(runs=2)
    assert found.flops_per_s > 1e8
    assert 1e7 < found.far_bytes_per_s < 1e13
    assert 1e-8 < found.launch_s < 1e-2


def test_what_cannot_be_measured_says_why(tmp_path, monkeypatch):
    found = beside.bank(tmp_path / "no.safetensors", 2, "cpu")
    assert "no file" in found["skipped"]
    monkeypatch.setattr(beside.importlib.util, "find_spec", lambda name: None)
    assert "without the nodes" in beside.bank(tmp_path / "no.safetensors", 2, "cpu")["skipped"]
