"""Tracked runs, in an MLflow store beside the report or on any server.

One run a chapter that fits models, in one experiment a study, with the resolved parameters, the digests of the data
and the metrics. A chapter only notes its run in a file: what is noted is logged when the chapters are done, by one
process that loads MLflow for all of them. The store holds numbers about models, never a patient's row. A store that
fails loses the tracked run, not the report.
"""

import base64
import contextlib
import io
import json
import os
import re
import sqlite3
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import pandas as pd

from attrition import paths, settings
from notebook_report import results
from notebook_report.sources import file_digest

NAME = re.compile(r"[^\w.\-/ ]")
SIMULATED = "simulated trial"
STUDIES = {"06_real_trial": "real trial", "07_time_to_dropout": "real trial"}
LONGEST_PARAMETER = 500
MLFLOW = settings.read(Path(__file__).with_name("tracking.yaml"), ValueError)
"""Variables that keep MLflow quiet, wherever it is started, and where its tables hold the place of files."""


class TrackingWarning(UserWarning):
    """The store did not take a run; the report goes on without it."""


def folder(out: Path | None = None) -> Path:
    """Folder of the local store: ``mlruns/`` for the committed report, else inside the output folder."""
    out = out or paths.out()
    return (paths.ROOT if out == paths.ROOT / "reports" else out) / "mlruns"


def kept(out: Path) -> bool:
    """Whether runs of an output folder were tracked in a local store, or wait for it."""
    return (folder(out) / "mlflow.db").exists() or bool(noted(out))


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
    found = client.get_experiment_by_name(study)
    if found:
        return found.experiment_id
    local = store_uri().startswith("sqlite")
    return client.create_experiment(study, artifact_location=_artifacts() if local else None)


def flat(numbers: Mapping[str, Any]) -> dict[str, float]:
    """Nested results as one level of metrics; what is no number is left out.

    >>> flat({"lr": {"auroc": {"value": 0.7, "ci_low": 0.6}}, "note": "x"})
    {'lr.auroc.value': 0.7, 'lr.auroc.ci_low': 0.6}
    """
    (found,) = pd.json_normalize(dict(numbers)).to_dict("records") or [{}]
    return {str(key): float(value) for key, value in found.items() if type(value) in (int, float)}


def warn_of(what: str, error: Exception) -> None:
    """Say that the store did not take something; an error's own text could hold anything, so only its kind is told."""
    warnings.warn(f"{what}: {type(error).__name__}", TrackingWarning, stacklevel=3)


def _png(figure: Any) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return base64.b64encode(buffer.getvalue()).decode()


@dataclass(frozen=True)
class Run:
    """What the store gets of a run: made of text and numbers, so that it can wait in a file. See `Run.of`."""

    params: Mapping[str, str]
    metrics: Mapping[str, float]
    data: Mapping[str, str]
    tables: Mapping[str, str]
    figures: Mapping[str, str]

    @classmethod
    def of(
        cls,
        params: Mapping[str, Any],
        metrics: Mapping[str, Any],
        data: Iterable[Path] = (),
        tables: Mapping[str, pd.DataFrame] | None = None,
        figures: Mapping[str, Any] | None = None,
    ) -> Self:
        """Gather a run from resolved parameters, nested results, files of data, and tables and figures of results.

        Every number among the metrics becomes one of the run; files count by name and digest; no table of patients.
        """
        texts = {k: results.inert(v).to_csv(index=False, lineterminator="\n") for k, v in (tables or {}).items()}
        return cls(
            {key: str(value)[:LONGEST_PARAMETER] for key, value in params.items()},
            {NAME.sub("_", key): value for key, value in flat(results.plain(metrics)).items()},
            {path.name: file_digest(path) for path in data},
            texts,
            {key: _png(figure) for key, figure in (figures or {}).items()},
        )

    def log(self, client: Any, run_id: str) -> None:
        """Log it as a run that has been created; a file's digest stands in full in a tag (MLflow's field is short)."""
        from mlflow.entities import Dataset, DatasetInput, Metric, Param

        client.log_batch(run_id, params=[Param(*item) for item in self.params.items()])
        taken = [Metric(key, value, 0, 0) for key, value in self.metrics.items()]
        for first in range(0, len(taken), 1000):
            client.log_batch(run_id, metrics=taken[first : first + 1000])
        inputs = [DatasetInput(Dataset(k, v[:36], "local", json.dumps({"uri": k}))) for k, v in self.data.items()]
        client.log_inputs(run_id, inputs)
        for name, digest in self.data.items():
            client.set_tag(run_id, f"sha256.{name}", digest)
        for name, text in self.tables.items():
            client.log_text(run_id, text, f"tables/{name}.csv")
        with tempfile.TemporaryDirectory() as place:
            for name, png in self.figures.items():
                (file := Path(place) / f"{name}.png").write_bytes(base64.b64decode(png))
                client.log_artifact(run_id, str(file), "figures")


def note(chapter: str, *of: Any, kind: str = "run", **more: Any) -> None:
    """Note a run, to be logged when the chapters are done; needs no MLflow.

    The run of a chapter that the driver runs waits for the chapter's success. What a notebook alone has noted is logged
    by the next run, or by ``./run_all.sh ui``; of several, the last.

    Parameters
    ----------
    chapter : str
        Name of the notebook without ending.
    *of, **more
        What `Run.of` takes.
    kind : str
        ``"run"``, or ``"champion"`` for the model that is registered with it, see `attrition.registry`.
    """
    driven = "ATTRITION_CHAPTER" in os.environ
    place = paths.waiting(chapter) / f"{kind}.json" if driven else paths.out() / ".state" / f"{chapter}.{kind}.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(asdict(Run.of(*of, **more))), encoding="utf-8")


def noted(out: Path, kind: str = "*") -> list[Path]:
    """Files of runs that wait to be logged."""
    return sorted((out / ".state").glob(f"[0-9]*.{kind}.json"))


def taken(kind: str) -> Iterator[tuple[str, Run]]:
    """Chapter and run of each that waits; whatever becomes of it, it waits no longer."""
    for path in noted(paths.out(), kind):
        try:
            yield path.name.partition(".")[0], Run(**json.loads(path.read_text(encoding="utf-8")))
        finally:
            path.unlink()


def log(chapter: str, run: Run) -> str | None:
    """Track one chapter as a run and return its id; None when the store failed (a `TrackingWarning` says why)."""
    try:
        store = client()
        study = experiment(store, STUDIES.get(chapter, SIMULATED))
        run_id = store.create_run(study, run_name=chapter, tags={"chapter": chapter}).info.run_id
        run.log(store, run_id)
        store.set_terminated(run_id)
    except Exception as error:  # any store, any failure: the report must not be lost
        warn_of(f"the run of {chapter} was not tracked", error)
        return None
    return run_id
