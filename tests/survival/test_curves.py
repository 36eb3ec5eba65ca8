"""Cumulative incidence: against R, by arithmetic, and by the coverage of its bands."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from statsmodels.duration.survfunc import CumIncidenceRight

from attrition import seeds
from attrition.survival import incidence

GOLDEN = Path(__file__).parents[1] / "golden"
DAYS = [14, 28, 56, 84, 120, 168]


def golden(name):
    return pd.read_csv(GOLDEN / f"survival_{name}.csv", dtype={"arm": str}, keep_default_na=False, na_values=[""])


@pytest.fixture(scope="module")
def censored():
    return golden("data")


def competing(rng, n, censoring=True):
    first, second = rng.exponential(150, n), rng.exponential(400, n)
    lost = rng.uniform(20, 260, n) if censoring else np.full(n, 1e6)
    time = np.minimum.reduce([first, second, lost, np.full(n, 200.0)])
    cause = np.where(time == first, 1, np.where(time == second, 2, 0))
    return np.ceil(time), cause


@pytest.mark.parametrize("group", ["all", "A", "B", "C"])
def test_incidence_and_band_equal_survfit(censored, group):
    part = censored if group == "all" else censored[censored["arm"] == group]
    ours = incidence.at_days(incidence.aalen_johansen(part["time"], part["cause"]), DAYS)
    theirs = golden("cif").query("group == @group")
    for column, other in [("value", "cif"), ("ci_low", "ci_low"), ("ci_high", "ci_high"), ("at_risk", "at_risk")]:
        np.testing.assert_allclose(ours[column], theirs[other], atol=1e-10)


@pytest.mark.parametrize("group", ["all", "A", "B", "C"])
def test_incidence_equals_cmprsk(censored, group):
    part = censored if group == "all" else censored[censored["arm"] == group]
    ours = incidence.at_days(incidence.aalen_johansen(part["time"], part["cause"]), DAYS)
    np.testing.assert_allclose(ours["value"], golden("cif").query("group == @group")["cif_cmprsk"], atol=1e-12)


def test_variance_equals_etm_on_every_day(censored):
    fit, theirs = incidence.aalen_johansen(censored["time"], censored["cause"]), golden("etm")
    position = np.searchsorted(fit.days, theirs["day"])
    for k in (0, 1):
        np.testing.assert_allclose(fit.cif[k, position], theirs[f"cif{k + 1}"], atol=1e-12)
        np.testing.assert_allclose(fit.variance[k, position], theirs[f"variance{k + 1}"], rtol=1e-8, atol=1e-14)


def test_incidence_equals_statsmodels(censored):
    fit = incidence.aalen_johansen(censored["time"], censored["cause"])
    theirs = CumIncidenceRight(censored["time"].to_numpy(float), censored["cause"].to_numpy())
    inside = np.searchsorted(fit.days, theirs.times)
    for k in (0, 1):
        np.testing.assert_allclose(fit.cif[k, inside], theirs.cinc[k], atol=1e-12)


def test_the_mistake_equals_survfit(censored):
    fit, theirs = incidence.aalen_johansen(censored["time"], (censored["cause"] == 1).astype(int), 1), golden("km")
    table = incidence.at_days(fit, DAYS)
    np.testing.assert_allclose(table["value"], theirs["one_minus_km"], atol=1e-12)
    variance = fit.variance[0, np.searchsorted(fit.days, DAYS, side="right") - 1]
    np.testing.assert_allclose(np.sqrt(variance), theirs["se"], rtol=1e-8)


@pytest.mark.parametrize("cause", [1, 2])
def test_time_lost_and_its_error_equal_survival(censored, cause):
    theirs = golden("time_lost").iloc[cause]
    ours = incidence.time_lost(incidence.aalen_johansen(censored["time"], censored["cause"]), cause, 168)
    assert ours["value"] == pytest.approx(theirs["days"], abs=1e-9)
    assert ours["se"] == pytest.approx(theirs["se"], rel=1e-8)


@pytest.mark.parametrize("censoring", [True, False])
@pytest.mark.parametrize("n", [1, 2, 30, 500])
def test_risks_and_staying_sum_to_one(censoring, n):
    for draw in range(20):
        time, cause = competing(seeds.stream(1, "sum", n, draw), n, censoring)
        fit = incidence.aalen_johansen(time, cause, n_causes=2)
        np.testing.assert_allclose(fit.cif.sum(axis=0) + fit.event_free, 1.0, atol=1e-12, rtol=0)


def test_without_censoring_the_estimate_is_the_share_and_the_variance_binomial():
    time, cause = competing(seeds.stream(2, "share"), 300, censoring=False)
    table = incidence.at_days(incidence.aalen_johansen(time, cause, 2), DAYS)
    shares = [np.mean((time <= day) & (cause == k)) for k in (1, 2) for day in DAYS]
    np.testing.assert_allclose(table["value"], shares, atol=1e-12)
    fit = incidence.aalen_johansen(time, cause, 2)
    np.testing.assert_allclose(fit.variance, fit.cif * (1 - fit.cif) / 300, atol=1e-15)


def test_the_mistake_is_never_below_the_incidence(censored):
    right = incidence.aalen_johansen(censored["time"], censored["cause"])
    for k in (1, 2):
        wrong = incidence.aalen_johansen(censored["time"], (censored["cause"] == k).astype(int), 1)
        assert (wrong.cif[0] >= right.cif[k - 1] - 1e-15).all()
        assert wrong.cif[0, -1] > right.cif[k - 1, -1] + 0.01


def test_band_before_the_first_event_is_exact():
    low, high = incidence.loglog_band([0.0], [0.0], [50])
    assert low[0] == 0
    assert (1 - high[0]) ** 50 == pytest.approx(0.025)


def test_band_contains_its_estimate_and_stays_a_probability(censored):
    fit = incidence.aalen_johansen(censored["time"], censored["cause"])
    table = incidence.at_days(fit, [0, *fit.days[fit.days < 168], 168])
    assert ((table["ci_low"] <= table["value"]) & (table["value"] <= table["ci_high"])).all()
    assert ((table["ci_low"] >= 0) & (table["ci_high"] <= 1)).all()


def test_tabulate_by_arm_equals_each_arm_alone(censored):
    patients = censored.assign(reason=censored["cause"].map({0: "in the trial", 1: "one", 2: "two"}))
    table = incidence.tabulate(patients, ["one", "two"], DAYS, by="arm")
    alone = incidence.tabulate(patients[patients["arm"] == "B"], ["one", "two"], DAYS)
    own = table[table["group"] == "B"].reset_index(drop=True)
    pd.testing.assert_frame_equal(own.drop(columns="group"), alone.drop(columns="group"))


def test_numbers_at_risk_count_by_hand(censored):
    counted = [(censored["time"] >= day).sum() for day in DAYS]
    assert incidence.numbers_at_risk(censored["time"], DAYS).tolist() == counted


@pytest.mark.parametrize(
    ("time", "cause", "says"),
    [
        ([1, 2], [1], "equal length"),
        ([], [], "not empty"),
        ([1, np.nan], [1, 0], "finite"),
        ([1, 2], [-1, 0], "whole numbers"),
        ([1, 2], [0.5, 0], "whole numbers"),
    ],
)
def test_refuses_with_a_readable_message(time, cause, says):
    with pytest.raises(ValueError, match=says):
        incidence.aalen_johansen(time, cause)


def test_refuses_an_unknown_cause():
    with pytest.raises(ValueError, match="between 0 and 2"):
        incidence.aalen_johansen([1, 2], [3, 0], n_causes=2)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "censoring"), [(85, False), (150, True)])
def test_band_and_difference_cover(n, censoring):
    days, replicates = np.array([28.0, 84.0, 168.0]), 1000
    rates = 1 / 150 + 1 / 400
    truth = (1 / 150) / rates * -np.expm1(-rates * days)
    hits, wins, held = np.zeros(3), 0, 0
    for r in range(replicates):
        rng = seeds.stream(3, "coverage", n, int(censoring), r)
        fits = [incidence.aalen_johansen(*competing(rng, n, censoring), 2) for _ in range(2)]
        tables = [incidence.at_days(fit, days).query("cause == 1") for fit in fits]
        hits += (tables[0]["ci_low"] <= truth) & (truth <= tables[0]["ci_high"])
        gap = incidence.risk_difference(*(table.iloc[-1].to_dict() for table in tables))
        wins += gap["ci_low"] <= 0 <= gap["ci_high"]
        lost = incidence.time_lost(fits[0], 1, 168.0)
        area = (1 / 150) / rates * (168 + np.expm1(-rates * 168) / rates)
        held += lost["ci_low"] <= area <= lost["ci_high"]
    for share in (*(hits / replicates), wins / replicates, held / replicates):
        assert 0.93 < share < 0.972
