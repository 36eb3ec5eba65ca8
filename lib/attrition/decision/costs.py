"""Costs, the thresholds that follow from them, and risk bands with their actions.

Offered to callers through `attrition.decision`.
"""

import itertools
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from attrition.metrics.intervals import wilson

BANDS: tuple[dict[str, Any], ...] = (
    {"band": "critical", "low": 0.75, "cost": 500.0, "action": "retention team"},
    {"band": "high", "low": 0.55, "cost": 150.0, "action": "nurse or doctor consultation"},
    {"band": "medium", "low": 0.35, "cost": 45.0, "action": "proactive call"},
    {"band": "low", "low": 0.0, "cost": 0.5, "action": "automated message"},
)
"""The seed's risk bands: lower end, dollars a patient, action."""


def implied_costs() -> pd.DataFrame:
    """What the ends of the risk bands say about the worth of an action, if the bands are right.

    Returns
    -------
    pandas.DataFrame
        A row a step up: ``band, threshold, extra_cost`` over the band below, ``implied_gain`` (expected
        saving on one leaver that makes the step break even), ``harm_to_benefit`` (odds of the threshold).

    Examples
    --------
    >>> implied_costs()["implied_gain"].round(1).tolist()
    [466.7, 190.9, 127.1]
    """
    rows = []
    for upper, lower in itertools.pairwise(BANDS):
        extra, threshold = upper["cost"] - lower["cost"], upper["low"]
        rows.append(
            {
                "band": upper["band"],
                "threshold": threshold,
                "extra_cost": extra,
                "implied_gain": extra / threshold,
                "harm_to_benefit": threshold / (1 - threshold),
            }
        )
    return pd.DataFrame(rows)


def band_of(y_prob: ArrayLike) -> NDArray:
    """Number of the band of each prediction: 0 is the highest.

    Examples
    --------
    >>> band_of([0.8, 0.55, 0.35, 0.1]).tolist()
    [0, 1, 2, 3]
    """
    lows = np.array([band["low"] for band in BANDS])
    return (np.asarray(y_prob)[..., None] < lows).sum(axis=-1)


def spent(table: pd.DataFrame) -> dict[str, float]:
    """Dollars per 100 patients over all bands of `band_table`, and the share of the highest band."""
    total = float(table["cost_per_100"].sum())
    return {"total": total, "highest": float(table["cost_per_100"].iloc[0]) / total}


def band_table(y_true: ArrayLike, y_prob: ArrayLike) -> pd.DataFrame:
    """Patients, events and cost of each band, with the observed event rate and Wilson's interval.

    Parameters
    ----------
    y_true, y_prob : array of shape (n_patients,)

    Returns
    -------
    pandas.DataFrame
        ``band, n, events, event_rate, ci_low, ci_high, patients_per_100, cost_per_100``.

    Examples
    --------
    >>> band_table([1, 0, 1, 0], [0.9, 0.6, 0.5, 0.1])["cost_per_100"].tolist()
    [12500.0, 3750.0, 1125.0, 12.5]
    """
    y, member = np.asarray(y_true), band_of(y_prob)
    rows = []
    for number, band in enumerate(BANDS):
        n, events = int((member == number).sum()), int(y[member == number].sum())
        share = 100 * n / y.size
        per_100 = {"patients_per_100": share, "cost_per_100": share * band["cost"]}
        rows.append({"band": band["band"], "n": n, "events": events, **wilson(events, n), **per_100})
    return pd.DataFrame(rows).rename(columns={"value": "event_rate"})
