"""Tracked runs: numbers and digests in the store, the report safe from its failures."""

import importlib.machinery
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import psutil
import pytest

from attrition import paths, registry, simulate, tracking
from notebook_report import results
from notebook_report.sources import file_digest
from tests import services

pytestmark = pytest.mark.slow


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("ATTRITION_OUT", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


def test_a_chapter_is_one_run_with_params_digests_and_metrics(store):
    from mlflow import MlflowClient

    data = store / "trial.csv"
    data.write_text("a\n1\n")
    run_id = tracking.log("04_modelling", tracking.Run.of({"folds": 5}, {"lr": {"auroc": {"value": 0.7}}}, [data]))
    run = MlflowClient(tracking_uri=tracking.store_uri()).get_run(run_id)
    assert run.info.run_name == "04_modelling"
    assert run.data.params == {"folds": "5"}
    assert run.data.metrics == {"lr.auroc.value": 0.7}
    assert run.data.tags["sha256.trial.csv"] == file_digest(data)
    assert run.inputs.dataset_inputs[0].dataset.name == "trial.csv"


def test_studies_are_kept_apart(store):
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=tracking.store_uri())
    for chapter in ("04_modelling", "06_real_trial"):
        tracking.log(chapter, tracking.Run.of({}, {"a": 1}))
    assert {e.name for e in client.search_experiments()} >= {"simulated trial", "real trial"}


