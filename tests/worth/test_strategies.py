"""Whom strategies contact: known in time, and on the pilot."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from attrition import params
from attrition.landmark import cohort
from attrition.worth import analysis, model, strategies


def test_reasons_are_told_by_the_term(pilot):
    terms = pilot.patients.set_index("id")["reason"]
    found = strategies.reasons(pilot)
    by = pd.crosstab(terms, found)
    assert by.loc["WITHDRAWAL BY SUBJECT", "addressable"] > 0
    assert by.loc["LOST TO FOLLOW-UP", "addressable"] == 2
    assert by.loc["LOST TO FOLLOW-UP", "other"] == 0
    assert by.loc["ADVERSE EVENT", "addressable"] == 0
    assert by.loc["DEATH"].drop(["competing", "stayed"]).sum() == 0
    at_28 = strategies.course(pilot, 28)
    counts = {name: int((at_28.cause == cause).sum()) for name, cause in model.CAUSES.items()}
    assert counts == {"addressable": 22, "other": 9, "adverse event": 76, "competing": 5}


@pytest.mark.parametrize(
    ("term", "kind"),
    [
        ("withdrew", "addressable"),
        ("Withdrew at own request", "addressable"),
        ("Withdrawal due to adverse event", "adverse event"),
        ("Withdrawn, AE", "adverse event"),
        ("WITHDRAWN BY INVESTIGATOR", "other"),
        ("Physician decision", "other"),
        ("moved", "other"),
    ],
)
def test_a_word_of_a_term_tells_who_decided(pilot, term, kind):
    gone = pilot.patients["event_group"].eq("other")
    patients = pilot.patients.assign(reason=pilot.patients["reason"].mask(gone, term))
    found = strategies.reasons(dataclasses.replace(pilot, patients=patients))
    assert set(found[gone.to_numpy()]) == {kind}


def cut(trial, day):
    """The trial without anything that is dated after a day; who left later is in it to the end."""
    events = trial.events[(trial.events["day"] <= day) & ~(trial.events["known_day"] > day)]
    patients = trial.patients.copy()
    later = patients["event_day"] > day
    patients.loc[later, ["event_day", "reason", "reason_group"]] = [999.0, "COMPLETED", "completed"]
    patients.loc[later, ["time", "event_group", "status"]] = [float(trial.horizon), "none", "none"]
    return dataclasses.replace(trial, events=events, patients=patients)


@pytest.mark.parametrize("day", [28, 56])
@pytest.mark.parametrize("until", [70, 110])
def test_deleting_the_future_changes_no_contact_that_was_made_by_then(pilot, day, until):
    ids, past = strategies.course(pilot, day).ids, cut(pilot, until)
    for trigger in (
        strategies.missed_visit,
        lambda *a: strategies.silent(*a, 14),
        lambda *a: strategies.silent(*a, 28),
    ):
        now, then = trigger(pilot, ids, day), trigger(past, ids, day)
        made = now <= until - day
        np.testing.assert_array_equal(now[made], then[made])
        assert not (then[~made] <= until - day).any()


def test_nobody_is_contacted_after_leaving(pilot):
    own = strategies.course(pilot, 28)
    left = own.cause != model.STAYED
    for start in (strategies.missed_visit(pilot, own.ids, 28), strategies.silent(pilot, own.ids, 28, 28)):
        assert (start[left & np.isfinite(start)] < own.time[left & np.isfinite(start)]).all()
        assert (start >= 0).all()


def test_a_missed_visit_is_known_once_its_window_has_passed(pilot):
    own = strategies.course(pilot, 28)
    start = strategies.missed_visit(pilot, own.ids, 28)
    visits = pilot.events[pilot.events["kind"].eq("visit")].groupby("id")["day"].agg(list)
    for k in np.flatnonzero(np.isfinite(start))[:20]:
        planned = start[k] + 28 - cohort.VISIT_WINDOW
        assert planned in pilot.schedule
        assert not any(abs(day - planned) <= cohort.VISIT_WINDOW for day in visits[own.ids[k]])


@pytest.mark.slow
@pytest.mark.parametrize("gap", [3, 14])
@pytest.mark.parametrize("day", [0, 28])
def test_silence_and_missed_visits_are_those_of_a_loop_over_patients(pilot, day, gap):
    own = strategies.course(pilot, day)
    ends = pilot.patients.set_index("id")["event_day"]
    events = dict(list(pilot.events.groupby("id")))
    quiet, missed = strategies.silent(pilot, own.ids, day, gap), strategies.missed_visit(pilot, own.ids, day)
    assert np.isfinite(quiet).any()
    assert np.isfinite(missed).any()
    for k, name in list(enumerate(own.ids))[::4]:
        records = events[name][events[name]["kind"].isin(strategies.SEEN)]
        heard = [0.0, *np.fmax(records["day"], records["known_day"]).dropna()]
        days = (d for d in range(day, int(ends[name])) if max(h for h in heard if h <= d) + gap <= d)
        assert quiet[k] == next(days, np.inf) - day
        visits = events[name].loc[events[name]["kind"] == "visit", "day"]
        late = (d + 7 for d in sorted(pilot.schedule) if d <= 168 and not visits.between(d - 7, d + 7).any())
        assert missed[k] == next((d for d in late if day < d < ends[name]), np.inf) - day


def test_the_highest_scores_are_contacted():
    scores = np.array([[0.1, np.nan], [0.4, 0.2], [0.3, 0.9], [0.2, 0.5], [0.5, 0.1]])
    found = strategies.top(scores, 40) == 0
    np.testing.assert_array_equal(found[:, 0], [False, True, False, False, True])
    assert found[:, 1].sum() == 2
    assert found[2, 1]
    assert not found[0, 1]


def test_an_addressable_reason_is_an_event_and_all_others_compete(pilot):
    from attrition.landmark import prediction

    own, of = strategies.course(pilot, 28), prediction.problem(pilot, 28)
    assert list(of.X.index) == list(own.ids)
    assert strategies.addressable(of, own).n_events == 22


def test_half_samples_have_as_many_cross_validations_as_the_sample(pilot):
    from attrition.landmark import prediction

    own, of = strategies.course(pilot, 28), prediction.problem(pilot, 28)
    p = dataclasses.replace(params.load("10_worth", "quick"), n_repeats=1)
    found = strategies.scores(of, own, p, 3, 7)
    assert found.inside.shape == (229, 3)
    assert {one.n_splits for one in found.developed.values()} == {1}


@pytest.fixture(scope="module")
def found(pilot):
    p = dataclasses.replace(params.load("10_worth", "quick"), n_half_samples=3, n_half_samples_other=3)
    return pilot, p, analysis.run(pilot, p, 7, defaults=True)


@pytest.mark.slow
def test_draws_and_results_hold_together(found):
    pilot, p, worth = found
    numbers = analysis.numbers(pilot, worth, p)
    assert set(numbers["ceiling"]) == {"all", "addressable"}
    assert set(numbers["ceiling"]["all"]) == {"hr90", "hr80", "hr70"}
    assert numbers["cap"]["value"] == pytest.approx(10.0 * numbers["cap"]["contacts_saved"])
    assert numbers["cap"]["contacts_saved"] == pytest.approx(100 - 100 * numbers["n_addressable_late"] / 229)
    assert numbers["per_100_randomised"]["D"] == pytest.approx(100 * 137 / 254)
    everybody, oracle = (worth.here.drawn[name] for name in ("everybody", "oracle"))
    assert (oracle.completers >= everybody.completers).all()
    assert (worth.here.drawn["nobody"].completers == 0).all()
    assert numbers["completers_by_ratio"]["everybody"]["hr100"] == 0
    assert numbers["evpi"]["value"] >= numbers["evppi"]["value"] - 3 * numbers["evpi"]["mc_se"]
    assert numbers["verdict"]["grade"] in ("not shown", "everybody", "choosing", "targeting")


@pytest.mark.slow
@pytest.mark.parametrize(("delta", "h_adverse"), [(7, 1.0), (28, 0.9)])
def test_every_draw_is_what_its_half_and_its_effect_alone_give(found, delta, h_adverse):
    _, _, worth = found
    at = worth.here
    drawn = analysis.draws(at.own, at.every, at.halves, at.psi, delta, h_adverse)
    moved = {name for name, one in drawn.items() if one.completers.any()}
    assert moved >= {"everybody", "all_cause_30", "addressable_30", "missed_visit", "silent_14", "arm"}
    for k in (0, 7, 100):
        half, effect = at.halves[:, [at.psi.half[k]]], {model.ADDRESSABLE: at.psi.log_h[k]}
        effect |= {model.ADVERSE: np.log(h_adverse)} if h_adverse < 1 else {}
        for one in at.every:
            start = one.start[:, [0]] if one.drawn is None else one.drawn[:, [at.psi.half[k]]]
            alone = analysis.evaluated(at.own, one, half, start, effect, model.EACH, delta)
            for name, value in vars(drawn[one.name]).items():
                np.testing.assert_allclose(value[k], getattr(alone, name)[0], rtol=1e-10, atol=1e-12)
            if not one.at_once:  # all patients count, from the day of the contact on
                own = model.gained(at.own.time, at.own.cause, at.own.arm, half, start[:, 0], effect, delta)
                assert alone.completers[0] == pytest.approx(100 * own["completers"][0] / half.sum(), abs=1e-12)
        assert drawn["oracle"].contacts[k] == pytest.approx(100 * half[at.own.late(delta)].sum() / half.sum())


@pytest.mark.slow
def test_leavers_without_an_outcome_are_asked_for_it(found):
    at = found[2].here
    known = np.arange(len(at.own.ids)) % 3 == 0
    asked = analysis.retrieval(at.own, at.halves, at.psi, known)
    for k in (0, 7, 100):
        half = at.halves[:, at.psi.half[k]]
        contacts = 100 * half[at.own.leaves & ~known].sum() / half.sum()
        assert asked.contacts[k] == pytest.approx(contacts)
        assert asked.completers[k] == pytest.approx(at.psi.retrieved[k] * contacts)


@pytest.mark.slow
def test_lead_time_only_shrinks_what_can_be_gained_per_100_randomised(found):
    pilot, _, _ = found
    lead = analysis.lead_time(pilot, (0, *pilot.landmarks), 0.8)
    gains = lead[[f"delta_{d}" for d in analysis.DELTAS]].to_numpy()
    assert (np.diff(gains, axis=0) <= 1e-9).all()
    assert (np.diff(gains, axis=1) <= 1e-9).all()
    np.testing.assert_allclose(lead["gone"].iloc[0], 0)


@pytest.mark.slow
def test_without_costs_there_are_completers_and_contacts_only(found):
    pilot, p, worth = found
    bare = dataclasses.replace(worth, money=analysis.money(pilot, p, worth.dropout, defaults=False))
    assert bare.money is None
    numbers = analysis.numbers(pilot, bare, p)
    assert numbers["evpi"] is None
    assert numbers["cap"]["value"] is None
    assert analysis.grid(bare, p) is None
    assert "worth_1" not in analysis.shown(bare.here, None, None)


@pytest.mark.slow
def test_costs_of_a_plan_come_before_the_defaults(found):
    pilot, p, _ = found
    plan = {"contact_cost": 3, "patient_cost": 1000, "currency": "EUR"}
    own = dataclasses.replace(pilot, definitions=dataclasses.replace(pilot.definitions, plan=plan))
    money = analysis.money(own, p, 0.5, defaults=True)
    assert (money.contact, money.value, money.currency, money.stated) == (3, 2000, "EUR", True)
    assert analysis.money(own, p, 1.0, defaults=True) is None


@pytest.mark.slow
def test_power_rises_with_what_is_kept(found):
    pilot, p, worth = found
    power = analysis.power(pilot, worth.here, p, 0.5, None)
    assert power["full"] == pytest.approx(0.9, abs=1e-4)
    assert power["completers"] < power["everybody_hr90"] < power["everybody_hr80"] < power["everybody_hr70"]
    assert power["completers"] < power["completers_rho"] < power["full"]
    assert power["gain_everybody_hr80"] == pytest.approx(power["everybody_hr80"] - power["completers"])
    assert power["by_strategy"]["nobody"]["patients_worth"] == 0


@pytest.mark.slow
def test_the_arm_finds_many_and_keeps_few(found):
    _, p, worth = found
    arm = analysis.of_the_arm(worth.here, worth.money, p, {"arm_only": {"low": 0.3, "high": 0.5}})
    assert arm["completers"] < arm["addressable"] < arm["found"]
    assert arm["cost_high"] / arm["cost_low"] == pytest.approx(0.5 / 0.3)
    assert arm["threshold"] == pytest.approx(worth.money.contact / (arm["kept"] * worth.money.value))
    assert analysis.of_the_arm(worth.here, worth.money, p, {})["low"] is None
