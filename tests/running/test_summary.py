"""What is told of a trial on a day, by hand and by what must not change it."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from attrition import __main__ as command
from attrition import trials
from attrition.cdisc.sources import CdiscError
from attrition.running import remaining, summary
from notebook_report import results
from tests.cdisc.folders import date, everybody, sdtm

PLAN = {"patients": 254, "dropout": 0.4, "effect": 2.5, "sd": 6.0, "power": 0.8}


@pytest.fixture(scope="module")
def found(pilot):
    return summary.summary(pilot, "2013-06-01", plan=PLAN)


def test_a_finished_trial_is_put_back_to_a_first_of_a_month(pilot, known):
    cut = summary.usual_cut(pilot, 0.3)
    assert cut.day == 1
    day = remaining.informed(known, 0.3, 168)
    assert 0 <= (cut - day).days <= 31
    seen = [np.clip((when - known["start"]).dt.days + 1, 0, 168).sum() for when in (day, day - pd.Timedelta(days=1))]
    assert seen[0] >= 0.3 * 254 * 168 > seen[1]
    assert summary.usual_cut(pilot, 0.99) <= summary.last_day(pilot)


@pytest.mark.slow
def test_of_a_running_trial_the_cut_is_its_data_cut(pilot):
    then = trials.load("pilot", cut="2013-05-03")
    assert summary.usual_cut(then, 0.3) == summary.last_day(then) == pd.Timestamp("2013-05-03")
    undated = dataclasses.replace(then, definitions=dataclasses.replace(then.definitions, data_cut=None))
    last = (then.exits["start"] + pd.to_timedelta(then.exits["last_day"] - 1, unit="D")).max()
    assert summary.usual_cut(undated, 0.3) == last
    late = undated.exits.assign(
        study_day=undated.exits["study_day"].where(undated.exits["start"].lt("2013-05-01"), 400)
    )
    left_last = dataclasses.replace(undated, exits=late)
    assert summary.usual_cut(left_last, 0.3) == left_last.last_record > last
    bare = dataclasses.replace(pilot, exits=pilot.exits.assign(start=pd.NaT))
    assert bare.undated
    assert summary.usual_cut(bare, 0.3) == pd.Timestamp(summary.NO_CALENDAR)


@pytest.mark.slow
def test_a_trial_put_back_is_the_same_as_one_that_was_cut(pilot):
    cut = summary.usual_cut(pilot, 0.3)
    later, then = (summary.summary(one, cut, plan=PLAN) for one in (pilot, trials.load("pilot", cut=cut)))
    then.pop("overdue"), later.pop("overdue")
    assert json.dumps(results.plain(summary.dated(then))) == json.dumps(results.plain(summary.dated(later)))


@pytest.mark.slow
def test_information_is_of_days_that_could_have_been_followed(found, known):
    begun = known[known["start"] <= "2013-06-01"]
    u = (pd.Timestamp("2013-06-01") - begun["start"]).dt.days + 1
    assert found["information"] == pytest.approx(u.clip(upper=168).sum() / (254 * 168))
    open_months = found["backtest"]["rows"].set_index("open").loc[True, ["inside", "mid_pit"]]
    assert open_months.isna().all(axis=None)


@pytest.mark.slow
def test_what_changed_in_a_month_is_counted(found, known):
    before = remaining.at(known, "2013-05-01", 168)
    now = found["states"]
    assert found["since"]["started"] == now["enrolled"] - len(before.patients)
    assert found["since"]["gone"] == found["gone"] - before.gone()
    assert found["since"]["through"] == now["through"] - before.counts["through"]
    assert found["gone"] == now["left"] + now["competing"] == sum(found["left_by_reason"].values()) + now["competing"]


@pytest.mark.slow
def test_shares_and_what_the_plan_allows(found):
    assert (found["level"], found["arms"]) == (0.9, 3)
    assert summary.allowed(found) == 101  # 101 of 254 are at most 40 %, 102 more
    table = summary.shares(found).set_index("label")
    assert table.loc["dropout", "planned"] == pytest.approx(40)
    end = found["projection"]["planned"]
    assert table.loc["dropout", "value"] == pytest.approx(100 * end["gone"]["median"] / 254)
    assert table.loc["completers", "planned"] == pytest.approx(100 * 153 / 254)
    assert table.loc["power left", "value"] == pytest.approx(100 * found["power"]["power"])
    assert (table["low"] <= table["value"]).all()
    assert (table["value"] <= table["high"]).all()
    assert summary.allowed({}) is None
    assert summary.shares({}) is None


def test_what_came_is_told_of_trials_that_are_over(pilot, known):
    end = summary.last_day(pilot)
    assert summary.came(pilot, pd.Timestamp("2013-06-01"), end, {}) == 137
    assert summary.came(pilot, pd.Timestamp("2013-06-01"), end, {"counts": "leaving"}) == 129
    assert summary.came(pilot, end, end, {}) is None
    assert summary.came(pilot, pd.Timestamp("2013-06-01"), pd.Timestamp("2013-07-01"), {}) is None


def test_gone_by_calendar_is_counted_day_by_day(known):
    dates = [pd.Timestamp("2013-01-01"), pd.Timestamp("2013-06-01")]
    for counts in ("any", "leaving"):
        now = [remaining.at(known, date, 168).gone(counts) for date in dates]
        assert summary.path(known, 168, dates, counts) == now


def test_a_list_needs_a_model_that_separates_on_the_same_day():
    at_day = {"28": {"primary": 12}}
    asked = {"landmark": 28, "arms": ["a", "b"], "auroc": {"all_without_arm": {"value": 0.6, "ci_low": 0.51}}}
    assert summary.order({"asked": asked, "landmarks": at_day})["separates"]
    low = asked | {"auroc": {"all_without_arm": {"value": 0.6, "ci_low": 0.5}}}
    assert not summary.order({"asked": low, "landmarks": at_day})["separates"]
    assert not summary.order({"asked": asked, "landmarks": {"28": {"primary": 9}}})["separates"]
    alone = asked | {"arms": ["a"], "auroc": {"all": {"value": 0.7, "ci_low": 0.6}}}
    assert summary.order({"asked": alone, "landmarks": at_day})["auroc"]["value"] == 0.7
    assert summary.order({"asked": asked | {"landmark": None}, "landmarks": {}}) == {"day": None, "separates": False}


@pytest.mark.slow
def test_the_overdue_are_projected_as_gone():
    then = trials.load("pilot", cut="2013-06-01")
    usual = summary.summary(then, "2013-06-01", plan=PLAN)
    assert not usual["overdue"]["many"]
    ongoing = then.patients["reason_group"].eq("ongoing") & (then.exits["last_day"] < 160)
    silent = ongoing & (ongoing.cumsum() <= 8)
    late = dataclasses.replace(then, exits=then.exits.assign(last_day=then.exits["last_day"].mask(silent, 3)))
    told = summary.summary(late, "2013-06-01", plan=PLAN)["overdue"]
    assert told["many"]
    assert told["n"] >= 6
    assert told["projection"]["gone"]["median"] > usual["projection"]["planned"]["gone"]["median"]
    plain, lost = (remaining.course(late, "2013-06-01", who) for who in (None, silent))
    assert (lost["cause"] == remaining.LEFT).sum() == (plain["cause"] == remaining.LEFT).sum() + silent.sum()


@pytest.mark.slow
def test_an_earlier_summary_is_held_against_todays_data(tmp_path, capsys):
    old, base = tmp_path / "old.json", ["project", "pilot", "--cut"]
    assert command.main([*base, "2013-05-01", "--json"]) == 0
    earlier = json.loads(capsys.readouterr().out)
    earlier["states"]["left"] -= 2
    earlier["states"]["ongoing"] += 2
    old.write_text(json.dumps(earlier))
    assert command.main([*base, "2013-06-01", "--since", str(old)]) == 0
    assert "recorded since about 2013-05-01 or before: left +2, ongoing -2" in capsys.readouterr().out
    for broken in ("{}", "no", json.dumps(earlier | {"horizon": 90})):
        old.write_text(broken)
        assert command.main([*base, "2013-06-01", "--since", str(old)]) != 0
        assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.slow
def test_a_cut_before_the_first_patient_is_refused():
    with pytest.raises(CdiscError, match="no patient had begun by 2010-01-01, the data cut"):
        summary.read("pilot", "2010-01-01")


@pytest.mark.slow
def test_a_cut_that_is_no_date_is_refused_before_anything_is_read():
    with pytest.raises(CdiscError, match="YYYY-MM-DD"):
        trials.checked(["pilot"], cut="01.06.2013")
    assert trials.inputs(trials.checked(["pilot"], cut="2013-06-01")) != trials.inputs(trials.checked(["pilot"]))


@pytest.mark.slow
def test_an_exit_is_known_from_the_day_on_which_it_was_collected(tmp_path):
    rows = everybody(12)
    rows[0] |= {"DSDECOD": "WITHDRAWAL BY SUBJECT", "DSSTDTC": date(40), "DSDTC": date(60)}
    place = sdtm(tmp_path, rows)
    states = []
    for day in (39, 59, 60):
        cut = pd.Timestamp(date(day))
        by_deletion = remaining.at(remaining.course(trials.load(str(place), cut=cut, horizon=168)), cut, 168)
        by_hand = remaining.at(remaining.course(trials.load(str(place))), cut, 168)
        assert by_deletion.counts == by_hand.counts
        states.append(by_hand.counts["left"])
    assert states == [0, 0, 1]
    assert by_hand.of("left")["day"].tolist() == [40]
