"""A Ray cluster of two nodes on this machine gives what local processes give, byte for byte.

Skipped without ray, which is in no requirements file: 80 MB and a dozen processes for a file of 100 lines.
"""

import json
import os
import shutil
import sys
from functools import partial

import beast_folder
import builders
import pear_folder
import pytest
import spair_folder
from errands import die, square, where_am_i
from verbs import run

from semcorr_ros.cli import build_class, encode, evaluate
from semcorr_ros.workers import DIED, Crew, Failed

ray = pytest.importorskip("ray")


@pytest.fixture(scope="module")
def cluster():
    """Two nodes of one core each; this process speaks to them as a verb would, through RAY_ADDRESS."""
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": 80_000_000}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))  # of the nodes
        # It need not exist: what Ray would give to whom is what is tried.
        cluster = Cluster(initialize_head=True, head_node_args=node | {"num_gpus": 1})
        cluster.add_node(**node)
        patch.setenv("RAY_ADDRESS", cluster.address)
        yield cluster
        ray.shutdown()
        cluster.shutdown()


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Eight beasts, and the same again under the name of a fiend with too few keypoint names."""
    root = tmp_path_factory.mktemp("beasts")
    for picture in builders.pictures(8, seed=2, known_camera=False):
        beast_folder.write_picture(root, picture)
    beast_folder.write_info(root)
    data = root / "data"
    for folder in ("JPEGImages", "ImageAnnotation", "Segmentation"):
        shutil.copytree(data / folder / "beast", data / folder / "fiend")
    for path in (data / "ImageAnnotation" / "fiend").glob("*.json"):
        path.write_text(path.read_text().replace('"beast"', '"fiend"'))
    known = json.loads((data / "classes.json").read_text())
    spair_folder.write(
        data / "classes.json", known | {"fiend": known["beast"] | {"keypoint_names": ["nose"]}}
    )
    return root


def test_jobs_are_done_on_both_nodes_where_the_caller_is(cluster, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = dict(Crew("ray").run({str(i): partial(where_am_i, "a") for i in range(4)}))
    assert {path for path, _ in found.values()} == {str(tmp_path / "a")}
    assert {node for _, node in found.values()} == {node["NodeID"] for node in ray.nodes()}


def test_failures_are_named_and_bugs_are_raised(cluster):
    jobs = {"2": partial(square, 2), "3": partial(square, 3), "fatal": die}
    found = dict(Crew("ray", workers=2).run(jobs))
    assert found.pop("fatal").reason.startswith(DIED)
    assert found == {"2": 4, "3": Failed("three is not squared")}
    with pytest.raises(TypeError):
        dict(Crew("ray").run({"wrong": partial(square, None)}))


def test_jobs_share_the_gpus_of_the_cluster_unless_they_want_none(cluster):
    jobs = {name: partial(os.getenv, "CUDA_VISIBLE_DEVICES") for name in "ab"}
    assert dict(Crew("ray", workers=2, gpu=True).run(jobs)) == {"a": "0", "b": "0"}
    assert "0" not in dict(Crew("ray", workers=2).run(jobs)).values()


def test_more_threads_than_any_machine_has_are_refused(cluster):
    with pytest.raises(ValueError, match=r"--threads 3: no machine .* more than 1 cores"):
        dict(Crew("ray", threads=3).run({"2": partial(square, 2)}))


def test_a_folder_that_is_not_shared_is_named(cluster, tmp_path, monkeypatch):
    from semcorr_ros.workers import ray as engine

    assert dict(Crew("ray", folder=tmp_path / "new").run({"2": partial(square, 2)})) == {"2": 4}
    assert list((tmp_path / "new").iterdir()) == []
    here = ("0.0.0", str(tmp_path), None)
    assert "0.0.0 where it was started" in engine._do(partial(square, 2), here).reason
    elsewhere = (engine.__version__, str(tmp_path), tmp_path / "not here")
    assert "must share it" in engine._do(partial(square, 2), elsewhere).reason


def test_classes_are_the_same_bytes_and_those_that_are_there_are_kept(cluster, root, tmp_path, capsys):
    def build(engine):
        folder = tmp_path / engine
        features, depth = ["--features-dir", root / "features"], ["--depth-dir", root / "depth"]
        given = ["--root", root / "data", *features, *depth, "--all-categories", "--class-dir", folder]
        assert run(build_class, *given, "--engine", engine, "--threads", "1", "--device", "cpu") == 1
        said = capsys.readouterr().out
        assert "fiend: not built, " in said
        return (folder / "beast.safetensors").read_bytes(), said.replace(str(folder), "")

    (bytes_, said), (local_bytes, local_said) = build("ray"), build("local")
    assert bytes_ == local_bytes
    assert "beast.safetensors: 8 images" in said
    assert said.partition("fiend")[2] == local_said.partition("fiend")[2]
    assert "beast.safetensors: is there already" in build("ray")[1]


def test_alignments_are_the_same_numbers(cluster, tmp_path):
    root, results = pear_folder.write(tmp_path / "pears"), []
    for engine, workers in (("local", "1"), ("ray", "2")):
        out = tmp_path / f"{engine}.json"
        given = ["--engine", engine, "--workers", workers, "--max-pairs", "2", "--device", "cpu"]
        assert run(evaluate, *pear_folder.arguments(root, out, *given)) == 0
        results.append(json.loads(out.read_text())["results"][0])
        assert results[-1].pop("seconds_per_image") > 0
        results[-1].pop("peak_memory", None)
    assert results[0] == results[1]
    files = [{p.name: p.read_bytes() for p in tmp_path.rglob(f"{e}_pred*/*/*/*")} for e in ("local", "ray")]
    assert len(files[0]) >= 2
    assert files[0] == files[1]


def test_features_are_the_same_bytes_and_are_found_again(cluster, root, tmp_path, capsys):
    data = shutil.copytree(root / "data", tmp_path / "data")
    (data / "JPEGImages/beast/beast_000.jpg").write_bytes(b"nonsense")

    def cached(engine):
        cache = tmp_path / engine
        given = ["--root", data, "--all-categories", "--split", "trn", "--feature-cache", cache]
        assert run(encode, *given, "--mirror", "--engine", engine, "--threads", "1", "--device", "cpu") == 1
        files = {path.relative_to(cache): path.read_bytes() for path in cache.rglob("*.safetensors")}
        return files, capsys.readouterr().out.replace(str(cache), "")

    (files, said), (local_files, local_said) = cached("ray"), cached("local")
    assert len(files) > 1
    assert files == local_files
    assert "skipped beast/beast_000: " in said
    assert "skipped fiend: " in said
    assert said.partition("skipped")[2] == local_said.partition("skipped")[2]
    assert ": 0 maps computed" not in said
    assert ": 0 maps computed" in cached("ray")[1]
