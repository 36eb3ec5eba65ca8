"""The alarm that chapter 08 makes by hand, and the sentences that stand in its cells."""

import types

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import notebook_report as report
from attrition import monitoring, params
from attrition.metrics import evaluator, intervals
from tests.notebooks import cells


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory):
    trial = pd.DataFrame({"adverse_events": np.random.default_rng(5).poisson(4, 1000)})
    given = {"trial": trial, "p": params.load("08_monitoring", "quick"), "seed": 2}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATTRITION_OUT", str(tmp_path_factory.mktemp("out")))
        return cells.run("08", "hand", "try", monitoring=monitoring, report=report, **given)


def test_the_index_by_hand_is_the_librarys(by_hand):
    reference, batch = (np.searchsorted(by_hand["edges"][1:-1], by_hand[name]) for name in ("usual", "unreported"))
    bins = len(by_hand["edges"]) - 1
    share, of_reference = (np.bincount(values, minlength=bins) / len(values) for values in (batch, reference))
    assert by_hand["index_unreported"] == pytest.approx(monitoring.psi(share, of_reference), abs=1e-12)
    assert by_hand["index_same"] < by_hand["index_unreported"]
    assert f"{by_hand['index_unreported']:.2f} for the batch half of whose events" in by_hand["said"]


def test_the_p_value_by_hand_is_that_of_the_librarys_deals_and_of_scipy(by_hand):
    pooled, size, bins = by_hand["pooled"], by_hand["SIZE"], len(by_hand["edges"]) - 1

    def index(batch, reference):
        return monitoring.psi(*(np.bincount(v.astype(int), minlength=bins) / len(v) for v in (batch, reference)))

    same = by_hand["same"], by_hand["usual"]  # nothing has changed, so the p-value is not at its lower end
    cut = [np.searchsorted(by_hand["edges"][1:-1], values) for values in same]
    theirs = stats.permutation_test(
        cut, lambda a, b: index(a, b), n_resamples=999, alternative="greater", vectorized=False, rng=1
    ).pvalue
    own = np.mean(by_hand["anew"] >= index(*cut))
    assert own == pytest.approx(theirs, abs=0.12)
    dealt = monitoring.deal(size, len(pooled), 400, np.random.default_rng(3))
    member = monitoring.membership(dealt, len(pooled)).astype(bool)
    library = [index(pooled[row], pooled[~row]) for row in member]
    assert stats.ks_2samp(library, by_hand["anew"]).pvalue > 0.01
    assert by_hand["p_value"] >= 1 / 500


@pytest.mark.parametrize(("first", "words"), [(0.0, "in none of 50 batches"), (0.2, "the order does not prevent it")])
def test_what_the_order_prevents_follows_the_numbers(first, words, monkeypatch):
    table = pd.DataFrame([{"batch_size": 200, "first": first, "last": 0.69}])
    monkeypatch.setattr(monitoring, "refits", lambda *_: table)
    monkeypatch.setattr(monitoring, "prevailing", lambda _: {"size": 200, "worlds": []})
    given = {"p": types.SimpleNamespace(power_batches=50), "monitoring": monitoring, "report": report}
    said = cells.run("08", "33b", "33d", actions=None, study=None, intervals=intervals, **given)["said"]
    assert words in said
    assert "69% of batches of 200 if the inputs are looked at last" in said


def test_the_worst_permutation_alarm_is_the_one_furthest_from_nominal():
    rates = [("psi", 50, 0.051), ("psi", 200, 0.04), ("ks", 50, 0.055)]
    rates += [(name, size, 0.7) for name in monitoring.WITHOUT_NULL for size in (50, 200)]
    null = pd.DataFrame(rates, columns=["name", "batch_size", "rate"]).assign(batches=400)

    def rates_of(table, *levels):
        return evaluator.nested(table, *levels, leaf=lambda row: types.SimpleNamespace(value=row["rate"]))

    given = {"p": types.SimpleNamespace(batch_sizes=[50, 200]), "monitoring": monitoring, "report": report}
    found = cells.run("08", "27", null=null, rates_of=rates_of, **given)
    assert "never further than 1.0 percentage points" in found["said"]
    assert "inputs, PSI, 200 patients: 4.0%" in found["said"].replace("\\", "")


def test_three_looks_are_counted_together():
    actions = [{"label": monitoring.WORLDS["none"], "batch_size": n, "none": 1 - n / 1000} for n in (50, 146)]
    said = cells.run("08", "33", actions=pd.DataFrame(actions), monitoring=monitoring, report=report, study=None)
    assert "5.0% (batches of 50) and 14.6% (batches of 146) of" in said["said"].replace("\\", "")
    assert "5% in all" in said["said"]
