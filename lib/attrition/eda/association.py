"""How single columns go with dropout: separation, correlation, and what a rate is made of. No model."""

from typing import Any

import numpy as np
import pandas as pd

from attrition import tables
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
        ``names, n, smallest, largest, sentence``; the sentence is a template for `notebook_report.prose`.
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


def stacked(**tables: pd.DataFrame) -> pd.DataFrame:
    """Several tables below each other, with the name of each."""
    return pd.concat([table.assign(table=name) for name, table in tables.items()], ignore_index=True)
