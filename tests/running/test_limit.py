"""Quality tolerance limits: exact recursion against simulation, false alarms, the sum of two posteriors."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from attrition.running import limit, remaining
from attrition.studies import running as study

EDGES = np.linspace(0, 168, 7)


def test_the_recursion_equals_simulated_poisson_processes():
    expected = np.linspace(2, 60, 18)
    c = limit.critical(expected)
    rng = np.random.default_rng(1)
    D = np.cumsum(rng.poisson(np.diff(expected, prepend=0), (40_000, 18)), axis=1)
    rung = ((limit.llr(D, expected) >= c) & (D >= limit.FEWEST_EVENTS)).any(axis=1).mean()
    assert rung == pytest.approx(limit.false_alarm(expected, c), abs=0.004)
    assert 0.035 < rung <= 0.054
    assert limit.critical(np.linspace(2, 60, 9)) < c < limit.critical(np.linspace(2, 60, 30))


def test_the_boundary_is_where_the_ratio_reaches_the_limit():
    for E in (0.5, 4.0, 33.3):
        at = limit.fewest_alarming(np.array([E]), 2.8)[0]
        assert limit.llr(at, E) >= 2.8
        assert at == 3 or limit.llr(at - 1, E) < 2.8


def test_above_adds_two_weighted_posteriors():
    events = np.array([[[4.0, 6, 3, 1, 0, 0]], [[0.0, 1, 0, 0, 0, 0]]])
    exposure = np.array([[2000.0, 1500, 900, 300, 100, 0]])
    for p0 in (0.2, 0.35, 0.5):
        both, one = (limit.above(events, exposure, EDGES, p0, counts)[0] for counts in ("any", "leaving"))
        assert 0 <= one <= both <= 1
    first, second = np.array([0.1, 0.3]), np.array([0.2, 0.4])
    found = limit._exceeds(first, np.array([0.5, 0.5]), second, np.array([0.25, 0.75]), limit=0.5)
    assert found == pytest.approx(0.5 * 0 + 0.5 * 0.75)


@pytest.mark.slow
def test_rule_a_rings_falsely_in_a_twentieth_of_trials():
    table = study.seen("constant", range(600), 5, with_b=False)
    rung = np.isfinite(study.first(table, study.boundary(), 3.0)["A"]).mean()
    assert abs(rung - 0.05) < 3.5 * np.sqrt(0.05 * 0.95 / 600)


@pytest.mark.slow
def test_monitor_rings_on_the_pilot_long_before_the_simple_rule(known):

    found = limit.monitor(known, "2013-06-01", 168, {"dropout": 0.3, "patients": 254})
    assert found["rule"] == "B"
    assert found["rang"] <= pd.Timestamp("2013-04-01")
    assert found["rang_simple"] is None
    curve = limit.monitor(known, "2013-06-01", 168, {"dropout": [[28, 0.1], [168, 0.6]], "patients": 254})
    assert curve["rule"] == "A"
    assert limit.monitor(known, "2013-06-01", 168, {}) == {}
    D, E = limit.counted(remaining.at(known, "2013-06-01", 168), (np.array([0.0, 168]), np.array([0.0, 0.5])))
    assert D == 49
    assert pytest.approx(0.5 / 168 * remaining.at(known, "2013-06-01", 168).patients["time"].sum()) == E


def test_the_simple_rule_is_three_standard_deviations():
    n, p0 = 103, 0.2
    edge = p0 + 3 * stats.binom(n, p0).std() / n
    assert limit.simple(np.array([np.ceil(edge * n)]), np.array([n]), p0)[0]
    assert not limit.simple(np.array([np.floor(edge * n)]), np.array([n]), p0)[0]
