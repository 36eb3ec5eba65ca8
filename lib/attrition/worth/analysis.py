"""The chapter's analysis: draws of completers gained and of worth, by strategy and landmark, and what follows."""

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from attrition import seeds
from attrition.cdisc.trial import Trial
from attrition.landmark import prediction, uncertainty
from attrition.landmark.prediction import Problem
from attrition.survival.incidence import aalen_johansen
from attrition.worth import model, strategies
from attrition.worth.model import EACH, EVERYBODY, NOBODY, ORACLE, RETRIEVE, Array
from attrition.worth.strategies import Course, Strategy, family, label
from notebook_report.text import INTERVAL, interval_text

RATIOS = {"hr90": 0.9, "hr80": 0.8, "hr70": 0.7}
DELTAS = (0, 7, 14, 28)


@dataclass(frozen=True)
class Money:
    """What a contact and a further patient cost; a completer bought by recruiting costs `value`."""

    contact: float
    patient: float
    value: float
    currency: str
    stated: bool
    """Whether the trial's own plan says so; else the report's defaults."""
    contacts: tuple[float, ...] = ()
    patients: tuple[float, ...] = ()

    @property
    def shown(self) -> tuple[float, float]:
        """The cost of a contact, and the next one."""
        return self.contact, next((cost for cost in self.contacts if cost > self.contact), 5 * self.contact)


def money(trial: Trial, p: Any, dropout: float, defaults: bool) -> Money | None:
    """Costs of the trial's plan, or the report's where `defaults` may stand for it; None: no money."""
    plan = trial.definitions.plan
    stated = {"contact_cost", "patient_cost"} <= set(plan)
    if not (stated or defaults) or not dropout < 1:
        return None
    costs = plan if stated else vars(p) | {"currency": "USD"}
    contact, patient = float(costs["contact_cost"]), float(costs["patient_cost"])
    grid = ((contact, 5 * contact), (patient,)) if stated else (tuple(p.contact_costs), tuple(p.patient_costs))
    value = model.value_of_completer(patient, dropout)
    return Money(contact, patient, value, costs.get("currency", ""), stated, *grid)


@dataclass(frozen=True)
class Draws:
    """What one strategy does in every draw, per 100 at risk: contacts, completers gained, leavers prevented."""

    contacts: Array
    completers: Array
    prevented: Array


@dataclass(frozen=True)
class Psi:
    """The uncertain: which half of the patients, which effect, which share of leavers gives the outcome."""

    half: Array
    log_h: Array
    retrieved: Array

    @classmethod
    def drawn(cls, n: int, n_halves: int, seed: int, day: int) -> "Psi":
        """So many draws, the half-samples in turn."""
        rng, prior = seeds.stream(seed, "worth psi", day), model.prior()
        log_h = rng.normal(prior["mean"], prior["sd"], n)
        a, b = model.EVIDENCE["retrieved"]
        return cls(np.arange(n) % n_halves, log_h, rng.beta(a, b, n))


def _per_100(weight: Array, some: Array) -> Array:
    """How many of 100 patients are some of them, in every column of the weights."""
    return 100 * (weight * some).sum(axis=0) / weight.sum(axis=0)


def _gained(
    own: Course, one: Strategy, stratum: Array, weight: Array, start: Array, log_h: Any, half: Any, *effect: Any
) -> dict[str, Array]:
    """`model.gained` by a strategy; `half` is the column of the weights, `effect` delay and days in which it halves."""
    counted, day = (weight * np.isfinite(start), 0.0) if one.at_once else (weight, start[:, 0])
    return model.gained(own.time, own.cause, stratum, counted, day, log_h, *effect, half=half)


def evaluated(
    own: Course, one: Strategy, weight: Array, start: Array, log_h: Mapping[int, Any], half: Any, *effect: Any
) -> Draws:
    """Contacts, completers gained and leavers prevented per 100 at risk, in every draw: a column of the weights each.

    Strata are the arms, small ones together where only those count who are contacted.
    """
    stratum = own.arm
    if one.at_once:
        contacted = pd.Series(np.isfinite(one.start).mean(axis=1)).groupby(own.arm).transform("sum")
        stratum = model.merged(own.arm, contacted.to_numpy())
    found = _gained(own, one, stratum, weight, start, log_h, half, *effect)
    gains = (100 * found[name] / weight.sum(axis=0)[half] for name in ("completers", "prevented"))
    return Draws(_per_100(weight, np.isfinite(start))[half], *gains)


