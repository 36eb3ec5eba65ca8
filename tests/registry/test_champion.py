"""The champion in the registry: traceable, reproducible to the bit, and no patient in the store."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from attrition import contract, features, paths, registry, score, simulate, tracking
from attrition.models import saving
from notebook_report import results, sources
from notebook_report.sources import file_digest
from tests import finished

CANARY_ID, CANARY_DAYS = "CANARY-4711", 3571
PROGRAM = """
import sys
from pathlib import Path
import numpy as np, pandas as pd
from attrition import contract, paths, registry
scorer = registry.load("trial-dropout@champion")
kept = pd.read_parquet(registry.predictions_file())
trial = contract.read_trial(paths.raw() / scorer.card["data"])
assert kept["patient_id"].tolist() == trial["patient_id"].tolist()
assert np.array_equal(scorer.probability(trial), kept["probability"].to_numpy()), "other predictions"
print(len(kept))
"""
REGISTER = """
from attrition import registry
assert registry.register(registry.folder())
"""


def with_canary():
    """The published trial with one patient whose id and follow-up occur nowhere else."""
    trial = simulate.published_trial()
    trial.loc[7, ["patient_id", "days_in_trial", "last_visit_day"]] = [CANARY_ID, CANARY_DAYS, CANARY_DAYS]
    trial.loc[7, "visits_completed"] = max(trial.loc[7, "visits_completed"], 1)
    return trial


def bring_up(trial):
    """Train, save and register, as after chapter 08; version, scorer and tracked runs."""
    data = results.publish(paths.raw() / "trial.csv", simulate.csv_text(trial))
    scorer = registry.train("lr", contract.read_trial(data), data, 20, 42)
    scorer.save(registry.folder())
    registry.keep_predictions(scorer, trial)
    candidates = {name: {"value": 0.2, "ci_low": 0.1, "ci_high": 0.3} for name in ("lr", "xgb")}
    finished.chapter(registry.CHAPTER, {"champion": {"candidates": candidates}}, figures=["fig-champion"])
    runs = tracking.log(registry.CHAPTER)
    return registry.register(registry.folder(), runs[registry.chosen()]), scorer, runs


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A registered champion in a store of its own: folder, version, scorer, runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATTRITION_OUT", str(tmp_path_factory.mktemp("with space and ü")))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        yield paths.out(), *bring_up(with_canary())


def champion_version():
    return tracking.client().get_model_version_by_alias(registry.NAME, registry.ALIAS)


def environment(**more):
    return {**os.environ, "OMP_NUM_THREADS": "1", **more}


@pytest.mark.slow
def test_a_new_process_loads_the_champion_by_alias_and_predicts_the_same_bits(store, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment(), cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["1000"]
    assert done.stderr == ""
    assert not list(tmp_path.iterdir()), "loading leaves files where it was started"


@pytest.mark.slow
def test_registering_says_nothing(store, tmp_path):
    """Neither progress bars nor colour warnings, and no store of MLflow's own beside the process."""
    quiet = environment(MLFLOW_TRACKING_URI=f"sqlite:///{tmp_path / 'other.db'}")
    (place := tmp_path / "here").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", REGISTER], env=quiet, cwd=place, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert {p.name for p in place.iterdir()} <= {"mlruns"}


@pytest.mark.slow
def test_the_tags_lead_to_the_file_and_to_the_code(store):
    tags = champion_version().tags
    assert tags["data_sha256"] == file_digest(paths.raw() / tags["data"])
    assert tags["code_sha256"] == registry.code_digest()
    assert tags["feature_version"] in features.VERSIONS
    assert tags["scorer_sha256"] == registry.traces(registry.folder())["scorer_sha256"]


@pytest.mark.slow
def test_the_run_holds_params_metrics_data_and_figures(store):
    client, version = tracking.client(), champion_version()
    run, chapter = client.get_run(version.run_id), client.get_run(store[3][registry.CHAPTER])
    assert version.run_id == store[3]["lr"]
    assert (run.info.run_name, run.data.params["n_patients"]) == ("lr", "1000")
    assert run.data.metrics == {"brier_score": 0.2, "brier_score.ci_low": 0.1, "brier_score.ci_high": 0.3}
    assert chapter.inputs.dataset_inputs[0].dataset.name == "trial.csv"
    assert (
        chapter.data.tags["sha256.trial.csv"] == run.data.tags["data_sha256"] == file_digest(paths.raw() / "trial.csv")
    )
    files = ["figures/fig-champion.csv", "figures/fig-champion.svg"]
    assert sorted(f.path for f in client.list_artifacts(version.run_id, "figures")) == files


@pytest.mark.slow
def test_the_model_has_a_signature_pinned_packages_and_no_pickle(store):
    folder = next(store[0].rglob("MLmodel")).parent
    text = (folder / "MLmodel").read_text()
    assert all(name in text for name in score.INPUT.names)
    lines = (folder / "requirements.txt").read_text().split()
    assert all(re.fullmatch(r"[a-z0-9-]+==[\w.]+", line) for line in lines)
    assert not [p for p in store[0].rglob("*") if p.suffix in {".pkl", ".pickle", ".joblib", ".cloudpickle"}]


