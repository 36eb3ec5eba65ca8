"""From out-of-fold predictions to the tables of chapter 05.

Every measure is taken over all patients of one repeat of cross-validation and then averaged over repeats. The same
bootstrap weights serve all models and measures, so that every difference is paired.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from attrition import decision, metrics, models, paths, resampling, results, seeds, simulate
from attrition.metrics import subgroups
from attrition.metrics.intervals import (
    Interval,
    calibration_in_the_large_interval,
    centred_interval,
    percentile_interval,
    replicates,
)
from attrition.simulate import oracle
from attrition.text import interval_text

MODELS = (*models.FITTED, "oracle", "null")
MEASURES: dict[str, Callable] = {
    "auroc": metrics.auroc,
    "auprc": metrics.average_precision,
    "brier": metrics.brier_score,
    "scaled_brier": metrics.scaled_brier,
    "calibration_slope": metrics.calibration_slope,
    "calibration_in_the_large": metrics.calibration_in_the_large,
    "ici": metrics.ici,
}


class Predictions(NamedTuple):
    """Out-of-fold predictions, one row a patient in the order of `patient_id`.

    Attributes
    ----------
    patient_id : array of shape (n_patients,)
    y : array of shape (n_patients,)
    true : array of shape (n_patients,)
        P(dropout | features) under the law.
    y_prob : dict of str to array of shape (n_patients, n_repeats)
        One column where all repeats are alike.
    """

    patient_id: NDArray
    y: NDArray
    true: NDArray
    y_prob: dict[str, NDArray]


def read_predictions(path: Path | None = None) -> Predictions:
    """Read the out-of-fold predictions of chapter 04.

    Parameters
    ----------
    path : pathlib.Path, optional
        Parquet file with columns ``model, repeat, fold, patient_id, y, y_prob, true_probability``.

    Raises
    ------
    attrition.results.MissingResult
        When chapter 04 has not run.
    """
    path = path or paths.processed() / "oof_predictions.parquet"
    return arrange(pd.read_parquet(results.needed("04_modelling", path)))


def arrange(oof: pd.DataFrame) -> Predictions:
    """Turn long out-of-fold rows into one row a patient and one column a repeat.

    Parameters
    ----------
    oof : pandas.DataFrame
        See `read_predictions`. The oracle is made from ``true_probability`` when it has no rows.

    Raises
    ------
    ValueError
        When a model lacks a patient in some repeat.

    Examples
    --------
    >>> rows = {"model": "lr", "repeat": 0, "patient_id": ["b", "a"], "y": [1, 0], "y_prob": [0.8, 0.3]}
    >>> arrange(pd.DataFrame(rows | {"true_probability": [0.7, 0.2]})).y_prob["lr"].tolist()
    [[0.3], [0.8]]
    """
    patients = oof.drop_duplicates("patient_id").sort_values("patient_id")
    y_prob = {}
    for model in [name for name in MODELS if name in set(oof["model"])]:
        rows = oof[oof["model"] == model]
        wide = rows.pivot(index="patient_id", columns="repeat", values="y_prob").sort_index()  # noqa: PD010 (it refuses duplicates)
        if wide.isna().to_numpy().any() or len(wide) != len(patients):
            raise ValueError(f"model {model!r} lacks predictions for some patients")
        values = wide.to_numpy()
        y_prob[model] = values[:, :1] if (values == values[:, :1]).all() else values
    true = patients["true_probability"].to_numpy()
    y_prob.setdefault("oracle", true[:, None])
    ordered = {name: y_prob[name] for name in MODELS if name in y_prob}
    return Predictions(patients["patient_id"].to_numpy(), patients["y"].to_numpy(), true, ordered)


def performance(
    held_out: Predictions, weights: NDArray, threshold: float, n_ici: int = 200
) -> dict[str, dict[str, Interval]]:
    """All measures of all models with bootstrap intervals over patients.

    Parameters
    ----------
    held_out : Predictions
    weights : array of shape (n_patients, n_resamples)
    threshold : float
        For the net benefit.
    n_ici : int
        Resamples for the ICI, which is slow to compute.

    Returns
    -------
    dict
        Model to measure to interval; the measures of `MEASURES` and ``net_benefit``.
    """
    found: dict[str, dict[str, Interval]] = {}
    for model, y_prob in held_out.y_prob.items():
        found[model] = {}
        for name, metric in MEASURES.items():
            interval = centred_interval if name == "ici" else percentile_interval
            drawn = weights[:, :n_ici] if name == "ici" else weights
            found[model][name] = interval(*replicates(metric, held_out.y, y_prob, drawn))
        found[model]["net_benefit"] = decision.net_benefit_interval(held_out.y, y_prob, threshold, weights)
    return found


def performance_table(found: Mapping[str, Mapping[str, Interval]], held_out: Predictions) -> pd.DataFrame:
    """The same as a table for readers: ``model, n, events`` and a text cell a measure.

    Examples
    --------
    >>> held_out = Predictions(np.array(["a", "b"]), np.array([0, 1]), np.array([0.5, 0.5]), {})
    >>> found = {"lr": {"auroc": {"value": 0.7, "ci_low": 0.65, "ci_high": 0.75}}}
    >>> performance_table(found, held_out).loc[0, "auroc"]
    '0.700 (0.650 to 0.750)'
    """
    size = {"n": held_out.y.size, "events": int(held_out.y.sum())}
    return pd.DataFrame(
        {"model": models.LABELS[model], **size, **{name: as_text(interval) for name, interval in measures.items()}}
        for model, measures in found.items()
    )


def corrected_auroc(performance: Mapping[str, Mapping[str, float]], model: str) -> dict[str, float]:
    """AUROC of a model with the interval that allows for another model, from chapter 04's ``models``."""
    return {"value": performance[model]["auroc"], **{end: performance[model][end] for end in ("ci_low", "ci_high")}}


