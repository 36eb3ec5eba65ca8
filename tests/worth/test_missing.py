"""Imputed final outcomes, by theory and against R's mice."""

import pathlib

import numpy as np
import pandas as pd
import pytest

from attrition.worth import missing

ARMS = ("A", "B", "C")
GOLDEN = pathlib.Path(__file__).parents[1] / "golden"


@pytest.fixture(scope="module")
def table():
    """Three arms, three visits, leavers who are doing worse."""
    rng, n = np.random.default_rng(2028), 240
    arm, baseline = rng.choice(ARMS, n), rng.normal(24, 8, n)
    effect = pd.Series(arm).map({"A": 0.0, "B": -1.0, "C": -2.5}).to_numpy()
    first = baseline + 0.3 * effect + rng.normal(0, 4, n)
    second = 0.3 * baseline + 0.7 * first + 0.6 * effect + rng.normal(0, 4, n)
    third = 1 + 0.2 * baseline + 0.8 * second + 0.5 * effect + rng.normal(0, 4, n)
    found = pd.DataFrame(dict(zip(missing.VISITS, (first, second, third), strict=True)))
    gone = np.cumsum(rng.random((n, 3)) < 0.1 + 0.1 * (first[:, None] > baseline[:, None] + 2), axis=1) > 0
    return found.mask(gone).assign(arm=arm, baseline=baseline)


def analysed(table, m, seed=1, jump=False, shift=0.0):
    rng = np.random.default_rng(seed)
    lacking = (table[missing.VISITS[-1]].isna() & table["arm"].eq(ARMS[-1])).to_numpy(float)
    finals = [missing.imputed(table, ARMS, rng, jump)[:, -1] + shift * lacking for _ in range(m)]
    return missing.pooled([missing.difference(table, final, ARMS) for final in finals])


def test_nothing_missing_is_the_analysis_of_what_is_there(table):
    whole = table.dropna().reset_index(drop=True)
    value, error, df = missing.difference(whole, whole[missing.VISITS[-1]].to_numpy(), ARMS)
    for jump in (False, True):
        pooled = analysed(whole, 3, jump=jump)
        assert pooled["value"] == pytest.approx(value)
        assert pooled["se"] == pytest.approx(error)
    assert df == len(whole) - 4


def test_ancova_is_that_of_statsmodels(table):
    import statsmodels.formula.api as smf

    last = table.assign(y=table[missing.VISITS[-1]])
    fit = smf.ols("y ~ baseline + C(arm)", last).fit()
    value, error, df = missing.difference(table, last["y"].to_numpy(), ARMS)
    assert (value, error) == pytest.approx((fit.params["C(arm)[T.C]"], fit.bse["C(arm)[T.C]"]))
    assert df == fit.df_resid


@pytest.mark.slow
def test_jumping_to_reference_brings_the_arms_together_and_a_shift_parts_them(table):
    at_random, jumped, shifted = analysed(table, 60), analysed(table, 60, jump=True), analysed(table, 60, shift=5.0)
    assert abs(jumped["value"]) < abs(at_random["value"])
    lacking = table.loc[table["arm"].eq("C"), missing.VISITS[-1]].isna().mean()
    assert shifted["value"] - at_random["value"] == pytest.approx(5 * lacking, abs=0.1)


@pytest.mark.slow
def test_at_random_is_that_of_mice():
    """Within four Monte-Carlo errors of both; the golden file's own is a hundredth of the standard error."""
    ours = pd.read_csv(GOLDEN / "missing_trial.csv").rename(columns={str(day): day for day in missing.VISITS})
    theirs, m = pd.read_csv(GOLDEN / "missing_mice.csv").loc[0], 400
    pooled = analysed(ours, m, seed=28)
    lag = 4 * np.sqrt(theirs["between"] * (1 / m + 1 / theirs["m"]))
    for end in ("value", "ci_low", "ci_high"):
        assert pooled[end] == pytest.approx(theirs[end], abs=lag + 0.03 * theirs["se"])
    assert pooled["se"] == pytest.approx(theirs["se"], rel=0.04)


@pytest.mark.parametrize("last_seen", [0, 1, 2])
def test_whoever_jumps_to_reference_keeps_nothing_of_the_effect(last_seen):
    """Two fifths leave at random: the rest have the whole effect; whoever left has none, whatever was seen of it."""
    rng, n, effect = np.random.default_rng(7), 6000, 5.0
    arm, baseline = rng.choice(["A", "B"], n), rng.normal(24, 8, n)
    visits = baseline[:, None] + effect * (arm == "B")[:, None] + np.cumsum(rng.normal(0, 2, (n, 3)), axis=1)
    leaves, found = rng.random(n) < 0.4, pd.DataFrame(visits, columns=missing.VISITS)
    found.loc[leaves, list(missing.VISITS[last_seen:])] = np.nan
    found = found.assign(arm=arm, baseline=baseline)
    estimates = {}
    for jump in (False, True):
        rng = np.random.default_rng(8)
        finals = [missing.imputed(found, ("A", "B"), rng, jump)[:, -1] for _ in range(10)]
        estimates[jump] = missing.pooled([missing.difference(found, final, ("A", "B")) for final in finals])["value"]
    assert estimates[False] == pytest.approx(effect, abs=0.35)
    assert estimates[True] == pytest.approx(0.6 * effect, abs=0.35)


def test_between_imputations_widen_the_interval():
    same, apart = missing.pooled([(1.0, 0.5, 100)] * 5), missing.pooled([(k / 2, 0.5, 100) for k in range(5)])
    assert same["se"] == pytest.approx(0.5)
    assert apart["se"] == pytest.approx(np.sqrt(0.25 + 1.2 * np.var([0, 0.5, 1, 1.5, 2], ddof=1)))


def test_outcomes_of_the_pilot(pilot):
    found = missing.outcomes(pilot)
    assert found["baseline"].notna().all()
    assert 0 < missing.correlation(found) < 1
    day = pilot.patients.set_index("id")["event_day"]
    assert (day[found["after_168"]] < 200).all()
    assert found.loc[found["after_168"], 168].notna().all()
    assert missing.outcomes(pilot, "no such outcome") is None
