"""Tables of patients, as journals print them: counts with percentages, means with spread, differences as SMD."""

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from attrition.metrics import intervals

LARGE_SMD = 0.1
"""Standardised mean difference above which groups are usually called unlike (Austin 2009)."""


def table_one(
    patients: pd.DataFrame, columns: Sequence[str], categorical: Sequence[str], by: str, groups: Mapping[object, str]
) -> pd.DataFrame:
    """Characteristics of patients, overall and by group, with missing counts and standardised differences.

    No p-values: in a randomised or simulated group they test what is known to be true, and they mistake size for
    importance.

    Parameters
    ----------
    patients : pandas.DataFrame, shape (n_patients, ...)
    columns : sequence of str
        Characteristics, in order.
    categorical : sequence of str
        Those of `columns` that are categories.
    by : str
        Grouping column.
    groups : mapping
        Value of `by` to heading.

    Returns
    -------
    pandas.DataFrame
        Columns ``characteristic, missing, overall``, one for each group, ``smd``.

    References
    ----------
    Pollard, Johnson, Raffa, Mark. tableone. JAMIA Open 2018;1:26-31.
    Austin. Statistics in Medicine 2009;28:3083-3107.
    """
    from tableone import TableOne

    named = patients[[*columns, by]].assign(**{by: patients[by].map(dict(groups))})
    made = TableOne(
        named, columns=list(columns), categorical=list(categorical), groupby=by, pval=False, smd=True, overall=True
    ).tableone
    made.columns = [str(heading).lower() for _, heading in made.columns]
    smd = next(name for name in made.columns if name.startswith("smd"))
    rows = [_row_label(*index) for index in made.index]
    shown = made.rename(columns={smd: "smd"}).assign(characteristic=rows)
    order = ["characteristic", "missing", "overall", *(g.lower() for g in groups.values()), "smd"]
    return shown[order].astype(object).where(shown[order].notna(), "").reset_index(drop=True)


def _row_label(name: str, level: str) -> str:
    heading = re.sub(r", (n \(%\)|mean \(SD\)|median \[Q1,Q3\])$", r", \1", name).replace("_", " ")
    return f"{heading.split(', n (%)')[0]}: {level}, n (%)" if level else heading


def missing_values(table: pd.DataFrame) -> pd.DataFrame:
    """Missing values by column: ``column, n, missing, share``.

    Examples
    --------
    >>> missing_values(pd.DataFrame({"age": [50, None]})).missing.tolist()
    [1]
    """
    found = table.isna().sum().rename_axis("column").reset_index(name="missing")
    found.insert(1, "n", len(table))
    return found.assign(share=found["missing"] / len(table))


def event_rates(groups: pd.Series, event: np.ndarray, expected: np.ndarray | None = None) -> pd.DataFrame:
    """Share of patients with the event in each group, with Wilson intervals.

    Columns ``group, n, events, rate, ci_low, ci_high``; with the known probabilities of the event also their mean,
    ``expected``.

    Examples
    --------
    >>> event_rates(pd.Series(["a", "a", "b"]), np.array([0, 1, 1])).rate.tolist()
    [0.5, 1.0]
    """
    frame = pd.DataFrame({"group": groups.astype(str).to_numpy(), "event": np.asarray(event)})
    if expected is not None:
        frame["expected"] = expected
    rows = []
    for group, part in frame.groupby("group"):
        n, events = len(part), int(part["event"].sum())
        row = {"group": group, "n": n, "events": events, **intervals.wilson(events, n)}
        rows.append(row | ({"expected": float(part["expected"].mean())} if expected is not None else {}))
    return pd.DataFrame(rows).rename(columns={"value": "rate"})
