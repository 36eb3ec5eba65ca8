"""How single columns go with dropout: separation, correlation, and what a rate is made of. No model."""

from typing import Any

import numpy as np
import pandas as pd

from attrition import features, metrics, tables
from attrition.tables import LARGE_SMD

PANELS = {
    "age": "age (years)",
    "days_in_trial": "days in trial",
    "visits_completed": "completed visits",
    "adverse_events": "adverse events",
}
DERIVED = (
    "age",
    "days_in_trial",
    "visit_rate",
    "adverse_event_rate",
    "time_since_last_visit",
    "burden",
    "age_adverse_risk",
    "trial_phase_risk",
    "treatment_risk",
)
DESCRIBED = ("age", "gender", "treatment_group", "trial_phase", "days_in_trial", "visits_completed", "adverse_events")
"""Characteristics of Table 1: those of the first day before those that count the follow-up."""
CATEGORIES = ("gender", "treatment_group", "trial_phase")
Z_95 = 1.959963984540054


def table_one(trial: pd.DataFrame) -> pd.DataFrame:
    """Characteristics of the trial's patients, overall and by outcome; see `attrition.tables.table_one`."""
    return tables.table_one(trial, list(DESCRIBED), list(CATEGORIES), "dropout", {0: "stayed", 1: "dropped out"})


def unlike(table_1: pd.DataFrame, smallest: float = LARGE_SMD) -> dict[str, Any]:
    """Characteristics in which the groups differ, and a sentence that says so.

    Parameters
    ----------
    table_1 : pandas.DataFrame
        From `attrition.tables.table_one`.
    smallest : float
        Smallest standardised mean difference that counts.

    Returns
    -------
    dict
        ``names, n, smallest, largest, sentence``; the sentence is a template for `attrition.report.prose`.
    """
    smd = pd.to_numeric(table_1["smd"], errors="coerce").abs()
    rows = table_1.assign(smd=smd)[smd >= smallest].sort_values("smd", ascending=False)
    names = [name.split(",")[0].split(":")[0] for name in rows["characteristic"]]
    differ = (
        "Those who left and those who stayed differ by {smallest:.1f} standard deviations or more in {names}; the "
        "largest SMD is {largest:.2f}. An SMD says that groups differ, not that the column could be used: what is "
        "counted over the follow-up is known only when it ends."
    )
    alike = "Those who left and those who stayed differ in nothing by {smallest:.1f} or more (largest: {largest:.2f})."
    return {
        "names": ", ".join(dict.fromkeys(names)),
        "n": len(names),
        "smallest": smallest,
        "largest": float(smd.max()),
        "sentence": differ if names else alike,
    }


def bins(values: pd.Series, most: int = 24) -> np.ndarray:
    """Histogram edges: one bin a value for counts, `most` equal bins otherwise."""
    span = int(values.max() - values.min())
    return (
        np.arange(values.min() - 0.5, values.max() + 1.5)
        if span <= most
        else np.linspace(values.min(), values.max(), most)
    )


def histograms(trial: pd.DataFrame, event: np.ndarray) -> pd.DataFrame:
    """The numbers behind the panels: share of patients by column, outcome and bin."""
    parts = []
    for column in PANELS:
        edges = bins(trial[column])
        for name, mask in (("stayed", event == 0), ("dropout", event == 1)):
            count, _ = np.histogram(trial.loc[mask, column], edges)
            part = pd.DataFrame({"from": edges[:-1], "to": edges[1:], "share": count / mask.sum()})
            parts.append(part.assign(column=column, outcome=name))
    return pd.concat(parts, ignore_index=True)[["column", "outcome", "from", "to", "share"]]