def test_a_store_that_fails_costs_a_warning_and_nothing_else(store, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////proc/nowhere/mlflow.db")
    with pytest.warns(tracking.TrackingWarning, match="04_modelling was not tracked"):
        assert tracking.log("04_modelling", tracking.Run.of({}, {})) is None


def test_names_that_a_store_refuses_are_written_with_underscores(store):
    run_id = tracking.log("04_modelling", tracking.Run.of({}, {"24 %": {"auroc (law)": 0.7}}))
    assert tracking.client().get_run(run_id).data.metrics == {"24 _.auroc _law_": 0.7}


NOTING = """
import sys
from pathlib import Path
import pandas as pd
from attrition import tracking
data, table = Path(sys.argv[1]), pd.DataFrame({"model": ["=lr"], "auroc": [2 / 3]})
metrics = {"lr": {"auroc": 2 / 3, "n": 7, "lost": float("nan"), "best": True}}
tracking.note("06_real_trial", {"folds": 5, "models": ["lr", "xgb"]}, metrics, [data], {"models": table})
assert "mlflow" not in sys.modules
"""


def test_what_a_notebook_notes_without_mlflow_reaches_the_store_as_it_was(store):
    (data := store / "patients.csv").write_text("a\n1\n")
    subprocess.run([sys.executable, "-c", NOTING, str(data)], check=True)
    assert [path.name for path in tracking.noted(store)] == ["06_real_trial.run.json"]
    subprocess.run([sys.executable, "-m", "attrition", "track"], check=True)
    assert tracking.noted(store) == []
    client = tracking.client()
    (run,) = client.search_runs([client.get_experiment_by_name("real trial").experiment_id])
    assert (run.info.run_name, run.info.status) == ("06_real_trial", "FINISHED")
    assert run.data.params == {"folds": "5", "models": "['lr', 'xgb']"}
    assert run.data.metrics == {"lr.auroc": 0.6666666667, "lr.n": 7.0}
    assert {k: v for k, v in run.data.tags.items() if "." not in k} == {"chapter": "06_real_trial"}
    assert run.data.tags["sha256.patients.csv"] == file_digest(data)
    table = next((store / "mlruns").rglob("models.csv")).read_text()
    assert table == "model,auroc\n'=lr,0.6666666666666666\n"


def test_the_champion_is_registered_below_the_run_of_its_chapter(store):
    scorer, data = champion()
    tracking.note("08_monitoring", {}, {"power": 0.9})
    tracking.note("08_monitoring", scorer.card, {"auroc": 0.7}, [data], kind="champion")
    subprocess.run([sys.executable, "-m", "attrition", "track"], check=True)
    client = tracking.client()
    version = client.get_model_version_by_alias(registry.NAME, registry.ALIAS)
    run = client.get_run(version.run_id)
    parent = client.get_run(run.data.tags["mlflow.parentRunId"])
    assert run.data.params["data_sha256"] == file_digest(data)
    assert (parent.info.run_name, parent.data.metrics) == ("08_monitoring", {"power": 0.9})


def champion():
    """A small champion, saved; scorer and data."""
    data = results.publish(paths.raw() / "trial.csv", simulate.csv_text(simulate.published_trial()))
    scorer = registry.train("lr", simulate.published_trial(), data, 5, 42)
    scorer.save(registry.folder())
    return scorer, data


def used_as_a_group_would(tmp_path):
    """Track a chapter, register the champion, load it by alias, follow its tags: all through the server."""
    scorer, data = champion()
    table = pd.DataFrame({"model": ["lr"], "auroc": [0.7]})
    assert tracking.log("04_modelling", tracking.Run.of({"folds": 5}, {"auroc": 0.7}, [data], {"models": table}))
    version = registry.register(registry.folder(), tracking.Run.of(scorer.card, {"auroc": 0.7}, [data]))
    assert registry.register(registry.folder()) == version == "1"
    trial = simulate.published_trial()
    assert (registry.load("trial-dropout@champion").probability(trial) == scorer.probability(trial)).all()
    tags = tracking.client().get_model_version_by_alias(registry.NAME, registry.ALIAS).tags
    assert tags["data_sha256"] == file_digest(data)
    assert [p.name for p in (tmp_path / "served").rglob("models.csv")] == ["models.csv"]


@contextmanager
def mlflow_server(tmp_path, backend, env=None):
    port = services.free_port()
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", backend, "--workers", "1"]
    place = ["--artifacts-destination", tmp_path / "served", "--host", "127.0.0.1", "--port", port]
    own = {**tracking.MLFLOW["quiet"], **(env or {})}
    with services.running([*command, *place], f"{address}/health", tmp_path / "server.log", own, cwd=tmp_path):
        yield address


def test_a_chapter_and_the_champion_reach_a_server(store, monkeypatch):
    with mlflow_server(store, f"sqlite:///{store / 'server.db'}") as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        used_as_a_group_would(store)
    assert not (store / "mlruns" / "mlflow.db").exists()


def psycopg2_folder(place):
    """Folder that holds PostgreSQL's driver for this interpreter alone, from its own packages or from Debian's."""
    if importlib.util.find_spec("psycopg2"):
        return None
    debian = Path("/usr/lib/python3/dist-packages/psycopg2")
    if not any((debian / f"_psycopg{end}").exists() for end in importlib.machinery.EXTENSION_SUFFIXES):
        pytest.skip("no PostgreSQL driver for this interpreter (Debian: python3-psycopg2)")
    (place / "driver").mkdir()
    (place / "driver" / "psycopg2").symlink_to(debian)
    return str(place / "driver")


@contextmanager
def postgresql():
    """Address of a PostgreSQL of its own on loopback."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not programs:
        pytest.skip("PostgreSQL is not installed (Debian: postgresql)")
    port, folder = services.free_port(), Path(tempfile.mkdtemp(prefix="attrition-pg-"))
    user = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        user = ["runuser", "-u", "postgres", "--"]
        shutil.chown(folder, "postgres")
    data = folder / "data"
    begin = [programs[-1], "-D", data, "-A", "trust", "-U", "attrition", "--locale=C", "--encoding=UTF8", "-N"]
    serve = [programs[-1].with_name("postgres"), "-D", data, "-h", "127.0.0.1", "-p", port, "-k", folder, "-F"]
    try:
        subprocess.run([*user, *map(str, begin)], check=True, capture_output=True, cwd="/")
        process = subprocess.Popen([*user, *map(str, serve)], cwd="/", stderr=subprocess.DEVNULL)
        try:
            ready = [programs[-1].with_name("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
            until = time.monotonic() + 60
            while subprocess.run(ready, check=False).returncode:
                assert time.monotonic() < until, "PostgreSQL does not answer"
                assert process.poll() is None, "PostgreSQL ended"
                time.sleep(0.2)
            yield f"postgresql+psycopg2://attrition@127.0.0.1:{port}/postgres"
        finally:
            for part in [*psutil.Process(process.pid).children(), psutil.Process(process.pid)]:
                part.terminate()
            process.wait(30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_a_server_on_postgresql_serves_as_well(store, monkeypatch):
    driver = psycopg2_folder(store)
    env = {"PYTHONPATH": driver} if driver else {}
    with postgresql() as database, mlflow_server(store, database, env) as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        used_as_a_group_would(store)


def test_the_users_interface_answers_on_loopback_only(store):
    port = services.free_port()
    env = {"VIRTUAL_ENV": sys.prefix, "PYTHONPATH": ""}
    command = [paths.ROOT / "run_all.sh", "ui", "--port", port]
    with services.running(command, f"http://127.0.0.1:{port}/", store / "ui.log", env) as process:
        tree = [process.pid, *(child.pid for child in psutil.Process(process.pid).children(recursive=True))]
        heard = [c for c in psutil.net_connections("inet") if c.pid in tree and c.status == psutil.CONN_LISTEN]
        assert port in {c.laddr.port for c in heard}
        assert {c.laddr.ip for c in heard} == {"127.0.0.1"}
        assert services.request(f"http://127.0.0.1:{port}/")[0] == 200
