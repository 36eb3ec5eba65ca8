"""Landmark prediction on a trial: the same folds for every model, everything learned inside them.

A prediction table holds one column a repeat of cross-validation, ``(n_patients, n_repeats)``: measures are taken a
repeat and then averaged, never the scores of a patient over repeats. Intervals resample patients of these tables; they
say what other patients of the same kind would have given, not what another training set would have.
"""

import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from attrition import landmark, metrics, models, seeds
from attrition.cdisc import Trial
from attrition.metrics import intervals, ranks
from attrition.models import batched
from attrition.resampling import Fold, repeated_folds
from attrition.survival import hazards

FEATURE_SETS: dict[str, tuple[str, ...]] = {
    "arm_only": ("arm",),
    "baseline": ("baseline",),
    "baseline_arm": ("baseline", "arm"),
    "adverse_events": ("baseline", "arm", "adverse events"),
    "visits": ("baseline", "arm", "adverse events", "visits"),
    "all": landmark.GROUPS,
    "all_without_arm": tuple(group for group in landmark.GROUPS if group != "arm"),
}
LEARNERS = ("xgb", "lgbm", "cox", "forest")
DEAR = ("forest",)
"""Models that take longer than all others together: fitted at the first landmark and in the first repeats only."""
LABELS = {
    "null": "Event rate, no features",
    "arm_only": "Arm only",
    "baseline": "Baseline only",
    "baseline_arm": "Baseline and arm",
    "adverse_events": "... and adverse events",
    "visits": "... and visits",
    "all": "All known features",
    "all_without_arm": "All, arm blinded",
    "xgb": "All, XGBoost",
    "lgbm": "All, LightGBM",
    "cox": "All, Cox",
    "forest": "All, random forest",
}
MEASURES: dict[str, Callable] = {
    "auroc": metrics.auroc,
    "brier_score": metrics.brier_score,
    "scaled_brier": metrics.scaled_brier,
    "calibration_slope": metrics.calibration_slope,
    "calibration_in_the_large": metrics.calibration_in_the_large,
}
MINIMUM_EVENTS = 10


@dataclass(frozen=True)
class Problem:
    """One prediction problem: the patients at risk at a landmark whose outcome by the horizon is known.

    Attributes
    ----------
    landmark : int
    X : pandas.DataFrame, shape (n_patients, n_features), indexed by id
        Numbers; categories are 0/1 columns.
    groups : mapping of str to tuple of str
        Columns of each feature group.
    y : numpy.ndarray of int, shape (n_patients,)
    time : numpy.ndarray, shape (n_patients,)
        Days from the landmark to leaving or to the horizon.
    arm, site_group : numpy.ndarray of str, shape (n_patients,)
    origins : mapping of str to str
        Column to the feature that it was made from.
    """

    landmark: int
    X: pd.DataFrame
    groups: Mapping[str, tuple[str, ...]]
    y: np.ndarray
    time: np.ndarray
    arm: np.ndarray
    site_group: np.ndarray
    origins: Mapping[str, str] = field(default_factory=dict)

    @property
    def n_events(self) -> int:
        """Events in the window."""
        return int(self.y.sum())

    def columns(self, feature_set: str) -> list[str]:
        """Columns of a feature set, in the order of the groups."""
        return [name for group in FEATURE_SETS[feature_set] for name in self.groups.get(group, ())]


def _apart(name: str, taken: Collection[str]) -> str:
    """The name, or with a number behind it: levels that differ only in case or blanks are levels of their own."""
    numbered = (f"{name}_{number}" for number in itertools.count(2))
    return name if name not in taken else next(other for other in numbered if other not in taken)


def encoded(table: pd.DataFrame, taken: Collection[str] = ()) -> tuple[pd.DataFrame, dict[str, str]]:
    """Categories to 0/1 columns, and the column of `table` that each column was made from.

    The first level, or the other of two, is the reference; numbers come first and stay as they are.

    Parameters
    ----------
    table : pandas.DataFrame, shape (n_patients, n_features)
    taken : collection of str
        Names that no 0/1 column may have.

    Returns
    -------
    columns : pandas.DataFrame
    origins : dict of str to str

    Examples
    --------
    >>> columns, origins = encoded(pd.DataFrame({"SEX": ["F", "M", "m"], "age": [1.0, 2.0, 3.0]}))
    >>> origins
    {'age': 'age', 'sex_m': 'SEX', 'sex_m_2': 'SEX'}
    """
    numbers = table.select_dtypes("number").astype(float)
    parts, origins = [numbers], {name: name for name in numbers}
    for feature in [name for name in table if name not in origins]:
        dummies = pd.get_dummies(table[feature], prefix=feature, drop_first=True, dtype=float)
        names: list[str] = []
        for level in dummies.columns:
            names.append(_apart("_".join(level.lower().split()), {*taken, *table.columns, *origins, *names}))
        parts.append(dummies.set_axis(names, axis=1))
        origins |= dict.fromkeys(names, feature)
    return pd.concat(parts, axis=1), origins


