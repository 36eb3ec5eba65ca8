"""The chapter's machinery on trials that readers bring: few events, one arm, no events after a landmark."""

import dataclasses
import json
import re

import numpy as np
import pandas as pd
import pytest

from attrition import decision, leaks, metrics, params, results
from attrition.cdisc.trial import Definitions, assemble
from attrition.landmark import guard, machine, participants, prediction, readings
from attrition.landmark.guard import LeakError
from attrition.landmark.time_readings import sentence
from attrition.metrics import samplesize
from attrition.metrics.intervals import bootstrap_weights
from attrition.plots import flow, trial


@pytest.fixture(scope="module")
def p():
    quick = params.load("06_real_trial", "quick")
    return dataclasses.replace(
        quick, n_repeats=2, n_repeats_slow=1, n_bootstraps=30, n_half_samples=4, n_permutations=19,
        optimism_bootstraps=2, trees=5, leak_repeats=1,
    )  # fmt: skip


def made_trial(n=100, arms=("A", "B"), leave=0.5, seed=3):
    """A trial of `n` patients with visits every two weeks and no other record."""
    rng = np.random.default_rng(seed)
    ids = [f"{i:03d}" for i in range(n)]
    gone = rng.random(n) < leave
    day = np.where(gone, rng.integers(10, 160, n), 190).astype(float)
    table = pd.DataFrame({"id": ids, "arm": rng.choice(arms, n), "site": rng.choice(["1", "2"], n)})
    table = table.assign(age=rng.integers(40, 80, n).astype(float), sex=rng.choice(["F", "M"], n), event_day=day)
    table["reason"] = np.where(gone, rng.choice(["ADVERSE EVENT", "DEATH", "LOST TO FOLLOW-UP"], n), "COMPLETED")
    rows = [
        (i, "visit", f"WEEK {w}", w, None, 7.0 * w, 7.0 * w)
        for i, d in zip(ids, day, strict=True)
        for w in range(2, 27, 2)
        if 7 * w <= d
    ]
    events = pd.DataFrame(rows, columns=["id", "kind", "name", "value", "detail", "day", "known_day"])
    events["detail"] = events["detail"].astype("str")
    definitions = Definitions(name="made", horizon=168, landmarks=(28, 84))
    return assemble("made", "table", definitions, table, events, {"screened": None, "screen_failures": None})


@pytest.fixture(scope="module")
def made():
    return made_trial()


@pytest.fixture(scope="module")
def study(made, p):
    return machine.run(made, p, 1)


@pytest.fixture(scope="module")
def prices(made, p):
    return leaks.price_list(made, p, 1)


def every_reading(study, p, prices):
    found = [
        readings.honest(study, 0.75),
        readings.beyond_the_arm(study, 0.05),
        readings.blinded(study, 0.05),
        readings.adverse_events(study, 0.05),
        readings.leaks(prices, 0.05, 0.75),
    ]
    return [sentence(reading) for reading in found]


def test_a_small_trial_runs_whole(made, study, prices, p):
    assert study.main == 28
    assert all(every_reading(study, p, prices))
    numbers = results.plain(machine.numbers(made, study, prices))
    assert json.dumps(numbers, allow_nan=False)
    assert {"all", "arm_only", "baseline", "all_without_arm", "xgb", "lgbm", "cox"} <= set(
        numbers["landmarks"]["28"]["auroc"]
    )


@pytest.mark.slow
def test_a_trial_of_one_arm_runs(p, prices):
    alone = machine.run(made_trial(arms=("A",)), p, 1)
    assert "arm_only" not in alone.predictions[28]
    assert all(every_reading(alone, p, prices))


