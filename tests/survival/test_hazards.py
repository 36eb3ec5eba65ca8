"""Cause-specific Cox models: against R, and by their own definition."""

import numpy as np
import pandas as pd
import pytest

from attrition import seeds
from attrition.survival import hazards, incidence
from tests.survival.test_curves import DAYS, golden


@pytest.fixture(scope="module")
def trial():
    data = golden("data")
    arms = pd.get_dummies(data["arm"], prefix="arm", prefix_sep="", dtype=float)[["armB", "armC"]]
    return data, pd.concat([arms, data[["age", "x"]]], axis=1)


@pytest.mark.parametrize("cause", [1, 2])
def test_hazard_ratios_equal_coxph(trial, cause):
    data, X = trial
    ours, theirs = hazards.cause_specific_cox(data["time"], data["cause"] == cause, X), golden("cox")
    theirs = theirs[theirs["cause"] == cause]
    np.testing.assert_allclose(ours["coefficient"], theirs["coefficient"], atol=1e-8)
    np.testing.assert_allclose(ours["se"], theirs["se"], rtol=1e-8)
    np.testing.assert_allclose(np.log(ours["hazard_ratio"]), ours["coefficient"], atol=1e-12)
    assert ours["events"].unique().tolist() == [(data["cause"] == cause).sum()]


@pytest.mark.parametrize("cause", [1, 2])
def test_newton_steps_equal_coxph(trial, cause):
    data, X = trial
    theirs = golden("cox").query("cause == @cause")["coefficient"]
    np.testing.assert_allclose(hazards.fit_cox(data["time"], data["cause"] == cause, X), theirs, atol=1e-10)


@pytest.mark.parametrize("cause", [1, 2])
def test_score_test_equals_cox_zph(trial, cause):
    data, X = trial
    theirs = golden("zph").query("cause == @cause and scale == 'rank' and term != 'arm'").set_index("term")
    ours = hazards.proportional_hazards(data["time"], data["cause"] == cause, X).set_index("term").loc[theirs.index]
    np.testing.assert_allclose(ours["statistic"], theirs["statistic"], rtol=1e-8)
    np.testing.assert_allclose(ours["p"], theirs["p"], rtol=1e-8)
    assert ours["df"].tolist() == theirs["df"].tolist()


def test_scaled_residuals_equal_cox_zph(trial):
    data, X = trial
    ours, theirs = hazards.scaled_schoenfeld(data["time"], data["cause"] == 1, X), golden("schoenfeld")
    keys = ["day", "age", "x"]
    ours, theirs = (part.round(7).sort_values(keys).reset_index(drop=True) for part in (ours, theirs))
    np.testing.assert_allclose(ours[theirs.columns], theirs, atol=1e-6)


@pytest.mark.parametrize("together", [7, 1_000])
def test_predicted_risk_equals_risk_regression(trial, monkeypatch, together):
    monkeypatch.setattr(hazards, "AT_ONCE", together)
    data, X = trial
    theirs = golden("csc")
    who = [1, 7, 30, 101, 240]
    ours = hazards.cox_risk(data["time"], data["cause"], X, X.loc[[i - 1 for i in who]], DAYS)
    wide = theirs.pivot_table(index="id", columns="day", values="risk").loc[who, DAYS]
    np.testing.assert_allclose(ours, wide, atol=1e-8)


def test_without_predictors_the_prediction_is_aalen_johansen_of_breslow_steps(trial):
    data, _ = trial
    nothing = np.zeros((len(data), 1))
    day = np.unique(data["time"])
    apart = data.assign(time=np.searchsorted(day, data["time"]) + 1e-6 * np.arange(len(data)) + 1)
    fit = incidence.aalen_johansen(apart["time"], apart["cause"])
    ours = hazards.cox_risk(apart["time"], apart["cause"], nothing, nothing[:1], fit.days, ridge=1.0)
    np.testing.assert_allclose(ours[0], fit.cif[0], atol=1e-12)


def test_ridge_shrinks_to_nothing(trial):
    data, X = trial
    X = (X - X.mean()) / X.std()
    sizes = [np.linalg.norm(hazards.fit_cox(data["time"], data["cause"] == 1, X, ridge)) for ridge in (0, 10, 1e6)]
    assert sizes[0] > sizes[1] > sizes[2]
    assert sizes[2] < 1e-3