def encode(table: pd.DataFrame) -> pd.DataFrame:
    """The columns of `encoded`.

    Examples
    --------
    >>> encode(pd.DataFrame({"sex": ["F", "M", "F"], "age": [1.0, 2.0, 3.0]})).columns.tolist()
    ['age', 'sex_m']
    """
    return encoded(table)[0]


def problem(trial: Trial, day: int) -> Problem:
    """The prediction problem at a landmark.

    Parameters
    ----------
    trial : Trial
    day : int

    Returns
    -------
    Problem
    """
    raw = landmark.features_by_group(trial, day)
    tables: dict[str, pd.DataFrame] = {}
    origins: dict[str, str] = {}
    features = [name for table in raw.values() for name in table]
    for group, table in raw.items():
        tables[group], own = encoded(table, {*features, *origins})
        origins |= own
    outcome = landmark.target(trial, day).dropna()
    patients = trial.patients.set_index("id").loc[outcome.index]
    return Problem(
        landmark=day,
        X=pd.concat(list(tables.values()), axis=1).loc[outcome.index],
        groups={group: tuple(table) for group, table in tables.items()},
        y=outcome.to_numpy().astype(int),
        time=(patients["time"] - day).to_numpy(float),
        arm=patients["arm"].to_numpy(object),
        site_group=patients["site_group"].to_numpy(object),
        origins=origins,
    )


def _imputer() -> SimpleImputer:
    return SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)


