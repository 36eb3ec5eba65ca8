"""Where independent tasks run: in this process, in processes beside it, or on a Dask cluster.

Every task carries the name of its random stream and results are taken in the order of the tasks, so the same bytes
come out of any engine, with any number of workers, in whatever order they finish, and when one of them is lost.
"""

import logging
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from notebook_report import errors

ENGINES = ("serial", "processes", "dask")
WORTH = 10.0
"""Seconds of work that is left, judged by the tasks that are done, for which processes beside this one are started."""
STARTED: set[int] = set()
"""Numbers of processes that have been started."""
log = logging.getLogger(__name__)


class EngineError(errors.Refusal, ValueError):
    """An engine that is not known, or a cluster that does not answer."""

    exit_code = errors.ENVIRONMENT


def chosen() -> tuple[str, int, str | None]:
    """Engine, workers and scheduler of this run (``ATTRITION_ENGINE``, ``_WORKERS``, ``_SCHEDULER``).

    >>> chosen()[0] in ENGINES
    True
    """
    engine = os.environ.get("ATTRITION_ENGINE") or "serial"
    if engine not in ENGINES:
        raise EngineError(f"no engine {engine!r}; known: {', '.join(ENGINES)}")
    workers = os.environ.get("ATTRITION_WORKERS") or "1"
    if not workers.isdecimal() or int(workers) < 1:
        raise EngineError(f"ATTRITION_WORKERS must be a whole number from 1, not {workers!r}")
    return engine, int(workers), os.environ.get("ATTRITION_SCHEDULER") or None


def choose(engine: str, workers: int, scheduler: str | None = None) -> None:
    """Choose for this process and the kernels that it starts."""
    os.environ.update(ATTRITION_ENGINE=engine, ATTRITION_WORKERS=str(workers), ATTRITION_SCHEDULER=scheduler or "")


@contextmanager
def cluster(workers: int) -> Iterator[str]:
    """Address of a Dask cluster on this machine, of processes with one thread each, for the time of a run."""
    from distributed import LocalCluster

    local = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": None, "host": "127.0.0.1"}
    memory = {f"distributed.worker.memory.{when}": False for when in ("target", "spill")}  # no rows in files
    with LocalCluster(**local, config=memory) as made:
        yield made.scheduler_address


@contextmanager
def _dask(scheduler: str) -> Iterator[None]:
    import joblib
    from distributed import Client

    try:
        client = Client(scheduler, timeout="20s")
    except OSError:
        raise EngineError(f"no Dask scheduler answers at {scheduler}") from None
    with client, joblib.parallel_config("dask", wait_for_workers_timeout=60):
        yield


@contextmanager
def configured() -> Iterator[None]:
    """Run what is inside on the chosen engine; without a choice, joblib's own configuration holds."""
    import joblib

    engine, workers, scheduler = chosen()
    with ExitStack() as stack:
        if engine == "dask":
            stack.enter_context(_dask(scheduler or stack.enter_context(cluster(workers))))
        elif engine == "processes" and workers > 1:
            STARTED.add(workers)
            stack.enter_context(joblib.parallel_config("loky", n_jobs=workers, max_nbytes=None))  # no rows in files
        yield


def compute(tasks: Sequence[Any], label: str) -> list[Any]:
    """Run tasks, return their results in the order given; say how far it is.

    A terminal gets a progress bar, anything else a plain line in the log every tenth of the way. Tasks are calls of
    `joblib.delayed`, independent of each other and of the order they run in.

    >>> from joblib import delayed
    >>> compute([delayed(abs)(-n) for n in range(3)], "distances")
    [0, 1, 2]
    """
    return list(_told(_each(tasks), len(tasks), label))


def _each(tasks: Sequence[Any]) -> Iterator[Any]:
    """Results one by one; processes are started only for what takes longer than it takes to start them."""
    import joblib

    rest, done, begun = list(tasks), 0, time.perf_counter()
    engine, workers, _ = chosen()
    probed = engine == "processes" and workers not in STARTED
    while probed and rest and (not done or (time.perf_counter() - begun) * len(rest) < WORTH * done):
        call, args, named = rest.pop(0)
        yield call(*args, **named)
        done += 1
    if rest:
        with configured():
            yield from joblib.Parallel(return_as="generator")(rest)


def _told(found: Iterator[Any], total: int, label: str) -> Iterator[Any]:
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import track

        yield from track(found, label, total=total, console=Console(stderr=True), transient=True)
        return
    for done, result in enumerate(found, 1):
        if 10 * done // total > 10 * (done - 1) // total:
            log.info("%s: %d of %d", label, done, total)
        yield result
