"""Processes of this machine: every job ends with a result or a reason."""

import sys
from functools import partial

import pytest
from errands import die, square

from semcorr_ros.workers import DIED, Crew, Failed


def test_results_come_by_name_and_a_failure_is_its_reason():
    found = dict(Crew(workers=2).run({str(i): partial(square, i) for i in range(6)}))
    assert found.pop("3") == Failed("three is not squared")
    assert found == {str(i): i * i for i in (0, 1, 2, 4, 5)}


def test_a_process_that_dies_is_a_failure_of_its_job():
    assert dict(Crew().run({"fatal": die})) == {"fatal": Failed(DIED)}


def test_a_mistake_in_the_code_is_not_a_failure():
    with pytest.raises(TypeError):
        dict(Crew().run({"wrong": partial(square, None)}))


def test_nothing_to_do_starts_nothing():
    assert list(Crew("ray").run({})) == []


@pytest.mark.parametrize(
    ("crew", "message"), [(Crew("dask"), r"'dask'; available: local, ray"), (Crew(workers=0), "at least 1")]
)
def test_wrong_crews_are_refused(crew, message):
    with pytest.raises(ValueError, match=message):
        crew.run({"a": partial(square, 1)})


def test_a_missing_ray_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "semcorr_ros.workers.ray", raising=False)
    with pytest.raises(ImportError, match=r"pip install 'semcorr_ros\[ray\]'"):
        Crew("ray").run({"a": partial(square, 1)})