def test_a_trial_without_enough_events_says_so(p):
    made = made_trial(leave=0.05)
    study = machine.run(made, p, 1)
    prices = leaks.price_list(made, p, 1)
    assert study.main is None
    assert machine.main_landmark(made) is None
    for nothing in (machine.aurocs, machine.wide, machine.paired, machine.optimism_table, machine.sites):
        assert nothing(study) is None
    for unsaid in (readings.optimism, readings.sites, readings.enough):
        assert unsaid(study) is None
    assert readings.decisions(machine.decisions(study, study.main)).verdict == "not testable"
    assert readings.won(None) == {}
    assert trial.aurocs(None, 0.75) is None
    assert set(study.skipped) == {0, 28, 84}
    assert prices.empty
    assert "nothing is concluded" in every_reading(study, p, prices)[0]
    numbers = results.plain(machine.numbers(made, study, prices))
    assert numbers["landmarks"]["84"]["at_risk"] > 0
    assert set(numbers["landmarks"]["84"]["auroc"].values()) == {None}
    few = readings.too_few(machine.planned(made))
    assert "neither show that it can nor that it cannot" in sentence(few)
    assert "of what can be explained, a Cox-Snell R-squared of 0." in sentence(few)


@pytest.mark.slow
def test_no_event_after_the_last_landmark(made, p):
    patients = made.patients.copy()
    late = (patients["event_day"] > 84) & (patients["reason_group"] != "completed")
    patients.loc[late, ["event_day", "reason", "reason_group"]] = [190.0, "COMPLETED", "completed"]
    found = machine.run(dataclasses.replace(made, patients=patients), p, 1)
    assert 84 in found.skipped
    assert 28 in found.problems
    assert "0 events" in found.skipped[84]


def test_the_guard_stands_before_the_models(made, p, monkeypatch):
    """A feature that looks ahead stops the study before anything is fitted."""
    honest = machine.landmark.BUILDERS["baseline"]

    def planted(view):
        day = made.patients.set_index("id")["event_day"].reindex(view.ids)
        return honest(view).assign(age=day)

    monkeypatch.setitem(machine.landmark.BUILDERS, "baseline", planted)
    with pytest.raises(LeakError):
        machine.run(dataclasses.replace(made), p, 1)  # a copy: a trial remembers the features that were built from it


def with_column(trial, name, values):
    """The trial with one baseline column more."""
    patients = trial.patients.assign(**{name: values})
    return dataclasses.replace(trial, patients=patients, baseline=(*trial.baseline, name))


def reason_code(trial):
    """A code that is 00 for those who stayed, and one of nine for those who left with the primary event."""
    codes = np.array([f"0{k}" for k in range(1, 10)])[np.arange(len(trial.patients)) % 9]
    return np.where(trial.patients["status"].eq("primary"), codes, "00")


@pytest.mark.parametrize("name", ["SEX", "sex at birth", "Sex (M/F)", "arm_", "ARM"])
def test_a_category_may_have_any_name(made, name):
    told = with_column(made, name, np.where(np.arange(len(made.patients)) % 2, "M", "F"))
    of = prediction.problem(told, 28)
    assert of.X.columns.is_unique
    assert [of.origins[column] for column in of.X] == ["age", "sex", name, "arm", *of.groups["visits"]]
    machine.check(told, of)


def test_a_column_that_comes_from_no_feature_is_refused(made):
    of = prediction.problem(made, 28)
    with pytest.raises(LeakError, match=r"^planted: declares no day on which it is known$"):
        machine.check(made, dataclasses.replace(of, X=of.X.assign(planted=0.0)))


def test_a_category_that_tells_the_outcome_by_many_levels_is_refused_by_its_own_name(made):
    told = with_column(made, "Reason code", reason_code(made))
    of = prediction.problem(told, 28)
    dummies = of.X[[column for column in of.X if of.origins[column] == "Reason code"]]
    assert guard.screen(dummies, of.y).empty  # no level alone gives it away
    with pytest.raises(LeakError, match="column Reason code: alone it ranks leavers almost perfectly"):
        machine.check(told, of)


def test_the_guard_knows_that_a_rebuilt_feature_changed(made):
    def build(version):
        table = version.patients.set_index("id")[["event_day"]]
        return table[table["event_day"] > 28]

    assert guard.changed_by_the_future(build, made, 28) == ["event_day"]


