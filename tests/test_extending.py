"""What CONTRIBUTING.md promises: a fourth model and a new claim are one file each."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import yaml

from attrition import claims, findings, paths, resampling, simulate
from attrition.metrics import evaluator, intervals, measures
from attrition.registry import modelcard
from attrition.studies import imbalance
from notebook_report.said import said

BAYES = """
def _bayes(seed: int, weighted: bool, **settings: Any) -> BaseEstimator:
    from sklearn.naive_bayes import GaussianNB

    return GaussianNB(**{"priors": [0.5, 0.5] if weighted else None} | settings)


MODELS: dict[str, Model] = {
    "bayes": Model("Naive Bayes", _bayes, True, {"var_smoothing": [1e-9, 1e-3]}, "purple"),"""
THROUGH = """
import pathlib
import sys

import numpy as np

from attrition import metrics, models, resampling, simulate
from attrition.evaluation import performance
from attrition.metrics import evaluator, intervals
from attrition.models import saving
from attrition.plots import curves, rows

trial = simulate.published_trial().head(240)
oof = resampling.every_model(trial, resampling.repeated_folds(trial["dropout"].to_numpy(), 3, 1))
order = models.LABELS
axes = rows.fold_distribution(resampling.per_fold(oof, metrics.auroc), order, {"chance": 0.5})
assert "Naive Bayes" in [label.get_text() for label in axes.get_yticklabels()]
assert "bayes" in set(resampling.model_table(oof, 3)["model"])

held_out = performance.arrange(oof)
weights = intervals.bootstrap_weights(np.random.default_rng(1), len(trial), 40)
found = evaluator.nested(evaluator.evaluate(held_out.y, held_out.y_prob, weights))
only = {"auroc": metrics.auroc}
differences = evaluator.nested(evaluator.compare(held_out.y, held_out.y_prob, performance.pairs(), weights, only))
drawn = curves.roc(curves.roc_data(held_out.y, held_out.y_prob, weights))
assert "Naive Bayes" in [label.get_text() for label in drawn.get_legend().get_texts()]
ranking = performance.discrimination(found, differences, 0.01, performance.expected_auroc(held_out))
told = [models.LABELS[model] for model in ranking["order"]]
assert "Naive Bayes" in told and "XGBoost" in told
assert "Naive Bayes" in performance.calibration(found)["slopes"]

folder = pathlib.Path(sys.argv[1])
fitted = models.pipeline("bayes").fit(trial, trial["dropout"])
saving.save("bayes", fitted, "v3_causal", folder)
assert np.array_equal(models.probability(saving.load(folder), trial), models.probability(fitted, trial))
print("through")
"""


@pytest.mark.slow
def test_a_fourth_model_in_one_file_reaches_tables_figures_sentences_and_the_disk(tmp_path):
    shutil.copytree(paths.ROOT / "lib", tmp_path / "lib", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("params.yaml", "claims.yaml"):
        shutil.copy(paths.ROOT / name, tmp_path)
    declared = tmp_path / "lib" / "attrition" / "models" / "__init__.py"
    source = declared.read_text(encoding="utf-8")
    first = "\nMODELS: dict[str, Model] = {"
    assert source.count(first) == 1
    declared.write_text(source.replace(first, BAYES), encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "lib"), "ATTRITION_OUT": str(tmp_path / "out")}
    command = [sys.executable, "-c", THROUGH, str(tmp_path / "saved")]
    run = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.stdout.strip() == "through", run.stderr


@pytest.mark.slow
def test_an_added_metric_reaches_every_chapter_that_evaluates(monkeypatch):
    def mean_probability(y_true, y_prob, weights=None):
        w = measures.columns(weights, np.size(y_prob))
        return measures.plain(np.asarray(y_prob) @ w / w.sum(axis=0), weights)

    monkeypatch.setitem(evaluator.MEASURES, "mean_probability", mean_probability)
    trial, rng = simulate.published_trial().head(240), np.random.default_rng(1)
    y = trial["dropout"].to_numpy()
    of_04 = resampling.model_table(resampling.every_model(trial, resampling.repeated_folds(y, 3, 1)), 3)
    found = of_04.set_index(["measure", "model"]).loc[("mean_probability", "null")]
    assert found["value"] == pytest.approx(y.mean(), abs=0.01)
    risk = rng.uniform(0.1, 0.9, 60)
    assert imbalance.measures(risk, risk, 0.5, [])["mean_probability"] == pytest.approx(risk.mean())
    weights = intervals.bootstrap_weights(rng, 60, 20)
    of_05 = evaluator.evaluate(rng.random(60) < risk, {"lr": risk}, weights)
    assert "mean_probability" in set(of_05["measure"])
    assert modelcard.held_out("lr", trial, 3, 42)["mean_probability"]["value"] == pytest.approx(y.mean(), abs=0.05)


def test_a_new_claim_in_one_file_gets_a_verdict_and_stands_in_every_table(tmp_path):
    ledger = claims.section("claims")
    new = {
        "id": "C99",
        "claim": "The published trial has 1,000 patients",
        "published": "1,000",
        "where": "README",
        "kind": "data",
        "estimand": "Rows of the published trial",
        "statements": [
            {"rule": "rounds_to", "published": 1000, "decimals": 0, "measured": "01_generation: published.n_patients"}
        ],
        "evidence": ["tbl-descriptives"],
    }
    changed = tmp_path / "claims.yaml"
    changed.write_text(yaml.safe_dump({"claims": [*ledger, new]}), encoding="utf-8")
    committed = sorted((paths.ROOT / "reports" / "results").glob("0*.json"))
    chapters = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in committed}
    rows = claims.evaluate(claims.load(changed), chapters)
    assert rows[-1]["verdict"] == "reproduced"
    assert findings.of_ledger(rows)["n"] == len(ledger) + 1
    assert said("figures_found", rows[-1]) == "1000"
    assert said("reason", rows[-1]) == "Published 1000, recomputed 1000."
