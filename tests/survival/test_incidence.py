"""A trial's incidence tables and the sentences they choose, on trials with names of their own."""

import numpy as np
import pandas as pd
import pytest

from attrition import seeds
from attrition.cdisc.trial import Definitions, assemble
from attrition.survival import hazards, incidence


def made(arms=("A-1", "NA", "0"), n=150, effect=0.7, censoring=False, draw=0, horizon=120):
    """A trial with reasons and arms of its own; leaving for one reason depends on the arm's position."""
    rng = seeds.stream(11, "trial", draw)
    arm = rng.integers(0, len(arms), n)
    tired = rng.exponential(130 * np.exp(-effect * arm))
    moved, died = rng.exponential(500, n), rng.exponential(900, n)
    end = rng.uniform(30, 250, n) if censoring else rng.uniform(130, 150, n)
    day = np.minimum.reduce([tired, moved, died, end])
    terms = np.array(["TIRED", "MOVED", "DEATH", "COMPLETED"], dtype=object)
    reason = terms[np.argmin([tired, moved, died, end], axis=0)]
    if censoring:
        reason[(reason == "COMPLETED") & (day <= horizon)] = None
    patients = pd.DataFrame({
        "id": [f"{k:03d}" for k in range(n)],
        "arm": np.array(arms, dtype=object)[arm], "site": rng.choice(["s1", "s2"], n),
        "event_day": np.ceil(day), "reason": reason, "age": rng.normal(60, 8, n).round(),
        "sex": rng.choice(["f", "m"], n),
    })  # fmt: skip
    definitions = Definitions(
        name="made", horizon=horizon, landmarks=(30, 60), arms=tuple(arms), reasons={"TIRED": "tired"}
    )
    events = pd.DataFrame({
        "id": np.repeat(patients["id"].to_numpy(), 3), "kind": "adverse event", "name": "ache", "value": np.nan,
        "detail": "body", "day": rng.integers(2, 90, 3 * n).astype(float),
    }).assign(known_day=lambda t: t["day"] + 3)  # fmt: skip
    return assemble("made", "table", definitions, patients, events, {"screened": None, "screen_failures": None})


@pytest.fixture(scope="module")
def trial():
    return made()


def test_counts_are_those_of_the_trial(trial):
    flow = incidence.arm_flow(trial).set_index("arm")
    patients = trial.patients
    assert list(flow.index) == ["A-1", "NA", "0", "all"]
    assert flow.loc["all", "patients"] == len(patients)
    assert flow.loc["NA", "tired"] == ((patients["arm"] == "NA") & (patients["event_group"] == "tired")).sum()
    parts = [*trial.groups, "still in", "censored"]
    assert (flow[parts].sum(axis=1) == flow["patients"]).all()


def test_reasons_add_up_to_primary_and_competing(trial):
    days = incidence.days_shown(trial)
    reasons = incidence.by_reason(trial, days).pivot_table(index="day", columns="reason", values="value")
    own = [name for name in trial.groups if name != "competing"]
    np.testing.assert_allclose(reasons[own].sum(axis=1), incidence.primary(trial, days)["value"], atol=1e-12)


@pytest.mark.parametrize("by", [None, "arm"])
def test_tables_equal_the_shares_without_censoring(trial, by):
    table, patients = incidence.primary(trial, [30, 120], by=by), trial.patients
    for row in table.to_dict("records"):
        part = patients if by is None else patients[patients["arm"] == row["group"]]
        share = ((part["status"] == "primary") & (part["event_day"] <= row["day"])).mean()
        assert row["value"] == pytest.approx(share, abs=1e-12)


def test_arms_come_in_the_order_of_the_trial(trial):
    assert incidence.arm_differences(trial)["arm"].tolist() == ["A-1", "NA", "0"]
    assert list(dict.fromkeys(incidence.primary(trial, [120], by="arm")["group"])) == ["A-1", "NA", "0"]
    assert list(incidence.at_risk_rows(trial, [0], by_arm=True)) == ["A-1", "NA", "0"]