def at_ratio(own: Course, one: Strategy, ratio: float, *effect: Any) -> dict[str, float]:
    """`evaluated` on all patients with a fixed hazard ratio of the addressable reasons, the mean over repeats."""
    everyone, log_h = np.ones((len(own.time), 1)), {model.ADDRESSABLE: np.log(ratio)}
    found = evaluated(own, one, everyone, one.start, log_h, EACH, *effect)
    return {name: float(np.mean(value)) for name, value in vars(found).items()}


def draws(
    own: Course, every: Sequence[Strategy], halves: Array, psi: Psi, delta: float, h_adverse: float = 1.0
) -> dict[str, Draws]:
    """`Draws` of every strategy and of the oracle, which contacts neither a stayer nor whom a contact drives away."""
    log_h: dict[int, Any] = {model.ADDRESSABLE: psi.log_h}
    if h_adverse != 1:
        log_h[model.ADVERSE] = np.log(h_adverse)
    found = {}
    for one in every:
        start = one.start[:, :1] if one.drawn is None else one.drawn
        found[one.name] = evaluated(own, one, halves, start, log_h, psi.half, delta)
    everybody = found[EVERYBODY]
    gains = [np.maximum(one, 0.0) for one in (everybody.completers, everybody.prevented)]
    found[ORACLE] = Draws(_per_100(halves, own.late(delta)[:, None])[psi.half], *gains)
    return found


def retrieval(own: Course, halves: Array, psi: Psi, has_outcome: Array) -> Draws:
    """Leavers (of no competing reason) asked for the final outcome: outcomes gained stand where completers do."""
    contacts = _per_100(halves, (own.leaves & ~has_outcome)[:, None])[psi.half]
    return Draws(contacts, psi.retrieved * contacts, np.zeros(len(contacts)))


@dataclass(frozen=True)
class Landmark:
    """Everything at one landmark."""

    own: Course
    scores: strategies.Scores
    every: list[Strategy]
    halves: Array
    psi: Psi
    drawn: dict[str, Draws]
    has_outcome: Array

    def worth(
        self, money: Money | None, contact: float | None = None, drawn: Mapping[str, Draws] | None = None
    ) -> dict[str, Array]:
        """Money of every strategy that can be followed, per 100 at risk; without money completers, contacts free."""
        value, cost = (money.value, money.contact if contact is None else contact) if money else (1.0, 0.0)
        able = {name: one for name, one in (drawn or self.drawn).items() if name not in (ORACLE, RETRIEVE)}
        return {name: model.worth(one.completers, one.contacts, value, cost) for name, one in able.items()}


def at_landmark(
    trial: Trial, of: Problem, own: Course, p: Any, seed: int, n_halves: int, has_outcome: Collection[str]
) -> Landmark:
    """Scores, strategies and draws at a landmark."""
    scored = strategies.scores(of, own, p, n_halves, seed)
    every, halves = strategies.strategies(trial, own, scored), scored.inside
    psi = Psi.drawn(p.n_draws, halves.shape[1], seed, own.landmark)
    found = draws(own, every, halves, psi, p.delta)
    known = own.ids.isin(list(has_outcome))
    found[RETRIEVE] = retrieval(own, halves, psi, known)
    return Landmark(own, scored, every, halves, psi, found, known)


def verdict(at: Landmark, money: Money | None, p: Any, contact: float | None = None, **changed: Any) -> dict[str, Any]:
    """`model.verdict` at a landmark, as planned or with another effect on adverse events, delay or contact cost."""
    delta = changed.get("delta", p.delta)
    drawn = draws(at.own, at.every, at.halves, at.psi, **({"delta": p.delta} | changed)) if changed else at.drawn
    targeted = [one.name for one in at.every if one.name not in (NOBODY, EVERYBODY)]
    return model.verdict(at.worth(money, contact, drawn), int(at.own.late(delta).sum()), targeted)


