import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from attrition import features, simulate
from attrition.metrics import ranks
from attrition.simulate import oracle
from attrition.simulate.law import Law

LAW = Law()
P24 = oracle.offset_for_prevalence(LAW, 0.24)


@pytest.fixture(scope="module")
def population():
    return simulate.draw_patients(LAW, 60_000, np.random.default_rng(21))


@pytest.fixture(scope="module")
def truth(population):
    return oracle.of_patients(LAW, population)


@pytest.mark.parametrize("score", [-0.2, 0.5, 1.3])
@pytest.mark.parametrize("offset", [0.0, P24])
def test_probability_equals_adaptive_quadrature(score, offset):
    def integrand(z):
        return simulate.probability(LAW, score + LAW.noise_sd * z, offset) * stats.norm.pdf(z)

    assert oracle.probability(LAW, score, offset) == pytest.approx(integrate.quad(integrand, -9, 9)[0], abs=1e-9)


def test_the_number_of_nodes_is_enough():
    assert max(oracle.quadrature_error(LAW, prevalence_offset=offset) for offset in (0.0, P24)) < 1e-11


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 60), st.integers(0, 10_000), st.integers(1, 30))
def test_soft_auroc_equals_the_double_sum(n, seed, levels):
    rng = np.random.default_rng(seed)
    scores, p, weights = rng.integers(0, levels, n), rng.uniform(0.01, 0.99, n), rng.uniform(0.1, 2, n)
    wins = (scores[:, None] > scores) + 0.5 * (scores[:, None] == scores)
    pairs = np.outer(weights * p, weights * (1 - p))
    assert ranks.soft_auroc(p, scores, weights)[0] == pytest.approx((wins * pairs).sum() / pairs.sum())


def test_soft_auroc_of_drawn_outcomes_is_the_ordinary_one():
    rng = np.random.default_rng(2)
    scores, y = rng.normal(size=500).round(1), rng.integers(0, 2, 500)
    assert ranks.soft_auroc(y, scores)[0] == pytest.approx(roc_auc_score(y, scores), abs=1e-14)


@pytest.mark.slow
def test_soft_auroc_is_the_mean_over_drawn_outcomes():
    rng = np.random.default_rng(4)
    p = rng.beta(2, 3, 400)
    drawn = [roc_auc_score(rng.random(400) < p, p) for _ in range(400)]
    assert ranks.soft_auroc(p, p)[0] == pytest.approx(np.mean(drawn), abs=4 * np.std(drawn) / 20 + 0.002)


def test_many_score_vectors_at_once_equal_one_by_one():
    rng = np.random.default_rng(5)
    p, weights = rng.random(300), rng.random(300)
    scores = np.vstack([rng.normal(size=(5, 300)), rng.integers(0, 4, (2, 300)), np.zeros(300)])
    one_by_one = [ranks.soft_auroc(p, row, weights)[0] for row in scores]
    assert ranks.soft_auroc(p, scores, weights) == pytest.approx(one_by_one, abs=1e-13)


def test_no_perturbed_probability_beats_the_oracle(truth):
    truth = np.clip(truth, 1e-6, 1 - 1e-6)
    best = oracle.performance(truth, truth)
    logit = np.log(truth / (1 - truth))
    rng = np.random.default_rng(6)
    for slope in (0.5, 0.8, 1.25, 2):
        for shift in (-0.5, 0.1, 0.5):
            worse = oracle.performance(1 / (1 + np.exp(-(slope * logit + shift))), truth)
            assert worse["log_loss"]["value"] > best["log_loss"]["value"]
            assert worse["brier"]["value"] > best["brier"]["value"]
            assert worse["auroc"]["value"] == pytest.approx(best["auroc"]["value"], abs=1e-9)
    for noise in (0.05, 0.2, 1):
        worse = oracle.performance(1 / (1 + np.exp(-(logit + rng.normal(0, noise, len(logit))))), truth)
        assert all((worse[m]["value"] > best[m]["value"]) == (m != "auroc") for m in best)


@pytest.mark.parametrize("version", list(features.VERSIONS))
def test_no_fitted_model_beats_the_oracle(population, truth, version):
    y = np.random.default_rng(7).random(len(truth)) < truth
    X = features.matrix(population, version)
    X = (X - X.mean()) / X.std()
    fitted = LogisticRegression(max_iter=500).fit(X, y).predict_proba(X)[:, 1]
    model, best = oracle.performance(fitted, truth), oracle.performance(truth, truth)
    assert model["auroc"]["value"] < best["auroc"]["value"]
    assert model["log_loss"]["value"] > best["log_loss"]["value"]
    assert model["brier"]["value"] > best["brier"]["value"]


