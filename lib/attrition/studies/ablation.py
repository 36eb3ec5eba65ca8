"""The simulation study of chapter 03: hundreds of independent trials, where the truth is known.

Aims, data-generating mechanism, estimand, methods and performance measures (ADEMP) in one place: every replicate is a
trial of 1,000 patients drawn from the law; models are fitted on 800 of them; performance is taken on one large
population that no model saw, with the exact P(dropout | features) in place of drawn outcomes. Everything is compared on
the same trials and the same population.

A replicate's draws depend on its name (setting and number) alone, so that results do not depend on workers, their
order, or how replicates are batched. `attrition.engine` chooses where they run.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import joblib
import numpy as np
import pandas as pd
from scipy.special import logit

from attrition import engine, features, models, seeds, simulate
from attrition.metrics import ranks
from attrition.models import batched
from attrition.resampling import masks, unshuffled_folds
from attrition.simulate import oracle
from attrition.simulate.law import PUBLISHED_LAW
from attrition.studies.population import Population, drawn, exact, simulated

SETTINGS = simulate.PREVALENCES
FINAL = "v3_causal"
TREES = ("xgb", "lgbm")
MARGIN = {"xgb": {"output_margin": True}, "lgbm": {"raw_score": True}}
"""How trees are asked for log odds: probabilities in single precision would tie."""
THRESHOLDS = {"50": 0.5, "35": 0.35}
"""Published operating points, by the ending of their columns."""
FOLDS = 5
BLOCK = 25
"""Replicates of logistic regression that share one task."""
INFLUENCE_REPLICATES = 4
"""Trials whose influence functions are averaged; their mean hardly changes with more."""
Block = tuple[list[dict[str, Any]], dict[str, list[np.ndarray]]]
"""Rows of `Study.trials`, and by candidate the influence (n_population,) of each patient on the AUROC, a few trials."""


def key(name: str, model: str = "lr", strategy: str = "class_weight") -> str:
    """Key of a candidate: ``model/strategy/name``."""
    return f"{model}/{strategy}/{name}"


@dataclass(frozen=True)
class Candidate:
    """A model on a set of features, fitted in trials 0 to n_replicates - 1."""

    name: str
    features: tuple[str, ...]
    model: str = "lr"
    strategy: str = "class_weight"
    n_replicates: int = 200

    @property
    def key(self) -> str:
        """See `key`."""
        return key(self.name, self.model, self.strategy)

    @property
    def columns(self) -> list[int]:
        """Its features' places among all features."""
        return positions(self.features)

    @property
    def class_weight(self) -> str | None:
        """The strategy in scikit-learn's terms."""
        return "balanced" if self.strategy == "class_weight" else None


@dataclass(frozen=True)
class Sizes:
    """Sizes of one study: patients a trial, of these held out, and patients of the evaluation population."""

    n_patients: int = 1000
    n_test: int = 200
    n_population: int = 50_000


class Trial(NamedTuple):
    """One replicate, or several stacked: features (..., n, 11) and outcomes of training and test patients."""

    X_train: np.ndarray
    y_train: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray


@dataclass(frozen=True)
class Study:
    """What came out: a row a trial and candidate, and what the finite population leaves uncertain, by setting.

    ``covariance``: over populations, of the mean AUROCs of all keys and of ``"oracle"``.
    """

    trials: pd.DataFrame
    covariance: dict[str, pd.DataFrame]
    reference: pd.DataFrame


def feature_sets() -> dict[str, tuple[str, ...]]:
    """Every named ablation: versions, ``without_<feature>`` of v3, ``only_<group>``.

    Examples
    --------
    >>> sets = feature_sets()
    >>> sets["only_domain"], len(sets["without_burden"])
    (('trial_phase_risk', 'treatment_risk'), 8)
    """
    left_out = {f"without_{name}": features.without(FINAL, name) for name in features.VERSIONS[FINAL]}
    alone = {f"only_{group}": members for group, members in features.GROUPS.items()}
    return {**features.VERSIONS, **left_out, **alone}


