"""The published models opened and developed again, next to the law that made the data.

On simulated data an explanation can be wrong, not only unclear: the weight of every term is known. Importance is
measured on patients whom the model has not seen, and everything carries an interval. Stability asks what another
sample of patients would have predicted for the same patient: two models can have the same AUROC and still disagree
about whom to contact.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from attrition import decision, features, metrics, models, seeds, simulate
from attrition.metrics import evaluator
from attrition.metrics.intervals import LEVEL, Interval, of_row, percentile_interval
from attrition.models import batched
from attrition.resampling import Fold
from attrition.simulate import law as laws
from attrition.simulate import oracle

Predict = Callable[[pd.DataFrame], NDArray]
Facts = dict[str, Any]
Refits = Mapping[str, tuple[NDArray, NDArray]]


def coefficients(X: pd.DataFrame, y_true: ArrayLike, weights: NDArray, class_weight: str | None = None) -> pd.DataFrame:
    """Logistic regression coefficients a standard deviation, with bootstrap intervals, beside the law's.

    `X` has features of `attrition.features` on their own scale, `weights` the shape (n_patients, n_resamples), and
    `class_weight` is None or ``"balanced"``.

    Returns
    -------
    pandas.DataFrame
        ``feature, coefficient, ci_low, ci_high, odds_ratio, law``: log odds a standard deviation of the patients.
    """
    counts = np.vstack([np.ones(len(X)), weights.T])
    fitted = batched.fit_pipeline(X.to_numpy(float), np.asarray(y_true), counts, class_weight).coef
    scaled = (fitted * X.to_numpy(float).std(axis=0)).T
    table = pd.DataFrame([percentile_interval(own[0], own[1:]) for own in scaled], index=list(X))
    table = table.rename(columns={"value": "coefficient"}).assign(odds_ratio=np.exp(scaled[:, 0]))
    return table.assign(law=law_coefficients(X)).rename_axis("feature").reset_index()


def law_coefficients(X: pd.DataFrame, law: simulate.Law = simulate.PUBLISHED_LAW) -> pd.Series:
    """What the law itself puts on each feature, in log odds a standard deviation.

    Features that the law does not know have 0, and so has age: the law knows only whether a patient is young.

    >>> X = features.matrix(simulate.published_trial(), "v3_causal")
    >>> law_coefficients(X).round(2)[["visit_rate", "burden"]].tolist()
    [-0.17, 0.0]
    """
    unit = {
        "adverse_event_rate": law.weight_adverse_events * law.adverse_event_scale,
        "visit_rate": -law.weight_missed_visits,
        "trial_phase_risk": law.weight_phase,
        "treatment_risk": law.weight_arm,
    }
    spread = X.std(ddof=0)
    return pd.Series({name: law.slope * unit.get(name, 0.0) * spread[name] for name in X.columns})


def law_held(table: pd.DataFrame) -> Facts:
    """How many intervals of `coefficients` hold what the law puts on the feature."""
    held = (table["ci_low"] <= table["law"]) & (table["law"] <= table["ci_high"])
    own = table[table["law"] != 0]
    found = ((own["ci_low"] > 0) & (own["law"] > 0)) | ((own["ci_high"] < 0) & (own["law"] < 0))
    return {"held": int(held.sum()), "n": len(table), "known": len(own), "found": int(found.sum())}


def permutation_importance(
    predictors: Sequence[tuple[NDArray, Predict]],
    X: pd.DataFrame,
    y_true: ArrayLike,
    weights: NDArray,
    rng: np.random.Generator,
    columns: Sequence[str],
    n_permutations: int = 5,
) -> pd.DataFrame:
    """Loss of held-out AUROC when a column is shuffled, with intervals: ``column, importance, ci_low, ci_high``.

    `predictors` are positions of held-out patients with the prediction of a model that has not seen them, together
    every patient once; `weights` are of shape (n_patients, n_resamples).

    References
    ----------
    Breiman (2001), Machine Learning 45, 5-32.
    """
    y = np.asarray(y_true)

    def predicted(*shuffled: str) -> NDArray:
        p = np.empty(len(y))
        for rows, predict in predictors:
            part = X.iloc[rows]
            p[rows] = predict(part.assign(**{name: rng.permutation(part[name].to_numpy()) for name in shuffled}))
        return p

    own, rows = predicted(), []
    value, drawn = metrics.auroc(y, own), metrics.auroc(y, own, weights)
    for column in columns:
        shuffled = [predicted(column) for _ in range(n_permutations)]
        left = np.mean([metrics.auroc(y, p) for p in shuffled])
        left_drawn = np.mean([metrics.auroc(y, p, weights) for p in shuffled], axis=0)
        rows.append({"column": column, **percentile_interval(value - left, drawn - left_drawn)})
    return pd.DataFrame(rows).rename(columns={"value": "importance"})


def importances(
    trial: pd.DataFrame, folds: Sequence[Fold], weights: NDArray, seed: int, n_permutations: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`permutation_importance` of logistic regression's inputs, and of the raw columns for every model and the law.

    Parameters
    ----------
    trial : pandas.DataFrame of n_patients rows
    folds : sequence of attrition.resampling.Fold
    weights : array of shape (n_patients, n_resamples)
        Bootstrap weights of the intervals.
    seed, n_permutations : int

    Returns
    -------
    by_feature, by_column : pandas.DataFrame
        ``column, importance, ci_low, ci_high``, the second with ``model`` first; all models see the same shuffles.
    """
    X, y = features.matrix(trial, "v3_causal"), trial["dropout"].to_numpy()
    parts = [(trial.iloc[fold.train], y[fold.train]) for fold in folds]
    fitted = {name: [models.pipeline(name).fit(*part) for part in parts] for name in models.FITTED}

    def lost(predicts: Sequence[Predict], of: pd.DataFrame, columns: Sequence[str], *stream: str) -> pd.DataFrame:
        held_out = [(fold.test, predict) for fold, predict in zip(folds, predicts, strict=True)]
        rng = seeds.stream(seed, "permutation", *stream)
        return permutation_importance(held_out, of, y, weights, rng, columns, n_permutations)

    by_feature = lost([partial(models.probability, model[1:]) for model in fitted["lr"]], X, list(X))
    predicts = {name: [partial(models.probability, model) for model in members] for name, members in fitted.items()}
    predicts["oracle"] = [partial(oracle.of_patients, simulate.PUBLISHED_LAW)] * len(folds)
    raw = {name: lost(own, trial, features.RAW_COLUMNS, "raw") for name, own in predicts.items()}
    return by_feature, pd.concat(raw, names=["model"]).reset_index("model").reset_index(drop=True)


