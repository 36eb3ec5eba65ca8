"""The appendix on cost: how time and memory grow with the number of patients, as measured once and committed."""

from typing import Any

import numpy as np
import pandas as pd

from attrition import paths

IN_PIECES = ("generation", "features", "scores")
"""Steps that go through a trial in pieces; the others need all patients at once."""


def measured() -> pd.DataFrame:
    """What ``benchmarks/curves.py`` wrote: one row a step and number of patients.

    Returns
    -------
    DataFrame
        step, patients, seconds (of processor, one thread), patients_a_second, peak_mib (of the process so far).
    """
    return pd.read_csv(paths.COST, comment="#")


def where_and_when() -> str:
    """Date and kind of machine of `measured`."""
    with paths.COST.open(encoding="utf-8") as file:
        return file.readline().removeprefix("#").strip()


def growth(costs: pd.DataFrame) -> pd.Series:
    """Exponent by step: cost grows as patients to this power, from the second largest number to the largest.

    Parameters
    ----------
    costs : DataFrame
        From `measured`.

    Returns
    -------
    Series
        Indexed by step; 1 means in proportion.

    Examples
    --------
    >>> table = {"step": ["a", "a"], "patients": [10, 1000], "seconds": [2.0, 200.0]}
    >>> growth(pd.DataFrame(table)).round(6).to_dict()
    {'a': 1.0}
    """
    powers = {}
    for step, rows in costs.groupby("step", sort=False):
        before, last = np.log(rows.sort_values("patients")[["patients", "seconds"]].to_numpy(float)[-2:])
        powers[step] = (last[1] - before[1]) / (last[0] - before[0])
    return pd.Series(powers)


def reading(costs: pd.DataFrame) -> tuple[str, dict[str, Any]]:
    """What the figure shows, as a template and its values.

    Parameters
    ----------
    costs : DataFrame
        From `measured`.
    """
    pieces = costs[costs["step"].isin(IN_PIECES)]
    most = pieces[pieces["patients"] == pieces["patients"].max()]
    whole = costs[~costs["step"].isin(IN_PIECES)]
    powers = growth(costs)
    template = (
        "To draw {most:,} patients, derive their features and score them takes {seconds:.0f} seconds of one processor "
        "and {memory:.0f} MiB at the peak: pieces of a trial are made and let go. The other steps look at all patients "
        "at once, up to {whole:,} with {whole_memory:.0f} MiB. From the second largest number to the largest, cost "
        "grows as the number of patients to a power between {low:.2f} and {high:.2f} ({steepest}); 1 is in proportion. "
        "Replicates do not depend on each other: their cost is in proportion to their number and shared among workers, "
        "and the Monte-Carlo error falls with its square root. Measured on {machine}."
    )
    return template, {
        "most": int(most["patients"].iloc[0]),
        "seconds": float(most["seconds"].sum()),
        "memory": float(most["peak_mib"].max()),
        "whole": int(whole["patients"].max()),
        "whole_memory": float(whole["peak_mib"].max()),
        "low": float(powers.min()),
        "high": float(powers.max()),
        "steepest": str(powers.idxmax()),
        "machine": where_and_when(),
    }
