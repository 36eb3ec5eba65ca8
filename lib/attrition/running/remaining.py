"""States of the enrolled on a day, subjects remaining by planned visit, and the power that is left."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from attrition.cdisc.trial import CENSORED, COMPETING, COMPLETED, Trial

LEFT, COMPETED, FINISHED = 1, 2, 3
"""Causes of an exit; 0 is none so far."""
STATES = ("left", "competing", "through", "completed_early", "ongoing")
NOT_LEFT = ("competing", "completed_early", "remaining", "not_yet_due")


def course(trial: Trial, cut: Any = None, lost: pd.Series | None = None) -> pd.DataFrame:
    """What a trial tells of its patients: start, day of exit (missing: none), cause, reason group and arm; no id.

    An exit that was collected later than it happened is ``known`` from that day.

    Parameters
    ----------
    trial : Trial
    cut : date, optional
        For a trial without all start dates: the day to which those still in it are taken to have been followed; the
        calendar of all others is then made up, and of no use.
    lost : Series of bool, optional
        Patients without an exit who are taken to have left on the last day of any record.

    Returns
    -------
    DataFrame
        A row a patient, in an order that does not depend on ids or arms.
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


@dataclass(frozen=True)
class Standing:
    """The enrolled on a day, each in one of `STATES`.

    Attributes
    ----------
    cut : pandas.Timestamp
    horizon : int
    patients : DataFrame
        start, day, cause, group, arm; `u` (study day of the cut), `state` and `time` (days at risk, at most the
        horizon).
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


def at(known: pd.DataFrame, cut: Any, horizon: int) -> Standing:
    """Where a trial stood on a day: who began later does not exist, and what happened later did not.

    Parameters
    ----------
    known : DataFrame
        See `course`.
    cut : date
    horizon : int

    Returns
    -------
    Standing
    """
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
    """Subjects remaining by planned visit, and why the others are not; each row adds to the enrolled.

    Who leaves on the day of a visit has attended it. Retention is Kaplan-Meier's, of those not lost by either way.

    Parameters
    ----------
    now : Standing
    visits : sequence of int
        Planned visit days; those after the horizon are left out.
    unblinded : bool
        Rows by arm as well.

    Returns
    -------
    DataFrame
        arm, visit, enrolled, remaining, not_yet_due, left by reason (``left: GROUP``), competing, completed_early,
        retention, at_risk.
    """
    rows, p = [], now.patients
    groups = sorted(p.loc[p["state"] == "left", "group"].unique())
    for arm in ["all", *(sorted(p["arm"].unique()) if unblinded else [])]:
        own = p if arm == "all" else p[p["arm"] == arm]
        gone = own["day"].where(own["cause"] > 0, np.inf).to_numpy()
        lost = own["state"].isin(["left", "competing"]).to_numpy()
        for visit in (v for v in visits if 0 < v <= now.horizon):
            due = (own["state"] == "ongoing") & (own["u"] < visit)
            before = gone < visit
            row = {"arm": arm, "visit": visit, "enrolled": len(own), "not_yet_due": int(due.sum())}
            row["remaining"] = int((~before & ~due).sum())
            for name in ("competing", "completed_early"):
                row[name] = int((before & (own["state"] == name)).sum())
            for group in groups:
                row[f"left: {group}"] = int((before & (own["state"] == "left") & (own["group"] == group)).sum())
            row |= {"retention": _retained(own["time"].to_numpy(), lost, visit)}
            rows.append(row | {"at_risk": int((own["time"] >= visit).sum())})
    table = pd.DataFrame(rows)
    parts = [name for name in table if name.startswith("left: ") or name in NOT_LEFT]
    assert (table[parts].sum(axis=1) == table["enrolled"]).all() if rows else True
    return table


def _retained(time: np.ndarray, lost: np.ndarray, visit: float) -> float:
    """Kaplan-Meier just before a visit."""
    days, events = np.unique(time[lost & (time < visit)], return_counts=True)
    at_risk = (time[:, None] >= days).sum(axis=0)
    return float(np.prod(1 - events / at_risk))


def between_arms(now: Standing) -> dict[str, dict[str, float]]:
    """Log-rank test of leaving between arms, unblinded and descriptive.

    ``cause_specific`` censors competing events; ``subdistribution`` keeps them at risk to the end of the follow-up that
    the cut would have given them, which is known of everybody.

    Returns
    -------
    dict of dict
        statistic, df and p_value of either.
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

    Completers are analysed, leaving is unrelated to the outcome and the planned ratio holds.

    Parameters
    ----------
    retained : array of int
    plan : mapping
        effect and sd (a t test), or proportions (a z test, pooled under the null), with alpha and ratio n2/n1.

    Returns
    -------
    array or None
    """
    alpha, r = plan.get("alpha", 0.05), plan.get("ratio", 1.0)
    sizes, place = np.unique(np.asarray(retained), return_inverse=True)
    n1 = np.maximum(sizes, 0) / (1 + r)
    n2 = n1 * r
    if "effect" in plan and "sd" in plan:
        df = np.maximum(sizes - 2, 1e-9)
        shift = abs(plan["effect"]) / plan["sd"] * np.sqrt(n1 * n2 / np.maximum(sizes, 1))
        edge = stats.t.isf(alpha / 2, df)
        found = stats.nct.sf(edge, df, shift) + stats.nct.cdf(-edge, df, shift)
    elif "proportions" in plan:
        p1, p2 = plan["proportions"]
        pooled = (p1 + r * p2) / (1 + r)
        with np.errstate(divide="ignore", invalid="ignore"):
            null, other = np.sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n2)), p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2
            z, edge = abs(p1 - p2), stats.norm.isf(alpha / 2) * null
            found = stats.norm.sf((edge - z) / np.sqrt(other)) + stats.norm.cdf((-edge - z) / np.sqrt(other))
    else:
        return None
    return np.where(sizes > 2, np.nan_to_num(found), 0.0)[place]


def power_left(retained: np.ndarray, plan: Mapping[str, Any], completers: int | None = None) -> dict[str, Any]:
    """Retained patients and power over the draws of a projection, and the word for it.

    Parameters
    ----------
    retained : array of int
        See `attrition.running.projection.Projection.retained`.
    plan : mapping
        See `power`; its ``power`` is the target.
    completers : int, optional
        As many as the plan keeps.

    Returns
    -------
    dict
        retained, retained_low, retained_high; with a planned effect power (mean), power_low, power_high, and of the
        plan power_planned; with a target also p_target and word.
    """
    low, middle, high = quantiles(retained)
    found: dict[str, Any] = {"retained": middle, "retained_low": low, "retained_high": high}
    if completers is not None:
        found["completers_planned"] = completers
    each = power(retained, plan)
    if each is None:
        return found
    found |= {"power": float(each.mean())}
    of_plan = None if completers is None else power(np.array([completers]), plan)
    if of_plan is not None:
        found["power_planned"] = float(of_plan[0])
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


def inflated(n: int, dropout: float, sure: float = 0.8, events: tuple[float, float] | None = None) -> int:
    """Fewest patients of whom at least `n` are retained with a probability of `sure`.

    Parameters
    ----------
    n : int
    dropout : float
    sure : float
    events : tuple of float, optional
        Shapes of a beta distribution of the share that leaves, where it is not known; then `dropout` is not used.

    Returns
    -------
    int

    Examples
    --------
    >>> inflated(100, 0.2), inflated(100, 0.2, 0.9)
    (130, 132)
    """

    def kept(total: int) -> float:
        law = stats.binom(total, dropout) if events is None else stats.betabinom(total, *events)
        return float(law.cdf(total - n))

    low, high = n - 1, 2 * n + 1
    while kept(high) < sure:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if kept(middle) >= sure else (middle, high)
    return high
