"""What chapter 09 does by hand against the library, and its exercises."""

import types

import numpy as np
import pandas as pd
import pytest

import notebook_report as report
from attrition import trials
from attrition.running import projection, remaining
from tests.notebooks import cells


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory):
    cut = pd.Timestamp("2013-06-01")
    then = trials.load("pilot", cut=cut)
    given = {"study": then, "then": then, "cut": cut, "remaining": remaining, "seed": 42, "report": report}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATTRITION_OUT", str(tmp_path_factory.mktemp("out")))
        return cells.run("09", "hand", "try", **given, found={})


@pytest.mark.slow
def test_days_and_leavers_by_piece_are_the_librarys(by_hand):
    now = remaining.at(remaining.course(by_hand["then"]), by_hand["cut"], 168)
    time, edges = now.patients["time"].to_numpy(float), by_hand["edges"].astype(float)
    assert by_hand["watched"].tolist() == projection.days_in(edges, np.zeros(len(time)), time).sum(axis=0).tolist()
    assert by_hand["leavers"].tolist() == projection.tallied(now.of("left")["day"].to_numpy(float), edges).tolist()
    assert by_hand["leavers"].sum() == now.counts["left"]
    ahead = projection.days_in(edges, now.of("ongoing")["u"].to_numpy(float), np.full(now.counts["ongoing"], 168.0))
    assert by_hand["ahead"].tolist() == ahead.tolist()


@pytest.mark.slow
def test_rates_add_a_spread_that_chance_alone_has_not(by_hand):
    hand, chance = by_hand["by_hand"], by_hand["chance"]
    assert hand["high"] - hand["low"] > chance["high"] - chance["low"] > 0
    assert abs(hand["median"] - chance["median"]) <= 1
    p = np.median(by_hand["risk"], axis=0)
    normal = p.sum() + 1.645 * np.sqrt((p * (1 - p)).sum())
    assert chance["high"] == pytest.approx(normal, abs=1.5)
    assert "by the library" not in by_hand["said"]


def test_the_last_cell_tells_what_was_found():
    facts = {"by_hand": {"low": 9.0, "high": 22.0}, "chance": {"low": 10.0, "high": 20.0}, "report": report}
    many = cells.run("09", "31", settled={"cuts": 25, "inside": 24}, **facts)["said"]
    assert "24 of 25 months" in many
    assert "13 leavers from end to end by hand, 10 by chance" in many.replace("\n", " ")
    none = cells.run("09", "31", settled={"cuts": 0}, **facts)["said"]
    assert "in simulation, for this trial has no settled month" in none.replace("\n", " ")


def test_cells_of_a_trial_without_dates_have_nothing_to_draw():
    found = {"calendar": False, "subjects_remaining": ()}
    told = cells.run(
        "09",
        "19",
        "21",
        shown=None,
        found=found,
        draw=types.SimpleNamespace(remaining=lambda table: table),
        report=report,
    )["said"]
    assert told.count("nothing to show") == 3
