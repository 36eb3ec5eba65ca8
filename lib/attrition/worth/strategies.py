"""Whom each strategy contacts and when, from what was known on that day; and the scores that some of them go by.

All-cause risk is the wrong score where only some reasons can be moved: so the risk of an addressable reason (own wish,
lost to follow-up) is predicted beside it, by the same regression, folds and half-samples as in chapter 06. Neither
knows the arm, which a running trial does not know either.
"""

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from attrition import seeds, settings
from attrition.cdisc.trial import COMPETING as COMPETING_GROUP
from attrition.cdisc.trial import NO_EVENT, STANDARD, Trial
from attrition.landmark import cohort, prediction, uncertainty
from attrition.landmark.prediction import Problem
from attrition.worth import model
from attrition.worth.model import Array

SAID: dict[str, Any] = settings.declared(__file__, "strategies.yaml")
"""Label and look of every family of strategies, in order."""
SCORE = "all_without_arm"
CAPACITIES = (10, 20, 30, 50)
SILENT = (14, 28)
SEEN = ("visit", "lab", "vital sign", "questionnaire", "adverse event")
"""Kinds of records by which a patient is heard of."""


def family(name: str) -> tuple[str, str]:
    """The family of a strategy, a key of `SAID`, and the number that its name ends in."""
    stem, _, number = name.rpartition("_")
    return (stem, number) if number.isdigit() else (name, "")


def label(name: str) -> str:
    """A strategy's name in tables and figures.

    >>> label("all_cause_30"), label("silent_14")
    ('highest risk of leaving, 30 per 100', 'not heard of for 14 days')
    """
    stem, number = family(name)
    return SAID[stem]["label"].format(number)


def reasons(trial: Trial) -> pd.Series:
    """Why each patient left by the horizon, by what a contact can move: a key of `model.CAUSES`, or ``"stayed"``.

    The recorded term decides, then its group: lost to follow-up is addressable, whatever group it stands in.
    """
    patients, words = trial.patients.set_index("id"), model.EVIDENCE["reasons"]
    group, reason = patients["event_group"].fillna(NO_EVENT), patients["reason"].fillna("").astype(str)
    usual = reason.str.upper().map(STANDARD["reasons"]).fillna("")
    told = (reason + "; " + group + "; " + usual).str.lower()
    kinds = {text: [kind for kind in words if any(word in text for word in words[kind])] for text in told.unique()}
    found = told.map({text: [*own, "other"][0] for text, own in kinds.items()})
    return found.mask(group.eq(COMPETING_GROUP), "competing").mask(group.eq(NO_EVENT), "stayed")


@dataclass(frozen=True)
class Course:
    """The patients at risk at a landmark: days from it to leaving or to the end, why, and their arm by number."""

    landmark: int
    ids: pd.Index
    time: Array
    cause: Array
    arm: Array

    @property
    def leaves(self) -> Array:
        """Who leaves for any reason but a competing one."""
        return ~np.isin(self.cause, (model.STAYED, model.COMPETING))

    def late(self, delta: float, cause: int = model.ADDRESSABLE) -> Array:
        """Who leaves for a cause so many days after the landmark or later."""
        return (self.cause == cause) & (self.time > delta)


def course(trial: Trial, day: int) -> Course:
    """`Course` of a trial at a landmark."""
    ids = pd.Index(cohort.at_risk(trial, day), name="id")
    patients, why = trial.patients.set_index("id").loc[ids], reasons(trial).loc[ids]
    cause = why.map({"stayed": model.STAYED} | model.CAUSES).to_numpy(int)
    arm = patients["arm"].map({name: k for k, name in enumerate(trial.arms)}).to_numpy(int)
    return Course(day, ids, (patients["time"] - day).to_numpy(float), cause, arm)


@dataclass(frozen=True)
class Strategy:
    """A way of choosing whom to contact.

    ``start`` is the day of the contact from the landmark on (inf: never), a column a repeat of cross-validation;
    ``drawn`` the same a half-sample, where scores are developed anew. Contacted patients are strata of their own where
    that is decided at the landmark (`at_once`).
    """

    name: str
    start: Array
    at_once: bool = True
    drawn: Array | None = None

    @property
    def chooses(self) -> bool:
        """Whether somebody is contacted and somebody is not."""
        return bool(np.isfinite(self.start).any() and not np.isfinite(self.start).all())


def missed_visit(trial: Trial, ids: pd.Index, day: int, window: int = cohort.VISIT_WINDOW) -> Array:
    """Day, from the landmark on, on which the first planned visit counts as missed; inf where none is, or too late."""
    visits = trial.events[trial.events["kind"].eq("visit")]
    ends = trial.patients.set_index("id")["event_day"].loc[ids].to_numpy(float)
    start = np.full(len(ids), np.inf)
    for planned in sorted((d for d in trial.schedule if d + window > day and d <= trial.horizon), reverse=True):
        seen = ids.isin(visits["id"][(visits["day"] - planned).abs() <= window])
        start[~seen & (ends > planned + window)] = planned + window - day
    return start


