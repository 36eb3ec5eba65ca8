"""Known truth: the formula against a simulation with contacts, and the estimate against the formula."""

import numpy as np
import pytest

from attrition import seeds, studies
from attrition.studies import worth as study
from attrition.worth import model


@pytest.fixture(scope="module")
def large():
    return study.drawn(100_000, np.random.default_rng(8))


def test_the_formula_is_what_happens_when_everybody_is_contacted(large):
    contacted = study.drawn(100_000, np.random.default_rng(8), ratio=0.8)
    happened = 100 * ((contacted.cause == model.STAYED).mean() - (large.cause == model.STAYED).mean())
    assert large.gained(np.ones(100_000, dtype=bool), 0.8, 7) == pytest.approx(happened, abs=0.1)


def test_no_effect_gains_nothing_and_harm_loses(large):
    everybody = np.ones(100_000, dtype=bool)
    assert large.gained(everybody, 1.0, 7) == 0
    assert large.gained(everybody, 1.1, 7) < 0


def test_choosing_by_the_right_risk_gains_more_than_by_any_risk(large):
    truth = {name: large.gained(who, 0.8, 7) for name, who in large.chosen.items()}
    assert truth["everybody"] > truth["addressable_30"] > truth["all_cause_30"]
    assert truth["addressable_30"] > 0.3 * truth["everybody"]
    assert truth["arm"] < 0.5 * truth["everybody"]


@pytest.mark.slow
def test_the_estimate_finds_the_truth_of_a_very_large_trial():
    for row in study.large(study.SEED):
        assert abs(row.get("error", 0)) <= 0.03


@pytest.mark.slow
def test_the_committed_study_can_be_rerun_and_holds_what_was_asked():
    found = studies.committed("worth")
    again = study.one(0, found["seed"])
    for now, then in zip(again, found["first"], strict=True):
        assert now["strategy"] == then["strategy"]
        assert now["value"] == pytest.approx(then["value"], rel=1e-6)
    short = study.in_short(found)
    assert short["worst"] <= 0.03
    assert short["bias"] <= 0.1
    assert short["false_alarms"] <= 0.025
    assert found["n_trials"] >= 500


def test_streams_of_the_study_are_its_own():
    rng = [seeds.stream(study.SEED, study.NAME, "trial", k).random() for k in (0, 1)]
    assert rng[0] != rng[1]
