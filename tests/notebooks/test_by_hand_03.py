"""Chapter 03 by hand: one split, fifty splits, a few trials; and its exercises."""

import pandas as pd
import pytest

from attrition import ablation, features
from attrition.ablation import one_split, replicate
from tests import notebooks

NAME = "03_feature_ablation"


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATTRITION_OUT", str(tmp_path_factory.mktemp("out")))
        yield notebooks.run(NAME, "by-hand", "exercise")


def test_one_split_is_the_published_one(found):
    assert found["area"] == pytest.approx(one_split.evaluate(found["trial"], "v3_causal", "lr", 42)["auroc"], abs=1e-12)


def test_fifty_splits_agree_with_many_of_the_library(found):
    many = one_split.many_splits(found["trial"], 200, 1, ["v1_counts", "v3_causal"])
    gains, ours = many["v3_causal"] - many["v1_counts"], found["engineered"] - found["counts"]
    error = (gains.var() * (1 / len(gains) + 1 / len(ours))) ** 0.5
    assert abs(gains.mean() - ours.mean()) < 4 * error
    assert 0.6 < ours.std() / gains.std() < 1.6


def test_gain_over_trials_is_the_one_of_the_library(found):
    pair = [replicate.Candidate(name, features.VERSIONS[name]) for name in ("v1_counts", "v3_causal")]
    sizes = ablation.sizes(found["p"])
    records, _ = replicate.logistic_block(42, "default", range(found["TRIALS"]), pair, sizes)
    area = {(row["name"], row["replicate"]): row["auroc"] for row in records}
    gains = [area["v3_causal", r] - area["v1_counts", r] for r in range(found["TRIALS"])]
    assert found["gain"].tolist() == pytest.approx(gains, abs=2e-4)
    mean = ablation.interval(gains)
    assert (found["few_low"], found["few_high"]) == pytest.approx((mean["ci_low"], mean["ci_high"]), abs=2e-4)


def test_exercises_answer(found):
    another, noise, worse = found["shown"][-3:]
    assert another == pytest.approx(one_split.evaluate(found["trial"], "v3_causal", "lr", 7)["auroc"], abs=0.005)
    assert -0.02 < noise < 0.01
    assert 0 <= worse <= 1


@pytest.mark.parametrize(("reach", "word"), [(0.14, "less"), (0.01, "more")])
def test_the_range_of_one_split_is_held_against_the_published_differences(reach, word):
    noise = pd.DataFrame([{"model": "lr", "name": "v3_causal", "q025": 0.6, "q975": 0.6 + reach}])
    told = notebooks.sentence(NAME, "ch03-16", noise=noise)
    assert f"between 0.600 and {0.6 + reach:.3f}, a range of {reach:.3f}; the three published models" in told
    assert f"differ by 0.039 at most, {word} than that range." in told


@pytest.mark.parametrize(("rank", "place"), [(1, "the most valuable feature"), (6, "number 6 of 1 features")])
def test_the_place_of_burden_is_named(rank, place):
    loss = {"value": -0.0005, "ci_low": -0.0007, "ci_high": -0.0004}
    found = {
        "leave_one_out": {"default": {"burden": loss}},
        "only_group": {"default": {"burden": {"value": 0.7, "share_of_lift": 0.95}}},
        "ranking": {"default": {"burden_rank": rank}},
        "verdicts": {"default": {"burden": "direction only"}},
    }
    told = notebooks.sentence(NAME, "ch03-26", found=found)
    assert f"brings a loss, but smaller than the smallest difference of interest: {LOST}; by that measure" in told
    assert f"it is {place}. Alone it reaches an AUROC of 0.700, 95% of" in told


LOST = "−0.0005 (−0.0007 to −0.0004)"
