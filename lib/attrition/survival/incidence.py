"""The incidence tables of a trial: by reason, by arm, the mistake, the hazards, and what may be said of them."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from attrition import survival
from attrition.cdisc.trial import Trial
from attrition.metrics import intervals
from attrition.survival import hazards

PRIMARY = "primary"
COMPETING = "competing"
CAUSE = {PRIMARY: 1, COMPETING: 2}
VALUE = ("value", "ci_low", "ci_high")
MEASURES = ("risk", "risk_difference", "days_lost", "days_difference")
ONE_ARM = "one arm only"


def coded(trial: Trial) -> pd.DataFrame:
    """Patients as the estimators take them.

    Parameters
    ----------
    trial : Trial

    Returns
    -------
    pandas.DataFrame
        ``id``, ``arm``, ``time`` (day, at most the horizon), ``reason`` (a reason group, or ``"none"``), ``status``
        (``"primary"``, ``"competing"``, ``"none"`` or ``"censored"``) and ``cause`` (0, 1 primary, 2 competing).
    """
    patients = trial.patients
    table = patients[["id", "arm", "time", "status"]].assign(
        reason=patients["event_group"], cause=patients["status"].map(CAUSE).fillna(0).astype(int)
    )
    return table.assign(arm=pd.Categorical(table["arm"].astype(str), [str(arm) for arm in trial.arms]))


def days_shown(trial: Trial) -> list[int]:
    """Landmarks and horizon."""
    return [*(day for day in trial.landmarks if 0 < day < trial.horizon), trial.horizon]


def by_reason(trial: Trial, days: Sequence[float], by: str | None = None) -> pd.DataFrame:
    """Aalen-Johansen by reason (and arm, with ``by="arm"``); see `survival.tabulate`."""
    return survival.tabulate(coded(trial).sort_values("arm", kind="stable"), trial.groups, days, by)


def primary(trial: Trial, days: Sequence[float], by: str | None = None, level: float = 0.95) -> pd.DataFrame:
    """Aalen-Johansen of the primary event, all its reasons together, against the competing events."""
    patients = coded(trial).sort_values("arm", kind="stable")
    patients["reason"] = patients["status"]
    table = survival.tabulate(patients, list(CAUSE), days, by, level)
    return table[table["reason"] == PRIMARY].reset_index(drop=True)


def steps(trial: Trial) -> np.ndarray:
    """Day 0, every day on which somebody left, and the horizon: where the curves can step."""
    time = trial.patients["time"].to_numpy(dtype=float)
    return np.unique(np.concatenate([[0.0], time[(time > 0) & (time <= trial.horizon)], [trial.horizon]]))


def by_the_mistake(trial: Trial, days: Sequence[float]) -> pd.DataFrame:
    """1 - Kaplan-Meier by reason, the other reasons counted as censored: what not to do.

    Parameters
    ----------
    trial : Trial
    days : sequence of float

    Returns
    -------
    pandas.DataFrame
        Columns as in `by_reason`.
    """
    patients, parts = coded(trial), []
    for reason in trial.groups:
        fit = survival.one_minus_km(patients["time"], patients["reason"].eq(reason).astype(int), of=1)
        parts.append(survival.at_days(fit, days).assign(group="all", reason=reason).drop(columns="cause"))
    columns = ["group", "reason", "day", "at_risk", "events", *VALUE]
    return pd.concat(parts, ignore_index=True)[columns]


def overstatement(right: pd.DataFrame, wrong: pd.DataFrame, day: float) -> pd.DataFrame:
    """The two estimates of every reason on one day, and their difference.

    Returns
    -------
    pandas.DataFrame
        ``reason``, ``events``, ``incidence``, ``one_minus_km``, ``difference``, ``ratio`` (NaN without an event), and a
        last row ``sum`` with the sums over the reasons.
    """
    keep = ["reason", "events", "value"]
    table = right.loc[right["day"] == day, keep].merge(wrong.loc[wrong["day"] == day, keep[::2]], on="reason")
    table.columns = ["reason", "events", "incidence", "one_minus_km"]
    table.loc[len(table)] = ["sum", *table[["events", "incidence", "one_minus_km"]].sum()]
    table["difference"] = table["one_minus_km"] - table["incidence"]
    table["ratio"] = table["one_minus_km"] / table["incidence"].where(table["incidence"] > 0)
    return table.astype({"events": int})


def nested(table: pd.DataFrame, key: str) -> dict[str, dict[str, dict[str, float]]]:
    """A tidy table as ``{key: {day: interval and counts}}``, for the results.

    Examples
    --------
    >>> row = {"group": "A", "day": 28.0, "at_risk": 9, "events": 1, "value": 0.1, "ci_low": 0.0, "ci_high": 0.3}
    >>> nested(pd.DataFrame([row]), "group")["A"]["28"]["value"]
    0.1
    """
    columns = [*VALUE, "at_risk", "events"]
    return {
        str(name): {f"{row['day']:g}": {column: row[column] for column in columns} for row in part.to_dict("records")}
        for name, part in table.groupby(key, sort=False, observed=True)
    }


def arm_flow(trial: Trial) -> pd.DataFrame:
    """Patients, leavers by reason, and patient-days up to the horizon, by arm and in total."""
    patients = coded(trial)
    counts = (
        pd.crosstab(patients["arm"], patients["reason"], dropna=False).reindex(columns=list(trial.groups)).fillna(0)
    )
    table = counts.astype(int)
    table.insert(0, "patients", patients.groupby("arm", observed=False).size())
    table["still in"] = patients[patients["status"] == "none"].groupby("arm", observed=False).size()
    table["censored"] = patients[patients["status"] == "censored"].groupby("arm", observed=False).size()
    table["patient_days"] = patients.groupby("arm", observed=False)["time"].sum().round().astype(int)
    table.loc["all"] = table.sum()
    table.index = table.index.astype(str)
    return table.rename_axis("arm").reset_index()


def by_arm_and_reason(table: pd.DataFrame, flow: pd.DataFrame) -> pd.DataFrame:
    """`by_reason` of the arms on one day for readers, with the patients of each arm (`arm_flow`)."""
    patients = table["group"].map(flow.set_index("arm")["patients"])
    columns = ["group", "reason", "patients", "at_risk", "events", "value", "ci_low", "ci_high"]
    return table.assign(patients=patients)[columns]


def arm_differences(trial: Trial, level: float = 0.95) -> pd.DataFrame:
    """Each arm's risk by the horizon, days lost, and both differences from the first arm.

    Parameters
    ----------
    trial : Trial
        Its first arm is the reference.
    level : float

    Returns
    -------
    pandas.DataFrame
        ``arm``, ``n``, ``events``, ``risk``, ``days_lost``, each with ``_low`` and ``_high``, and the same for
        ``risk_difference`` and ``days_difference`` (missing for the reference). Intervals of differences are made from
        those of the two arms by square-and-add.

    References
    ----------
    Newcombe RG (1998), Stat Med 17:873-890.
    """
    patients, rows, first = coded(trial), [], None
    for arm in [arm for arm in patients["arm"].cat.categories if (patients["arm"] == arm).any()]:
        part = patients[patients["arm"] == arm]
        fit = survival.aalen_johansen(part["time"], part["cause"], 2)
        risk = survival.at_days(fit, [trial.horizon], level).iloc[0]
        risk, lost = {key: float(risk[key]) for key in VALUE}, survival.time_lost(fit, 1, trial.horizon, level)
        row = {"arm": str(arm), "n": len(part), "events": int(part["cause"].eq(1).sum())}
        named = {"risk": risk, "days_lost": lost}
        if first is not None:
            named["risk_difference"] = survival.risk_difference(risk, first[0])
            named["days_difference"] = survival.risk_difference(lost, first[1])
        first = first or (risk, lost)
        rows.append(row | {k: v for name, part in named.items() for k, v in _flat(name, part).items()})
    columns = [f"{name}{end}" for name in MEASURES for end in ("", "_low", "_high")]
    return pd.DataFrame(rows).reindex(columns=["arm", "n", "events", *columns])


def level_for_all(trial: Trial, level: float = 0.95) -> float:
    """Level of each interval that makes the comparisons of all arms with the first one hold at once (Bonferroni).

    Examples
    --------
    >>> from attrition import cdisc
    >>> level_for_all(cdisc.load("pilot"))
    0.975
    """
    return intervals.level_for_all(coded(trial)["arm"].nunique() - 1, level)


def _flat(name: str, part: Mapping[str, float]) -> dict[str, float]:
    return {name: part["value"], f"{name}_low": part["ci_low"], f"{name}_high": part["ci_high"]}


def interval(row: pd.Series, name: str) -> dict[str, float]:
    """The interval `name` of a row of `arm_differences`, as results and sentences take it."""
    return {"value": row[name], "ci_low": row[f"{name}_low"], "ci_high": row[f"{name}_high"]}


def written(differences: pd.DataFrame) -> pd.DataFrame:
    """The table of `arm_differences` for readers: each interval in one column."""
    table = differences[["arm", "n", "events"]].copy()
    for name in MEASURES:
        style, scale = ("{:.1f} %", 100) if name.startswith("risk") else ("{:.1f}", 1)
        columns = [name, f"{name}_low", f"{name}_high"]
        rows = (differences[columns] * scale).to_numpy()
        table[name] = [
            "{} ({} to {})".format(*(style.format(part).removesuffix(" %" * (k > 0)) for k, part in enumerate(row)))
            if row[0] == row[0]
            else None
            for row in rows
        ]
    return table


def arm_columns(trial: Trial) -> pd.DataFrame:
    """Indicator columns of the arms against the first one; no columns with a single arm."""
    arm = coded(trial)["arm"].cat.remove_unused_categories()
    return pd.get_dummies(arm, drop_first=True, dtype=float)


def _estimable(event: pd.Series, arms: pd.Series, fewest: int) -> bool:
    return event.sum() >= fewest and bool((event.groupby(arms, observed=True).sum() > 0).all())


def arm_hazards(trial: Trial, fewest: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Cause-specific hazard ratios of the arms, and the proportional-hazards check of each model.

    Parameters
    ----------
    trial : Trial
    fewest : int
        A reason with fewer events, or with none in an arm, gets no model: its rows hold the counts only.

    Returns
    -------
    ratios : pandas.DataFrame
        ``reason``, ``arm``, ``events``, ``hazard_ratio``, ``ci_low``, ``ci_high``. ``primary`` is all primary reasons.
    checks : pandas.DataFrame
        ``reason``, ``arm`` (``all`` is the joint test), ``statistic``, ``df``, ``p``, ``correlation``; one row a test.

    See Also
    --------
    hazards.proportional_hazards : the test, on the rank of the day.
    """
    patients, X = coded(trial), arm_columns(trial)
    ratios, checks = [], []
    for reason in (PRIMARY, *trial.groups):
        event = patients["cause"].eq(1) if reason == PRIMARY else patients["reason"].eq(reason)
        table = pd.DataFrame({"reason": reason, "arm": list(X.columns) or [ONE_ARM], "events": int(event.sum())})
        if X.shape[1] and _estimable(event, patients["arm"], fewest):
            fit = hazards.cause_specific_cox(patients["time"], event, X)
            table = table.assign(**{name: fit[name] for name in ("hazard_ratio", "ci_low", "ci_high")})
            check = hazards.proportional_hazards(patients["time"], event, X).rename(columns={"term": "arm"})
            checks.append(check.replace({"arm": {"GLOBAL": "all"}}).assign(reason=reason))
        ratios.append(table)
    columns = ["reason", "arm", "events", "hazard_ratio", "ci_low", "ci_high"]
    found = pd.concat(checks, ignore_index=True) if checks else pd.DataFrame(columns=["arm", "p", "reason"])
    order = ["reason", "arm", "statistic", "df", "p", "correlation"]
    return pd.concat(ratios, ignore_index=True).reindex(columns=columns), found.reindex(columns=order)


