"""Tracked runs: an MLflow store beside the report, or any server.

One run a chapter that fits models, in one experiment a study, with the resolved parameters, the digests of the data
and the metrics. The store holds numbers about models, never a patient's row. A store that fails loses the tracked
run, not the report.
"""

import contextlib
import json
import os
import re
import sqlite3
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import filelock
import pandas as pd

from attrition import paths, quiet, results
from attrition.digests import file_digest

NAME = re.compile(r"[^\w.\-/ ]")
SIMULATED = "simulated trial"
STUDIES = {"06_real_trial": "real trial", "07_time_to_dropout": "real trial"}
LONGEST_PARAMETER = 500


class TrackingWarning(UserWarning):
    """The store did not take a run; the report goes on without it."""


PLACES = (
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
    ("experiments", "artifact_location"),
)
"""Where MLflow's tables hold the place of files, as full addresses."""


def folder(out: Path | None = None) -> Path:
    """Folder of the local store: ``mlruns/`` for the committed report, else inside the output folder."""
    out = out or paths.out()
    return (paths.ROOT if out == paths.ROOT / "reports" else out) / "mlruns"


def kept(out: Path) -> bool:
    """Whether runs of an output folder were tracked in a local store."""
    return (folder(out) / "mlflow.db").exists()


def store_uri() -> str:
    """Address of the store: ``MLFLOW_TRACKING_URI``, else a local sqlite file."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{folder() / 'mlflow.db'}"


def _artifacts() -> str:
    return (folder() / "artifacts").as_uri()


def follow() -> None:
    """Have the local store look for its files where it stands now: MLflow knows full addresses only."""
    if not kept(paths.out()):
        return
    now, moved = _artifacts(), "WHERE artifact_location LIKE '%/mlruns/artifacts' AND artifact_location != ?"
    with contextlib.closing(sqlite3.connect(folder() / "mlflow.db", timeout=60)) as base, base:
        if not base.execute("SELECT 1 FROM sqlite_master WHERE name = 'model_versions'").fetchone():
            return  # its tables are being made
        for (old,) in base.execute(f"SELECT DISTINCT artifact_location FROM experiments {moved}", [now]).fetchall():
            for table, column in PLACES:
                told = f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE instr({column}, ?) = 1"
                base.execute(told, (now, len(old) + 1, old))


def environment() -> dict[str, str]:
    """Variables for programs that use the store: telemetry off, no chatter."""
    folder().mkdir(parents=True, exist_ok=True)
    follow()
    return {**os.environ, **quiet.MLFLOW}


def client() -> Any:
    """Client of the store."""
    follow()
    os.environ.update(quiet.MLFLOW)
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=store_uri())


@contextlib.contextmanager
def first_come() -> Iterator[Any]:
    """Client of the store, one process at a time: several that create its tables at once would all fail."""
    folder().mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(folder() / "opening.lock", timeout=120):
        yield client()


def experiment(client: Any, study: str) -> str:
    """Id of a study's experiment, made when it is not there yet."""
    found = client.get_experiment_by_name(study)
    if found:
        return found.experiment_id
    local = store_uri().startswith("sqlite")
    return client.create_experiment(study, artifact_location=_artifacts() if local else None)


def flat(numbers: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Nested results as one level of metrics; what is no number is left out.

    Examples
    --------
    >>> flat({"lr": {"auroc": {"value": 0.7, "ci_low": 0.6}}, "note": "x"})
    {'lr.auroc.value': 0.7, 'lr.auroc.ci_low': 0.6}
    """
    found: dict[str, float] = {}
    for key, value in numbers.items():
        name = f"{prefix}.{key}" if prefix else str(key)
        if isinstance(value, Mapping):
            found.update(flat(value, name))
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            found[name] = float(value)
    return found


def log_inputs(client: Any, run_id: str, data: Iterable[Path]) -> None:
    """Log files as a run's data: name and digest, in full as a tag (MLflow's own field is short)."""
    from mlflow.entities import Dataset, DatasetInput

    inputs = [
        DatasetInput(Dataset(path.name, file_digest(path)[:36], "local", json.dumps({"uri": path.name})))
        for path in data
    ]
    client.log_inputs(run_id, inputs)
    for path in data:
        client.set_tag(run_id, f"sha256.{path.name}", file_digest(path))


def log_numbers(client: Any, run_id: str, params: Mapping[str, Any], metrics: Mapping[str, Any]) -> None:
    """Log parameters as text and every number among the results as a metric."""
    from mlflow.entities import Metric, Param

    given = [Param(key, str(value)[:LONGEST_PARAMETER]) for key, value in params.items()]
    taken = [Metric(NAME.sub("_", key), value, 0, 0) for key, value in flat(results.plain(metrics)).items()]
    client.log_batch(run_id, params=given)
    for first in range(0, len(taken), 1000):
        client.log_batch(run_id, metrics=taken[first : first + 1000])


def log_tables(client: Any, run_id: str, tables: Mapping[str, pd.DataFrame]) -> None:
    """Log tables of results (never of patients) as CSV artifacts."""
    for name, table in tables.items():
        text = results.inert(table).to_csv(index=False, lineterminator="\n")
        client.log_text(run_id, text, f"tables/{name}.csv")


def warn_of(what: str, error: Exception) -> None:
    """Say that the store did not take something; an error's own text could hold anything, so only its kind is told."""
    warnings.warn(f"{what}: {type(error).__name__}", TrackingWarning, stacklevel=3)


def log_chapter(
    chapter: str,
    params: Mapping[str, Any],
    metrics: Mapping[str, Any],
    data: Iterable[Path] = (),
    tables: Mapping[str, pd.DataFrame] | None = None,
) -> str | None:
    """Track one chapter as a run.

    Parameters
    ----------
    chapter : str
        Name of the notebook without ending.
    params : mapping
        Resolved parameters.
    metrics : mapping
        Results, nested as they are written to ``results/``.
    data : iterable of pathlib.Path
        Files whose digests identify the data.
    tables : mapping of str to pandas.DataFrame, optional
        Tables of results (never of patients), stored as CSV artifacts.

    Returns
    -------
    str or None
        Run id, or None when the store failed (a `TrackingWarning` says why).
    """
    try:
        with first_come() as store:
            study = experiment(store, STUDIES.get(chapter, SIMULATED))
        run = store.create_run(study, run_name=chapter, tags={"chapter": chapter})
        run_id = run.info.run_id
        log_numbers(store, run_id, params, metrics)
        log_inputs(store, run_id, list(data))
        log_tables(store, run_id, tables or {})
        store.set_terminated(run_id)
    except Exception as error:  # any store, any failure: the report must not be lost
        warn_of(f"the run of {chapter} was not tracked", error)
        return None
    return run_id