@pytest.mark.slow
def test_monte_carlo_error_is_the_spread_over_repeats():
    rng = np.random.default_rng(8)
    runs = [oracle.monte_carlo(LAW, oracle.monte_carlo_scores(LAW, 3000, rng)) for _ in range(150)]
    for metric in ("auroc", "log_loss", "brier"):
        spread = np.std([run[metric]["value"] for run in runs], ddof=1)
        stated = np.mean([run[metric]["mc_se"] for run in runs])
        assert stated == pytest.approx(spread, rel=0.25)


@pytest.mark.slow
@pytest.mark.parametrize("offset", [0.0, P24])
def test_two_routes_to_the_oracle_s_performance_agree(offset):
    exact = oracle.exact(LAW, offset)
    drawn = oracle.monte_carlo(LAW, oracle.monte_carlo_scores(LAW, 300_000, np.random.default_rng(9)), offset)
    for metric, found in drawn.items():
        assert found["value"] == pytest.approx(exact[metric], abs=4 * found["mc_se"])


def test_scores_are_the_same_whatever_the_chunk_is_not_larger_than_asked():
    assert len(oracle.monte_carlo_scores(LAW, 1001, np.random.default_rng(1), chunk=250)) == 1001


@pytest.mark.parametrize("target", [0.05, 0.24, 0.5])
def test_offset_reaches_the_prevalence_in_drawn_trials(target):
    offset = oracle.offset_for_prevalence(LAW, target)
    trial = simulate.draw_trial(LAW, 100_000, np.random.default_rng(10), prevalence_offset=offset)
    assert trial["dropout"].mean() == pytest.approx(target, abs=4 * np.sqrt(target * (1 - target) / 1e5))


def _observed(day, n, offset):
    """Trials followed by hand to `day`: events placed uniformly, patients at risk, dropout afterwards."""
    rng = np.random.default_rng(day + 12)
    trial = simulate.draw_trial(LAW, n, rng, prevalence_offset=offset)
    share = np.minimum(1, day / trial["days_in_trial"])
    trial["visits"] = rng.binomial(trial["visits_completed"], share)
    trial["adverse_events"] = rng.binomial(trial["adverse_events"], share)
    at_risk = (trial["days_in_trial"] > day) & ((trial["dropout"] == 0) | (trial["dropout_day"] > day))
    return trial, at_risk


@pytest.mark.slow
@pytest.mark.parametrize("day", [0, 30, 60, 90])
@pytest.mark.parametrize("setting", ["default", "p24"])
def test_restricted_oracle_is_calibrated_in_followed_trials(day, setting):
    offset = {"default": 0.0, "p24": P24}[setting]
    trial, at_risk = _observed(day, 300_000, offset)
    states = oracle.at_day(LAW, day, offset)
    assert at_risk.mean() == pytest.approx(states["weight"].sum(), abs=0.004)
    keys = ["age", "trial_phase", "treatment_group", "visits", "adverse_events"]
    followed = trial.loc[at_risk, [*keys, "dropout"]].merge(states, on=keys, how="left")
    assert followed["probability"].notna().mean() > 0.9999
    p = followed["probability"].to_numpy()
    assert roc_auc_score(followed["dropout"], np.nan_to_num(p)) == pytest.approx(
        oracle.performance_by(LAW, day, offset)["auroc"], abs=0.005
    )
    for _, band in followed.groupby(followed["probability"].rank(method="first") * 10 // len(followed)):
        error = 4.5 * np.sqrt(band["probability"].mean() / len(band)) + 1e-4
        assert band["dropout"].mean() == pytest.approx(band["probability"].mean(), abs=error)


@pytest.mark.slow
def test_knowing_less_is_never_better():
    full = oracle.exact(LAW)
    enrolment = oracle.performance_by(LAW, 0)
    assert 0.5 < enrolment["auroc"] < full["auroc"]
    assert enrolment["prevalence"] == pytest.approx(full["prevalence"], abs=1e-6)
    assert enrolment["log_loss"] > full["log_loss"]


def test_states_are_whole_populations():
    _, weight = oracle.cells(LAW)
    states = oracle.at_day(LAW, 0)
    assert weight.sum() == pytest.approx(1, abs=1e-6)
    assert states["weight"].sum() == pytest.approx(1, abs=1e-6)
    assert len(states) == 67 * 9


def test_expected_losses_of_a_coin():
    assert oracle.expected_log_loss(0.5, 0.5) == pytest.approx(np.log(2))
    assert oracle.expected_brier(0.5, 0.2) == pytest.approx(0.25)
    assert oracle.prevalence_offsets(LAW)["default"] == 0


def test_rates_count_the_first_visit_and_the_first_day():
    assert (simulate.visit_rate(3, 90), simulate.adverse_event_rate(5, 99)) == (0.75, 0.05)
    assert simulate.probability(LAW, 0.5) == 0.5
