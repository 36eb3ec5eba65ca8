"""Subgroups: everybody counted once a characteristic, small ones marked, intervals that cover."""

import numpy as np
import pytest

from attrition import metrics
from attrition.metrics import intervals, subgroups


@pytest.fixture
def rng():
    return np.random.default_rng(41)


def _table(rng, shift=0.0, n=900):
    p = rng.uniform(0.1, 0.9, n)
    group = np.where(np.arange(n) < n - 60, "large", "small")
    lp = np.log(p / (1 - p)) + np.where(group == "large", shift, 0)
    y = (rng.random(n) < 1 / (1 + np.exp(-lp))).astype(int)
    weights = intervals.bootstrap_weights(rng, n, 300)
    return y, p, group, subgroups.subgroup_table(y, p, {"size": group}, weights)


def test_counts_add_up_and_values_are_those_of_the_subgroup(rng):
    y, p, group, table = _table(rng)
    assert table["n"].tolist() == [900, 840, 60]
    assert table.loc[1:, "events"].sum() == table.loc[0, "events"] == y.sum()
    mask = group == "large"
    assert table.loc[1, "auroc"] == pytest.approx(metrics.auroc(y[mask], p[mask]))
    assert table["small"].tolist() == [False, False, True]


def test_a_miscalibrated_subgroup_is_found_and_a_small_one_is_not_judged(rng):
    *_, table = _table(rng, shift=0.6)
    found = subgroups.heterogeneity(table)
    assert found["miscalibrated"] == ["size large"]
    assert found["n_small"] == 1


def test_small_subgroups_have_wider_intervals(rng):
    *_, table = _table(rng)
    width = table["auroc_high"] - table["auroc_low"]
    assert width[2] > 2 * width[1]


def test_repeats_are_averaged_after_measuring(rng):
    y, p, group, _ = _table(rng)
    both = np.column_stack([p, rng.permutation(p)])
    weights = np.ones((900, 2))
    table = subgroups.subgroup_table(y, both, {"size": group}, weights)
    expected = np.mean([metrics.auroc(y, column) for column in both.T])
    assert table.loc[0, "auroc"] == pytest.approx(expected)


def test_subgroups_stand_in_the_order_of_their_categories(rng):
    y, p, *_ = _table(rng, n=900)
    groups = {"age": subgroups.age_group(rng.integers(18, 80, 900), [35, 50]), "arm": rng.choice(["B", "A"], 900)}
    table = subgroups.subgroup_table(y, p, groups, np.ones((900, 2)))
    assert table["subgroup"].tolist() == ["all", "under 35", "35 to 49", "50 and over", "A", "B"]


def test_age_groups_hold_every_year():
    names = subgroups.age_group(np.arange(18, 85), [35, 50, 65])
    assert [(names == name).sum() for name in ("under 35", "35 to 49", "50 to 64", "65 and over")] == [17, 15, 15, 20]
