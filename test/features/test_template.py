"""The file one copies to add a backbone keeps every promise of the contract."""

import shutil
import sys
from pathlib import Path

import pytest
import torch

from semcorr_ros import features
from semcorr_ros.features import FEATURES, ImageRef, _template
from semcorr_ros.geometry import grid


@pytest.mark.parametrize("layout", ["letterbox", "unpadded"])
def test_the_template_is_a_backbone(layout):
    extractor = _template.build(_template.ThumbnailSettings(layout))
    image = torch.zeros(375, 500, 3, dtype=torch.uint8)
    image[200:260, 300:360, 0] = 255
    found = extractor.encode(ImageRef(image))
    assert found.values.shape == (45, 60, 13)
    torch.testing.assert_close(found.values.norm(dim=-1), torch.ones(45, 60))
    red = found.values @ grid.features_at(found, torch.tensor([[330.0, 230.0]]))[0]
    inside = grid.centers(found)[red > 0.9]
    assert inside.amin(0).tolist() == pytest.approx([300, 200], abs=9)
    assert inside.amax(0).tolist() == pytest.approx([360, 260], abs=9)
    (batched,) = extractor.encode_batch([ImageRef(image)])
    assert torch.equal(batched.values, found.values)


def test_a_copy_is_found_by_its_name(tmp_path, monkeypatch):
    assert "_template" not in FEATURES.names()
    shutil.copy(Path(_template.__file__), tmp_path / "my_network.py")
    monkeypatch.setattr(features, "__path__", [*features.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "semcorr_ros.features.my_network", raising=False)  # forgotten afterwards
    assert "my_network" in FEATURES.names()
    backbone = FEATURES.load("my_network")
    assert backbone.make({}, {}).backbone.startswith("thumbnail:")
    with pytest.raises(ValueError, match="letterbox or unpadded, got 'round'"):
        backbone.make({"layout": "round"}, {})