def test_the_forest_is_fitted_at_the_first_landmark_in_the_first_repeats_only(made, p):
    found = machine.run(made, dataclasses.replace(p, n_repeats=3, n_repeats_slow=2), 1)
    shapes = {day: {name: y_prob.shape[1] for name, y_prob in each.items()} for day, each in found.predictions.items()}
    assert [day for day, each in shapes.items() if "forest" in each] == [28]
    assert {n for each in shapes.values() for name, n in each.items() if name in prediction.LEARNERS} == {2}
    assert {n for each in shapes.values() for name, n in each.items() if name not in prediction.LEARNERS} == {3}


def test_figures_draw_what_they_are_given(made, study, prices):
    table = machine.aurocs(study)
    ax = trial.aurocs(table, 0.75)
    assert [text.get_text() for text in ax.get_yticklabels()] == list(dict.fromkeys(table["label"]))
    assert len(trial.prices(prices).get_yticklabels()) == len(prices)
    curve = machine.decisions(study, 28)
    drawn = trial.net_benefit(curve, prediction.LABELS)
    everybody = [line.get_ydata() for line in drawn.get_lines() if line.get_label() == "contact everybody"]
    np.testing.assert_allclose(everybody[0], 100 * decision.treat_all(study.problems[28].y, machine.GRID), atol=1e-12)
    assert len(drawn.get_lines()) == 2 + curve["model"].nunique()
    boxes = flow.consort(participants.participant_flow(made), made.groups)
    words = " ".join(text.get_text() for text in boxes.texts)
    assert str(made.flow["randomised"]) in words
    assert trial.sites(study.sites[study.sites["landmark"] == 28]) is not None


def test_paired_models_are_named_for_readers(study):
    assert set(machine.paired(study)["first"]) <= set(prediction.LABELS.values())
    assert machine.wide(study).iloc[0, 0] == prediction.LABELS["null"]


def test_the_words_of_a_flat_table_do_not_speak_of_cdisc(made):
    assert made.source == "table"
    for source, words in {"table": "in the table", "sdtm": "of the disposition record"}.items():
        trial = dataclasses.replace(made, source=source)
        told = machine.definitions(trial).set_index("term")["meaning"]
        assert told["day of leaving"] == f"study day {words}"
        assert told["analysis set"].endswith(", there is no day 0")
        assert ("CDISC" in machine.read_from(trial)) == (source == "sdtm")
    assert not any(word in " ".join(machine.definitions(made)["meaning"]) for word in ("CDISC", "disposition", "dose"))


def test_on_treatment_leaves_out_those_who_had_stopped(made, study):
    everybody = machine.auroc(study, 28, "all")
    late = pd.DataFrame({"id": ["000"], "kind": "end of exposure", "name": "dose", "day": 29.0})
    treated = dataclasses.replace(made, events=pd.concat([made.events, late], ignore_index=True))
    assert machine.on_treatment(treated, study, 28)["auroc"] == pytest.approx(everybody)
    ids = study.problems[28].X.index
    ends = pd.DataFrame({"id": ids[:20], "kind": "end of exposure", "name": "dose", "day": 20.0})
    told = dataclasses.replace(made, events=pd.concat([made.events, ends], ignore_index=True))
    found = machine.on_treatment(told, study, 28)
    of, developed = study.problems[28], study.developed[28]
    assert found["n_patients"] == len(ids) - 20
    each = [
        metrics.auroc_within(of.y[20:], developed.predictions["all"][20:, r], developed.fold[20:, r]) for r in (0, 1)
    ]
    assert found["auroc"]["value"] == pytest.approx(np.mean(each))


def test_the_decision_curve_is_read_where_both_defaults_are_beaten():
    curve = pd.DataFrame(
        {"model": "all", "threshold": [0.2, 0.5], "over_all_low": [-0.1, 0.01], "over_none_low": [0.1, -0.01]}
    ).assign(over_all=[0.02, 0.03], over_none=[0.2, 0.01])
    assert readings.decisions(curve).verdict == "not supported"
    assert "at no threshold" in sentence(readings.decisions(curve))
    won = curve.assign(over_none_low=0.01)
    assert "at 0.5;" in sentence(readings.decisions(won))
    judged = {"judged_low": 0.2, "judged_high": 0.5}
    assert readings.won(won)["all"] == pytest.approx(
        {"n": 1, "low": 0.5, "high": 0.5, "best": 2.0, "best_low": -10.0, "best_at": 0.2, **judged}
    )
    assert "Judged, with at least 10 patients on either side, are the full model at thresholds from 0.2 to 0.5." in (
        sentence(readings.decisions(won))
    )


