"""Chapter 05 on the out-of-fold predictions of chapter 04: tables, and the facts that its sentences turn with.

Every measure is taken over all patients of one repeat of cross-validation and then averaged over repeats; measures and
differences come from `attrition.metrics.evaluator`. Facts are numbers and verdicts; the words are in
``notebooks/words/05_evaluation.md``.
"""

import functools
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from attrition import decision, metrics, models, paths, resampling, seeds, simulate
from attrition.metrics import evaluator
from attrition.metrics.intervals import Interval, calibration_in_the_large_interval, grade
from attrition.simulate import oracle
from notebook_report import results
from notebook_report.text import interval_text

Facts = dict[str, Any]
Nested = Mapping[str, Mapping[str, Interval]]


class Predictions(NamedTuple):
    """Out-of-fold predictions, one row a patient in the order of `patient_id`.

    `true` is P(dropout | features) under the law; arrays in `y_prob` are (n_patients, n_repeats), with one column where
    all repeats are alike.
    """

    y: NDArray
    true: NDArray
    y_prob: dict[str, NDArray]

    @property
    def size(self) -> dict[str, int]:
        """How many patients, and how many with the event."""
        return {"n_patients": self.y.size, "n_events": int(self.y.sum())}


def read_predictions(path: Path | None = None) -> Predictions:
    """Read the out-of-fold predictions of chapter 04, a Parquet file of rows as in `arrange`."""
    path = path or paths.processed() / "oof_predictions.parquet"
    return arrange(pd.read_parquet(results.needed("04_modelling", path)))


def arrange(oof: pd.DataFrame) -> Predictions:
    """Turn long out-of-fold rows into one row a patient and one column a repeat; the oracle is made where it has none.

    >>> rows = {"model": "lr", "repeat": 0, "patient_id": ["b", "a"], "y": [1, 0], "y_prob": [0.8, 0.3]}
    >>> arrange(pd.DataFrame(rows | {"true_probability": [0.7, 0.2]})).y_prob["lr"].tolist()
    [[0.3], [0.8]]
    """
    order = (*models.FITTED, "oracle", "null")
    patients = oof.drop_duplicates("patient_id").set_index("patient_id").sort_index()
    wide = oof.pivot(index="patient_id", columns=["model", "repeat"], values="y_prob").sort_index().sort_index(axis=1)  # noqa: PD010 (it refuses duplicates)
    if lacking := wide.columns[wide.isna().any()].get_level_values("model").unique().tolist():
        raise ValueError(f"models {lacking} lack predictions for some patients")
    y_prob = {model: wide[model].to_numpy() for model in wide.columns.unique("model")}
    y_prob = {model: p[:, :1] if (p == p[:, :1]).all() else p for model, p in y_prob.items()}
    true = patients["true_probability"].to_numpy()
    y_prob.setdefault("oracle", true[:, None])
    return Predictions(patients["y"].to_numpy(), true, {name: y_prob[name] for name in order if name in y_prob})


def expected_auroc(held_out: Predictions) -> dict[str, float]:
    """AUROC of each model over all outcomes that these patients could have had under the law."""
    area = functools.partial(evaluator.over_outcomes, metrics.auroc, held_out.true)
    return {model: float(np.mean([area(column) for column in y_prob.T])) for model, y_prob in held_out.y_prob.items()}


def auroc_by_repeat(held_out: Predictions) -> pd.DataFrame:
    """AUROC of each repeat: ``model, n_patients, n_events, n_repeats, mean, sd, lowest, highest``.

    ``of_averaged_scores`` is what averaging a patient's scores over repeats first would give, ``expected`` the
    AUROC over all outcomes that these patients could have had under the law.
    """
    rows, expected = [], expected_auroc(held_out)
    for model, y_prob in held_out.y_prob.items():
        values = pd.Series([metrics.auroc(held_out.y, column) for column in y_prob.T])
        row = {"model": models.LABELS[model], **held_out.size, "n_repeats": len(values), "mean": values.mean()}
        row |= {"sd": values.std(), "lowest": values.min(), "highest": values.max()}
        averaged = metrics.auroc(held_out.y, y_prob.mean(axis=1))
        rows.append(row | {"of_averaged_scores": averaged, "expected": expected[model]})
    return pd.DataFrame(rows)


