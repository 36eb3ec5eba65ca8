"""Chapter 04 by hand: cross-validation beside floor and ceiling, class weights; its exercises and sentences."""

import numpy as np
import pandas as pd
import pytest

from attrition import features, metrics, modelling, resampling
from attrition.modelling import imbalance
from tests import notebooks

NAME = "04_modelling"


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATTRITION_OUT", str(tmp_path_factory.mktemp("out")))
        yield notebooks.run(NAME, "by-hand", "exercise")


def test_cross_validation_is_that_of_the_library(found):
    folds = resampling.repeated_folds(found["y"], found["p"].n_folds, 1, 42)
    oof = modelling.out_of_fold(found["trial"], folds).set_index("model")
    expected = [metrics.auroc(oof.loc[name, "y"], oof.loc[name, "y_prob"]) for name in ("null", "lr", "oracle")]
    assert found["shown"][0].tolist() == [round(value, 3) for value in expected]
    assert np.allclose(found["risk"], oof.loc["lr"].set_index("patient_id")["y_prob"][found["trial"]["patient_id"]])


def test_class_weights_are_those_of_the_study(found):
    X, X_new = (features.matrix(found[name], "v3_causal").to_numpy() for name in ("fitted_on", "others"))
    study = {
        strategy: y_prob
        for strategy, y_prob, _ in imbalance.predictions("lr", X, found["fitted_on"]["dropout"].to_numpy(), X_new, 1)
    }
    assert np.allclose(found["judged"]["plain"], study["none"])
    assert np.allclose(found["judged"]["weighted"], study["class_weight"])
    flagged = study["threshold"] >= found["fitted_on"]["dropout"].mean()
    assert found["moved"] == pytest.approx(flagged[found["outcome"] == 1].mean())


def test_weights_rank_alike_and_overstate(found):
    assert abs(found["area"]["plain"] - found["area"]["weighted"]) < 0.01
    assert found["mean"]["plain"] == pytest.approx(found["outcome"].mean(), abs=0.04)
    assert found["mean"]["weighted"] > found["outcome"].mean() + 0.1


def test_exercises_answer(found):
    same, leak, seeds = found["shown"][-3:]
    assert 0.9 < same <= 1
    assert abs(leak) < 0.01
    assert seeds["min"] < seeds["max"]


@pytest.mark.parametrize(("rate", "told"), [(0.01, "towards a smoother model"), (0.1, "a penalty of 10 or more.")])
def test_what_the_searches_chose(rate, told):
    chosen = pd.DataFrame({"model": "xgb", "learning_rate": rate, "max_depth": [1, 5], "reg_lambda": [1.0, 10.0]})

    class Nested:
        pass

    Nested.chosen = chosen
    said = notebooks.sentence(NAME, "ch04-32", nested=Nested)
    assert told in said
    assert ("smoother" in said) == (rate < 0.1)
    assert f"Of 2 searches for boosted models, {2 * (rate < 0.1)} chose" in said
    assert "and 2 stumps or a penalty" in said


def test_what_the_correction_of_the_intervals_does():
    rows = [
        (n, scheme, share, 0.02)
        for n, shares in ((1000, (0.9, 0.95)), (250, (0.85, 0.94)))
        for scheme, share in zip(("repeated_cv5", "repeated_cv5_corrected"), shares, strict=True)
    ]
    table = pd.DataFrame(rows, columns=["n_patients", "scheme", "coverage", "coverage_se"])
    said = notebooks.sentence(NAME, "ch04-49", by_scheme=table).replace("\\", "")
    assert "With 250 and 1,000 patients the plain interval of repeated 5-fold covers the truth in 85.0% and" in said
    assert "the corrected one in 94.0% and 95.0%" in said
    assert "up to 2.0%" in said
