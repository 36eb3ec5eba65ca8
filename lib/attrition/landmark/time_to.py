"""Landmark-time models: predict the risk of leaving between a landmark and the horizon, with competing reasons.

Everything that is learned (imputation, scaling, coefficients, baseline hazards) is learned in the training folds.
No penalty is tuned: it is fixed before results.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from attrition import landmark, seeds, survival
from attrition.cdisc import Trial
from attrition.metrics import intervals, ranks
from attrition.survival import censored, hazards
from attrition.survival.discrete import discrete_risk, period_edges
from attrition.survival.incidence import coded

NAMES = {
    "null": "one risk for everybody",
    "arm_only": "arm only",
    "cox": "Cox, all that was known",
    "discrete": "discrete time, all that was known",
    "cox_without_arm": "Cox, without the arm",
    "discrete_without_arm": "discrete time, without the arm",
}
REFERENCE = "arm_only"
"""What a prediction has to beat: knowing the arm and nothing else."""
FULL = ("cox", "discrete")
"""Models of all that is known, the arm included: the ones whose best gain is picked."""
COLUMNS = [
    "landmark", "model", "n", "events", "auroc", "auroc_low", "auroc_high",
    "auroc_within", "auroc_within_low", "auroc_within_high", "brier", "brier_low", "brier_high",
    "ipa", "ipa_low", "ipa_high", "predicted", "observed", "wolbers", "uno",
]  # fmt: skip
SHOWN = [name for name in COLUMNS if not name.startswith(("auroc_low", "auroc_high", "auroc_within_", "brier_"))]


@dataclass(frozen=True)
class Sample:
    """The patients at risk at a landmark.

    Attributes
    ----------
    day, horizon : int
        Landmark and horizon, in days from the start.
    time : ndarray, shape (n_patients,)
        Days from the landmark.
    cause : ndarray of int, shape (n_patients,)
        0 censored or still in, 1 primary, 2 competing.
    features : pandas.DataFrame, shape (n_patients, n_features)
        Known at the landmark, numeric (categories as indicators), missing where nothing is known.
    from_arm : ndarray of bool, shape (n_features,)
        Which features are the treatment arm.
    """

    day: int
    horizon: int
    time: np.ndarray
    cause: np.ndarray
    features: pd.DataFrame
    from_arm: np.ndarray

    @property
    def ahead(self) -> int:
        """Days from the landmark to the horizon."""
        return self.horizon - self.day


def sample(trial: Trial, day: int) -> Sample:
    """Patients at risk at a landmark with what was known about them by then; see `Sample`."""
    table = landmark.features(trial, day)
    arm = pd.get_dummies(table[["arm"]].astype(str), dtype=float) if "arm" in table else pd.DataFrame(index=table.index)
    rest = table.drop(columns="arm", errors="ignore")
    categories = list(rest.select_dtypes(exclude="number").columns)
    rest = pd.get_dummies(rest, columns=categories, dtype=float) if categories else rest
    outcome = coded(trial).set_index("id").loc[table.index]
    features = pd.concat([arm, rest], axis=1).astype(float)
    from_arm = np.arange(features.shape[1]) < arm.shape[1]
    time = outcome["time"].to_numpy(dtype=float) - day
    return Sample(day, trial.horizon, time, outcome["cause"].to_numpy(), features, from_arm)


def prepared(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Impute by the training medians, scale by the training mean and standard deviation."""
    known = ~np.isnan(train).all(axis=0)
    middle = np.where(known, np.nanmedian(np.where(known, train, 0.0), axis=0), 0.0)
    train, test = (np.where(np.isnan(part), middle, part) for part in (train, test))
    spread = train.std(axis=0)
    scale = np.where(spread > 0, spread, np.inf)
    return (train - train.mean(axis=0)) / scale, (test - train.mean(axis=0)) / scale


Model = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def penalty_of(n_features: int, spread: float) -> float:
    """Ridge penalty under which, before seeing data, patients' log hazards have the standard deviation `spread`.

    Standardised features with independent normal coefficients of variance `spread`² / `n_features`: more features do
    not make a model bolder.

    Examples
    --------
    >>> penalty_of(4, 0.5)
    16.0
    """
    return n_features / spread**2


def _models(s: Sample, spread: float, period: float) -> Mapping[str, tuple[Model, np.ndarray]]:
    edges, everything = period_edges(s.ahead, period), np.ones(s.features.shape[1], dtype=bool)

    def null(time, cause, X, X_new):
        fit = survival.aalen_johansen(time, cause, 2)
        return np.full(len(X_new), survival.risk_on(fit, s.ahead)[0])

    def cox(time, cause, X, X_new):
        return hazards.cox_risk(time, cause, X, X_new, [s.ahead], penalty_of(X.shape[1], spread), plain=(2,))[:, 0]

    def discrete(time, cause, X, X_new):
        return discrete_risk(time, cause, X, X_new, edges, penalty_of(X.shape[1], spread))[:, -1]

    table = {"null": (null, ~everything), "arm_only": (cox, s.from_arm)}
    table |= {"cox": (cox, everything), "discrete": (discrete, everything)}
    table |= {"cox_without_arm": (cox, ~s.from_arm), "discrete_without_arm": (discrete, ~s.from_arm)}
    blind = {"arm_only", "cox_without_arm", "discrete_without_arm"} if not s.from_arm.any() else set()
    return {name: item for name, item in table.items() if name == "null" or (name not in blind and item[1].any())}