def table(at: Landmark, money: Money | None) -> pd.DataFrame:
    """A row a strategy: contacts, completers gained, leavers prevented, worth at two costs of a contact."""
    rows = []
    for name, one in at.drawn.items():
        row: dict[str, Any] = {"strategy": name, "label": label(name), "contacts": one.contacts.mean()}
        row |= {"prevented": one.prevented.mean(), **_ends(one.completers)}
        for k, cost in enumerate(money.shown if money else ()):
            drawn = model.ends(model.worth(one.completers, one.contacts, money.value if money else 1.0, cost))
            row |= {f"worth_{k + 1}{end}": v for end, v in zip(("", "_low", "_high"), drawn.values(), strict=True)}
        rows.append(row)
    return pd.DataFrame(rows)


def _ends(drawn: Array, value: float | None = None, name: str = "completers") -> dict[str, float]:
    """`model.ends` as columns of a table."""
    found = model.ends(drawn, value)
    return {name: found["value"], "ci_low": found["ci_low"], "ci_high": found["ci_high"]}


def shown(at: Landmark, money: Money | None, power: Mapping[str, Any] | None) -> pd.DataFrame:
    """`table` as the chapter shows it: estimates with intervals, and information and power at the prior median."""
    rows, by = table(at, money), (power or {}).get("by_strategy", {})
    found = rows[["label", "contacts", "prevented"]].copy()
    for name, form in {"completers": ".2f", "worth_1": ",.0f", "worth_2": ",.0f"}.items():
        low, high = ("ci_low", "ci_high") if name == "completers" else (f"{name}_low", f"{name}_high")
        if name in rows:
            each = zip(rows[name], rows[low], rows[high], strict=True)
            found[name] = [interval_text(dict(zip(INTERVAL, ends, strict=True)), form) for ends in each]
    if by:
        found.insert(4, "patients_worth", [by.get(name, {}).get("patients_worth") for name in rows["strategy"]])
        found.insert(5, "power", [by.get(name, {}).get("power") for name in rows["strategy"]])
    return found


def by_ratio(at: Landmark, p: Any) -> dict[str, dict[str, float]]:
    """Completers gained per 100 at risk at fixed hazard ratios, and with an effect that halves every eight weeks."""
    found: dict[str, dict[str, float]] = {}
    for one in at.every:
        fixed = {f"hr{round(100 * r)}": at_ratio(at.own, one, r, p.delta)["completers"] for r in (1.0, 0.9, 0.8, 0.7)}
        found[one.name] = fixed | {"hr80_halving": at_ratio(at.own, one, 0.8, p.delta, 56)["completers"]}
    return found


def lead_time(trial: Trial, days: Sequence[int], ratio: float) -> pd.DataFrame:
    """By landmark, per 100 randomised: who has left, who will, and what contacts with everybody still gain."""
    rows, n = [], len(trial.patients)
    for day in days:
        own = strategies.course(trial, day)
        if len(own.ids) < 2:
            continue
        row = {"landmark": day, "at_risk": len(own.ids), "gone": 100 * (n - len(own.ids)) / n}
        row["to_come"] = 100 * (own.cause != model.STAYED).sum() / n
        row["addressable"] = 100 * (own.cause == model.ADDRESSABLE).sum() / n
        everybody = Strategy(EVERYBODY, np.zeros((len(own.ids), 1)))
        share = len(own.ids) / n
        row |= {f"delta_{d}": at_ratio(own, everybody, ratio, d)["completers"] * share for d in DELTAS}
        rows.append(row)
    return pd.DataFrame(rows)