def separation(trial: pd.DataFrame, event: np.ndarray) -> dict[str, Any]:
    """AUROC of each column taken alone, in its better direction.

    Returns
    -------
    dict
        Column to AUROC, and the strongest and weakest with their labels.
    """
    alone = {c: float(metrics.auroc(event, trial[c].to_numpy(float))) for c in PANELS}
    alone = {column: max(value, 1 - value) for column, value in alone.items()}
    best, worst = max(alone, key=alone.__getitem__), min(alone, key=alone.__getitem__)
    words = {"strongest_label": PANELS[best].capitalize(), "weakest_label": PANELS[worst]}
    return alone | words | {"strongest_auroc": alone[best], "weakest_auroc": alone[worst]}


def correlations(columns: pd.DataFrame, event: np.ndarray) -> pd.DataFrame:
    r"""Pearson correlation of each column with the outcome, strongest first.

    The interval is Fisher's: :math:`\tanh(\operatorname{artanh} r \pm z_{.975} / \sqrt{n - 3})`.

    Parameters
    ----------
    columns : pandas.DataFrame, shape (n_patients, n_features)
        Columns named as in `attrition.features.FEATURES`.
    event : numpy.ndarray, shape (n_patients,)

    Returns
    -------
    pandas.DataFrame
        Columns ``feature, correlation, ci_low, ci_high, known_at``.

    References
    ----------
    Fisher. Metron 1921;1:3-32.
    """
    r = columns.corrwith(pd.Series(event, index=columns.index))
    z, half = np.arctanh(r), Z_95 / np.sqrt(len(columns) - 3)
    table = pd.DataFrame({"correlation": r, "ci_low": np.tanh(z - half), "ci_high": np.tanh(z + half)})
    table["known_at"] = [features.FEATURES[name].known_at for name in table.index]
    strongest_first = table["correlation"].abs().sort_values(ascending=False).index
    return table.loc[strongest_first].rename_axis("feature").reset_index()


def strongest(table: pd.DataFrame) -> dict[str, Any]:
    """First row of `correlations`, for a sentence."""
    row = table.iloc[0]
    return {"name": row["feature"].replace("_", " "), "r": float(row["correlation"]), "known_at": row["known_at"]}


def stacked(**tables: pd.DataFrame) -> pd.DataFrame:
    """Several tables below each other, with the name of each."""
    return pd.concat([table.assign(table=name) for name, table in tables.items()], ignore_index=True)


def rate_spread(by_phase: pd.DataFrame, by_arm: pd.DataFrame) -> dict[str, float]:
    """Lowest and highest observed rate by phase and by arm, and how many intervals contain the law's value."""
    rows = pd.concat([by_phase, by_arm])
    covered = rows["expected"].between(rows["ci_low"], rows["ci_high"])
    return {
        "phase_low": float(by_phase["rate"].min()),
        "phase_high": float(by_phase["rate"].max()),
        "arm_low": float(by_arm["rate"].min()),
        "arm_high": float(by_arm["rate"].max()),
        "covered": int(covered.sum()),
        "rows": len(rows),
    }


def denominator(trial: pd.DataFrame, rate: np.ndarray) -> dict[str, float]:
    """How much of an adverse-event rate is its denominator: shortest against longest fifth of follow-up.

    Parameters
    ----------
    trial : pandas.DataFrame, shape (n_patients, ...)
    rate : numpy.ndarray, shape (n_patients,)
        Adverse events per day.

    Returns
    -------
    dict
        ``ratio`` of the mean rates, ``events_ratio`` of the mean counts.

    Examples
    --------
    >>> trial = pd.DataFrame({"days_in_trial": [10, 50, 100], "adverse_events": [1, 1, 1]})
    >>> denominator(trial, np.array([0.1, 0.02, 0.01]))["ratio"]
    10.0
    """
    days = trial["days_in_trial"]
    short, long = days <= days.quantile(0.2), days >= days.quantile(0.8)
    events = trial["adverse_events"]
    return {
        "ratio": float(rate[short].mean() / rate[long].mean()),
        "events_ratio": float(events[short].mean() / events[long].mean()),
    }
