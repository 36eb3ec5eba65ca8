"""Replicates of the monitoring study: a model each, and intervals that tell what another run would give."""

import numpy as np
import pytest

from attrition.monitoring import surveillance


def test_every_replicate_has_a_model_of_its_own():
    models = surveillance.Setting.make(3).frozen(range(4))
    for fit in (models.plain, models.balanced):
        assert len(np.unique(fit.coef.round(6), axis=0)) == 4
    assert (models.first(2).plain.coef == models.plain.coef[:2]).all()


def test_patients_are_scored_by_their_own_replicates_model():
    setting = surveillance.Setting.make(3)
    models = setting.frozen(range(2))
    patients = surveillance.SCENARIOS[0].draw(surveillance.PUBLISHED_LAW, 10, np.random.default_rng(1), 0.0)
    X = surveillance.model_inputs(patients)
    prob, balanced = models.probabilities(X)
    for fit, found in ((models.plain, prob), (models.balanced, balanced)):
        log_odds = [x @ fit.coef[i // 5] + fit.intercept[i // 5] for i, x in enumerate(X)]
        np.testing.assert_allclose(found, 1 / (1 + np.exp(-np.array(log_odds))), atol=1e-9)


WATCHED = [
    ("adverse_event_reporting", "auroc"),
    ("adverse_event_reporting", "psi"),
    ("new_sites", "seed_rule"),
    ("new_sites", "cusum"),
    ("event_rate_doubled", "seed_rule"),
]


@pytest.mark.slow
def test_rates_scatter_over_runs_as_their_intervals_say():
    """With one model for all batches of a run, power would scatter twice as much as binomially from run to run."""
    n = 400
    runs = [
        surveillance.study(seed, [50], 1, n, 200, 39).set_index(["scenario", "name"])["count"] for seed in range(16)
    ]
    counts = np.array([run[WATCHED] for run in runs])
    share = counts.mean(axis=0) / n
    excess = counts.var(axis=0, ddof=1) / (n * share * (1 - share))
    assert 0.5 < excess.mean() < 1.5
