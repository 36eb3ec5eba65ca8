"""Landmark prediction on a trial: the same folds for every model, everything learned inside them.

A prediction table holds one column a repeat of cross-validation, ``(n_patients, n_repeats)``: measures are taken a
repeat and then averaged, never the scores of a patient over repeats. The AUROC compares patients of one test fold:
across folds scores come from different fits, and a patient's own event is missing from the fit, which puts a model
that knows little below one half. Intervals develop the models anew in half-samples, see
`attrition.landmark.uncertainty`.
"""

import functools
import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from attrition import metrics, models, seeds
from attrition.cdisc.trial import Trial
from attrition.landmark import cohort
from attrition.metrics import intervals, ranks
from attrition.models.ridge import RidgeLogistic
from attrition.resampling import Fold, placed, repeated_folds
from attrition.survival import censored, incidence
from attrition.survival.hazards import RidgeCox

MODELS = cohort.WORDS["models"]
LABELS: dict[str, str] = {name: one["label"] for name, one in MODELS.items()}
FEATURE_SETS: dict[str, list[str]] = {name: one["groups"] for name, one in MODELS.items() if one.get("groups")}
LEARNERS = tuple(name for name, one in MODELS.items() if "groups" not in one)
MINIMUM_EVENTS = 10
MOST_A_TREE = 1000
"""Patients at a landmark from which on a tree of the random forest sees a share of them."""
Splits = Sequence[tuple[np.ndarray, np.ndarray]]
"""Training and test rows."""


@dataclass(frozen=True, eq=False)
class Problem:
    """One prediction problem: everybody at risk at a landmark.

    ``X`` has a row a patient, categories as 0/1 columns; ``groups`` the columns of each feature group, ``origins`` the
    feature that each column was made from; ``time`` the days from the landmark to leaving, to the end of follow-up or
    to the horizon. ``cause`` (0 none, 1 primary, 2 competing) is there where some are censored: their ``y`` is 0 and
    counts for nothing, since they weigh nothing; see `weights_of`.
    """

    landmark: int
    X: pd.DataFrame
    groups: Mapping[str, tuple[str, ...]]
    y: np.ndarray
    time: np.ndarray
    arm: np.ndarray
    site_group: np.ndarray
    origins: Mapping[str, str] = field(default_factory=dict)
    cause: np.ndarray | None = None
    ahead: float = np.inf

    def weights_of(self, rows: np.ndarray | None = None, counts: np.ndarray | None = None) -> np.ndarray:
        """Inverse-probability-of-censoring weights of everybody, or of some `rows`, estimated among them alone."""
        rows = np.arange(len(self.y)) if rows is None else rows
        if self.cause is None:
            return np.ones(len(rows))
        return censored.censoring_weights(self.time[rows], self.cause[rows], self.ahead, counts)

    def training_weights(self, fold: Fold) -> np.ndarray:
        """Weights of a training part, estimated among all patients of its cross-validation."""
        rows = np.sort(np.concatenate([fold.train, fold.test]))
        return self.weights_of(rows)[np.isin(rows, fold.train)]

    @functools.cached_property
    def weight(self) -> np.ndarray:
        """Weight of every patient: one where nobody is censored."""
        return self.weights_of()

    @property
    def base(self) -> np.ndarray | None:
        """`weight`, for functions that do without where nobody is censored."""
        return None if self.cause is None else self.weight

    def resampled(self, counts: np.ndarray) -> np.ndarray:
        """Weights in bootstrap resamples, (n_patients, n_resamples), from how often each holds every patient."""
        if self.cause is None:
            return counts
        return np.stack([own * self.weights_of(counts=own) for own in counts.T], axis=1)

    @property
    def n_events(self) -> int:
        """Events in the window, as far as it was seen."""
        return int(self.y.sum())

    @property
    def n_stayed(self) -> int:
        """Patients who are known not to have the event by the horizon."""
        return int(((self.weight > 0) & (self.y == 0)).sum())

    @property
    def size(self) -> dict[str, int]:
        """Patients, events and censored patients, as tables have them."""
        n = len(self.y)
        return {"n_patients": n, "n_events": self.n_events, "n_censored": n - self.n_events - self.n_stayed}

    @property
    def rate(self) -> float:
        """Share with the event by the horizon, the Aalen-Johansen estimate."""
        return float(self.y.mean()) if self.cause is None else incidence.risk_by(self.time, self.cause, self.ahead)

    def columns(self, feature_set: str) -> list[str]:
        """Columns of a feature set, in the order of the groups."""
        return [name for group in FEATURE_SETS[feature_set] for name in self.groups.get(group, ())]

    def free(self, feature_set: str) -> list[bool]:
        """Which columns of a feature set are the arm, which no model penalises."""
        return [name in self.groups.get("arm", ()) for name in self.columns(feature_set)]


def _apart(name: str, taken: Collection[str]) -> str:
    """The name, or with a number behind it: levels that differ only in case or blanks are levels of their own."""
    numbered = (f"{name}_{number}" for number in itertools.count(2))
    return name if name not in taken else next(other for other in numbered if other not in taken)


