"""One evaluator for all chapters: every measure of every model on the same patients, in one long table.

Chapter 04 has its measures by fold (`attrition.resampling.model_table`) and of known truth (`expected`), 05 with
bootstrap intervals, 08 by formula.

A table has what the row is about (``model``, or ``first, second``; ``characteristic, subgroup``; what a chapter adds,
such as ``landmark``), then ``measure, value, ci_low, ci_high, n_patients, n_events``. `nested` makes the mapping that
result files hold, `readable` the table that a reader sees.
"""

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from attrition.metrics import calibration, intervals, measures, ranks
from attrition.metrics.intervals import Interval, centred_interval, of_row, percentile_interval, replicates
from notebook_report.text import interval_text

Metric = Callable[..., Any]
Metrics = Mapping[str, Metric]
Predicted = Mapping[str, NDArray]  # predictions by model, (n_patients,) or (n_patients, n_repeats)
# Measures by name; a further one stands in the tables and results of every chapter that evaluates
MEASURES: dict[str, Metric] = {
    "auroc": measures.auroc,
    "average_precision": measures.average_precision,
    "brier_score": measures.brier_score,
    "scaled_brier": measures.scaled_brier,
    "calibration_slope": calibration.calibration_slope,
    "calibration_in_the_large": calibration.calibration_in_the_large,
    "ici": calibration.ici,
}
# Takes long to resample, and cannot be negative: its interval is centred and rests on a third of the resamples
SLOW = "ici"
# Measures whose interval needs no resamples, of one prediction a patient
BY_FORMULA: dict[str, Callable[[NDArray, NDArray], Interval]] = {
    "auroc": intervals.auroc_interval,
    "brier_score": lambda y, p: intervals.mean_interval((y - p) ** 2),
    "calibration_slope": intervals.calibration_slope_interval,
    "calibration_in_the_large": intervals.calibration_in_the_large_interval,
}
OF_INTERVAL = ("measure", "value", "ci_low", "ci_high")
IN_SUBGROUPS = ("auroc", "calibration_in_the_large")
FEWEST = 50  # events, and non-events, below which a subgroup is marked small