def importance_table(by_column: pd.DataFrame) -> pd.DataFrame:
    """Importance of the raw columns for readers: a text cell a model, most important to the oracle first."""
    shown = evaluator.readable(by_column.rename(columns={"model": "measure", "importance": "value"}))
    order = by_column[by_column["model"] == "oracle"].sort_values("importance", ascending=False)["column"]
    return shown.set_index("column").loc[order].reset_index()


def burden(table: pd.DataFrame, importance: pd.DataFrame) -> Facts:
    """Whether the published favourite feature earns its place (`coefficients`, and importance by feature)."""
    own, loss = table.set_index("feature").loc["burden"], importance.set_index("column").loc["burden"]
    rank = int(importance["importance"].rank(ascending=False)[importance["column"] == "burden"].iloc[0])
    facts: Facts = {"verdict": "supported" if loss["ci_low"] > 0 and rank == 1 else "not supported"}
    facts |= {"compatible": bool(own["ci_low"] <= 0 <= own["ci_high"]), "rank": rank, "features": len(importance)}
    return facts | {"coefficient": of_row(own, "coefficient"), "loss": of_row(loss, "importance")}


def distance_from_law(dependence: pd.DataFrame) -> Facts:
    """How far each model's partial dependence strays from the law's, at most: ``column, value, model, y_prob``."""
    wide = dependence.pivot_table(index=["column", "value"], columns="model", values="y_prob")
    worst = {model: float((wide[model] - wide["oracle"]).abs().max()) for model in models.FITTED}
    best = min(worst, key=worst.__getitem__)
    others = {models.IN_TEXT[model]: far for model, far in worst.items() if model != best}
    return {"best": models.LABELS[best], "gap": worst[best], "others": others}


