"""Chapter 04 by hand: cross-validation beside floor and ceiling, class weights; its exercises and sentences."""

import numpy as np
import pytest

from attrition import features, metrics, resampling
from attrition.studies import imbalance
from tests import notebooks

NAME = "04_modelling"


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATTRITION_OUT", str(tmp_path_factory.mktemp("out")))
        yield notebooks.run(NAME, "by-hand", "exercise")


@pytest.mark.slow
def test_cross_validation_is_that_of_the_library(found):
    folds = resampling.repeated_folds(found["y"], found["p"].n_folds, 1, 42)
    oof = resampling.every_model(found["trial"], folds).set_index("model")
    expected = [metrics.auroc(oof.loc[name, "y"], oof.loc[name, "y_prob"]) for name in ("null", "lr", "oracle")]
    assert found["shown"][0].tolist() == [round(value, 3) for value in expected]
    assert np.allclose(found["risk"], oof.loc["lr"].set_index("patient_id")["y_prob"][found["trial"]["patient_id"]])


@pytest.mark.slow
def test_configured_folds_are_refused_by_scikit_learn(found):
    assert "random_state" in found["refused"]


@pytest.mark.slow
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


@pytest.mark.slow
def test_weights_rank_alike_and_overstate(found):
    assert abs(found["area"]["plain"] - found["area"]["weighted"]) < 0.01
    assert found["mean"]["plain"] == pytest.approx(found["outcome"].mean(), abs=0.04)
    assert found["mean"]["weighted"] > found["outcome"].mean() + 0.1


@pytest.mark.slow
def test_exercises_answer(found):
    same, leak, seeds = found["shown"][-3:]
    assert 0.9 < same <= 1
    assert abs(leak) < 0.01
    assert seeds["min"] < seeds["max"]