def discrimination(found: Nested, differences: Nested, margin: float, expected: Mapping[str, float]) -> Facts:
    """Which model ranks best, by how much, and how much of the attainable it reaches.

    `found` and `differences` are `attrition.metrics.evaluator.nested` of all models and of `pairs`; `margin` is the
    smallest difference of interest in AUROC, `expected` is `expected_auroc`: without the luck of the outcomes drawn.
    """
    best, second, *_ = order = sorted(models.FITTED, key=lambda model: -found[model]["auroc"]["value"])
    gap = differences[f"{best}_minus_{second}"]["auroc"]
    facts: Facts = {"verdict": grade(gap, margin).strict_verdict, "gap": gap, "order": order, "best": best}
    facts |= {"best_name": models.LABELS[best], "second_name": models.IN_TEXT[second]}
    facts |= {"best_auroc": found[best]["auroc"], "oracle_auroc": found["oracle"]["auroc"]}
    return facts | {"share": metrics.share_of_attainable_lift(expected[best], expected["oracle"])}


def pairs() -> list[tuple[str, str]]:
    """Comparisons between models: every ordered pair, so that the best may be any, and each with the oracle."""
    return [*itertools.permutations(models.FITTED, 2), *((model, "oracle") for model in models.FITTED)]


def paired_table(compared: pd.DataFrame) -> pd.DataFrame:
    """Differences for readers, a row a pair, a text cell a measure: those from logistic regression or the oracle."""
    first, second = compared["first"], compared["second"]
    own = compared[(first == "lr") | (second == "oracle") | ((first == "lgbm") & (second == "xgb"))]
    names = own["first"].map(models.LABELS) + " less " + own["second"].map(models.LABELS)
    own = own.drop(columns=["first", "second"])
    own.insert(0, "comparison", names)
    return evaluator.readable(own)


def calibration(found: Nested) -> Facts:
    """Whose probabilities can be believed: the slope's interval holds 1 and that of calibration-in-the-large 0."""

    def off(measure: str, right: float) -> list[str]:
        return [m for m in models.FITTED if not _holds(found[m][measure], right)]

    slope_off, level_off = off("calibration_slope", 1), off("calibration_in_the_large", 0)
    calibrated = [m for m in models.FITTED if m not in slope_off + level_off]
    return {
        "verdict": "exploratory" if calibrated else "not supported",  # not refuted by one trial is not shown
        "too_extreme": [models.IN_TEXT[m] for m in slope_off if found[m]["calibration_slope"]["value"] < 1],
        "off_level": [models.IN_TEXT[m] for m in level_off],
        "calibrated": [models.IN_TEXT[m] for m in calibrated],
        "slopes": {models.IN_TEXT[m]: found[m]["calibration_slope"] for m in models.FITTED},
    }


def _holds(interval: Mapping[str, Any], value: float) -> bool:
    return interval["ci_low"] <= value <= interval["ci_high"]


def class_weight_study(
    seed: int, n_patients: int, n_folds: int, settings: Mapping[str, float]
) -> dict[tuple[str, str], tuple[NDArray, NDArray]]:
    """Logistic regression with and without class weights, cross-validated on trials of other event rates.

    `settings` has the event rate of each trial by its name; 0 is the published trial itself.

    Returns
    -------
    dict
        (setting, strategy) to (y, y_prob) of the patients; strategies ``none, class_weight, oracle, null``.
    """
    found = {}
    for name, rate in settings.items():
        offset = oracle.offset_for_prevalence(simulate.PUBLISHED_LAW, rate) if rate else 0.0
        rng = seeds.stream(seed, "class_weights", name)
        new = simulate.draw_trial(simulate.PUBLISHED_LAW, n_patients, rng, prevalence_offset=offset)
        trial = new if rate else simulate.published_trial()
        y = trial["dropout"].to_numpy()
        folds = resampling.repeated_folds(y, n_folds, 1, seeds.integer(seed, "class_weights"))
        for strategy in ("none", "class_weight"):
            model = {"lr": models.pipeline("lr", strategy=strategy)}
            rows = resampling.out_of_fold(model, trial, y, folds).sort_values("patient_id")
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
        row = {"trial": name, "strategy": strategy, "n_patients": y.size, "n_events": int(y.sum())}
        row |= {"auroc": metrics.auroc(y, y_prob), "calibration_slope": metrics.calibration_slope(y, y_prob)}
        row |= {"calibration_in_the_large": level["value"], "ci_low": level["ci_low"], "ci_high": level["ci_high"]}
        row |= {"brier_score": metrics.brier_score(y, y_prob)}
        row |= {key: at[key] for key in ("recall", "precision", "flagged_per_100")}
        rows.append(row | {"net_benefit": decision.net_benefit(y, y_prob, threshold)})
    return pd.DataFrame(rows)


