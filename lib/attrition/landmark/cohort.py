"""Who is at risk at a landmark, what happens to them, and what was known about them by then.

A feature uses a record only when the record was *known* at the landmark: its `known_day` (for an adverse event the
later of onset and collection) is at most the landmark. Deleting or changing anything that is dated later leaves the
feature table identical to the byte; `tests/landmark/test_cohort.py` holds this as a property. The last functions
describe a cohort in hindsight (flow, visits, who had stopped treatment); none of them makes a feature.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from attrition import settings
from attrition.cdisc.trial import CENSORED, COMPETING, COMPLETED, NO_EVENT, Trial, assemble
from attrition.survival import incidence

WORDS: dict[str, Any] = settings.declared(__file__, "landmark.yaml")
"""Groups of features and when each is known, and the models of chapters 06 and 07 with their names."""
GROUPS = tuple(WORDS["groups"])
RECENT = 14
VISIT_WINDOW = 7
BODY_SYSTEMS = 4
MOSTLY = 0.5


def cut_day(landmark: int) -> int:
    """Last day whose records count as known: the landmark; at landmark 0 the baseline visit of day 1 before dosing.

    >>> cut_day(28), cut_day(0)
    (28, 1)
    """
    return max(int(landmark), 1)


def at_risk(trial: Trial, landmark: int) -> pd.Series:
    """Identifiers of the patients who have not left by the landmark, sorted; day 0 is everybody in the analysis set."""
    return _here(trial, landmark)["id"].reset_index(drop=True)


def _here(trial: Trial, landmark: int) -> pd.DataFrame:
    patients = trial.patients
    here = patients[patients["event_day"] > landmark] if landmark > 0 else patients
    return here if here["id"].is_monotonic_increasing else here.sort_values("id")


def target(trial: Trial, landmark: int, horizon: int | None = None, event: str = "primary") -> pd.Series:
    """Whether each patient at risk has the event in (landmark, horizon], by default the trial's horizon.

    The event is ``"primary"``, ``"all_cause"``, ``"competing"`` or one reason group.

    Returns
    -------
    pandas.Series of float, indexed by id
        1, 0, or missing for follow-up that ends before the horizon without leaving (whoever drops these overstates the
        risk: see `attrition.landmark.prediction.Problem` for weights). Who is seen through the day of the horizon has
        stayed: 0.
    """
    horizon = trial.horizon if horizon is None else horizon
    patients = _here(trial, landmark).set_index("id")
    group, day = patients["reason_group"], patients["event_day"]
    none = group.isin([COMPLETED, CENSORED])
    chosen = {"primary": ~none & group.ne(COMPETING), "all_cause": ~none}.get(event, group.eq(event))
    return ((day <= horizon) & chosen).astype(float).mask((day < horizon) & none).rename(event)


@dataclass(frozen=True)
class Known:
    """What is known at a landmark about the patients at risk: baseline columns and arm, and records dated by then."""

    landmark: int
    ids: pd.Index
    patients: pd.DataFrame
    events: pd.DataFrame
    schedule: tuple[int, ...]
    arms: tuple[str, ...]

    def kind(self, kind: str) -> pd.DataFrame:
        """Known records of one kind."""
        return self.events[self.events["kind"].eq(kind)]

    def count(self, records: pd.DataFrame) -> pd.Series:
        """Records per patient at risk, 0 included."""
        return records.groupby("id").size().reindex(self.ids, fill_value=0).astype(float)

    @functools.cached_property
    def followed(self) -> dict[str, tuple[pd.DataFrame, pd.DataFrame]]:
        """Baseline values (up to day 1) and last values after it, of what is measured again and again, by kind."""
        records = {kind: self.kind(kind) for kind in ("vital sign", "questionnaire")}
        return {kind: (last_values(r[r["day"] <= 1]), last_values(r[r["day"] > 1])) for kind, r in records.items()}


def known(trial: Trial, landmark: int) -> Known:
    """Restrict a trial to the patients at risk at a landmark and the records known by then."""
    patients = _here(trial, landmark).set_index("id")[["arm", *trial.baseline]]
    events = trial.events.take(_seen(trial, landmark, patients.index))
    schedule = tuple(day for day in trial.schedule if day <= landmark)
    return Known(landmark, patients.index, patients, events, schedule, trial.arms)


def _seen(trial: Trial, landmark: int, ids: pd.Index | pd.Series) -> np.ndarray:
    """Positions of the records of some patients that are known at a landmark."""
    cut = cut_day(landmark)
    rows = np.flatnonzero((trial.events["known_day"] <= cut) & (trial.events["day"] <= cut))
    return rows[trial.events["id"].take(rows).astype("category").isin(ids)]


def last_values(records: pd.DataFrame) -> pd.DataFrame:
    """Last value of every name per patient, names as columns (mean over records of the same day)."""
    records = records[records["value"].notna()]
    latest = records.groupby(["id", "name"])["day"].transform("max")
    return records[records["day"].eq(latest)].pivot_table(index="id", columns="name", values="value", aggfunc="mean")


def _slug(text: str, words: int = 9) -> str:
    return "_".join("".join(c if c.isalnum() else " " for c in text.lower()).split()[:words])


def _baseline(view: Known) -> pd.DataFrame:
    table = view.patients.drop(columns="arm")
    for before, _ in view.followed.values():
        table = table.join(before.rename(columns=lambda name: f"{_slug(name)}_baseline"))
    return table


def _arm(view: Known) -> pd.DataFrame:
    return view.patients[["arm"]].astype(pd.CategoricalDtype(list(view.arms)))


def _adverse_events(view: Known) -> pd.DataFrame:
    records = view.kind("adverse event")
    records = records[records["day"] >= 1]
    if records.empty:
        return pd.DataFrame(index=view.ids)
    table = pd.DataFrame({"ae_count": view.count(records)})
    table["ae_recent"] = view.count(records[records["day"] > view.landmark - RECENT])
    table["ae_terms"] = view.count(records.drop_duplicates(["id", "name"]))
    systems = records.drop_duplicates(["id", "detail"])["detail"].value_counts()
    frequent = sorted(systems.index, key=lambda name: (-systems[name], name))[:BODY_SYSTEMS]
    for name in frequent:
        table[f"ae_{_slug(name, words=2)}"] = view.count(records[records["detail"].eq(name)]).clip(upper=1)
    return table


def _visits(view: Known) -> pd.DataFrame:
    records = view.kind("visit")
    records = records[records["day"] > 1]
    dated = records.drop_duplicates(["id", "day"])
    table = pd.DataFrame({"visits_attended": view.count(dated)})
    table["days_since_visit"] = view.landmark - dated.groupby("id")["day"].max().reindex(view.ids).fillna(1.0)
    unscheduled = records[records["name"].str.upper().str.startswith("UNSCHEDULED", na=False)]
    table["visits_unscheduled"] = view.count(unscheduled)
    due = [day for day in view.schedule if day <= view.landmark - VISIT_WINDOW]
    near = {day: view.ids.isin(dated.loc[(dated["day"] - day).abs() <= VISIT_WINDOW, "id"]) for day in due}
    return table.assign(visits_missed=(~pd.DataFrame(near, index=view.ids)).sum(axis=1).astype(float)) if due else table


def _last_and_change(view: Known, kind: str, only_repeated: bool) -> pd.DataFrame:
    """Last value after the baseline of each name, and its change; optionally of names with a baseline value only."""
    before, after = view.followed[kind]
    table = pd.DataFrame(index=view.ids)
    for name in [name for name in after if name in before or not only_repeated]:
        table[f"{_slug(name)}_last"] = after[name]
        if name in before:
            table[f"{_slug(name)}_change"] = after[name] - before[name]
    return table


def _vital_signs(view: Known) -> pd.DataFrame:
    return _last_and_change(view, "vital sign", only_repeated=True)


def _labs(view: Known) -> pd.DataFrame:
    records = view.kind("lab").dropna(subset=["detail"])
    out = records.assign(value=records["detail"].ne("NORMAL").astype(float))
    before, after = last_values(out[out["day"] <= 1]), last_values(out[out["day"] > 1])
    after = after.reindex(view.ids)
    if after.empty or after.columns.empty:
        return pd.DataFrame(index=view.ids)
    newly = (after > 0) & ~(before.reindex(index=view.ids, columns=after.columns) > 0)
    measured = after.notna().any(axis=1)
    table = pd.DataFrame({"labs_out_of_range": after.mean(axis=1)})
    table["labs_newly_out_of_range"] = newly.sum(axis=1).astype(float).where(measured)
    return table


def _questionnaires(view: Known) -> pd.DataFrame:
    return _last_and_change(view, "questionnaire", only_repeated=False)


MADE = (_baseline, _arm, _adverse_events, _visits, _vital_signs, _labs, _questionnaires)
BUILDERS: dict[str, Callable[[Known], pd.DataFrame]] = dict(zip(GROUPS, MADE, strict=True))


def groups_at(landmark: int) -> tuple[str, ...]:
    """Feature groups that exist at a landmark: before the first dose only baseline and arm.

    >>> groups_at(0)
    ('baseline', 'arm')
    """
    return GROUPS if landmark > 0 else GROUPS[:2]


def _usable(table: pd.DataFrame) -> pd.DataFrame:
    """Columns that are known for at least a share `MOSTLY` of the patients and vary."""
    known_for = table.notna().mean()
    return table[[name for name in table if known_for[name] >= MOSTLY and len(table[name].dropna().unique()) > 1]]


def features_by_group(trial: Trial, landmark: int, groups: Sequence[str] | None = None) -> dict[str, pd.DataFrame]:
    """Feature tables known at a landmark, by group; see `features`."""
    chosen = [group for group in (groups or groups_at(landmark)) if group in groups_at(landmark)]
    built = trial.memo.setdefault(("features", landmark), {})
    missing = [group for group in chosen if group not in built]
    if missing:
        view = known(trial, landmark)
        built |= {group: _usable(BUILDERS[group](view).reindex(view.ids)) for group in missing}
    return {group: built[group].copy(deep=False) for group in chosen}


def features(trial: Trial, landmark: int, groups: Sequence[str] | None = None) -> pd.DataFrame:
    """Features of the patients at risk, from records known at the landmark (a study day) only.

    The groups are some of `GROUPS`; default: all that exist at the landmark.

    Returns
    -------
    pandas.DataFrame, shape (n_at_risk, n_features), indexed by id
        Numbers and categories, missing where nothing is known. Columns that are constant are left out,
        and so are columns that are missing for more than half of them.
    """
    tables = features_by_group(trial, landmark, groups)
    return pd.concat(list(tables.values()), axis=1)


def dictionary(trial: Trial, landmark: int) -> pd.DataFrame:
    """Data dictionary of the features at a landmark.

    Returns
    -------
    pandas.DataFrame
        feature, group, rule (when it is known), known_day (day of the latest record of its kind that was used, at most
        `cut_day`), missing (share of patients at risk).
    """
    seen = _seen(trial, landmark, at_risk(trial, landmark))
    days, rows = trial.events[["kind", "known_day"]].take(seen).groupby("kind")["known_day"].max(), []
    for group, table in features_by_group(trial, landmark).items():
        kind = WORDS["kinds"].get(group)
        day = days.get(kind, np.nan) if kind else 1.0
        named = {"group": group, "rule": WORDS["groups"][group], "known_day": day}
        rows.append(pd.DataFrame({"feature": list(table), **named, "missing": table.isna().mean().to_numpy()}))
    return pd.concat(rows, ignore_index=True)


def counts(trial: Trial, landmark: int) -> dict[str, int]:
    """Patients at risk, and events seen in (landmark, horizon]: primary, all_cause, one entry a group, censored."""
    events = {name: target(trial, landmark, event=name) for name in ("primary", "all_cause", *trial.groups)}
    numbers = {name: int(values.sum()) for name, values in events.items()}
    return {"at_risk": len(events["primary"]), **numbers, "censored": int(events["primary"].isna().sum())}


def risk(trial: Trial, landmark: int) -> float:
    """Share of the patients at risk with the primary event by the horizon (Aalen-Johansen); see `incidence.risk_by`."""
    here = incidence.coded(trial).set_index("id").loc[at_risk(trial, landmark)]
    return incidence.risk_by(here["time"], here["cause"], trial.horizon)


def table(trial: Trial) -> pd.DataFrame:
    """Landmark table: one row a landmark with `counts`, and `risk`, the share with the event."""
    rows = pd.DataFrame([{"landmark": day, **counts(trial, day)} for day in (0, *trial.landmarks)])
    rows.insert(3, "risk", [risk(trial, day) for day in rows["landmark"]])
    return rows


def again(trial: Trial, **changes: Any) -> Trial:
    """The trial with other definitions, of the same patients and records; outcomes follow from them."""
    patients = trial.patients[["id", "arm", "site", "site_group", *trial.baseline]]
    return assemble(
        trial.name,
        trial.source,
        dataclasses.replace(trial.definitions, **changes),
        patients.merge(trial.exits, on="id", validate="one_to_one"),
        trial.events,
        {key: trial.flow[key] for key in ("screened", "screen_failures")},
        trial.schedule,
        estimands=trial.estimands,
    )


def estimands(trial: Trial) -> pd.DataFrame | None:
    """Risk of leaving the study, and of leaving the treatment, by the horizon; None where one of them is recorded.

    Columns: estimand, n_patients, n_events, competing, n_censored, value, ci_low, ci_high.
    """
    rows: list[dict[str, Any]] = []
    for name in trial.estimands if len(trial.estimands) > 1 else ():
        one = again(trial, estimand=name, horizon=trial.horizon)
        (found,) = incidence.primary(one, [trial.horizon]).to_dict("records")
        ends = {key: found[key] if incidence.followed(one) == one.horizon else np.nan for key in incidence.VALUE}
        counted = one.flow["primary"], one.flow["discontinued_by_horizon"] - one.flow["primary"], one.flow["censored"]
        sizes = dict(zip(("n_events", "competing", "n_censored"), counted, strict=True))
        rows.append({"estimand": name, "n_patients": len(one.patients), **sizes, **ends})
    return pd.DataFrame(rows) if rows else None


def participant_flow(trial: Trial) -> pd.DataFrame:
    """Participant flow from the data: who was still there on each landmark, and how many had left, by reason group.

    Whose follow-up ended in between is counted apart (`censored`), as neither.
    """
    patients, flow = trial.patients, trial.flow
    rows: list[dict[str, Any]] = [{"step": "randomised", "n": flow["randomised"], "left": 0}]
    if flow["screened"] is not None:
        first = {"step": "screened", "n": flow["screened"], "left": 0}
        rows = [first, {**rows[0], "left": flow["screen_failures"]}]
    if absent := flow["randomised"] - len(patients):
        rows.append({"step": "analysed", "n": len(patients), "left": absent})
    since = -np.inf
    for day in (*trial.landmarks, trial.horizon):
        gone = patients[patients["event_day"].between(since, day, "right") & patients["status"].ne(NO_EVENT)]
        unseen = int(gone["status"].eq("censored").sum())
        step = {"step": f"in the trial after day {day}", "n": rows[-1]["n"] - len(gone), "left": len(gone) - unseen}
        rows.append(step | {"censored": unseen} | gone["event_group"].value_counts().to_dict())
        since = day
    counted = ["censored", *trial.groups]
    return pd.DataFrame(rows, columns=["step", "n", "left", *counted]).fillna(0).astype(dict.fromkeys(counted, int))


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
    label = visits.loc[(visits["day"] - nearest).abs() <= 3, "name"].mode()[:1]
    days = visits[visits["name"].isin(label)].groupby("id")["day"].min()
    found = {"planned": int(nearest), "attended_by": float((days <= landmark).sum() / len(ids))}
    found["attended_within"] = float(((days - nearest).abs() <= VISIT_WINDOW).sum() / len(ids))
    return found | {"median_day": float(days.median())}


def stopped(trial: Trial, landmark: int) -> pd.Index | None:
    """Patients at risk whose dosing had ended by the landmark; None where the source does not tell when it ends."""
    ends = trial.events[trial.events["kind"].eq("end of exposure")].groupby("id")["day"].max()
    dosed_still = trial.events["kind"].eq("exposure").any() and trial.patients["reason_group"].eq(CENSORED).any()
    if ends.empty and not dosed_still:
        return None
    return pd.Index(at_risk(trial, landmark)).intersection(ends.index[ends <= landmark])


def off_treatment(trial: Trial, landmark: int) -> dict[str, int] | None:
    """Patients who count as at risk although their last dose lies behind them: seen in hindsight only.

    How many (`n`), and how many of them had the primary event later; None where the end of dosing is not told.
    """
    ended = stopped(trial, landmark)
    if ended is None:
        return None
    return {"n": len(ended), "primary": int(target(trial, landmark).reindex(ended).sum())}


def reasons(trial: Trial) -> pd.DataFrame:
    """Every disposition term of the data with its reason group, and how many left by the horizon and after it.

    What one patient alone has, and no definition names, could be anything that somebody typed: it is not repeated.
    """
    patients, known = trial.patients, trial.definitions
    named = {*known.reasons, *known.competing, *known.completed}
    once = ~patients["reason"].duplicated(keep=False) & patients["reason"].notna() & ~patients["reason"].isin(named)
    patients = patients.assign(reason=patients["reason"].mask(once, "(terms of one patient each)"))
    by = patients.assign(early=patients["event_day"] <= trial.horizon).groupby(["reason_group", "reason"], dropna=False)
    table = by.agg(by_horizon=("early", "sum"), patients=("id", "size")).reset_index()
    order = {group: k for k, group in enumerate((*trial.groups, "completed", "ongoing"))}
    table = table.assign(k=table["reason_group"].map(order)).sort_values(["k", "patients"], ascending=[True, False])
    return table[["reason", "reason_group", "by_horizon", "patients"]].reset_index(drop=True)
