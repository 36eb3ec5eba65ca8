"""Performance in subgroups that were fixed beforehand: counts, intervals, and a mark on what is too small."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from attrition.metrics import calibration, intervals, measures

MINIMUM = 50
"""Events, and non-events, below which a subgroup is marked small."""


def age_group(age: ArrayLike, edges: Sequence[int]) -> pd.Categorical:
    """Name the age group of each patient, the categories from young to old.

    Parameters
    ----------
    age : array of shape (n_patients,)
        Years.
    edges : sequence of int
        First year of every group but the lowest.

    Examples
    --------
    >>> age_group([18, 40, 64, 65], [40, 65]).tolist()
    ['under 40', '40 to 64', '40 to 64', '65 and over']
    """
    middle = [f"{low} to {high - 1}" for low, high in itertools.pairwise(edges)]
    names = np.array([f"under {edges[0]}", *middle, f"{edges[-1]} and over"])
    return pd.Categorical.from_codes(np.searchsorted(edges, np.asarray(age), side="right"), names, ordered=True)


def _row(y: NDArray, p: NDArray, weights: NDArray, minimum: int) -> dict[str, Any]:
    events = int(y.sum())
    row: dict[str, Any] = {"n": y.size, "events": events, "small": min(events, y.size - events) < minimum}
    for name, metric in (
        ("auroc", measures.auroc),
        ("calibration_in_the_large", calibration.calibration_in_the_large),
    ):
        interval = intervals.bootstrap(metric, y, p, weights)
        row |= {name: interval["value"], f"{name}_low": interval["ci_low"], f"{name}_high": interval["ci_high"]}
    return row


def subgroup_table(
    y_true: ArrayLike,
    y_prob: ArrayLike,
    groups: Mapping[str, ArrayLike | pd.Categorical],
    weights: NDArray,
    minimum: int = MINIMUM,
) -> pd.DataFrame:
    """AUROC and calibration-in-the-large in every subgroup, with bootstrap intervals.

    Parameters
    ----------
    y_true : array of shape (n_patients,)
    y_prob : array of shape (n_patients,) or (n_patients, n_repeats)
        Measures are taken a repeat and then averaged.
    groups : mapping of str to array of shape (n_patients,)
        Characteristic to the subgroup of each patient. Subgroups stand in the order of their categories, and of
        their names when they are no categories.
    weights : array of shape (n_patients, n_resamples)
        `attrition.metrics.intervals.bootstrap_weights`.
    minimum : int
        A subgroup with fewer events or fewer non-events is marked small.

    Returns
    -------
    pandas.DataFrame
        ``characteristic, subgroup, n, events, small, auroc, auroc_low, auroc_high,
        calibration_in_the_large, ...``, everybody first. Small subgroups keep their intervals, so that
        their width is seen.

    Notes
    -----
    Subgroups are not ranked: their intervals are to be read, not their point estimates.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> p = rng.uniform(0.1, 0.9, 200)
    >>> y = (rng.random(200) < p).astype(int)
    >>> weights = intervals.bootstrap_weights(rng, 200, 20)
    >>> subgroup_table(y, p, {"arm": np.repeat(["A", "B"], [150, 50])}, weights)["small"].tolist()
    [False, False, True]
    """
    y, p = np.asarray(y_true), np.asarray(y_prob, dtype=float)
    rows = [{"characteristic": "all", "subgroup": "all"} | _row(y, p, weights, minimum)]
    for characteristic, labels in groups.items():
        groups_of = pd.Categorical(labels)
        for code, subgroup in enumerate(groups_of.categories):
            mask = groups_of.codes == code
            if not mask.any():
                continue
            row = _row(y[mask], p[mask], weights[mask], minimum)
            rows.append({"characteristic": characteristic, "subgroup": subgroup} | row)
    return pd.DataFrame(rows)


def row_names(table: pd.DataFrame) -> list[str]:
    """Names of a subgroup table's rows, for a figure.

    Examples
    --------
    >>> row_names(pd.DataFrame({"characteristic": ["all", "age", "phase"], "subgroup": ["all", "under 35", "Phase I"]}))
    ['all', 'age under 35', 'Phase I']
    """
    pairs = zip(table["characteristic"], table["subgroup"], strict=True)
    return [name if name.lower().startswith(what) else f"{what} {name}" for what, name in pairs]


def heterogeneity(table: pd.DataFrame) -> dict[str, object]:
    """Subgroups whose interval excludes perfect calibration-in-the-large, not counting small ones.

    Parameters
    ----------
    table : pandas.DataFrame
        From `subgroup_table`.

    Returns
    -------
    dict
        ``n_subgroups``, ``n_small``, ``n_miscalibrated`` and ``expected_by_chance`` (5 % of those not small),
        ``miscalibrated`` (names).

    Examples
    --------
    >>> row = {"characteristic": "arm", "subgroup": "A", "small": False}
    >>> row |= {"calibration_in_the_large_low": 0.1, "calibration_in_the_large_high": 0.4}
    >>> heterogeneity(pd.DataFrame([row]))["miscalibrated"]
    ['arm A']
    """
    own = table[table["characteristic"] != "all"]
    large = own[~own["small"].astype(bool)]
    low, high = large["calibration_in_the_large_low"], large["calibration_in_the_large_high"]
    off = large[(low > 0) | (high < 0)]
    return {
        "n_subgroups": len(own),
        "n_small": int(own["small"].sum()),
        "n_miscalibrated": len(off),
        "expected_by_chance": 0.05 * len(large),
        "miscalibrated": (off["characteristic"] + " " + off["subgroup"]).tolist(),
    }
