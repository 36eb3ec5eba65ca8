"""Tracked runs, in an MLflow store beside the report or on any server.

One experiment a study, one run a chapter, and below it one a candidate: parameters, the headline metrics, figures with
their data, digests of the input. All of it is read from what the chapters have left (`tracking.yaml` says what), when
they are done, by one process that loads MLflow for all of them. The store holds numbers about models, never a patient's
row. A store that fails loses the tracked run, not the report.
"""

import contextlib
import json
import os
import re
import sqlite3
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from attrition import params, paths, settings
from notebook_report import project, results
from notebook_report.sources import file_digest

NAME = re.compile(r"[^\w.\-/ ]")
LONGEST_PARAMETER = 500
# Variables that keep MLflow quiet, where its tables hold the place of files, and what is logged of each chapter
MLFLOW = settings.declared(__file__, "tracking.yaml")
SIMULATED = "simulated trial"
PLAIN = {"study": SIMULATED, "data": [], "figures": [], "metrics": []}  # of a chapter of which the file says nothing
Given = Mapping[str, Any] | None


class TrackingWarning(UserWarning):
    """The store did not take a run; the report goes on without it."""


def folder(out: Path | None = None) -> Path:
    """Folder of the local store: ``mlruns/`` for the committed report, else inside the output folder."""
    out = out or paths.out()
    return (paths.ROOT if out == paths.ROOT / "reports" else out) / "mlruns"


def kept(out: Path) -> bool:
    """Whether runs of an output folder were tracked in a local store, or wait for it."""
    return (folder(out) / "mlflow.db").exists() or bool(waiting(out))


def store_uri() -> str:
    """Address of the store: ``MLFLOW_TRACKING_URI``, else a local sqlite file."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{folder() / 'mlflow.db'}"


def _artifacts() -> str:
    return (folder() / "artifacts").as_uri()


def follow() -> None:
    """Have the local store look for its files where it stands now: MLflow knows full addresses only."""
    if not (folder() / "mlflow.db").exists():
        return
    now, moved = _artifacts(), "WHERE artifact_location LIKE '%/mlruns/artifacts' AND artifact_location != ?"
    with contextlib.closing(sqlite3.connect(folder() / "mlflow.db", timeout=60)) as base, base:
        if not base.execute("SELECT 1 FROM sqlite_master WHERE name = 'model_versions'").fetchone():
            return  # its tables are being made
        for (old,) in base.execute(f"SELECT DISTINCT artifact_location FROM experiments {moved}", [now]).fetchall():
            for table, column in (place.split(".") for place in MLFLOW["places"]):
                told = f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE instr({column}, ?) = 1"
                base.execute(told, (now, len(old) + 1, old))


def environment() -> dict[str, str]:
    """Variables for programs that use the store: telemetry off, no chatter."""
    folder().mkdir(parents=True, exist_ok=True)
    follow()
    return {**os.environ, **MLFLOW["quiet"]}


def client() -> Any:
    """Client of the store."""
    os.environ.update(environment())
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=store_uri())


def experiment(client: Any, study: str) -> str:
    """Id of a study's experiment, made when it is not there yet."""
    if found := client.get_experiment_by_name(study):
        return found.experiment_id
    place = _artifacts() if store_uri().startswith("sqlite") else None
    return client.create_experiment(study, place, {"mlflow.experimentKind": MLFLOW["kind"]})


def warn_of(what: str, error: Exception) -> None:
    """Say that the store did not take something; an error's own text could hold anything, so only its kind is told."""
    warnings.warn(f"{what}: {type(error).__name__}", TrackingWarning, stacklevel=3)


def _flat(given: Mapping[str, Any]) -> dict[str, str]:
    """Nested parameters as one level of text, lists as JSON.

    >>> _flat({"champion": {"among": ["lr", "xgb"]}, "n_folds": 5})
    {'n_folds': '5', 'champion.among': '["lr", "xgb"]'}
    """
    (found,) = pd.json_normalize(dict(given)).to_dict("records") or [{}]
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in found.items()}
    return {NAME.sub("_", name): text[:LONGEST_PARAMETER] for name, text in texts.items()}


def _numbers(of: Mapping[str, Any], metric: str = "value") -> dict[str, float]:
    """Numbers about a candidate: of each metric its value, or of the one metric it has its value and interval."""
    of = {metric if name == "value" else f"{metric}.{name}": one for name, one in of.items()} if "value" in of else of
    found = {name: one.get("value") if isinstance(one, Mapping) else one for name, one in of.items()}
    return {name: float(one) for name, one in found.items() if isinstance(one, int | float) and type(one) is not bool}


def _drawn(notebook: Mapping[str, Any]) -> dict[str, str]:
    """Figures of an executed notebook as SVG, by id."""
    from notebook_report.manuscript import about

    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
    drawings = [output for output in outputs if "image/svg+xml" in output.get("data", {}) and "id" in about(output)]
    return {about(output)["id"]: "".join(output["data"]["image/svg+xml"]) for output in drawings}