def test_differences_are_between_the_arms_of_the_table(trial):
    table = incidence.arm_differences(trial)
    gaps = table["risk_difference"] - (table["risk"] - table["risk"].iloc[0])
    assert np.isnan(table["risk_difference"].iloc[0])
    assert np.abs(gaps.iloc[1:]).max() < 1e-12
    assert ((table["risk_difference_low"] < table["risk_difference"]).iloc[1:]).all()


def test_censoring_is_undone():
    risks = [incidence.primary(made(n=4000, censoring=c), [120])["value"].iloc[0] for c in (False, True)]
    assert made(n=4000, censoring=True).patients["status"].eq("censored").sum() > 400
    assert risks[1] == pytest.approx(risks[0], abs=0.03)


def test_hazards_have_a_row_for_every_reason(trial):
    ratios, checks = incidence.arm_hazards(trial, fewest=10)
    assert ratios["reason"].unique().tolist() == ["primary", *trial.groups]
    first = ratios[ratios["reason"] == "tired"].iloc[1]
    X = incidence.arm_columns(trial)
    event = trial.patients["event_group"].eq("tired")
    beta = hazards.fit_cox(trial.patients["time"], event, X)
    assert np.log(first["hazard_ratio"]) == pytest.approx(beta[1], abs=1e-8)
    assert set(checks["arm"]) == {"NA", "0", "all"}


def test_a_reason_with_few_events_gets_counts_only(trial):
    ratios, checks = incidence.arm_hazards(trial, fewest=10_000)
    assert ratios["hazard_ratio"].isna().all()
    assert (ratios["events"] > 0).any()
    assert checks.empty


def test_one_arm_needs_no_comparison():
    single = made(arms=("only",))
    differences = incidence.arm_differences(single)
    ratios, checks = incidence.arm_hazards(single, fewest=5)
    assert incidence.risk_of_arms(differences, 0.1, 120) == {"comparisons": 0, "verdict": "not testable"}
    assert incidence.hazards_of_arms(ratios, checks) == {"n": 0, "verdict": "not testable"}
    assert len(incidence.written(differences)) == 1


def test_verdict_on_arms_follows_the_numbers():
    strong, none = made(n=600, effect=1.2), made(n=600, effect=0.0, draw=1)
    tables = [incidence.arm_differences(trial, incidence.level_for_all(trial)) for trial in (strong, none)]
    found = [incidence.risk_of_arms(table, 0.1, 120) for table in tables]
    assert [facts["verdict"] for facts in found] == ["supported", "not supported"]
    assert found[0]["gap"]["value"] == pytest.approx(100 * (found[0]["risk"] - found[0]["base"]))
    assert (found[0]["margin"], found[0]["comparisons"]) == (10, 2)


def test_verdict_on_arms_ignores_the_sign():
    trial = made(n=600, effect=-1.2)
    found = incidence.risk_of_arms(incidence.arm_differences(trial), 0.1, 120)
    assert found["gap"]["value"] < 0
    assert found["verdict"] == "supported"


@pytest.mark.slow
def test_only_clear_reasons_are_named():
    ratios, checks = incidence.arm_hazards(made(n=600, effect=1.2), fewest=10)
    found = incidence.hazards_of_arms(ratios, checks)
    assert (found["verdict"], found["reason"]) == ("supported", "tired")
    ratios, checks = incidence.arm_hazards(made(n=200, effect=0.0, draw=3), fewest=10)
    found = incidence.hazards_of_arms(ratios, checks)
    assert (found["verdict"], found["reasons"]) == ("not supported", [])


def test_nested_keeps_every_number(trial):
    table = incidence.by_reason(trial, [30, 120])
    tree = incidence.nested(table, "reason")
    assert list(tree) == list(trial.groups)
    row = table[(table["reason"] == "tired") & (table["day"] == 30)].iloc[0]
    assert tree["tired"]["30"]["ci_low"] == row["ci_low"]


def test_steps_are_the_days_of_the_estimator(trial):
    patients = incidence.coded(trial)
    fit = incidence.aalen_johansen(patients["time"], patients["cause"], 2)
    assert set(fit.days) <= set(incidence.steps(trial))
