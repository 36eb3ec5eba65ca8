"""The decision model, by theory and by brute force."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attrition.worth import model
from attrition.worth.model import ADDRESSABLE, ADVERSE, COMPETING, OTHER, STAYED


@pytest.fixture
def rng():
    return np.random.default_rng(20)


def cohort(rng, n=90, horizon=60, ties=True):
    """Days, causes and arms of patients who leave for every reason, with ties."""
    cause = rng.choice([STAYED, ADDRESSABLE, OTHER, ADVERSE, COMPETING], n, p=[0.5, 0.2, 0.1, 0.15, 0.05])
    time = np.where(cause == STAYED, horizon, rng.integers(1, horizon // (4 if ties else 1), n) * (4 if ties else 1))
    return time.astype(float), cause, rng.integers(0, 3, n)


def by_hand(time, cause, stratum, weight, start, log_h, delta=7, halving=np.inf):
    """`model.gained` for one draw, patient by patient: completers, and leavers prevented for the reasons moved."""
    n, gains, prevented = range(len(time)), 0.0, 0.0
    since = [time[i] - start[i] for i in n]
    moved = [cause[i] in log_h and since[i] > delta for i in n]
    factor = [np.exp(log_h[cause[i]] * 0.5 ** (since[i] / halving)) if moved[i] else 1.0 for i in n]
    for one in np.unique(stratum):
        rows = [i for i in n if stratum[i] == one]
        size, stay, under = sum(weight[i] for i in rows), 1.0, 1.0
        for day in sorted({time[i] for i in rows}):
            there = sum(weight[i] for i in rows if time[i] >= day)
            left = [i for i in rows if time[i] == day and cause[i] != STAYED]
            if there > 0:
                own = [i for i in left if moved[i]]
                prevented += size * stay * sum(weight[i] for i in own) / there
                prevented -= size * under * sum(weight[i] * factor[i] for i in own) / there
                stay *= 1 - sum(weight[i] for i in left) / there
                under *= max(1 - sum(weight[i] * factor[i] for i in left) / there, 0.0)
        gains += size * (under - stay)
    return gains, prevented


@pytest.mark.parametrize("halving", [np.inf, 20])
@pytest.mark.parametrize("h", [0.5, 0.8, 1.0, 1.3, 99.0])
def test_completers_gained_are_those_of_a_loop_over_patients(rng, h, halving):
    time, cause, stratum = cohort(rng)
    start = np.where(rng.random(len(time)) < 0.6, rng.integers(0, 20, len(time)), np.inf)
    weight = rng.integers(0, 3, len(time)).astype(float)
    weight[stratum == 1] *= time[stratum == 1] < 30  # nobody is left at the end of one stratum
    log_h = {ADDRESSABLE: np.log(h), ADVERSE: -0.1}
    found = model.gained(time, cause, stratum, weight, start, log_h, 7, halving)
    completers, prevented = by_hand(time, cause, stratum, weight, start, log_h, 7, halving)
    np.testing.assert_allclose(found["completers"], [completers], atol=1e-10)
    np.testing.assert_allclose(found["prevented"], [prevented], atol=1e-10)
    each = [by_hand(time, cause, stratum, weight * (stratum == k), start, log_h, 7, halving)[0] for k in range(3)]
    np.testing.assert_allclose(found["by_stratum"][:, 0], each, atol=1e-10)


def test_without_censoring_an_effect_of_none_on_stayers_is_a_difference_of_shares(rng):
    """h = 0 for the only reason there is: everybody who would have left late enough stays."""
    time, cause, stratum = cohort(rng)
    cause = np.where(cause == STAYED, STAYED, ADDRESSABLE)
    found = model.gained(time, cause, stratum, np.ones(len(time)), 0.0, {ADDRESSABLE: -np.inf}, 0)
    assert found["completers"][0] == pytest.approx((cause == ADDRESSABLE).sum())
    assert found["prevented"][0] == pytest.approx((cause == ADDRESSABLE).sum())


def test_no_effect_gains_nothing_to_the_last_digit_and_gains_rise_as_the_hazard_falls(rng):
    time, cause, stratum = cohort(rng)
    log_h = np.log([1.0, 0.95, 0.8, 0.6, 0.3])
    found = model.gained(time, cause, stratum, np.ones(len(time)), 0.0, {ADDRESSABLE: log_h})
    assert found["completers"][0] == found["prevented"][0] == 0
    assert (np.diff(found["completers"]) > 0).all()
    late = ((cause == ADDRESSABLE) & (time > 7)).sum()
    assert (found["completers"] <= found["prevented"] + 1e-12).all()
    assert (found["prevented"] <= late).all()


def test_choosing_keeps_no_more_than_everybody_in_the_same_strata(rng):
    for _ in range(20):
        time, cause, arm = cohort(rng)
        contacted = rng.random(len(time)) < 0.4
        stratum = arm * 2 + contacted
        some, every = (np.where(who, 0.0, np.inf) for who in (contacted, np.ones(len(time), dtype=bool)))
        found = [
            model.gained(time, cause, stratum, np.ones(len(time)), s, {ADDRESSABLE: -0.3}, 3) for s in (some, every)
        ]
        assert found[0]["completers"] <= found[1]["completers"] + 1e-12


def test_a_later_effect_gains_no_more(rng):
    time, cause, stratum = cohort(rng)
    gains = []
    for delta in (0, 7, 14, 28):
        found = model.gained(time, cause, stratum, np.ones(len(time)), 0.0, {ADDRESSABLE: np.log(0.7)}, delta)
        gains.append(found["completers"][0])
    assert (np.diff(gains) <= 1e-12).all()


def test_draws_are_of_their_half(rng):
    """Four halves, seven draws: each takes its column of the weights and its own hazard ratio."""
    time, cause, stratum = cohort(rng)
    start = np.where(rng.random(len(time)) < 0.6, rng.integers(0, 20, len(time)), np.inf)
    weight, log_h, half = (
        rng.integers(0, 2, (len(time), 4)).astype(float),
        rng.normal(-0.1, 0.2, 7),
        [3, 0, 0, 2, 1, 3, 0],
    )
    both = {ADDRESSABLE: log_h, ADVERSE: -0.05}
    found = model.gained(time, cause, stratum, weight, start, both, half=np.array(half))
    for k, column in enumerate(half):
        own = {ADDRESSABLE: log_h[k], ADVERSE: -0.05}
        completers, prevented = by_hand(time, cause, stratum, weight[:, column], start, own)
        assert found["completers"][k] == pytest.approx(completers, abs=1e-12)
        assert found["prevented"][k] == pytest.approx(prevented, abs=1e-12)


@settings(deadline=None)
@given(st.integers(0, 10_000), st.floats(0.001, 1), st.floats(1, 1e6), st.floats(0.01, 1000))
def test_worth_is_net_benefit_in_other_units(seed, kept, value, cost):
    rng = np.random.default_rng(seed)
    y, contacted = rng.random(40) < 0.4, rng.random(40) < 0.5
    if cost >= kept * value:  # a threshold of one or more: nobody is contacted
        return
    by_counts, by_curve = model.worth_by_net_benefit(y, contacted, kept, value, cost)
    assert by_counts == pytest.approx(by_curve, rel=1e-9, abs=1e-9 * max(1.0, value))


def test_a_kept_leaver_for_sure_is_the_decision_curve_of_chapter_06():
    y, contacted = np.array([1, 0, 1, 1, 0]), np.array([1, 1, 1, 0, 0])
    by_counts, _ = model.worth_by_net_benefit(y, contacted, 1.0, 50.0, 20.0)
    assert by_counts / (50 - 20) == pytest.approx(2 / 5 - 1 / 5 * 0.4 / 0.6)


def test_information_power_and_effective_size():
    assert model.information(100, 100) == 50
    assert model.effective(40, 100, 1.0) == pytest.approx(100)
    assert model.effective(40, 100, 0.0) == pytest.approx(40)
    effect = model.effect_for(0.9, 50.0)
    assert model.power_of(effect, 50.0) == pytest.approx(0.9, abs=1e-4)
    assert model.power_of(0.0, 50.0) == pytest.approx(0.05)


def test_the_oracle_needs_fewer_contacts_and_ceilings_rise_with_the_effect(rng):
    time, cause, stratum = cohort(rng)
    found = model.ceilings(time, cause, stratum, {"hr90": 0.9, "hr80": 0.8, "hr70": 0.7}, 7)
    for by in found.values():
        gains = [one["completers_gained"] for one in by.values()]
        assert gains == sorted(gains)
        assert all(one["contacts_oracle"] < one["contacts_everybody"] for one in by.values())
    assert found["all"]["hr80"]["completers_gained"] > found["addressable"]["hr80"]["completers_gained"]


def test_small_strata_join():
    counts = {0: 4, 1: 8, 2: 30}
    stratum = np.repeat([0, 1, 2], [4, 8, 30])
    merged = model.merged(stratum, np.array([counts[one] for one in stratum]))
    assert len(np.unique(merged)) == 1
    assert merged.min() == 0


def test_priors_follow_from_the_evidence():
    prior = model.prior()
    assert prior["mean"] == pytest.approx(-0.0996, abs=5e-5)
    assert prior["sd"] == pytest.approx(0.1312, abs=5e-5)
    assert [round(prior[key], 2) for key in ("low", "high", "below_one")] == [0.70, 1.17, 0.78]
    assert [round(prior[key], 2) for key in ("pooled", "pooled_low", "pooled_high")] == [0.84, 0.60, 1.18]
    ratios = [model.hazard_ratio(fact["counts"]) for fact in model.EVIDENCE["facts"] if fact.get("counts")]
    assert [round(float(np.exp(log)), 2) for log, _ in ratios] == [0.92, 0.81]


def test_costs_of_the_parameters_stand_in_the_evidence():
    from attrition import params

    p = params.load("10_worth")
    assert sorted(p.patient_costs) == sorted(model.cost("patient cost"))
    assert p.patient_cost in p.patient_costs
    assert p.contact_cost in p.contact_costs
    facts = model.facts_table()
    priors = facts[facts["used_for"] == "effect"]
    assert len(priors) == 2
    assert (priors["verified"] == "yes").all()
    assert facts["source"].notna().all()


def drawn(rng, n=4000):
    """Draws of three strategies: the effect is all that is uncertain."""
    gain = rng.normal(1.0, 2.0, n)
    return gain, {"nobody": np.zeros(n), "everybody": gain - 0.5, "some": 0.5 * gain - 0.1}


def test_value_of_information_is_the_mean_of_the_best_less_the_best_mean(rng):
    gain, worth = drawn(rng)
    table = np.stack(list(worth.values()))
    all_of_it = model.perfect_information(worth)
    assert all_of_it["value"] == pytest.approx(table.max(axis=0).mean() - table.mean(axis=1).max())
    part = model.partial_information(worth, gain, bins=1000)
    assert part["value"] == pytest.approx(all_of_it["value"], abs=0.01)
    assert model.partial_information(worth, rng.random(len(gain)))["value"] < 0.05


def test_information_on_what_does_not_matter_is_worth_nothing(rng):
    worth = {"nobody": np.zeros(500), "everybody": np.full(500, 3.0)}
    assert model.perfect_information(worth)["value"] == 0
    assert model.partial_information(worth, rng.random(500))["value"] == 0


@pytest.mark.parametrize(
    ("everybody", "some", "n", "grade"),
    [
        (0.2, 0.1, 50, "not shown"),
        (9.0, 4.0, 50, "everybody"),
        (-9.0, 9.0, 50, "targeting"),
        (0.5, 9.0, 50, "targeting"),
        (9.0, 9.5, 9, "cannot be judged"),
    ],
)
def test_the_verdict_follows_the_order_of_its_rules(rng, everybody, some, n, grade):
    noise = rng.normal(0, 1, (2, 2000))
    worth = {"nobody": np.zeros(2000), "everybody": everybody + noise[0], "some": some + noise[1]}
    found = model.verdict(worth, n, ["some"])
    assert found["grade"] == grade
    assert found["best"] == max(worth, key=lambda name: worth[name].mean())


def test_a_strategy_shown_to_be_worth_it_beside_an_unclear_everybody_is_told_as_choosing(rng):
    common = rng.normal(0, 3, 2000)
    worth = {"nobody": np.zeros(2000), "everybody": 5 + common, "some": 1 + rng.normal(0, 0.1, 2000)}
    assert model.verdict(worth, 50, ["some"])["grade"] == "choosing"


def test_simultaneous_intervals_are_wider_than_single_ones(rng):
    worth = {"nobody": np.zeros(3000)} | {f"s{k}": rng.normal(0, 1, 3000) for k in range(8)}
    one = model.simultaneous({k: worth[k] for k in ("nobody", "s0")}, "nobody")["s0"]
    many = model.simultaneous(worth, "nobody")["s0"]
    assert one["ci_high"] < many["ci_high"]
    held = [all(abs(worth[s][b]) < many["ci_high"] + 0.2 for s in worth) for b in range(3000)]
    assert np.mean(held) > 0.93


@pytest.mark.parametrize("grade", ["cannot be judged", "not shown", "everybody", "choosing", "targeting"])
def test_every_grade_has_its_verdicts(grade):
    whether, better = model.verdicts(grade)
    assert (whether == "supported") == (grade in ("everybody", "choosing", "targeting"))
    assert (better == "supported") == (grade == "targeting")
    assert (whether == "not testable") == (grade == "cannot be judged")


def test_thresholds_of_the_specification():
    """At h = .8 and 14,200 USD a completer, .40 means a contact of about 240 USD."""
    kept, value = 1.98 / 46.7, 14_200
    assert 0.40 * kept * value == pytest.approx(240, abs=2)
    assert model.threshold(10, kept, value) == pytest.approx(0.017, abs=5e-4)


def test_every_strategy_has_a_label():
    from attrition.worth import strategies

    names = ["nobody", "everybody", "oracle", "arm", "retrieve", "missed_visit", "silent_28"]
    names += [f"{stem}_{k}" for stem, k in itertools.product(("all_cause", "addressable"), (10, 50))]
    assert len({strategies.label(name) for name in names}) == len(names)
