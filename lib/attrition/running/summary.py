"""All that is told of a trial on a day: one mapping of numbers, none of a single patient, and plain lines of it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd

from attrition import cdisc, trials
from attrition.cdisc.sources import CdiscError, holds_files, open_source
from attrition.cdisc.trial import CENSORED, Trial
from attrition.running import limit, remaining
from attrition.running.projection import FEWEST, project
from attrition.running.remaining import Standing, at, between_arms, course, informed, looks, power_left, subjects
from attrition.trials import mapping
from notebook_report import errors

OVERDUE, MANY_OVERDUE = 1.5, 0.05
LEVEL = 0.9
"""Of the intervals."""
SURE = {"even": 0.5, "80": 0.8, "90": 0.9}
NO_CALENDAR = "2000-01-01"
CHANCE_AUROC, FEWEST_FOR_A_LIST = 0.5, 10
_plain = jinja2.Environment(trim_blocks=True)
_plain.filters["day"] = "{:%Y-%m-%d}".format
TEXT = _plain.from_string(Path(__file__).with_name("summary.txt.j2").read_text(encoding="utf-8"))


def last_day(trial: Trial) -> pd.Timestamp:
    """`Trial.last_record`; a day that means nothing where there is no calendar."""
    return pd.Timestamp(NO_CALENDAR if trial.undated and not trial.definitions.data_cut else trial.last_record)


def usual_cut(trial: Trial, fraction: float) -> pd.Timestamp:
    """The day of a report on a trial: while it runs `last_day`.

    A finished trial is put back to the first of the month by which this fraction of its patient-days could have been
    followed.
    """
    last = last_day(trial)
    if trial.undated or trial.patients["reason_group"].eq(CENSORED).any():
        return last
    return min(informed(course(trial), fraction, trial.horizon) + pd.offsets.MonthBegin(0), last)


def read(place: str, cut: Any, mapped: str | None = None) -> Trial:
    """A trial, and its mapping with ``[plan]``, as known on a day: what is dated later is deleted before all counting.

    Refused are no date, no horizon that was planned, and what `attrition.trials.load` refuses.
    """
    cut = trials.as_cut(cut)
    one = trials.named([place], [mapped] if mapped else [])[0]
    chosen = mapping.read(one.mapping or {})
    of_folder = holds_files(one.place)
    if of_folder and not chosen.horizon and cdisc.usual(open_source(one.place), chosen.study or "").horizon is None:
        raise CdiscError(f"{one.name}: a running trial needs its planned last day, [plan] horizon in a mapping")
    return one.load(cut)


def overdue(trial: Trial, now: Standing) -> pd.Series:
    """Ongoing patients with no dated record for one and a half times the largest gap between planned visits.

    Nobody unless the trial was read with a data cut: what came after it would tell who was still there.
    """
    gaps = np.diff([0, *(day for day in trial.schedule if 0 < day <= now.horizon)])
    u = (now.cut - trial.exits["start"]).dt.days + 1
    ongoing = trial.patients["reason_group"].eq(CENSORED) & (u < now.horizon)
    told = trial.definitions.data_cut is not None and len(gaps)
    return ongoing & (u - trial.exits["last_day"] > OVERDUE * max(gaps, default=0)) & bool(told)


def summary(trial: Trial, cut: Any, unblinded: bool = False, plan: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """All numbers about a trial on a day: states, projection, alarms, power, subjects remaining, backtest.

    The trial is best read with the cut as its ``[design] data_cut``; later records are not looked at in any case.
    `unblinded` has arms apart, with a test; a `plan` stands in place of the trial's own. No line is about one patient.
    """
    plan = dict(trial.definitions.plan if plan is None else plan)
    H, known, counts = trial.horizon, course(trial, cut), plan.get("counts", "any")
    lag = pd.Timedelta(days=plan.get("lag", 0))
    whole = at(known, cut, H)
    now = at(known, whole.cut - lag, H)
    found: dict[str, Any] = {"cut": whole.cut, "as_at": now.cut, "horizon": H, "unblinded": unblinded, "level": LEVEL}
    found |= {"arms": int(trial.patients["arm"].nunique()), "leaving": trial.definitions.estimand}
    found |= {"calendar": not trial.undated, "undated": trial.undated}
    found |= {"states": now.counts, "gone": now.gone(counts)}
    if not len(now.patients):
        raise CdiscError(f"{trial.name}: no patient had begun by {now.cut:%Y-%m-%d}")
    if lag:
        earlier = whole.patients["start"] <= now.cut
        plan["known"] = int((whole.patients.loc[earlier, "state"] == "left").sum()) - now.counts["left"]
    found["left_by_reason"] = now.of("left")["group"].value_counts().to_dict()
    found["subjects_remaining"] = subjects(now, trial.schedule, unblinded)
    if unblinded:
        found["between_arms"] = between_arms(now)
    if len(now.patients) < FEWEST:
        return found | {"note": f"{len(now.patients)} enrolled: counts only; a projection needs {FEWEST}"}
    p = project(now, plan, trial.schedule)
    found |= {"projection": p.facts(), "by_study_day": p.by_day, "power": power_left(p.retained, plan, p.kept_by_plan)}
    found["power"] |= {f"to_start_{name}": p.to_start(p.kept_by_plan, sure) for name, sure in SURE.items()}
    if not found["calendar"]:
        return found | {"note": f"{found['undated']} start dates missing: by study day alone, no limit or backtest"}
    then = at(known, now.cut - pd.DateOffset(months=1), H)
    new = {name: n - then.counts[name] for name, n in now.counts.items()}
    since = {"started": new["enrolled"], "through": new["through"], "gone": now.gone(counts) - then.gone(counts)}
    found["since"] = {"date": then.cut, **since}
    found |= {"fan": p.fan, "drift": limit.drift(now)}
    found["information"] = float(now.patients["u"].clip(0, H).sum() / (p.planned * H))
    late = overdue(trial, now)
    found["overdue"] = {"n": int(late.sum()), "many": bool(late.sum() > MANY_OVERDUE * now.counts["ongoing"])}
    if found["overdue"]["many"]:
        gone = at(course(trial, cut, late), now.cut, H)
        found["overdue"]["projection"] = project(gone, plan, trial.schedule).facts()["planned"]
    found["limit"] = limit.monitor(known, now.cut, H, plan, trial.schedule)
    rows = before(known, now.cut, H, plan, trial.schedule)
    return found | {"backtest": {"rows": rows, **measures(rows, H)}}


def allowed(found: Mapping[str, Any]) -> int | None:
    """How many of the planned the plan lets go; None without a plan."""
    p = found.get("projection") or {"p0": None}
    return None if p["p0"] is None else p["planned"]["n"] - found["power"]["completers_planned"]


def came(trial: Trial, cut: pd.Timestamp, end: pd.Timestamp, plan: Mapping[str, Any]) -> int | None:
    """How many were gone in the end of a trial that was put back; None while somebody is still in it."""
    whole = at(course(trial, cut), end, trial.horizon)
    return whole.gone(plan.get("counts", "any")) if cut < end and not whole.counts["ongoing"] else None


def shares(found: Mapping[str, Any]) -> pd.DataFrame | None:
    """Dropout, completers and power that are to be expected, in per cent, with 90 % intervals and what was planned."""
    if "projection" not in found:
        return None
    end, power, p0 = found["projection"]["planned"], found["power"], found["projection"]["p0"]
    kept, left = ([power.get(name + of) for of in ("", "_low", "_high")] for name in ("retained", "power"))
    gone = [end["gone"][k] for k in ("median", "low", "high")]
    rows = {"dropout": [*np.divide(gone, end["n"]), p0]}
    rows["completers"] = [*np.divide(kept, end["n"]), None if p0 is None else power["completers_planned"] / end["n"]]
    rows |= {"power left": [*left, power.get("power_planned")]} if "power" in power else {}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["value", "low", "high", "planned"], dtype=float)
    return table.mul(100).rename_axis("label").reset_index()


def order(of_landmarks: Mapping[str, Any]) -> dict[str, Any]:
    """Whether a model without the arm orders patients at the same day, by the results of chapter 06."""
    asked = of_landmarks["asked"]
    name = "all_without_arm" if len(asked["arms"]) > 1 else "all"
    if asked["landmark"] is None or not asked["auroc"].get(name):
        return {"day": None, "separates": False}
    at_day, auroc = of_landmarks["landmarks"][str(asked["landmark"])], asked["auroc"][name]
    separates = auroc["ci_low"] > CHANCE_AUROC and at_day["primary"] >= FEWEST_FOR_A_LIST
    return {"day": asked["landmark"], "auroc": auroc, "separates": bool(separates)}


def compared(trial: Trial, file: Path) -> dict[str, Any]:
    """An earlier ``project --json`` beside what a trial, read with today's cut, says about its day.

    Of each state ``then`` (as it was told), ``now`` (the same day in today's data) and ``late``, their difference: what
    had happened by that day and was recorded later.
    """
    if why := errors.endless(file):
        raise CdiscError(f"{file.name}: {why}")
    try:
        earlier = json.loads(file.read_text(encoding="utf-8"))
        fits = earlier["horizon"] == trial.horizon and set(earlier["states"]) == {"enrolled", *remaining.STATES}
        today = at(course(trial), earlier["as_at"], trial.horizon).counts
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise CdiscError(f"{file.name}: cannot be read as what project --json wrote") from None
    if not fits:
        raise CdiscError(f"{file.name}: of another horizon than day {trial.horizon}, or of another version")
    both = {name: {"then": n, "now": today[name], "late": today[name] - n} for name, n in earlier["states"].items()}
    return {"as_at": pd.Timestamp(earlier["as_at"]), "states": both}


def lines(found: Mapping[str, Any]) -> list[str]:
    """The main numbers of a `summary`, a plain line each."""
    return TEXT.render(found).splitlines()


def dated(value: Any, form: str = "%Y-%m-%d") -> Any:
    """The same with every day as text, ready for JSON or a sentence."""
    if isinstance(value, pd.DataFrame):
        value = value.to_dict("records")
    if isinstance(value, Mapping):
        return {name: dated(item, form) for name, item in value.items()}
    if isinstance(value, list):
        return [dated(item, form) for item in value]
    return value.strftime(form) if isinstance(value, pd.Timestamp) else value


# A trial put back to every month of its own past, and what was said then held against what came

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
    low, median, high = remaining.quantiles(draws)
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
    causes = [remaining.LEFT, remaining.COMPETED] if counts == "any" else [remaining.LEFT]
    gone = known[known["cause"].isin(causes) & (known["day"] <= horizon)]
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
