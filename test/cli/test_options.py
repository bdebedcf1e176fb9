"""One description of an option: what the command line makes of it, what --help says, and what is refused."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from semcorr_ros.__main__ import main
from semcorr_ros.cli import _help, options_of
from semcorr_ros.cli._command import parse
from semcorr_ros.cli._options.align import AlignOptions
from semcorr_ros.cli._options.build_class import BuildClassOptions
from semcorr_ros.cli._options.replay import ReplayOptions
from semcorr_ros.node_options import Parameters
from semcorr_ros.options import spelled

VERBS = {
    path.stem: path.parents[1].name
    for root in ("semcorr_ros", "semcorr_lab")
    for path in sorted((Path(__file__).parents[2] / root / "cli").glob("[a-z]*.py"))
}
ALIGN = ["--image", "a.png", "--class-file", "b.safetensors"]


def test_values_arrive_typed_in_their_groups():
    found = parse(
        AlignOptions,
        [
            *ALIGN,
            *["--masks", "sam", "attention", "--mask-option", "sam.size=base", "--mask-option", "sam.a=b"],
            *["--seed", "3", "--min-score=0.5", "--backbone-option", "side=320"],
        ],
    )
    assert found.picture.image == Path("a.png")
    assert found.sources.masks.masks == ("sam", "attention")
    assert found.sources.masks.mask_options == ("sam.size=base", "sam.a=b")
    assert (found.alignment.seed, found.judgement.min_score) == (3, 0.5)
    assert found.sources.features.backbone_options == ("side=320",)


def test_words_of_several_options_are_kept_apart():
    given = ["--root", "d", "--category", "c", "--nearer", "a", "b", "--nearer", "c", "d", "e"]
    found = parse(BuildClassOptions, [*given, "--size", "0.1", "a", "b"])
    assert found.keypoints.nearer == (("a", "b"), ("c", "d", "e"))
    assert found.keypoints.size == ("0.1", "a", "b")
    found = parse(ReplayOptions, ["bag", "--class-file", "a", "--class-file", "b", "--output", "o.json"])
    assert (found.bag.bag, found.bag.class_file) == (Path("bag"), (Path("a"), Path("b")))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([*ALIGN, "--seed", "x"], "--seed: expected a whole number, got 'x'"),
        ([*ALIGN, "--seed", "-1"], "--seed must be between 0 and 2.14748e+09, got -1"),
        ([*ALIGN, "--min-score", "nan"], "--min-score must be a number, got nan"),
        ([*ALIGN, "--precision", "fp8"], "--precision must be one of fp32, fp16, bf16, got 'fp8'"),
        ([*ALIGN, "--img", "c"], "Unrecognized option: --img; did you mean --image?"),
        (
            ["--image", "a", "--class-fil", "b"],
            "Unrecognized option: --class-fil; did you mean --class-file?",
        ),
        (["--image", "a"], "--class-file FILE must be given (--help shows all options)"),
        ([*ALIGN, "--quality"], "Missing value for argument '--quality'. Expected 1 values."),
        ([*ALIGN, "--help", "luck"], "--help luck: there are picture, output, judgement"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(words, message, capsys):
    assert main(["align", *words]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"semcorr_ros align: {message}")
    assert said.count("\n") == 1


def test_a_required_list_may_not_be_empty():
    with pytest.raises(ValueError, match="--class-file must be given"):
        parse(ReplayOptions, ["bag", "--output", "o.json"])


@pytest.mark.parametrize("verb", VERBS)
def test_help_fits_a_screen_and_names_every_option(verb, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "100")
    assert main([verb, "--help"]) == 0
    short = capsys.readouterr().out.splitlines()
    assert len(short) <= 50
    assert max(map(len, short)) <= 100
    assert main([verb, "--help", "all"]) == 0
    full = capsys.readouterr().out
    for group in _help.groups_of(options_of(verb, VERBS[verb])):
        assert main([verb, "--help", group.title]) == 0
        alone = capsys.readouterr().out
        for field in group.fields:
            name = _help.shape(field)
            assert name in full
            assert name in alone
            assert field.metadata.get("positional") or f"--{spelled(field)}" in " ".join(short)


def test_no_two_options_of_a_verb_are_spelled_alike():
    for verb, package in VERBS.items():
        groups = _help.groups_of(options_of(verb, package))
        flags = [spelled(field) for group in groups for field in group.fields]
        assert len(flags) == len(set(flags)), verb


def test_neither_help_nor_a_wrong_flag_needs_torch():
    code = (
        "import sys; from semcorr_ros.__main__ import main\n"
        "assert main(['evaluate', '--help']) == 0 and main(['evaluate', '--rot', 'x']) == 2\n"
        "sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_replay_describes_what_it_shares_with_the_node_by_the_same_fields():
    node = {field.name: field for field in dataclasses.fields(Parameters)}
    groups = [group for group in _help.groups_of(ReplayOptions) if group.title != "topics"]
    shared = [field for group in groups for field in group.fields if field.name in node]
    assert {field.name for field in shared} == {
        "backbone", "weights", "backbone_options", "precision", "masks", "mask_options", "depth_network",
        "depth_options", "quality", "seed", "min_score", "depth", "sync_slop", "regions", "class_aliases",
        "max_instances", "device", "threads", "depth_scale", "rectified", "rotate",
        "target_frame",
    }  # fmt: skip
    for field in shared:
        assert field.metadata is node[field.name].metadata
