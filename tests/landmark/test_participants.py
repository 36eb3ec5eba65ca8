"""Participant flow and what a landmark sees, against plain recounts."""

import pytest

from attrition import cdisc, landmark
from attrition.landmark import participants


@pytest.fixture(scope="module")
def pilot():
    return cdisc.load("pilot")


def test_flow_of_the_pilot(pilot):
    flow = participants.participant_flow(pilot)
    assert flow["n"].tolist() == [306, 254, 229, 192, 155, 117]
    assert flow["left"].tolist() == [0, 52, 25, 37, 37, 38]


def test_flow_agrees_with_the_landmarks(pilot):
    flow = participants.participant_flow(pilot)
    there = [landmark.counts(pilot, day)["at_risk"] for day in pilot.landmarks]
    assert flow["n"].tolist()[2:-1] == there
    assert flow["n"].iloc[-1] == pilot.flow["in_study_at_horizon"]
    assert (flow[list(pilot.groups)].sum(axis=1).iloc[2:] == flow["left"].iloc[2:]).all()


def test_without_screening_the_flow_begins_at_randomisation():
    flow = participants.participant_flow(cdisc.load("pilot-adam"))
    assert flow["step"].iloc[0] == "randomised"
    assert flow["n"].tolist() == [254, 229, 192, 155, 117]


def test_a_landmark_sees_the_visit_planned_for_it_only_in_part(pilot):
    seen = participants.visit_seen(pilot, 28)
    visits = pilot.events[(pilot.events["kind"] == "visit") & (pilot.events["name"] == "WEEK 4")]
    days = visits.set_index("id")["day"].reindex(landmark.at_risk(pilot, 28))
    assert seen["planned"] == 28
    assert seen["median_day"] == days.median() == 29
    assert seen["attended_by"] == pytest.approx((days <= 28).mean())
    assert seen["attended_by"] < 0.5 < seen["attended_within"]


def test_patients_at_risk_who_had_their_last_dose(pilot):
    ex = pilot.events[pilot.events["kind"] == "end of exposure"]
    last = ex.groupby("id")["day"].max().reindex(landmark.at_risk(pilot, 28))
    found = participants.off_treatment(pilot, 28)
    assert found == {"stopped": int((last <= 28).sum()), "primary": 16}
    assert found["stopped"] == 17


def test_the_end_of_dosing_is_never_known(pilot):
    ends = pilot.events[pilot.events["kind"] == "end of exposure"]
    assert len(ends) > 500
    assert ends["known_day"].isna().all()
