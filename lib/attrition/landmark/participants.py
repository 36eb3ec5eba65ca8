"""Who took part, told in hindsight: participant flow, what a landmark sees of a visit, who had stopped by then.

Nothing here makes a feature.
"""

from typing import Any

import numpy as np
import pandas as pd

from attrition.cdisc.trial import CENSORED, NO_EVENT, Trial
from attrition.landmark.known import VISIT_WINDOW, at_risk, target


def participant_flow(trial: Trial) -> pd.DataFrame:
    """Participant flow from the data: who was still in the trial on each landmark, and why the others had left.

    Returns
    -------
    pandas.DataFrame
        step, n (still there), left (since the step above, or not followed any further), and one column a reason
        group.
    """
    patients, flow = trial.patients, trial.flow
    none = dict.fromkeys(trial.groups, 0)
    rows: list[dict[str, Any]] = [{"step": "randomised", "n": flow["randomised"], "left": 0, **none}]
    if flow["screened"] is not None:
        first = {"step": "screened", "n": flow["screened"], "left": 0, **none}
        rows = [first, {**rows[0], "left": flow["screen_failures"]}]
    if absent := flow["randomised"] - len(patients):
        rows.append({"step": "analysed", "n": len(patients), "left": absent, **none})
    since = -np.inf
    for day in (*trial.landmarks, trial.horizon):
        gone = patients[(patients["event_day"] > since) & (patients["event_day"] <= day)]
        gone = gone[gone["status"].ne(NO_EVENT)]
        reasons = gone["reason_group"].value_counts().reindex(list(trial.groups), fill_value=0)
        there = rows[-1]["n"] - len(gone)
        rows.append({"step": f"in the trial after day {day}", "n": there, "left": len(gone), **reasons.to_dict()})
        since = day
    return pd.DataFrame(rows)


def visit_seen(trial: Trial, landmark: int) -> dict[str, float]:
    """What a landmark sees of the visit planned nearest to it (a planned day is not the day it happens).

    The visit is told by its label here, which is known only in hindsight: this describes, and makes no feature.

    Returns
    -------
    dict
        planned (day), attended_by (share of patients at risk who had that visit by the landmark), attended_within
        (share who had it within a week of the planned day), median_day (missing when nobody had it).
    """
    nearest = min(trial.schedule, key=lambda day: (abs(day - landmark), day), default=landmark)
    ids = at_risk(trial, landmark)
    visits = trial.events[trial.events["kind"].eq("visit") & trial.events["id"].isin(ids)]
    around = (visits["day"] - nearest).abs()
    labels = visits.loc[around <= 3, "name"].mode()
    days = visits[visits["name"].isin(labels[:1])].groupby("id")["day"].min()
    return {
        "planned": int(nearest),
        "attended_by": float((days <= landmark).sum() / len(ids)),
        "attended_within": float(((days - nearest).abs() <= VISIT_WINDOW).sum() / len(ids)),
        "median_day": float(np.median(days)) if len(days) else float("nan"),
    }


def stopped(trial: Trial, landmark: int) -> pd.Index | None:
    """Patients at risk whose dosing had ended by the landmark; None where the source does not tell when it ends."""
    ends = trial.events[trial.events["kind"].eq("end of exposure")].groupby("id")["day"].max()
    dosed_still = trial.events["kind"].eq("exposure").any() and trial.patients["reason_group"].eq(CENSORED).any()
    if ends.empty and not dosed_still:
        return None
    return pd.Index(at_risk(trial, landmark)).intersection(ends.index[ends <= landmark])


def off_treatment(trial: Trial, landmark: int) -> dict[str, int] | None:
    """Patients who count as at risk although their last dose lies behind them: seen in hindsight only.

    Returns
    -------
    dict or None
        n (patients at risk whose dosing had ended by the landmark), primary (of them, with the primary event later).
        None where the source does not tell when dosing ended.
    """
    ended = stopped(trial, landmark)
    if ended is None:
        return None
    return {"n": len(ended), "primary": int(target(trial, landmark).reindex(ended).sum())}