def power(trial: Trial, at: Landmark, p: Any, rho: float, n_earlier: Mapping[str, int] | None) -> dict[str, Any] | None:
    """Power of the comparison of the first arm with the last: all measured, completers only, and with what is gained.

    Parameters
    ----------
    trial : Trial
    at : Landmark
    p : parameters of the chapter
    rho : float
        Correlation of the outcome with an earlier measurement.
    n_earlier : mapping of str to int, optional
        Patients of each arm who have that; default: all.

    Returns
    -------
    dict or None
        ``patients_worth`` is information gained in units of one randomised patient. None without a second arm, or
        where nobody is seen to complete.
    """
    arms, plan = [0, len(trial.arms) - 1], trial.definitions.plan
    of_arm = [trial.patients["arm"].eq(trial.arms[k]) for k in arms]
    stayed = trial.patients["status"].eq("none")
    full, left = (np.array([who.sum() for who in some], float) for some in (of_arm, [one & stayed for one in of_arm]))
    if len(trial.arms) < 2 or not left.all():
        return None
    earlier = full if n_earlier is None else np.array([n_earlier[trial.arms[arm]] for arm in arms])
    stated, alpha = {"effect", "sd"} <= set(plan), plan.get("alpha", 0.05)
    whole = float(model.information(*full))
    effect = abs(plan["effect"] / plan["sd"]) if stated else model.effect_for(p.power, whole, alpha)

    def of(more: Sequence[float] = (0.0, 0.0), rho: float = 0.0) -> dict[str, float]:
        sizes = [model.effective(n, e, rho) for n, e in zip(left + more, earlier, strict=True)]
        info = float(model.information(*sizes))
        gain = (info - float(model.information(*left))) / (whole / full.sum())
        return {"power": float(model.power_of(effect, info, alpha)), "patients_worth": gain}

    def gain(one: Strategy, ratio: float) -> list[float]:
        everyone, log_h = np.ones((len(at.own.time), 1)), {model.ADDRESSABLE: np.log(ratio)}
        by = _gained(at.own, one, at.own.arm, everyone, one.start, log_h, EACH, p.delta)["by_stratum"].mean(axis=1)
        known = dict(zip(np.unique(at.own.arm).tolist(), by.tolist(), strict=True))
        return [known.get(arm, 0.0) for arm in arms]

    everybody, prior = next(one for one in at.every if one.name == EVERYBODY), float(np.exp(at.psi.log_h.mean()))
    asked = at.own.leaves & ~at.has_outcome
    retrieved = [float(at.psi.retrieved.mean()) * float((asked & (at.own.arm == arm)).sum()) for arm in arms]
    found = {"full": {"power": float(model.power_of(effect, whole, alpha))}, "completers": of()}
    found |= {"retrieve": of(retrieved), "completers_rho": of(rho=rho)}
    found |= {f"everybody_{name}": of(gain(everybody, ratio)) for name, ratio in {"prior": prior, **RATIOS}.items()}
    powers = {name: one["power"] for name, one in found.items()}
    gains = {f"gain_{name}": one["power"] - powers["completers"] for name, one in found.items() if name != "full"}
    facts: dict[str, Any] = {"arms": [trial.arms[arm] for arm in arms], "effect": effect, "stated": stated, "rho": rho}
    facts |= powers | gains | {"patients_worth": {n: one["patients_worth"] for n, one in found.items() if n != "full"}}
    return facts | {"by_strategy": {one.name: of(gain(one, prior)) for one in at.every} | {RETRIEVE: found["retrieve"]}}


def of_the_arm(at: Landmark, money: Money | None, p: Any, decisions: Mapping[str, Any]) -> dict[str, Any] | None:
    """What contacting by the arm finds and keeps, beside the thresholds at which chapter 06 says that it pays.

    ``kept``: completers gained at a hazard ratio of .80 for each leaver found; ``cost_low, cost_high``: what a contact
    costs whoever contacts at those thresholds, at that effect; ``threshold``: where the stated cost puts it.
    """
    arm = next((one for one in at.every if one.name == "arm"), None)
    if arm is None:
        return None
    contacted = np.isfinite(arm.start[:, 0])
    found = contacted & at.own.leaves
    n, one = len(contacted), at_ratio(at.own, arm, 0.8, p.delta)
    facts: dict[str, Any] = {"contacts": 100 * contacted.mean(), "found": 100 * found.mean()}
    facts["addressable"] = 100 * float((found & (at.own.cause == model.ADDRESSABLE)).sum()) / n
    facts |= {"completers": one["completers"], "kept": one["completers"] / facts["found"] if found.any() else 0.0}
    facts["lowest_risk"] = float(pd.Series(at.own.leaves).groupby(at.own.arm).mean().min())
    own = decisions.get("arm_only") or {}
    facts |= {"low": own.get("low"), "high": own.get("high")}
    if money is None or not facts["kept"] > 0:
        return facts | {"threshold": None, "cost_low": None, "cost_high": None}
    facts["threshold"] = model.threshold(money.contact, facts["kept"], money.value)
    by = {end: None if facts[end] is None else facts[end] * facts["kept"] * money.value for end in ("low", "high")}
    return facts | {"cost_low": by["low"], "cost_high": by["high"]}