@pytest.mark.slow
def test_an_unchanged_champion_keeps_its_version_and_a_changed_one_gets_the_next(store):
    version = store[1]
    assert registry.register(registry.folder()) == version
    other = registry.train("lgbm", simulate.published_trial(), paths.raw() / "trial.csv", 5, 42)
    place = paths.processed() / "other"
    other.save(place)
    assert registry.register(place) == str(int(version) + 1) == str(champion_version().version)
    assert registry.register(registry.folder()) == version == str(champion_version().version)


@pytest.mark.slow
def test_a_store_that_was_moved_still_gives_its_champion(store, tmp_path, monkeypatch):
    """With all that a run left, as when a checkout is renamed; what is logged afterwards lies in the new place too."""
    moved = tmp_path / "renamed"
    shutil.copytree(store[0], moved)
    away = store[0].rename(store[0].with_name("away"))
    try:
        monkeypatch.setenv("ATTRITION_OUT", str(moved))
        trial = simulate.published_trial()
        assert (registry.load().probability(trial) == store[2].probability(trial)).all()
        finished.chapter("04_modelling", {}, figures=["fig-imbalance"])
        run_id = tracking.log("04_modelling")["04_modelling"]
        assert tracking.client().get_run(run_id).info.artifact_uri.startswith(moved.as_uri())
        assert registry.register(registry.folder()) == store[1]
        assert not store[0].exists()
    finally:
        away.rename(store[0])


@pytest.mark.slow
def test_no_patient_is_in_the_store(store):
    """Neither the planted identifier nor the planted value; the search finds both where they belong."""
    wanted = [CANARY_ID.encode(), str(CANARY_DAYS).encode(), b"P-0001"]
    assert all(word in (paths.raw() / "trial.csv").read_bytes() for word in wanted)
    files = [p for p in (store[0] / "mlruns").rglob("*") if p.is_file()]
    assert {"mlflow.db", "support.json", "MLmodel"} <= {p.name for p in files}
    for path in files:
        content = path.read_bytes()
        assert CANARY_ID.encode() not in content, path.name
        assert b"P-0001" not in content, path.name
        if path.suffix != ".png":
            found = re.search(rb"(?<![0-9.])%d(?![0-9])" % CANARY_DAYS, content)
            assert not found, path.name


@pytest.mark.slow
@pytest.mark.parametrize("uri", ["sqlite:////proc/nowhere/mlflow.db", "nonsense://x"])
def test_a_store_that_fails_costs_a_warning(store, monkeypatch, uri):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.warns(tracking.TrackingWarning, match="the champion was not registered"):
        assert registry.register(registry.folder()) is None


@pytest.mark.slow
def test_a_model_that_nobody_registered_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("ATTRITION_OUT", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="no model 'nobody@champion'"):
        registry.load("nobody@champion")


def test_a_store_that_cannot_be_read_is_not_told_as_a_missing_model(monkeypatch):
    def broken():
        raise OSError("disk")

    monkeypatch.setattr("attrition.registry.tracking.client", broken)
    with pytest.raises(FileNotFoundError, match=r"cannot be read \(OSError\)"):
        registry.load("trial-dropout@champion")


@pytest.mark.slow
@pytest.mark.parametrize("model", ["lr", "lgbm", "xgb"])
def test_a_champion_is_saved_as_the_same_bytes(model, tmp_path):
    trial = simulate.published_trial()
    data = results.publish(tmp_path / "trial.csv", simulate.csv_text(trial))
    for name in ("first", "second"):
        registry.train(model, trial, data, 5, 42).save(tmp_path / name)
    assert registry.traces(tmp_path / "first") == registry.traces(tmp_path / "second")


def test_steady_bytes_hold_the_same_model(tmp_path):
    from attrition import models

    trial = simulate.published_trial()
    fitted = models.pipeline("lr", strategy="none").fit(trial, trial["dropout"])
    saving.save("lr", fitted, "v3_causal", tmp_path)
    assert np.array_equal(models.probability(saving.load(tmp_path), trial), models.probability(fitted, trial))


@pytest.mark.slow
def test_the_pinned_packages_are_those_that_scoring_imports():
    """Third-party modules imported anywhere below `serving`, function bodies of plots and runs apart."""
    import ast
    from importlib.metadata import packages_distributions

    known = packages_distributions()
    wanted = set()
    for name in sources.modules(Path(registry.__file__).with_name("serving.py").read_text()):
        tree = ast.parse(sources.module_file(name).read_text(encoding="utf-8"))
        for node in tree.body:
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            wanted |= {known[n.split(".")[0]][0] for n in names if known.get(n.split(".")[0])}
    pinned = {line.partition("==")[0] for line in registry.requirements()}
    assert {w.lower() for w in wanted} - {"attrition"} <= pinned


def test_the_support_holds_no_single_patients_value():
    ends = score.Support.of(with_canary()).ranges["days_in_trial"]
    assert ends[1] < 365
    assert str(CANARY_DAYS) not in json.dumps(ends)