def contributions(classifier: Any, X: pd.DataFrame) -> pd.DataFrame:
    """Shapley values of a fitted tree classifier: a column a feature, and ``base``; rows sum to the log odds.

    Lundberg et al. (2020), Nature Machine Intelligence 2, 56-67.
    """
    if hasattr(classifier, "get_booster"):
        from xgboost import DMatrix

        booster = classifier.get_booster()
        data = DMatrix(X.to_numpy(float), feature_names=booster.feature_names)
        values = booster.predict(data, pred_contribs=True)
    else:
        values = classifier.predict(X, pred_contrib=True)
    return pd.DataFrame(np.asarray(values, dtype=float), columns=[*X.columns, "base"], index=X.index)


def contribution_shares(contributions: pd.DataFrame) -> pd.Series:
    """Share of each feature in the mean absolute contribution.

    >>> contribution_shares(pd.DataFrame({"a": [3.0, -3.0], "b": [1.0, 1.0], "base": [9.0, 9.0]})).tolist()
    [0.75, 0.25]
    """
    size = contributions.drop(columns="base").abs().mean()
    return size / size.sum()


def law_contributions(X: pd.DataFrame, law: simulate.Law = simulate.PUBLISHED_LAW) -> pd.DataFrame:
    """What each feature adds to the log odds under the law, centred over patients; ``base`` is their mean."""
    centred, spread = X - X.mean(), X.std(ddof=0)
    values = centred * (law_coefficients(X, law) / spread.where(spread > 0, 1.0))
    if "age" in X:
        young = (laws.age_share(X["age"]) < law.young_below).astype(float)
        values["age"] = law.slope * law.weight_young * (young - young.mean())
    return values.assign(base=0.0)


def contribution_table(X: pd.DataFrame, y: NDArray) -> pd.DataFrame:
    """`contribution_shares` of the trees and of the law, largest under the law first: ``feature, xgb, lgbm, law``."""
    shares = {}
    for name in ("xgb", "lgbm"):
        classifier = models.classifier(name).fit(X, y).named_steps["classify"]
        shares[name] = contribution_shares(contributions(classifier, X))
    table = pd.DataFrame(shares | {"law": contribution_shares(law_contributions(X))}).rename_axis("feature")
    return table.reset_index().sort_values(["law", "xgb"], ascending=False, ignore_index=True)


def bootstrap_logistic(
    X: ArrayLike, y_true: ArrayLike, weights: NDArray, class_weight: str | None = None
) -> tuple[NDArray, NDArray]:
    """Logistic regression developed on all patients, and on every bootstrap sample, standardised inside each.

    Gives both predictions for the original patients, (n_patients,) and (n_patients, n_resamples).
    """
    X, counts = np.asarray(X, dtype=float), np.vstack([np.ones(len(weights)), weights.T])
    p = batched.fit_pipeline(X, np.asarray(y_true), counts, class_weight).predict_proba(X)
    return p[0], p[1:].T


def bootstrap_model(X: pd.DataFrame, y: NDArray, weights: NDArray, name: str = "lgbm") -> tuple[NDArray, NDArray]:
    """The same for any published model, one fit a sample."""

    samples = [np.repeat(np.arange(len(y)), counts) for counts in (1, *weights.T.astype(int))]
    fitted = (models.classifier(name).fit(X.iloc[rows], y[rows]) for rows in samples)
    original, *resampled = [models.probability(model, X) for model in fitted]
    return original, np.column_stack(resampled)


def instability(original: NDArray, resampled: NDArray, thresholds: Sequence[float]) -> pd.DataFrame:
    """Instability of each patient's prediction, class and band; `resampled` is (n_patients, n_resamples).

    Returns
    -------
    pandas.DataFrame
        ``prediction, low, high`` (95 % range of the resampled predictions), ``mean_absolute_error`` (mean
        distance of resampled from original), ``changes_at_<t>`` (share of resampled models that put the
        patient on the other side of a threshold) and ``changes_band``.

    References
    ----------
    Riley and Collins (2023), Biometrical Journal 65, 2200302.

    Examples
    --------
    >>> instability(np.array([0.4]), np.array([[0.3, 0.6]]), [0.5])["changes_at_0.5"].tolist()
    [0.5]
    """
    low, high = np.quantile(resampled, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2], axis=1)
    own = original[:, None]
    table = {"prediction": original, "low": low, "high": high}
    table["mean_absolute_error"] = np.abs(resampled - own).mean(axis=1)
    for t in thresholds:
        table[f"changes_at_{t:g}"] = ((resampled >= t) != (own >= t)).mean(axis=1)
    moved = decision.band_of(resampled) != decision.band_of(own)
    return pd.DataFrame(table | {"changes_band": moved.mean(axis=1)})


