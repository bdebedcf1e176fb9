"""Processes of a Ray cluster: that of RAY_ADDRESS, else the one running here, else a new one on this machine.

Every machine needs this version of semcorr_ros, and data, weights and results at the same paths: a shared
folder.
"""

from __future__ import annotations

import contextlib
import math
import os
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError, RaySystemError, RayTaskError

from semcorr_ros import __version__
from semcorr_ros.workers import DIED, Crew, Engine, Failed, Job, attempt

RETRIES = 1  # of a job whose machine was lost
# Waiting threads must not spin, see __main__.py; Ray's processes do not inherit it.
ENVIRONMENT = {"OMP_WAIT_POLICY": "PASSIVE"}


def default_workers() -> int:
    """Return the number of cores of the cluster."""
    _connect()
    return max(1, int(ray.cluster_resources().get("CPU", 1)))


def run(jobs: Mapping[str, Job], crew: Crew) -> Iterator[tuple[str, Any]]:
    """Run each job on the least busy machine.

    Raises ValueError when no machine has the threads of a job.
    """
    _connect()
    workers = crew.workers or default_workers()
    task = ray.remote(_do).options(
        num_cpus=_cores(crew.threads),
        num_gpus=_share_of_gpu(workers) if crew.gpu else 0,
        max_retries=RETRIES,
        scheduling_strategy="SPREAD",
    )
    waiting = list(jobs)[::-1]
    running: dict[Any, str] = {}
    with _token(crew.folder) as token:
        home = (__version__, os.getcwd(), token)
        try:
            while waiting or running:
                while waiting and len(running) < workers:
                    name = waiting.pop()
                    running[task.remote(jobs[name], home)] = name
                for ref in ray.wait(list(running), num_returns=1)[0]:
                    yield running.pop(ref), _result(ref)
        finally:
            for ref in running:
                ray.cancel(ref, force=True)


PLUGIN = Engine(default_workers, run)


def _do(job: Job, home: tuple[str, str, Path | None]) -> Any:
    """Run a job on a machine of the cluster. home: version, working folder and token of the caller."""
    version, here, token = home
    if version != __version__:
        return Failed(f"semcorr_ros is {__version__} on {_machine()}, but {version} where it was started")
    if token is not None and not token.is_file():
        return Failed(f"{token.parent} is another folder on {_machine()}: all machines must share it")
    with contextlib.suppress(FileNotFoundError):  # only relative paths need it
        os.chdir(here)
    return attempt(job)


def _result(ref: Any) -> Any:
    try:
        return ray.get(ref)
    except RayTaskError as error:
        if not isinstance(error.cause, RaySystemError):
            raise  # a bug: an instance of the job's own error
        missing = str(error).strip().splitlines()[-1]
        return Failed(f"a machine of the Ray cluster cannot do it: {missing}; install semcorr_ros there")
    except RayError as error:
        return Failed(f"{DIED} (Ray: {type(error).__name__})")


def _connect() -> None:
    if not ray.is_initialized():
        ray.init(log_to_driver=False, runtime_env={"env_vars": ENVIRONMENT}, logging_level="warning")


def _cores(threads: int) -> int:
    most = max((node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]), default=0)
    if threads > most:
        raise ValueError(f"--threads {threads}: no machine of the Ray cluster has more than {most:g} cores")
    return threads


def _share_of_gpu(workers: int) -> float:
    """Return the share of a GPU for each worker, at most one; 0 where the cluster has none.

    Ray hides GPUs from tasks that ask for none.
    """
    gpus = ray.cluster_resources().get("GPU", 0.0)
    return min(1.0, math.floor(1e4 * gpus / workers) / 1e4)  # Ray counts in 1/10000


def _machine() -> str:
    return str(ray.util.get_node_ip_address())


@contextlib.contextmanager
def _token(folder: Path | None) -> Iterator[Path | None]:
    """Create a file by which a worker verifies that its folder is the same one."""
    if folder is None:
        yield None
        return
    folder.mkdir(parents=True, exist_ok=True)
    token = folder.resolve() / f".shared-{uuid.uuid4().hex}"
    token.touch()
    try:
        yield token
    finally:
        token.unlink(missing_ok=True)
