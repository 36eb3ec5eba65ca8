"""The replicate engine: the same question asked of hundreds of independent trials, where the truth is known.

Aims, data-generating mechanism, estimand, methods and performance measures (ADEMP) in one place: every
replicate is a trial of 1,000 patients drawn from the law; models are fitted on 800 of them; performance is
taken on one large population that no model saw, with the exact P(dropout | features) in place of drawn
outcomes. Everything is compared on the same trials and the same population.

A replicate's draws depend on its name (setting and number) alone, so that results do not depend on workers,
their order, or how replicates are batched. `attrition.engine` chooses where they run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import joblib
import numpy as np
import pandas as pd

from attrition import engine, features, seeds
from attrition.ablation.replicate import (
    SETTINGS,
    Candidate,
    Population,
    Sizes,
    boosted_task,
    draw,
    exact_oracle,
    logistic_block,
    population,
    stratified_split,
    trained_score,
)
from attrition.metrics import ranks
from attrition.models import batched

BLOCK = 25
"""Replicates of logistic regression that share one task."""


@dataclass(frozen=True)
class Study:
    """What came out: one row a trial and candidate, and what the finite population leaves uncertain.

    Attributes
    ----------
    trials : DataFrame
        setting, replicate, model, strategy, name, key; auroc (in the population, anchored); recall_50,
        precision_50, recall_35, precision_35 (in the population); test_auroc (200 held-out patients);
        cv_auroc (mean of five folds).
    covariance : dict of DataFrame
        By setting: covariance, over populations, of the mean AUROCs of all keys and of ``"oracle"``.
    reference : DataFrame
        By setting: auroc_oracle (exact), prevalence (exact), n_population, expected dropouts in the
        population.
    """

    trials: pd.DataFrame
    covariance: dict[str, pd.DataFrame]
    reference: pd.DataFrame


def _tasks(seed: int, setting: str, candidates: Sequence[Candidate], sizes: Sizes, detailed: Sequence[str]) -> list:
    linear = [c for c in candidates if c.model == "lr"]
    trees = [c for c in candidates if c.model != "lr"]
    tasks = []
    for r in range(max((c.n_replicates for c in trees), default=0)):
        due = [c for c in trees if c.n_replicates > r]
        tasks.append(joblib.delayed(boosted_task)(seed, setting, r, due, sizes))
    for n in sorted({c.n_replicates for c in linear}, reverse=True):
        due = [c for c in linear if c.n_replicates == n]
        for first in range(0, n, BLOCK):
            block = range(first, min(first + BLOCK, n))
            tasks.append(joblib.delayed(logistic_block)(seed, setting, block, due, sizes, detailed))
    return tasks


def _covariance(people: Population, parts: Sequence[dict[str, list[np.ndarray]]]) -> pd.DataFrame:
    keys = sorted({key for part in parts for key in part})
    means = {key: np.mean([each for part in parts for each in part.get(key, [])], axis=0) for key in keys}
    means["oracle"] = ranks.soft_auroc_influence(people.probability, people.probability)[1]
    stacked = np.stack(list(means.values()))
    return pd.DataFrame(stacked @ stacked.T, index=list(means), columns=list(means))


def _reference(seed: int, setting: str, sizes: Sizes) -> dict[str, Any]:
    exact = exact_oracle(setting)
    expected = population(seed, setting, sizes.n_population).probability.sum()
    named = {"setting": setting, "auroc_oracle": exact["auroc"], "prevalence": exact["prevalence"]}
    return named | {"n_population": sizes.n_population, "expected_dropouts": expected}


def run(
    seed: int,
    candidates: Sequence[Candidate] | Mapping[str, Sequence[Candidate]],
    sizes: Sizes,
    settings: Sequence[str] = SETTINGS,
    detailed: Sequence[str] = ("v3_causal",),
) -> Study:
    """Run the study.

    Parameters
    ----------
    seed : int
    candidates : sequence of Candidate, or mapping of setting to such a sequence
        The same names in every setting; numbers of trials may differ.
    sizes : Sizes
    settings : sequence of str
        Not used when `candidates` is a mapping.
    detailed : sequence of str
        Feature sets of logistic regression that also get operating points and cross-validation.

    Returns
    -------
    Study
    """
    planned = candidates if isinstance(candidates, Mapping) else dict.fromkeys(settings, candidates)
    tasks = {setting: _tasks(seed, setting, due, sizes, detailed) for setting, due in planned.items()}
    done = iter(engine.compute([task for each in tasks.values() for task in each], "trials"))
    records, covariance = [], {}
    for setting in planned:
        blocks = [next(done) for _ in tasks[setting]]
        records += [record for block, _ in blocks for record in block]
        people = population(seed, setting, sizes.n_population)
        covariance[setting] = _covariance(people, [influence for _, influence in blocks])
    trials = pd.DataFrame(records).sort_values(["setting", "key", "replicate"], ignore_index=True)
    reference = pd.DataFrame([_reference(seed, setting, sizes) for setting in planned])
    return Study(trials, covariance, reference.set_index("setting"))


def learning_task(
    seed: int, setting: str, n_train: int, replicate: int, models: Sequence[str], version: str, n_population: int
) -> list[dict[str, Any]]:
    """Train each model on one trial of `n_train` patients; AUROC in the population, with its sampling error.

    Parameters
    ----------
    seed : int
    setting : str
        Prevalence setting.
    n_train, replicate : int
        Size and number of the trial.
    models : sequence of str
        Keys of `attrition.models.MODELS`.
    version : str
        Feature version.
    n_population : int
        Patients that no model sees.
    """
    people = population(seed, setting, n_population)
    trial = draw(seed, setting, replicate, Sizes(n_train, 0), stream=f"learning-{n_train}")
    _, best = ranks.soft_auroc_influence(people.probability, people.probability)
    records = []
    for model in models:
        score = trained_score(Candidate(version, features.VERSIONS[version], model), trial, people)
        area, influence = ranks.soft_auroc_influence(people.probability, score)
        records.append(
            {
                "n_train": n_train,
                "model": model,
                "replicate": replicate,
                "auroc": area + people.anchor,
                "population_se": float(np.sqrt(((influence - best) ** 2).sum())),
            }
        )
    return records


def learning_curve(
    seed: int,
    setting: str,
    n_train: Sequence[int],
    n_replicates: Mapping[str, Sequence[int]],
    version: str = "v3_causal",
    n_population: int = 20_000,
) -> pd.DataFrame:
    """AUROC of each model by the number of training patients; within a replicate all models see the same trial.

    Parameters
    ----------
    seed : int
    setting : {"default", "p24"}
    n_train : sequence of int
        Training patients.
    n_replicates : mapping of str to sequence of int
        Trials for each model and size.
    version : str
        Feature version.
    n_population : int
        Patients of the evaluation population.

    Returns
    -------
    DataFrame
        n_train, model, replicate, auroc (anchored, see `Population`), population_se.
    """
    tasks = []
    for position, n in reversed(list(enumerate(n_train))):
        for replicate in range(max(counts[position] for counts in n_replicates.values())):
            due = [model for model, counts in n_replicates.items() if counts[position] > replicate]
            tasks.append(joblib.delayed(learning_task)(seed, setting, n, replicate, due, version, n_population))
    records = [record for each in engine.compute(tasks, "learning curve") for record in each]
    return pd.DataFrame(records).sort_values(["n_train", "model", "replicate"], ignore_index=True)


def random_baseline(seed: int, n_replicates: int, sizes: Sizes, event_rate: float = 0.2) -> pd.DataFrame:
    """Logistic regression on counts when the outcome is drawn without looking at them: the seed's earlier data.

    Parameters
    ----------
    seed : int
    n_replicates : int
    sizes : Sizes
    event_rate : float

    Returns
    -------
    DataFrame
        strategy, replicate, and on the held-out patients test_auroc (truth: .5), recall_50, precision_50.
    """
    trials = [_random_trial(seeds.stream(seed, "baseline", r), sizes, event_rate) for r in range(n_replicates)]
    X, y, X_test, y_test = (np.stack(part) for part in zip(*trials, strict=True))
    frames = []
    for strategy, weight in (("class_weight", "balanced"), ("none", None)):
        score = batched.fit_pipeline(X, y, class_weight=weight).decision_function(X_test)
        flagged = score >= 0
        caught, n_flagged = (flagged * y_test).sum(axis=1), flagged.sum(axis=1)
        precision = np.where(n_flagged > 0, caught / np.maximum(n_flagged, 1), np.nan)
        columns = {"test_auroc": ranks.auroc(y_test, score), "recall_50": caught / y_test.sum(axis=1)}
        named = {"strategy": strategy, "replicate": np.arange(n_replicates)}
        frames.append(pd.DataFrame({**named, **columns, "precision_50": precision}))
    return pd.concat(frames, ignore_index=True)


def _random_trial(rng: np.random.Generator, sizes: Sizes, event_rate: float) -> tuple[np.ndarray, ...]:
    n = sizes.n_patients
    counts = (rng.integers(18, 85, n), rng.integers(1, 365, n), rng.integers(0, 13, n), rng.poisson(0.5, n))
    X, y = np.column_stack(counts).astype(float), (rng.random(n) < event_rate).astype(int)
    train, test = stratified_split(y, sizes.n_test, rng)
    return X[train], y[train], X[test], y[test]
