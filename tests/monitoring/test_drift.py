"""Drift statistics against scipy, nulls against theory."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from attrition import monitoring
from attrition.metrics import ranks
from attrition.monitoring import alarms, surveillance
from attrition.simulate import oracle
from attrition.simulate.law import PHASES, PUBLISHED_LAW


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
    cells = monitoring.Cells.of(development)
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
    cells = monitoring.Cells.of(reference)
    pooled = np.vstack([cells.onehot(reference), cells.onehot(batch)])
    counts = monitoring.cell_counts(pooled, monitoring.membership(monitoring.deal(200, 700, 199, rng), 700))
    (drift,) = monitoring.drifts(counts[None], pooled.sum(0)[None], 200, cells)
    assert all(p <= 0.05 for p in drift.overall.values())
    assert alarms.standing_out(drift.table(cells.columns))["input"] == "dose"


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


@pytest.mark.slow
def test_under_reported_adverse_events_lead_to_no_refit():
    corrupted = alarms.refits(surveillance.study(7, [200], 1, 100, 500, 39), "adverse_event_reporting")
    assert corrupted["first"].item() <= 0.02
    assert corrupted["last"].item() > 0.5


@pytest.mark.slow
def test_false_alarms_are_nominal_and_changes_are_seen():
    table = surveillance.study(7, [50], 400, 60, 300, 39)
    rows = table[table["kind"] == "alarm"].set_index(["scenario", "name"])
    for method in ("psi", "ks", "chi2", "cusum", "auroc"):
        hits, n = rows.loc[("none", method), ["count", "batches"]]
        assert stats.binomtest(int(hits), int(n), 0.05).pvalue > 0.001
    for world, method, least, most in (
        ("event_rate_doubled", "cusum", 0.9, 1),  # what 400 batches of the report gave, and chance about it
        ("new_sites", "chi2", 0.4, 1),
        ("event_rate_doubled", "chi2", 0, 0.05),
    ):
        hits, n = rows.loc[(world, method), ["count", "batches"]]
        assert stats.binom.cdf(hits, n, least) > 0.001
        assert stats.binom.sf(hits - 1, n, most) > 0.001


def test_changed_worlds_are_changed_as_they_say():
    worlds = {s.name: s.draw(PUBLISHED_LAW, 20_000, np.random.default_rng(3), -1.5) for s in surveillance.SCENARIOS}
    plain = worlds["none"]
    assert worlds["adverse_event_reporting"]["adverse_events"].mean() / plain["adverse_events"].mean() == pytest.approx(
        0.5, abs=0.02
    )
    assert worlds["new_sites"]["age"].mean() > plain["age"].mean() + 3
    third = PHASES.index("Phase III")
    assert (worlds["new_sites"]["trial_phase"] == third).mean() > (plain["trial_phase"] == third).mean() + 0.1
    doubled = worlds["event_rate_doubled"]["dropout"].mean()
    assert doubled == pytest.approx(2 * oracle.BELIEVED_PREVALENCE, abs=0.015)


def test_sentences_follow_the_numbers():
    def null(rate, low):
        row = {"name": "seed_rule", "batch_size": 200, "rate": rate, "ci_low": low, "ci_high": rate + 0.02}
        return pd.DataFrame([row])

    def parts(small, large):
        rates = [("recall", 50, small), ("recall", 200, large), ("auroc", 50, 0.1), ("auroc", 200, 0.0)]
        return pd.DataFrame(rates, columns=["name", "batch_size", "rate"])

    unattainable = alarms.finding(null(0.9, 0.88), parts(0.7, 0.9))
    assert unattainable["verdict"] == "not supported"
    assert "the bound asks for more recall than the class-weighted model has" in unattainable["sentence"]
    assert "retrains on noise" in alarms.finding(null(0.3, 0.28), parts(0.5, 0.3))["sentence"]
    assert alarms.finding(null(0.05, 0.03), parts(0.1, 0.05))["verdict"] == "supported"


def test_alarms_that_tie_are_all_named_and_only_a_majority_is_mostly():
    rows = [
        {"scenario": scenario.name, "name": name, "batch_size": 200, "rate": rate}
        for scenario in surveillance.SCENARIOS
        for name, rate in (("psi", 1.0), ("ks", 1.0), ("auroc", 0.05))
    ]
    assert "most often “inputs, PSI” and “inputs, KS” (100 % of" in alarms.power_sentence(pd.DataFrame(rows), 200)
    world = {"label": "a", "batch_size": 200, "none": 0.32, "inspect": 0.31, "recalibrate": 0.36, "retrain": 0.01}
    assert "no action prevails" in alarms.action_sentence(pd.DataFrame([world]))
    assert "mostly" in alarms.action_sentence(pd.DataFrame([world | {"none": 0.6}]))


@pytest.mark.parametrize(
    ("weakest", "words"), [(0.1, "No single permutation alarm finds"), (0.9, "finds every change in at least")]
)
def test_no_alarm_is_said_to_see_everything_unless_one_does(weakest, words):
    rows = [
        {"scenario": scenario.name, "name": name, "batch_size": 200, "rate": rate}
        for scenario in surveillance.SCENARIOS
        for name, rate in (("psi", weakest), ("auroc", 0.05))
    ]
    assert words in alarms.power_sentence(pd.DataFrame(rows), 200)


@pytest.mark.parametrize(("least", "does"), [(0.9, True), (0.7, False)])
def test_a_rule_without_a_null_that_finds_every_change_is_told_with_its_false_alarms(least, does):
    rows = [
        {"scenario": scenario.name, "name": name, "batch_size": 200, "rate": rate}
        for scenario in surveillance.SCENARIOS
        for name, rate in (
            ("psi", 0.1),
            ("psi_customary", 0.2),
            ("seed_rule", 0.94 if scenario.name == "none" else least),
        )
    ]
    told = "An alarm without a null, “the published rule”, does, and alarms in 94 % of unchanged batches as well"
    assert (told in alarms.power_sentence(pd.DataFrame(rows), 200)) == does


@pytest.mark.parametrize(
    ("first", "words"),
    [
        (0.0, "in none of 400 batches when inputs came first (95 % upper limit 1.0 %)."),
        (0.01, "in 4 of 400 batches when inputs came first (95 % upper limit 2.5 %)."),
        (0.2, "in 80 of 400 batches when inputs came first (95 % upper limit 24.2 %): the order does not prevent"),
    ],
)
def test_what_the_order_of_the_looks_prevents_stands_with_its_limit(first, words):
    assert words in alarms.order_sentence(first, 200, 400)