def _tracked(out: Path) -> dict[str, str]:
    """Key of each chapter that the store has; none where the file cannot be read."""
    with contextlib.suppress(OSError, ValueError, TypeError, RecursionError):
        return dict(json.loads((out / ".state" / "tracked.json").read_text(encoding="utf-8")))
    return {}


def waiting(out: Path) -> dict[str, str]:
    """Chapters that have been run and are not in the store yet, with the key of what they were run from."""
    from notebook_report.state import State  # not at the top: a served model has no runs, and not what this needs

    state = State(out)
    done, keys = _tracked(out), {c.name: state.read(c.name).get("key") for c in project.current.chapters}
    return {name: key for name, key in keys.items() if key and done.get(name) != key}


def taken(out: Path) -> Iterator[str]:
    """Each chapter that waits; whatever becomes of it, it waits no longer."""
    for name, key in waiting(out).items():
        try:
            yield name
        finally:
            results.publish(out / ".state" / "tracked.json", json.dumps(_tracked(out) | {name: key}))


def annotate(client: Any, run_id: str, params: Given = None, metrics: Given = None, tags: Given = None) -> None:
    """Add to a run, in one request.

    Parameters
    ----------
    client : mlflow.MlflowClient
    run_id : str
    params : mapping, optional
        Name to value, logged as text.
    metrics : mapping of str to float, optional
        What a name may not hold becomes an underscore.
    tags : mapping of str to str, optional
    """
    from mlflow.entities import Metric, Param, RunTag

    numbers = [Metric(NAME.sub("_", name), value, 0, 0) for name, value in (metrics or {}).items()]
    texts = [Param(name, str(value)) for name, value in (params or {}).items()]
    client.log_batch(run_id, metrics=numbers, params=texts, tags=[RunTag(*item) for item in (tags or {}).items()])


def _create(client: Any, study: str, name: str, told: Mapping[str, Any], tags: Mapping[str, str]) -> str:
    run_id = client.create_run(study, run_name=name, tags=dict(tags)).info.run_id
    annotate(client, run_id, told["params"], told["metrics"])
    for place, text in told["files"].items():
        client.log_text(run_id, text, place)
    client.set_terminated(run_id)
    return run_id


def _inputs(client: Any, run_id: str, data: list[Path]) -> None:
    """Data that a run was made from; a file's digest stands in full in a tag (MLflow's field is short)."""
    from mlflow.entities import Dataset, DatasetInput

    digests = {path.name: file_digest(path) for path in data if path.exists()}
    known = [Dataset(name, digest[:36], "local", json.dumps({"uri": name})) for name, digest in digests.items()]
    client.log_inputs(run_id, list(map(DatasetInput, known)))
    annotate(client, run_id, tags={f"sha256.{name}": digest for name, digest in digests.items()})


def _told_of(chapter: str, spec: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, float]]]:
    """Parameters, metrics and files of a finished chapter, and the numbers about each of its candidates."""
    found = results.read(chapter)
    notebook = json.loads((paths.out() / "executed" / f"{chapter}.ipynb").read_text(encoding="utf-8"))
    given = notebook["metadata"]["papermill"]["parameters"]
    drawn, files = _drawn(notebook), dict[str, str]()
    for name in spec["figures"]:
        table = paths.tables() / f"{name}.csv"
        files |= {f"figures/{name}.svg": drawn[name]} if name in drawn else {}
        files |= {f"figures/{name}.csv": table.read_text(encoding="utf-8")} if table.exists() else {}
    at = {path.removesuffix(".value"): results.look_up(found, path) for path in spec["metrics"]}
    settings_of = given | params.as_dict(params.load(chapter, given["profile"]))
    told = {"params": _flat(settings_of), "metrics": _numbers(at), "files": files}
    if not (which := spec.get("candidates")):
        return told, {}
    several = results.look_up(found, which["at"]) or {}
    among = {name: one for name, one in several.items() if name in which.get("names", several)}
    return told, {name: _numbers(one, which["metric"]) for name, one in among.items()}


def log(chapter: str) -> dict[str, str]:
    """Track a finished chapter: ids of its run (under its own name) and of the runs of its candidates below it.

    Nothing where the store failed; a `TrackingWarning` says why.
    """
    try:
        spec = MLFLOW["chapters"].get(chapter, PLAIN)
        told, among = _told_of(chapter, spec)
        store = client()
        study = experiment(store, spec["study"])
        ids = {chapter: _create(store, study, chapter, told, {"chapter": chapter})}
        _inputs(store, ids[chapter], [paths.data() / name for name in spec["data"]])
        tags = {"chapter": chapter, "mlflow.parentRunId": ids[chapter]}
        for name, numbers in among.items():
            own = {"params": {"candidate": name}, "metrics": numbers, "files": told["files"]}
            ids[name] = _create(store, study, name, own, tags)
    except Exception as error:  # any store, any failure: the report must not be lost
        warn_of(f"the run of {chapter} was not tracked", error)
        return {}
    return ids
