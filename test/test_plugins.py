"""A plug-in is found by its file name; errors say what to do."""

import sys

import pytest

from semcorr_lab.synthetic import categories
from semcorr_ros import plugins


def test_available_needs_no_import():
    assert {"tiny", "precomputed"} <= set(plugins.available("features"))
    assert not any(name.startswith("_") for name in plugins.available("features"))


def test_unknown_name_lists_the_choices():
    with pytest.raises(ValueError, match=r"unknown features plug-in 'dino9'; available: .*precomputed"):
        plugins.load("features", "dino9")


def test_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "trimesh", None)
    for name in [name for name in sys.modules if name.startswith("semcorr_lab.synthetic")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ImportError, match=r"trimesh.*semcorr_ros\[synthetic\]"):
        categories.load("mug")


def test_a_package_that_is_too_old_is_named_with_its_version(monkeypatch, tmp_path):
    (tmp_path / "ancient.py").write_text("from transformers import NothingOfTheKind\n")
    import semcorr_ros.masks

    monkeypatch.setattr(semcorr_ros.masks, "__path__", [*semcorr_ros.masks.__path__, str(tmp_path)])
    wanted = r"masks plug-in 'ancient' does not work with transformers \d.*pip install -U .*\[foundation\]"
    with pytest.raises(ImportError, match=wanted):
        plugins.load("masks", "ancient")


PARTS = {
    "features": ("Config", "build"),
    "depth": ("Config", "build"),
    "masks": ("Config", "build"),
    "datasets": ("build",),
    "matching": ("NEEDS_ALIGNMENT", "match"),
    "methods.semalign3d.alignment.terms": ("energy",),
    "semcorr_lab.synthetic.categories": ("INFO", "generate"),
    "cli": ("add_arguments", "run"),
}


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in PARTS for name in plugins.available(kind)]
)
def test_every_plug_in_defines_its_contract(kind, name):
    module = plugins.load(kind, name)
    assert module.__doc__
    for part in PARTS[kind]:
        assert hasattr(module, part), f"{kind}/{name}.py lacks {part}"
