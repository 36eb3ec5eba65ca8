"""A trial put back to every month of its own past, and what was said then held against what came."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from attrition.running import limit
from attrition.running.projection import FEWEST, project
from attrition.running.remaining import COMPETED, LEFT, at, looks, quantiles

FEWEST_ONGOING, MONTH, HALF_A_YEAR = 5, 31, 6


def before(
    known: pd.DataFrame, cut: Any, horizon: int, plan: Mapping[str, Any], visits: Sequence[int] = ()
) -> pd.DataFrame:
    """Projections of the enrolled from the first of every month, and what is known at the cut to have come of them.

    Parameters
    ----------
    known : DataFrame
        See `attrition.running.remaining.course`.
    cut : date
    horizon : int
    plan : mapping
        See `attrition.running.projection.project`.
    visits : sequence of int

    Returns
    -------
    DataFrame
        A row a month with at least ten enrolled and five ongoing: cut, the states, further leavers (median, low,
        high, actual, inside, mid_pit; the same ``_any`` for both kinds of events), low_plain and high_plain (without
        drift), naive (left of enrolled), p_above, and open: somebody enrolled then is still ongoing (inside: None).
    """
    end = at(known, cut, horizon)
    rows = []
    for date in looks(end.patients["start"].min(), end.cut - pd.Timedelta(days=MONTH)):
        now = at(known, date, horizon)
        if len(now.patients) < FEWEST or now.counts["ongoing"] < FEWEST_ONGOING:
            continue
        then = end.patients[end.patients["start"] <= date]["state"].value_counts()
        at_least = {"patients": max(plan.get("patients", 0), len(now.patients))}
        p = project(now, {k: v for k, v in plan.items() if k != "known"} | at_least, visits)
        so_far, plain = now.counts, p.facts()["enrolled"]["leaving_without_drift"]
        came, competed = (int(then.get(state, 0)) - so_far[state] for state in ("left", "competing"))
        row = {"cut": date, **so_far, **judged(p.leaving[0], came)}
        row |= judged(p.leaving[0] + p.competing[0], came + competed, "_any")
        is_open = bool(then.get("ongoing", 0))
        row |= dict.fromkeys(("inside", "inside_any", "mid_pit", "mid_pit_any")) if is_open else {}
        row |= {"low_plain": plain["low"], "high_plain": plain["high"], "naive": so_far["left"] / len(now.patients)}
        rows.append(row | {"p_above": p.p_above, "open": is_open})
    return pd.DataFrame(rows)


def judged(draws: np.ndarray, actual: int, ending: str = "") -> dict[str, Any]:
    """Median and 90 % interval of draws, and where the actual number lies among them."""
    low, median, high = quantiles(draws)
    found: dict[str, Any] = {"median": median, "low": low, "high": high, "actual": actual}
    found["inside"] = low <= actual <= high
    found["mid_pit"] = float((draws < actual).mean() + (draws == actual).mean() / 2)
    return {f"{name}{ending}": value for name, value in found.items()}


def measures(rows: pd.DataFrame, horizon: int) -> dict[str, Any]:
    """How well the cuts of `before` that are not open were foretold; they share patients: no independent successes.

    ``disjoint`` counts cuts that are at least a horizon apart, ``bias`` is median less actual.
    """
    if rows.empty or rows["open"].all():
        return {"cuts": 0, "inside": 0, "disjoint": 0, "open": len(rows)}
    done, apart = rows[~rows["open"]], 0
    last = pd.Timestamp.min
    for date in done["cut"]:
        if apart == 0 or (date - last).days >= horizon:
            apart, last = apart + 1, date
    found: dict[str, Any] = {"cuts": len(done), "inside": int(done["inside"].sum()), "disjoint": apart}
    found |= {"open": int(rows["open"].sum()), "mid_pit": float(done["mid_pit"].mean())}
    found["bias"] = float((done["median"] - done["actual"]).mean())
    return found | {"width": float((done["high"] - done["low"]).mean())}


def _day_of(known: pd.DataFrame) -> pd.Series:
    return known["start"] + pd.to_timedelta(known["day"] - 1, unit="D")


def path(known: pd.DataFrame, horizon: int, dates: Sequence[pd.Timestamp], counts: str = "any") -> list[int]:
    """How many were gone by these days, of all that had begun; see `Standing.gone`."""
    gone = known[known["cause"].isin([LEFT, COMPETED] if counts == "any" else [LEFT]) & (known["day"] <= horizon)]
    when = _day_of(gone)
    return [int((when <= date).sum()) for date in dates]


def calendar(
    known: pd.DataFrame, cut: pd.Timestamp, horizon: int, fan: pd.DataFrame | None, counts: str = "any"
) -> dict[str, pd.DataFrame | None]:
    """How many were gone by the first of each month.

    Parameters
    ----------
    known : DataFrame
        See `attrition.running.remaining.course`.
    cut : pandas.Timestamp
    horizon : int
    fan : DataFrame or None
        Of the projection: dates of which anything is to be told.
    counts : str

    Returns
    -------
    dict of DataFrame or None
        ``past`` up to the cut, ``later`` as far as that is known: date, gone.
    """
    if fan is None:
        return dict.fromkeys(("past", "later"))
    first, last = known["start"].min(), _day_of(known).max()
    parts = {"past": [first, *looks(first, cut), cut]}
    parts["later"] = [cut, *fan["date"][(fan["date"] > cut) & (fan["date"] <= last)]]
    gone = {name: path(known, horizon, dates, counts) for name, dates in parts.items()}
    return {name: pd.DataFrame({"date": dates, "gone": gone[name]}) for name, dates in parts.items()}


def looks_after(
    known: pd.DataFrame, cut: pd.Timestamp, end: pd.Timestamp, horizon: int, plan: Mapping[str, Any],
    visits: Sequence[int] = (),
) -> pd.DataFrame | None:  # fmt: skip
    """The next half a year's looks of `limit.monitor` where a trial was put back, or None.

    Parameters
    ----------
    known : DataFrame
        See `attrition.running.remaining.course`.
    cut, end : pandas.Timestamp
        Day of the report, last day of which anything is known.
    horizon : int
    plan : mapping
    visits : sequence of int
    """
    end = min(end, cut + pd.DateOffset(months=HALF_A_YEAR))
    found = limit.monitor(known, end, horizon, plan, visits).get("looks") if end > cut else None
    return None if found is None else found[found["date"] > cut]