def encoded(table: pd.DataFrame, taken: Collection[str] = ()) -> tuple[pd.DataFrame, dict[str, str]]:
    """Categories to 0/1 columns with names that are not `taken`, and the column of `table` that each was made from.

    The first level, or the other of two, is the reference; numbers come first and stay as they are.

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


def problem(trial: Trial, day: int) -> Problem:
    """The prediction problem at a landmark: made once and shared, so not to be changed."""
    if ("problem", day) not in trial.memo:
        trial.memo["problem", day] = _problem(trial, day)
    return trial.memo["problem", day]


def _problem(trial: Trial, day: int) -> Problem:
    raw = cohort.features_by_group(trial, day)
    tables: dict[str, pd.DataFrame] = {}
    origins: dict[str, str] = {}
    features = [name for table in raw.values() for name in table]
    for group, table in raw.items():
        tables[group], own = encoded(table, {*features, *origins})
        origins |= own
    outcome = cohort.target(trial, day)
    patients = trial.patients.set_index("id").loc[outcome.index]
    known = outcome.notna().all()
    return Problem(
        landmark=day,
        X=pd.concat(list(tables.values()), axis=1).loc[outcome.index],
        groups={group: tuple(table) for group, table in tables.items()},
        y=outcome.fillna(0).to_numpy().astype(int),
        time=(patients["time"] - day).to_numpy(float),
        arm=patients["arm"].to_numpy(object),
        site_group=patients["site_group"].to_numpy(object),
        origins=origins,
        cause=None if known else patients["status"].map(incidence.CAUSE).fillna(0).to_numpy(int),
        ahead=float(trial.horizon - day),
    )


def _imputer() -> SimpleImputer:
    return SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)


def fitted_on(
    estimator: BaseEstimator, X: np.ndarray, y: np.ndarray, splits: Splits, weights: list[np.ndarray] | None = None
) -> list[np.ndarray]:
    """Settled predictions of the test rows of each split, by the estimator fitted on its training rows.

    The training rows of each split may have `weights`; a Cox model, which knows the days, takes none.
    """
    if not isinstance(estimator, RidgeLogistic):
        each = weights if weights is not None and y.ndim == 1 else [None] * len(splits)
        return [
            models.probability(_fitted(estimator, X[train], y[train], weight), X[test])
            for (train, test), weight in zip(splits, each, strict=True)
        ]
    everybody = ranks.settled(estimator.probabilities(X, y, [train for train, _ in splits], weights=weights))
    return [p[test] for p, (_, test) in zip(everybody, splits, strict=True)]


def _fitted(estimator: BaseEstimator, X: np.ndarray, y: np.ndarray, weight: np.ndarray | None) -> BaseEstimator:
    """A fresh fit, on the rows that weigh something."""
    if weight is None or (weight == 1).all():
        return clone(estimator).fit(X, y)
    known = weight > 0
    return clone(estimator).fit(X[known], y[known], **{f"{estimator.steps[-1][0]}__sample_weight": weight[known]})


def cox(free: Sequence[bool], seed: int) -> Pipeline:
    """Median and missing indicator, scaling, ridge Cox model with its penalty chosen inside."""
    return make_pipeline(_imputer(), StandardScaler(), RidgeCox(free, seed))


def estimators(p: Any, seed: int, of: Problem) -> dict[str, tuple[str, BaseEstimator]]:
    """Every model whose features exist at the landmark: its feature set, and the unfitted pipeline.

    The penalties of the ridge models are chosen inside, and the arm is never penalised, so that the models are nested.
    A feature set that is the same as an earlier one is left out.
    """
    trees = {"n_estimators": p.trees, "max_depth": p.tree_depth, "learning_rate": p.learning_rate}
    xgb = models.classifier("xgb", "none", seed, **trees, min_child_weight=5, reg_lambda=10.0)
    lgbm = models.classifier("lgbm", "none", seed, **trees, num_leaves=2**p.tree_depth, min_child_samples=20)
    share = min(1.0, MOST_A_TREE / len(of.y))
    forest = make_pipeline(_imputer(), RandomForestClassifier(random_state=seed, n_jobs=1, max_samples=share))
    kept: dict[str, tuple[str, BaseEstimator]] = {}
    seen: set[tuple] = set()
    for name in FEATURE_SETS:
        columns = of.columns(name)
        if columns and (name in ("all", "all_without_arm") or tuple(sorted(columns)) not in seen):
            kept[name] = (name, ridge(of, name, seed))
        seen.add(tuple(sorted(columns)))
    learners = {"xgb": xgb, "lgbm": lgbm, "cox": cox(of.free("all"), seed), "forest": forest}
    return kept | ({name: ("all", learner) for name, learner in learners.items()} if of.columns("all") else {})


def ridge(of: Problem, feature_set: str, seed: int) -> RidgeLogistic:
    """The ridge regression on a feature set: penalty chosen inside, arm unpenalised."""
    return RidgeLogistic(free=of.free(feature_set), seed=seeds.integer(seed, "penalty", of.landmark))


def enough(of: Problem, fewest: int = MINIMUM_EVENTS) -> bool:
    """Whether at least so many patients are known to have the event and as many not to have it."""
    return min(of.n_events, of.n_stayed) >= fewest


def folds_of(of: Problem, n_folds: int, n_repeats: int, seed: int) -> list[Fold]:
    """Stratified folds of a problem, the same for all models."""
    return repeated_folds(of.y, n_folds, n_repeats, seeds.integer(seed, "landmark", of.landmark))


def target(of: Problem, estimator: BaseEstimator) -> np.ndarray:
    """What an estimator is fitted to: the outcome, and for a Cox model its day as well."""
    last = estimator[-1] if isinstance(estimator, Pipeline) else estimator
    return np.column_stack([of.y, of.time]) if isinstance(last, RidgeCox) else of.y


def event_rates(of: Problem, folds: Sequence[Fold]) -> np.ndarray:
    """The event rate of the training part as everybody's prediction, shape (n_patients, n_repeats)."""
    rates = [np.average(of.y[fold.train], weights=of.weight[fold.train]) for fold in folds]
    return placed(folds, rates, len(of.y))