def candidates(n_replicates: int, n_trees: int, n_tree_versions: int, n_alone: int) -> list[Candidate]:
    """Everything that chapter 03 fits: logistic regression on all feature sets, trees on the versions.

    `n_trees` is the number of trials for the boosted trees that a published comparison needs (both on v3, XGBoost on
    counts), `n_alone` that for logistic regression on one group alone.
    """
    found = [Candidate(FINAL, features.VERSIONS[FINAL], "lr", "none", n_replicates)]
    for name, members in feature_sets().items():
        found.append(Candidate(name, members, n_replicates=n_alone if name.startswith("only_") else n_replicates))
    published = {("xgb", FINAL), ("lgbm", FINAL), ("xgb", "v1_counts")}
    for model, (version, members) in itertools.product(TREES, features.VERSIONS.items()):
        n = n_trees if (model, version) in published else n_tree_versions
        found.append(Candidate(version, members, model, n_replicates=n))
    return found


def plan(params: Any) -> dict[str, list[Candidate]]:
    """Everything that chapter 03 fits, by prevalence setting, as fixed in ``params.yaml``."""
    return {
        setting: candidates(params.n_replicates, n_trees, params.n_replicates_tree_versions, params.n_replicates_alone)
        for setting, n_trees in params.n_replicates_trees.items()
    }


def sizes(params: Any) -> Sizes:
    """Sizes of the study as fixed in ``params.yaml``."""
    return Sizes(params.n_patients, params.n_test, params.n_population)


def offset(setting: str) -> float:
    """Prevalence offset of a setting."""
    return 0.0 if setting == "default" else oracle.prevalence_offsets(PUBLISHED_LAW)[setting]


@lru_cache(maxsize=4)
def population(seed: int, setting: str, n: int) -> Population:
    """The one population, with all features, on which everything of a setting (``default`` or ``p24``) is compared."""
    return drawn(tuple(features.FEATURES), n, seeds.stream(seed, "study", setting, "population"), offset(setting))


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


def draw(seed: int, setting: str, replicate: int, sizes: Sizes, stream: str = "study") -> Trial:
    """Draw trial `replicate` of a setting and split it.

    Parameters
    ----------
    seed, setting, replicate
        Name the draws; the setting is ``default`` or ``p24``.
    sizes : Sizes
    stream : str
        First part of the stream's name.
    """
    rng = seeds.stream(seed, stream, setting, replicate)
    X, y = simulated(tuple(features.FEATURES), sizes.n_patients, rng, offset(setting))
    train, test = stratified_split(y, sizes.n_test, rng)
    return Trial(X[train], y[train], X[test], y[test])


def positions(names: Sequence[str]) -> list[int]:
    """Columns of the named features among all features."""
    every = list(features.FEATURES)
    return [every.index(name) for name in names]


def operating_points(probability: np.ndarray, log_odds: np.ndarray) -> dict[str, float]:
    """Expected recall and precision at the published thresholds, from P(dropout | features) and a score, both (n,)."""
    found = {}
    for ending, threshold in THRESHOLDS.items():
        flagged = log_odds >= logit(threshold)
        caught = probability @ flagged
        found[f"recall_{ending}"] = caught / probability.sum()
        found[f"precision_{ending}"] = caught / flagged.sum() if flagged.any() else np.nan
    return found


def _fitted(candidate: Candidate, X: np.ndarray, y: np.ndarray, held_out: np.ndarray | None = None) -> Any:
    counts = None if held_out is None else 1 - held_out
    return batched.fit_pipeline(X[..., candidate.columns], y, counts, candidate.class_weight)


