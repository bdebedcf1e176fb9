"""What the tests rest on: shapes are checked, and processes of the suite do not hear each other."""

import subprocess
import sys
from pathlib import Path

import jaxtyping
import pytest
import torch
from domains import DOMAINS, own_domain

from semcorr_ros.artifacts import DepthMap
from semcorr_ros.geometry import rotations
from semcorr_ros.geometry.similarity import apply_similarity

HELD = "from domains import own_domain\nwith own_domain() as domain: print(domain, flush=True); input()"


def test_a_wrong_shape_is_refused():
    turn = rotations.super_fibonacci(2)
    with pytest.raises(jaxtyping.TypeCheckError, match="rotation"):
        apply_similarity(torch.zeros(3, 5, 3), torch.ones(3), turn, torch.zeros(3, 3))
    with pytest.raises(jaxtyping.TypeCheckError, match="values"):
        DepthMap(torch.zeros(3), metric=True)


@pytest.mark.usefixtures("wrong_shapes")
def test_but_not_where_a_test_wants_it():
    assert DepthMap(torch.zeros(3), metric=True).metric


def test_every_process_has_a_domain_of_its_own():
    command, folder = [sys.executable, "-c", HELD], Path(__file__).parent
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with own_domain() as mine, subprocess.Popen(command, cwd=folder, **pipes) as other:
        theirs = int(other.stdout.readline())
        with own_domain() as second:
            assert len({mine, theirs, second}) == 3
            assert all(1 <= domain <= DOMAINS for domain in (mine, theirs, second))
        other.communicate("\n")
    with own_domain() as again:
        assert again == mine