def class_weight_display(table: pd.DataFrame) -> pd.DataFrame:
    """`class_weight_table` for readers: names in words, calibration-in-the-large with its interval."""
    words = {"none": "no weights", "class_weight": "class weights", "oracle": "oracle", "null": "null (prevalence)"}
    level = table.rename(columns={"calibration_in_the_large": "value"}).to_dict("records")
    return table.drop(columns=["ci_low", "ci_high"]).assign(
        trial=table["trial"].replace({"rare": "new, fewer events"}),
        strategy=table["strategy"].replace(words),
        calibration_in_the_large=[interval_text(row, ".2f") for row in level],
    )


def class_weights(table: pd.DataFrame, trial: str) -> Facts:
    """What class weights do to the level of predictions in one trial of `class_weight_table`."""
    own = table[table["trial"] == trial].set_index("strategy")
    plain, weighted = own.loc["none"], own.loc["class_weight"]
    spoiled = bool(weighted["ci_high"] < 0 and _holds(plain, 0))
    facts: Facts = {"verdict": "supported" if spoiled else "not supported", "spoiled": spoiled}
    facts["rate"] = weighted["n_events"] / weighted["n_patients"]
    columns = {"recall": "recall", "flagged": "flagged_per_100", "auroc": "auroc", "level": "calibration_in_the_large"}
    sides = {"plain": plain, "weighted": weighted}
    return facts | {f"{name}_{side}": own[key] for name, key in columns.items() for side, own in sides.items()}


def at_thresholds(held_out: Predictions, thresholds: Mapping[str, float], weights: NDArray) -> pd.DataFrame:
    """What every model does at named thresholds, with contacting everybody as a row of its own."""
    everybody = {"all": np.ones((held_out.y.size, 1))}
    frames = [
        decision.at_thresholds(held_out.y, y_prob, thresholds, weights).assign(model=model)
        for model, y_prob in (held_out.y_prob | everybody).items()
    ]
    table = pd.concat(frames, ignore_index=True).sort_values("threshold", kind="stable", ignore_index=True)
    return table[["model", *table.columns.drop("model")]]


def wins_at(own: Mapping[str, Any], threshold: float) -> bool:
    """Whether a threshold lies where a model beats both defaults (`attrition.decision.conclude`)."""
    return bool(own["use"] and own["better_from"] <= threshold <= own["better_to"])


def decisions(
    conclusions: Mapping[str, Mapping], low: float, high: float, smallest: float, stated: Sequence[float] = ()
) -> Facts:
    """Whether any fitted model beats both defaults somewhere between the lowest and highest stated threshold.

    Parameters
    ----------
    conclusions : mapping of str to mapping
        `attrition.decision.conclude` of each model.
    low, high : float
        Ends of the thresholds under consideration.
    smallest : float
        Smallest net benefit of interest.
    stated : sequence of float
        Thresholds with a reason, of which the facts tell where the best model is shown to win.
    """
    useful = [model for model in models.FITTED if conclusions[model]["use"]]
    facts: Facts = {"low": low, "high": high, "useful": useful, "n_models": len(models.FITTED)}
    if not useful:
        return facts | {"verdict": "not supported"}
    best = max(useful, key=lambda model: conclusions[model]["best_over_default"])
    own = conclusions[best]
    facts["verdict"] = "supported" if own["best_over_default_low"] > smallest else "direction only"
    facts |= {"best": models.IN_TEXT[best], "at": own["best_threshold"]}
    facts |= {"first": own["better_from"], "last": own["better_to"]}
    facts |= {"gain": 100 * own["best_over_default"], "at_least": 100 * own["best_over_default_low"]}
    facts |= {"smallest": 100 * smallest, "useless": [models.IN_TEXT[m] for m in models.FITTED if m not in useful]}
    facts["won"] = [t for t in sorted(stated) if wins_at(own, t)]
    return facts | {"lost": [t for t in sorted(stated) if not wins_at(own, t)]}


def conclusion_table(conclusions: Mapping[str, Mapping], held_out: Predictions) -> pd.DataFrame:
    """`attrition.decision.conclude` of every model for readers."""
    rows = []
    for model, found in conclusions.items():
        use = "use between {better_from:.2f} and {better_to:.2f} only".format(**found) if found["use"] else "do not use"
        row = {"model": models.LABELS[model], **held_out.size, "conclusion": use}
        row |= {key: found[key] for key in ("better_from", "better_to", "best_threshold")}
        row |= {"gain_per_100": 100 * found["best_over_default"], "gain_low": 100 * found["best_over_default_low"]}
        rows.append(row)
    return pd.DataFrame(rows)


