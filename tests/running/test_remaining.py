"""Where a trial stands on a day: states, subjects remaining, tests between arms, power."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.duration.survfunc import survdiff
from statsmodels.stats.power import TTestIndPower

from attrition.running import remaining

DAYS = pd.date_range("2012-08-01", "2015-04-01", freq="41D")


def made_up(seed, n=60):
    rng = np.random.default_rng(seed)
    cause = rng.choice([0, 1, 2, 3], n, p=[0.3, 0.4, 0.1, 0.2])
    frame = pd.DataFrame({"start": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 200, n), unit="D")})
    frame = frame.assign(cause=cause, day=np.where(cause > 0, rng.integers(1, 140, n), np.nan))
    return frame.assign(group=np.where(cause == 1, "left", "other"), arm=rng.choice(["a", "b", "c"], n))


@pytest.mark.parametrize("cut", DAYS)
def test_states_are_exclusive_and_add_to_the_enrolled(known, pilot, cut):
    now = remaining.at(known, cut, 168)
    counts = now.counts
    assert sum(counts[state] for state in remaining.STATES) == counts["enrolled"] == (known["start"] <= cut).sum()
    for unblinded in (False, True):
        table = remaining.subjects(now, pilot.schedule, unblinded)
        parts = [c for c in table if c.startswith("left: ") or c in remaining.NOT_LEFT]
        assert (table[parts].sum(axis=1) == table["enrolled"]).all()


def test_states_of_single_patients_by_hand():
    rows = [(1, 100.0, "left"), (1, 101.0, "through"), (2, 5.0, "competing"), (3, 99.0, "completed_early")]
    rows += [(3, 100.0, "through"), (0, np.nan, "through")]
    frame = pd.DataFrame(
        {"start": pd.Timestamp("2020-01-01"), "cause": [r[0] for r in rows], "day": [r[1] for r in rows]}
    )
    frame = frame.assign(group="g", arm="a")
    now = remaining.at(frame, pd.Timestamp("2020-12-01"), 100)
    assert sorted(now.patients["state"]) == sorted(r[2] for r in rows)
    then = remaining.at(frame, pd.Timestamp("2020-01-04"), 100)  # day 4
    assert set(then.patients["state"]) == {"ongoing"}
    assert set(then.patients["time"]) == {4}
    on_the_day = remaining.at(frame, pd.Timestamp("2020-01-05"), 100)
    assert on_the_day.counts["competing"] == 1


@pytest.mark.parametrize("seed", range(5))
def test_the_future_changes_nothing(seed):
    rng, frame = np.random.default_rng(seed), made_up(seed)
    cut = pd.Timestamp("2020-05-01")
    exit_date = frame["start"] + pd.to_timedelta(frame["day"].fillna(0) - 1, unit="D")
    later = (exit_date > cut) & frame["day"].notna()
    altered = frame.assign(day=frame["day"].mask(later, frame["day"] + 7), cause=frame["cause"].mask(later, 2))
    deleted = frame[frame["start"] <= cut].assign(
        day=lambda f: f["day"].mask(later), cause=lambda f: f["cause"].mask(later, 0)
    )
    shuffled = deleted.sample(frac=1, random_state=seed).assign(arm=lambda f: rng.permutation(f["arm"]))
    now = remaining.at(frame, cut, 100)
    for other in (altered, deleted, shuffled):
        found = remaining.at(other, cut, 100)
        drop = ["arm"] if other is shuffled else []
        pd.testing.assert_frame_equal(found.patients.drop(columns=drop), now.patients.drop(columns=drop))


def test_the_log_rank_test_is_that_of_statsmodels(known):
    now = remaining.at(known, "2013-12-01", 168)
    p = now.patients
    found = remaining.between_arms(now)["cause_specific"]
    statistic, p_value = survdiff(p["time"].to_numpy(), (p["state"] == "left").to_numpy(), p["arm"].to_numpy())
    assert found["statistic"] == pytest.approx(statistic)
    assert found["p_value"] == pytest.approx(p_value)


def test_one_who_leaves_on_the_day_of_a_visit_has_attended_it():
    frame = pd.DataFrame(
        {"start": pd.Timestamp("2020-01-01"), "cause": [1, 1], "day": [28.0, 27.0], "group": "x", "arm": "a"}
    )
    row = remaining.subjects(remaining.at(frame, pd.Timestamp("2020-06-01"), 100), (28,)).iloc[0]
    assert row["remaining"] == 1
    assert row["left: x"] == 1
    assert row["retention"] == 0.5


def test_power_of_means_is_that_of_statsmodels():
    for ratio in (1.0, 2.0):
        plan = {"effect": 2.0, "sd": 6.0, "alpha": 0.05, "ratio": ratio}
        found = remaining.power(np.array([240, 120, 240]), plan)
        expected = [TTestIndPower().power(1 / 3, n / (1 + ratio), 0.05, ratio) for n in (240, 120, 240)]
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_power_of_proportions_is_what_simulation_gives():
    rng = np.random.default_rng(3)
    a, b = rng.binomial(100, 0.3, 40_000), rng.binomial(100, 0.5, 40_000)
    pooled = (a + b) / 200
    z = np.abs(a - b) / 100 / np.sqrt(pooled * (1 - pooled) * 2 / 100)
    found = remaining.power(np.array([200]), {"proportions": [0.3, 0.5]})
    assert found[0] == pytest.approx((z > stats.norm.isf(0.025)).mean(), abs=0.02)
    assert remaining.power(np.array([200]), {"alpha": 0.05}) is None


def test_power_left_says_where_it_lies():
    plan = {"effect": 2.0, "sd": 6.0, "power": 0.8}
    words = {n: remaining.power_left(np.full(10, n), plan)["word"] for n in (200, 400)}
    assert words == {200: "short", 400: "on target"}
    assert remaining.power_left(np.array([200] * 5 + [400] * 5), plan)["word"] == "open"
