"""One replicate: draw a trial, fit a candidate on its training patients, evaluate where the truth is known.

A replicate's draws depend on its name (setting and number) alone. Logistic regressions of many replicates are fitted at
once, boosted trees one by one; both are measured on the same trials and the same population.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.special import logit

from attrition import features, seeds, simulate
from attrition.metrics import ranks
from attrition.models import batched, boosters
from attrition.simulate import oracle
from attrition.simulate.law import PUBLISHED_LAW

SETTINGS = simulate.PREVALENCES
THRESHOLDS = {"50": 0.5, "35": 0.35}
"""Published operating points, by the ending of their columns."""
FOLDS = 5
CACHED = 5000


@dataclass(frozen=True)
class Candidate:
    """A model on a set of features, and how many trials it is fitted in.

    Attributes
    ----------
    name : str
        Of the feature set.
    features : tuple of str
        Keys of `attrition.features.FEATURES`.
    model : {"lr", "xgb", "lgbm"}
    strategy : {"class_weight", "none"}
    n_replicates : int
        Trials 0 to n_replicates - 1.
    """

    name: str
    features: tuple[str, ...]
    model: str = "lr"
    strategy: str = "class_weight"
    n_replicates: int = 200

    @property
    def key(self) -> str:
        """``model/strategy/name``."""
        return f"{self.model}/{self.strategy}/{self.name}"


@dataclass(frozen=True)
class Sizes:
    """Sizes of one study: patients a trial, of these held out, and patients of the evaluation population."""

    n_patients: int = 1000
    n_test: int = 200
    n_population: int = 50_000


@dataclass(frozen=True)
class Population:
    """Patients that no model saw, with their exact probability of dropout.

    Attributes
    ----------
    X : ndarray (n, 11)
        All features of `attrition.features.FEATURES`.
    probability : ndarray (n,)
        P(dropout | features).
    anchor : float
        The oracle's exact AUROC less its AUROC on these patients. Added to every AUROC measured here it
        removes most of the luck of this population's draw; paired differences are not touched.
    """

    X: np.ndarray
    probability: np.ndarray
    anchor: float

    def first(self, n: int) -> "Population":
        """The first `n` of these patients, with an anchor of their own."""
        return Population(self.X[:n], self.probability[:n], self.anchor + self._shift(n))

    def _shift(self, n: int) -> float:
        whole, part = (ranks.soft_auroc(p, p)[0] for p in (self.probability, self.probability[:n]))
        return float(whole - part)


def offset(setting: str) -> float:
    """Prevalence offset of a setting."""
    return 0.0 if setting == "default" else oracle.prevalence_offsets(PUBLISHED_LAW)[setting]


@lru_cache(maxsize=8)
def exact_oracle(setting: str) -> dict[str, float]:
    """Exact prevalence and performance of the oracle in a setting; see `attrition.simulate.oracle.exact`."""
    return oracle.exact(PUBLISHED_LAW, offset(setting))


@lru_cache(maxsize=4)
def population(seed: int, setting: str, n: int) -> Population:
    """The one population on which everything of a setting is compared.

    Parameters
    ----------
    seed : int
    setting : {"default", "p24"}
    n : int

    Returns
    -------
    Population
    """
    rng = seeds.stream(seed, "study", setting, "population")
    trial = simulate.draw_patients(PUBLISHED_LAW, n, rng)
    probability = oracle.of_patients(PUBLISHED_LAW, trial, offset(setting))
    X = features.columns(trial, tuple(features.FEATURES)).to_numpy()
    anchor = exact_oracle(setting)["auroc"] - ranks.soft_auroc(probability, probability)[0]
    return Population(np.ascontiguousarray(X), probability, float(anchor))


def stratified_split(y: np.ndarray, n_test: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Rows for training and for test, both with the trial's share of dropouts.

    Examples
    --------
    >>> train, test = stratified_split(np.array([1, 1, 0, 0, 0, 0, 0, 0]), 4, np.random.default_rng(0))
    >>> len(train), len(test)
    (4, 4)
    """
    events, others = (rng.permutation(np.flatnonzero(y == k)) for k in (1, 0))
    n_events = round(n_test * len(events) / len(y))
    test = np.concatenate([events[:n_events], others[: n_test - n_events]])
    return np.setdiff1d(np.arange(len(y)), test), np.sort(test)


@dataclass(frozen=True)
class Trial:
    """One replicate: features (n, 11) and outcomes of its training and test patients."""

    X_train: np.ndarray
    y_train: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray


def draw(seed: int, setting: str, replicate: int, sizes: Sizes, stream: str = "study") -> Trial:
    """Draw trial `replicate` of a setting and split it.

    Parameters
    ----------
    seed : int
    setting : {"default", "p24"}
    replicate : int
    sizes : Sizes
    stream : str
        First part of the stream's name.

    Returns
    -------
    Trial
    """
    rng = seeds.stream(seed, stream, setting, replicate)
    trial = simulate.draw_arrays(PUBLISHED_LAW, sizes.n_patients, rng, offset(setting))
    X, y = features.array(trial, features.FEATURES), trial["dropout"]
    train, test = stratified_split(y, sizes.n_test, rng)
    return Trial(X[train], y[train], X[test], y[test])


def positions(names: Sequence[str]) -> list[int]:
    """Columns of the named features among all features."""
    every = list(features.FEATURES)
    return [every.index(name) for name in names]


def operating_points(probability: np.ndarray, log_odds: np.ndarray) -> dict[str, float]:
    """Expected recall and precision at the published thresholds.

    Parameters
    ----------
    probability : ndarray (n,)
        P(dropout | features).
    log_odds : ndarray (n,)
        Model's score on the logit scale.
    """
    found = {}
    for ending, threshold in THRESHOLDS.items():
        flagged = log_odds >= logit(threshold)
        caught = probability @ flagged
        found[f"recall_{ending}"] = caught / probability.sum()
        found[f"precision_{ending}"] = caught / flagged.sum() if flagged.any() else np.nan
    return found


def _identity(candidate: Candidate, setting: str, replicate: int) -> dict[str, Any]:
    named = {"model": candidate.model, "strategy": candidate.strategy, "name": candidate.name}
    return {"setting": setting, "replicate": replicate, **named, "key": candidate.key}


def _population_scores(people: Population, fit: batched.LogisticFit, columns: list[int]) -> np.ndarray:
    rows = np.ascontiguousarray(people.X[:, columns].T)
    scores = np.empty((len(fit.coef), rows.shape[1]))
    for first in range(
        0, rows.shape[1], CACHED
    ):  # patients that fit the processor's cache, seen by every model in turn
        some = np.ascontiguousarray(rows[:, first : first + CACHED])
        for row, (beta, intercept) in enumerate(zip(fit.coef, fit.intercept, strict=True)):
            scores[row, first : first + CACHED] = beta @ some + intercept
    return scores


def unshuffled_folds(y: np.ndarray) -> np.ndarray:
    """1 where a patient is in the test part of a fold, (FOLDS, n): those of scikit-learn's `StratifiedKFold`.

    Examples
    --------
    >>> unshuffled_folds(np.array([1, 0, 1, 0, 1, 0, 1, 0, 1, 0])).argmax(axis=0)
    array([0, 0, 1, 1, 2, 2, 3, 3, 4, 4])
    """
    first = y == y[0]
    in_order = np.concatenate([y[first], y[~first]])
    fold = np.empty(len(y), dtype=int)
    for outcome in (0, 1):
        sizes = [np.count_nonzero(in_order[k::FOLDS] == outcome) for k in range(FOLDS)]
        fold[y == outcome] = np.repeat(np.arange(FOLDS), sizes)
    return (fold == np.arange(FOLDS)[:, None]).astype(float)


def cross_validated_auroc(X: np.ndarray, y: np.ndarray, class_weight: str | None) -> np.ndarray:
    """Mean AUROC of five stratified, unshuffled folds, for every replicate.

    Parameters
    ----------
    X : ndarray (R, n, p)
    y : ndarray (R, n)
    class_weight : {None, "balanced"}

    Returns
    -------
    ndarray (R,)
    """
    held_out = np.stack([unshuffled_folds(outcome) for outcome in y])
    held_out = held_out.reshape(-1, y.shape[1])
    X, y = np.repeat(X, FOLDS, axis=0), np.repeat(y, FOLDS, axis=0)
    scores = batched.fit_pipeline(X, y, 1 - held_out, class_weight).decision_function(X)
    return ranks.auroc(y, scores, held_out).reshape(-1, FOLDS).mean(axis=1)


Block = tuple[list[dict[str, Any]], dict[str, list[np.ndarray]]]
INFLUENCE_REPLICATES = 4
"""Trials whose influence functions are averaged; their mean hardly changes with more."""


