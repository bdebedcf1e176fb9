import dataclasses

import pytest

from semcorr_lab.cli._options.synthesize import CountOptions
from semcorr_lab.cli._options.train_tiny import TrainingOptions
from semcorr_lab.synthetic.dataset import DatasetConfig
from semcorr_lab.training.tiny_backbone import TrainingConfig as Schedule
from semcorr_ros.cli import _command
from semcorr_ros.cli._constants import quality_from
from semcorr_ros.cli._options.evaluate import ProtocolOptions
from semcorr_ros.cli._options.pictures import MATCHERS, TERMS, ConstantsOptions, PairConstantsOptions
from semcorr_ros.evaluation.kap import GRIDS
from semcorr_ros.methods.semalign3d import matching_config, settings_for
from semcorr_ros.methods.semalign3d.alignment.objective import SCHEDULE_OF_TERM
from semcorr_ros.methods.semalign3d.alignment.presets import preset
from semcorr_ros.options import choices_of


def alignment_from(options, category):
    return settings_for(quality_from(options), category)


def parse(*arguments):
    return _command.parse(ConstantsOptions, arguments)


def test_terms_are_left_out_of_any_preset(tmp_path):
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
    assert alignment_from(parse("--quality", str(path)), "").objective.terms == ("geometry", "depth")
    with pytest.raises(ValueError, match="unknown preset 'best'; available: fast, paper, tracking"):
        alignment_from(parse("--quality", "best"), "chair")
    with pytest.raises(ValueError, match=r"--without must be one of background, .*symmetry, got 'luck'"):
        parse("--without", "luck")
    with pytest.raises(ValueError, match="--quality and --alignment exclude each other"):
        parse("--quality", "paper", "--alignment", "mine.yaml")
    with pytest.raises(ValueError, match="tracking is for streams"):
        alignment_from(parse("--quality", "tracking"), "chair")


def test_a_matcher_can_be_chosen_whatever_aligns():
    def matching_of(*arguments, category="chair"):
        return settings_for(quality_from(_command.parse(PairConstantsOptions, arguments)), category).matching

    ours, published = preset("fast").matching, preset("paper", "chair").matching
    assert (ours.matcher, published.matcher) == ("aligned", "paper")
    assert matching_of() == ours
    assert matching_of("--quality", "paper") == published
    assert matching_of("--matcher", "paper") == published
    assert matching_of("--quality", "paper", "--matcher", "aligned") == ours
    assert matching_of("--matcher", "paper", category="mug").sigma == 1.0
    with pytest.raises(ValueError, match="--matcher must be one of aligned, paper, got 'best'"):
        matching_of("--matcher", "best")
    assert MATCHERS == matching_config.MATCHERS


def test_choices_that_options_repeat_are_those_of_their_owners():
    assert set(TERMS()) == set(SCHEDULE_OF_TERM)
    assert _choices(ProtocolOptions, "kap_grid") == GRIDS
    assert dataclasses.astuple(CountOptions()) == (*DatasetConfig().images, *DatasetConfig().pairs)
    schedule, default = TrainingOptions(), Schedule()
    assert (schedule.steps, schedule.batch, schedule.sides) == (default.steps, default.batch, default.sides)
    assert schedule.learning_rate == default.learning_rate


def _choices(kind, name):
    return choices_of(next(field for field in dataclasses.fields(kind) if field.name == name))