def frontier(at: Landmark, p: Any, ratio: float = 0.8) -> pd.DataFrame:
    """Contacts and completers gained per 100 at a fixed hazard ratio; intervals are of other patients and fits."""
    n = at.halves.shape[1]
    fixed = Psi(np.arange(n), np.full(n, np.log(ratio)), np.zeros(n))
    drawn = draws(at.own, at.every, at.halves, fixed, p.delta)
    whole = {one.name: at_ratio(at.own, one, ratio, p.delta) for one in at.every}
    most, late = max(whole[EVERYBODY]["completers"], 0), float(at.own.late(p.delta).mean())
    whole[ORACLE] = {"contacts": 100 * late, "completers": most}
    rows = []
    for name, one in whole.items():
        named = {"strategy": name, "family": family(name)[0], "label": label(name), "contacts": one["contacts"]}
        rows.append(named | _ends(drawn[name].completers, one["completers"]))
    return pd.DataFrame(rows)


def grid(found: "Worth", p: Any) -> pd.DataFrame | None:
    """Contacting everybody, and the value of information, at other costs; None without money."""
    if found.money is None:
        return None
    rows, at = [], found.here
    for patient in found.money.patients:
        value = model.value_of_completer(patient, found.dropout)
        for contact in found.money.contacts:
            costs = dataclasses.replace(found.money, contact=contact, patient=patient, value=value)
            worth = at.worth(costs)
            row = {"patient_cost": patient, "contact_cost": contact, **_ends(worth[EVERYBODY], name="everybody")}
            row["p_positive"] = float((worth[EVERYBODY] > 0).mean())
            row["cap"] = contact * (100 - 100 * float(at.own.late(p.delta).mean()))
            row["evpi"] = model.perfect_information(worth)["value"]
            row["evppi"] = model.partial_information(worth, at.psi.log_h)["value"]
            rows.append(row | {"grade": verdict(at, costs, p)["grade"]})
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class Worth:
    """What chapter 10 shows: every landmark, the main one, money, and results as they are stored."""

    at: dict[int, Landmark]
    main: int
    money: Money | None
    dropout: float

    @property
    def here(self) -> Landmark:
        """The main landmark."""
        return self.at[self.main]


def run(trial: Trial, p: Any, seed: int, defaults: bool, has_outcome: Collection[str] = ()) -> Worth:
    """Everything at every landmark at which somebody is left; the main one is that with most leavers to come.

    Parameters
    ----------
    trial : Trial
    p : parameters of the chapter
    seed : int
    defaults : bool
        Whether costs that the trial's plan has not are the report's.
    has_outcome : collection of str
        Patients whose final outcome is there, although they left.
    """
    courses = {day: strategies.course(trial, day) for day in trial.landmarks}
    courses = {day: own for day, own in courses.items() if len(own.ids) >= 2} or {0: strategies.course(trial, 0)}
    main = max(courses, key=lambda day: ((courses[day].cause > 0).sum(), -day))
    problems = {day: prediction.problem(trial, day) for day in courses}
    own = uncertainty.sized(p, problems[main])
    halves = {day: own.n_half_samples if day == main else own.n_half_samples_other for day in courses}
    at = {day: at_landmark(trial, problems[day], courses[day], own, seed, n, has_outcome) for day, n in halves.items()}
    all_left = (trial.patients["status"].isin(["primary", "competing"])).to_numpy()
    dropout = 1 - float(aalen_johansen(trial.patients["time"], all_left.astype(int), 1).event_free[-1])
    return Worth(at, main, money(trial, p, dropout, defaults), dropout)


