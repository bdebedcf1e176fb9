"""The mutation tool: which faults it makes, what it leaves alone, how it chooses and remembers."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from benchmark.mutants import calls, trial
from benchmark.mutants.equivalent import Equivalents
from benchmark.mutants.journal import Fate, Journal
from benchmark.mutants.operators import mutants
from benchmark.mutants.report import summary
from benchmark.mutants.selection import Selection

SOURCE = textwrap.dedent(
    '''
    """Not this: 1 < 2."""
    import math

    LIMIT: float = 0.5  # a note


    def shorten(x: "Float[Tensor, '3']", low: int = 2) -> "list | None":
        """Nor this: 3 + 4."""
        if x < low and not low:
            raise ValueError(f"{x + 1} is too small" + str(2 * x))
        x = math.floor(x)
        return clip(x.clamp_min(-low), above=max(x, 3), device="cpu")
    '''
)


def changes(source=SOURCE):
    return {(each.before, each.after) for each in mutants("a.py", source)}


def test_the_usual_faults_are_made_once_each():
    assert changes() == {
        ("0.5", "1.0"),
        ("2", "3"),
        ("x < low and not low", "not (x < low and not low)"),
        ("<", "<="),
        ("and", "or"),
        ("not low", "low"),
        ("x = math.floor(x)", "pass"),
        ("floor", "ceil"),
        ('clip(x.clamp_min(-low), above=max(x, 3), device="cpu")', "x.clamp_min(-low)"),
        ("clamp_min", "clamp_max"),
        ("-low", "low"),
        (", above=max(x, 3)", ""),
        ("max", "min"),
        ("3", "4"),
    }


def test_a_mutant_differs_in_one_place_and_is_python():
    for mutant in mutants("a.py", SOURCE):
        changed = mutant.applied(SOURCE)
        ast.parse(changed)
        assert changed != SOURCE
        assert len(changed) - len(SOURCE) == len(mutant.after) - len(mutant.before)


def test_columns_count_bytes():
    source = 'def f(x):\n    return g("σ", x) + 1\n'
    (mutant,) = [each for each in mutants("a.py", source) if each.before == "+"]
    assert mutant.applied(source) == source.replace("+", "-")


def test_tests_that_call_the_function_are_asked_its_own_file_first():
    called = {
        "test/test_far.py::slow": [["a.py", 8]],
        "test/test_far.py::other": [["a.py", 30]],
        "test/test_a.py": [["a.py", 8]],  # a fixture of that file
    }
    seconds = {
        "test/test_far.py::slow": 0.1,
        "test/test_far.py::other": 0.1,
        "test/test_a.py::one": 5.0,
        "test/test_a.py::two": 1.0,
    }
    selection = Selection({"seconds": seconds, "calls": called})
    inside, outside = (
        next(each for each in mutants("a.py", SOURCE) if each.before == before) for before in ("<", "0.5")
    )
    assert inside.function == 8
    chosen = selection.of(inside, patience=100)
    assert chosen.tests == ("test/test_a.py::two", "test/test_a.py::one", "test/test_far.py::slow")
    assert set(selection.of(outside, patience=100).tests) == set(seconds)
    impatient = selection.of(inside, patience=2)
    assert impatient.tests == ("test/test_a.py::two", "test/test_far.py::slow")
    assert impatient.left_out == 1


def test_constants_are_asked_of_the_tests_beside_their_module():
    """Nothing calls what only holds numbers, or what is called once, when it is imported."""
    tests = (
        "test/x/test_a.py::one",
        "test/x/test_b.py::two",
        "test/x/y/test_c.py::three",
        "test/test_a.py::four",
    )
    calls = {"test/test_a.py::four": [["semcorr_ros/x/a.py", 8]]}
    selection = Selection({"seconds": dict.fromkeys(tests, 0.1), "calls": calls})
    found = {each.before: each for each in mutants("semcorr_ros/x/a.py", SOURCE)}
    assert set(selection.of(found["0.5"], patience=9).tests) == {tests[0], tests[3]}
    assert selection.of(found["<"], patience=9).tests == (tests[3],)
    uncalled = Selection({"seconds": dict.fromkeys(tests, 0.1), "calls": {}})
    assert uncalled.of(found["<"], patience=9).tests == (tests[0],)
    (package,) = [m for m in mutants("semcorr_ros/x/__init__.py", SOURCE) if m.before == "0.5"]
    assert set(selection.of(package, patience=9).tests) == set(tests[:3])


def test_the_journal_forgets_survivors_when_tests_change_and_all_when_the_source_does(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    for key, fate in (("a", "failed"), ("b", "passed"), ("c", "timeout")):
        journal.add(Fate("geometry", key, 1, fate, 3, 0.5, "source 1", "tests 1"))
    again = Journal(tmp_path / "journal.jsonl")
    assert all(again.known(key, "source 1", "tests 1") for key in "abc")
    assert [bool(again.known(key, "source 1", "tests 2")) for key in "abc"] == [True, False, True]
    assert not any(again.known(key, "source 2", "tests 1") for key in "abc")
    assert summary(list(again.fates.values())) == {"mutants": 3, "killed": 2, "score": 66.7}


def test_what_is_said_to_be_equivalent_needs_a_reason(tmp_path):
    entry = {
        "file": "a.py",
        "line": "LIMIT: float = 0.5  # a note",
        "before": 0.5,
        "after": [1.0],
        "reason": "why",
    }
    path = tmp_path / "equivalent.yaml"
    path.write_text(json.dumps([entry]))
    (limit,) = [each for each in mutants("a.py", SOURCE) if each.before == "0.5"]
    assert Equivalents(path).reason(limit) == "why"
    path.write_text(json.dumps([entry | {"reason": " "}]))
    with pytest.raises(ValueError, match="must have"):
        Equivalents(path)
    assert Equivalents().reasons is not None


@pytest.mark.parametrize(
    ("line", "fate"), [("pass", "passed"), ("assert False", "failed"), ("1 +", "failed")]
)
def test_a_trial_runs_tests_in_a_process_of_its_own(tmp_path, line, fate):
    (tmp_path / "test_it.py").write_text(f"def test_it():\n    {line}\n")
    assert trial.run(tmp_path, ["test_it.py", "-p", "no:randomly"], 0.0) == fate


def test_a_trial_that_does_not_end_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(trial, "LEAST", 1.0)
    (tmp_path / "test_it.py").write_text("import time\ndef test_it():\n    time.sleep(600)\n")
    assert trial.run(tmp_path, ["test_it.py"], 0.0) == "timeout"


def test_calls_are_traced_once_per_state_of_a_test_file(tmp_path):
    """In a small package of its own; what a fixture calls belongs to the whole file."""
    for folder in ("semcorr_ros", "test", "benchmark/mutants"):
        (tmp_path / folder).mkdir(parents=True)
    root = Path(calls.__file__).parents[2]
    for name in ("benchmark/__init__.py", "benchmark/mutants/__init__.py", "benchmark/mutants/tracing.py"):
        (tmp_path / name).write_text((root / name).read_text())
    (tmp_path / "semcorr_ros/__init__.py").write_text("def one():\n    pass\n\n\ndef two():\n    pass\n")
    tests = "import pytest, semcorr_ros\n\n@pytest.fixture\ndef made():\n    semcorr_ros.one()\n\n"
    tests += "def test_a(made):\n    semcorr_ros.two()\n\ndef test_b():\n    assert False\n"
    (tmp_path / "test/test_it.py").write_text(tests)
    (tmp_path / "test/test_other.py").write_text("def test_c():\n    pass\n")
    store = tmp_path / "store.json"
    program = (
        "import json, sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path;"
        "from benchmark.mutants import calls; calls.TESTS = ('test',);"
        "print(json.dumps(calls.traced(Path(sys.argv[2]), Path(sys.argv[3]))))"
    )

    def traced():
        done = subprocess.run(
            [sys.executable, "-c", program, str(root), str(tmp_path), str(store)],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        *told, content = done.stdout.splitlines()
        return told, json.loads(content)

    told, found = traced()
    assert told == ["running 2 test files once, to see what each test calls ..."]
    assert found["calls"] == {
        "test/test_it.py": [["semcorr_ros/__init__.py", 1]],
        "test/test_it.py::test_a": [["semcorr_ros/__init__.py", 5]],
    }
    assert set(found["seconds"]) == {"test/test_it.py::test_a", "test/test_other.py::test_c"}
    assert traced() == ([], found)
    # Of another length: bytecode is known by size and second.
    (tmp_path / "test/test_other.py").write_text("def test_longer():\n    pass\n")
    told, again = traced()
    assert told == ["running 1 test files once, to see what each test calls ..."]
    assert set(again["seconds"]) == {"test/test_it.py::test_a", "test/test_other.py::test_longer"}
