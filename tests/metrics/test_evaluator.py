"""The evaluator: repeats averaged after measuring, differences paired, subgroups counted once a characteristic."""

import numpy as np
import pandas as pd
import pytest

from attrition import metrics
from attrition.metrics import evaluator, intervals

N = 900


@pytest.fixture
def rng():
    return np.random.default_rng(41)


@pytest.fixture
def patients(rng):
    true = rng.uniform(0.1, 0.9, N)
    noisy = np.clip(true[:, None] + rng.normal(0, 0.15, (N, 3)), 0.01, 0.99)
    y = (rng.random(N) < true).astype(int)
    models = {"lr": noisy, "xgb": rng.permutation(noisy), "null": np.full((N, 1), y.mean()), "oracle": true[:, None]}
    return y, models


def test_every_model_has_every_measure_with_its_interval(patients, rng):
    y, models = patients
    table = evaluator.evaluate(y, models, intervals.bootstrap_weights(rng, N, 60))
    assert list(table) == ["model", "measure", "value", "ci_low", "ci_high", "n_patients", "n_events"]
    assert (table["n_patients"] == N).all()
    assert (table["n_events"] == y.sum()).all()
    found = table.set_index(["model", "measure"])
    assert sorted(found.loc["lr"].index) == sorted(evaluator.MEASURES)
    assert found.loc[("lr", "auroc"), "value"] == pytest.approx(np.mean([metrics.auroc(y, p) for p in models["lr"].T]))
    assert found.loc[("lr", "ici"), "ci_low"] >= 0
    assert np.isnan(found.loc[("null", "calibration_slope"), "value"])
    defined = table.dropna()
    assert defined["value"].between(defined["ci_low"], defined["ci_high"]).all()


def test_a_metric_of_a_chapter_stands_beside_the_others(patients, rng):
    y, models = patients
    table = evaluator.evaluate(y, models, rng.random((N, 5)), {"loss": metrics.log_loss})
    assert table["measure"].unique().tolist() == ["loss"]


def test_differences_are_paired_and_so_narrower(patients, rng):
    y, models = patients
    weights = intervals.bootstrap_weights(rng, N, 300)
    only = {"auroc": metrics.auroc, "brier_score": metrics.brier_score}
    gap = evaluator.compare(y, models, [("lr", "oracle"), ("oracle", "xgb")], weights, only)
    own = evaluator.evaluate(y, models, weights, only).set_index(["model", "measure"])
    assert gap["first"].tolist() == ["lr", "lr", "oracle", "oracle"]
    for row in gap.itertuples():
        a, b = own.loc[(row.first, row.measure)], own.loc[(row.second, row.measure)]
        assert row.value == pytest.approx(a["value"] - b["value"])
    assert gap.loc[0, "ci_high"] - gap.loc[0, "ci_low"] < own.loc[("lr", "auroc"), ["ci_low", "ci_high"]].diff().iloc[1]


def test_subgroups_add_up_are_marked_when_small_and_have_wide_intervals(patients, rng):
    y, models = patients
    group = np.where(np.arange(N) < N - 60, "large", "small")
    table = evaluator.by_subgroup(y, models, {"size": group}, intervals.bootstrap_weights(rng, N, 300))
    own = table[(table["model"] == "lr") & (table["measure"] == "auroc")].reset_index(drop=True)
    assert own["n_patients"].tolist() == [N, N - 60, 60]
    assert own.loc[1:, "n_events"].sum() == own.loc[0, "n_events"] == y.sum()
    assert own["small"].tolist() == [False, False, True]
    inside = group == "large"
    expected = np.mean([metrics.auroc(y[inside], p[inside]) for p in models["lr"].T])
    assert own.loc[1, "value"] == pytest.approx(expected)
    width = own["ci_high"] - own["ci_low"]
    assert width[2] > 2 * width[1]


@pytest.mark.parametrize("fewest", [30, 31])
def test_a_subgroup_is_small_by_its_rarer_outcome(fewest):
    y = np.repeat([0, 1], [90, 30])
    table = evaluator.by_subgroup(y, {"m": np.linspace(0.1, 0.9, 120)}, {}, np.ones((120, 2)), fewest)
    assert table["small"].tolist() == [fewest > 30] * 2


def test_subgroups_stand_in_the_order_of_their_categories_and_empty_ones_are_left_out(patients, rng):
    y, models = patients
    ages = pd.Categorical(rng.choice(["young", "old"], N), ["young", "middle", "old"])
    groups = {"age": ages, "arm": rng.choice(["B", "A"], N)}
    table = evaluator.by_subgroup(y, {"lr": models["lr"]}, groups, np.ones((N, 2)))
    assert table["subgroup"].unique().tolist() == ["all", "young", "old", "A", "B"]


def test_results_and_readers_get_the_same_numbers(patients, rng):
    y, models = patients
    table = evaluator.evaluate(y, models, intervals.bootstrap_weights(rng, N, 40), {"auroc": metrics.auroc})
    found, shown = evaluator.nested(table), evaluator.readable(table, ".2f")
    assert list(found) == list(models)
    lr = found["lr"]["auroc"]
    assert shown.loc[0, "auroc"] == f"{lr['value']:.2f} ({lr['ci_low']:.2f} to {lr['ci_high']:.2f})"
    assert shown.columns.tolist() == ["model", "n_patients", "n_events", "auroc"]


def test_a_measure_that_is_not_defined_has_an_empty_cell(patients):
    y, models = patients
    slope = {"calibration_slope": metrics.calibration_slope}
    table = evaluator.evaluate(y, {"null": models["null"]}, np.ones((N, 2)), slope)
    assert evaluator.readable(table)["calibration_slope"].tolist() == [None]
