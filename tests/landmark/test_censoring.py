"""Patients whose data end before the horizon: in every denominator, and represented by those who were seen longer."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from attrition import metrics, params, trials
from attrition.cdisc.trial import Definitions, assemble
from attrition.landmark import cohort, evaluation, guard, prediction, time_to, uncertainty
from attrition.metrics import intervals
from attrition.metrics.calibration import calibration_slope, expit
from attrition.models import ridge
from attrition.studies import leaks
from attrition.survival import incidence
from notebook_report.said import said

HORIZON = 168


def staggered(n=400, seed=1, reach=(60, 400), effect=1.0, competing=0.0, columns=None):
    """Patients who leave at a rate that a baseline value decides, entered at different times and cut at one day."""
    rng = np.random.default_rng(seed)
    x, arm = rng.standard_normal(n), rng.choice(["A", "B"], n)
    risk = expit(-0.8 + effect * x)
    leaves, day = rng.random(n) < risk, rng.integers(2, HORIZON + 1, n).astype(float)
    reason = np.where(leaves, np.where(rng.random(n) < competing, "DEATH", "WITHDRAWAL"), "COMPLETED")
    day = np.where(leaves, day, HORIZON + 5.0)
    cut = rng.integers(*reach, n).astype(float)
    told = pd.Series(reason).where(day <= cut)
    table = pd.DataFrame({"id": [f"{i:04d}" for i in range(n)], "arm": arm, "site": rng.choice(["1", "2"], n), "x": x})
    table = table.assign(event_day=np.minimum(day, cut), reason=told, **(columns(leaves) if columns else {}))
    names = ["id", "kind", "name", "value", "detail", "day", "known_day"]
    events = pd.DataFrame({name: pd.Series(dtype="float" if "day" in name else "str") for name in names})
    events["value"] = events["value"].astype(float)
    definitions = Definitions(name="made", horizon=HORIZON, landmarks=(28, 84))
    trial = assemble("made", "table", definitions, table, events, {"screened": None, "screen_failures": None})
    return trial, leaves & (reason != "DEATH"), day, risk


@pytest.fixture(scope="module")
def made():
    return staggered(competing=0.2)[0]


def by_hand(time, cause, horizon):
    """Probability of staying uncensored, and of cause 1 by the horizon, day by day."""
    there, free, uncensored, risk, before = len(time), 1.0, 1.0, 0.0, {}
    for day in sorted(set(time)):
        before[day] = uncensored
        left, lost = np.sum((time == day) & (cause > 0)), np.sum((time == day) & (cause == 0))
        if day <= horizon:
            risk += free * np.sum((time == day) & (cause == 1)) / there
        free *= 1 - left / there
        uncensored *= 1 - lost / (there - left) if there > left else 1
        there -= left + lost
    return before, risk


@pytest.mark.parametrize("day", [0, 28, 84])
def test_shares_are_those_of_everybody_at_risk(made, day):
    of = prediction.problem(made, day)
    ids = cohort.at_risk(made, day)
    assert len(of.y) == len(ids) > of.n_events + of.n_stayed
    _, risk = by_hand(of.time, of.cause, of.ahead)
    assert of.rate == pytest.approx(risk, abs=1e-12)
    assert cohort.table(made).set_index("landmark").loc[day, "risk"] == pytest.approx(risk, abs=1e-12)
    assert of.weight.sum() == pytest.approx(len(ids))
    assert np.average(of.y, weights=of.weight) == pytest.approx(risk, abs=1e-12)
    assert of.y[of.weight > 0].mean() > risk + 0.015  # what those completely followed would say


@pytest.mark.slow
def test_both_chapters_state_one_risk(made):
    p = dataclasses.replace(params.load("07_time_to_dropout", "quick"), n_repeats=1, n_half_samples=3, n_folds=2)
    table, _ = time_to.accuracy(made, [28], p, 1)
    observed = table.query("model == 'null' and measure == 'observed'").iloc[0]
    assert observed["value"] == pytest.approx(cohort.risk(made, 28), abs=1e-12)
    assert observed[["n_patients", "n_events", "n_censored"]].to_dict() == prediction.problem(made, 28).size


def test_auroc_equals_its_definition(made):
    of, score = prediction.problem(made, 28), np.round(np.random.default_rng(0).standard_normal(2000), 1)
    score = score[: len(of.y)] + of.X["x"].to_numpy()
    before, _ = by_hand(of.time, of.cause, of.ahead)
    last = max(day for day in before if day <= of.ahead)
    won = pairs = 0.0
    for i in np.flatnonzero((of.cause == 1) & (of.time <= of.ahead)):
        for j in np.flatnonzero((of.cause == 2) | (of.time >= of.ahead)):
            if of.cause[j] == 1:
                continue
            weight = 1 / before[of.time[i]] / before[of.time[j] if of.cause[j] == 2 else last]
            won += weight * ((score[i] > score[j]) + (score[i] == score[j]) / 2)
            pairs += weight
    assert metrics.auroc(of.y, score, of.weight) == pytest.approx(won / pairs, abs=1e-7)
    assert intervals.auroc_interval(of.y, score, weights=of.base)["value"] == pytest.approx(won / pairs, abs=1e-7)
    fold = np.zeros(len(of.y))
    assert metrics.auroc_within(of.y, score, fold, of.weight) == pytest.approx(won / pairs, abs=1e-7)


GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.mark.parametrize("row", pd.read_csv(GOLDEN / "landmark_score.csv").to_dict("records"), ids=str)
def test_risk_auroc_and_brier_score_equal_riskregression(row):
    table = pd.read_csv(GOLDEN / "landmark_trial.csv", dtype={"id": str})
    mapping = {
        "columns": {"id": "id", "event_day": "day", "reason": "reason", "arm": "arm"},
        "design": {"horizon": HORIZON, "landmarks": [28, 84]},
        "baseline": {"numbers": ["x"]},
        "reasons": {"completed": ["completed"], "competing": ["died"]},
    }
    of = prediction.problem(trials.load(table, mapping), int(row["landmark"]))
    score = table.set_index("id").loc[of.X.index, "score"].to_numpy()
    assert (len(of.y), of.size["n_censored"]) == (row["n"], row["n_censored"])
    assert of.rate == pytest.approx(row["risk"], abs=1e-12)
    null = np.full(len(of.y), of.rate)
    for measure, predicted in (("auroc", score), ("brier_score", score), ("brier_null", null)):
        ours = getattr(metrics, measure.replace("null", "score"))(of.y, predicted, of.weight)
        assert ours == pytest.approx(row[measure], abs=1e-12)


def test_weights_of_a_resample_are_those_of_its_patients(made):
    of, rng = prediction.problem(made, 28), np.random.default_rng(2)
    rows = np.sort(rng.integers(len(of.y), size=len(of.y)))
    counts = np.bincount(rows, minlength=len(of.y)).astype(float)
    again = of.weights_of(rows)
    drawn = of.resampled(counts[:, None])[:, 0]
    np.testing.assert_allclose(np.bincount(rows, again, len(of.y)), drawn)
    alone = dataclasses.replace(of, cause=None)
    assert (alone.weight == 1).all()
    assert alone.resampled(counts[:, None]) is not None
    assert (alone.resampled(counts[:, None])[:, 0] == counts).all()


def test_a_ridge_with_weights_is_one_whose_rows_are_repeated():
    rng = np.random.default_rng(3)
    X, weights = rng.standard_normal((80, 2)), rng.integers(0, 3, 80).astype(float)
    y = (rng.random(80) < expit(X[:, 0])).astype(int)
    rows = np.repeat(np.arange(80), weights.astype(int))
    model = ridge.RidgeLogistic(grid=(0.1,))
    weighted = model.fit(X, y, weights).predict_proba(X)
    split = [(np.arange(80), np.arange(80)), (rows, np.arange(80))]
    by_rows = prediction.fitted_on(model, X, y, split, [weights, np.ones(len(rows))])
    np.testing.assert_allclose(by_rows[0], by_rows[1], atol=1e-8)
    np.testing.assert_allclose(weighted[:, 1], by_rows[0], atol=1e-8)
    with_one = intervals.delong(y, X[:, 0], np.ones(80))
    np.testing.assert_allclose(with_one[0], intervals.delong(y, X[:, 0])[0])
    np.testing.assert_allclose(with_one[1], intervals.delong(y, X[:, 0])[1])


@pytest.fixture(scope="module")
def p():
    return dataclasses.replace(
        params.load("06_real_trial", "quick"), n_repeats=2, n_repeats_slow=1, n_bootstraps=40, n_half_samples=4,
        n_permutations=19, optimism_bootstraps=2, trees=5, leak_repeats=1,
    )  # fmt: skip


@pytest.mark.slow
def test_a_staggered_trial_runs_whole_with_everybody_in_it(made, p):
    found, n = evaluation.run(made, p, 1), len(cohort.at_risk(made, 28))
    for table in (found.summary, found.differences, found.optimism):
        own = table[table["landmark"] == 28]
        assert (own["n_patients"] == n).all()
        assert (own["n_censored"] > 0).all()
    sites = found.sites[found.sites["landmark"] == 28].set_index("site_group")
    assert sites.loc["all", "n_patients"] == sites.drop("all")["n_patients"].sum() == n
    assert sites.loc["all", "observed"] == pytest.approx(cohort.risk(made, 28))
    of, y_prob = found.problems[28], found.developed[28].predictions["all"]
    each = [calibration_slope(of.y, column, of.weight) for column in y_prob.T]
    row = found.summary.query("landmark == 28 and model == 'all' and measure == 'calibration_slope'").iloc[0]
    assert row["value"] == pytest.approx(np.mean(each))
    assert found.developed[28].predictions["null"].mean() == pytest.approx(of.rate, abs=0.02)
    curve = evaluation.decisions(found, 28).query("model == 'all'").set_index("threshold")
    odds = 0.5 / 0.5
    everybody = of.rate - (1 - of.rate) * odds
    assert (curve["net_benefit"] - curve["over_all"]).loc[0.5] == pytest.approx(everybody)
    assert evaluation.band_coverage(found, 28, 10, 1) is None
    assert "censored" in evaluation.wide(found).columns[2]
    prices = leaks.price_list(made, p, 1)
    assert (prices["n_censored"] > 0).all()
    numbers = evaluation.numbers(made, found, prices)
    assert numbers["landmarks"]["28"]["risk"] == pytest.approx(of.rate)


@pytest.mark.slow
def test_weighted_shares_and_aurocs_are_unbiased_under_staggered_entry():
    """Against the truth of each simulated trial, which its data cut hides; those completely followed are far off."""
    shares, aurocs, naive = [], [], []
    for seed in range(150):
        trial, left, day, risk = staggered(n=300, seed=seed, reach=(30, 330))
        of = prediction.problem(trial, 0)
        score, y, known = of.X["x"].to_numpy(), left & (day <= HORIZON), of.weight > 0
        shares.append(of.rate - risk.mean())
        aurocs.append(metrics.auroc(of.y, score, of.weight) - metrics.auroc(y.astype(int), score))
        naive.append(of.y[known].mean() - risk.mean())
    for errors in (shares, aurocs):
        assert abs(np.mean(errors)) < 3 * np.std(errors, ddof=1) / np.sqrt(len(errors))
        assert abs(np.mean(errors)) < 0.01
    assert np.mean(naive) > 0.05


def test_a_permutation_test_keeps_an_outcome_and_its_weight_together(made):
    of = prediction.problem(made, 28)
    fold = uncertainty.fold_labels(prediction.folds_of(of, 5, 1, 1), len(of.y))[:, 0]
    found = uncertainty.against_chance(of, "all", fold, 39, 1)
    assert found["p"] == 1 / 40
    assert found["low"] < 0.5 < found["high"]
    noise = dataclasses.replace(of, X=of.X.assign(x=np.random.default_rng(5).standard_normal(len(of.y))))
    assert uncertainty.against_chance(noise, "all", fold, 39, 1)["p"] > 0.05


def running():
    """Nobody has completed, nobody was seen through the horizon."""
    return staggered(reach=(20, 120))[0]


@pytest.mark.slow
def test_a_running_trial_says_not_yet():
    trial = running()
    assert incidence.followed(trial) == trial.patients["event_day"].max() < HORIZON
    assert incidence.days_shown(trial) == [28, 84, incidence.followed(trial)]
    assert np.isnan(cohort.table(trial)["risk"]).all()
    come = incidence.to_come(trial)
    assert come["n"] == trial.flow["censored"]
    assert np.isnan(come["leaving"])
    study = evaluation.run(trial, params.load("06_real_trial", "quick"), 1)
    assert set(study.skipped) == {0, 28, 84}
    assert all(few["n_stayed"] == 0 for few in study.skipped.values())
    assert said("skipped", {"day": 28, **study.skipped[28]}).startswith("Not yet: ")
    assert "not yet the risk of leaving" in said("too_few", evaluation.planned(trial, study))
    evaluation.check_all(trial)


def test_what_is_to_come_of_those_still_in_the_trial():
    trial, left, day, _ = staggered(n=3000, seed=4)
    come, still = incidence.to_come(trial), trial.patients["status"].eq("censored").to_numpy()
    assert come["n"] == still.sum()
    assert come["leaving"] == pytest.approx((left & (day <= HORIZON))[still].sum(), rel=0.1)


def test_the_flow_counts_apart_who_left_and_who_was_seen_no_further(made):
    flow = cohort.participant_flow(made)
    assert (flow["n"].diff().iloc[1:] == -(flow["left"] + flow["censored"]).iloc[1:]).all()
    assert flow["left"].sum() == made.flow["discontinued_by_horizon"]
    assert flow["censored"].sum() == made.flow["censored"]


@pytest.mark.slow
def test_an_arm_that_works_is_no_leak_and_a_declared_column_is_shown():
    told = {"worse": lambda leaves: {"arm": np.where(leaves ^ (np.arange(len(leaves)) % 12 == 0), "B", "A")}}
    told["severity"] = lambda leaves: {"severity": leaves + 0.3 * np.arange(len(leaves)) / len(leaves)}
    strong = staggered(columns=told["worse"])[0]
    assert guard.alone(strong.patients["arm"], strong.patients["status"].eq("primary").to_numpy(int))["value"] > 0.75
    evaluation.check_all(strong)
    leaky = staggered(columns=told["severity"])[0]
    with pytest.raises(guard.LeakError, match=r'column severity: .*known_on_day_1 = \["severity"\]'):
        evaluation.check_all(leaky)
    definitions = dataclasses.replace(leaky.definitions, known_on_day_1=("severity",))
    declared = dataclasses.replace(leaky, definitions=definitions)
    evaluation.check_all(declared)
    rows = evaluation.declared(declared, {28: prediction.problem(declared, 28)})
    assert rows[["column", "landmark", "known_day", "above"]].to_numpy().tolist() == [["severity", 28, 1, True]]
    assert rows["value"].item() > 0.95


def test_what_excuses_a_high_auroc():
    rows = [{"landmark": 28, "model": name, "measure": "auroc", "value": value} for name, value in
            (("all", 0.8), ("arm_only", 0.76))]  # fmt: skip
    found = evaluation.Evaluation(summary=pd.DataFrame(rows).assign(ci_low=0.7, ci_high=0.9))
    assert evaluation.excuse(found, 28, 0.75) == "arm"
    assert evaluation.excuse(found, 28, 0.77) is None
    known = dataclasses.replace(found, declared=pd.DataFrame({"above": [False, True]}))
    assert evaluation.excuse(known, 28, 0.77) == "declared"
    assert evaluation.excuse(dataclasses.replace(found, declared=pd.DataFrame({"above": [False]})), 28, 0.77) is None
