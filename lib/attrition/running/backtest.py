"""A trial put back to every month of its own past, what was said then held against what came; and all of it in one."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from attrition import cdisc, trials
from attrition.cdisc.sources import CdiscError, holds_files, open_source
from attrition.cdisc.trial import Trial
from attrition.running import limit
from attrition.running.projection import FEWEST, Projection, project
from attrition.running.remaining import LEFT, Standing, at, between_arms, course, power_left, subjects
from attrition.trials import mapping

FEWEST_ONGOING, MONTH, OVERDUE = 5, 31, 1.5


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
        drift), naive (left of enrolled), p_above, and open: somebody enrolled then is still ongoing.
    """
    end = at(known, cut, horizon)
    rows = []
    for date in limit.looks(end.patients["start"].min(), end.cut - pd.Timedelta(days=MONTH)):
        now = at(known, date, horizon)
        if len(now.patients) < FEWEST or now.counts["ongoing"] < FEWEST_ONGOING:
            continue
        then = end.patients[end.patients["start"] <= date]["state"].value_counts()
        p = project(now, {k: v for k, v in plan.items() if k != "known"}, visits)
        facts, so_far = p.facts(), now.counts
        came = int(then.get("left", 0)) - so_far["left"]
        both = came + int(then.get("competing", 0)) - so_far["competing"]
        row = {"cut": date, **so_far, **judged(p.leaving[0], came)}
        row |= judged(p.leaving[0] + p.competing[0], both, "_any")
        plain = facts["enrolled"]["leaving_without_drift"]
        row |= {"low_plain": plain["low"], "high_plain": plain["high"], "naive": so_far["left"] / len(now.patients)}
        rows.append(row | {"p_above": p.p_above, "open": bool(then.get("ongoing", 0))})
    return pd.DataFrame(rows)


def judged(draws: np.ndarray, actual: int, ending: str = "") -> dict[str, Any]:
    """Median and 90 % interval of draws, and where the actual number lies among them."""
    low, median, high = np.quantile(draws, (0.05, 0.5, 0.95), method="inverted_cdf").astype(int).tolist()
    found = {"median": median, "low": low, "high": high, "actual": actual, "inside": low <= actual <= high}
    found["mid_pit"] = float((draws < actual).mean() + (draws == actual).mean() / 2)
    return {f"{name}{ending}": value for name, value in found.items()}


def measures(rows: pd.DataFrame, horizon: int) -> dict[str, Any]:
    """How well the cuts that are not open were foretold; they share patients and are no independent successes.

    Parameters
    ----------
    rows : DataFrame
        See `before`.
    horizon : int

    Returns
    -------
    dict
        cuts, inside, disjoint (cuts at least a horizon apart), mid_pit, bias (median less actual), width.
    """
    if rows.empty or rows["open"].all():
        return {"cuts": 0, "inside": 0, "disjoint": 0, "open": len(rows)}
    done, apart = rows[~rows["open"]], 0
    last = pd.Timestamp.min
    for date in done["cut"]:
        if apart == 0 or (date - last).days >= horizon:
            apart, last = apart + 1, date
    found: dict[str, Any] = {"cuts": len(done), "inside": int(done["inside"].sum()), "disjoint": apart}
    found |= {"open": int(rows["open"].sum())}
    found |= {"mid_pit": float(done["mid_pit"].mean()), "bias": float((done["median"] - done["actual"]).mean())}
    return found | {"width": float((done["high"] - done["low"]).mean())}


def came(known: pd.DataFrame, now: Standing, dates: Sequence[pd.Timestamp]) -> list[int]:
    """Leavers by these days among all of the trial, for a fan over a past that is known."""
    gone = known[(known["cause"] == LEFT) & (known["day"] <= now.horizon)]
    when = gone["start"] + pd.to_timedelta(gone["day"] - 1, unit="D")
    return [int((when <= date).sum()) for date in dates]


def overdue(trial: Trial, now: Standing) -> int | None:
    """Ongoing patients with no dated record for one and a half times the largest gap between planned visits.

    None unless the trial was read with a data cut: what came after it would tell who was still there.
    """
    if trial.definitions.data_cut is None:
        return None
    gaps = np.diff([0, *(day for day in trial.schedule if 0 < day <= now.horizon)])
    u = (now.cut - trial.exits["start"]).dt.days + 1
    ongoing = trial.patients["reason_group"].eq("ongoing") & (u < now.horizon)
    return int((ongoing & (u - trial.exits["last_day"] > OVERDUE * gaps.max())).sum()) if len(gaps) else 0


