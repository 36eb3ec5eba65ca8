"""Does a model carry over from trial to trial? Leave one trial out, recalibrate, and predict the next trial.

Each trial in turn is asked about by a model of the others, on the features that all have and without the arm (arms
differ from trial to trial). A random-effects meta-analysis of AUROC (logit scale), calibration-in-the-large and
calibration slope gives the mean over trials and, from three trials on, a prediction interval: what to expect in a new
trial of the same kind.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from attrition import metrics, models, seeds
from attrition.cdisc.trial import Trial
from attrition.landmark import cohort, prediction
from attrition.metrics import intervals
from attrition.metrics.calibration import expit, fit_logistic, logit, recalibration_covariance
from attrition.models.ridge import RidgeLogistic
from notebook_report.text import unless_missing

Array = np.ndarray

FEWEST_FOR_PREDICTION = 3
ENDS = ("value", "ci_low", "ci_high", "pi_low", "pi_high")
LABELS: dict[str, str] = cohort.WORDS["carried"]


def aligned(trial: Trial, horizon: int, landmarks: tuple[int, ...]) -> Trial:
    """The trial with another horizon and other landmarks; outcomes follow from them."""
    return cohort.again(trial, horizon=horizon, landmarks=landmarks)


def _shared(tables: list[pd.DataFrame]) -> list[str]:
    """Columns that all tables have, numbers in all or categories in all."""
    names = [name for name in tables[0] if all(name in table for table in tables)]
    numeric = [[pd.api.types.is_numeric_dtype(table[name]) for table in tables] for name in names]
    return [name for name, kinds in zip(names, numeric, strict=True) if len(set(kinds)) == 1]


def pooled(trials: Mapping[str, Trial], day: int, horizon: int) -> tuple[pd.DataFrame, Array, Array, Array]:
    """Patients of all trials at risk at a landmark: features that all have, outcome by the horizon, trial, weight."""
    groups = [group for group in cohort.groups_at(day) if group != "arm"]
    tables, problems, names = [], [], []
    for name, trial in trials.items():
        same = aligned(trial, horizon, (day,))
        problems.append(prediction.problem(same, day))
        tables.append(cohort.features(same, day, groups))
        names += [name] * len(tables[-1])
    together = pd.concat([table[_shared(tables)] for table in tables], ignore_index=True)
    y, weights = (np.concatenate([getattr(of, part) for of in problems]) for part in ("y", "weight"))
    return prediction.encoded(together)[0], y, np.array(names, dtype=object), weights


def recalibrated(y: Array, y_prob: Array, rng: np.random.Generator, weights: Array | None = None) -> Array:
    """Predictions with intercept and slope updated in the new trial, each half of the patients by the other half."""
    half = np.zeros(len(y), dtype=bool)
    for k in (0, 1):
        rows = rng.permutation(np.flatnonzero(y == k))
        half[rows[: len(rows) // 2]] = True
    lp, updated, w = logit(y_prob), np.empty(len(y)), metrics.measures.columns(weights, len(y))
    X = np.column_stack([np.ones_like(lp), lp])
    for train in (half, ~half):
        beta, _ = fit_logistic(X[train], y[train].astype(float), w[train])
        updated[~train] = expit(X[~train] @ beta[:, 0])
    return updated


def _judged(y: Array, y_prob: Array, rng: np.random.Generator, weights: Array | None) -> dict[str, float]:
    estimates = {
        "auroc": intervals.delong(y, y_prob, weights),
        "calibration_in_the_large": recalibration_covariance(y, y_prob, slope=False, weights=weights),
        "calibration_slope": recalibration_covariance(y, y_prob, weights=weights),
    }
    found: dict[str, float] = {}
    for name, (value, covariance) in estimates.items():
        found |= {name: float(value[-1]), f"{name}_se": float(np.sqrt(covariance[-1, -1]))}
    found["scaled_brier"] = metrics.scaled_brier(y, y_prob, weights)
    updated = recalibrated(y, y_prob, rng, weights)
    return found | {"scaled_brier_recalibrated": metrics.scaled_brier(y, updated, weights)}


def leave_one_trial_out(
    X: pd.DataFrame, y: Array, trial: Array, seed: int, weights: Array | None = None
) -> pd.DataFrame:
    """Train on all other trials, judge in the one left out.

    A row a trial: trial, n_patients, n_events, n_censored, n_features, and with enough events (of it and of the others)
    auroc, calibration_in_the_large, calibration_slope, each with ``_se``, scaled_brier before and after recalibration.
    """
    rows, features, w = [], X.to_numpy(), np.ones(len(y)) if weights is None else weights
    for name in dict.fromkeys(trial):
        test = trial == name
        own, weight = y[test], None if (w[test] == 1).all() else w[test]
        row = {"trial": name, "n_patients": len(own), "n_events": int(own.sum())}
        row |= {"n_censored": int((w[test] == 0).sum()), "n_features": X.shape[1]}
        known = [y[part & (w > 0)] for part in (test, ~test)]
        enough = all(min(part.sum(), (1 - part).sum()) >= prediction.MINIMUM_EVENTS for part in known)
        if enough and X.shape[1]:
            model = RidgeLogistic(seed=seeds.integer(seed, "penalty", str(name)))
            fitted = model.fit(features[~test], y[~test], w[~test])
            y_prob = np.clip(models.probability(fitted, features[test]), 1e-6, 1 - 1e-6)
            row |= _judged(own, y_prob, seeds.stream(seed, "recalibration", str(name)), weight)
        rows.append(row)
    return pd.DataFrame(rows)


def random_effects(values: ArrayLike, errors: ArrayLike, level: float = 0.95) -> dict[str, float]:
    r"""Random-effects meta-analysis with REML, an ad hoc Hartung-Knapp interval, and a prediction interval.

    .. math::
        \widehat{\mathrm{Var}}(\hat\mu) = \max(1, q) / \sum w_i, \quad q = \sum w_i (y_i - \hat\mu)^2 / (k - 1), \quad
        \hat\mu \pm t_{k-2} \sqrt{\hat\tau^2 + \widehat{\mathrm{Var}}(\hat\mu)}

    Without the truncation at 1, trials that happen to agree give an interval narrower than the common-effect one. Gives
    value, ci_low, ci_high (t with k - 1 degrees of freedom), tau, pi_low, pi_high (t with k - 2; missing for fewer than
    three trials), n_trials.

    References
    ----------
    Hartung and Knapp (2001), Statistics in Medicine 20, 3875-3889; Knapp and Hartung (2003), ibid. 22, 2693-2710 (the
    truncation); Higgins, Thompson and Spiegelhalter (2009), J R Stat Soc A 172, 137-159.

    Examples
    --------
    >>> found = random_effects([0.2, 0.4, 0.6], [0.1, 0.1, 0.1])
    >>> round(found["value"], 3), round(found["tau"], 3)
    (0.4, 0.173)
    """
    y, v = np.asarray(values, dtype=float), np.asarray(errors, dtype=float) ** 2
    k, tau2 = len(y), _between(np.asarray(values, dtype=float), v)
    w = 1 / (v + tau2)
    mean = float((w * y).sum() / w.sum())
    scale = max(1.0, float((w * (y - mean) ** 2).sum() / (k - 1))) if k > 1 else 1.0
    variance = scale / float(w.sum())
    half = stats.t.ppf((1 + level) / 2, k - 1) * np.sqrt(variance) if k > 1 else np.nan
    ahead = np.nan
    if k >= FEWEST_FOR_PREDICTION:
        ahead = stats.t.ppf((1 + level) / 2, k - 2) * np.sqrt(tau2 + variance)
    found = {"value": mean, "ci_low": mean - half, "ci_high": mean + half, "tau": float(np.sqrt(tau2))}
    return found | {"pi_low": mean - ahead, "pi_high": mean + ahead, "n_trials": k}


def _between(y: Array, v: Array) -> float:
    """Variance between trials by restricted maximum likelihood, at least zero."""
    tau2 = max(0.0, float(np.var(y, ddof=1) - v.mean())) if len(y) > 1 else 0.0
    for _ in range(1000):
        w = 1 / (v + tau2)
        mean = (w * y).sum() / w.sum()
        new = max(0.0, float((w**2 * ((y - mean) ** 2 - v)).sum() / (w**2).sum() + 1 / w.sum()))
        if abs(new - tau2) < 1e-12:
            break
        tau2 = new
    return tau2


def over_trials(table: pd.DataFrame) -> pd.DataFrame:
    """Mean over trials and what to expect in the next one; AUROC on the logit scale and back."""
    judged = table[table["auroc"].between(0, 1, inclusive="neither")] if "auroc" in table else table.head(0)
    rows = []
    for measure in LABELS if len(judged) > 1 else ():
        values, errors = judged[measure].to_numpy(), judged[f"{measure}_se"].to_numpy()
        if measure != "auroc":
            rows.append({"measure": measure, **random_effects(values, errors)})
            continue
        found = random_effects(logit(values), errors / (values * (1 - values)))
        rows.append({"measure": measure, **found} | {end: float(expit(found[end])) for end in ENDS})
    return pd.DataFrame(rows, columns=["measure", *ENDS, "tau", "n_trials"])


@dataclass(frozen=True)
class Carried:
    """How a model carries over: one row a trial, the summary over trials, and where it was asked."""

    table: pd.DataFrame
    summary: pd.DataFrame
    day: int
    horizon: int


def study(trials: Mapping[str, Trial], seed: int) -> Carried | None:
    """Leave-one-trial-out at the landmark of the first trial that has most events over all trials; None for one trial.

    The first trial gives the landmarks; the shortest horizon is everybody's.
    """
    if len(trials) < 2:
        return None
    horizon = min(trial.horizon for trial in trials.values())
    first = next(iter(trials.values()))
    days = [day for day in first.landmarks if day < horizon] or [0]
    pools = {day: pooled(trials, day, horizon) for day in days}
    most = max(pools, key=lambda day: int(pools[day][1].sum()))
    X, y, names, weights = pools[most]
    table = leave_one_trial_out(X, y, names, seed, weights)
    return Carried(table, over_trials(table), most, horizon)


def conclusions(found: Carried | None) -> dict[str, Any]:
    """What the trials together say about the next one: how many were ``given`` and ``judged``, and the mean AUROC."""
    if found is None or found.summary.empty:
        return {"given": found is not None, "judged": 0}
    mean = found.summary.set_index("measure").loc["auroc"].to_dict()
    return {"given": True, "judged": int(mean["n_trials"]), "day": found.day, "horizon": found.horizon, "auroc": mean}


@unless_missing
def shown(found: Carried) -> pd.DataFrame:
    """The trials as a table for readers."""
    columns = ["trial", "n_patients", "n_events", "n_censored", *LABELS]
    return found.table.reindex(columns=[*columns, "scaled_brier", "scaled_brier_recalibrated"])


@unless_missing
def ahead(found: Carried) -> pd.DataFrame | None:
    """The summary over trials as a table for readers; None with fewer than two trials judged."""
    return found.summary.assign(measure=found.summary["measure"].map(LABELS)) if len(found.summary) else None
