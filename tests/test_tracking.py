"""Tracked runs: numbers and digests in the store, the report safe from its failures."""

import importlib.machinery
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from attrition import paths, project, registry, simulate, tracking
from notebook_report import results
from notebook_report.sources import file_digest
from tests import finished, services

pytestmark = pytest.mark.slow


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("ATTRITION_OUT", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


MODELS = {"lr": {"auroc": {"value": 0.7, "ci_low": 0.6}}, "xgb": {"auroc": {"value": 0.6, "ci_low": 0.5}}}


def test_a_chapter_is_a_run_and_each_candidate_one_below_it(store):
    data = results.publish(paths.raw() / "trial.csv", "a\n1\n")
    numbers = {"models": MODELS, "tuning": {"conclusion": {"best_auroc": 0.7, "helped": ["xgb"]}}}
    finished.chapter("04_modelling", numbers, figures=["fig-imbalance"])
    ids = tracking.log("04_modelling")
    runs = {name: tracking.client().get_run(run_id) for name, run_id in ids.items()}
    chapter, lr = runs["04_modelling"], runs["lr"]
    assert list(runs) == ["04_modelling", "lr", "xgb"]
    assert (chapter.info.run_name, chapter.info.status) == ("04_modelling", "FINISHED")
    assert chapter.data.metrics == {"tuning.conclusion.best_auroc": 0.7}
    assert chapter.data.tags["sha256.trial.csv"] == file_digest(data)
    assert chapter.inputs.dataset_inputs[0].dataset.name == "trial.csv"
    assert lr.data.metrics == {"auroc": 0.7}
    assert lr.data.tags["mlflow.parentRunId"] == ids["04_modelling"]
    for run in (chapter, lr):
        assert {f.path for f in tracking.client().list_artifacts(run.info.run_id, "figures")} == {
            "figures/fig-imbalance.svg",
            "figures/fig-imbalance.csv",
        }


def test_parameters_are_flat_text_and_no_python(store):
    finished.chapter("08_monitoring", {})
    told = tracking.client().get_run(tracking.log("08_monitoring")["08_monitoring"]).data.params
    assert (told["seed"], told["profile"], told["champion.metric"]) == ("42", "full", "brier_score")
    assert json.loads(told["champion.among"]) == ["lr", "lgbm", "xgb"]
    assert not [text for text in told.values() if "'" in text]


def test_studies_are_kept_apart_and_open_as_models(store):
    client = tracking.client()
    for chapter in ("04_modelling", "06_real_trial"):
        finished.chapter(chapter, {})
        tracking.log(chapter)
    for study in ("simulated trial", "real trial"):
        assert client.get_experiment_by_name(study).tags["mlflow.experimentKind"] == "custom_model_development"


def test_a_store_that_fails_costs_a_warning_and_nothing_else(store, monkeypatch):
    finished.chapter("04_modelling", {})
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////proc/nowhere/mlflow.db")
    with pytest.warns(tracking.TrackingWarning, match="04_modelling was not tracked"):
        assert tracking.log("04_modelling") == {}


def test_names_that_a_store_refuses_are_written_with_underscores(store):
    finished.chapter("04_modelling", {"models": {"lr": {"auroc (24 %)": {"value": 0.7}}}})
    assert tracking.client().get_run(tracking.log("04_modelling")["lr"]).data.metrics == {"auroc _24 __": 0.7}


def test_a_chapter_is_tracked_once_and_again_when_it_was_run_anew(store):
    finished.chapter("06_real_trial", {"flow": {"randomised": 9}})
    assert tracking.waiting(store) == {"06_real_trial": "k"}
    for key in ("k", "other"):
        finished.chapter("06_real_trial", {"flow": {"randomised": 9}}, key=key)
        subprocess.run([sys.executable, "-m", "attrition", "track"], check=True)
        assert tracking.waiting(store) == {}
    client = tracking.client()
    runs = client.search_runs([client.get_experiment_by_name("real trial").experiment_id])
    assert [run.data.metrics for run in runs] == [{"flow.randomised": 9.0}] * 2


def test_each_chapter_has_metrics_and_figures_that_it_makes():
    """Of the committed results: no place or figure that the file names is missing, and ten numbers at most."""
    for name, spec in tracking.MLFLOW["chapters"].items():
        found = results.read(name)
        assert all(results.look_up(found, path) is not None for path in spec["metrics"]), name
        assert len(spec["metrics"]) <= 10
        assert all((paths.tables() / f"{figure}.csv").exists() for figure in spec["figures"]), name
        which = spec.get("candidates")
        for one in (results.look_up(found, which["at"]) or {}).values() if which else ():
            assert not isinstance(one, dict) or len(tracking._numbers(one, which["metric"])) <= 10, name
    assert set(tracking.MLFLOW["chapters"]) == {chapter.name for chapter in project.STUDY}


def test_the_champion_is_registered_with_the_run_of_its_candidate(store):
    _, data = champion()
    finished.chapter("08_monitoring", {"champion": {"candidates": {"lr": {"value": 0.2}, "xgb": {"value": 0.3}}}})
    subprocess.run([sys.executable, "-m", "attrition", "track"], check=True)
    client = tracking.client()
    version = client.get_model_version_by_alias(registry.NAME, registry.ALIAS)
    run = client.get_run(version.run_id)
    parent = client.get_run(run.data.tags["mlflow.parentRunId"])
    assert (run.info.run_name, run.data.metrics) == ("lr", {"brier_score": 0.2})
    assert run.data.params["data_sha256"] == run.data.tags["data_sha256"] == file_digest(data)
    assert parent.info.run_name == "08_monitoring"


def champion():
    """A small champion, saved; scorer and data."""
    data = results.publish(paths.raw() / "trial.csv", simulate.csv_text(simulate.published_trial()))
    scorer = registry.train("lr", simulate.published_trial(), data, 5, 42)
    scorer.save(registry.folder())
    return scorer, data


def used_as_a_group_would(tmp_path):
    """Track a chapter, register the champion, load it by alias, follow its tags: all through the server."""
    scorer, data = champion()
    finished.chapter("04_modelling", {"models": MODELS}, figures=["fig-imbalance"])
    assert tracking.log("04_modelling")
    version = registry.register(registry.folder())
    assert registry.register(registry.folder()) == version == "1"
    trial = simulate.published_trial()
    assert (registry.load("trial-dropout@champion").probability(trial) == scorer.probability(trial)).all()
    tags = tracking.client().get_model_version_by_alias(registry.NAME, registry.ALIAS).tags
    assert tags["data_sha256"] == file_digest(data)
    assert len(list((tmp_path / "served").rglob("fig-imbalance.csv"))) == 1 + len(MODELS)


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
