"""Tracked runs: numbers and digests in the store, the report safe from its failures."""

import pytest

from attrition import tracking
from attrition.digests import file_digest

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
    run_id = tracking.log_chapter("04_modelling", {"folds": 5}, {"lr": {"auroc": {"value": 0.7}}}, [data])
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
        tracking.log_chapter(chapter, {}, {"a": 1})
    assert {e.name for e in client.search_experiments()} >= {"simulated trial", "real trial"}


def test_a_store_that_fails_costs_a_warning_and_nothing_else(store, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////proc/nowhere/mlflow.db")
    with pytest.warns(tracking.TrackingWarning, match="04_modelling was not tracked"):
        assert tracking.log_chapter("04_modelling", {}, {}) is None
