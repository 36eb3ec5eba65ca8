"""Chapter 01 by hand: the law term by term, its noise integrated out, the ceiling; its exercises and sentences."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from attrition import simulate
from attrition.simulate import PUBLISHED_LAW, oracle
from attrition.simulate.law import risk
from tests import notebooks

NAME = "01_generation"


@pytest.fixture(scope="module")
def found():
    return notebooks.run(NAME, "by-hand", "exercise")


def test_score_and_probability_are_those_of_the_law(found):
    assert np.allclose(found["score"], risk(PUBLISHED_LAW, found["people"]))
    assert np.allclose(found["probability"], oracle.of_patients(PUBLISHED_LAW, found["people"]), atol=1e-6)


def test_the_ceiling_is_the_exact_one(found):
    exact = oracle.exact(PUBLISHED_LAW)
    assert found["best_by_hand"] == pytest.approx(exact["auroc"], abs=0.012)
    assert found["probability"].mean() == pytest.approx(exact["prevalence"], abs=0.005)


def test_the_formula_is_compared_with_exact_probabilities(found):
    compared = found["formula"]
    truth = oracle.of_patients(PUBLISHED_LAW, found["trial"])
    assert compared["mean_law"] == pytest.approx(truth.mean())
    weights = np.concatenate([truth, 1 - truth])
    by_sklearn = roc_auc_score(np.repeat([1, 0], len(truth)), np.tile(truth, 2), sample_weight=weights)
    assert compared["auroc_law"] == pytest.approx(by_sklearn)
    assert compared["auroc_formula"] < compared["auroc_law"] < 1
    assert compared["least_formula"] < compared["mean_formula"] < compared["greatest_formula"]


def test_exercises_answer(found):
    silent, without_visits, (share, ceiling) = found["shown"][-3:]
    assert found["best_by_hand"] < silent < 1
    assert 0.5 < without_visits < found["best_by_hand"]
    assert 0.24 < share < found["probability"].mean()
    assert ceiling > 0.5


LIFT = {"full": 0.71, "full_mc_se": 0.001, "enrolment": 0.54, "best_auroc": 0.6, "best_day": 30}


@pytest.mark.parametrize(("share", "much"), [(0.49, "less than half"), (0.5, "at least half")])
def test_the_finding_says_how_much_is_there_in_time(share, much):
    class Oracle:
        early_lift = staticmethod(lambda best: LIFT | {"share_best": share})

    best = {"p24": {"auroc": {"value": 0.72}}}
    said = notebooks.sentence(NAME, "ch01-54", best=best, oracle=Oracle)
    assert f"day 30, 0.600: {much} of what can be gained over chance is there in time." in said.replace("\\", "")
    assert "AUROC of 0.710 (Monte-Carlo standard error 0.0010; 0.720 at 24 %)" in said


@pytest.mark.slow
@pytest.mark.parametrize("changed", [False, True])
def test_the_checksum_decides_whether_these_are_the_published_patients(changed):
    trial = simulate.published_trial()
    said = notebooks.sentence(NAME, "ch01-09", trial=trial.assign(age=trial["age"] + changed))
    assert ("which is NOT the stated one" in said) == changed
    assert ("which is the stated one" in said) == (not changed)


def test_the_range_of_the_law_s_risks():
    risk = {"trial_phase": {"Phase I": 0.5, "Phase III": 0.6}, "treatment_group": {"Active": 0.52, "Placebo": 0.55}}
    said = notebooks.sentence(NAME, "ch01-40", law_found={"default": {"risk": risk}})
    assert "raises the risk by 0.100, where the published risks differ by 0.60" in said
    assert "Placebo by 0.030, where they differ by 0.30" in said
