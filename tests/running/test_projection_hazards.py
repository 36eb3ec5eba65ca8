"""Posterior and predictive draws of a running trial: by brute force, by theory."""

import numpy as np
import pytest

from attrition.running import projection

EDGES = np.linspace(0, 168, 7)


def weighted_prior_draws(cause, events, exposure, n, rng, edges=EDGES):
    """The specification again, word by word: draws from the prior, weighted by their likelihood."""
    share, spread = projection.PRIORS[cause]
    k = len(edges) - 1
    x = np.log((np.arange(1, k + 1) - 0.5) / k)
    sigma = np.abs(rng.normal(0, 0.5, n))
    e = np.cumsum(sigma[:, None] * rng.standard_normal((n, k)), axis=1)
    level = np.log(-np.log(1 - share) / edges[-1]) + spread * rng.standard_normal(n)
    log = level[:, None] + 0.7 * rng.standard_normal(n)[:, None] * (x - x.mean()) + e
    likelihood = (events * log - exposure * np.exp(log)).sum(axis=1)
    weight = np.exp(likelihood - likelihood.max())
    return np.exp(log), weight / weight.sum()


def quantiles(values, weight, shares=(0.05, 0.25, 0.5, 0.75, 0.95)):
    order = np.argsort(values)
    return values[order][np.searchsorted(np.cumsum(weight[order]), shares)]


CASES = {
    "nothing seen": ([0] * 6, [0.0] * 6),
    "few": ([2, 1, 0, 0, 0, 0], [500.0, 200, 40, 0, 0, 0]),
    "some": ([4, 6, 3, 1, 0, 0], [2000.0, 1500, 900, 300, 100, 0]),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("cause", projection.PRIORS)
def test_the_posterior_is_that_of_weighted_prior_draws(case, cause):
    events, exposure = (np.array(part, float) for part in CASES[case])
    hazard, weight = projection.posterior(cause, events[None], exposure[None], EDGES)
    brute, other = weighted_prior_draws(cause, events, exposure, 400_000, np.random.default_rng(5))
    assert 1 / (weight[0] ** 2).sum() > 2000
    for name, of in (("by the horizon", lambda h: -np.expm1(-h @ np.diff(EDGES))), ("last", lambda h: h[:, -1] * 28)):
        found, true = quantiles(of(hazard[0]), weight[0]), quantiles(of(brute), other)
        np.testing.assert_allclose(found, true, rtol=0.12, atol=0.012, err_msg=name)


def test_trials_of_a_batch_are_those_alone():
    events, exposure = (np.array([case[i] for case in CASES.values()], float) for i in (0, 1))
    together = projection.posterior("leaving", events, exposure, EDGES)
    for b in range(len(CASES)):
        alone = projection.posterior("leaving", events[b : b + 1], exposure[b : b + 1], EDGES)
        np.testing.assert_allclose(together[0][b], alone[0][0], rtol=1e-6)
        np.testing.assert_allclose(together[1][b], alone[1][0], rtol=1e-5, atol=1e-12)


def test_taken_draws_have_the_weighted_mean():
    hazard, weight = (
        part[0] for part in projection.posterior("leaving", *(np.array([c], float) for c in CASES["some"]), EDGES)
    )
    drawn = projection.taken("leaving", hazard, weight)
    np.testing.assert_allclose(drawn.mean(axis=0), weight @ hazard, rtol=0.02)


def test_patients_leave_compete_and_stay_as_the_trinomial_says():
    rng = np.random.default_rng(2)
    leave, compete = np.tile([0.004, 0.001, 0.002], (20_000, 1)), np.tile([0.001, 0.002, 0.0005], (20_000, 1))
    edges, entry = np.array([0.0, 50, 100, 150]), np.array([0.0, 60.0, 149.0])
    day, leaves = projection.ahead(leave, compete, edges, entry, rng)
    for i, u in enumerate(entry):
        stays, left, lost = 1.0, 0.0, 0.0
        for k in range(3):
            width = max(edges[k + 1] - max(edges[k], u), 0)
            h = leave[0, k] + compete[0, k]
            gone = stays * -np.expm1(-h * width)
            left, lost, stays = left + gone * leave[0, k] / h, lost + gone * compete[0, k] / h, stays - gone
        assert leaves[:, i].mean() == pytest.approx(left, abs=0.012)
        assert (np.isfinite(day[:, i]) & ~leaves[:, i]).mean() == pytest.approx(lost, abs=0.012)
        assert not (leaves[:, i] & ~np.isfinite(day[:, i])).any()
        days = day[np.isfinite(day[:, i]), i]
        assert days.min() > u
        assert days.max() <= 150


def test_events_on_the_end_of_a_piece_belong_to_it():
    assert projection.tallied(np.array([1.0, 28, 29, 168]), EDGES).tolist() == [2, 1, 0, 0, 0, 1]
    found = projection.days_in(EDGES, np.array([0.0]), np.array([30.0]))
    assert found.tolist() == [[28, 2, 0, 0, 0, 0]]
