"""Participant flow and what a landmark sees, against plain recounts."""

import numpy as np
import pandas as pd
import pytest

from attrition import cdisc
from attrition.cdisc.sources import open_source
from attrition.landmark import cohort


def test_flow_of_the_pilot(pilot):
    flow = cohort.participant_flow(pilot)
    assert flow["n"].tolist() == [306, 254, 229, 192, 155, 117]
    assert flow["left"].tolist() == [0, 52, 25, 37, 37, 38]


def test_flow_agrees_with_the_landmarks(pilot):
    flow = cohort.participant_flow(pilot)
    there = [cohort.counts(pilot, day)["at_risk"] for day in pilot.landmarks]
    assert flow["n"].tolist()[2:-1] == there
    assert flow["n"].iloc[-1] == pilot.flow["in_study_at_horizon"]
    assert (flow[list(pilot.groups)].sum(axis=1).iloc[2:] == flow["left"].iloc[2:]).all()


@pytest.mark.slow
def test_without_screening_the_flow_begins_at_randomisation():
    flow = cohort.participant_flow(cdisc.load("pilot-adam"))
    assert flow["step"].iloc[0] == "randomised"
    assert flow["n"].tolist() == [254, 229, 192, 155, 117]


def test_a_landmark_sees_the_visit_planned_for_it_only_in_part(pilot):
    seen = cohort.visit_seen(pilot, 28)
    visits = pilot.events[(pilot.events["kind"] == "visit") & (pilot.events["name"] == "WEEK 4")]
    days = visits.set_index("id")["day"].reindex(cohort.at_risk(pilot, 28))
    assert seen["planned"] == 28
    assert seen["median_day"] == days.median() == 29
    assert seen["attended_by"] == pytest.approx((days <= 28).mean())
    assert seen["attended_by"] < 0.5 < seen["attended_within"]


@pytest.mark.parametrize(("day", "n", "left"), [(28, 13, (216, 94)), (56, 13, (179, 57)), (84, 7, (148, 28))])
def test_patients_at_risk_who_had_their_last_dose(pilot, day, n, left):
    """Recounted on the packaged file: the last record by start has an end, and no record ends after the landmark."""
    source = open_source("pilot")
    ex = source._read("ex", source.columns("ex")).sort_values(["USUBJID", "EXSTDTC"])
    last = ex.groupby("USUBJID").nth(-1).set_index("USUBJID")
    stopped = set(last.index[last["EXENDY"] <= day]) & set(cohort.at_risk(pilot, day))
    assert set(cohort.stopped(pilot, day)) == stopped
    assert cohort.off_treatment(pilot, day) == {"n": n, "primary": n}
    still = cohort.target(pilot, day).drop(list(stopped))
    assert (len(still), still.sum()) == left


def dosed_trial(folder, ends, disposition=True, **more):
    """Three patients with two dosing records each: `ends` of them, an empty one being open."""
    ids = ["1", "2", "3"]
    pd.DataFrame(
        {"USUBJID": ids, "ARM": ["A", "B", "A"], "SITEID": "1", "RFSTDTC": "2020-01-01", "AGE": [50, 60, 70]}
    ).to_csv(folder / "dm.csv", index=False)
    left = pd.DataFrame({"USUBJID": ids, "DSDECOD": "ADVERSE EVENT", "DSSTDTC": "2020-04-01"})
    left = left.assign(DSCAT="DISPOSITION EVENT" if disposition else "OTHER EVENT")
    left.to_csv(folder / "ds.csv", index=False)
    ex = {"USUBJID": np.repeat(ids, 2), "EXSTDTC": ["2020-01-01", "2020-01-15"] * 3, "EXENDTC": ends, **more}
    pd.DataFrame(ex).to_csv(folder / "ex.csv", index=False)
    visits = {"USUBJID": np.repeat(ids, 2), "VISITNUM": 1, "VISIT": "V", "SVSTDTC": ["2020-01-20", "2020-03-20"] * 3}
    pd.DataFrame(visits).to_csv(folder / "sv.csv", index=False)
    return cdisc.load(folder)


@pytest.mark.slow
def test_an_open_last_record_means_that_dosing_goes_on(tmp_path):
    trial = dosed_trial(tmp_path, ["2020-01-14", "", "", "2020-01-20", "2020-01-15", "2020-03-01"])
    assert cohort.stopped(trial, 28).tolist() == ["2"]
    assert cohort.off_treatment(trial, 84) == {"n": 2, "primary": 2}


@pytest.mark.slow
def test_dosing_goes_on_while_one_of_two_treatments_is_open(tmp_path):
    ends = ["", "2020-01-20", "2020-01-20", "2020-01-20", "2020-01-20", ""]
    trial = dosed_trial(tmp_path, ends, EXTRT=["DRUG", "INFUSION"] * 3)
    assert cohort.stopped(trial, 28).tolist() == ["2"]


@pytest.mark.slow
@pytest.mark.parametrize("first", ["2020-01-14", ""])
def test_in_a_running_trial_nobody_has_stopped_whose_last_record_is_open(tmp_path, first):
    trial = dosed_trial(tmp_path, [first, ""] * 3, disposition=False)
    assert cohort.off_treatment(trial, 28) == {"n": 0, "primary": 0}


@pytest.mark.slow
def test_a_finished_trial_without_ends_of_dosing_does_not_tell(tmp_path):
    assert cohort.off_treatment(dosed_trial(tmp_path, [""] * 6), 28) is None


def test_the_end_of_dosing_is_never_known(pilot):
    ends = pilot.events[pilot.events["kind"] == "end of exposure"]
    assert len(ends) > 500
    assert ends["known_day"].isna().all()
