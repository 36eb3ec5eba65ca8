"""Only what was known: deleting or changing any later record leaves the feature table identical to the byte."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attrition.landmark import cohort

LANDMARKS = (28, 56, 84)


@pytest.fixture(scope="module")
def small(pilot):
    """Forty patients and the followed tests: quick enough for many examples."""
    ids = pilot.patients["id"].iloc[::6]
    events = pilot.events[pilot.events["id"].isin(ids)]
    events = events[~events["kind"].eq("lab") | events["name"].isin(["ALT", "AST", "EOS"])]
    patients = pilot.patients[pilot.patients["id"].isin(ids)].reset_index(drop=True)
    return dataclasses.replace(pilot, patients=patients, events=events.reset_index(drop=True))


def as_bytes(table):
    return table.to_csv(float_format="%.17g").encode() + repr(table.dtypes.to_dict()).encode()


def later(trial, day):
    """Records that were not known by `day`."""
    events = trial.events
    return (events["day"] > day) | (events["known_day"] > day) | events["known_day"].isna()


@pytest.mark.parametrize(
    ("day", "risk", "primary", "all_cause", "competing"),
    [(0, 254, 129, 137, 8), (28, 229, 107, 112, 5), (56, 192, 70, 75, 5), (84, 155, 35, 38, 3)],
)
def test_counts_of_the_pilot(pilot, day, risk, primary, all_cause, competing):
    counts = cohort.counts(pilot, day)
    assert (counts["at_risk"], counts["primary"], counts["all_cause"]) == (risk, primary, all_cause)
    assert counts["competing"] == competing
    assert counts["all_cause"] == counts["primary"] + counts["competing"]


def test_reason_groups_add_up_to_the_primary_event(pilot):
    table = cohort.table(pilot)
    causes = [group for group in pilot.groups if group != "competing"]
    assert (table[causes].sum(axis=1) == table["primary"]).all()


@pytest.mark.slow
@pytest.mark.parametrize("day", LANDMARKS)
def test_deleting_everything_later_leaves_the_features_identical(pilot, day):
    cut = dataclasses.replace(pilot, events=pilot.events[~later(pilot, day)].reset_index(drop=True))
    assert as_bytes(cohort.features(cut, day)) == as_bytes(cohort.features(pilot, day))


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), day=st.sampled_from([0, *LANDMARKS]))
def test_deleting_or_changing_any_later_record_changes_no_byte(small, data, day):
    wanted = as_bytes(cohort.features(small, day))
    rows = np.flatnonzero(later(small, cohort.cut_day(day)))
    chosen = data.draw(st.lists(st.sampled_from(list(rows)), min_size=1, max_size=60, unique=True))
    events = small.events.copy()
    change = data.draw(st.sampled_from(["delete", "value", "name", "detail", "day"]))
    if change == "delete":
        events = events.drop(index=chosen).reset_index(drop=True)
    elif change == "day":
        events.loc[chosen, ["day", "known_day"]] = float(data.draw(st.integers(day + 2, 400)))
    else:
        value = {"value": data.draw(st.floats(-1e9, 1e9)), "name": "PLANTED", "detail": "PLANTED"}[change]
        events.loc[chosen, change] = value
    assert as_bytes(cohort.features(dataclasses.replace(small, events=events), day)) == wanted


@pytest.mark.slow
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), day=st.sampled_from(LANDMARKS))
def test_when_and_why_a_patient_leaves_later_changes_no_byte(small, data, day):
    wanted = as_bytes(cohort.features(small, day))
    patients = small.patients.copy()
    rows = np.flatnonzero(patients["event_day"] > day)
    chosen = data.draw(st.lists(st.sampled_from(list(rows)), min_size=1, unique=True))
    patients.loc[chosen, "event_day"] = float(data.draw(st.integers(day + 1, 400)))
    patients.loc[chosen, ["reason", "reason_group", "event_group", "status"]] = "DEATH"
    assert as_bytes(cohort.features(dataclasses.replace(small, patients=patients), day)) == wanted


@pytest.mark.slow
def test_an_earlier_record_does_change_the_features(small):
    """The property could not fail if the features used nothing."""
    for kind in cohort.WORDS["kinds"].values():
        events = small.events[~(small.events["kind"].eq(kind) & small.events["day"].between(2, 56))]
        changed = dataclasses.replace(small, events=events.reset_index(drop=True))
        assert as_bytes(cohort.features(changed, 56)) != as_bytes(cohort.features(small, 56))


@pytest.mark.slow
def test_an_adverse_event_collected_later_is_not_known(small):
    ids = cohort.at_risk(small, 28)
    planted = pd.DataFrame(
        {"id": ids, "kind": "adverse event", "name": "PLANTED", "detail": "PLANTED", "day": 20.0, "known_day": 29.0}
    )
    trial = dataclasses.replace(small, events=pd.concat([small.events, planted], ignore_index=True))
    assert as_bytes(cohort.features(trial, 28)) == as_bytes(cohort.features(small, 28))
    more = cohort.features(trial, 29)["ae_count"] - cohort.features(small, 29)["ae_count"]
    assert (more.reindex(cohort.at_risk(small, 29)) == 1).all()


def test_counts_of_adverse_events_agree_with_a_loop(pilot):
    table = cohort.features(pilot, 56, groups=["adverse events"])
    adverse = pilot.events[pilot.events["kind"] == "adverse event"]
    for patient in table.index[:40]:
        mine = adverse[(adverse["id"] == patient) & (adverse["day"] >= 1) & (adverse["known_day"] <= 56)]
        assert table.loc[patient, "ae_count"] == len(mine)
        assert table.loc[patient, "ae_terms"] == mine["name"].nunique()
        assert table.loc[patient, "ae_recent"] == (mine["day"] > 42).sum()


def test_changes_are_last_less_baseline(pilot):
    table = cohort.features(pilot, 84, groups=["vital signs"])
    pulse = pilot.events[(pilot.events["kind"] == "vital sign") & (pilot.events["name"] == "PULSE")]
    for patient in table.index[:25]:
        mine = pulse[(pulse["id"] == patient) & (pulse["day"] <= 84)].sort_values("day")
        first, last = mine[mine["day"] <= 1]["value"].iloc[-1], mine["value"].iloc[-1]
        assert table.loc[patient, "pulse_change"] == pytest.approx(last - first)


def test_who_was_measured_at_baseline_only_has_no_last_value(pilot):
    patient = cohort.at_risk(pilot, 84)[0]
    later = pilot.events["id"].eq(patient) & (pilot.events["day"] > 1)
    trial = dataclasses.replace(pilot, events=pilot.events[~later].reset_index(drop=True))
    found = cohort.features(trial, 84).loc[patient].notna()
    assert found[["pulse_baseline", "pulse_last", "pulse_change"]].tolist() == [True, False, False]


def test_missed_visits_agree_with_a_loop(pilot):
    table = cohort.features(pilot, 84, groups=["visits"])
    visits = pilot.events[(pilot.events["kind"] == "visit") & (pilot.events["day"] > 1)]
    due = [day for day in pilot.schedule if day <= 84 - 7]
    for patient in table.index[:40]:
        days = visits.loc[(visits["id"] == patient) & (visits["day"] <= 84), "day"]
        missed = sum(not (abs(days - day) <= 7).any() for day in due)
        assert table.loc[patient, "visits_missed"] == missed


def test_no_feature_holds_an_outcome(pilot):
    for day in LANDMARKS:
        names = set(cohort.features(pilot, day))
        assert not names & {"event_day", "reason", "reason_group", "time", "event_group", "status", "site"}


def test_dictionary_declares_every_feature(pilot):
    for day in (0, *LANDMARKS):
        declared = cohort.dictionary(pilot, day)
        assert declared["feature"].tolist() == list(cohort.features(pilot, day))
        assert (declared["known_day"] <= cohort.cut_day(day)).all()
        seen = cohort.known(pilot, day)
        days = {group: seen.kind(kind)["known_day"].max() for group, kind in cohort.WORDS["kinds"].items()}
        assert declared["known_day"].equals(declared["group"].map(days).fillna(1.0))


def test_follow_up_that_ends_early_has_no_target(small):
    patients = small.patients.copy()
    row = patients.index[patients["event_day"] > 100][0]
    patients.loc[row, ["event_day", "reason_group"]] = [100.0, "ongoing"]
    trial = dataclasses.replace(small, patients=patients)
    assert np.isnan(cohort.target(trial, 56)[patients.loc[row, "id"]])
    assert cohort.counts(trial, 56)["censored"] == 1


def test_a_shorter_horizon_has_fewer_events(pilot):
    within = cohort.target(pilot, 28, horizon=84)
    assert within.sum() == cohort.counts(pilot, 28)["primary"] - cohort.counts(pilot, 84)["primary"]
