"""Chapter 03 by hand: one split, fifty splits, a few trials; and its exercises."""

import pytest

from attrition import features
from attrition.studies import ablation, contrasts, published
from tests import notebooks

NAME = "03_feature_ablation"


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATTRITION_OUT", str(tmp_path_factory.mktemp("out")))
        yield notebooks.run(NAME, "by-hand", "exercise")


def test_one_split_is_the_published_one(found):
    assert found["area"] == pytest.approx(published.one_split(found["trial"], "v3_causal", "lr")["auroc"], abs=1e-12)


def test_fifty_splits_agree_with_many_of_the_library(found):
    many = published.many_splits(found["trial"], 200, 1, ["v1_counts", "v3_causal"])
    gains, ours = many["v3_causal"] - many["v1_counts"], found["engineered"] - found["counts"]
    error = (gains.var() * (1 / len(gains) + 1 / len(ours))) ** 0.5
    assert abs(gains.mean() - ours.mean()) < 4 * error
    assert 0.6 < ours.std() / gains.std() < 1.6


def test_gain_over_trials_is_the_one_of_the_library(found):
    pair = [ablation.Candidate(name, features.VERSIONS[name]) for name in ("v1_counts", "v3_causal")]
    sizes = ablation.sizes(found["p"])
    records, _ = ablation.logistic_block(42, "default", range(found["TRIALS"]), pair, sizes)
    area = {(row["name"], row["replicate"]): row["auroc"] for row in records}
    gains = [area["v3_causal", r] - area["v1_counts", r] for r in range(found["TRIALS"])]
    assert found["gain"].tolist() == pytest.approx(gains, abs=2e-4)
    mean = contrasts.interval(gains)
    assert (found["few_low"], found["few_high"]) == pytest.approx((mean["ci_low"], mean["ci_high"]), abs=2e-4)


def test_exercises_answer(found):
    another, noise, worse = found["shown"][-3:]
    assert another == pytest.approx(published.one_split(found["trial"], "v3_causal", "lr", 7)["auroc"], abs=0.005)
    assert -0.02 < noise < 0.01
    assert 0 <= worse <= 1