def logistic_block(
    seed: int,
    setting: str,
    replicates: range,
    candidates: Sequence[Candidate],
    sizes: Sizes,
    detailed: Sequence[str] = (),
) -> Block:
    """Fit and evaluate logistic regressions of some replicates at once.

    Parameters
    ----------
    seed, setting
    replicates : range
    candidates : sequence of Candidate
    sizes : Sizes
    detailed : sequence of str
        Feature sets that also get operating points and cross-validation.

    Returns
    -------
    records : list of dict
        Rows of `Study.trials`.
    influence : dict of list of ndarray (n_population,)
        Influence of each patient on each candidate's AUROC, one array a replicate; of the first few replicates only.
    """
    people = population(seed, setting, sizes.n_population)
    trials = [draw(seed, setting, r, sizes) for r in replicates]
    stacked = Trial(*(np.stack([getattr(t, part) for t in trials]) for part in Trial.__annotations__))
    records: list[dict[str, Any]] = []
    influence: dict[str, list[np.ndarray]] = {}
    for candidate in candidates:
        fit, columns = _fitted(candidate, stacked)
        told = candidate.name in detailed
        trial_level = _trial_level(
            candidate, fit, stacked, cross_validate=told and candidate.strategy == "class_weight"
        )
        scores = _population_scores(people, fit, columns)
        areas = ranks.binned_soft_auroc(people.probability, scores)[0] + people.anchor
        for row, (replicate, eta) in enumerate(zip(replicates, scores, strict=True)):
            record = _identity(candidate, setting, replicate) | {"auroc": areas[row]}
            record |= {measure: values[row] for measure, values in trial_level.items()}
            records.append(record | (operating_points(people.probability, eta) if told else {}))
        first = [eta for r, eta in zip(replicates, scores, strict=True) if r < INFLUENCE_REPLICATES]
        if first:
            influence[candidate.key] = [ranks.soft_auroc_influence(people.probability, eta)[1] for eta in first]
    return records, influence


def _class_weight(candidate: Candidate) -> str | None:
    return "balanced" if candidate.strategy == "class_weight" else None


def _fitted(candidate: Candidate, trials: Trial) -> tuple[batched.LogisticFit, list[int]]:
    columns = positions(candidate.features)
    X = trials.X_train[..., columns]
    return batched.fit_pipeline(X, trials.y_train, class_weight=_class_weight(candidate)), columns


def _trial_level(
    candidate: Candidate, fit: batched.LogisticFit, trials: Trial, cross_validate: bool
) -> dict[str, np.ndarray]:
    columns = positions(candidate.features)
    found = {"test_auroc": ranks.auroc(trials.y_test, fit.decision_function(trials.X_test[..., columns]))}
    if cross_validate:
        X = trials.X_train[..., columns]
        found["cv_auroc"] = cross_validated_auroc(X, trials.y_train, _class_weight(candidate))
    return found


def boosted_task(seed: int, setting: str, replicate: int, candidates: Sequence[Candidate], sizes: Sizes) -> Block:
    """Fit and evaluate boosted trees of one replicate; see `logistic_block`.

    Parameters
    ----------
    seed : int
    setting : str
        Prevalence setting.
    replicate : int
        Number of the trial.
    candidates : sequence of Candidate
        Trees only.
    sizes : Sizes
    """
    people = population(seed, setting, sizes.n_population)
    trial = draw(seed, setting, replicate, sizes)
    records, influence = [], {}
    for candidate in candidates:
        columns = positions(candidate.features)
        score = boosters.fit_score(candidate.model, candidate.strategy, trial.X_train[:, columns], trial.y_train)
        log_odds = score(people.X[:, columns])
        area, own = ranks.soft_auroc_influence(people.probability, log_odds)
        record = _identity(candidate, setting, replicate) | operating_points(people.probability, log_odds)
        test_auroc = ranks.auroc(trial.y_test, score(trial.X_test[:, columns]))[0]
        records.append(record | {"auroc": area + people.anchor, "test_auroc": test_auroc})
        if replicate < INFLUENCE_REPLICATES:
            influence[candidate.key] = [own]
    return records, influence


def trained_score(candidate: Candidate, trial: Trial, people: Population) -> np.ndarray:
    """Train one candidate on one trial and score the population, shape (n,)."""
    columns = positions(candidate.features)
    if candidate.model != "lr":
        fitted = boosters.fit_score(candidate.model, candidate.strategy, trial.X_train[:, columns], trial.y_train)
        return fitted(people.X[:, columns])
    weight = _class_weight(candidate)
    fit = batched.fit_pipeline(trial.X_train[None][..., columns], trial.y_train[None], class_weight=weight)
    return _population_scores(people, fit, columns)[0]