def folds_of(s: Sample, n_folds: int, n_repeats: int, seed: int) -> np.ndarray:
    """Test fold of every patient in every repeat, stratified by the primary event.

    Parameters
    ----------
    s : Sample
    n_folds, n_repeats : int
    seed : int
        Of the stream ``("time to dropout", landmark, repeat)``.

    Returns
    -------
    ndarray of int, shape (n_repeats, n_patients)
    """
    from sklearn.model_selection import StratifiedKFold

    labels = np.zeros((n_repeats, len(s.time)), dtype=int)
    for repeat in range(n_repeats):
        state = seeds.integer(seed, "time to dropout", s.day, repeat)
        splits = StratifiedKFold(n_folds, shuffle=True, random_state=state).split(s.time, s.cause == 1)
        for fold, (_, test) in enumerate(splits):
            labels[repeat, test] = fold
    return labels


def out_of_fold(s: Sample, folds: np.ndarray, spread: float, period: float) -> dict[str, np.ndarray]:
    """Cross-validated risks by the horizon, the same folds for every model.

    Parameters
    ----------
    s : Sample
    folds : ndarray of int, shape (n_repeats, n_patients)
        See `folds_of`.
    spread : float
        Standard deviation of patients' log hazards before seeing data, see `penalty_of`.
    period : float
        Length of a period of the discrete-time model, in days.

    Returns
    -------
    dict of str to ndarray, shape (n_repeats, n_patients)
        Model (a key of `NAMES`) to risks, settled (see `ranks.settled`); with a single arm, nothing that sets it apart.
    """
    models, values = _models(s, spread, period), s.features.to_numpy()
    risks = {name: np.zeros(folds.shape) for name in models}
    for repeat, labels in enumerate(folds):
        for fold in np.unique(labels):
            train, test = labels != fold, labels == fold
            X, X_new = prepared(values[train], values[test])
            for name, (model, columns) in models.items():
                predicted = model(s.time[train], s.cause[train], X[:, columns], X_new[:, columns])
                risks[name][repeat, test] = ranks.settled(predicted)
    return risks