def effect_over_time(trial: Trial, checks: pd.DataFrame) -> tuple:
    """Scaled Schoenfeld residuals of the reason with the most events among those with a model; Nones without one.

    Parameters
    ----------
    trial : Trial
    checks : pandas.DataFrame
        Of `arm_hazards`.

    Returns
    -------
    reason : str
    residuals : pandas.DataFrame
        ``day`` and one column an arm.
    coefficients : dict of str to float
        Log hazard ratio of each arm, constant over time.
    """
    if checks.empty:
        return None, None, None
    patients, X = coded(trial), arm_columns(trial)
    counts = patients.loc[patients["reason"].isin(checks["reason"]), "reason"].value_counts()
    reason = PRIMARY if counts.empty else str(counts.index[0])
    event = patients["cause"].eq(1) if reason == PRIMARY else patients["reason"].eq(reason)
    beta = hazards.fit_cox(patients["time"], event, X)
    residuals = hazards.scaled_schoenfeld(patients["time"], event, X)
    return reason, residuals, dict(zip(X.columns, beta, strict=True))


def at_risk_rows(trial: Trial, days: Sequence[float], by_arm: bool = False) -> dict[str, list[int]]:
    """Numbers at risk below a figure: one row for all patients, or one an arm."""
    patients = coded(trial)
    parts = dict(tuple(patients.groupby("arm", observed=True))) if by_arm else {"all": patients}
    return {str(name): survival.numbers_at_risk(part["time"], days).tolist() for name, part in parts.items()}


def verdict_of(difference: Mapping[str, float], margin: float) -> str:
    """Verdict on a difference that should be positive, by its interval and the smallest one of interest.

    Examples
    --------
    >>> verdict_of({"value": 0.2, "ci_low": 0.05, "ci_high": 0.3}, margin=0.1)
    'supported'
    >>> verdict_of({"value": 0.05, "ci_low": 0.01, "ci_high": 0.09}, margin=0.1)
    'direction only'
    >>> verdict_of({"value": 0.05, "ci_low": -0.01, "ci_high": 0.2}, margin=0.1)
    'not supported'
    """
    if difference["ci_low"] <= 0:
        return "not supported"
    return "supported" if difference["value"] >= margin else "direction only"


def largest_difference(differences: pd.DataFrame, margin: float) -> tuple[dict, str]:
    """The arm that differs most from the first one: its row, and the verdict on a difference in either direction."""
    row = differences.loc[differences["risk_difference"].abs().idxmax()]
    gap = interval(row, "risk_difference")
    if gap["value"] < 0:
        gap = {"value": -gap["value"], "ci_low": -gap["ci_high"], "ci_high": -gap["ci_low"]}
    return row.to_dict(), verdict_of(gap, margin)
