"""Over contacting everybody and nobody: differences equal to dcurves, and never a reason to act on noise."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from attrition import decision
from attrition.metrics import intervals

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture(scope="module")
def theirs():
    """Net benefit by threshold (rows) and strategy, from dcurves."""
    curves = pd.read_csv(GOLDEN / "metrics_dcurves.csv").assign(threshold=lambda c: c["threshold"].round(2))
    return curves.pivot_table(index="threshold", columns="model", values="net_benefit")


@pytest.mark.parametrize("model", ["a", "b"])
def test_differences_from_both_defaults_equal_dcurves(theirs, model):
    patients = pd.read_csv(GOLDEN / "metrics_input.csv")
    weights = intervals.bootstrap_weights(np.random.default_rng(3), len(patients), 50)
    ours = decision.decision_curve(patients["y"], {model: patients[model]}, theirs.index, weights)
    ours = ours.assign(threshold=ours["threshold"].round(2)).set_index("threshold")
    assert len(ours) > 50
    for name in ("all", "none"):
        expected = (theirs[model] - theirs[name]).loc[ours.index]
        assert expected.abs().max() > 0.1
        np.testing.assert_allclose(ours[f"over_{name}"], expected, atol=1e-9)
        judged = ours.dropna(subset=f"over_{name}_low")
        assert len(judged) > 50
        assert judged[f"over_{name}"].between(judged[f"over_{name}_low"], judged[f"over_{name}_high"]).all()


@pytest.mark.parametrize("event_rate", [0.2, 0.5])
@pytest.mark.parametrize("scores", ["the event rate", "noise"])
def test_a_model_that_knows_nothing_is_never_recommended(event_rate, scores):
    thresholds = decision.threshold_grid(0.1, 0.3)
    for trial in range(20):
        rng = np.random.default_rng(trial)
        y = (rng.random(400) < event_rate).astype(int)
        p = np.full(400, y.mean()) if scores == "the event rate" else rng.uniform(0, 0.5, 400)
        curve = decision.decision_curve(y, {"lr": p}, thresholds, intervals.bootstrap_weights(rng, 400, 200))
        assert not decision.conclude(curve, "lr")["use"]
