"""Explanations of fitted models, next to the law that made the data.

On simulated data an explanation can be wrong, not only unclear: the weight of every term is known.
Importance is measured on patients whom the model has not seen, and everything carries an interval.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from attrition import metrics, simulate
from attrition.metrics.intervals import LEVEL, percentile_interval
from attrition.models import batched
from attrition.simulate import law as laws


def coefficients(
    X: pd.DataFrame, y_true: ArrayLike, weights: NDArray, class_weight: str | None = None, level: float = LEVEL
) -> pd.DataFrame:
    """Logistic regression coefficients a standard deviation, with bootstrap intervals.

    Parameters
    ----------
    X : pandas.DataFrame of shape (n_patients, n_features)
        Features on their own scale.
    y_true : array of shape (n_patients,)
    weights : array of shape (n_patients, n_resamples)
    class_weight : {None, "balanced"}
    level : float

    Returns
    -------
    pandas.DataFrame
        ``feature, coefficient, ci_low, ci_high, odds_ratio``: log odds a standard deviation of the patients.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"a": rng.normal(size=300), "b": rng.normal(size=300)})
    >>> y = (rng.random(300) < 1 / (1 + np.exp(-2 * X["a"]))).astype(int)
    >>> weights = np.column_stack([rng.multinomial(300, np.full(300, 1 / 300)) for _ in range(50)])
    >>> table = coefficients(X, y, weights)
    >>> (table["ci_low"] > 0).tolist()
    [True, False]
    """
    values, y = X.to_numpy(float), np.asarray(y_true)
    counts = np.vstack([np.ones(len(y)), weights.T])
    fitted = batched.fit_pipeline(values, y, counts, class_weight).coef * values.std(axis=0)
    rows = []
    for name, own in zip(X.columns, fitted.T, strict=True):
        interval = percentile_interval(own[0], own[1:], level)
        row = {"feature": name, "coefficient": interval["value"], "ci_low": interval["ci_low"]}
        rows.append(row | {"ci_high": interval["ci_high"], "odds_ratio": float(np.exp(own[0]))})
    return pd.DataFrame(rows)


def law_coefficients(X: pd.DataFrame, law: simulate.Law = simulate.PUBLISHED_LAW) -> pd.Series:
    """What the law itself puts on each feature, in log odds a standard deviation.

    Parameters
    ----------
    X : pandas.DataFrame
        Features of `attrition.features`; those that the law does not know have 0, and so has age (the law
        knows only whether a patient is young).
    law : Law

    Returns
    -------
    pandas.Series

    Examples
    --------
    >>> from attrition import features
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


def permutation_importance(
    predictors: Sequence[tuple[NDArray, Callable[[pd.DataFrame], NDArray]]],
    X: pd.DataFrame,
    y_true: ArrayLike,
    weights: NDArray,
    rng: np.random.Generator,
    columns: Sequence[str],
    n_permutations: int = 5,
) -> pd.DataFrame:
    """Loss of held-out AUROC when a column is shuffled, with bootstrap intervals over patients.

    Parameters
    ----------
    predictors : sequence of (rows, predict)
        Positions of held-out patients and the prediction of a model that has not seen them; together every
        patient once.
    X : pandas.DataFrame of shape (n_patients, ...)
        What `predict` takes.
    y_true : array of shape (n_patients,)
    weights : array of shape (n_patients, n_resamples)
    rng : numpy.random.Generator
    columns : sequence of str
        To be shuffled, one at a time, among the held-out patients of a model.
    n_permutations : int

    Returns
    -------
    pandas.DataFrame
        ``column, importance, ci_low, ci_high``: AUROC as it is less AUROC after shuffling.

    References
    ----------
    Breiman (2001), Machine Learning 45, 5-32.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"a": rng.random(300), "b": rng.random(300)})
    >>> y = (rng.random(300) < X["a"]).astype(int)
    >>> weights = np.column_stack([rng.multinomial(300, np.full(300, 1 / 300)) for _ in range(50)])
    >>> held_out = [(np.arange(300), lambda X: X["a"].to_numpy())]
    >>> permutation_importance(held_out, X, y, weights, rng, ["a", "b"])["importance"].gt(0).tolist()
    [True, False]
    """
    y = np.asarray(y_true)

    def predicted(shuffled: str | None) -> NDArray:
        p = np.empty(len(y))
        for rows, predict in predictors:
            part = X.iloc[rows]
            if shuffled is not None:
                part = part.assign(**{shuffled: rng.permutation(part[shuffled].to_numpy())})
            p[rows] = predict(part)
        return p

    own = predicted(None)
    value, drawn = metrics.auroc(y, own), metrics.auroc(y, own, weights)
    rows = []
    for column in columns:
        shuffled = [predicted(column) for _ in range(n_permutations)]
        left = np.mean([metrics.auroc(y, p) for p in shuffled])
        left_drawn = np.mean([metrics.auroc(y, p, weights) for p in shuffled], axis=0)
        interval = percentile_interval(value - left, drawn - left_drawn)
        row = {"column": column, "importance": interval["value"]}
        rows.append(row | {"ci_low": interval["ci_low"], "ci_high": interval["ci_high"]})
    return pd.DataFrame(rows)


