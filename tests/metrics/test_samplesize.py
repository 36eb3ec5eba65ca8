"""Riley's criteria against the published worked examples and pmsampsize, and against what they promise."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from attrition import metrics
from attrition.metrics import measures
from attrition.models import batched

GOLDEN = pd.read_csv(Path(__file__).parents[1] / "golden" / "samplesize_pmsampsize.csv")


def _needed(n_parameters, prevalence, r2):
    return measures.riley(n_parameters, prevalence, r2).set_index("criterion")


@pytest.mark.parametrize("case", GOLDEN.to_dict("records"), ids=lambda case: f"{case['parameters']} parameters")
def test_criteria_equal_pmsampsize(case):
    needed = _needed(case["parameters"], case["prevalence"], case["r2"])
    assert needed.loc["shrinkage", "n_patients"] == case["shrinkage"]
    assert needed.loc["optimism", "n_patients"] == case["optimism"]
    assert needed.loc["overall risk", "n_patients"] == case["overall_risk"]
    assert measures.max_cox_snell(case["prevalence"]) == pytest.approx(case["max_r2"], abs=1e-12)


def test_worked_example_chagas_disease():
    """Riley et al. 2019: 24 parameters, 17.4 % events, R-squared .288 need 662 patients and 4.8 events each."""
    largest = _needed(24, 0.174, 0.288).loc["optimism"]
    assert largest["n_patients"] == 662
    assert largest["events_per_parameter"] == pytest.approx(4.8, abs=0.005)


def test_worked_example_pre_eclampsia():
    """Riley et al. 2020: 30 parameters, 5 % events, R-squared .05."""
    needed = _needed(30, 0.05, 0.05)
    assert needed.loc[["overall risk", "prediction error", "shrinkage"], "n_patients"].tolist() == [73, 544, 5249]
    assert needed.loc["shrinkage", "n_events"] == 263


def test_the_error_formula_treats_both_outcomes_alike():
    one, other = _needed(9, 0.3, 0.1), _needed(9, 0.7, 0.1)
    assert one["n_patients"].tolist() == other["n_patients"].tolist()


@pytest.mark.parametrize("r2", [0.0, -0.1, 0.4])
def test_an_impossible_r_squared_is_refused(r2):
    with pytest.raises(ValueError, match="not possible"):
        measures.riley(10, 0.05, r2)


def test_expected_shrinkage_inverts_the_criterion():
    n = _needed(9, 0.53, 0.12).loc["shrinkage", "n_patients"]
    assert measures.expected_shrinkage(n, 9, 0.12) == pytest.approx(0.9, abs=1e-3)
    assert measures.expected_shrinkage(10 * n, 9, 0.12) > 0.98


def test_cox_snell_of_truth_is_the_largest():
    true = np.linspace(0.1, 0.9, 81)
    best = measures.cox_snell_r2(true, true)
    assert 0 < best < measures.max_cox_snell(true.mean())
    assert measures.cox_snell_r2(true, np.clip(true * 1.2, 0, 0.99)) < best
    assert measures.cox_snell_r2(true, np.full(81, true.mean())) == pytest.approx(0, abs=1e-12)


@pytest.mark.slow
def test_the_shrinkage_criterion_keeps_its_promise():
    """Models developed on n patients by the criterion have a mean calibration slope near .9 on new patients."""
    rng = np.random.default_rng(9)
    beta = np.array([0.5, 0.4, 0.3, 0.0, 0.0, 0.0, 0.0, 0.0])
    Z = rng.normal(size=(100_000, 8))
    true = 1 / (1 + np.exp(-Z @ beta))
    n = int(_needed(8, 0.5, measures.cox_snell_r2(true, true)).loc["shrinkage", "n_patients"])
    y_new = (rng.random(20_000) < true[:20_000]).astype(int)
    slopes = []
    for _ in range(150):
        rows = rng.integers(20_000, len(Z), n)
        y = (rng.random(n) < true[rows]).astype(int)
        p = batched.fit_pipeline(Z[rows], y, C=1e6).predict_proba(Z[:20_000])[0]
        slopes.append(metrics.calibration_slope(y_new, p))
    assert np.mean(slopes) == pytest.approx(0.9, abs=0.03)
