"""Tuning: the budget is what is spent, the outer test rows choose nothing."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from attrition import features, models, resampling, simulate

SMALL = resampling.Budget(n_candidates=3, n_folds=2, min_trees=3, max_trees=9)


@pytest.fixture(scope="module")
def trial():
    return simulate.published_trial().head(240)


@pytest.fixture(scope="module")
def folds(trial):
    return resampling.repeated_folds(trial["dropout"].to_numpy(), 3, 1)


@pytest.fixture(scope="module")
def nested(trial, folds):
    return resampling.nested(["lr", "xgb", "lgbm"], trial, folds, budget=SMALL)


@pytest.mark.parametrize("budget", [SMALL, resampling.Budget(2, 2, 2, 6), resampling.Budget(4, 2, 2, 30)])
@pytest.mark.parametrize("model", ["lr", "xgb", "lgbm"])
def test_budget_is_what_is_spent(model, budget, trial, monkeypatch):
    classifier = type(models.classifier(model, "none").named_steps["classify"])
    trees, original = [], classifier.fit

    def counted(self, *args, **kwargs):
        trees.append(getattr(self, "n_estimators", 0))
        return original(self, *args, **kwargs)

    monkeypatch.setattr(classifier, "fit", counted)
    found = resampling.search(model, budget=budget).fit(features.matrix(trial, "v3_causal"), trial["dropout"])
    stated = resampling.search_cost(found)
    assert stated["candidates"] == budget.n_candidates
    assert len(trees) == stated["fits"]
    assert sum(trees) == stated["trees"]


@pytest.mark.slow
def test_outcomes_of_the_test_fold_change_nothing(trial, folds, nested):
    fold = folds[0]
    shuffled = trial.copy()
    shuffled.loc[shuffled.index[fold.test], "dropout"] = 1 - trial["dropout"].to_numpy()[fold.test]
    again = resampling.nested(["xgb"], shuffled, [fold], budget=SMALL)
    before = nested[0].query("model == 'xgb' and fold == 0")
    assert np.array_equal(again[0]["y_prob"], before["y_prob"])
    assert not np.array_equal(again[0]["y"], before["y"])


@pytest.mark.slow
def test_nested_rows_are_tidy_and_settings_come_from_the_space(nested, trial):
    assert list(nested[0]) == resampling.OOF_COLUMNS
    assert not nested[0].duplicated(["model", "patient_id"]).any()
    assert len(nested[0]) == 3 * len(trial)
    for name in ("lr", "xgb", "lgbm"):
        chosen = nested[1][nested[1]["model"] == name]
        assert len(chosen) == 3
        for key, values in models.MODELS[name].search.items():
            assert chosen[key].isin(values).all()


@pytest.mark.slow
def test_comparison_averages_folds(nested, trial, folds):
    y, ids = trial["dropout"].to_numpy(), trial["patient_id"].to_numpy()
    untuned = resampling.out_of_fold({"lr": models.pipeline("lr")}, trial, y, folds, ids)
    tuned = nested[0][nested[0]["model"] == "lr"]
    row = resampling.tuning_gain(untuned, tuned).iloc[0]

    def by_fold(rows):
        return np.mean([roc_auc_score(part["y"], part["y_prob"]) for _, part in rows.groupby("fold")])

    assert row["published"] == pytest.approx(by_fold(untuned))
    assert row["tuned"] == pytest.approx(by_fold(tuned))
    assert row["difference"] == pytest.approx(row["tuned"] - row["published"])
    assert row["tuned_pooled"] == pytest.approx(roc_auc_score(tuned["y"], tuned["y_prob"]))
    same = resampling.tuning_gain(untuned, untuned).iloc[0]
    assert (same["difference"], same["ci_low"], same["ci_high"]) == (0, 0, 0)


@pytest.mark.slow
def test_same_settings_on_every_run(nested, trial, folds):
    again = resampling.nested(["lr", "xgb", "lgbm"], trial, folds, budget=SMALL)
    pd.testing.assert_frame_equal(again[1], nested[1])
    pd.testing.assert_frame_equal(again[0], nested[0])
