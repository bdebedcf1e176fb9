"""A plug-in is found by its file name; errors say what to do."""

import dataclasses
import sys

import pytest

from semcorr_lab.synthetic import categories
from semcorr_ros.datasets import DATASETS
from semcorr_ros.depth import DEPTH
from semcorr_ros.features import FEATURES
from semcorr_ros.masks import MASKS
from semcorr_ros.mesh_prior.azimuth import ESTIMATORS
from semcorr_ros.mesh_prior.rasterizers import RASTERIZERS
from semcorr_ros.mesh_prior.reconstruction import MESHES
from semcorr_ros.methods import METHODS
from semcorr_ros.methods.semalign3d.alignment.terms import TERMS
from semcorr_ros.registry import Plugin, load_module, names
from semcorr_ros.workers import ENGINES


def test_available_needs_no_import():
    assert {"tiny", "precomputed"} <= set(FEATURES.names())
    assert not any(name.startswith("_") for name in FEATURES.names())


def test_unknown_name_lists_the_choices():
    with pytest.raises(ValueError, match=r"unknown features plug-in 'dino9'; available: .*precomputed"):
        FEATURES.load("dino9")


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
        MASKS.load("ancient")


REGISTRIES = {
    "features": FEATURES,
    "depth": DEPTH,
    "masks": MASKS,
    "datasets": DATASETS,
    "workers": ENGINES,
    "terms": TERMS,
    "methods": METHODS,
    "reconstruction": MESHES,
    "azimuth": ESTIMATORS,
    "rasterizers": RASTERIZERS,
}
MODULES = {
    "semcorr_lab.synthetic.categories": ("INFO", "generate"),
    "semcorr_ros.cli": ("run",),
}


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, registry in REGISTRIES.items() for name in registry.names()]
)
def test_every_plug_in_says_what_it_is(kind, name):
    if name in ("ray", "pytorch3d"):
        pytest.importorskip(name)
    plugin = REGISTRIES[kind].load(name)
    assert sys.modules[f"{REGISTRIES[kind]._package}.{name}"].__doc__
    if isinstance(plugin, Plugin):
        assert plugin.name == f"{kind}/{name}"
        assert dataclasses.is_dataclass(plugin.settings)
        assert plugin.settings.__name__ != "Config"  # told apart without looking at imports


@pytest.mark.parametrize(
    ("package", "name"), [(package, name) for package in MODULES for name in names(package)]
)
def test_every_module_defines_its_contract(package, name):
    module = load_module(package, name)
    assert module.__doc__
    for part in MODULES[package]:
        assert hasattr(module, part), f"{package}.{name} lacks {part}"


def test_a_file_without_a_plugin_is_told_what_to_say(monkeypatch, tmp_path):
    (tmp_path / "silent.py").write_text("build = len\n")
    import semcorr_ros.masks

    monkeypatch.setattr(semcorr_ros.masks, "__path__", [*semcorr_ros.masks.__path__, str(tmp_path)])
    with pytest.raises(TypeError, match=r"masks\.silent must say PLUGIN = MaskPlugin\(\.\.\.\)"):
        MASKS.load("silent")


def test_settings_are_read_as_their_types_and_wrong_ones_refused():
    plugin = MASKS.load("sam3")
    given = plugin.parse(["threshold=1", "text=007"], "--mask-option")
    assert given == {"threshold": 1.0, "text": "007"}
    with pytest.raises(ValueError, match="--mask-option device=cpu: use --device"):
        plugin.parse(["device=cpu"], "--mask-option", {"device": "--device"})
    with pytest.raises(ValueError, match="masks/sam3: unknown key 'size'; allowed: weights, text"):
        plugin.make({"size": "huge"}, {})
    with pytest.raises(ValueError, match="expected float, got 'much'"):
        plugin.make(plugin.parse(["threshold=much"], "--mask-option"), {})