def instability_summary(table: pd.DataFrame, often: float = 0.1) -> dict[str, float]:
    """Instability over all patients, from `instability`: unsteady is whose class a share `often` of models changes.

    >>> instability_summary(instability(np.array([0.4]), np.array([[0.3, 0.6]]), [0.5]))["unsteady_at_0.5"]
    1.0
    """
    width, changes = table["high"] - table["low"], table.filter(like="changes_at_")
    found = {"mape": table["mean_absolute_error"].mean(), "median_width": width.median(), "largest_width": width.max()}
    unsteady = (changes > often).mean().rename(lambda name: name.replace("changes", "unsteady"))
    every = pd.concat([pd.Series(found), table.filter(like="changes_").mean(), unsteady])
    return {str(name): float(value) for name, value in every.items()}


def instability_of_all(
    fitted: Refits, y: NDArray, true: NDArray, weights: NDArray, thresholds: Sequence[float], often: float
) -> dict[str, dict[str, float]]:
    """`instability_summary` of fitted models, of the oracle (which never moves) and of the null model.

    Parameters
    ----------
    fitted : mapping of str to (original, resampled)
    y, true : array of shape (n_patients,)
    weights : array of shape (n_patients, n_resamples)
        The samples on which the null model takes its event rate.
    thresholds, often
        See `instability` and `instability_summary`.
    """
    null = np.full(y.size, y.mean()), np.broadcast_to(y @ weights / y.size, (y.size, weights.shape[1]))
    everyone = {**fitted, "oracle": (true, true[:, None]), "null": null}
    return {name: instability_summary(instability(*pair, thresholds), often) for name, pair in everyone.items()}


def instability_table(
    found: Mapping[str, Mapping[str, float]], thresholds: Sequence[float], about: Mapping[str, Any]
) -> pd.DataFrame:
    """`instability_of_all` for readers: model, the columns `about`, and unsteady patients at each threshold."""
    unsteady = {f"unsteady_at_{t:g}": f"unsteady at {t:g}" for t in thresholds}
    shown = pd.DataFrame(found).T[["mape", "median_width", "changes_band", *unsteady]].rename(columns=unsteady)
    names = pd.DataFrame({"model": [models.LABELS[name] for name in found], **about}, index=list(found))
    return names.join(shown).reset_index(drop=True)


def steadiness(summary: Mapping[str, float], threshold: float, often: float) -> Facts:
    """How far another sample of the same size would have moved the same patients (`instability_summary`)."""
    facts: Facts = {"band": summary["changes_band"], "unsteady": summary[f"unsteady_at_{threshold:g}"]}
    facts |= {"threshold": threshold, "often": often}
    return facts | {"mape": summary["mape"], "width": summary["median_width"]}


def reach_of_thresholds(steady: pd.DataFrame, thresholds: Sequence[float], often: float) -> Facts:
    """How far from a threshold a patient must be to be classed alike by nearly all models developed again."""
    far = {t: (steady["prediction"] - t).abs()[steady[f"changes_at_{t:g}"] > often].max() for t in thresholds}
    reach = pd.Series(far).dropna()
    return {"often": often} | ({} if reach.empty else {"widest": reach.idxmax(), "reach": reach.max()})


def calibration_instability(
    y_true: ArrayLike, original: NDArray, resampled: NDArray, grid: ArrayLike, n_curves: int | None = None
) -> tuple[NDArray, Interval]:
    """Calibration of the resampled models on the original patients.

    Parameters
    ----------
    y_true, original : array of shape (n_patients,)
    resampled : array of shape (n_patients, n_resamples)
    grid : array of shape (n_grid,)
        Predicted probabilities at which the curves of the first `n_curves` models are drawn.
    n_curves : int, optional
        All when left out.

    Returns
    -------
    curves : array of shape (n_grid, n_curves)
    slope : Interval
        Calibration slope of the original model, with the range of the resampled ones.
    """
    curves = [metrics.calibration_curve(y_true, column, grid).observed for column in resampled.T[:n_curves]]
    slopes = [metrics.calibration_slope(y_true, column) for column in resampled.T]
    return np.column_stack(curves), percentile_interval(metrics.calibration_slope(y_true, original), slopes)
