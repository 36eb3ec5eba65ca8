"""How far an estimate of cross-validation would move with other patients: the models are developed anew.

Resampling patients over predictions that stay fixed leaves out that another trial would have trained other models, and
its intervals are too short (`attrition.studies.intervals` has the coverage of this and of other methods on the pilot's
own design). Here every step, the choice of penalties included, is repeated in random halves of the patients, drawn
without replacement, in two cross-validations each. For an estimate whose variance is inverse to the number of patients,
the variance between half-samples is its own variance; what two cross-validations of the same half differ by is the
noise of the split, which the full sample averages over its repeats.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.special import stdtrit
from sklearn.base import BaseEstimator

from attrition import metrics, seeds
from attrition.landmark import prediction
from attrition.landmark.prediction import Problem
from attrition.models import outcomes, ridge
from attrition.resampling import Fold, repeated_folds

TWICE = 2
"""Cross-validations of a half-sample."""
SHARES = 0.0, 1.0
LEAST = 0.1
"""Smallest share of the variance between halves that is left when the noise of the split is taken off."""
MEASURES: dict[str, Callable] = {
    "auroc": metrics.auroc_within,
    "brier_score": lambda y, p, fold: metrics.brier_score(y, p),
    "scaled_brier": lambda y, p, fold: metrics.scaled_brier(y, p),
    "calibration_slope": lambda y, p, fold: metrics.calibration_slope(y, p),
    "calibration_in_the_large": lambda y, p, fold: metrics.calibration_in_the_large(y, p),
}
"""Measures of one cross-validation: outcomes, out-of-fold probabilities, test folds."""


@dataclass(frozen=True)
class Half:
    """One cross-validation of one half of the patients.

    Attributes
    ----------
    rows : ndarray of int
        Patients of the half, by position.
    fold : ndarray of int, shape (len(rows),)
        Their test fold.
    """

    rows: np.ndarray
    fold: np.ndarray

    def splits(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Training and test rows of every fold."""
        return [(self.rows[self.fold != k], self.rows[self.fold == k]) for k in np.unique(self.fold)]

    def outside(self, others: np.ndarray) -> np.ndarray:
        """Half of other patients to leave out with the half that is left out: the same in both cross-validations."""
        return np.random.default_rng(self.rows).permutation(others)[: (len(others) + 1) // 2]


def fold_labels(folds: Sequence[Fold], n_patients: int) -> np.ndarray:
    """Test fold of every patient in every repeat, shape (n_patients, n_repeats)."""
    labels = np.zeros((n_patients, 1 + max(fold.repeat for fold in folds)), dtype=int)
    for fold in folds:
        labels[fold.test, fold.repeat] = fold.fold
    return labels


def halves(y: np.ndarray, n_halves: int, n_folds: int, rng: np.random.Generator) -> list[Half]:
    """Random halves of the patients, each with two cross-validations of its own, one behind the other.

    A half whose smaller class has too few patients for the folds takes as many folds as it can.
    """
    found: list[Half] = []
    while len(found) < TWICE * n_halves:
        rows = np.sort(rng.permutation(len(y))[: len(y) // 2])
        fewest = min(int(y[rows].sum()), int((1 - y[rows]).sum()))
        if fewest < 2:
            continue
        for _ in range(TWICE):
            folds = repeated_folds(y[rows], min(n_folds, fewest), 1, int(rng.integers(2**31)))
            found.append(Half(rows, fold_labels(folds, len(rows))[:, 0]))
    return found


def redeveloped(of: Problem, feature_set: str, estimator: BaseEstimator, drawn: Sequence[Half]) -> list[np.ndarray]:
    """Out-of-fold predictions of the rows of every half-sample, by models developed in it."""
    X, target = of.X[of.columns(feature_set)].to_numpy(), prediction.target(of, estimator)
    splits = [half.splits() for half in drawn]
    everything = iter(prediction.fitted_on(estimator, X, target, [split for own in splits for split in own]))
    return [collected(len(of.y), own, everything)[half.rows] for half, own in zip(drawn, splits, strict=True)]


def collected(n: int, splits: Sequence[tuple[np.ndarray, np.ndarray]], found: Iterator[np.ndarray]) -> np.ndarray:
    """The next predictions of the test rows of some splits, in one array; NaN for the other rows."""
    table = np.full(n, np.nan)
    for _, test in splits:
        table[test] = next(found)
    return table


def standard_error(full: np.ndarray, half: np.ndarray) -> float:
    """Standard error of the mean over repeats, from the same measure in half-samples.

    Parameters
    ----------
    full : ndarray, shape (n_repeats,)
        The measure in each repeat on all patients.
    half : ndarray, shape (n_halves, 2)
        In the two cross-validations of each half.
    """
    between = np.nanvar(np.nanmean(half, axis=1), ddof=1)
    split = np.nanmean((half[:, 0] - half[:, 1]) ** 2) / 2
    own = np.var(full, ddof=1) / len(full) if len(full) > 1 else split / 2
    return float(np.sqrt(max(between - split / TWICE, LEAST * between) + own))


def interval(
    full: np.ndarray,
    half: np.ndarray,
    comparisons: int = 1,
    level: float = 0.95,
    bounds: tuple[float, float] = (-np.inf, np.inf),
) -> dict[str, float]:
    """Mean over repeats with Student's interval from half-samples; widened for a number of comparisons (Bonferroni).

    Parameters
    ----------
    full : ndarray, shape (n_repeats,)
    half : ndarray, shape (n_halves, 2)
    comparisons : int
    level : float
    bounds : (float, float)
        Of the measure: no interval goes beyond them.

    Examples
    --------
    >>> found = interval(np.array([0.6, 0.62]), np.array([[0.5, 0.52], [0.7, 0.68], [0.6, 0.6]]))
    >>> round(found["value"], 2), found["ci_low"] < 0.5, found["ci_high"] > 0.7
    (0.61, True, True)
    """
    value = float(np.mean(full))
    usable = half[np.isfinite(half).all(axis=1)]
    if len(usable) < 3:
        return {"value": value, "ci_low": np.nan, "ci_high": np.nan}
    reach = float(stdtrit(len(usable) - 1, 1 - (1 - level) / comparisons / 2) * standard_error(full, usable))
    return {"value": value, "ci_low": max(value - reach, bounds[0]), "ci_high": min(value + reach, bounds[1])}


@dataclass(frozen=True)
class Developed:
    """Every model of a landmark, on all patients and in half-samples.

    Attributes
    ----------
    of : Problem
    predictions : dict of str to ndarray, shape (n_patients, n_repeats)
    fold : ndarray of int, shape (n_patients, n_repeats)
    drawn : list of Half
    halves : dict of str to list of ndarray
        Model to its predictions of the rows of each half, see `redeveloped`; fewer halves for a model that takes long.
    """

    of: Problem
    predictions: Mapping[str, np.ndarray]
    fold: np.ndarray
    drawn: Sequence[Half]
    halves: Mapping[str, list[np.ndarray]]
    _seen: dict[tuple[str, str], tuple[np.ndarray, np.ndarray]] = field(default_factory=dict, repr=False)

    def measured(self, model: str, measure: str, among: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """A measure in every repeat, and in every half-sample (n_halves, 2).

        Parameters
        ----------
        model : str
        measure : str
            A key of `MEASURES`.
        among : ndarray of bool, shape (n_patients,), optional
            Patients who are looked at.
        """
        if among is None and (model, measure) in self._seen:
            return self._seen[model, measure]
        metric, y, everybody = MEASURES[measure], self.of.y, among is None
        among = np.ones(len(y), dtype=bool) if among is None else among
        # a model that takes long has fewer repeats and fewer halves
        repeats = zip(self.predictions[model].T, self.fold.T, strict=False)
        full = [metric(y[among], p[among], fold[among]) for p, fold in repeats]
        half = [
            _defined(metric, y[own.rows][among[own.rows]], p[among[own.rows]], own.fold[among[own.rows]])
            for own, p in zip(self.drawn, self.halves.get(model, ()), strict=False)
        ]
        found = np.array(full), np.reshape(half, (-1, TWICE))
        if everybody:
            self._seen[model, measure] = found
        return found

    def interval(self, model: str, measure: str, among: np.ndarray | None = None) -> dict[str, float]:
        """A measure with its interval."""
        bounds = SHARES if measure in ("auroc", "brier_score") else (-np.inf, np.inf)
        return interval(*self.measured(model, measure, among), bounds=bounds)

    def difference(self, first: str, second: str, comparisons: int = 1) -> dict[str, float]:
        """Difference in AUROC, first less second, paired by repeat and half-sample."""
        (a, a_half), (b, b_half) = (self.measured(name, "auroc") for name in (first, second))
        repeats, n = min(len(a), len(b)), min(len(a_half), len(b_half))
        return interval(a[:repeats] - b[:repeats], a_half[:n] - b_half[:n], comparisons)


def _defined(metric: Callable, y: np.ndarray, p: np.ndarray, fold: np.ndarray) -> float:
    """The measure, or NaN in a half-sample that lacks an outcome."""
    return float(metric(y, p, fold)) if 0 < y.sum() < len(y) else np.nan


def permutation_test(of: Problem, feature_set: str, fold: np.ndarray, n: int, seed: int) -> dict[str, float]:
    """Whether a ridge regression ranks better than chance: the whole procedure on permuted outcomes.

    Outcomes are permuted within the test folds, so that folds keep their events and the training parts stay the same.

    Parameters
    ----------
    of : Problem
    feature_set : str
    fold : ndarray of int, shape (n_patients,)
        Test folds of one cross-validation.
    n : int
        Permutations.
    seed : int

    Returns
    -------
    dict
        p (one-sided: the share of outcomes, the observed ones among them, with an AUROC at least as high), and of the
        permuted outcomes mean, low and high (95 % range): what the procedure gives where nothing can be predicted.
    """
    rng = seeds.stream(seed, "permutation", of.landmark, feature_set)
    design = ridge.Design.of(of.X[of.columns(feature_set)].to_numpy(), np.array(of.free(feature_set)))
    Y = np.tile(of.y.astype(float), (n + 1, 1))
    folds = np.unique(fold)
    for k in folds:
        members = np.flatnonzero(fold == k)
        Y[1:, members] = rng.permuted(Y[1:, members], axis=1)
    labels = ridge.inner_labels(rng, np.stack([fold != k for k in folds]).astype(float))
    found = metrics.aurocs_within(Y, outcomes.out_of_fold(design, Y, fold, labels), fold)
    low, high = np.quantile(found[1:], [0.025, 0.975])
    p = float(np.mean(found >= found[0] - 1e-12))
    return {"p": p, "mean": float(found[1:].mean()), "low": float(low), "high": float(high)}


def holm(p: Mapping[int, float]) -> dict[int, float]:
    """P-values adjusted for their number (Holm 1979).

    Examples
    --------
    >>> holm({28: 0.01, 56: 0.04, 84: 0.03})
    {28: 0.03, 56: 0.06, 84: 0.06}
    """
    from statsmodels.stats.multitest import multipletests

    if not p:
        return {}
    adjusted = multipletests(list(p.values()), method="holm")[1]
    return dict(zip(p, (float(value) for value in adjusted), strict=True))


def summary(developed: Developed, measures: Sequence[str] = ("auroc", "brier_score", "scaled_brier")) -> pd.DataFrame:
    """Measures of every model with intervals.

    Returns
    -------
    pandas.DataFrame
        landmark, model, measure, value, ci_low, ci_high, n_patients, n_events. Calibration of the Cox score is left
        out: it is a ranking.
    """
    of, rows = developed.of, []
    for name in developed.predictions:
        for measure in measures:
            if (name == "cox" and measure != "auroc") or (name == "null" and measure.startswith("calibration")):
                continue
            rows.append(
                {"landmark": of.landmark, "model": name, "measure": measure} | developed.interval(name, measure)
            )
    return pd.DataFrame(rows).assign(n_patients=len(of.y), n_events=of.n_events)


def differences(developed: Developed, pairs: Sequence[tuple[str, str]], landmarks: int) -> pd.DataFrame:
    """Paired differences in AUROC, first less second.

    Parameters
    ----------
    developed : Developed
    pairs : sequence of (str, str)
    landmarks : int
        At how many landmarks a pair is compared.

    Returns
    -------
    pandas.DataFrame
        landmark, first, second, value, ci_low, ci_high, n_patients, n_events; all_low, all_high: the interval that
        holds at all landmarks at once (Bonferroni).
    """
    rows = []
    for first, second in pairs:
        wide = developed.difference(first, second, landmarks)
        both = {"all_low": wide["ci_low"], "all_high": wide["ci_high"]}
        rows.append(
            {"landmark": developed.of.landmark, "first": first, "second": second}
            | developed.difference(first, second)
            | both
        )
    return pd.DataFrame(rows).assign(n_patients=len(developed.of.y), n_events=developed.of.n_events)
