"""The wrong way and the right way: what is learned from all patients before they are split.

Standardising before splitting lets means and standard deviations of the test fold in; balancing before splitting puts
copies of a patient, or points between a patient and its neighbours, on both sides of the split. Each way's
cross-validated AUROC stands beside what the model that it fits does in a population with exact probabilities.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from imblearn.over_sampling import SMOTE, RandomOverSampler
from sklearn import config_context
from sklearn.preprocessing import StandardScaler

from attrition import features, metrics, models, resampling, seeds, simulate
from attrition.metrics import intervals, ranks
from attrition.modelling import imbalance
from attrition.simulate.law import PUBLISHED_LAW

Array = np.ndarray
INSIDE = "inside"
WAYS = {
    INSIDE: "Everything inside the folds",
    "scale_before": "Standardised before splitting",
    "smote_before": "SMOTE before splitting",
    "copies_before": "Copies of events before splitting",
}


def _all_rows(way: str, X: Array, y: Array, seed: int) -> tuple[Array, Array]:
    """What the way does with all patients before any split."""
    steps: dict[str, Callable[[], tuple[Array, Array]]] = {
        INSIDE: lambda: (X, y),
        "scale_before": lambda: (StandardScaler().fit_transform(X), y),
        "smote_before": lambda: SMOTE(random_state=seed).fit_resample(X, y),
        "copies_before": lambda: RandomOverSampler(random_state=seed).fit_resample(X, y),
    }
    return steps[way]()


def cross_validated(model: str, way: str, X: Array, y: Array, seed: int, n_folds: int = 5) -> float:
    """AUROC of one repeat of cross-validation after the given way of preparing the rows.

    Parameters
    ----------
    model : str
        Key of `attrition.models.MODELS`, fitted without balancing.
    way : str
        Key of `WAYS`.
    X : array of shape (n_patients, n_features)
    y : array of shape (n_patients,)
    seed, n_folds : int

    Returns
    -------
    float
    """
    rows, outcome = _all_rows(way, X, y, seed)
    folds = resampling.repeated_folds(outcome, n_folds, 1, seed)
    oof = resampling.out_of_fold({model: models.classifier(model, "none", seed)}, rows, outcome, folds)
    return metrics.auroc(oof["y"].to_numpy(), oof["y_prob"].to_numpy())


def study(
    names: list[str], n_trials: int, n_patients: int, setting: imbalance.Setting, n_population: int, seed: int
) -> pd.DataFrame:
    """Every way on simulated trials, beside the truth.

    Parameters
    ----------
    names : list of str
        Models.
    n_trials, n_patients, n_population : int
        Trials, patients a trial, patients on whom the truth of a trial's models is computed.
    setting : attrition.modelling.imbalance.Setting
        Event rate.
    seed : int

    Returns
    -------
    DataFrame
        Columns trial, model, way, value, truth. The truth is that of the model which the way fits to all its rows.
    """
    sizes = n_patients, n_population
    with config_context(assume_finite=True, skip_parameter_validation=True):
        return pd.DataFrame(
            [row for trial in range(n_trials) for row in _trial_rows(names, trial, sizes, setting, seed)]
        )


def _trial_rows(
    names: list[str], trial: int, sizes: tuple[int, int], setting: imbalance.Setting, seed: int
) -> list[dict]:
    n_patients, n_population = sizes
    everyone = imbalance.population(setting, n_population, seed, trial)
    rng = seeds.stream(seed, "before splitting", trial)
    drawn = simulate.draw_arrays(PUBLISHED_LAW, n_patients, rng, setting.offset)
    X, y = features.array(drawn, features.VERSIONS[imbalance.VERSION]), drawn["dropout"]
    rows = []
    for name in names:
        rows += [
            {"trial": trial, "model": name, "way": way}
            | {"value": cross_validated(name, way, X, y, seed + trial)}
            | {"truth": _truth(name, way, X, y, everyone, seed + trial)}
            for way in WAYS
        ]
    return rows


def _truth(name: str, way: str, X: Array, y: Array, everyone: imbalance.Population, seed: int) -> float:
    """AUROC in the population of the model that a way fits to all rows that it makes."""
    fitted = models.classifier(name, "none", seed)
    if way == "scale_before":  # what scales the trial must scale new patients as well
        scaler = StandardScaler().fit(X)
        y_prob = models.probability(fitted.fit(scaler.transform(X), y), scaler.transform(everyone.X))
    else:
        y_prob = models.probability(fitted.fit(*_all_rows(way, X, y, seed)), everyone.X)
    return float(ranks.soft_auroc(everyone.p, y_prob)[0])


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean of each way over trials, and its paired difference to the right way, with intervals.

    Parameters
    ----------
    rows : DataFrame
        From `study`.

    Returns
    -------
    DataFrame
        Columns model, way, n_trials, truth, value, inflation, ci_low, ci_high, mc_se; the last four are of the
        difference between the way and `INSIDE` on the same trials (NaN for `INSIDE`).
    """
    found = []
    for (model, way), part in rows.groupby(["model", "way"], sort=False):
        right = rows[(rows["model"] == model) & (rows["way"] == INSIDE)]
        gain = part["value"].to_numpy() - right["value"].to_numpy()
        price = intervals.monte_carlo(gain if way != INSIDE else np.array([]))
        found.append(
            {"model": model, "way": way, "n_trials": len(part)}
            | {"truth": part["truth"].mean(), "value": part["value"].mean(), "inflation": price["value"]}
            | {key: price[key] for key in ("ci_low", "ci_high", "mc_se")}
        )
    return pd.DataFrame(found)


def conclude(table: pd.DataFrame, margin: float) -> dict:
    """Sentence about which ways deceive, chosen from the numbers.

    Parameters
    ----------
    table : DataFrame
        From `summary`.
    margin : float
        Smallest inflation of the AUROC that matters.

    Returns
    -------
    dict
        ``sentence`` (a template), its values, and ``deceptive`` (ways).
    """
    wrong = table[table["way"] != INSIDE]
    bad = wrong[(wrong["inflation"] >= margin) & (wrong["ci_low"] > 0)]
    harmless = [WAYS[way] for way in WAYS if way != INSIDE and way not in set(bad["way"])]
    if bad.empty:
        sentence = "No way of preparing the rows before splitting raised the AUROC by {margin:.2f} or more here."
        return {"sentence": sentence, "deceptive": [], "margin": margin}
    worst = bad.loc[bad["inflation"].idxmax()]
    values: dict[str, Any] = {key: float(worst[key]) for key in ("value", "truth", "inflation")} | {"margin": margin}
    values |= {"model": models.LABELS[worst["model"]], "way": WAYS[worst["way"]].lower()}
    sentence = (
        "Worst is {model} with {way}: cross-validation reports an AUROC of {value:.2f} for a model whose AUROC in the "
        "population is {truth:.2f}."
    )
    if harmless:
        values |= {"harmless": ", ".join(harmless).lower()}
        values |= {"small": float(wrong[~wrong["way"].isin(bad["way"])]["inflation"].abs().max())}
        sentence += " By itself, what is {harmless} moves it by at most {small:.4f}: wrong, but not what deceives."
    return {"sentence": sentence, "deceptive": sorted(set(bad["way"])), **values}
