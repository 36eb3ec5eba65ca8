"""Every model out of fold, beside the oracle, and their table."""

import numpy as np
import pytest

from attrition import metrics, models, resampling, simulate
from attrition.simulate import oracle
from attrition.simulate.law import PUBLISHED_LAW


@pytest.fixture(scope="module")
def trial():
    return simulate.published_trial().head(300)


@pytest.fixture(scope="module")
def oof(trial):
    return resampling.every_model(trial, resampling.repeated_folds(trial["dropout"].to_numpy(), 3, 2))


def test_out_of_fold_rows_carry_the_exact_probability(oof, trial):
    assert list(oof) == [*resampling.OOF_COLUMNS, "true_probability"]
    assert set(oof["model"]) == {*models.MODELS, "oracle"}
    assert (oof.groupby(["model", "repeat"]).size() == len(trial)).all()
    truth = dict(zip(trial["patient_id"], oracle.of_patients(PUBLISHED_LAW, trial), strict=True))
    assert np.allclose(oof["true_probability"], oof["patient_id"].map(truth))
    perfect = oof[oof["model"] == "oracle"]
    assert (perfect["y_prob"] == perfect["true_probability"]).all()


def test_model_table_averages_repeats(oof):
    table = resampling.model_table(oof, 3).query("measure == 'auroc'").set_index("model")
    lr = oof[oof["model"] == "lr"]
    by_repeat = [metrics.auroc(part["y"], part["y_prob"]) for _, part in lr.groupby("repeat")]
    assert table.loc["lr", "value"] == pytest.approx(np.mean(by_repeat))
    assert table.loc["lr", "ci_low"] < table.loc["lr", "value"] < table.loc["lr", "ci_high"]
    assert table.loc["oracle", "attainable"] == 1
    assert (table["n_patients"] == 300).all()
