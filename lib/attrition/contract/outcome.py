"""Is the outcome worth modelling, and does a column give it away?"""

import numpy as np
import pandas as pd

from attrition.contract.strict import ContractError, Problem
from attrition.metrics.ranks import auroc

MINIMUM_OUTCOMES = 20
"""Fewest patients with, and without, the outcome that the report needs: ten for each half of a validation."""
GIVEAWAY_AUROC = 0.9
MOST_LEVELS = 50


def check_outcome(
    y: pd.Series | np.ndarray, minimum: int = MINIMUM_OUTCOMES, file: str = "table", name: str = "dropout"
) -> None:
    """Refuse an outcome from which nothing can be learned.

    Parameters
    ----------
    y : array (n,)
        0 and 1.
    minimum : int
        Fewest patients with the outcome, and fewest without, that the report needs.
    file, name : str
        What the message calls the file and the column.

    Raises
    ------
    ContractError
        Missing or other values, a constant outcome, too few patients on either side; the message gives the counts
        and the minimum.

    Examples
    --------
    >>> check_outcome([0, 0, 1, 0, 0])
    Traceback (most recent call last):
    ...
    attrition.contract.strict.ContractError: table: refused, 1 problem
      column dropout: 1 of 5 patients has the outcome; the report needs at least 20 with and 20 without it
    """
    values = pd.to_numeric(pd.Series(np.asarray(y)), errors="coerce")
    if not values.isin([0, 1]).all():
        raise ContractError(file, [Problem(name, "the outcome must be 0 or 1 for every patient")])
    n, events = len(values), int(values.sum())
    if min(events, n - events) < minimum:
        verb = "has" if events == 1 else "have"
        rule = f"{events} of {n} patients {verb} the outcome; the report needs at least {minimum} with and {minimum}"
        raise ContractError(file, [Problem(name, f"{rule} without it")])


def giveaways(table: pd.DataFrame, y: pd.Series | np.ndarray, threshold: float = GIVEAWAY_AUROC) -> pd.DataFrame:
    """Screen each column alone: one that separates the outcome too well is probably made from it.

    Parameters
    ----------
    table : DataFrame (n, k)
        Candidate inputs; categories are screened level against the rest.
    y : array (n,)
        0 and 1.
    threshold : float
        Flagged at this auroc, in either direction, or when presence of a value does as well.

    Returns
    -------
    DataFrame
        column, auroc (folded to .5 and above), flagged; sorted by auroc.

    Examples
    --------
    >>> y = np.array([0, 0, 1, 1])
    >>> giveaways(pd.DataFrame({"age": [4, 2, 3, 1], "last_day": [0, 0, 30, 60]}), y)["column"].tolist()
    ['last_day', 'age']
    """
    y = np.asarray(y).astype(float)
    rows = [{"column": name, "auroc": max(_separations(table[name], y))} for name in table.columns]
    found = pd.DataFrame(rows, columns=["column", "auroc"]).sort_values(["auroc", "column"], ascending=[False, True])
    return found.assign(flagged=found["auroc"] >= threshold).reset_index(drop=True)


def _separations(values: pd.Series, y: np.ndarray) -> list[float]:
    if pd.api.types.is_numeric_dtype(values):
        candidates = [values.fillna(values.min()).to_numpy(float)]
    else:
        candidates = [(values == level).to_numpy(float) for level in values.value_counts().index[:MOST_LEVELS]]
    candidates.append(values.isna().to_numpy(float))
    areas = [float(auroc(y, np.nan_to_num(score))[0]) for score in candidates]
    return [max(area, 1 - area) for area in areas]