def test_a_full_model_that_is_judged_nowhere_has_no_verdict():
    curve = pd.DataFrame({"model": "all", "threshold": [0.2, 0.5], "over_all": 0.1, "over_none": 0.1})
    said = readings.decisions(curve.assign(over_all_low=np.nan, over_none_low=np.nan))
    assert said.verdict == "not testable"
    assert "are the full model at no threshold." in sentence(said)


def test_bands_of_the_decision_curves_cover_and_are_missing_where_nothing_is_judged(study):
    names, n = ("all", "all_without_arm", "arm_only"), len(study.problems[28].y)
    more = dataclasses.replace(study, weights={28: bootstrap_weights(np.random.default_rng(0), n, 200)})
    held = machine.band_coverage(more, 28, 100, 1)
    assert held["ci_low"] <= 0.95 <= held["ci_high"]
    curve = machine.decisions(more, 28)
    few = curve["over_all_low"].isna()
    assert 0 < few.sum() < len(few)
    found = study.predictions[28]
    contacted = [(found[name][:, :, None] >= machine.GRID).sum(axis=0).mean(axis=0) for name in names]
    assert (few == (np.minimum(np.hstack(contacted), n - np.hstack(contacted)) < 10)).all()


def test_the_sample_size_says_what_it_supposes_and_what_was_seen(study):
    of, y_prob = study.problems[28], study.predictions[28]["all"]
    found = machine.sample_size(of, y_prob)
    rate, columns = of.y.mean(), len(of.columns("all"))
    assert found["r2"] == pytest.approx(0.15 * samplesize.max_cox_snell(rate))
    assert found["needed"] == samplesize.riley(columns, rate, found["r2"])["n"].max()
    assert found["r2_seen"] == pytest.approx(np.mean([samplesize.cox_snell_r2(of.y, p) for p in y_prob.T]))
    nothing = machine.sample_size(of, np.full((len(of.y), 1), rate))
    assert nothing["needed_seen"] is None
    assert "no number of patients is enough for that" in sentence(readings.enough(study, **nothing))
    told = nothing | {"r2_seen": 0.3, "needed_seen": 250, "needed": 10}
    said = sentence(readings.enough(study, **told))
    assert (
        f"R-squared of {found['r2']:.3f}, the sample-size criteria of Riley and colleagues ask for 10, no more" in said
    )
    assert "seen in cross-validation is 0.300; for that they would ask for 250." in said
    assert f"would ask for 9,000 patients where there are {len(of.y)}" in sentence(
        readings.enough(study, **told | {"needed": 9000})
    )


def test_the_verdict_on_contacting_is_the_full_models_whatever_less_can_do():
    loses = pd.DataFrame({"model": "all", "threshold": [0.2, 0.5], "over_all_low": -0.1, "over_none_low": -0.1})
    wins = loses.assign(model="arm_only", over_all_low=0.1, over_none_low=0.1)
    said = readings.decisions(pd.concat([loses, wins]).assign(over_all=0.2, over_none=0.2))
    assert said.verdict == "not supported"
    assert "By the treatment arm alone it does so at thresholds from 0.2 to 0.5." in sentence(said)


def ends(value, low, high):
    return {"value": value, "ci_low": low, "ci_high": high}