def _middle(X: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Median of what is known of some columns (0 where nothing is, and for the others)."""
    middle = np.zeros(X.shape[1])
    asked = columns & ~np.isnan(X).all(axis=0)
    middle[asked] = np.nanmedian(X[:, asked], axis=0)
    return middle


def _completed(X: np.ndarray, middle: np.ndarray, holed: np.ndarray) -> np.ndarray:
    """Gaps filled, and a column for each column of `holed` that marks them."""
    gaps = np.isnan(X)
    return np.hstack([np.where(gaps, middle, X), gaps[:, holed]])


class RidgeLogistic(ClassifierMixin, BaseEstimator):
    """Median and missing indicator, scaling, ridge logistic regression: all learned on the rows it is fitted on.

    Many fits on parts of one table run together, by Newton steps to the optimum. (A solver that stops early stops at
    a point of its own, and where it stops can depend on the processor.)

    Parameters
    ----------
    C : float
        Inverse penalty. A `C` of 0.1 is a normal prior with standard deviation 0.32 on the log odds ratio of one
        standard deviation of a feature: 95 % of odds ratios between 0.54 and 1.86.
    """

    def __init__(self, C: float = 0.1):
        self.C = C

    def fit(self, X: Any, y: np.ndarray) -> Self:
        """Fit on all rows."""
        X = np.asarray(X, dtype=float)
        self.classes_ = np.array([0, 1])
        self.middle_, self.holed_ = _middle(X, np.ones(X.shape[1], dtype=bool)), np.isnan(X).any(axis=0)
        self.fit_ = batched.fit_pipeline(_completed(X, self.middle_, self.holed_)[None], np.asarray(y)[None], C=self.C)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of no event and of the event, (n_patients, 2)."""
        table = _completed(np.asarray(X, dtype=float), self.middle_, self.holed_)
        (p,) = self.fit_.predict_proba(table)
        return np.column_stack([1 - p, p])

    def probabilities(self, X: np.ndarray, y: np.ndarray, trainings: Sequence[np.ndarray]) -> np.ndarray:
        """Probability of every row under a model fitted on each training part, as `fit` one by one would give it.

        Parameters
        ----------
        X : ndarray, shape (n_rows, n_features)
        y : ndarray, shape (n_rows,)
            Outcomes outside a training part are not looked at.
        trainings : sequence of ndarray of int
            Rows of each part; a row may come more than once.

        Returns
        -------
        ndarray, shape (n_trainings, n_rows)
        """
        holed = np.isnan(X).any(axis=0)  # a mark that is constant in a training part gets no weight
        tables = np.stack([_completed(X, _middle(X[rows], holed), holed) for rows in trainings])
        counts = np.stack([np.bincount(rows, minlength=len(X)) for rows in trainings]).astype(float)
        return batched.fit_pipeline(tables, y, counts=counts, C=self.C).predict_proba(tables)


AT_ONCE = 25
"""Training parts that are fitted in one call: memory stays small."""


def fitted_on(
    estimator: BaseEstimator, X: np.ndarray, y: np.ndarray, splits: Sequence[tuple[np.ndarray, np.ndarray]]
) -> list[np.ndarray]:
    """Predictions of the test rows of each split, by the estimator fitted on its training rows.

    Parameters
    ----------
    estimator : estimator
        Unfitted.
    X : ndarray, shape (n_rows, n_features)
    y : ndarray, shape (n_rows,), or what the estimator's ``fit`` takes
    splits : sequence of (train, test)
        Rows, by position.

    Returns
    -------
    list of ndarray
        Settled, see `ranks.settled`.
    """
    if not isinstance(estimator, RidgeLogistic):
        return [models.probability(clone(estimator).fit(X[train], y[train]), X[test]) for train, test in splits]
    found = []
    for first in range(0, len(splits), AT_ONCE):
        part = splits[first : first + AT_ONCE]
        everybody = ranks.settled(estimator.probabilities(X, y, [train for train, _ in part]))
        found += [p[test] for p, (_, test) in zip(everybody, part, strict=True)]
    return found


class CoxScore(ClassifierMixin, BaseEstimator):
    """Cause-specific ridge Cox model; its score is the relative hazard on the logit scale of the event rate.

    Fitted on ``y`` with the columns event and time. Ranking is what it is for; the map to a probability only keeps the
    order.

    Parameters
    ----------
    ridge : float
        Penalty on the scale of the log-likelihood.
    """

    def __init__(self, ridge: float = 10.0):
        self.ridge = ridge

    def fit(self, X: Any, y: np.ndarray) -> Self:
        """Fit on ``y`` of shape (n_patients, 2): event, time."""
        self.coef_ = hazards.fit_cox(y[:, 1], y[:, 0] == 1, X, ridge=self.ridge)
        self.classes_ = np.array([0, 1])
        self.centre_ = np.asarray(X).mean(axis=0)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Two columns, the second increasing in the hazard."""
        score = expit((np.asarray(X) - self.centre_) @ self.coef_)
        return np.column_stack([1 - score, score])


def cox(ridge: float) -> Pipeline:
    """Median and missing indicator, scaling, ridge Cox model."""
    return Pipeline([("impute", _imputer()), ("scale", StandardScaler()), ("classify", CoxScore(ridge))])


def forest(seed: int) -> Pipeline:
    """Median and missing indicator, then scikit-learn's random forest with its own defaults."""
    from sklearn.ensemble import RandomForestClassifier

    return Pipeline([("impute", _imputer()), ("classify", RandomForestClassifier(random_state=seed, n_jobs=1))])


def estimators(p: Any, seed: int) -> dict[str, tuple[str, BaseEstimator]]:
    """Every model: its feature set, and the unfitted pipeline.

    Parameters
    ----------
    p : attrition.params.RealTrial
        Fields ridge_c, cox_ridge, trees, tree_depth, learning_rate.
    seed : int

    Returns
    -------
    dict of str to (feature set, estimator)
    """
    logistic = RidgeLogistic(p.ridge_c)
    trees = {"n_estimators": p.trees, "max_depth": p.tree_depth, "learning_rate": p.learning_rate}
    xgb = models.classifier("xgb", "none", seed, **trees, min_child_weight=5, reg_lambda=10.0)
    lgbm = models.classifier("lgbm", "none", seed, **trees, num_leaves=2**p.tree_depth, min_child_samples=20)
    chosen = {name: (name, logistic) for name in FEATURE_SETS}
    learners = {"xgb": xgb, "lgbm": lgbm, "cox": cox(p.cox_ridge), "forest": forest(seed)}
    return chosen | {name: ("all", learner) for name, learner in learners.items()}


def available(chosen: Mapping[str, tuple[str, BaseEstimator]], of: Problem) -> dict[str, tuple[str, BaseEstimator]]:
    """The models whose features exist at the landmark and differ from those of an earlier one in the list."""
    seen: set[tuple] = set()
    kept = {}
    for name, (feature_set, estimator) in chosen.items():
        columns = tuple(sorted(of.columns(feature_set)))
        if columns and (name in LEARNERS or columns not in seen or name in ("all", "all_without_arm")):
            kept[name] = (feature_set, estimator)
        seen.add(columns)
    return kept


def enough(of: Problem) -> bool:
    """Whether at least `MINIMUM_EVENTS` patients have the event and as many have not."""
    return min(of.n_events, len(of.y) - of.n_events) >= MINIMUM_EVENTS


def folds_of(of: Problem, n_folds: int, n_repeats: int, seed: int) -> list[Fold]:
    """Stratified folds of a problem, the same for all models.

    Raises
    ------
    ValueError
        Fewer than `MINIMUM_EVENTS` events or non-events: no prediction can be judged on them.
    """
    if not enough(of):
        raise ValueError(
            f"day {of.landmark}: {of.n_events} events among {len(of.y)} patients; "
            f"prediction needs {MINIMUM_EVENTS} with and without the event"
        )
    return repeated_folds(of.y, n_folds, n_repeats, seeds.integer(seed, "landmark", of.landmark))


def _target(of: Problem, estimator: BaseEstimator) -> np.ndarray:
    last = estimator[-1] if isinstance(estimator, Pipeline) else estimator
    return np.column_stack([of.y, of.time]) if isinstance(last, CoxScore) else of.y


def out_of_fold(
    of: Problem, chosen: Mapping[str, tuple[str, BaseEstimator]], folds: Sequence[Fold]
) -> dict[str, np.ndarray]:
    """Out-of-fold predictions of every model, and of the training event rate as ``"null"``.

    Parameters
    ----------
    of : Problem
    chosen : mapping
        From `estimators`.
    folds : sequence of Fold

    Returns
    -------
    dict of str to ndarray, shape (n_patients, n_repeats)
    """
    shape = (len(of.y), 1 + max(fold.repeat for fold in folds))
    predictions = {name: np.full(shape, np.nan) for name in ("null", *chosen)}
    tables = {name: of.X[of.columns(name)].to_numpy() for name in {feature_set for feature_set, _ in chosen.values()}}
    for fold in folds:
        predictions["null"][fold.test, fold.repeat] = of.y[fold.train].mean()
    splits = [(fold.train, fold.test) for fold in folds]
    for name, (feature_set, estimator) in chosen.items():
        found = fitted_on(estimator, tables[feature_set], _target(of, estimator), splits)
        for fold, y_prob in zip(folds, found, strict=True):
            predictions[name][fold.test, fold.repeat] = y_prob
    return predictions


def bootstrap_weights(of: Problem, n_resamples: int, seed: int) -> np.ndarray:
    """Patient-bootstrap weights of a problem; the same for all models and measures."""
    rng = seeds.stream(seed, "bootstrap", of.landmark)
    return intervals.bootstrap_weights(rng, len(of.y), n_resamples)


def summarise(
    of: Problem,
    predictions: Mapping[str, np.ndarray],
    weights: np.ndarray,
    measures: Sequence[str] = ("auroc", "brier_score", "scaled_brier"),
) -> pd.DataFrame:
    """Measures of every model with patient-bootstrap intervals.

    Parameters
    ----------
    of : Problem
    predictions : mapping of str to ndarray, shape (n_patients, n_repeats)
    weights : ndarray, shape (n_patients, n_resamples)
    measures : sequence of str
        Keys of `MEASURES`.

    Returns
    -------
    pandas.DataFrame
        landmark, model, measure, value, ci_low, ci_high, n_patients, n_events. Calibration of the Cox score is left
        out: it is a ranking.
    """
    rows = []
    for name, y_prob in predictions.items():
        for measure in measures:
            if (name == "cox" and measure != "auroc") or (name == "null" and measure.startswith("calibration")):
                continue
            found = intervals.bootstrap(MEASURES[measure], of.y, y_prob, weights)
            rows.append({"landmark": of.landmark, "model": name, "measure": measure, **found})
    return pd.DataFrame(rows).assign(n_patients=len(of.y), n_events=of.n_events)


def differences(
    of: Problem,
    predictions: Mapping[str, np.ndarray],
    weights: np.ndarray,
    pairs: Sequence[tuple[str, str]],
    landmarks: int = 1,
) -> pd.DataFrame:
    """Paired differences in AUROC, first less second, on the same resamples.

    Parameters
    ----------
    of : Problem
    predictions : mapping of str to ndarray, shape (n_patients, n_repeats)
    weights : ndarray, shape (n_patients, n_resamples)
    pairs : sequence of (str, str)
    landmarks : int
        At how many landmarks a pair is compared, when the largest difference is picked.

    Returns
    -------
    pandas.DataFrame
        landmark, first, second, value, ci_low, ci_high, n_patients, n_events; all_low, all_high: the interval that
        holds at all landmarks at once (Bonferroni).
    """
    drawn = {
        name: intervals.replicates(metrics.auroc, of.y, predictions[name], weights)
        for name in {n for pair in pairs for n in pair}
    }
    rows = []
    for first, second in pairs:
        value = drawn[first][0] - drawn[second][0]
        gaps = drawn[first][1] - drawn[second][1]
        wide = intervals.percentile_interval(value, gaps, intervals.level_for_all(landmarks))
        found = intervals.percentile_interval(value, gaps) | {"all_low": wide["ci_low"], "all_high": wide["ci_high"]}
        rows.append({"landmark": of.landmark, "first": first, "second": second, **found})
    return pd.DataFrame(rows).assign(n_patients=len(of.y), n_events=of.n_events)


def optimism(of: Problem, name: str, estimator: BaseEstimator, n_resamples: int, seed: int) -> dict[str, float]:
    """Harrell's optimism-corrected AUROC of a model with every building step repeated in each resample.

    Parameters
    ----------
    of : Problem
    name : str
        Feature set.
    estimator : estimator
    n_resamples : int
    seed : int

    Returns
    -------
    dict
        apparent, optimism, corrected.

    References
    ----------
    Harrell, Lee and Mark (1996), Statistics in Medicine 15, 361-387.
    """
    X = of.X[of.columns(name)].to_numpy()
    rng = seeds.stream(seed, "optimism", of.landmark, name)

    everybody = np.arange(len(of.y))
    draws = [everybody] + [
        np.concatenate([rng.choice(np.flatnonzero(of.y == k), (of.y == k).sum()) for k in (0, 1)])
        for _ in range(n_resamples)
    ]
    found = fitted_on(estimator, X, of.y, [(rows, everybody) for rows in draws])
    apparent = metrics.auroc(of.y, found[0])
    excess = [
        metrics.auroc(of.y[rows], y_prob[rows]) - metrics.auroc(of.y, y_prob)
        for rows, y_prob in zip(draws[1:], found[1:], strict=True)
    ]
    return {"apparent": apparent, "optimism": float(np.mean(excess)), "corrected": apparent - float(np.mean(excess))}


def leave_one_site_group_out(of: Problem, name: str, estimator: BaseEstimator) -> pd.DataFrame:
    """Train on all other site groups, predict the one left out.

    Returns
    -------
    pandas.DataFrame
        site_group, n_patients, n_events, mean_predicted, observed, auroc, ci_low, ci_high (DeLong; missing with fewer
        than two events or non-events), and a last row ``"all"``: AUROC over the pairs within site groups.
    """
    X = of.X[of.columns(name)].to_numpy()
    rows, pairs, won = [], 0.0, 0.0
    groups = sorted(set(of.site_group))
    splits = [(np.flatnonzero(of.site_group != group), np.flatnonzero(of.site_group == group)) for group in groups]
    found_of = fitted_on(estimator, X, _target(of, estimator), splits)
    for group, (_, test), y_prob in zip(groups, splits, found_of, strict=True):
        y = of.y[test]
        found = intervals.auroc_interval(y, y_prob)
        comparable = y.sum() * (1 - y).sum()
        pairs += comparable
        won += comparable * metrics.auroc(y, y_prob) if comparable else 0.0
        rows.append(
            (group, len(y), y.sum(), y_prob.mean(), y.mean(), *(found[key] for key in ("value", "ci_low", "ci_high")))
        )
    columns = ["site_group", "n_patients", "n_events", "mean_predicted", "observed", "auroc", "ci_low", "ci_high"]
    table = pd.DataFrame(rows, columns=columns)
    mean = np.average(table["mean_predicted"], weights=table["n_patients"])
    pooled = won / pairs if pairs else np.nan
    table.loc[len(table)] = ["all", len(of.y), of.n_events, mean, of.y.mean(), pooled, np.nan, np.nan]
    return table.astype({"n_patients": int, "n_events": int})
