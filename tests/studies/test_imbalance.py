"""Imbalance study: exact measures, shortcuts that equal the pipelines, conclusions that follow the numbers."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import brier_score_loss, precision_score, recall_score, roc_auc_score

from attrition import features, models, simulate
from attrition.simulate import oracle
from attrition.simulate.law import PUBLISHED_LAW
from attrition.studies import imbalance


@pytest.fixture(scope="module")
def rows():
    return imbalance.study({"lr": 4}, {"default": 0.0, "p24": 0.24}, (400, 3000), [0.1, 0.35], 5)


@pytest.fixture(scope="module")
def table(rows):
    return imbalance.summary(rows)


@pytest.fixture
def rng():
    return np.random.default_rng(8)


@pytest.mark.slow
def test_measures_are_means_over_drawn_outcomes(rng):
    p = rng.uniform(0.05, 0.95, 400)
    y_prob = np.clip(p + rng.normal(0, 0.15, 400), 0.01, 0.99)
    got = imbalance.measures(p, y_prob, 0.4, [0.3])
    drawn = rng.random((120, 400)) < p
    flagged = y_prob >= 0.4
    expected = {
        "auroc": np.mean([roc_auc_score(y, y_prob) for y in drawn]),
        "brier_score": np.mean([brier_score_loss(y, y_prob) for y in drawn]),
        "recall": np.mean([recall_score(y, flagged) for y in drawn]),
        "precision": np.mean([precision_score(y, flagged) for y in drawn]),
    }
    for name, value in expected.items():
        assert got[name] == pytest.approx(value, abs=0.012)
    caught = y_prob >= 0.3
    benefit = [((caught & y).sum() - (caught & ~y).sum() * 3 / 7) / 400 for y in drawn]
    assert got["net_benefit_0.3"] == pytest.approx(np.mean(benefit), abs=0.012)


def test_the_truth_has_the_best_measures_of_all(rng):
    p = rng.uniform(0.05, 0.95, 2000)
    truth = imbalance.measures(p, p, 0.5, [0.2, 0.5])
    assert truth["calibration_slope"] == pytest.approx(1, abs=1e-6)
    assert truth["calibration_in_the_large"] == pytest.approx(0, abs=1e-6)
    for _ in range(20):
        other = imbalance.measures(p, np.clip(p + rng.normal(0, 0.1, 2000), 0.01, 0.99), 0.5, [0.2, 0.5])
        assert other["auroc"] < truth["auroc"]
        assert other["brier_score"] > truth["brier_score"]
        assert other["net_benefit_0.2"] <= truth["net_benefit_0.2"]


def test_nobody_flagged_has_no_precision():
    assert np.isnan(imbalance.measures(np.array([0.1, 0.2]), np.array([0.1, 0.2]), 0.9, [])["precision"])


@pytest.mark.slow
@pytest.mark.parametrize("model", ["lr", "lgbm"])
def test_shortcuts_equal_the_pipelines(model):
    trial = simulate.draw_trial(PUBLISHED_LAW, 200, np.random.default_rng(4), -1.5)
    X, y = features.matrix(trial, "v3_causal"), trial["dropout"].to_numpy()
    found = {name: (y_prob, at) for name, y_prob, at in imbalance.predictions(model, X, y, X, 7)}
    assert set(found) == set(models.STRATEGIES)
    for strategy, (y_prob, threshold) in found.items():
        pipe = models.classifier(model, strategy, 7)
        if strategy == "recalibrated":
            pipe.set_params(classify__folds=imbalance.INNER_FOLDS)
        fitted = pipe.fit(X, y)
        assert np.allclose(y_prob, models.probability(fitted, X), atol=1e-12)
        assert threshold == (y.mean() if strategy == "threshold" else 0.5)


@pytest.mark.slow
def test_settings_have_their_event_rates():
    for setting in imbalance.event_rates({"default": 0.0, "p10": 0.10}):
        found = oracle.exact(PUBLISHED_LAW, setting.offset)["prevalence"]
        assert found == pytest.approx(setting.event_rate, abs=1e-8)


def test_differences_are_paired(rows, table):
    wide = rows[(rows["event_rate"] == "p24") & (rows["model"] == "lr")].set_index(["strategy", "trial"])["brier_score"]
    gain = wide["smote"] - wide["none"]
    row = table.query(
        "event_rate == 'p24' and model == 'lr' and strategy == 'smote' and measure == 'brier_score'"
    ).iloc[0]
    assert row["difference_value"] == pytest.approx(gain.mean())
    assert row["difference_mc_se"] == pytest.approx(gain.std() / np.sqrt(len(gain)))


def test_moving_the_threshold_changes_no_probability(table):
    moved = table[(table["strategy"] == "threshold") & ~table["measure"].isin(("recall", "precision"))]
    assert (moved["difference_value"] == 0).all()


def test_nobody_beats_the_oracle(table):
    auroc = table[table["measure"] == "auroc"].set_index(["event_rate", "model", "strategy"])["value"]
    for rate in ("default", "p24"):
        assert auroc[rate].max() == auroc[rate, "oracle", "none"]


def test_balancing_overstates_the_risk_of_a_rare_outcome(table):
    found = table.query("event_rate == 'p24' and model == 'lr' and measure == 'calibration_in_the_large'")
    value = found.set_index("strategy")["value"]
    assert (value[list(imbalance.RESAMPLED)] < -0.8).all()
    assert (value[["none", "threshold", "recalibrated"]].abs() < 0.5).all()


def test_results_have_the_keys_of_the_ledger(table):
    found = imbalance.as_results(table)
    gain = found["p24"]["lr"]["class_weight"]["recall"]["difference"]
    assert {"value", "ci_low", "ci_high", "mc_se"} <= set(gain)
    assert found["p24"]["lr"]["none"]["recall"]["value"] > 0


def changed(table, measure, strategies, **numbers):
    chosen = (table["measure"] == measure) & table["strategy"].isin(strategies) & (table["model"] == "lr")
    return table.assign(**{key: table[key].mask(chosen, value) for key, value in numbers.items()})


def test_conclusion_turns_with_the_numbers(table):
    as_found = imbalance.conclude(table, 0.01)
    assert as_found["verdict"] == "not supported"
    assert (as_found["worse"], as_found["same"]) == (True, True)
    assert as_found["n_gains"] == as_found["n_helped"] + as_found["n_excluded"] + as_found["n_open"]
    better = changed(table, "auroc", imbalance.RESAMPLED, difference_value=0.05, difference_ci_low=0.04)
    assert imbalance.conclude(better, 0.01)["auroc_gain"] == 0.05
    worthwhile = changed(better, "net_benefit_0.1", imbalance.RESAMPLED, difference_ci_low=0.01)
    assert imbalance.conclude(worthwhile, 0.01)["winners"] == ["lr"]
    for at in ("net_benefit_0.1", "net_benefit_0.35"):
        worthwhile = changed(worthwhile, at, imbalance.RESAMPLED, difference_ci_low=0.01, difference_ci_high=0.02)
    assert imbalance.conclude(worthwhile, 0.01)["verdict"] == "supported"
    once = changed(better, "auroc", ["smote", "undersample"], difference_ci_low=-0.04)
    assert imbalance.conclude(once, 0.01)["verdict"] == "direction only"
    harmless = changed(table, "calibration_in_the_large", imbalance.RESAMPLED, value=0.0)
    assert not imbalance.conclude(harmless, 0.01)["worse"]
    useless = changed(table, "recall", ["threshold"], value=0.0)
    assert not imbalance.conclude(useless, 0.01)["same"]


def test_intervals_are_left_out_where_there_are_none():
    table = pd.DataFrame(
        {
            "event_rate": "p24",
            "model": ["oracle", "lr"],
            "strategy": "none",
            "n_trials": [1, 5],
            "measure": "auroc",
            "value": [0.76, 0.75],
            "ci_low": [np.nan, 0.74],
            "ci_high": [np.nan, 0.76],
        }
    )
    whole = pd.concat([table.assign(measure=m) for m in (*imbalance.SHOWN, "net_benefit_0.2")])
    shown = imbalance.shown(whole, "p24")
    assert shown["auroc"].tolist() == ["0.760", "0.750 (0.740 to 0.760)"]
    assert shown["n_trials"].tolist() == [1, 5]


@pytest.mark.slow
def test_intervals_tell_what_another_run_would_give():
    """Levels of independent runs scatter as their intervals say, the draw of the population included."""
    setting = imbalance.event_rates({"p24": 0.24})[0]
    drawn = [imbalance.reference_rows(setting, range(6), 400, [0.1], seed) for seed in range(200)]
    runs = [imbalance.summary(pd.DataFrame(rows)) for rows in drawn]
    for model, measure in (("null", "brier_score"), ("oracle", "net_benefit_0.1")):
        rows = pd.concat([run[(run["model"] == model) & (run["measure"] == measure)] for run in runs])
        exact = rows["value"].mean()
        covered = ((rows["ci_low"] <= exact) & (exact <= rows["ci_high"])).mean()
        assert stats.binomtest(int(covered * len(rows)), len(rows), 0.95).pvalue > 0.001


@pytest.mark.slow
def test_the_oracle_has_its_exact_auroc_and_brier_score_in_every_population():
    setting = imbalance.event_rates({"p24": 0.24})[0]
    exact = oracle.exact(PUBLISHED_LAW, setting.offset)
    exact["brier_score"] = exact["brier"]
    rows = pd.DataFrame(imbalance.reference_rows(setting, range(3), 400, [0.1], 1)).query("model == 'oracle'")
    for measure in ("auroc", "brier_score"):
        assert rows[measure].to_numpy() == pytest.approx(np.full(3, exact[measure]), abs=1e-12)


def test_shares_have_no_interval_beyond_one():
    rows = pd.DataFrame({"event_rate": "p24", "model": "lr", "strategy": "none", "trial": range(3)})
    rows = rows.assign(precision=[0.7, 0.8, 1.0], brier_score=[0.1, 0.2, 0.9])
    found = imbalance.summary(rows).set_index("measure")
    assert found.loc["precision", "ci_high"] == 1.0
    assert found.loc["brier_score", "ci_high"] > 1.0


def test_an_event_rate_is_named_as_it_is():
    with pytest.raises(ValueError, match="must be named p10"):
        imbalance.event_rates({"p24": 0.10})


def test_models_share_trials(rows):
    again = imbalance.study({"null": 1, "lr": 1}, {"p24": 0.24}, (400, 3000), [0.1, 0.35], 5)
    first = rows[(rows["event_rate"] == "p24") & (rows["model"] == "lr") & (rows["trial"] == 0)]
    pd.testing.assert_frame_equal(again[again["model"] == "lr"].reset_index(drop=True), first.reset_index(drop=True))