@pytest.mark.parametrize(
    ("slope", "words"),
    [
        ((0.3, 0.1, 0.994), "the predictions are too extreme. The"),
        ((0.8, 0.5, 0.996), "it is not shown that the predictions are too extreme. The"),
        ((1.4, 1.1, 1.7), "the predictions are not extreme enough. The"),
    ],
)
@pytest.mark.parametrize(
    ("scaled", "better"),
    [
        ((-0.1, -0.2, -0.01), "−0.100 (−0.200 to −0.010): worse than the event rate alone."),
        ((0.1, 0.01, 0.2), "+0.100 (+0.010 to +0.200): better than the event rate alone."),
        ((0.1, -0.01, 0.2), "+0.100 (−0.010 to +0.200): not shown to be better or worse than the event rate alone."),
    ],
)
def test_calibration_is_read_from_the_intervals_of_slope_and_brier(slope, words, scaled, better):
    said = sentence(readings.calibration(ends(*slope), ends(*scaled)))
    assert words in said
    assert better in said
    assert f"slope of {slope[0]:.2f} ({slope[1]:.2f} to {slope[2]:.2f})" in said


def test_a_calibration_slope_that_is_not_defined_has_a_sentence_of_its_own():
    said = sentence(readings.calibration(ends(np.nan, np.nan, np.nan), ends(0.8, 0.7, 0.9)))
    assert "slope is not defined" in said
    assert "+0.800 (+0.700 to +0.900): better than the event rate" in said


@pytest.mark.slow
def test_a_model_that_separates_all_patients_is_told_without_a_crash(made, p, monkeypatch):
    """Were a leak to pass the guard, the chapter would still find words, and no verdict on what the leak decides."""
    monkeypatch.setattr(guard, "guard", lambda *_: None)
    told = with_column(made, "code", np.where(made.patients["status"].eq("primary"), "1", "0"))
    study = machine.run(told, p, 1)
    assert machine.auroc(study, 28, "all")["value"] == 1
    slope, scaled = (machine.measured(study, 28, "all", name) for name in ("calibration_slope", "scaled_brier"))
    assert "slope is not defined" in sentence(readings.calibration(slope, scaled))
    assert scaled["value"] == pytest.approx(
        machine.performance(study, 28).set_index("label").loc[prediction.LABELS["all"], "scaled_brier"]
    )
    assert json.dumps(results.plain(machine.numbers(told, study, leaks.price_list(told, p, 1))), allow_nan=False)
    for reading in (readings.honest(study, 0.75), readings.beyond_the_arm(study, 0.05, 0.75)):
        assert reading.verdict == "not testable"
        assert "leak until shown otherwise, so it is not judged whether" in sentence(reading)


def with_chance(study, p_values, model="all"):
    """The study with other adjusted p-values of the permutation test, by landmark."""
    tests = {day: {**each} for day, each in study.chance.items()}
    for day, p in p_values.items():
        tests[day][model] = tests[day][model] | {"holm": p}
    return dataclasses.replace(study, chance=tests)


@pytest.mark.parametrize(
    ("p_values", "verdict", "words"),
    [
        ({28: 0.05, 84: 0.05}, "supported", "better than chance on day 28 and day 84"),
        ({28: 0.051, 84: 0.01}, "direction only", "better than chance on day 84 "),
        ({28: 0.2, 84: 0.3}, "not supported", "better than chance at no landmark after day 0"),
    ],
)
def test_better_than_chance_is_the_permutation_test_whatever_the_interval(study, p_values, verdict, words):
    said = readings.honest(with_chance(study, p_values), 0.99)
    assert said.verdict == verdict
    assert words in sentence(said)
    blinded = readings.blinded(with_chance(study, p_values, "all_without_arm"), 0.05)
    assert ("at no landmark after day 0 shown to be better than chance" in sentence(blinded)) == (
        verdict == "not supported"
    )


def moved(study, first, second, by_day):
    """The study with other differences of two models: value and the ends of the widened interval, by landmark."""
    table = study.differences.copy()
    for day, (value, low, high) in by_day.items():
        rows = (table["landmark"] == day) & (table["first"] == first) & (table["second"] == second)
        table.loc[rows, ["value", "all_low", "all_high"]] = [value, low, high]
    return dataclasses.replace(study, differences=table)