def partial_dependence(
    predictors: Mapping[str, Callable[[pd.DataFrame], NDArray]], X: pd.DataFrame, column: str, grid: ArrayLike
) -> pd.DataFrame:
    """Mean prediction when a column is set to each value of a grid, all else as it is.

    Parameters
    ----------
    predictors : mapping of str to callable
        Model to its prediction.
    X : pandas.DataFrame of shape (n_patients, ...)
    column : str
    grid : array of shape (n_grid,)

    Returns
    -------
    pandas.DataFrame
        ``model, value, y_prob``.

    References
    ----------
    Friedman (2001), Annals of Statistics 29, 1189-1232.

    Examples
    --------
    >>> X = pd.DataFrame({"a": [0.0, 1.0], "b": [1.0, 3.0]})
    >>> predict = {"sum": lambda X: (X["a"] + X["b"]).to_numpy()}
    >>> partial_dependence(predict, X, "a", [0, 2])["y_prob"].tolist()
    [2.0, 4.0]
    """
    kind = X[column].dtype
    rows = [
        {"model": model, "value": value, "y_prob": float(predict(X.assign(**{column: kind.type(value)})).mean())}
        for model, predict in predictors.items()
        for value in np.asarray(grid).tolist()
    ]
    return pd.DataFrame(rows)


def contributions(classifier: Any, X: pd.DataFrame) -> pd.DataFrame:
    """Additive contributions of the features to each patient's log odds.

    Parameters
    ----------
    classifier : fitted XGBClassifier or LGBMClassifier
    X : pandas.DataFrame of shape (n_patients, n_features)
        The classifier's own inputs.

    Returns
    -------
    pandas.DataFrame of shape (n_patients, n_features + 1)
        Shapley values of the trees by feature, and ``base``; rows sum to the log odds.

    References
    ----------
    Lundberg et al. (2020), Nature Machine Intelligence 2, 56-67.

    Examples
    --------
    >>> from lightgbm import LGBMClassifier
    >>> X = pd.DataFrame({"a": np.arange(40.0), "b": np.tile([0.0, 1.0], 20)})
    >>> model = LGBMClassifier(n_estimators=3, verbose=-1, n_jobs=1).fit(X, X["a"] > 20)
    >>> contributions(model, X).columns.tolist()
    ['a', 'b', 'base']
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

    Examples
    --------
    >>> contribution_shares(pd.DataFrame({"a": [3.0, -3.0], "b": [1.0, 1.0], "base": [9.0, 9.0]})).tolist()
    [0.75, 0.25]
    """
    size = contributions.drop(columns="base").abs().mean()
    return size / size.sum()


def law_contributions(X: pd.DataFrame, law: simulate.Law = simulate.PUBLISHED_LAW) -> pd.DataFrame:
    """What each feature adds to the log odds under the law, centred over patients; ``base`` is their mean.

    Examples
    --------
    >>> from attrition import features
    >>> X = features.matrix(simulate.published_trial(), "v3_causal")
    >>> contribution_shares(law_contributions(X)).idxmax()
    'adverse_event_rate'
    """
    centred = X - X.mean()
    spread = X.std(ddof=0)
    values = centred * (law_coefficients(X, law) / spread.where(spread > 0, 1.0))
    if "age" in X:
        young = (laws.age_share(X["age"]) < law.young_below).astype(float)
        values["age"] = law.slope * law.weight_young * (young - young.mean())
    return values.assign(base=0.0)
