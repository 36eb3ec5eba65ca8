"""What chapter 06 does by hand against the library's numbers of the committed run, on the same trial and day."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import cross_val_predict

import notebook_report as report
from attrition import metrics, params, paths, trials
from attrition.landmark import cohort, evaluation
from tests.landmark.test_evaluation import made_trial
from tests.notebooks import cells

GIVEN = {"evaluation": evaluation, "trials": trials, "cohort": cohort, "report": report, "pd": pd, "seed": 42}


@pytest.fixture(scope="module")
def by_hand(pilot, tmp_path_factory):
    p = dataclasses.replace(params.load("06_real_trial", "quick"), n_folds=5, n_repeats_slow=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATTRITION_OUT", str(tmp_path_factory.mktemp("out")))
        return cells.run("06", "hand", "try", p=p, study=pilot, **GIVEN)


@pytest.fixture(scope="module")
def committed():
    return json.loads((paths.ROOT / "reports" / "results" / "06_real_trial.json").read_text(encoding="utf-8"))


@pytest.mark.slow
def test_the_wrong_way_is_as_wonderful_as_the_librarys(by_hand, committed):
    events = {int(day): of["primary"] for day, of in committed["landmarks"].items() if day != "0"}
    assert by_hand["DAY"] == max(events, key=events.get)
    assert len(by_hand["left"]) == committed["wrong_way"]["n_patients"]
    assert by_hand["left"].sum() == committed["wrong_way"]["n_events"]
    assert by_hand["wonderful"] == pytest.approx(committed["wrong_way"]["leaky"], abs=0.01)


@pytest.mark.slow
def test_the_honest_estimate_and_its_interval_are_near_the_librarys(by_hand, committed):
    library, own = committed["landmarks"][str(by_hand["DAY"])]["auroc"]["all"], by_hand["by_hand"]
    assert own["value"] == pytest.approx(library["value"], abs=0.06)
    width = library["ci_high"] - library["ci_low"]
    assert 0.6 * width < own["ci_high"] - own["ci_low"] < 2.5 * width
    assert own["ci_low"] < library["value"] < own["ci_high"]


@pytest.mark.slow
def test_an_average_over_folds_is_the_librarys_auroc_within_folds(by_hand):
    y, ordinary, folds = by_hand["left"].to_numpy(), by_hand["ordinary"], by_hand["folds"]
    scores = cross_val_predict(ordinary, by_hand["known"], y, cv=folds, method="predict_proba")[:, 1]
    fold = np.zeros(len(y), dtype=int)
    for k, (_, test) in enumerate(folds.split(y, y)):
        fold[test] = k
    mean = np.mean([metrics.auroc(y[fold == k], scores[fold == k]) for k in range(folds.n_splits)])
    assert metrics.auroc_within(y, scores, fold) == pytest.approx(mean, abs=0.005)


@pytest.mark.slow
def test_nothing_in_the_honest_table_comes_from_after_the_landmark(by_hand):
    known = set(cohort.dictionary(by_hand["taught"], by_hand["DAY"])["known_day"])
    assert max(known) <= by_hand["DAY"]
    assert by_hand["in_time"].to_numpy().sum() < by_hand["final"].to_numpy().sum()


@pytest.mark.slow
def test_a_trial_with_few_events_is_taught_on_the_pilot():
    few = made_trial(leave=0.05)
    p = params.load("06_real_trial", "quick")
    found = cells.run("06", "hand-1", "hand-3", p=p, study=few, **GIVEN)
    assert found["taught"].name == "pilot"
    enough = made_trial(n=150)
    assert cells.run("06", "hand-1", "hand-3", p=p, study=enough, **GIVEN)["taught"] is enough
    many = dataclasses.replace(enough, patients=pd.concat([enough.patients] * 134, ignore_index=True))
    assert cells.run("06", "hand-1", "hand-3", p=p, study=many, **GIVEN)["taught"].name == "pilot"
