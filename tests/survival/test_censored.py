"""Scores under censoring and competing risks: against riskRegression and survival, and by theory."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from attrition import metrics, seeds
from attrition.survival import censored
from tests.survival.test_curves import competing, golden


def weighted(metric, risk, time, cause, day):
    """A measure of `attrition.metrics` under censoring."""
    y = ((cause == 1) & (time <= day)).astype(int)
    return metric(y, risk, censored.censoring_weights(time, cause, day))


def samples():
    data = golden("data")
    return {"censored": data, "complete": data[(data["cause"] != 0) | (data["time"] > 168.5)]}


@pytest.mark.parametrize("row", golden("score").to_dict("records"), ids=lambda row: f"{row['data']}-{row['day']}")
def test_scores_equal_risk_regression(row):
    d = samples()[row["data"]]
    arguments = (d["time"], d["cause"], row["day"])
    assert weighted(metrics.auroc, d["score"], *arguments) == pytest.approx(row["auroc"], rel=1e-8)
    assert weighted(metrics.brier_score, d["score"], *arguments) == pytest.approx(row["brier"], rel=1e-8)


def test_concordance_equals_survival():
    d, theirs = golden("data"), golden("concordance").iloc[0]
    arguments = (d["score"], d["time"], d["cause"] == 1)
    assert censored.concordance(*arguments) == pytest.approx(theirs["harrell"], rel=1e-10)
    assert censored.concordance(*arguments, horizon=168, weighted=True) == pytest.approx(theirs["uno"], rel=1e-8)
    never = np.where(d["cause"] == 2, np.inf, d["time"])
    assert censored.concordance(d["score"], never, d["cause"] == 1) == pytest.approx(theirs["wolbers"], rel=1e-10)


def test_without_censoring_the_scores_are_the_ordinary_ones():
    rng = seeds.stream(6, "plain")
    time, cause = competing(rng, 200, censoring=False)
    risk = rng.random(200).round(2)
    y = (cause == 1) & (time <= 168)
    assert (censored.censoring_weights(time, cause, 168) == 1).all()
    assert weighted(metrics.brier_score, risk, time, cause, 168) == pytest.approx(np.mean((y - risk) ** 2), rel=1e-12)
    assert weighted(metrics.auroc, risk, time, cause, 168) == pytest.approx(roc_auc_score(y, risk), rel=1e-12)


def test_end_of_study_at_the_horizon_is_no_censoring():
    time, cause = competing(seeds.stream(6, "cut"), 200, censoring=False)
    stopped, kind = np.minimum(time, 168), np.where(time > 168, 0, cause)
    assert (censored.censoring_weights(stopped, kind, 168) == 1).all()


def test_weights_add_up_to_the_patients():
    for draw in range(10):
        time, cause = competing(seeds.stream(6, "weights", draw), 300)
        day = float(np.median(time)) + 0.5
        assert censored.censoring_weights(time, cause, day).sum() == pytest.approx(300, rel=1e-10)


def test_the_true_risk_has_the_best_brier_score_under_censoring():
    rng = seeds.stream(7, "proper")
    n = 40_000
    x = rng.integers(0, 2, n)
    rate = np.where(x == 1, 1 / 100, 1 / 300)
    first, second, lost = rng.exponential(1 / rate), rng.exponential(400, n), rng.uniform(30, 400, n)
    time = np.minimum.reduce([first, second, lost])
    cause = np.where(time == first, 1, np.where(time == second, 2, 0))
    total = rate + 1 / 400
    truth = rate / total * -np.expm1(-total * 168)
    others = [truth + d * s for d in (-0.06, 0.06) for s in (1, 2 * x - 1)]
    shifted = [weighted(metrics.brier_score, other, time, cause, 168) for other in others]
    best = weighted(metrics.brier_score, truth, time, cause, 168)
    assert best < min(shifted)
    assert best == pytest.approx(np.mean(truth * (1 - truth)), abs=0.005)


def test_the_auroc_compares_weighted_pairs_within_folds_only():
    rng = seeds.stream(8, "folds")
    time, cause = competing(rng, 120)
    score, fold = rng.random(120).round(1), np.repeat([0, 1], 60)
    weights, y = censored.censoring_weights(time, cause, 100), (cause == 1) & (time <= 100)
    above = np.sign(score[:, None] - score) / 2 + 0.5
    pairs = (weights * y)[:, None] * (weights * ~y) * (fold[:, None] == fold)
    found = metrics.auroc_within(y, score, fold, weights)
    assert found == pytest.approx((above * pairs).sum() / pairs.sum(), rel=1e-12)
    assert metrics.auroc_within(y, score + 5 * fold, fold, weights) == pytest.approx(found, rel=1e-12)


def test_auroc_without_a_case_is_not_a_number():
    assert np.isnan(weighted(metrics.auroc, np.array([0.1, 0.2]), np.array([5, 6]), np.array([2, 0]), 10))