def money_table(curve: pd.DataFrame, everybody: NDArray, cost: float, lowest: float = 0.0) -> pd.DataFrame:
    """Decision curves in dollars per 100 patients: ``model, threshold, money``, with the model ``all``.

    Thresholds below `lowest` are left out: the gain on a leaver that they imply grows without bound.
    """
    defaults = pd.DataFrame({"model": "all", "threshold": curve["threshold"].unique(), "net_benefit": everybody})
    table = pd.concat([defaults, curve], ignore_index=True)[["model", "threshold", "net_benefit"]]
    table = table[table["threshold"] >= lowest].reset_index(drop=True)
    return table.assign(money=decision.money_per_100(table["net_benefit"], table["threshold"], cost))


def money_at(table: pd.DataFrame, model: str, threshold: float, cost: float) -> dict[str, float]:
    """Dollars per 100 patients at one threshold of `at_thresholds`, for a contact of given cost.

    ``model, everybody``, and over the better default ``added, oracle``.
    """
    own = table[table["threshold"] == threshold].drop_duplicates("model").set_index("model")["net_benefit"]
    own = own.map(lambda benefit: float(decision.money_per_100(benefit, threshold, cost)))
    default = max(own["all"], 0.0)
    worth = {"model": own[model], "everybody": own["all"], "added": own[model] - default}
    return {name: float(value) for name, value in (worth | {"oracle": own["oracle"] - default}).items()}


def age_group(age: pd.Series, edges: Sequence[int]) -> pd.Series:
    """Name the age group of each patient, the categories from young to old.

    Examples
    --------
    >>> age_group(pd.Series([18, 40, 64, 65]), [40, 65]).tolist()
    ['under 40', '40 to 64', '40 to 64', '65 and over']
    """
    middle = [f"{low} to {high - 1}" for low, high in itertools.pairwise(edges)]
    names = [f"under {edges[0]}", *middle, f"{edges[-1]} and over"]
    return pd.cut(age, [-np.inf, *edges, np.inf], right=False, labels=names)


def subgroup_display(table: pd.DataFrame, model: str) -> pd.DataFrame:
    """`attrition.metrics.evaluator.by_subgroup` of one model for readers, with the oracle's AUROC.

    A column ``size`` marks the small ones, if there are any.
    """
    own, best = (evaluator.readable(table[table["model"] == name], ".2f") for name in (model, "oracle"))
    own.insert(own.columns.get_loc("auroc") + 1, "oracle_auroc", best["auroc"].to_numpy())
    if own["small"].any():
        own.insert(own.columns.get_loc("auroc"), "size", np.where(own["small"], "small", ""))
    return own.drop(columns=["small", "model"])


def subgroup_names(table: pd.DataFrame) -> list[str]:
    """Names of the rows of a subgroup table, for a figure.

    Examples
    --------
    >>> rows = pd.DataFrame({"characteristic": ["all", "age", "phase"], "subgroup": ["all", "under 35", "Phase I"]})
    >>> subgroup_names(rows)
    ['all', 'age under 35', 'Phase I']
    """
    pairs = zip(table["characteristic"], table["subgroup"], strict=True)
    return [name if name.lower().startswith(what) else f"{what} {name}" for what, name in pairs]


def heterogeneity(level: pd.DataFrame) -> Facts:
    """Subgroups whose interval excludes perfect calibration-in-the-large, not counting small ones.

    `level` has the rows of this measure of one model, from `attrition.metrics.evaluator.by_subgroup`.
    """
    own = level[level["characteristic"] != "all"]
    large = own[~own["small"].astype(bool)]
    off = large[(large["ci_low"] > 0) | (large["ci_high"] < 0)]
    facts: Facts = {"n_subgroups": len(own), "n_large": len(large), "n_small": len(own) - len(large)}
    facts |= {"n_miscalibrated": len(off), "expected_by_chance": 0.05 * len(large)}
    return facts | {"miscalibrated": (off["characteristic"] + " " + off["subgroup"].astype(str)).tolist()}


def sample_size(needed: pd.DataFrame, n_patients: int, shrinkage: float) -> Facts:
    """Whether the trial has the patients that its model needs (`attrition.metrics.measures.riley`)."""
    largest = needed.loc[needed["n_patients"].idxmax()]
    verdict = "supported" if n_patients >= largest["n_patients"] else "not supported"
    facts: Facts = {"verdict": verdict, "criterion": largest["criterion"], "n_needed": int(largest["n_patients"])}
    return facts | {"n_patients": n_patients, "shrinkage": shrinkage}