def out_of_fold(of: Problem, feature_set: str, estimator: BaseEstimator, folds: Sequence[Fold]) -> np.ndarray:
    """Out-of-fold predictions of a model, shape (n_patients, n_repeats); NaN for whom a repeat leaves out."""
    X, splits = of.X[of.columns(feature_set)].to_numpy(), [(fold.train, fold.test) for fold in folds]
    weights = [of.training_weights(fold) for fold in folds]
    return placed(folds, fitted_on(estimator, X, target(of, estimator), splits, weights), len(of.y))


def corrected_auroc(of: Problem, name: str, estimator: BaseEstimator, n_resamples: int, seed: int) -> dict[str, float]:
    """Harrell's optimism-corrected AUROC of a model on a feature set, every building step repeated in each resample.

    References
    ----------
    Harrell, Lee and Mark (1996), Statistics in Medicine 15, 361-387.
    """
    X = of.X[of.columns(name)].to_numpy()
    rng, everybody = seeds.stream(seed, "optimism", of.landmark, name), np.arange(len(of.y))
    classes = [np.flatnonzero(of.y == k) for k in (0, 1)]
    draws = [np.concatenate([own[rng.integers(0, len(own), len(own))] for own in classes]) for _ in range(n_resamples)]
    weights = [of.weights_of(rows) for rows in draws]
    cases = [(rows, everybody) for rows in (everybody, *draws)]
    first, *found = fitted_on(estimator, X, of.y, cases, [of.weight, *weights])
    counts = np.stack([np.bincount(rows, w, len(of.y)) for rows, w in zip(draws, weights, strict=True)])
    everyone = np.stack(found)
    gained = float(np.mean(ranks.auroc(of.y, everyone, counts) - ranks.auroc(of.y, everyone, of.weight)))
    apparent = metrics.auroc(of.y, first, of.weight)
    return {"apparent": apparent, "optimism": gained, "corrected": apparent - gained}


def leave_one_site_group_out(of: Problem, name: str, estimator: BaseEstimator) -> pd.DataFrame:
    """Train on all other site groups, predict the one left out; a last row ``"all"`` has the pairs within site groups.

    AUROCs have DeLong's interval, missing with fewer than two events or non-events.
    """
    X = of.X[of.columns(name)].to_numpy()
    groups = sorted(set(of.site_group))
    splits = [(np.flatnonzero(of.site_group != group), np.flatnonzero(of.site_group == group)) for group in groups]
    rows, pairs = [], []
    found = fitted_on(estimator, X, target(of, estimator), splits, [of.weight[train] for train, _ in splits])
    for group, (_, test), y_prob in zip(groups, splits, found, strict=True):
        y, weight = of.y[test], of.weight[test]
        counts = {"site_group": group, "n_patients": len(y), "n_events": int(y.sum())}
        counts["n_censored"] = int((weight == 0).sum())
        auroc = {**intervals.auroc_interval(y, y_prob, weights=None if of.cause is None else weight)}
        observed = np.average(y, weights=weight) if weight.any() else np.nan
        means = {"mean_predicted": y_prob.mean(), "observed": observed, "auroc": auroc.pop("value")}
        rows.append(counts | means | auroc)
        pairs.append((weight @ y) * (weight @ (1 - y)))
    table = pd.DataFrame(rows)
    pooled = (np.array(pairs) * table["auroc"]).sum() / sum(pairs) if any(pairs) else np.nan
    mean = np.average(table["mean_predicted"], weights=table["n_patients"])
    whole = {"mean_predicted": mean, "observed": of.rate, "auroc": pooled}
    table.loc[len(table)] = pd.Series({"site_group": "all"} | of.size | whole)
    return table
