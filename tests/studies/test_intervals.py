"""The study of intervals: its parts by hand and by brute force, and a rerun of its first trials."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from attrition import studies
from attrition.studies import intervals


@pytest.fixture(scope="module")
def design():
    return intervals.design(84)


def test_true_measures_are_those_of_an_endless_sample():
    rng = np.random.default_rng(1)
    risk, y_prob = rng.uniform(0.1, 0.9, 40), rng.uniform(0.05, 0.95, 40)
    found = intervals.true_measures(risk, y_prob)
    won = total = 0.0
    for i in range(40):
        for j in set(range(40)) - {i}:
            pair = risk[i] * (1 - risk[j])
            won += pair * ((y_prob[i] > y_prob[j]) + 0.5 * (y_prob[i] == y_prob[j]))
            total += pair
    assert found["auroc"] == pytest.approx(won / total)
    assert found["brier_score"] == pytest.approx(np.mean(risk * (1 - y_prob) ** 2 + (1 - risk) * y_prob**2))
    log_odds = np.tile(np.log(y_prob / (1 - y_prob)), 2)[:, None]
    model = LogisticRegression(C=1e10, tol=1e-12, solver="newton-cholesky")
    model.fit(log_odds, np.repeat([1, 0], 40), sample_weight=np.concatenate([risk, 1 - risk]))
    assert found["calibration_slope"] == pytest.approx(model.coef_[0, 0], rel=1e-5)


@pytest.mark.slow
def test_the_laws_keep_the_event_rate_and_say_what_they_say(design):
    rates = {law: intervals.risks(design, law) for law in intervals.LAWS}
    for risk in rates.values():
        assert risk.mean() == pytest.approx(design.y.mean(), abs=0.02)
    assert np.ptp(rates["null"]) == 0
    assert len(np.unique(rates["arm"])) == 3
    for arm in np.unique(design.arm):
        assert rates["arm"][design.arm == arm][0] == pytest.approx(design.y[design.arm == arm].mean())
    assert rates["all"].std() > rates["arm"].std()


@pytest.mark.slow
def test_a_drawn_trial_has_outcomes_from_its_own_patients_risks(design):
    sure = (np.arange(len(design.y)) < 60).astype(float)
    marked = intervals.dataclasses.replace(design, X=design.X.assign(age=sure))
    trial = intervals.drawn(marked, sure, np.random.default_rng(2))
    np.testing.assert_array_equal(trial.y, trial.X["age"])
    assert len(trial.y) == len(design.y)


def test_coverage_by_hand():
    ends = [(0.4, 0.6), (0.5, 0.7), (0.2, 0.4), (np.nan, np.nan)]
    rows = pd.DataFrame(ends, columns=["ci_low", "ci_high"]).assign(
        day=28, law="null", model="all", measure="auroc", method="m", value=0.5, truth=[0.44, 0.46, 0.46, 0.44]
    )
    found = intervals.coverage(rows).iloc[0]
    assert found["truth"] == pytest.approx(0.45)
    assert found[["coverage", "too_low", "too_high"]].tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3])
    assert (found["n_trials"], found["width"]) == (3, pytest.approx(0.2))
    assert found["coverage_low"] < 1 / 3 < found["coverage_high"]


def test_the_chosen_method_is_the_one_whose_coverage_comes_nearest():
    """Over AUROCs and their difference: largest distance from 95 % of a world, among the methods that judge both."""
    table = pd.DataFrame(studies.committed("intervals")["coverage"]).query("measure == 'auroc'")
    apart = table.assign(apart=(table["coverage"] - 0.95).abs()).groupby("method")["apart"].mean()
    assert apart.idxmin() == intervals.CHOSEN
    own = table[(table["method"] == intervals.CHOSEN) & (table["model"] == "all")]
    assert own["n_trials"].min() >= 490


@pytest.mark.slow
@pytest.mark.parametrize(("day", "law"), [(28, "all"), (84, "null")])
def test_a_rerun_of_the_first_trials_gives_the_committed_numbers(day, law):
    committed = pd.DataFrame(studies.committed("intervals")["first"]).query("day == @day and law == @law")
    again = intervals.one(day, law, 0, studies.committed("intervals")["seed"], False)
    keys = ["method", "model", "measure"]
    both = again.set_index(keys).join(committed.set_index(keys).add_suffix("_committed"), how="inner")
    assert len(both) == len(again) == 7
    for name in ("value", "ci_low", "ci_high", "truth"):
        np.testing.assert_allclose(both[name], both[f"{name}_committed"], rtol=1e-3, atol=1e-3)