RANKING = ("auroc", "auprc", "brier", "scaled_brier")
"""Measures of discrimination and overall performance; the others are of calibration and use."""


def two_performance_tables(
    found: Mapping[str, Mapping[str, Interval]], held_out: Predictions
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`performance_table` in two: the measures of `RANKING`, and the others."""
    shown = performance_table(found, held_out)
    return shown[["model", "n", "events", *RANKING]], shown.drop(columns=list(RANKING))


def as_text(interval: Mapping[str, Any], digits: int = 3) -> str | None:
    """An interval as a table cell; None where it is not defined.

    Examples
    --------
    >>> as_text({"value": 0.5, "ci_low": -0.1, "ci_high": 1.1}, digits=1)
    '0.5 (−0.1 to 1.1)'
    """
    return interval_text(interval, f".{digits}f")


def expected_auroc(held_out: Predictions) -> dict[str, float]:
    """AUROC of each model over all outcomes that these patients could have had under the law."""
    y, weights = np.repeat([1, 0], held_out.y.size), np.concatenate([held_out.true, 1 - held_out.true])
    return {
        model: float(np.mean([metrics.auroc(y, np.tile(column, 2), weights) for column in y_prob.T]))
        for model, y_prob in held_out.y_prob.items()
    }


def auroc_by_repeat(held_out: Predictions) -> pd.DataFrame:
    """AUROC of each repeat: ``model, n, events, n_repeats, mean, sd, lowest, highest``.

    ``of_averaged_scores`` is what averaging a patient's scores over repeats first would give, ``expected`` the
    AUROC over all outcomes that these patients could have had under the law.
    """
    rows, expected = [], expected_auroc(held_out)
    for model, y_prob in held_out.y_prob.items():
        values = np.array([metrics.auroc(held_out.y, column) for column in y_prob.T])
        row = {"model": models.LABELS[model], "n": held_out.y.size, "events": int(held_out.y.sum())}
        row |= {
            "n_repeats": values.size,
            "mean": values.mean(),
            "sd": values.std(ddof=1) if values.size > 1 else np.nan,
        }
        row |= {"lowest": values.min(), "highest": values.max()}
        row |= {"of_averaged_scores": metrics.auroc(held_out.y, y_prob.mean(axis=1)), "expected": expected[model]}
        rows.append(row)
    return pd.DataFrame(rows)


def paired(
    held_out: Predictions, pairs: list[tuple[str, str]], weights: NDArray, threshold: float
) -> dict[str, dict[str, Interval]]:
    """Differences between models on the same patients, in AUROC, Brier score and net benefit.

    Returns
    -------
    dict
        ``"<a>_less_<b>"`` to measure to interval.
    """
    measures: dict[str, Callable] = {"auroc": metrics.auroc, "brier": metrics.brier_score}
    measures["net_benefit"] = lambda y, p, weights=None: decision.net_benefit(y, p, threshold, weights)
    named = {name for pair in pairs for name in pair}
    drawn = {
        (model, name): replicates(metric, held_out.y, held_out.y_prob[model], weights)
        for model in sorted(named)
        for name, metric in measures.items()
    }
    return {
        f"{a}_less_{b}": {
            name: percentile_interval(drawn[a, name][0] - drawn[b, name][0], drawn[a, name][1] - drawn[b, name][1])
            for name in measures
        }
        for a, b in pairs
    }


def paired_table(differences: Mapping[str, Mapping[str, Interval]], held_out: Predictions) -> pd.DataFrame:
    """`paired` for readers: a row a pair, a text cell a measure."""
    rows = []
    for pair, measures in differences.items():
        a, b = (models.LABELS[name] for name in pair.split("_less_"))
        row = {"comparison": f"{a} less {b}", "n": held_out.y.size, "events": int(held_out.y.sum())}
        rows.append(row | {name: as_text(interval) for name, interval in measures.items()})
    return pd.DataFrame(rows)


def at_thresholds(held_out: Predictions, thresholds: Mapping[str, float], weights: NDArray) -> pd.DataFrame:
    """What every model does at named thresholds, with contacting everybody as a row of its own."""
    everybody = {"all": np.ones((held_out.y.size, 1))}
    frames = [
        decision.at_thresholds(held_out.y, y_prob, thresholds, weights).assign(model=model)
        for model, y_prob in (held_out.y_prob | everybody).items()
    ]
    table = pd.concat(frames, ignore_index=True)
    order = table.assign(position=range(len(table))).sort_values(["threshold", "position"]).index
    return table.loc[order, ["model", *table.columns.drop("model")]].reset_index(drop=True)


def pooled_calibration(held_out: Predictions, names: list[str], n_knots: int = 4) -> dict[str, Any]:
    """Calibration curves of the first repeat of each model, with pointwise bands."""
    return {name: metrics.calibration_curve(held_out.y, held_out.y_prob[name][:, 0], n_knots=n_knots) for name in names}


def calibration_data(curves: Mapping[str, Any]) -> pd.DataFrame:
    """Calibration curves as one table: ``model, predicted, observed, ci_low, ci_high``."""
    return pd.concat([pd.DataFrame(curve._asdict()).assign(model=name) for name, curve in curves.items()])


def class_weight_study(
    seed: int, n_patients: int, n_folds: int, settings: Mapping[str, float]
) -> dict[tuple[str, str], tuple[NDArray, NDArray]]:
    """Logistic regression with and without class weights, cross-validated on trials of other event rates.

    Parameters
    ----------
    seed : int
    n_patients, n_folds : int
    settings : mapping of str to float
        Name of the trial to its event rate; 0 is the published trial itself.

    Returns
    -------
    dict
        (setting, strategy) to (y, y_prob) of the patients; strategies ``none, class_weight, oracle, null``.
    """
    found = {}
    for name, rate in settings.items():
        offset = oracle.offset_for_prevalence(simulate.PUBLISHED_LAW, rate) if rate else 0.0
        if rate == 0:
            trial = simulate.published_trial()
        else:
            rng = seeds.stream(seed, "class_weights", name)
            trial = simulate.draw_trial(simulate.PUBLISHED_LAW, n_patients, rng, prevalence_offset=offset)
        y = trial["dropout"].to_numpy()
        folds = resampling.repeated_folds(y, n_folds, 1, seeds.integer(seed, "class_weights"))
        for strategy in ("none", "class_weight"):
            rows = resampling.out_of_fold({"lr": models.pipeline("lr", strategy=strategy)}, trial, y, folds)
            rows = rows.sort_values("patient_id")
            found[name, strategy] = (rows["y"].to_numpy(), rows["y_prob"].to_numpy())
        found[name, "oracle"] = (y, oracle.of_patients(simulate.PUBLISHED_LAW, trial, offset))
        found[name, "null"] = (y, np.full(y.size, y.mean()))
    return found


def class_weight_table(study: Mapping[tuple[str, str], tuple[NDArray, NDArray]], threshold: float) -> pd.DataFrame:
    """Measures of `class_weight_study`, with the interval of calibration-in-the-large as ``ci_low, ci_high``."""
    rows = []
    for (name, strategy), (y, y_prob) in study.items():
        level = calibration_in_the_large_interval(y, y_prob)
        at = metrics.classification(y, y_prob, threshold)
        row = {"trial": name, "strategy": strategy, "n": y.size, "events": int(y.sum())}
        row |= {"auroc": metrics.auroc(y, y_prob), "calibration_slope": metrics.calibration_slope(y, y_prob)}
        row |= {"calibration_in_the_large": level["value"], "ci_low": level["ci_low"], "ci_high": level["ci_high"]}
        row |= {"brier": metrics.brier_score(y, y_prob)}
        row |= {key: at[key] for key in ("recall", "precision", "flagged_per_100")}
        rows.append(row | {"net_benefit": decision.net_benefit(y, y_prob, threshold)})
    return pd.DataFrame(rows)


def rare_calibration(study: Mapping[tuple[str, str], tuple[NDArray, NDArray]]) -> dict[str, Any]:
    """Calibration curves with and without class weights on the trial with fewer events of `class_weight_study`."""
    words = {"no weights": "none", "class weights": "class_weight"}
    return {name: metrics.calibration_curve(*study["rare", strategy]) for name, strategy in words.items()}


def called(table: pd.DataFrame, model: str, threshold: float) -> dict[str, Any]:
    """What a model does at one threshold of `at_thresholds`: ``flagged, found, missed`` per 100, ``precision``."""
    row = table[(table["model"] == model) & (table["threshold"] == threshold)].iloc[0]
    precision = {"value": row["precision"], "ci_low": row["precision_low"], "ci_high": row["precision_high"]}
    per_100 = {name: row[f"{name}_per_100"] for name in ("flagged", "found", "missed")}
    return per_100 | {"precision": precision, "threshold": threshold}


SHARES = ("recall", "precision", "specificity", "f1")
PER_100 = ("flagged_per_100", "found_per_100", "missed_per_100")
THRESHOLD_FORMATS = dict.fromkeys(("threshold", *SHARES), "{:.2f}") | dict.fromkeys(PER_100, "{:.1f}")


def threshold_display(table: pd.DataFrame) -> pd.DataFrame:
    """`at_thresholds` for readers: models in words, without intervals."""
    shown = table[["threshold", "reason", "model", "n", "events", *SHARES, *PER_100, "net_benefit"]]
    return shown.assign(model=table["model"].map(models.LABELS | {"all": "Contact everybody"}))


def class_weight_display(table: pd.DataFrame) -> pd.DataFrame:
    """`class_weight_table` for readers: names in words, calibration-in-the-large with its interval."""
    level = table[["calibration_in_the_large", "ci_low", "ci_high"]].to_numpy()
    cells = [as_text(dict(zip(("value", "ci_low", "ci_high"), row, strict=True)), 2) for row in level]
    words = {"none": "no weights", "class_weight": "class weights", "oracle": "oracle", "null": "null (prevalence)"}
    return table.drop(columns=["ci_low", "ci_high"]).assign(
        trial=table["trial"].replace({"rare": "new, fewer events"}),
        strategy=table["strategy"].replace(words),
        calibration_in_the_large=cells,
    )


def conclusion_table(conclusions: Mapping[str, Mapping], held_out: Predictions) -> pd.DataFrame:
    """`attrition.decision.conclude` of every model for readers."""
    rows = []
    for model, found in conclusions.items():
        row = {"model": models.LABELS[model], "n": held_out.y.size, "events": int(held_out.y.sum())}
        range_of_use = "use between {better_from:.2f} and {better_to:.2f} only".format(**found) if found["use"] else ""
        row |= {"conclusion": range_of_use or "do not use"}
        row |= {key: found[key] for key in ("better_from", "better_to", "best_threshold")}
        row |= {"gain_per_100": 100 * found["best_over_default"], "gain_low": 100 * found["best_over_default_low"]}
        rows.append(row)
    return pd.DataFrame(rows)


def money_table(curve: pd.DataFrame, everybody: NDArray, cost: float, lowest: float = 0.0) -> pd.DataFrame:
    """Decision curves in dollars per 100 patients: ``model, threshold, money``, with the model ``all``.

    Thresholds below `lowest` are left out: the gain on a leaver that they imply grows without bound.
    """
    everybody = everybody[curve["threshold"].unique() >= lowest]
    curve = curve[curve["threshold"] >= lowest]
    thresholds = curve["threshold"].unique()
    frames = [pd.DataFrame({"model": "all", "threshold": thresholds, "net_benefit": everybody}), curve]
    table = pd.concat(frames, ignore_index=True)[["model", "threshold", "net_benefit"]]
    return table.assign(money=decision.money_per_100(table["net_benefit"], table["threshold"], cost))


def money_at(table: pd.DataFrame, model: str, threshold: float, cost: float) -> dict[str, float]:
    """Dollars per 100 patients at one threshold of `at_thresholds`, for a contact of given cost.

    ``model, everybody``, and over the better default ``added, oracle``.
    """
    own = table[table["threshold"] == threshold].drop_duplicates("model").set_index("model")["net_benefit"]
    own = own.map(lambda benefit: float(decision.money_per_100(benefit, threshold, cost)))
    worth = {"model": float(own[model]), "everybody": float(own["all"])}
    default = max(worth["everybody"], 0.0)
    return worth | {"added": worth["model"] - default, "oracle": float(own["oracle"]) - default}


def subgroup_labels(trial: pd.DataFrame, age_groups: list[int]) -> dict[str, NDArray | pd.Categorical]:
    """The subgroups that were fixed beforehand: age, gender, arm and phase."""
    return {
        "age": subgroups.age_group(trial["age"], age_groups),
        "gender": trial["gender"].to_numpy(),
        "arm": trial["treatment_group"].to_numpy(),
        "phase": trial["trial_phase"].to_numpy(),
    }


def by_subgroup(
    held_out: Predictions, groups: Mapping[str, NDArray | pd.Categorical], weights: NDArray, minimum: int
) -> dict[str, pd.DataFrame]:
    """`attrition.metrics.subgroups.subgroup_table` of every model."""
    return {
        model: subgroups.subgroup_table(held_out.y, y_prob, groups, weights, minimum)
        for model, y_prob in held_out.y_prob.items()
    }


def subgroup_display(table: pd.DataFrame, oracle_table: pd.DataFrame) -> pd.DataFrame:
    """`attrition.metrics.subgroups.subgroup_table` for readers, with the oracle's AUROC in the same subgroups.

    A column ``size`` marks the small ones, if there are any.
    """

    def cells(source: pd.DataFrame, name: str) -> list[str | None]:
        columns = source[[name, f"{name}_low", f"{name}_high"]]
        return [
            as_text(dict(zip(("value", "ci_low", "ci_high"), row, strict=True)), 2)
            for row in columns.itertuples(index=False)
        ]

    shown = table[["characteristic", "subgroup", "n", "events"]]
    if table["small"].any():
        shown = shown.assign(size=np.where(table["small"], "small", ""))
    return shown.assign(
        auroc=cells(table, "auroc"),
        oracle_auroc=cells(oracle_table, "auroc"),
        calibration_in_the_large=cells(table, "calibration_in_the_large"),
    )
