"""States of the enrolled on a day, subjects remaining by planned visit, and the power that is left."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.power import TTestIndPower
from statsmodels.stats.proportion import power_proportions_2indep

from attrition.cdisc.trial import CENSORED, COMPETING, COMPLETED, Trial
from attrition.survival.incidence import aalen_johansen, risk_on

LEFT, COMPETED, FINISHED = 1, 2, 3
"""Causes of an exit; 0 is none so far."""
STATES = ("left", "competing", "through", "completed_early", "ongoing")
NOT_LEFT = ("competing", "completed_early", "remaining", "not_yet_due")
RECENT = 90
"""Days before the cut of which the rate of enrolment is known."""


def course(trial: Trial, cut: Any = None, lost: pd.Series | None = None) -> pd.DataFrame:
    """What a trial tells of its patients: start, day of exit (missing: none), cause, reason group and arm; no id.

    An exit that was collected later than it happened is ``known`` from that day; the order of the rows depends on no id
    or arm. In a trial without all start dates `cut` is the day to which those still in it are taken to have been
    followed; the calendar of all others is then made up. Patients who are `lost` are taken to have left on the last day
    of any record.
    """
    start = trial.exits["start"]
    if start.isna().any() and cut is not None:
        seen = trial.patients["event_day"]
        days = seen.where(trial.patients["reason_group"].eq(CENSORED), np.maximum(seen, trial.horizon))
        start = pd.Timestamp(cut) - pd.to_timedelta(days - 1, unit="D")
    else:
        trial.dated()
    group = trial.patients["reason_group"].to_numpy()
    cause = pd.Series(group).map({CENSORED: 0, COMPETING: COMPETED, COMPLETED: FINISHED}).fillna(LEFT).astype(int)
    frame = pd.DataFrame({"start": start.to_numpy("datetime64[D]").astype("datetime64[s]"), "cause": cause})
    frame = frame.assign(day=trial.patients["event_day"].where(cause > 0).astype(float), group=group)
    if lost is not None:
        frame.loc[lost.to_numpy(), ["cause", "group"]] = [LEFT, trial.definitions.other]
        frame.loc[lost.to_numpy(), "day"] = trial.exits.loc[lost, "last_day"].clip(lower=1).to_numpy(float)
    frame["known"] = np.fmax(frame["day"], trial.exits[f"{trial.definitions.estimand}_known"].astype(float))
    return frame.assign(arm=trial.patients["arm"]).sort_values(["start", "day", "cause", "group"], ignore_index=True)


class Standing(NamedTuple):
    """The enrolled on a day, each in one of `STATES`.

    Patients have start, day, cause, group, arm; `u` (study day of the cut), `state` and `time` (days at risk, at most
    the horizon).
    """

    cut: pd.Timestamp
    horizon: int
    patients: pd.DataFrame

    @property
    def counts(self) -> dict[str, int]:
        """Patients by state; they add to ``enrolled``."""
        found = self.patients["state"].value_counts()
        return {"enrolled": len(self.patients)} | {name: int(found.get(name, 0)) for name in STATES}

    def gone(self, counts: str = "any") -> int:
        """How many have left, or have left or had a competing event."""
        return self.counts["left"] + (self.counts["competing"] if counts == "any" else 0)

    def of(self, state: str) -> pd.DataFrame:
        """The patients in a state."""
        return self.patients[self.patients["state"] == state]

    @property
    def recent(self) -> tuple[int, int]:
        """How many began in the last days before the cut, and in how many."""
        start = self.patients["start"]
        days = min(RECENT, (self.cut - start.min()).days + 1)
        return int((start > self.cut - pd.Timedelta(days=days)).sum()), days


def looks(first: pd.Timestamp, last: pd.Timestamp) -> pd.DatetimeIndex:
    """First days of months, after the first day and up to the last."""
    return pd.date_range(first + pd.Timedelta(days=1), last, freq="MS", normalize=True)


def at(known: pd.DataFrame, cut: Any, horizon: int) -> Standing:
    """Where a trial stood on a day, by its `course`: who began later does not exist, what happened later did not."""
    cut = pd.Timestamp(cut)
    here = known[known["start"] <= cut].reset_index(drop=True)
    u = (cut - here["start"]).dt.days.to_numpy() + 1
    later = ~(here.get("known", here["day"]).to_numpy() <= u)
    cause, day = here["cause"].mask(later, 0).to_numpy(), here["day"].mask(later).to_numpy()
    group = here["group"].mask(later, CENSORED)
    here = here.assign(cause=cause, day=day, group=group).sort_values(["start", "day", "cause", "group"], kind="stable")
    cause, day = here["cause"].to_numpy(), here["day"].to_numpy()
    u = (cut - here["start"]).dt.days.to_numpy() + 1
    time = np.minimum(np.where(cause > 0, day, u), horizon)
    through = np.where(cause == FINISHED, day >= horizon, np.where(cause > 0, day > horizon, u >= horizon))
    by_cause = np.array(["ongoing", "left", "competing", "completed_early"], dtype=object)
    state = np.where(through, "through", by_cause[cause])
    return Standing(cut, horizon, here.assign(u=u, state=state, time=time).reset_index(drop=True))


def informed(known: pd.DataFrame, fraction: float, horizon: int) -> pd.Timestamp:
    """First day on which the patients could have been followed for this fraction of all their days to the horizon."""
    first = known["start"].min()
    start = (known["start"] - first).dt.days.to_numpy()
    days = np.arange(start.max() + horizon + 1)
    followed = np.clip(days[:, None] - start + 1, 0, horizon).sum(axis=1)
    return first + pd.Timedelta(days=int(np.argmax(followed >= fraction * len(start) * horizon)))


def subjects(now: Standing, visits: Sequence[int], unblinded: bool = False) -> pd.DataFrame:
    """Subjects remaining by planned visit up to the horizon, and why others are not; each row adds to the enrolled.

    Who leaves on the day of a visit has attended it. Retention is Kaplan-Meier's, of those not lost by either way; who
    has left is counted by reason (``left: GROUP``). Unblinded there are rows by arm as well.
    """
    due = [visit for visit in visits if 0 < visit <= now.horizon]
    why = now.patients["state"].where(now.patients["state"] != "left", "left: " + now.patients["group"].astype(object))
    p, groups = now.patients.assign(why=why), sorted(why[why.str.startswith("left: ")].unique())
    parts, rows = {"all": p} | (dict(tuple(p.groupby("arm"))) if unblinded else {}), []
    for arm, own in parts.items():
        lost = own["state"].isin(["left", "competing"]).astype(int)
        kept = 1 - risk_on(aalen_johansen(own["time"], lost, 1), np.array(due) - 0.5)[0]  # just before each visit
        for visit, retention in zip(due, kept.tolist(), strict=True):
            before, later = own["day"].lt(visit) & own["cause"].gt(0), own["state"].eq("ongoing") & own["u"].lt(visit)
            row = {"arm": arm, "visit": visit, "enrolled": len(own), "not_yet_due": int(later.sum())}
            row["remaining"] = int((~before & ~later).sum())
            row |= {name: int((before & own["why"].eq(name)).sum()) for name in (*NOT_LEFT[:2], *groups)}
            rows.append(row | {"retention": retention, "at_risk": int((own["time"] >= visit).sum())})
    return pd.DataFrame(rows)


def between_arms(now: Standing) -> dict[str, dict[str, float]]:
    """Log-rank test of leaving between arms, unblinded and descriptive.

    ``cause_specific`` censors competing events; ``subdistribution`` keeps them at risk to the end of the follow-up that
    the cut would have given them, which is known of everybody.
    """
    p = now.patients
    event = (p["state"] == "left").to_numpy()
    time = p["time"].to_numpy(float)
    kept = np.where(p["state"] == "competing", np.minimum(p["u"], now.horizon), time)
    return {"cause_specific": _logrank(time, event, p["arm"]), "subdistribution": _logrank(kept, event, p["arm"])}


def _logrank(time: np.ndarray, event: np.ndarray, arm: pd.Series) -> dict[str, float]:
    codes, names = pd.factorize(arm, sort=True)
    days = np.unique(time[event])
    member = codes == np.arange(len(names))[:, None]
    at_risk = (member[:, :, None] & (time[:, None] >= days)).sum(axis=1)
    events = (member[:, :, None] & event[:, None] & (time[:, None] == days)).sum(axis=1)
    n, d = at_risk.sum(axis=0), events.sum(axis=0)
    excess = (events - at_risk * d / n).sum(axis=1)
    share, factor = at_risk / n, d * (n - d) / np.maximum(n - 1, 1)
    variance = np.diag((share * factor).sum(axis=1)) - (share * factor) @ share.T
    df = len(names) - 1
    statistic = float(excess[:df] @ np.linalg.pinv(variance[:df, :df]) @ excess[:df]) if df else 0.0
    return {"statistic": statistic, "df": df, "p_value": float(stats.chi2.sf(statistic, df)) if df else 1.0}


def power(retained: np.ndarray, plan: Mapping[str, Any]) -> np.ndarray | None:
    """Power of a two-sided test for these numbers of retained patients; None without a planned effect.

    Completers are analysed, leaving is unrelated to the outcome and the planned ratio n2/n1 holds. The plan has effect
    and sd (a t test), or proportions (a z test, pooled under the null).
    """
    alpha, ratio = plan.get("alpha", 0.05), plan.get("ratio", 1.0)
    sizes, place = np.unique(np.asarray(retained), return_inverse=True)
    first = np.maximum(sizes, 3) / (1 + ratio)
    if "effect" in plan and "sd" in plan:
        found = TTestIndPower().power(abs(plan["effect"]) / plan["sd"], first, alpha, ratio)
    elif "proportions" in plan:
        one, other = plan["proportions"]
        found = power_proportions_2indep(one - other, other, first, ratio, alpha, return_results=False)
    else:
        return None
    return np.where(sizes > 2, np.nan_to_num(found), 0.0)[place]


def power_left(retained: np.ndarray, plan: Mapping[str, Any], completers: int | None = None) -> dict[str, Any]:
    """Retained patients and power over the draws of a projection, and the word for it.

    Power is there with a planned effect, the word with its target, the plan's ``power``; `completers` are those that
    the plan keeps.
    """
    found: dict[str, Any] = dict(zip(("retained_low", "retained", "retained_high"), quantiles(retained), strict=True))
    if completers is not None:
        found["completers_planned"] = completers
    if (both := power(np.append(retained, completers or 0), plan)) is None:
        return found
    each = both[:-1]
    found["power"] = float(each.mean())
    if completers is not None:
        found["power_planned"] = float(both[-1])
    found |= dict(zip(("power_low", "power_high"), np.quantile(each, [0.05, 0.95]).tolist(), strict=True))
    if "power" in plan:
        p = float((each >= plan["power"]).mean())
        found |= {"p_target": p, "word": "on target" if p >= 0.8 else "short" if p <= 0.2 else "open"}
    return found


def quantiles(draws: np.ndarray, shares: Sequence[float] = (0.05, 0.5, 0.95)) -> list[int]:
    """Whole numbers below which these shares of draws lie (inverse of the distribution function).

    >>> quantiles(np.arange(1, 101))
    [5, 50, 95]
    """
    return [int(value) for value in np.quantile(draws, shares, method="inverted_cdf")]
