"""Projections of a running trial: a second implementation, nothing of the future, words, the pilot's own past."""

import dataclasses
import json
import shutil

import numpy as np
import pandas as pd
import pytest

from attrition import __main__ as command
from attrition.cdisc.sources import CdiscError
from attrition.running import limit, projection, remaining, summary
from notebook_report import results
from tests.cdisc.folders import everybody, sdtm
from tests.running.test_projection_hazards import weighted_prior_draws

PLAN = {"patients": 254, "dropout": 0.3, "effect": 2.0, "sd": 6.0, "power": 0.8}


@pytest.mark.slow
@pytest.mark.parametrize("cut", ["2012-10-01", "2013-01-01", "2013-06-01", "2013-12-01", "2014-04-01"])
def test_median_and_bounds_equal_those_of_weighted_prior_draws(known, cut):
    now = remaining.at(known, cut, 168)
    p = projection.project(now)
    rng, n, draws = np.random.default_rng(8), 1_000_000, 4000
    parts = []
    for i, cause in enumerate(("leaving", "competing")):
        hazard, weight = weighted_prior_draws(cause, p.events[i], p.exposure[i], n, rng, p.edges)
        parts.append(hazard[rng.choice(n, draws, p=weight)])
    leave, compete = parts
    count = np.zeros(draws, int)
    for u in now.of("ongoing")["u"]:
        risk, stays = np.zeros(draws), np.ones(draws)
        for k in range(len(p.edges) - 1):
            width = max(p.edges[k + 1] - max(p.edges[k], u), 0)
            h = leave[:, k] + compete[:, k]
            gone = stays * -np.expm1(-h * width)
            risk, stays = risk + gone * leave[:, k] / h, stays - gone
        count += rng.random(draws) < risk
    expected = np.array(remaining.quantiles(count))
    found = np.array(remaining.quantiles(p.without_drift[0]))
    assert np.abs(found - expected).max() <= 1


@pytest.mark.slow
def test_nothing_of_the_future_is_in_the_bytes(pilot):
    cut = pd.Timestamp("2013-03-15")
    deleted = summary.read("pilot", "2013-03-15")
    rng = np.random.default_rng(1)
    for trial in (pilot, deleted):
        chosen = dataclasses.replace(trial.definitions, plan=PLAN, data_cut=None)
        swapped = trial.patients.assign(arm=rng.permutation(trial.patients["arm"]))
        for patients in (trial.patients, swapped):
            other = dataclasses.replace(trial, definitions=chosen, patients=patients)
            said = json.dumps(results.plain(summary.dated(summary.summary(other, cut))))
            if trial is pilot and patients is trial.patients:
                first = said
            assert said == first
    assert '"01-7' not in first


@pytest.mark.slow
def test_the_pilot_held_against_what_came(known):
    rows = summary.before(known, "2015-06-01", 168, {"dropout": 0.3})
    found = summary.measures(rows, 168)
    assert found["cuts"] == 25
    assert found["inside"] == 25
    assert found["disjoint"] == 5
    assert (rows["mid_pit"] > 0.05).all()
    assert (rows["mid_pit"] < 0.95).all()


@pytest.mark.slow
def test_more_may_have_begun_than_planned_in_months_that_are_looked_back_on(known):
    few, usual = (summary.before(known, "2013-12-01", 168, plan) for plan in ({"patients": 60}, {}))
    pd.testing.assert_frame_equal(few[["cut", "median", "low", "high"]], usual[["cut", "median", "low", "high"]])


@pytest.mark.slow
def test_cuts_with_open_patients_are_left_out(known):
    rows = summary.before(known, "2013-06-01", 168, {})
    assert rows["open"].any()
    assert summary.measures(rows, 168)["cuts"] == (~rows["open"]).sum()


