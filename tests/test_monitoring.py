"""Drift statistics against scipy, nulls against theory."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from attrition import monitoring
from attrition.metrics import ranks


@pytest.fixture
def rng():
    return np.random.default_rng(20)


def test_chi_squared_is_pearsons(rng):
    reference, batch = rng.multinomial(400, [0.2, 0.3, 0.5]), rng.multinomial(60, [0.3, 0.3, 0.4])
    ours = monitoring.chi_squared(batch / 60, reference / 400, 60, 400)
    theirs = stats.chi2_contingency([batch, reference], correction=False).statistic
    assert ours == pytest.approx(theirs, rel=1e-12)


def test_ks_on_cells_is_the_two_sample_statistic(rng):
    reference, batch = rng.integers(0, 6, 300), rng.integers(1, 6, 50)
    share, base = (np.bincount(v, minlength=6) / len(v) for v in (batch, reference))
    assert monitoring.kolmogorov_smirnov(share, base) == pytest.approx(stats.ks_2samp(batch, reference).statistic)


def test_the_excursion_counts_from_either_side():
    steps = np.array([[0.5, 0.5, -0.2], [-0.5, -0.9, 0.1]])
    np.testing.assert_allclose(monitoring.excursion(steps), [1.0, 1.4])


def test_psi_is_the_symmetric_kullback_leibler_divergence():
    p, q = np.array([0.2, 0.8]), np.array([0.5, 0.5])
    assert monitoring.psi(q, p) == pytest.approx(stats.entropy(q, p) + stats.entropy(p, q))


def test_every_cell_is_counted_once_and_unknown_values_have_their_own():
    development = pd.DataFrame({"x": np.arange(100.0), "arm": ["a", "b"] * 50})
    cells = monitoring.Cells(development)
    new = pd.DataFrame({"x": [-5.0, 500.0], "arm": ["a", "never seen"]})
    onehot = cells.onehot(new)
    assert onehot.sum(1).tolist() == [2.0, 2.0]
    assert onehot[1, cells.slices[1]].tolist() == [0, 0, 1]


def test_deals_are_sets_of_the_right_size(rng):
    dealt = monitoring.deal(7, 20, 50, rng)
    assert dealt.shape == (50, 7)
    assert all(len(set(row)) == 7 for row in dealt.tolist())


def test_p_values_are_uniform_when_nothing_changed(rng):
    """Under exchangeability a permutation p-value is uniform on 1/B, 2/B ... 1."""
    p = []
    for _ in range(600):
        values = rng.normal(size=60)
        p.append(monitoring.calibration_drift(values[:40], values[40:], monitoring.deal(20, 60, 19, rng)))
    counts = np.bincount(np.round(np.array(p) * 20).astype(int), minlength=21)[1:]
    assert stats.chisquare(counts).pvalue > 0.001


def test_a_shifted_input_is_seen_and_named(rng):
    reference = pd.DataFrame({"age": rng.normal(size=500), "dose": rng.normal(size=500)})
    batch = pd.DataFrame({"age": rng.normal(size=200), "dose": rng.normal(1.0, 1, size=200)})
    cells = monitoring.Cells(reference)
    pooled = np.vstack([cells.onehot(reference), cells.onehot(batch)])
    counts = monitoring.cell_counts(pooled, monitoring.membership(monitoring.deal(200, 700, 199, rng), 700))
    statistic, p, overall = (found[0] for found in monitoring.drifts(counts[None], pooled.sum(0)[None], 200, cells))
    assert (overall <= 0.05).all()
    look = monitoring.Look(statistic, p, {}, {})
    assert look.table(cells.columns).set_index("column").filter(regex="^p_").min(axis=1).idxmin() == "dose"


def test_worse_ranking_is_a_performance_alarm(rng):
    y, noise = rng.integers(0, 2, 700), rng.normal(size=700)
    score = np.where(np.arange(700) < 500, y + 0.5 * noise, noise)
    member = monitoring.membership(monitoring.deal(200, 700, 99, rng), 700)
    p = monitoring.performance_drift(y, score, member, ranks.auroc)
    assert p == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("p", "action"),
    [
        ((0.01, 0.01, 0.01), "inspect"),
        ((0.01, 0.01, 0.5), "retrain"),
        ((0.5, 0.01, 0.5), "recalibrate"),
        ((0.5, 0.5, 0.01), "inspect"),
        ((0.5, 0.5, 0.5), "none"),
    ],
)
def test_the_stated_rule(p, action):
    assert monitoring.decide(dict(zip(("performance", "calibration", "covariates"), p, strict=True))) == action


def test_nothing_is_fitted_to_inputs_that_look_different():
    wrong = []
    for performance, calibration in itertools.product((0.001, 0.05, 0.5), repeat=2):
        p = {"performance": performance, "calibration": calibration, "covariates": 0.01}
        assert monitoring.decide(p) not in monitoring.REFITS
        wrong.append(monitoring.decide(p, inputs_first=False) in monitoring.REFITS)
    assert sum(wrong) == 8
