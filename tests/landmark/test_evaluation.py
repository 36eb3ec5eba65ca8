"""Models evaluated at landmarks, on trials that readers bring: few events, one arm, no events after a landmark."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss

from attrition import decision, engine, metrics, params
from attrition.cdisc.trial import LEFT_OUT, Definitions, assemble
from attrition.landmark import cohort, evaluation, guard, prediction, time_to, uncertainty
from attrition.landmark.guard import LeakError
from attrition.metrics import evaluator, measures
from attrition.plots import curves as benefit
from attrition.plots import diagrams, rows, style
from attrition.studies import leaks
from notebook_report import display as report
from notebook_report import results
from notebook_report.said import said
from tests.notebooks import cells
from tests.test_engine import needs_loopback


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
    return evaluation.run(made, p, 1)


@pytest.fixture(scope="module")
def prices(made, p):
    return leaks.price_list(made, p, 1)


def concluded(study, prices):
    """Every sentence with a verdict."""
    facts = {
        "honest_ranking": evaluation.honest(study, 0.75),
        "beyond_the_arm": evaluation.beyond_the_arm(study, 0.05, 0.75),
        "blinded": evaluation.blinded(study, 0.05),
        "adverse_events": evaluation.compared(study, "adverse_events", "baseline_arm", 0.05),
        "price_of_leaks": evaluation.leaks(prices, 0.05, 0.75),
    }
    return [said(name, own) for name, own in facts.items()]


@pytest.mark.slow
def test_a_small_trial_runs_whole(made, study, prices, p):
    assert study.main == 28
    assert all(concluded(study, prices))
    numbers = results.plain(evaluation.numbers(made, study, prices))
    assert json.dumps(numbers, allow_nan=False)
    assert {"all", "arm_only", "baseline", "all_without_arm", "xgb", "lgbm", "cox"} <= set(
        numbers["landmarks"]["28"]["auroc"]
    )


@pytest.mark.slow
@pytest.mark.parametrize("where", ["processes", pytest.param("dask", marks=needs_loopback)])
def test_any_engine_finds_the_same(made, study, prices, p, monkeypatch, where):
    monkeypatch.setenv("ATTRITION_ENGINE", where)
    monkeypatch.setenv("ATTRITION_WORKERS", "2")
    monkeypatch.setattr(engine, "WORTH", 0.0)
    monkeypatch.setattr(engine, "STARTED", set())
    sized = p.but(n_repeats=2)  # made anew in a worker, which has classes of its own
    found = evaluation.run(made, sized, 1), leaks.price_list(made, p, 1)
    assert json.dumps(results.plain(evaluation.numbers(made, *found))) == json.dumps(
        results.plain(evaluation.numbers(made, study, prices))
    )
    settings = params.load("07_time_to_dropout", "quick")
    tables = [time_to.accuracy(made, [28, 84], settings, 1)]
    monkeypatch.setenv("ATTRITION_ENGINE", "serial")
    tables.append(time_to.accuracy(made, [28, 84], settings, 1))
    for one, other in zip(*tables, strict=True):
        pd.testing.assert_frame_equal(one, other, check_exact=True)


@pytest.mark.slow
def test_resamples_of_optimism_are_as_many_as_its_error_asks_for(study, p, monkeypatch):
    asked, real = [], evaluation._elsewhere
    monkeypatch.setattr(evaluation, "_elsewhere", lambda of, n, seed: asked.append(n) or real(of, 1, seed))
    monkeypatch.setitem(uncertainty.SIZES, "optimism_bootstraps", (1.0, 1.0, 3))
    evaluation._tables(study.developed, p.but(optimism_bootstraps=20), 1)
    assert asked == [3] * sum(day > 0 for day in study.developed)


@pytest.mark.slow
def test_a_trial_of_one_arm_runs(p, prices):
    alone = evaluation.run(made_trial(arms=("A",)), p, 1)
    assert "arm_only" not in alone.developed[28].predictions
    assert all(concluded(alone, prices))


@pytest.mark.slow
def test_a_trial_without_enough_events_says_so(p):
    made = made_trial(leave=0.05)
    study = evaluation.run(made, p, 1)
    prices = leaks.price_list(made, p, 1)
    assert study.main is None
    assert evaluation.main_landmark(made) is None
    for nothing in (
        evaluation.aurocs,
        evaluation.wide,
        evaluation.paired,
        evaluation.site_groups,
    ):
        assert nothing(study) is None
    assert evaluation.sample_size(study) == {"day": None}
    use = evaluation.contacting(evaluation.decisions(study, study.main))
    assert (use["verdict"], use["models"]) == ("not testable", {})
    assert rows.aurocs(None, 0.75) is None
    assert set(study.skipped) == {0, 28, 84}
    assert prices.empty
    assert "nothing is concluded" in concluded(study, prices)[0]
    numbers = results.plain(evaluation.numbers(made, study, prices))
    assert numbers["landmarks"]["84"]["at_risk"] > 0
    assert set(numbers["landmarks"]["84"]["auroc"].values()) == {None}
    few = said("too_few", evaluation.planned(made, study))
    assert "neither show that it can nor that it cannot" in few
    assert "of what can be explained, a Cox-Snell R-squared of 0." in few


@pytest.mark.slow
def test_no_event_after_the_last_landmark(made, p):
    patients = made.patients.copy()
    late = (patients["event_day"] > 84) & (patients["reason_group"] != "completed")
    patients.loc[late, ["event_day", "reason", "reason_group"]] = [190.0, "COMPLETED", "completed"]
    found = evaluation.run(dataclasses.replace(made, patients=patients), p, 1)
    assert 84 in found.skipped
    assert 28 in found.problems
    assert found.skipped[84]["n_events"] == 0


def test_the_guard_stands_before_the_models(made, p, monkeypatch):
    """A feature that looks ahead stops the study before anything is fitted."""
    honest = cohort.BUILDERS["baseline"]

    def planted(view):
        day = made.patients.set_index("id")["event_day"].reindex(view.ids)
        return honest(view).assign(age=day)

    monkeypatch.setitem(cohort.BUILDERS, "baseline", planted)
    with pytest.raises(LeakError):
        evaluation.run(
            dataclasses.replace(made), p, 1
        )  # a copy: a trial remembers the features that were built from it


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
    evaluation.check(told, of)


def test_a_column_that_comes_from_no_feature_is_refused(made):
    of = prediction.problem(made, 28)
    with pytest.raises(LeakError, match=r"^planted: declares no day on which it is known$"):
        evaluation.check(made, dataclasses.replace(of, X=of.X.assign(planted=0.0)))


def test_a_category_that_tells_the_outcome_by_many_levels_is_refused_by_its_own_name(made):
    told = with_column(made, "Reason code", reason_code(made))
    of = prediction.problem(told, 28)
    dummies = of.X[[column for column in of.X if of.origins[column] == "Reason code"]]
    assert guard.screen(dummies, of.y).empty  # no level alone gives it away
    with pytest.raises(LeakError, match="column Reason code: alone it ranks leavers almost perfectly"):
        evaluation.check(told, of)


def test_the_guard_knows_that_a_rebuilt_feature_changed(made):
    def build(version):
        table = version.patients.set_index("id")[["event_day"]]
        return table[table["event_day"] > 28]

    assert guard.changed_by_the_future(build, made, 28) == ["event_day"]


@pytest.mark.slow
def test_the_forest_is_fitted_at_the_first_landmark_in_the_first_repeats_only(made, p):
    found = evaluation.run(made, dataclasses.replace(p, n_repeats=3, n_repeats_slow=2), 1)
    predictions = {day: developed.predictions for day, developed in found.developed.items()}
    shapes = {day: {name: y_prob.shape[1] for name, y_prob in each.items()} for day, each in predictions.items()}
    assert [day for day, each in shapes.items() if "forest" in each] == [28]
    assert {n for each in shapes.values() for name, n in each.items() if name in prediction.LEARNERS} == {2}
    assert {n for each in shapes.values() for name, n in each.items() if name not in prediction.LEARNERS} == {3}


@pytest.mark.slow
def test_figures_draw_what_they_are_given(made, study, prices):
    table = evaluation.aurocs(study)
    ax = rows.aurocs(table, 0.75)
    assert [text.get_text() for text in ax.get_yticklabels()] == list(dict.fromkeys(table["label"]))
    assert len(rows.prices(prices).get_yticklabels()) == len(prices)
    curve = evaluation.decisions(study, 28)
    drawn = benefit.net_benefit(curve, prediction.LABELS)
    everybody = [line.get_ydata() for line in drawn.get_lines() if line.get_label() == "contact everybody"]
    np.testing.assert_allclose(
        everybody[0], 100 * decision.treat_all(study.problems[28].y, evaluation.GRID), atol=1e-12
    )
    assert len(drawn.get_lines()) == 2 + curve["model"].nunique()
    boxes = diagrams.consort(cohort.participant_flow(made), made.groups)
    words = " ".join(text.get_text() for text in boxes.texts)
    assert str(made.flow["randomised"]) in words
    assert rows.sites(study.sites[study.sites["landmark"] == 28]) is not None


@pytest.mark.slow
def test_paired_models_are_named_for_readers(study):
    assert set(evaluation.paired(study)["first"]) <= set(prediction.LABELS.values())
    assert evaluation.wide(study).iloc[0, 0] == prediction.LABELS["null"]


def test_the_words_of_a_flat_table_do_not_speak_of_cdisc(made):
    assert made.source == "table"
    flat, sdtm = (
        said("trial_definitions", {"trial": dataclasses.replace(made, source=source), "left_out": LEFT_OUT})
        for source in ("table", "sdtm")
    )
    assert "day of leaving: study day in the table" in flat
    assert "day of leaving: study day of the disposition record" in sdtm
    assert not any(word in flat for word in ("CDISC", "disposition", "dose"))


@pytest.mark.slow
def test_on_treatment_leaves_out_those_who_had_stopped(made, study):
    everybody = evaluator.pick(study.summary, landmark=28, model="all", measure="auroc")
    late = pd.DataFrame({"id": ["000"], "kind": "end of exposure", "name": "dose", "day": 29.0})
    treated = dataclasses.replace(made, events=pd.concat([made.events, late], ignore_index=True))
    assert evaluation.on_treatment(treated, study, 28)["auroc"] == pytest.approx(everybody)
    ids = study.problems[28].X.index
    ends = pd.DataFrame({"id": ids[:20], "kind": "end of exposure", "name": "dose", "day": 20.0})
    told = dataclasses.replace(made, events=pd.concat([made.events, ends], ignore_index=True))
    found = evaluation.on_treatment(told, study, 28)
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
    assert evaluation.contacting(curve)["verdict"] == "not supported"
    use = evaluation.contacting(curve.assign(over_none_low=0.01))
    judged = {"judged_low": 0.2, "judged_high": 0.5}
    assert use["models"]["all"] == pytest.approx(
        {"n": 1, "low": 0.5, "high": 0.5, "best": 2.0, "best_low": -10.0, "best_at": 0.2, **judged}
    )
    assert use["verdict"] == "supported"
    assert "Judged, with at least 10 patients on either side, are the full model at thresholds from 0.2 to 0.5." in (
        said("landmark_contacting", use)
    )


def test_a_full_model_that_is_judged_nowhere_has_no_verdict():
    curve = pd.DataFrame({"model": "all", "threshold": [0.2, 0.5], "over_all": 0.1, "over_none": 0.1})
    use = evaluation.contacting(curve.assign(over_all_low=np.nan, over_none_low=np.nan))
    assert use["verdict"] == "not testable"
    assert "are the full model at no threshold." in said("landmark_contacting", use)


@pytest.mark.slow
def test_bands_of_the_decision_curves_cover_and_are_missing_where_nothing_is_judged(study):
    names, n = ("all", "all_without_arm", "arm_only"), len(study.problems[28].y)
    more = dataclasses.replace(study, n_bootstraps=200)
    held = evaluation.band_coverage(more, 28, 100, 1)
    assert held["ci_low"] <= 0.95 <= held["ci_high"]
    curve = evaluation.decisions(more, 28)
    few = curve["over_all_low"].isna()
    assert 0 < few.sum() < len(few)
    found = study.developed[28].predictions
    contacted = [(found[name][:, :, None] >= evaluation.GRID).sum(axis=0).mean(axis=0) for name in names]
    assert (few == (np.minimum(np.hstack(contacted), n - np.hstack(contacted)) < 10)).all()


@pytest.mark.slow
def test_the_sample_size_says_what_it_supposes_and_what_was_seen(study):
    of, y_prob = study.problems[28], study.developed[28].predictions["all"]
    found = evaluation.needed_patients(of, y_prob)
    rate, columns = of.y.mean(), len(of.columns("all"))
    assert found["r2"] == pytest.approx(0.15 * measures.max_cox_snell(rate))
    assert found["needed"] == measures.riley(columns, rate, found["r2"])["n_patients"].max()
    assert found["r2_seen"] == pytest.approx(np.mean([measures.cox_snell_r2(of.y, p) for p in y_prob.T]))
    nothing = evaluation.needed_patients(of, np.full((len(of.y), 1), rate))
    assert nothing["needed_seen"] is None
    assert evaluation.sample_size(study)["needed"] == found["needed"]


def test_the_verdict_on_contacting_is_the_full_models_whatever_less_can_do():
    loses = pd.DataFrame({"model": "all", "threshold": [0.2, 0.5], "over_all_low": -0.1, "over_none_low": -0.1})
    wins = loses.assign(model="arm_only", over_all_low=0.1, over_none_low=0.1)
    use = evaluation.contacting(pd.concat([loses, wins]).assign(over_all=0.2, over_none=0.2))
    assert use["verdict"] == "not supported"
    assert "By the treatment arm alone it does so at thresholds from 0.2 to 0.5." in said("landmark_contacting", use)


@pytest.mark.slow
def test_a_model_that_separates_all_patients_is_told_without_a_crash(made, p, monkeypatch):
    """Were a leak to pass the guard, the chapter would still find words, and no verdict on what the leak decides."""
    monkeypatch.setattr(guard, "guard", lambda *_, **__: None)
    told = with_column(made, "code", np.where(made.patients["status"].eq("primary"), "1", "0"))
    study = evaluation.run(told, p, 1)
    here = {"landmark": 28, "model": "all"}
    assert evaluator.pick(study.summary, **here, measure="auroc")["value"] == 1
    slope, scaled = (evaluator.pick(study.summary, **here, measure=m) for m in ("calibration_slope", "scaled_brier"))
    assert "slope is not defined" in said("landmark_calibration", {"slope": slope, "scaled": scaled})
    assert scaled["value"] == pytest.approx(
        evaluation.performance(study, 28).set_index("label").loc[prediction.LABELS["all"], "scaled_brier"]
    )
    assert json.dumps(results.plain(evaluation.numbers(told, study, leaks.price_list(told, p, 1))), allow_nan=False)
    honest, arm = evaluation.honest(study, 0.75), evaluation.beyond_the_arm(study, 0.05, 0.75)
    for name, facts in (("honest_ranking", honest), ("beyond_the_arm", arm)):
        assert facts["verdict"] == "not testable"
        assert "leak until shown otherwise, so it is not judged whether" in said(name, facts)


def with_chance(study, p_values, model="all"):
    """The study with other adjusted p-values of the permutation test, by landmark."""
    tests = {day: {**each} for day, each in study.chance.items()}
    for day, p in p_values.items():
        tests[day][model] = tests[day][model] | {"holm": p}
    return dataclasses.replace(study, chance=tests)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("p_values", "verdict", "above"),
    [
        ({28: 0.05, 84: 0.05}, "supported", [28, 84]),
        ({28: 0.051, 84: 0.01}, "direction only", [84]),
        ({28: 0.2, 84: 0.3}, "not supported", []),
    ],
)
def test_better_than_chance_is_the_permutation_test_whatever_the_interval(study, p_values, verdict, above):
    found = evaluation.honest(with_chance(study, p_values), 0.99)
    assert (found["verdict"], found["above"]) == (verdict, above)
    assert evaluation.blinded(with_chance(study, p_values, "all_without_arm"), 0.05)["above"] == above


def moved(study, first, second, by_day):
    """The study with other differences of two models: value and the ends of the widened interval, by landmark."""
    table = study.differences.copy()
    for day, (value, low, high) in by_day.items():
        rows = (table["landmark"] == day) & (table["first"] == first) & (table["second"] == second)
        table.loc[rows, ["value", "all_low", "all_high"]] = [value, low, high]
    return dataclasses.replace(study, differences=table)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("by_day", "verdict", "day", "clear", "worse"),
    [
        # the largest difference is not the one that is clear
        ({28: (0.06, 0.01, 0.11), 84: (0.2, -0.1, 0.5)}, "supported", 28, [28], []),
        ({28: (0.03, 0.01, 0.05), 84: (0.2, -0.1, 0.5)}, "direction only", 28, [28], []),
        ({28: (0.06, 0.01, 0.11), 84: (0.08, 0.01, 0.15)}, "supported", 84, [28, 84], []),
        ({28: (0.06, -0.01, 0.13), 84: (0.2, -0.1, 0.5)}, "not supported", 84, [], []),
        ({28: (-0.06, -0.1, -0.02), 84: (0.0, -0.1, 0.1)}, "not supported", 84, [], [28]),
    ],
)
def test_beyond_the_arm_counts_every_landmark_whose_interval_is_clear(study, by_day, verdict, day, clear, worse):
    found = evaluation.beyond_the_arm(moved(study, "all", "arm_only", by_day), 0.05, 0.99)
    assert (found["verdict"], found["day"], found["clear"], found["worse"]) == (verdict, day, clear, worse)


@pytest.mark.slow
def test_an_interval_below_one_half_has_a_sentence_of_its_own(study):
    assert evaluation.below_half(study, "nothing") == {"auroc": None}
    told = study.summary.copy()
    rows = told["measure"].eq("auroc") & told["model"].eq("all_without_arm") & told["landmark"].eq(28)
    told.loc[rows, ["value", "ci_low", "ci_high"]] = [0.42, 0.36, 0.48]
    found = evaluation.below_half(dataclasses.replace(study, summary=told), "all_without_arm")
    assert found["auroc"] == {"value": 0.42, "ci_low": 0.36, "ci_high": 0.48}
    assert (found["day"], found["mean"]) == (28, study.chance[28]["all_without_arm"]["mean"])
    told.loc[rows, "ci_high"] = 0.5
    assert evaluation.below_half(dataclasses.replace(study, summary=told), "all_without_arm") == {"auroc": None}


@pytest.mark.slow
def test_an_auroc_at_the_suspicious_level_gives_no_verdict(study):
    best = evaluation.aurocs(study).query("model == 'all'")["value"].max()
    assert evaluation.beyond_the_arm(study, 0.05, best)["verdict"] == "not testable"
    assert evaluation.beyond_the_arm(study, 0.05, best + 1e-9)["verdict"] != "not testable"
    assert evaluation.honest(study, best)["verdict"] == "not testable"


@pytest.mark.slow
def test_without_ends_of_dosing_nothing_is_said_about_who_was_still_treated(made, study):
    assert cohort.off_treatment(made, 28) is None
    assert evaluation.on_treatment(made, study, 28) is None


@pytest.mark.parametrize(
    ("records", "recorded", "collected", "same"),
    [
        ([], 0, 0, None),
        ([(5.0, np.nan)], 1, 0, None),
        ([(-5.0, 3.0), (-2.0, -1.0), (4.0, np.nan)], 3, 2, None),
        ([(5.0, 5.0), (5.0, 8.0)], 2, 2, 0.5),
    ],
)
def test_why_no_delay_of_reporting_can_be_shown(made, records, recorded, collected, same, tmp_path, monkeypatch):
    monkeypatch.setenv("ATTRITION_OUT", str(tmp_path))
    rows = [("000", "adverse event", "X", np.nan, None, day, known) for day, known in records]
    added = pd.DataFrame(rows, columns=made.events.columns)
    told = dataclasses.replace(made, events=pd.concat([made.events, added], ignore_index=True))
    found = cells.run("06", "17", study=told, pd=pd, style=style, report=report)
    first = found["lag"]["reported"][0]
    assert (len(found["adverse"]), found["adverse"]["known_day"].count()) == (recorded, collected)
    assert np.isnan(first) if same is None else first == same


def test_leaks_are_counted_by_what_they_gain_and_by_what_they_reach():
    table = pd.DataFrame({"label": ["One", "Two", "Three", "Four"], "honest": 0.6, "leaky": [0.8, 0.7, 0.63, 0.6]})
    table["difference"] = table["leaky"] - table["honest"]
    table = table.assign(ci_low=table["difference"] - 0.01, ci_high=table["difference"] + 0.01)
    found = evaluation.leaks(table, 0.05, 0.75)
    assert (found["n"], found["large"], found["above"], found["free"]) == (4, 2, 1, ["Four"])
    assert (found["label"], found["verdict"]) == ("One", "supported")
    assert found["price"]["value"] == pytest.approx(0.2)


@pytest.mark.slow
def test_a_measure_that_is_added_to_the_evaluator_is_taken_here_too(made, p, monkeypatch):
    monkeypatch.setitem(evaluator.MEASURES, "log_loss", lambda y, y_prob, weights=None: log_loss(y, y_prob))
    of = prediction.problem(made, 28)
    developed = evaluation.develop(of, p, 1, with_forest=False)
    found = evaluation.Evaluation({28: developed}, summary=uncertainty.summary(developed))
    value = evaluator.pick(found.summary, model="null", measure="log_loss")["value"]
    assert value == pytest.approx(np.mean([log_loss(of.y, y_prob) for y_prob in developed.predictions["null"].T]))
    assert evaluation.performance(found, 28).loc[0, "log_loss"] == pytest.approx(value)