def cross_validated_auroc(candidate: Candidate, X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Mean AUROC (R,) of five stratified, unshuffled folds, for every replicate of X (R, n, 11) and y (R, n)."""
    held_out = np.concatenate([masks(unshuffled_folds(outcome, FOLDS), len(outcome)) for outcome in y])
    X, y = np.repeat(X, FOLDS, axis=0), np.repeat(y, FOLDS, axis=0)
    scores = _fitted(candidate, X, y, held_out).decision_function(X[..., candidate.columns])
    return ranks.auroc(y, scores, held_out).reshape(-1, FOLDS).mean(axis=1)


def _scored(candidate: Candidate, trials: Trial, people: Population) -> tuple[np.ndarray, np.ndarray]:
    """Scores of the test patients (R, n_test) and of the population (R, n): the candidate fitted in every trial."""
    columns = candidate.columns
    if candidate.model == "lr":
        fit = _fitted(candidate, trials.X_train, trials.y_train)
        X = people.X[:, columns]
        scores = np.stack([X @ beta for beta in fit.coef]) + fit.intercept[:, None]
        return fit.decision_function(trials.X_test[..., columns]), scores
    pairs = []
    for X, y, X_test, _ in zip(*trials, strict=True):
        fitted = models.classifier(candidate.model, candidate.strategy).fit(X[:, columns], y)
        patients = np.concatenate([X_test, people.X])[:, columns]
        score = fitted.predict(patients, **MARGIN[candidate.model]).astype(float)
        pairs.append((score[: len(X_test)], score[len(X_test) :]))
    test, everybody = map(np.stack, zip(*pairs, strict=True))
    return test, everybody


def evaluated(seed: int, setting: str, replicates: range, candidates: Sequence[Candidate], sizes: Sizes) -> Block:
    """Fit and evaluate candidates in some replicates at once, each in those that it is due.

    Boosted trees, and logistic regressions on the final version, also get operating points; the latter, with class
    weights, cross-validation.
    """
    people, every = population(seed, setting, sizes.n_population), [draw(seed, setting, r, sizes) for r in replicates]
    records: list[dict[str, Any]] = []
    influence: dict[str, list[np.ndarray]] = {}
    for candidate in candidates:
        due, linear = [r for r in replicates if r < candidate.n_replicates], candidate.model == "lr"
        trials = Trial(*map(np.stack, zip(*every[: len(due)], strict=True)))
        test, scores = _scored(candidate, trials, people)
        few = sum(replicate < INFLUENCE_REPLICATES for replicate in due)
        exactly = [ranks.soft_auroc_influence(people.probability, eta) for eta in (scores[:few] if linear else scores)]
        areas = ranks.binned_soft_auroc(people.probability, scores)[0] if linear else np.array([a for a, _ in exactly])
        measured = {"auroc": areas + people.shift["auroc"], "test_auroc": ranks.auroc(trials.y_test, test)}
        told = not linear or candidate.name == FINAL
        if linear and told and candidate.class_weight:
            measured["cv_auroc"] = cross_validated_auroc(candidate, trials.X_train, trials.y_train)
        about = {"setting": setting, "model": candidate.model, "strategy": candidate.strategy, "name": candidate.name}
        for row, (replicate, eta) in enumerate(zip(due, scores, strict=True)):
            record = about | {"key": candidate.key, "replicate": replicate}
            record |= {measure: values[row] for measure, values in measured.items()}
            records.append(record | (operating_points(people.probability, eta) if told else {}))
        influence |= {candidate.key: [own for _, own in exactly[:few]]} if few else {}
    return records, influence


def _tasks(seed: int, setting: str, candidates: Sequence[Candidate], sizes: Sizes) -> list:
    tasks = []
    for linear, size in ((False, 1), (True, BLOCK)):
        group = [candidate for candidate in candidates if (candidate.model == "lr") == linear]
        most = max((candidate.n_replicates for candidate in group), default=0)
        for first in range(0, most, size):
            due, block = [c for c in group if c.n_replicates > first], range(first, min(first + size, most))
            tasks.append(joblib.delayed(evaluated)(seed, setting, block, due, sizes))
    return tasks


def _covariance(people: Population, parts: Sequence[dict[str, list[np.ndarray]]]) -> pd.DataFrame:
    keys = sorted({key for part in parts for key in part})
    means = {key: np.mean([each for part in parts for each in part.get(key, [])], axis=0) for key in keys}
    means["oracle"] = ranks.soft_auroc_influence(people.probability, people.probability)[1]
    stacked = np.stack(list(means.values()))
    return pd.DataFrame(stacked @ stacked.T, index=list(means), columns=list(means))


def run(seed: int, planned: Mapping[str, Sequence[Candidate]], sizes: Sizes) -> Study:
    """Run the study on the candidates of each setting, as `plan` gives them; the same ones in every setting."""
    tasks = {setting: _tasks(seed, setting, due, sizes) for setting, due in planned.items()}
    done = iter(engine.compute([task for each in tasks.values() for task in each], "trials"))
    records, covariance, reference = [], {}, {}
    for setting in planned:
        blocks = [next(done) for _ in tasks[setting]]
        records += [record for block, _ in blocks for record in block]
        people, best = population(seed, setting, sizes.n_population), exact(offset(setting))
        covariance[setting] = _covariance(people, [influence for _, influence in blocks])
        reference[setting] = {"auroc_oracle": best["auroc"], "prevalence": best["prevalence"]}
        reference[setting] |= {"n_population": sizes.n_population, "expected_dropouts": people.probability.sum()}
    trials = pd.DataFrame(records).sort_values(["setting", "key", "replicate"], ignore_index=True)
    return Study(trials, covariance, pd.DataFrame.from_dict(reference, orient="index").rename_axis("setting"))


def learning_task(
    seed: int, setting: str, n_train: int, replicate: int, names: Sequence[str], n_population: int
) -> list[dict[str, Any]]:
    """Train each model on one trial of `n_train` patients; AUROC in the population, with its sampling error."""
    people, sizes = population(seed, setting, n_population), Sizes(n_train, 0)
    trial = draw(seed, setting, replicate, sizes, stream=f"learning-{n_train}")
    trials, records = Trial(*(part[None] for part in trial)), []
    _, best = ranks.soft_auroc_influence(people.probability, people.probability)
    for model in names:
        _, (score,) = _scored(Candidate(FINAL, features.VERSIONS[FINAL], model), trials, people)
        area, influence = ranks.soft_auroc_influence(people.probability, score)
        record = {"n_train": n_train, "model": model, "replicate": replicate, "auroc": area + people.shift["auroc"]}
        records.append(record | {"population_se": float(np.sqrt(((influence - best) ** 2).sum()))})
    return records


def learning_curve(
    seed: int, setting: str, n_train: Sequence[int], n_replicates: Mapping[str, Sequence[int]], n_population: int
) -> pd.DataFrame:
    """AUROC of each model on v3 by the number of training patients; in a replicate all models see the same trial.

    Parameters
    ----------
    seed : int
    setting : {"default", "p24"}
    n_train : sequence of int
        Training patients.
    n_replicates : mapping of str to sequence of int
        Trials for each model and size.
    n_population : int
        Patients of the evaluation population.
    """
    tasks = []
    for position, n in reversed(list(enumerate(n_train))):
        for replicate in range(max(counts[position] for counts in n_replicates.values())):
            due = [model for model, counts in n_replicates.items() if counts[position] > replicate]
            tasks.append(joblib.delayed(learning_task)(seed, setting, n, replicate, due, n_population))
    records = [record for each in engine.compute(tasks, "learning curve") for record in each]
    return pd.DataFrame(records).sort_values(["n_train", "model", "replicate"], ignore_index=True)


def random_baseline(seed: int, n_replicates: int, sizes: Sizes, event_rate: float = 0.2) -> pd.DataFrame:
    """Logistic regression on counts when the outcome is drawn without looking at them: the seed's earlier data.

    Columns strategy, replicate, and on the held-out patients test_auroc (truth: .5) and `operating_points`.
    """
    trials, rows, n = [], [], sizes.n_patients
    for rng in (seeds.stream(seed, "baseline", r) for r in range(n_replicates)):
        counts = (rng.integers(18, 85, n), rng.integers(1, 365, n), rng.integers(0, 13, n), rng.poisson(0.5, n))
        X, y = np.column_stack(counts).astype(float), (rng.random(n) < event_rate).astype(int)
        train, test = stratified_split(y, sizes.n_test, rng)
        trials.append((X[train], y[train], X[test], y[test]))
    X_train, y_train, X_test, y_test = map(np.stack, zip(*trials, strict=True))
    for strategy, weight in (("class_weight", "balanced"), ("none", None)):
        scores = batched.fit_pipeline(X_train, y_train, class_weight=weight).decision_function(X_test)
        each = zip(ranks.auroc(y_test, scores), y_test, scores, strict=True)
        found = [{"test_auroc": area, **operating_points(own, score)} for area, own, score in each]
        rows += [{"strategy": strategy, "replicate": r} | row for r, row in enumerate(found)]
    return pd.DataFrame(rows)
