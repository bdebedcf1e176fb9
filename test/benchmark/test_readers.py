"""A few damaged files of every reader; `python -m benchmark.readers` tries thousands."""

import pytest

pytest.importorskip("rosbags")
pytest.importorskip("trimesh")

from benchmark.readers.subjects import SUBJECTS
from benchmark.readers.trial import trial


@pytest.mark.parametrize("name", SUBJECTS)
def test_damaged_files_are_read_rightly_or_refused(name, tmp_path):
    count = trial(SUBJECTS[name], tmp_path, 40, seed=1)
    assert count.crashes == []
    assert count.wrong == []
    assert count.right + count.refused == 40
    assert count.refused > 0