def read(place: str, cut: Any, mapped: str | None = None) -> Trial:
    """A trial as it was known on a day: what is dated later is deleted before anything is counted.

    Parameters
    ----------
    place : str
        Folder of CDISC files, flat table, mapping, or ``"pilot"``.
    cut : date
    mapped : str, optional
        Its mapping, with ``[plan]``.

    Returns
    -------
    Trial

    Raises
    ------
    CdiscError, MappingError, ContractError
        No date, no horizon that was planned, or what `attrition.trials.load` refuses.
    """
    day = mapping.as_date(cut)
    if day is None:
        raise CdiscError("--cut: a date, YYYY-MM-DD")
    one = trials.named([place], [mapped] if mapped else [])[0]
    chosen = mapping.read(one.mapping or {"design": {"data_cut": day}})
    chosen.data_cut = day
    of_folder = holds_files(one.place)
    if of_folder and not chosen.horizon and cdisc.usual(open_source(one.place), chosen.study or "").horizon is None:
        raise CdiscError(f"{one.name}: a running trial needs its planned last day, [plan] horizon in a mapping")
    return trials.read_from(one.place, chosen, one.name)


def lines(found: Mapping[str, Any]) -> list[str]:
    """The main numbers of a `summary`, a plain line each."""
    states = ", ".join(f"{name.replace('_', ' ')} {n}" for name, n in found["states"].items())
    said = ["UNBLINDED"] if found["unblinded"] else []
    said.append(f"as at {found['as_at']:%Y-%m-%d}, leaving the {found['leaving']} by day {found['horizon']}: {states}")
    if "projection" not in found:
        return [*said, found["note"]]
    p, power = found["projection"], found["power"]
    for name in ("enrolled", "planned"):
        left = p[name]["leaving"]
        said.append(f"{p[name]['n']} {name}: {left['median']} more will leave ({left['low']} to {left['high']}, 90 %)")
    said += ["mostly prior: fewer than 5 have left"] if p["mostly_prior"] else []
    said += ["rests on days nobody has reached"] if p["rests_on_unseen"] else []
    if p["p0"] is not None and "limit" in found:
        rule, rang = found["limit"]["rule"], found["limit"]["rang"]
        above = f"P(dropout > {p['p0']:.3f}, counting {p['counts']}) = {p['p_above']:.2f}: {p['word']}"
        said.append(f"{above}; information {found['information']:.2f}")
        said.append(f"limit, rule {rule}: " + (f"rang on {rang:%Y-%m-%d}" if rang else "has not rung"))
    said.append(f"retained at the horizon: {power['retained']} ({power['retained_low']} to {power['retained_high']})")
    if "power" in power:
        said.append(f"power: {power['power']:.2f}" + (f", {power['word']}" if "word" in power else ""))
    if "note" in found:
        return [*said, found["note"]]
    b = found["backtest"]
    return [*said, f"its own past: {b['inside']} of {b['cuts']} cuts inside, {b['disjoint']} of them disjoint"]


def dated(value: Any) -> Any:
    """The same with every day as text, ready for JSON."""
    if isinstance(value, pd.DataFrame):
        value = value.to_dict("records")
    if isinstance(value, Mapping):
        return {name: dated(item) for name, item in value.items()}
    if isinstance(value, list):
        return [dated(item) for item in value]
    return f"{value:%Y-%m-%d}" if isinstance(value, pd.Timestamp) else value


def summary(trial: Trial, cut: Any, unblinded: bool = False) -> dict[str, Any]:
    """All numbers about a trial on a day: states, projection, alarms, power, subjects remaining, backtest.

    Parameters
    ----------
    trial : Trial
        Best read with the cut as its ``[design] data_cut``; later records are not looked at in any case.
    cut : date
    unblinded : bool
        Arms apart, with a test; pooled otherwise.

    Returns
    -------
    dict
        No line is about a single patient.
    """
    plan, H, known = dict(trial.definitions.plan), trial.horizon, course(trial, cut)
    has_dates = trial.exits["start"].notna().any()
    lag = pd.Timedelta(days=plan.get("lag", 0))
    whole = at(known, cut, H)
    now = at(known, whole.cut - lag, H)
    found: dict[str, Any] = {"cut": whole.cut, "as_at": now.cut, "horizon": H, "unblinded": unblinded}
    found |= {"leaving": trial.definitions.estimand, "states": now.counts}
    if not len(now.patients):
        raise CdiscError(f"{trial.name}: no patient had begun by {now.cut:%Y-%m-%d}")
    if lag:
        earlier = whole.patients["start"] <= now.cut
        plan["known"] = int((whole.patients.loc[earlier, "state"] == "left").sum()) - now.counts["left"]
    found["subjects_remaining"] = subjects(now, trial.schedule, unblinded)
    if unblinded:
        found["between_arms"] = between_arms(now)
    if len(now.patients) < FEWEST:
        return found | {"note": f"{len(now.patients)} enrolled: counts only; a projection needs {FEWEST}"}
    p: Projection = project(now, plan, trial.schedule)
    found |= {"projection": p.facts(), "by_study_day": p.by_day, "power": power_left(p.retained, plan)}
    if not has_dates:
        return found | {"note": "no start dates: by study day alone, no calendar, limit or backtest"}
    found["fan"] = p.fan
    found |= {"drift": limit.drift(now), "information": float(now.patients["time"].sum() / (p.planned * H))}
    found["overdue"] = overdue(trial, now)
    found["limit"] = limit.monitor(known, now.cut, H, plan, trial.schedule)
    rows = before(known, now.cut, H, plan, trial.schedule)
    return found | {"backtest": {"rows": rows, **measures(rows, H)}}
