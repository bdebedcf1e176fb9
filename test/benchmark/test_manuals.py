"""Numbers of the manuals name the command that makes them, and those commands are understood."""

import argparse
import importlib
import re
import shlex
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MANUALS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BENCHMARKS = sorted(
    path.stem if path.is_file() else path.name
    for path in (ROOT / "benchmark").iterdir()
    if (path / "__main__.py").is_file() or (path.suffix == ".py" and path.stem != "__init__")
)
# In a block up to the end of the line or a comment, in text up to the closing backtick.
COMMAND = re.compile(r"python -m (benchmark\.\w+)([^`#\n]*)")
MEASURING = re.compile(r"python -m benchmark\.\w+|\$semcorr \w+|`?make \w+")
OUTLINE = {"TRIAL": "soak", "DIR": "work", "FRAMES": "frames"}  # what the user puts in


class Understood(Exception):  # noqa: N818
    """Raised when a command line was parsed, before anything is run."""


def commands() -> list[tuple[str, str, str]]:
    """(manual, module, arguments)."""
    return [
        (path.name, *found)
        for path in MANUALS
        for found in COMMAND.findall(re.sub(r"\s*\n(?!\n|```|[.|-])", " ", _unwrapped(path.read_text())))
    ]


def _unwrapped(text: str) -> str:
    """Blocks line by line; in text a command may go on in the next line."""
    parts = re.split(r"(```.*?```)", text.replace("\\\n", " "), flags=re.S)
    return "".join(part.replace("\n", "\n\n") if part.startswith("```") else part for part in parts)


@pytest.mark.parametrize(("manual", "module", "rest"), commands())
def test_a_benchmark_command_is_understood(manual, module, rest, monkeypatch, capsys):
    given = [OUTLINE.get(word, word) for word in shlex.split(rest)]
    if not given and module == "benchmark.photographs":
        return  # named, not shown: it needs folders
    if not given and module in ("benchmark.depth_cameras", "benchmark.faults"):
        return
    real = argparse.ArgumentParser.parse_args

    def parse(self, args=None, namespace=None):
        real(self, given, namespace)
        raise Understood

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse)
    monkeypatch.setattr(sys, "argv", [module, *given])
    with pytest.raises(Understood):
        _main(module)()


def _main(module: str):
    path = ROOT / Path(*module.split("."))
    return importlib.import_module(f"{module}.__main__" if path.is_dir() else module).main


def test_every_benchmark_is_in_a_manual():
    assert {module.partition(".")[2] for _, module, _ in commands()} >= set(BENCHMARKS)


@pytest.mark.parametrize("name", ["README.md", "docs/accuracy.md", "docs/benchmarks.md"])
def test_every_table_of_numbers_names_its_command(name):
    text = (ROOT / name).read_text()
    sections = re.split(r"^(?=#{1,3} )", text, flags=re.M)
    measured = [section for section in sections if _has_measures(section)]
    assert measured
    for section in measured:
        assert MEASURING.search(section), section.splitlines()[0]


def _has_measures(section: str) -> bool:
    """Whether it has a table with numbers in most lines."""
    lines = [line for line in section.splitlines() if line.startswith("|") and "---" not in line][1:]
    numbers = [line for line in lines if re.search(r"\|[^|]*\d[^|]*\|\s*$|\| [\d.*]+ ", line)]
    return len(lines) > 0 and 2 * len(numbers) > len(lines)