@pytest.mark.parametrize(
    ("by_day", "verdict", "words"),
    [
        # the largest difference is not the one that is clear
        ({28: (0.06, 0.01, 0.11), 84: (0.2, -0.1, 0.5)}, "supported", "on day 28; the largest of these"),
        ({28: (0.03, 0.01, 0.05), 84: (0.2, -0.1, 0.5)}, "direction only", "is +0.030"),
        ({28: (0.06, 0.01, 0.11), 84: (0.08, 0.01, 0.15)}, "supported", "on day 28 and day 84"),
        ({28: (0.06, -0.01, 0.13), 84: (0.2, -0.1, 0.5)}, "not supported", "At no landmark after day 0 is it shown"),
        ({28: (-0.06, -0.1, -0.02), 84: (0.0, -0.1, 0.1)}, "not supported", "On day 28 they rank worse"),
    ],
)
def test_beyond_the_arm_counts_every_landmark_whose_interval_is_clear(study, by_day, verdict, words):
    said = readings.beyond_the_arm(moved(study, "all", "arm_only", by_day), 0.05, 0.99)
    assert said.verdict == verdict
    assert words in sentence(said)


def test_an_interval_below_one_half_has_a_sentence_of_its_own(study):
    assert "below" not in "".join(str(readings.below_half(study, "nothing")))
    told = study.summary.copy()
    rows = told["measure"].eq("auroc") & told["model"].eq("all_without_arm") & told["landmark"].eq(28)
    told.loc[rows, ["value", "ci_low", "ci_high"]] = [0.42, 0.36, 0.48]
    said = sentence(readings.below_half(dataclasses.replace(study, summary=told), "all_without_arm"))
    assert "0.420 (0.360 to 0.480) on day 28, below one half" in said
    assert f"gives {study.chance[28]['all_without_arm']['mean']:.3f} on average" in said
    told.loc[rows, "ci_high"] = 0.5
    assert readings.below_half(dataclasses.replace(study, summary=told), "all_without_arm") is None


def test_an_auroc_at_the_suspicious_level_gives_no_verdict(study):
    best = machine.aurocs(study).query("model == 'all'")["value"].max()
    assert readings.beyond_the_arm(study, 0.05, best).verdict == "not testable"
    assert readings.beyond_the_arm(study, 0.05, best + 1e-9).verdict != "not testable"
    assert readings.honest(study, best).verdict == "not testable"


def test_without_ends_of_dosing_nothing_is_said_about_who_was_still_treated(made, study):
    assert participants.off_treatment(made, 28) is None
    assert machine.on_treatment(made, study, 28) is None
    hindsight = sentence(readings.off_treatment(None, 28, 90))
    alone = sentence(readings.on_treatment(made, study))
    assert all(said.startswith("This source does not tell when dosing ended, so ") for said in (hindsight, alone))


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ([], "no dated adverse events"),
        ([(5.0, np.nan)], "no collection dates"),
        ([(-5.0, 3.0), (-2.0, -1.0), (4.0, np.nan)], "No adverse event with a collection date began on day 1 or later"),
    ],
)
def test_why_no_delay_of_reporting_can_be_shown(made, records, words):
    rows = [("000", "adverse event", "X", np.nan, None, day, known) for day, known in records]
    added = pd.DataFrame(rows, columns=made.events.columns)
    told = dataclasses.replace(made, events=pd.concat([made.events, added], ignore_index=True))
    assert words in sentence(readings.lag(machine.known_share(told), told))


@pytest.mark.parametrize(
    ("leaky", "said"), [([0.8, 0.6], "1 raises .*; 1 reaches"), ([0.8, 0.9], "2 raise .*; 2 reach ")]
)
def test_one_leak_raises_and_two_raise(leaky, said):
    table = pd.DataFrame({"label": ["One", "Two"], "honest": 0.6, "leaky": leaky, "truth": 0.6, "n_trials": 5})
    table["difference"] = table["leaky"] - table["honest"]
    table = table.assign(ci_low=table["difference"] - 0.01, ci_high=table["difference"] + 0.01)
    assert re.search(said, sentence(readings.leaks(table, 0.05, 0.75)))
    n, verb = said.split()[:2]
    assert f"{n} of 2 leaks {verb} the estimate" in sentence(readings.simulated_leaks(table))