def silent(trial: Trial, ids: pd.Index, day: int, gap: int) -> Array:
    """Day, from the landmark on, of the first `gap` days without being heard of, as all are on day 0; inf: never."""
    heard = trial.events[trial.events["kind"].isin(SEEN)]
    days = heard.assign(day=heard[["day", "known_day"]].max(axis=1))[["id", "day"]].dropna().drop_duplicates()
    known = pd.concat([pd.Series(0.0, ids), days.set_index("id")["day"]]).sort_values(kind="stable")
    begins, until = np.maximum(known + gap, day), known.groupby(level=0).shift(-1, fill_value=np.inf)
    first = begins[begins < until].groupby(level=0).min().reindex(ids)
    return np.where(first < trial.patients.set_index("id")["event_day"].loc[ids], first - day, np.inf)


def top(scores: Array, per_100: float) -> Array:
    """Contact at the landmark (0) of so many per 100 with the highest scores, a column each; NaN is nobody's score."""
    known = np.isfinite(scores)
    places = np.argsort(np.argsort(-np.where(known, scores, -np.inf), axis=0, kind="stable"), axis=0, kind="stable")
    return np.where(known & (places < np.round(per_100 / 100 * known.sum(axis=0))), 0.0, np.inf)


def addressable(of: Problem, own: Course) -> Problem:
    """The problem of a landmark with an addressable reason as the event, all others competing."""
    y = (own.cause == model.ADDRESSABLE).astype(int)
    cause = None if of.cause is None else np.where(own.cause == model.STAYED, 0, np.where(y == 1, 1, 2))
    return dataclasses.replace(of, y=y, cause=cause)


@dataclass(frozen=True)
class Scores:
    """Out-of-fold risks of leaving at all and for an addressable reason, and who is in each half-sample (1, else 0)."""

    inside: Array
    developed: dict[str, uncertainty.Developed] = field(default_factory=dict)


def scores(of: Problem, own: Course, p: Any, n_halves: int, seed: int) -> Scores:
    """`Scores` at a landmark; no score where a regression has too few events, or nothing to know."""
    problems = {"all_cause": of, "addressable": addressable(of, own)}
    fewest = max(prediction.MINIMUM_EVENTS, p.n_folds)
    usable = {name: one for name, one in problems.items() if prediction.enough(one, fewest) and one.columns(SCORE)}
    rng, known, n = seeds.stream(seed, "worth", own.landmark), of.weight > 0, len(own.ids)
    if not usable:
        order = np.argsort(rng.random((n, uncertainty.TWICE * n_halves)), axis=0).argsort(axis=0)
        return Scores((order < max(n // 2, 1)).astype(float))
    base, n_splits = usable.get("addressable", of), uncertainty.splits(p)
    drawn = uncertainty.halves(base.y, n_halves, p.n_folds, rng, known, n_splits)
    folds = prediction.folds_of(base, p.n_folds, p.n_repeats, seed)
    chosen = {name: {SCORE: (SCORE, prediction.ridge(one, SCORE, seed))} for name, one in usable.items()}
    found = {name: uncertainty.develop(usable[name], chosen[name], folds, drawn, n_splits=n_splits) for name in usable}
    return Scores((next(iter(found.values())).half_fold >= 0).astype(float), found)


def strategies(trial: Trial, own: Course, found: Scores) -> list[Strategy]:
    """Every strategy that the trial's data allow at a landmark; those by a score at each capacity."""
    n, of = len(own.ids), (trial, own.ids, own.landmark)
    every = [Strategy("nobody", np.full((n, 1), np.inf)), Strategy("everybody", np.zeros((n, 1)))]
    for name, one in found.developed.items():
        scored, halves = one.predictions[SCORE], one.halves[SCORE]
        every += [Strategy(f"{name}_{k}", top(scored, k), drawn=top(halves, k)) for k in CAPACITIES]
    if trial.schedule and trial.events["kind"].eq("visit").any():
        starts = {"missed_visit": missed_visit(*of)} | {f"silent_{gap}": silent(*of, gap) for gap in SILENT}
        every += [Strategy(name, start[:, None], at_once=False) for name, start in starts.items()]
    if len(trial.arms) > 1:
        every.append(Strategy("arm", np.where(own.arm > 0, 0.0, np.inf)[:, None]))
    return [one for one in every if one.chooses or one.name in ("nobody", "everybody")]
