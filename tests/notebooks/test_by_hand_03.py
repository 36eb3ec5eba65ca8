"""Chapter 03 by hand: one split, fifty splits, a few trials; and its exercises."""

import pandas as pd
import pytest

import notebook_report as report
from attrition import features
from attrition.studies import ablation, contrasts, published
from tests import notebooks
from tests.notebooks import cells

NAME = "03_feature_ablation"


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATTRITION_OUT", str(tmp_path_factory.mktemp("out")))
        yield notebooks.run(NAME, "by-hand", "exercise")


@pytest.mark.slow
def test_one_split_is_the_published_one(found):
    assert found["area"] == pytest.approx(published.one_split(found["trial"], "v3_causal", "lr")["auroc"], abs=1e-12)


@pytest.mark.slow
def test_fifty_splits_agree_with_many_of_the_library(found):
    many = published.many_splits(found["trial"], 200, 1, ["v1_counts", "v3_causal"])
    gains, ours = many["v3_causal"] - many["v1_counts"], found["engineered"] - found["counts"]
    error = (gains.var() * (1 / len(gains) + 1 / len(ours))) ** 0.5
    assert abs(gains.mean() - ours.mean()) < 4 * error
    assert 0.6 < ours.std() / gains.std() < 1.6


@pytest.mark.slow
def test_gain_over_trials_is_the_one_of_the_library(found):
    pair = [ablation.Candidate(name, features.VERSIONS[name]) for name in ("v1_counts", "v3_causal")]
    sizes = ablation.sizes(found["p"])
    records, _ = ablation.evaluated(42, "default", range(found["TRIALS"]), pair, sizes)
    area = {(row["name"], row["replicate"]): row["auroc"] for row in records}
    gains = [area["v3_causal", r] - area["v1_counts", r] for r in range(found["TRIALS"])]
    assert found["gain"].tolist() == pytest.approx(gains, abs=2e-4)
    mean = contrasts.interval(gains)
    assert (found["few_low"], found["few_high"]) == pytest.approx((mean["ci_low"], mean["ci_high"]), abs=2e-4)


@pytest.mark.slow
def test_exercises_answer(found):
    another, noise, worse = found["shown"][-3:]
    assert another == pytest.approx(published.one_split(found["trial"], "v3_causal", "lr", 7)["auroc"], abs=0.005)
    assert -0.02 < noise < 0.01
    assert 0 <= worse <= 1


def test_single_steps_are_named_by_their_intervals():
    ends = {"rates_minus_counts": (0.01, 0.02), "interactions": (0.009, 0.03), "domain": (-0.02, -0.01)}
    ends["v3_minus_v1"] = (0.1, 0.2)
    rows = [
        {
            "setting": setting,
            "step": step,
            "label": step.title(),
            "value": (low + high) / 2,
            "ci_low": low,
            "ci_high": high,
        }
        for setting in ("default", "p24")
        for step, (low, high) in ends.items()
    ]
    given = {"smallest": 0.01, "report": report}
    found = cells.run("03", "23", steps=pd.DataFrame(rows), **given)["told_steps"]["default"]
    assert found["largest"] == "interactions"
    assert found["reaching"] == ["rates_minus_counts"]
    assert found["harmful"] == ["domain"]
    assert found["difference"]["ci_high"] == 0.03


def test_sizes_at_which_logistic_regression_has_what_trees_reach():
    rows = [("lr", 200, 0.6, 0.65), ("lr", 1000, 0.7, 0.72), ("lr", 5000, 0.74, 0.75)]
    rows += [("xgb", 200, 0.5, 0.55), ("xgb", 5000, 0.72, 0.73), ("lgbm", 5000, 0.76, 0.77)]
    table = pd.DataFrame(rows, columns=["model", "n_train", "value", "ci_high"]).sample(frac=1, random_state=1)
    found = cells.run("03", "43", summary=table, ablation=ablation, contrasts=contrasts, report=report)["reached"]
    assert found[0] == {"label": "XGBoost", "n_train": 5000, "auroc": 0.72, "enough": 1000}
    assert found[1] == {"label": "LightGBM", "n_train": 5000, "auroc": 0.76, "enough": None}