def settled(found: Worth, p: Any) -> dict[str, Any]:
    """Verdict with what it would turn on: adverse events moved a little, a later effect, the next cost of a contact."""
    at, money = found.here, found.money
    main = verdict(at, money, p)
    others = {"h_adverse": verdict(at, money, p, h_adverse=0.95), "delta": verdict(at, money, p, delta=28)}
    if money:
        others["next_cost"] = verdict(at, money, p, contact=money.shown[1])
    turns = {name: one["grade"] for name, one in others.items()}
    main |= {"beats": [label(name) for name in main["beats_everybody"]], "choose": label(main["best"])}
    main["shown"] = [label(name) for name in main["worth_it"]]
    return main | {"turns": turns, "firm": all(grade == main["grade"] for grade in turns.values())}


def limits(found: Worth, p: Any) -> dict[str, Any]:
    """The cap on any way of choosing, and the value of knowing everything, or the effect, first; per 100 at risk."""
    at, money = found.here, found.money
    to_come = float(100 * at.own.late(p.delta).mean())
    saved = 100 - to_come
    cap = {"contacts_saved": saved, "addressable": to_come, "value": saved * money.contact if money else None}
    if money is None:
        return {"cap": cap, "evpi": None, "evppi": None, "cost_per_completer": None}
    worth = at.worth(money)
    both = {"evpi": model.perfect_information(worth), "evppi": model.partial_information(worth, at.psi.log_h)}
    scale = len(at.own.ids) / 100
    both = {name: one | {"per_trial": one["value"] * scale} for name, one in both.items()}
    everybody = at.drawn[EVERYBODY].completers
    kept = model.ends(everybody)
    shown = kept["ci_low"] > 0
    each = {"value": 100 * money.contact / kept["value"] if shown else None, "recruited": money.value}
    each["p_below"] = float((worth[EVERYBODY] > 0).mean())
    return {"cap": cap, **both, "cost_per_completer": each}


def numbers(trial: Trial, found: Worth, p: Any) -> dict[str, Any]:
    """The results of the chapter, per 100 at risk at the main landmark where nothing else is said."""
    at = found.here
    counts = {name: int((at.own.cause == cause).sum()) for name, cause in model.CAUSES.items()}
    lead = lead_time(trial, sorted({0, *found.at}), 0.8)
    randomised = {str(int(row.pop("landmark"))): row for row in lead.to_dict("records")}
    facts: dict[str, Any] = {"landmark": found.main, "n_at_risk": len(at.own.ids), "n_randomised": len(trial.patients)}
    facts |= {"at_risk_by_reason": counts, "n_addressable_late": int(at.own.late(p.delta).sum())}
    facts["prior"] = model.prior()
    facts["ceiling"] = model.ceilings(at.own.time, at.own.cause, at.own.arm, RATIOS, p.delta)
    facts["per_100_randomised"] = {"D": 100 * found.dropout} | randomised
    facts["auroc"] = {
        str(day): {name: one.interval(strategies.SCORE, "auroc") for name, one in own.scores.developed.items()}
        for day, own in found.at.items()
    }
    facts["completers_by_ratio"] = by_ratio(at, p)
    facts["strategies"] = {
        str(day): table(own, found.money).drop(columns="label").set_index("strategy").to_dict("index")
        for day, own in found.at.items()
    }
    facts["money"] = None if found.money is None else dataclasses.asdict(found.money)
    facts["to_come"], facts["everybody"] = sum(counts.values()), model.ends(at.drawn[EVERYBODY].completers)
    facts["retrieve"], facts["q"] = model.ends(at.drawn[RETRIEVE].completers), float(at.psi.retrieved.mean())
    if found.money:
        asked, money = at.drawn[RETRIEVE], found.money
        facts["retrieve_worth"] = model.ends(model.worth(asked.completers, asked.contacts, money.value, money.contact))
    facts["known_addressable"] = facts["auroc"][str(found.main)].get("addressable")
    facts["p_completers_positive"] = float((at.drawn[EVERYBODY].completers > 0).mean())
    return facts | limits(found, p) | {"verdict": settled(found, p)}
