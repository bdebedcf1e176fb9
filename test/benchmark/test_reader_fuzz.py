"""A small number of the damaged files that benchmark/reader_fuzz.py reads by the thousand."""

from __future__ import annotations

import pytest

from benchmark import reader_fuzz


@pytest.mark.parametrize("reader", reader_fuzz.subjects())
def test_a_damaged_file_is_refused_in_one_line_or_as_it_was(reader, tmp_path):
    result = reader_fuzz.fuzz(reader, 160, 7, tmp_path)
    assert result["failures"] == []
    assert result["outcomes"]["refused"] > 50


def test_every_kind_of_damage_changes_a_file(tmp_path):
    rng = reader_fuzz.np.random.default_rng(0)
    data = bytes(range(256))
    kinds = dict(reader_fuzz.damaged(data, rng) for _ in range(100))
    assert set(kinds) == {"cut", "swapped", "nulled", "flipped", "moved"}
    assert all(left != data for left in kinds.values())
