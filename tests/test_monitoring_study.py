"""Replicates of the monitoring study: a model each, and intervals that tell what another run would give."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from attrition import monitoring
from attrition.simulate import oracle
from attrition.simulate.law import PHASES, PUBLISHED_LAW


def test_every_replicate_has_a_model_of_its_own():
    for fit in monitoring.Setting(3).models(range(4)):
        assert len(np.unique(fit.coef.round(6), axis=0)) == 4
        assert (fit.first(2).coef == fit.coef[:2]).all()


def test_patients_are_scored_by_their_own_replicates_model():
    setting = monitoring.Setting(3)
    models = setting.models(range(3))
    patients = monitoring.SCENARIOS["none"](PUBLISHED_LAW, 10, np.random.default_rng(1), 0.0)
    X = monitoring.model_inputs(patients)
    seen = monitoring.seen(patients, models, setting.cells, 2)
    assert np.concatenate([own.y for own in seen]).tolist() == patients["dropout"].tolist()
    for fit, name in zip(models, ("prob", "balanced"), strict=True):
        found = np.concatenate([getattr(own, name) for own in seen])
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
    runs = [monitoring.study(seed, [50], 1, n, 200, 39).set_index(["scenario", "name"])["count"] for seed in range(16)]
    counts = np.array([run[WATCHED] for run in runs])
    share = counts.mean(axis=0) / n
    excess = counts.var(axis=0, ddof=1) / (n * share * (1 - share))
    assert 0.5 < excess.mean() < 1.5


@pytest.mark.slow
def test_under_reported_adverse_events_lead_to_no_refit():
    corrupted = monitoring.refits(monitoring.study(7, [200], 1, 100, 500, 39), "adverse_event_reporting")
    assert corrupted["first"].item() <= 0.02
    assert corrupted["last"].item() > 0.5


@pytest.mark.slow
def test_false_alarms_are_nominal_and_changes_are_seen():
    table = monitoring.study(7, [50], 400, 60, 300, 39)
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
    worlds = {
        name: draw(PUBLISHED_LAW, 20_000, np.random.default_rng(3), -1.5) for name, draw in monitoring.SCENARIOS.items()
    }
    plain = worlds["none"]
    assert worlds["adverse_event_reporting"]["adverse_events"].mean() / plain["adverse_events"].mean() == pytest.approx(
        0.5, abs=0.02
    )
    assert worlds["new_sites"]["age"].mean() > plain["age"].mean() + 3
    third = PHASES.index("Phase III")
    assert (worlds["new_sites"]["trial_phase"] == third).mean() > (plain["trial_phase"] == third).mean() + 0.1
    doubled = worlds["event_rate_doubled"]["dropout"].mean()
    assert doubled == pytest.approx(2 * oracle.BELIEVED_PREVALENCE, abs=0.015)


def rates(**by_alarm):
    """Alarms at 200 patients in every world; an alarm's rate, or a pair: without and with a change."""
    rows = []
    for scenario in monitoring.SCENARIOS:
        for name, rate in by_alarm.items():
            without, changed = rate if isinstance(rate, tuple) else (rate, rate)
            row = {"scenario": scenario, "name": name, "batch_size": 200}
            rows.append(row | {"rate": without if scenario == "none" else changed})
    return pd.DataFrame(rows)


def test_alarms_that_tie_are_all_named():
    found = monitoring.power(rates(psi=1.0, ks=1.0, auroc=0.05, seed_rule=1.0), 200)
    assert [world["label"] for world in found["worlds"]] == list(monitoring.WORLDS.values())[1:]
    first = found["worlds"][0]
    assert (first["most"], first["most_rate"]) == (["inputs, PSI", "inputs, KS"], 1.0)
    assert (first["least"], first["least_rate"]) == (["ranking, AUROC"], 0.05)


def test_the_alarm_that_sees_most_is_the_one_whose_smallest_power_is_largest():
    table = rates(psi=(0.05, 0.9), auroc=(0.99, 0.3))
    table.loc[(table["scenario"] == "new_sites") & (table["name"] == "psi"), "rate"] = 0.4
    found = monitoring.power(table, 200)
    assert (found["seer"], found["power"], found["enough"]) == ("inputs, PSI", 0.4, 0.8)


@pytest.mark.parametrize(("least", "blind"), [(0.8, {"the published rule": 0.94}), (0.79, {})])
def test_a_rule_without_a_null_that_finds_every_change_has_its_false_alarms_beside_it(least, blind):
    assert monitoring.power(rates(psi=0.1, psi_customary=0.2, seed_rule=(0.94, least)), 200)["blind"] == blind


def test_actions_are_ranked_at_the_largest_batch():
    world = {"label": "a", "batch_size": 200, "none": 0.32, "inspect": 0.31, "recalibrate": 0.36, "retrain": 0.01}
    found = monitoring.prevailing(pd.DataFrame([world | {"batch_size": 50, "none": 1}, world]))
    assert found["size"] == 200
    (told,) = found["worlds"]
    assert [share for _, share in told["shares"]] == [0.36, 0.32, 0.31, 0.01]
    assert told["shares"][0][0].startswith("recalibrate")


@pytest.mark.parametrize(
    ("rate", "low", "recall", "verdict", "unattainable"),
    [
        (0.9, 0.88, (0.7, 0.9), "not supported", True),
        (0.3, 0.28, (0.5, 0.3), "not supported", False),
        (0.4, 0.38, (0.3, 0.4), "not supported", False),
        (0.05, 0.03, (0.1, 0.05), "supported", False),
    ],
)
def test_the_published_rule_is_judged_at_the_largest_batch(rate, low, recall, verdict, unattainable):
    row = {"name": "seed_rule", "ci_low": low, "ci_high": rate + 0.02}
    null = pd.DataFrame([row | {"batch_size": 50, "rate": 0.01}, row | {"batch_size": 200, "rate": rate}])
    parts = [("recall", 50, recall[0]), ("recall", 200, recall[1]), ("auroc", 50, 0.1), ("auroc", 200, 0.0)]
    found = monitoring.published_rule(null, pd.DataFrame(parts, columns=["name", "batch_size", "rate"]))
    assert (found["size"], found["rate"]["value"], found["verdict"]) == (200, rate, verdict)
    assert (found["worst"], found["unattainable"]) == ("recall", unattainable)
    assert found["below"] == {"auroc": 0.0, "recall": recall[1]}
