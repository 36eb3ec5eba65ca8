"""Tables and sentences of the modelling chapter."""

import numpy as np
import pandas as pd
import pytest

from attrition import metrics, modelling, models, resampling, simulate
from attrition.simulate import oracle
from attrition.simulate.law import PUBLISHED_LAW


@pytest.fixture(scope="module")
def trial():
    return simulate.published_trial().head(300)


@pytest.fixture(scope="module")
def oof(trial):
    return modelling.out_of_fold(trial, resampling.repeated_folds(trial["dropout"].to_numpy(), 3, 2))


def test_out_of_fold_rows_carry_the_exact_probability(oof, trial):
    assert list(oof) == [*resampling.OOF_COLUMNS, "true_probability"]
    assert set(oof["model"]) == {*models.MODELS, "oracle"}
    assert (oof.groupby(["model", "repeat"]).size() == len(trial)).all()
    truth = dict(zip(trial["patient_id"], oracle.of_patients(PUBLISHED_LAW, trial), strict=True))
    assert np.allclose(oof["true_probability"], oof["patient_id"].map(truth))
    perfect = oof[oof["model"] == "oracle"]
    assert (perfect["y_prob"] == perfect["true_probability"]).all()


def test_model_table_averages_repeats(oof):
    table = modelling.model_table(oof, 3).set_index("model")
    lr = oof[oof["model"] == "lr"]
    by_repeat = [metrics.auroc(part["y"], part["y_prob"]) for _, part in lr.groupby("repeat")]
    assert table.loc["lr", "auroc"] == pytest.approx(np.mean(by_repeat))
    assert table.loc["lr", "ci_low"] < table.loc["lr", "auroc"] < table.loc["lr", "ci_high"]
    assert table.loc["oracle", "attainable"] == 1
    assert (table["n"] == 300).all()


def test_tuning_sentence_turns_with_the_numbers():
    found = {"model": ["lr", "xgb"], "tuned": [0.7, 0.69], "difference": [0.0, 0.05], "ci_low": [-0.01, 0.02]}
    told = modelling.tuning_sentence(pd.DataFrame(found))
    assert told["names"] == "XGBoost"
    assert told["best"] == "Logistic regression"
    nothing = modelling.tuning_sentence(pd.DataFrame(found | {"ci_low": [-0.01, -0.02]}))
    assert nothing["sentence"].startswith("Tuning raised no")


def test_intervals_are_left_out_where_there_are_none():
    table = pd.DataFrame(
        {
            "event_rate": "p24",
            "model": ["oracle", "lr"],
            "strategy": "none",
            "n_trials": [1, 5],
            "measure": "auroc",
            "value": [0.76, 0.75],
            "ci_low": [np.nan, 0.74],
            "ci_high": [np.nan, 0.76],
        }
    )
    whole = pd.concat([table.assign(measure=m) for m in (*modelling.SHOWN_MEASURES, "net_benefit_0.2")])
    shown = modelling.imbalance_table(whole, "p24")
    assert shown["auroc"].tolist() == ["0.760", "0.750 (0.740 to 0.760)"]
    assert shown["n_trials"].tolist() == [1, 5]