@pytest.mark.slow
def test_shapes_add_up_and_the_fan_ends_where_the_projection_does(known):
    now = remaining.at(known, "2013-06-01", 168)
    p = projection.project(now, PLAN)
    facts = p.facts()
    assert facts["planned"]["n"] == p.planned == 254
    assert (p.retained <= 254 - 49).all()
    for counts, so_far, kind in (("any", 49, "gone"), ("leaving", 47, "leaving")):
        p = projection.project(now, PLAN | {"counts": counts})
        end = p.facts()["planned"][kind]["median"] + (0 if kind == "gone" else so_far)
        assert p.fan["median"].iloc[0] == so_far
        assert p.fan["median"].iloc[-1] == pytest.approx(end, abs=2)
    assert (p.fan[["low", "low_50", "median", "high_50", "high"]].diff().dropna() >= 0).all(axis=None)
    wide, narrow = facts["planned"]["leaving"], facts["planned"]["leaving_without_drift"]
    assert wide["high"] - wide["low"] > narrow["high"] - narrow["low"]
    assert p.by_day["risk"].is_monotonic_decreasing
    lower = projection.project(now, {"known": 14}).leaving[0]
    assert lower.min() >= 14


def test_leaving_at_visits_is_seen_and_its_pieces_end_after_them():
    rng = np.random.default_rng(4)
    cause = rng.choice([0, 1], 80)
    frame = pd.DataFrame({"start": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 150, 80), unit="D")})
    frame = frame.assign(cause=cause, day=np.where(cause, 28.0 * rng.integers(1, 5, 80), np.nan), group="g", arm="a")
    now = remaining.at(frame, "2020-07-01", 168)
    edges, at_visits = projection.pieces(now, (28, 56, 84, 112, 140, 168))
    assert at_visits
    assert edges.tolist() == [0, 31, 59, 87, 115, 143, 168]
    assert projection.project(now, {}, (28, 56, 84, 112, 140, 168)).at_visits
    assert not projection.pieces(now, (28, 56, 84, 112, 140, 168), "daily")[1]
    assert not projection.pieces(now)[1]


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        ({"patients": 100}, "patients = 100, but 124 had begun"),
        ({"dropout": [[28, 0.1], [84, 0.2]]}, "to the horizon"),
        ({"dropout": [[28, 0.2], [168, 0.1]]}, "must rise"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(known, plan, said):
    with pytest.raises(CdiscError, match=said):
        projection.project(remaining.at(known, "2013-06-01", 168), plan)


def test_words_turn_at_their_edges():
    said = {p: projection.word(p) for p in (0.05, 0.051, 0.2, 0.201, 0.799, 0.8, 0.949, 0.95)}
    assert list(said.values()) == [
        "within the plan", "probably within", "probably within", "cannot tell yet", "cannot tell yet",
        "probably exceeds", "probably exceeds", "will exceed the plan",
    ]  # fmt: skip


def test_a_dated_change_of_hazard_is_told():
    rng = np.random.default_rng(0)
    start = np.sort(rng.integers(0, 700, 1500))
    for ratio, low, high in ((1.0, 0.8, 1.25), (3.0, 2.4, 3.8)):
        rate = 0.002 * ratio ** ((start[:, None] + np.arange(168)) / 365.25)
        day = (np.cumsum(rate, axis=1) < rng.standard_exponential((1500, 1))).sum(axis=1) + 1
        frame = pd.DataFrame(
            {"start": pd.Timestamp("2020-01-01") + pd.to_timedelta(start, unit="D"), "group": "g", "arm": "a"}
        )
        frame = frame.assign(cause=(day <= 168) * 1, day=np.where(day <= 168, day, np.nan))
        found = limit.drift(remaining.at(frame, "2023-01-01", 168))
        assert low < found["rate_ratio"] < high
        assert found["changes"] == (ratio > 1)


@pytest.mark.slow
def test_a_trial_without_dates_is_projected_by_study_day():
    trial = summary.read("pilot", "2013-06-01")
    bare = dataclasses.replace(trial, exits=trial.exits.assign(start=pd.NaT))
    found, dated = summary.summary(bare, "2013-06-01"), summary.summary(trial, "2013-06-01")
    for state in ("enrolled", "left", "competing"):
        assert found["states"][state] == dated["states"][state]
    assert "fan" not in found
    assert "124 start dates missing" in summary.lines(found)[-1]
    some, other = (one["projection"]["enrolled"]["leaving"] for one in (found, dated))
    assert abs(some["median"] - other["median"]) <= 3
    with pytest.raises(CdiscError, match="no start date of 124 of 124 patients"):
        remaining.course(bare)


@pytest.mark.slow
def test_the_command_says_it_in_lines_and_in_json(capsys, tmp_path):
    mapping = tmp_path / "plan.toml"
    mapping.write_text("[plan]\npatients = 254\ndropout = 0.3\nhorizon = 168\neffect = 2.0\nsd = 6.0\npower = 0.8\n")
    base = ["project", "pilot", "--mapping", str(mapping), "--cut", "2013-02-01"]
    assert command.main(base) == 0
    said = capsys.readouterr().out
    assert "254 planned" in said
    assert "will exceed" in said or "probably" in said
    assert command.main([*base, "--json", "--unblinded"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["cut"] == "2013-02-01"
    assert found["between_arms"]["cause_specific"]["df"] == 2
    assert command.main([*base[:-1], "2012-07-20"]) == 0
    assert "counts only" in capsys.readouterr().out
    for day in ("2011-01-01", "soon"):
        assert command.main([*base[:-1], day]) != 0
        assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.slow
def test_a_zip_archive_of_a_folder_is_read_like_the_folder(tmp_path):
    (tmp_path / "one").mkdir()
    sdtm(tmp_path / "one", everybody(12))
    shutil.make_archive(str(tmp_path / "one"), "zip", tmp_path / "one")
    (tmp_path / "m.toml").write_text("[plan]\nhorizon = 168\n")
    found = [summary.read(str(tmp_path / name), "2020-03-01", str(tmp_path / "m.toml")) for name in ("one", "one.zip")]
    pd.testing.assert_frame_equal(found[0].exits, found[1].exits)


def test_further_starts_keep_the_completers_as_often_as_asked(known):
    p = projection.project(remaining.at(known, "2013-06-01", 168), PLAN)
    assert p.kept_by_plan == 254 - 76  # 76 of 254 are less than 30 %, 77 more
    for sure in (0.5, 0.8):
        more, rng = p.to_start(p.kept_by_plan, sure), np.random.default_rng(0)
        held = [(p.retained + rng.binomial(n, p.stay) >= p.kept_by_plan).mean() for n in (more - 8, more, more + 8)]
        assert held[0] < sure < held[2]
        assert held[1] == pytest.approx(sure, abs=0.02)
    assert p.to_start(1) == 0
    assert p._replace(stay=np.zeros_like(p.stay)).to_start(p.kept_by_plan) is None
    assert projection.project(p.now).to_start(None) is None


@pytest.mark.slow
def test_the_rings_number_rings_and_one_fewer_does_not(known):
    found = limit.monitor(known, "2013-06-01", 168, {"patients": 254, "dropout": 0.4})
    look = found["looks"].iloc[-1]
    assert found["rule"] == "B"
    assert look["events"] < found["rings_at"] < 2 * look["events"]
    curve = limit.monitor(known, "2013-06-01", 168, {"patients": 254, "dropout": [[84, 0.2], [168, 0.4]]})
    assert (curve["rule"], curve["rings_at"]) == ("A", curve["looks"]["alarm_at"].iloc[-1])
    assert curve["path"]["expected"].iloc[-1] == pytest.approx(0.4 * 254, rel=0.02)
    rung = limit.monitor(known, "2014-06-01", 168, {"patients": 254, "dropout": 0.2})
    assert rung["rang"] is not None
    assert rung["rings_at"] <= rung["looks"]["events"].iloc[-1]
