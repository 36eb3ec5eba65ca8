"""The study of running trials: its worlds by theory, and a rerun of its first trials."""

import numpy as np
import pytest

from attrition import seeds, studies
from attrition.running import remaining
from attrition.studies import running


@pytest.mark.parametrize("world", [w for worlds in running.WORLDS.values() for w in worlds])
def test_worlds_have_their_share_that_leaves(world):
    drawn = [running.drawn(world, seeds.stream(3, world, k)) for k in range(60)]
    left = np.mean([(one["cause"] == remaining.LEFT).mean() for one in drawn])
    expected = 0.5 if world == "half leave" else running.LEAVE
    assert left == pytest.approx(expected * (1 - running.COMPETE / 2), abs=0.025)


def test_hazards_have_the_shapes_that_their_worlds_say():
    peak, early, late = (running.hazard(world) for world in ("peak", "early", "late"))
    assert peak[40] / peak[10] == pytest.approx(3)
    assert peak[100] / peak[10] == pytest.approx(0.8)
    assert early[0] > early[100] > early[-1]
    assert late[0] < late[100] < late[-1]
    for rate in (peak, early, late):
        assert -np.expm1(-rate.sum()) == pytest.approx(running.LEAVE)


def test_the_cut_of_a_fraction_knows_no_outcome():
    known = running.drawn("constant", np.random.default_rng(1))
    cut = running.informed(known, 0.4, running.H)
    assert running.informed(known.assign(cause=0, day=np.nan), 0.4, running.H) == cut
    u = np.clip((cut - known["start"]).dt.days + 1, 0, running.H).sum()
    assert u >= 0.4 * running.N * running.H > u - running.N


@pytest.mark.slow
@pytest.mark.parametrize("world", ["early", "sites", "visits"])
def test_a_part_of_the_committed_study_comes_out_again(world):
    found = studies.committed("running")
    rows = [row for row in found["first"] if row["world"] == world]
    assert len(rows) == len(running.FRACTIONS)
    for again, kept in zip(running.covered(world, 0, found["seed"]), rows, strict=True):
        assert again == pytest.approx(kept, abs=1e-9)


@pytest.mark.slow
def test_false_alarms_of_a_part_are_those_of_the_whole():
    found = studies.committed("running")["limit"]
    table = running.seen("constant", range(400), 8, with_b=False)
    share = np.isfinite(running.first(table, found["c"], found["width"])["A"]).mean()
    assert share == pytest.approx(found["false_alarm"]["constant, rule A"]["A"]["value"], abs=0.035)
    assert running.boundary() == pytest.approx(found["c"], abs=1e-6)


def test_tables_and_the_verdict_follow_the_numbers():
    def row(kind, world, pit):
        part = {"value": pit, "ci_low": pit - 0.02, "ci_high": pit + 0.02}
        shares = dict.fromkeys(("enrolled_raw", "enrolled_pit", "planned_pit", "no_drift_pit"), part)
        return {"kind": kind, "world": world, "fraction": 0.2, "n_trials": 500, **shares}

    rows = [row("gate", "constant", 0.9), row("gate", "peak", 0.85), row("stress", "rising", 0.7)]
    worlds = running.table({"coverage": [*rows, row("held out", "cliff", 0.8)]})
    gate = running.judged(worlds)
    assert (gate["held"], gate["n"], gate["verdict"]) == (2, 2, "supported")
    assert (gate["lowest"]["pit"], gate["highest"]["pit"]) == (0.85, 0.9)
    assert gate["worst"]["words"] == running.NAMES["rising"]
    assert gate["held_out"]["words"] == gate["second"]["words"] == running.NAMES["cliff"]
    assert gate["planned"] == {"low": 0.85, "high": 0.9, "worst": 0.7}
    worlds.loc[0, "pit"] = 0.951
    assert running.judged(worlds)["verdict"] == "not supported"
    assert set(running.NAMES) == {world for kind in running.WORLDS.values() for world in kind}


def test_stored_keys_are_those_that_others_read():
    stored = running.numbers(studies.committed("running"))
    for kind, place in (("gate", "coverage"), ("stress", "coverage"), ("held out", "held_out")):
        for world in running.WORLDS[kind]:
            assert set(stored[place][world]) == {"0.2", "0.4", "0.6"}
            assert {"raw", "pit"} <= set(stored[place][world]["0.4"])
    assert {"c", "false_alarm", "delay", "half_more"} <= set(stored["qtl"])
