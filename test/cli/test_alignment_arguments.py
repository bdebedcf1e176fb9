import argparse

import pytest
from semcorr_ros.cli._alignment_arguments import add_alignment_arguments, alignment_from

from semcorr_ros.methods.semalign3d.alignment.presets import preset


def parse(*arguments):
    parser = argparse.ArgumentParser()
    add_alignment_arguments(parser)
    return parser.parse_args(arguments)


def test_terms_are_left_out_of_any_preset(tmp_path, capsys):
    assert alignment_from(parse(), "chair") == preset("fast", "chair")
    found = alignment_from(
        parse("--quality", "paper", "--without", "depth", "--without", "background"), "bottle"
    )
    known = preset("paper", "bottle")
    assert set(known.objective.terms) - set(found.objective.terms) == {"depth", "background"}
    assert found.objective.schedules == known.objective.schedules
    assert found.optimize == known.optimize
    path = tmp_path / "mine.yaml"
    path.write_text("objective: {terms: [geometry, depth]}")
    assert alignment_from(parse("--alignment", str(path), "--without", "depth"), "").objective.terms == (
        "geometry",
    )
    with pytest.raises(SystemExit):
        parse("--without", "luck")
    assert "reconstruction_sparse" in capsys.readouterr().err