def _interval(name: str, metric: Metric, y: NDArray, p: NDArray, weights: NDArray | None) -> Interval:
    if weights is None:
        undefined = Interval(value=np.nan, ci_low=np.nan, ci_high=np.nan)
        return BY_FORMULA[name](y, p) if name in BY_FORMULA else undefined | {"value": metric(y, p)}
    third = max(2, weights.shape[1] // 3)
    made, own = (centred_interval, weights[:, :third]) if name == SLOW else (percentile_interval, weights)
    return made(*replicates(metric, y, p, own))


def with_size(rows: list[dict[str, Any]], y: NDArray) -> pd.DataFrame:
    """Rows of a long table with the patients and events that they rest on."""
    return pd.DataFrame(rows).assign(n_patients=y.size, n_events=int(y.sum()))


def evaluate(
    y_true: ArrayLike, predictions: Predicted, weights: NDArray | None = None, metrics: Metrics = MEASURES
) -> pd.DataFrame:
    """Every measure of every model with an interval over patients: by bootstrap, or without weights by formula.

    Parameters
    ----------
    y_true : array of shape (n_patients,)
        Outcome, 0 or 1.
    predictions : mapping of str to array of shape (n_patients,) or (n_patients, n_repeats)
        Model to its out-of-fold probabilities. A measure is taken a repeat of cross-validation and then averaged.
    weights : array of shape (n_patients, n_resamples)
        From `attrition.metrics.intervals.bootstrap_weights`; all models and measures share them. None for intervals
        `BY_FORMULA`, of predictions of shape (n_patients,); other measures then have none.
    metrics : mapping of str to callable
        ``metric(y_true, y_prob, weights=None)``, as those of `MEASURES`.

    Returns
    -------
    pandas.DataFrame
        ``model, measure, value, ci_low, ci_high, n_patients, n_events``.

    Examples
    --------
    >>> weights = np.array([[1.0, 2, 1], [1, 1, 1], [2, 0, 1], [0, 1, 1]])
    >>> evaluate([0, 0, 1, 1], {"lr": np.array([0.1, 0.4, 0.35, 0.8])}, weights, {"auroc": MEASURES["auroc"]})["value"]
    0    0.75
    Name: value, dtype: float64
    """
    y = np.asarray(y_true)
    rows = [
        {"model": model, "measure": name, **_interval(name, metric, y, y_prob, weights)}
        for model, y_prob in predictions.items()
        for name, metric in metrics.items()
    ]
    return with_size(rows, y)


def over_outcomes(metric: Metric, probability: ArrayLike, y_prob: ArrayLike) -> Any:
    """A measure over all outcomes that could have been: each patient stands there twice, as event and as non-event."""
    p = np.asarray(probability, dtype=float)
    return metric(np.repeat([1, 0], p.size), np.tile(y_prob, 2), weights=np.concatenate([p, 1 - p]))


def expected(probability: ArrayLike, y_prob: ArrayLike, metrics: Metrics = MEASURES) -> dict[str, float]:
    """Every measure `over_outcomes`; the AUROC leaves out the pairs of a patient with itself.

    >>> expected([0.2, 0.8], [0.5, 0.5], {"brier_score": MEASURES["brier_score"]})
    {'brier_score': 0.25}
    """
    found = {name: float(over_outcomes(metric, probability, y_prob)) for name, metric in metrics.items()}
    if "auroc" in found:
        found["auroc"] = float(ranks.soft_auroc(np.asarray(probability), np.asarray(y_prob))[0])
    return found


def compare(
    y_true: ArrayLike, predictions: Predicted, pairs: Sequence[tuple[str, str]], weights: NDArray, metrics: Metrics
) -> pd.DataFrame:
    """Differences between models on the same patients, first less second, with paired bootstrap intervals.

    Columns ``first, second, measure, value, ci_low, ci_high, n_patients, n_events``.

    Parameters
    ----------
    y_true, predictions, weights, metrics
        As in `evaluate`.
    pairs : sequence of (str, str)
        Models to be compared.

    Examples
    --------
    >>> found = {"a": np.array([0.2, 0.9]), "b": np.array([0.4, 0.6])}
    >>> table = compare([0, 1], found, [("a", "b")], np.ones((2, 3)), {"brier_score": MEASURES["brier_score"]})
    >>> table["value"].round(3).tolist()
    [-0.135]
    """
    y, names = np.asarray(y_true), dict.fromkeys(itertools.chain(*pairs))
    drawn = {(m, name): replicates(metrics[name], y, predictions[m], weights) for m in names for name in metrics}
    rows = []
    for (first, second), name in itertools.product(pairs, metrics):
        (a, a_drawn), (b, b_drawn) = drawn[first, name], drawn[second, name]
        interval = percentile_interval(a - b, a_drawn - b_drawn)
        rows.append({"first": first, "second": second, "measure": name, **interval})
    return with_size(rows, y)


def by_subgroup(
    y_true: ArrayLike, predictions: Predicted, groups: Mapping[str, Any], weights: NDArray, fewest: int = FEWEST
) -> pd.DataFrame:
    """AUROC and calibration-in-the-large, by `evaluate`, in subgroups that were fixed beforehand, everybody first.

    Subgroups are not ranked: their intervals are to be read, not their point estimates.

    Parameters
    ----------
    y_true, predictions, weights
        As in `evaluate`.
    groups : mapping of str to array of shape (n_patients,)
        Characteristic to the subgroup of each patient. Subgroups stand in the order of their categories, and of
        their names when they are no categories.
    fewest : int
        A subgroup with fewer events or fewer non-events is marked small; it keeps its intervals, whose width is seen.

    Returns
    -------
    pandas.DataFrame
        ``characteristic, subgroup, small`` and the columns of `evaluate`.

    Examples
    --------
    >>> y, p = np.tile([0, 1], 60), {"lr": np.linspace(0.1, 0.9, 120)}
    >>> found = by_subgroup(y, p, {"arm": np.repeat(["A", "B"], [110, 10])}, np.ones((120, 3)))
    >>> found.drop_duplicates("subgroup")["small"].tolist()
    [False, False, True]
    """
    y, frames = np.asarray(y_true), []
    members = {("all", "all"): np.ones(y.size, dtype=bool)}
    for characteristic, labels in groups.items():
        of = pd.Categorical(labels)
        members |= {(characteristic, name): of.codes == code for code, name in enumerate(of.categories)}
    for (characteristic, subgroup), own in members.items():
        if own.any():
            inside = {model: np.asarray(y_prob)[own] for model, y_prob in predictions.items()}
            small = bool(min(y[own].sum(), (1 - y[own]).sum()) < fewest)
            about = {"characteristic": characteristic, "subgroup": subgroup, "small": small}
            table = evaluate(y[own], inside, weights[own], {name: MEASURES[name] for name in IN_SUBGROUPS})
            frames.append(pd.DataFrame(about, index=table.index).join(table))
    return pd.concat(frames, ignore_index=True)


def pick(table: pd.DataFrame, **about: Any) -> Interval | None:
    """The interval of the row that is about this: a model, a measure, a landmark; None where there is none.

    Examples
    --------
    >>> row = {"model": "lr", "measure": "auroc", "value": 0.7, "ci_low": 0.65, "ci_high": 0.75}
    >>> pick(pd.DataFrame([row]), model="lr"), pick(pd.DataFrame([row]), model="xgb")
    ({'value': 0.7, 'ci_low': 0.65, 'ci_high': 0.75}, None)
    """
    rows = [row for row in table.to_dict("records") if all(row[name] == value for name, value in about.items())]
    return of_row(rows[0]) if rows else None


def nested(table: pd.DataFrame, *levels: str, leaf: Callable[[dict[str, Any]], Any] = of_row) -> dict[str, Any]:
    """A table as result files hold it: a mapping a level, down to what `leaf` makes of a row, an interval by default.

    Without `levels`, that of `evaluate` or `compare`: model, or pair, to measure to interval.

    Examples
    --------
    >>> row = {"first": "lr", "second": "xgb", "measure": "auroc", "value": 0.1, "ci_low": 0.0, "ci_high": 0.2}
    >>> nested(pd.DataFrame([row]))["lr_minus_xgb"]["auroc"]["value"]
    0.1
    """
    if not levels:
        who = table["model"] if "model" in table else table["first"] + "_minus_" + table["second"]
        table, levels = table.assign(who=who), ("who", "measure")
    found: dict[str, Any] = {}
    for row in table.to_dict("records"):
        *outer, last = (str(row[level]) for level in levels)
        functools.reduce(lambda place, name: place.setdefault(name, {}), outer, found)[last] = leaf(row)
    return found


def flat(found: Mapping[str, Any], *levels: str) -> pd.DataFrame:
    """The table of nested results, a row a mapping below these levels, whose names become columns.

    >>> flat({"lr": {"auroc": {"value": 0.7}}}, "model", "measure").to_dict("records")
    [{'model': 'lr', 'measure': 'auroc', 'value': 0.7}]
    """
    if not levels:
        return pd.DataFrame([found])
    parts = [flat(part, *levels[1:]).assign(**{levels[0]: name}) for name, part in found.items()]
    table = pd.concat(parts, ignore_index=True)
    return table[[*levels, *table.columns.difference(levels, sort=False)]]


def readable(table: pd.DataFrame, form: str = ".3f") -> pd.DataFrame:
    """A long table with a column of text a measure, *value (low to high)*; sizes come before the measures.

    Examples
    --------
    >>> row = {"model": "lr", "measure": "auroc", "value": 0.7, "ci_low": 0.65, "ci_high": 0.75}
    >>> readable(pd.DataFrame([row | {"n_patients": 9}])).to_dict("records")
    [{'model': 'lr', 'n_patients': 9, 'auroc': '0.700 (0.650 to 0.750)'}]
    """
    about = [name for name in table if name not in OF_INTERVAL]
    rows: dict[tuple, dict[str, Any]] = {}
    for row in table.to_dict("records"):
        key = tuple(row[name] for name in about)
        rows.setdefault(key, dict(zip(about, key, strict=True)))[row["measure"]] = interval_text(row, form)
    return pd.DataFrame(list(rows.values()))