def _ratio(weights: np.ndarray, top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    return (weights @ top) / (weights @ bottom)


def _boot_auroc(s: Sample, risks: np.ndarray, weights: np.ndarray, folds: np.ndarray | None = None) -> np.ndarray:
    cases, controls = censored.roles(s.time, s.cause, s.ahead)
    wins, pairs = censored.pair_wins(risks, cases, controls, folds)
    a, b = (weights[:, part > 0] * part[part > 0] for part in (cases, controls))
    top, bottom = (((a @ part) * b).sum(axis=1) for part in (wins, pairs))
    return np.divide(top, bottom, out=np.full(len(weights), np.nan), where=bottom > 0)


def _concordance(s: Sample, risks: np.ndarray, weighted: bool) -> float:
    time = s.time if weighted else np.where(s.cause == 2, np.inf, s.time)
    values = [censored.concordance(risk, time, s.cause == 1, s.ahead, weighted) for risk in risks]
    return float(np.mean(values))


def score(
    s: Sample, risks: Mapping[str, np.ndarray], folds: np.ndarray, n_bootstrap: int, seed: int, level: float = 0.95
) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Accuracy of out-of-fold risks at the horizon, with patient-bootstrap intervals.

    Parameters
    ----------
    s : Sample
    risks : mapping
        See `out_of_fold`.
    folds : ndarray of int, shape (n_repeats, n_patients)
        See `folds_of`.
    n_bootstrap : int
        Resamples of patients; predictions and censoring weights stay as they are.
    seed : int
    level : float

    Returns
    -------
    table : pandas.DataFrame
        One row a model: ``model``, ``n``, ``events``, ``auroc`` (cumulative/dynamic, competing events as controls, a
        repeat at a time and then averaged; one half by definition for the model without predictors),
        ``auroc_within`` (the same, patients compared within a test fold only), ``brier`` (IPCW),
        ``ipa`` (1 - Brier / Brier of the null model), each with ``_low`` and ``_high``; ``predicted`` and ``observed``
        mean risk; ``wolbers`` and ``uno`` concordances.
    draws : dict of str to ndarray, shape (n_bootstrap + 1,)
        Within-fold AUROC of each model on the sample (first) and its resamples, for paired differences: pooled over
        folds, the reference would be handicapped, see `censored.pair_wins`.
    """
    rng = seeds.stream(seed, "time to dropout", "bootstrap", s.day)
    n, tail = len(s.time), (1 - level) / 2
    weights = np.vstack([np.ones(n), rng.multinomial(n, np.full(n, 1 / n), size=n_bootstrap)])
    parts = {
        name: np.mean([censored.brier_parts(risk, s.time, s.cause, s.ahead) for risk in risk_], axis=0)
        for name, risk_ in risks.items()
    }
    known = censored.censoring_weights(s.time, s.cause, s.ahead)
    observed = float(np.mean(known * censored.outcome_by(s.time, s.cause, s.ahead)))
    rows, draws = [], {}
    for name, risk in risks.items():
        constant = name == "null"
        draws[name] = _boot_auroc(s, risk, weights, folds)
        found = {
            "auroc": np.full(len(weights), 0.5) if constant else _boot_auroc(s, risk, weights),
            "auroc_within": draws[name],
            "brier": weights @ parts[name] / n,
            "ipa": 1 - _ratio(weights, parts[name], parts["null"]),
        }
        row = {"landmark": s.day, "model": name, "n": n, "events": int((s.cause == 1).sum())}
        for metric, values in found.items():
            low, high = np.nanquantile(values, [tail, 1 - tail])
            row |= {metric: values[0], f"{metric}_low": low, f"{metric}_high": high}
        row |= {"predicted": float(risk.mean()), "observed": observed}
        row |= {"wolbers": 0.5, "uno": 0.5} if constant else {
            "wolbers": _concordance(s, risk, False), "uno": _concordance(s, risk, True)
        }  # fmt: skip
        rows.append(row)
    return pd.DataFrame(rows), draws


def difference(draws: Mapping[str, np.ndarray], first: str, second: str, level: float = 0.95) -> dict[str, float]:
    """Paired difference in AUROC of two models, from the same resamples."""
    gap = draws[first] - draws[second]
    low, high = np.nanquantile(gap, [(1 - level) / 2, (1 + level) / 2])
    return {"value": float(gap[0]), "ci_low": float(low), "ci_high": float(high)}


def enough(s: Sample, fewest: int) -> bool:
    """At least `fewest` patients with the event by the horizon, and as many seen through it without."""
    known = censored.censoring_weights(s.time, s.cause, s.ahead) > 0
    event = censored.outcome_by(s.time, s.cause, s.ahead)
    return min(event.sum(), (known & (event == 0)).sum()) >= fewest


def accuracy(trial: Trial, days: Iterable[int], p: Any, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Cross-validated accuracy of every model at every landmark.

    Parameters
    ----------
    trial : Trial
    days : iterable of int
        Landmarks; 0 is the start.
    p : attrition.params.TimeToDropout
        ``fewest_landmark_events``, ``log_hazard_sd``, ``period_days``, ``folds``, ``repeats``, ``bootstrap``.
    seed : int

    Returns
    -------
    table : pandas.DataFrame
        See `score`; a landmark with too few events has one row with its counts only.
    gains : pandas.DataFrame
        ``landmark``, ``model``, ``value``, ``ci_low``, ``ci_high``: within-fold AUROC less that of `REFERENCE`,
        paired; ``all_low``, ``all_high``: the interval that holds for the gains of `FULL` at all landmarks at once
        (Bonferroni).
    """
    tables, found = [], []
    for day in days:
        s = sample(trial, int(day))
        if not enough(s, p.fewest_landmark_events):
            counts = {"landmark": s.day, "model": "null", "n": len(s.time), "events": int((s.cause == 1).sum())}
            tables.append(pd.DataFrame([counts]))
            continue
        folds = folds_of(s, p.folds, p.repeats, seed)
        risks = out_of_fold(s, folds, p.log_hazard_sd, p.period_days)
        table, draws = score(s, risks, folds, p.bootstrap, seed)
        tables.append(table)
        floor = REFERENCE if REFERENCE in draws else "null"
        found += [(s.day, name, floor, draws) for name in draws if name != floor]
    table = pd.concat(tables, ignore_index=True).reindex(columns=COLUMNS)
    return table, _gains(found)


def _gains(found: Sequence[tuple[int, str, str, Mapping[str, np.ndarray]]]) -> pd.DataFrame:
    level = intervals.level_for_all(sum(name in FULL for _, name, _, _ in found))
    rows = []
    for day, name, floor, draws in found:
        wide = difference(draws, name, floor, level)
        rows.append(
            {"landmark": day, "model": name, **difference(draws, name, floor)}
            | {"all_low": wide["ci_low"], "all_high": wide["ci_high"]}
        )
    return pd.DataFrame(rows, columns=["landmark", "model", "value", "ci_low", "ci_high", "all_low", "all_high"])