@pytest.mark.slow
def test_score_test_keeps_its_level_and_finds_a_reversal():
    rejected = []
    for draw in range(300):
        rng = seeds.stream(5, "zph", draw)
        x = rng.integers(0, 2, 150)
        time = rng.exponential(np.exp(-0.5 * x))
        check = hazards.proportional_hazards(time, np.ones(150), pd.DataFrame({"x": x}))
        rejected.append(check["p"].iloc[0] < 0.05)
    assert 0.02 < np.mean(rejected) < 0.085
    time = np.where(x == 1, rng.uniform(0, 1, 150) ** 3, rng.uniform(0, 1, 150) ** 0.4)
    check = hazards.proportional_hazards(time, np.ones(150), pd.DataFrame({"x": x})).iloc[0]
    assert check["p"] < 1e-6
    assert check["correlation"] < -0.2


def test_says_when_a_predictor_separates():
    time, x = np.arange(1.0, 21), np.repeat([0.0, 1.0], 10)
    with pytest.raises(ValueError, match="separates"):
        hazards.fit_cox(time, x == 0, x[:, None])
    with pytest.raises(ValueError, match="at least one event"):
        hazards.fit_cox(time, np.zeros(20), x[:, None])


@pytest.mark.slow
def test_a_large_trial_settles_where_rounding_hides_the_last_gain():
    rng, n = np.random.default_rng(3), 60_000
    X = rng.standard_normal((n, 3))
    time = np.ceil(rng.exponential(100 * np.exp(-X[:, 0] / 2), n))
    beta = hazards.fit_cox(time, rng.random(n) < 0.8, X)
    np.testing.assert_allclose(beta, [0.5, 0, 0], atol=0.02)


def test_columns_that_hardly_differ_in_likelihood_settle():
    """A column for every level of a category, held by a small penalty alone, in many patients."""
    rng, n = np.random.default_rng(4), 20_000
    level = np.eye(3)[rng.integers(0, 3, n)]
    X = (level - level.mean(axis=0)) / level.std(axis=0)
    time, event = np.ceil(rng.exponential(100 * np.exp(-0.3 * level[:, 0]), n)), rng.random(n) < 0.5
    beta = hazards.fit_cox(time, event, X, hazards.HELD)
    plain = hazards.fit_cox(time, event, level[:, :1])
    assert np.ptp((X @ beta)[level[:, 0] == 1]) == pytest.approx(0, abs=1e-6)
    assert (X @ beta)[level[:, 0] == 1][0] - (X @ beta)[level[:, 0] == 0].mean() == pytest.approx(plain[0], abs=0.03)


@pytest.mark.parametrize("few", [0, 2_000])
def test_derivatives_of_the_partial_likelihood_are_its_slopes(monkeypatch, few):
    monkeypatch.setattr(hazards, "FEW_ROWS", few)
    rng = seeds.stream(5, "derivatives")
    X, time, event = rng.standard_normal((60, 3)), rng.integers(1, 12, 60), rng.random(60) < 0.6
    event &= time > 3  # who is gone before the first event is in no risk set
    part, beta, step = hazards._ordered(time, event, X), np.array([0.4, -0.2, 0.1]), 1e-5
    value, slope, curve = hazards._derivatives(*part, beta)
    assert value == hazards._likelihood(*part, beta)
    moved = [[hazards._derivatives(*part, beta + sign * step * unit) for sign in (1, -1)] for unit in np.eye(3)]
    np.testing.assert_allclose(slope, [(up[0] - down[0]) / (2 * step) for up, down in moved], rtol=1e-6)
    np.testing.assert_allclose(-curve, [(up[1] - down[1]) / (2 * step) for up, down in moved], rtol=1e-6)


def test_who_is_gone_before_the_first_event_changes_nothing():
    x, time = np.append(np.full(20, 5.0), np.resize([0.0, 0.0, 1.0], 20)), np.append(np.ones(20), np.arange(2, 22))
    event = np.append(np.zeros(20, dtype=bool), np.resize([True, False], 20))
    found = hazards.fit_cox(time, event, x[:, None])
    np.testing.assert_allclose(found, hazards.fit_cox(time[20:], event[20:], x[20:, None]), atol=1e-9)
    assert found == pytest.approx(0.1558, abs=1e-4)


def test_where_a_fit_sets_out_from_does_not_matter_and_is_near_the_end():
    rng = seeds.stream(6, "start")
    X, time = rng.standard_normal((900, 3)), rng.integers(1, 60, 900).astype(float)
    cause = rng.choice([0, 1, 2], 900, p=[0.5, 0.4, 0.1])
    ridge, start = hazards.RidgeCox(np.zeros(3, dtype=bool), 1).penalty(X, cause == 1, time)
    assert np.abs(start - hazards.fit_cox(time, cause == 1, X, ridge)).max() < hazards.SETTLED
    risks = [hazards.cox_risk(time, cause, X, X[:9], [30], ridge, (2,), begin) for begin in (start, None)]
    np.testing.assert_allclose(*risks, atol=1e-10)
