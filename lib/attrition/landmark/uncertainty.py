"""How far an estimate of cross-validation would move with other patients: the models are developed anew.

Resampling patients over predictions that stay fixed leaves out that another trial would have trained other models, and
its intervals are too short (`attrition.studies.intervals` has the coverage of this and of other methods on the pilot's
own design). Here every step, the choice of penalties included, is repeated in random halves of the patients, drawn
without replacement, in two cross-validations each, or one where the sample itself has one. For an estimate whose
variance is inverse to the number of patients, the variance between half-samples is its own variance; what two
cross-validations of the same half differ by is the noise of the split, which the full sample averages over its repeats.

Last, one model for all landmarks (the super-landmark model of van Houwelingen and Putter): the rows of all of them
stacked, with effects that may change with the landmark. A patient gives one row a landmark at which it is at risk;
folds and inner folds take patients, never rows.

References
----------
van Houwelingen (2007), Scandinavian Journal of Statistics 34, 70-85. van Houwelingen and Putter (2012), Dynamic
Prediction in Clinical Survival Analysis, chapter 7.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit
from sklearn.base import BaseEstimator

from attrition import metrics, seeds
from attrition.landmark import prediction
from attrition.landmark.prediction import Problem
from attrition.metrics import evaluator, ranks
from attrition.models import ridge
from attrition.resampling import Fold, placed, repeated_folds

Array = np.ndarray

TWICE = 2
"""Cross-validations of a half-sample, unless `splits` says one."""
LEAST = 0.1
"""Smallest share of the variance between halves that is left when the noise of the split is taken off."""
CALIBRATED = ("arm_only", "all", "xgb", "lgbm")
"""Models whose calibration is examined."""
SIZES = {
    "n_repeats": (1.0, 0.01, 1),  # splits anew move an AUROC by s at most
    "leak_repeats": (1.0, 0.01, 1),
    "n_half_samples": (1.7, 0.01, 4),  # ends of an interval: 2 x 1.2 s / sqrt(2 m)
    "n_bootstraps": (2.5, 0.002, 200),  # ends of a percentile interval
    "optimism_bootstraps": (1.0, 0.002, 10),  # a mean over resamples
    "n_draws": (2.5, 0.002, 500),  # ends of a percentile interval, partly of an effect that patients do not make surer
    "band_trials": (12.0, 0.02, 100),  # a share, of bands that are as wide as s
}
"""By parameter: error in units of s of what is drawn once, the error of all that is wanted, and the fewest draws."""
AT_ONCE = 4_000_000
"""Permuted outcomes, patients times permutations, that are held at once."""
PERIOD = 28.0
"""Days by which the model of all landmarks counts the landmark."""
ANY = (-np.inf, np.inf)
Chosen = Mapping[str, tuple[str, BaseEstimator]]
"""Models by name: feature set, and unfitted estimator."""
BOUNDS = dict.fromkeys(("auroc", "auroc_pooled", "average_precision", "brier_score"), (0.0, 1.0))
"""What a measure cannot lie beyond."""


def taken() -> list[str]:
    """The evaluator's measures but for the one that takes too long to be developed anew."""
    return [name for name in evaluator.MEASURES if name != evaluator.SLOW]


def measured(measure: str, y: Array, p: Array, fold: Array, weight: Array) -> float:
    """A measure of `evaluator.MEASURES` in one cross-validation, NaN without both outcomes.

    The AUROC is that within test folds, ``auroc_pooled`` the one over all pairs.
    """
    if not 0 < y[weight > 0].sum() < np.count_nonzero(weight):
        return np.nan
    if measure == "auroc":
        return metrics.auroc_within(y, p, fold, weight)
    return float(evaluator.MEASURES[measure.removesuffix("_pooled")](y, p, weights=weight))


def fold_labels(folds: Sequence[Fold], n_patients: int) -> Array:
    """Test fold of every patient in every repeat, -1 for whom it leaves out; shape (n_patients, n_repeats)."""
    return np.nan_to_num(placed(folds, [fold.fold for fold in folds], n_patients), nan=-1).astype(int)


def halves(
    y: Array, n_halves: int, n_folds: int, rng: np.random.Generator, known: Array | None = None, n_splits: int = TWICE
) -> list[Fold]:
    """Random halves of the patients, each with cross-validations of its own: a repeat each, one behind the other.

    A half whose smaller class has too few patients for the folds takes as many folds as it can; where outcomes are not
    `known`, those count that are.
    """
    stayed = 1 - y if known is None else (1 - y) * known
    found: list[Fold] = []
    number = 0
    while number < n_splits * n_halves:
        rows = np.sort(rng.permutation(len(y))[: len(y) // 2])
        fewest = min(int(y[rows].sum()), int(stayed[rows].sum()))
        if fewest < 2:
            continue
        for _ in range(n_splits):
            folds = repeated_folds(y[rows], min(n_folds, fewest), 1, int(rng.integers(2**31)))
            found += [Fold(number, one.fold, rows[one.train], rows[one.test]) for one in folds]
            number += 1
    return found


def standard_error(full: Array, half: Array) -> float:
    """Standard error of the mean over repeats, from the same measure in the cross-validations of each half.

    Shapes: `full` (n_repeats,), `half` (n_halves, n_splits). With one split its noise stays in, and is small.
    """
    between, n_splits = np.nanvar(np.nanmean(half, axis=1), ddof=1), half.shape[1]
    split = np.nanmean(np.nanvar(half, axis=1, ddof=1)) if n_splits > 1 else 0.0
    own = np.var(full, ddof=1) / len(full) if len(full) > 1 else split / 2
    return float(np.sqrt(max(between - split / n_splits, LEAST * between) + own))


def interval(full: Array, half: Array, comparisons: int = 1, bounds: tuple[float, float] = ANY) -> dict[str, float]:
    """Mean over repeats, `full` (n_repeats,), with Student's 95 % interval from `half`-samples (n_halves, n_splits).

    It is widened to hold for a number of comparisons (Bonferroni) and does not go beyond the bounds of the measure.

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
    reach = float(stdtrit(len(usable) - 1, 1 - 0.05 / comparisons / 2) * standard_error(full, usable))
    return {"value": value, "ci_low": max(value - reach, bounds[0]), "ci_high": min(value + reach, bounds[1])}


@dataclass(frozen=True)
class Developed:
    """Every model of a landmark, on all patients, (n_patients, n_repeats), and in half-samples, (n_patients, n_halves).

    Who is not in a half has no prediction and the fold -1 there. A model that takes long has fewer repeats and halves.
    """

    of: Problem
    predictions: Mapping[str, Array]
    fold: Array
    halves: Mapping[str, Array]
    half_fold: Array
    n_splits: int = TWICE
    known: dict[tuple[str, str], tuple[Array, Array]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def measured(self, model: str, measure: str, among: Array | None = None) -> tuple[Array, Array]:
        """A measure in every repeat, and in every half-sample (n_halves, n_splits); of all patients or some."""
        if among is not None:
            return self._measured(model, measure, among)
        if (model, measure) not in self.known:
            self.known[model, measure] = self._measured(model, measure, np.ones(len(self.of.y), dtype=bool))
        return self.known[model, measure]

    def _measured(self, model: str, measure: str, among: Array) -> tuple[Array, Array]:
        def each(tables: Mapping[str, Array], folds: Array) -> Array:
            found = []
            for p, fold in zip(tables[model].T if model in tables else (), folds.T, strict=False):
                inside = np.flatnonzero(fold >= 0)
                weight, rows = self.of.weights_of(inside)[among[inside]], inside[among[inside]]
                found.append(measured(measure, self.of.y[rows], p[rows], fold[rows], weight))
            return np.array(found)

        return each(self.predictions, self.fold), each(self.halves, self.half_fold).reshape(-1, self.n_splits)

    def interval(self, model: str, measure: str, among: Array | None = None) -> dict[str, float]:
        """A measure with its interval."""
        return interval(*self.measured(model, measure, among), bounds=BOUNDS.get(measure, ANY))

    def difference(self, first: str, second: str, comparisons: int = 1) -> dict[str, float]:
        """Difference in AUROC, first less second, paired by repeat and half-sample."""
        (a, a_half), (b, b_half) = (self.measured(name, "auroc") for name in (first, second))
        repeats, n = min(len(a), len(b)), min(len(a_half), len(b_half))
        return interval(a[:repeats] - b[:repeats], a_half[:n] - b_half[:n], comparisons)


def develop(
    of: Problem,
    chosen: Chosen,
    folds: list[Fold],
    drawn: list[Fold],
    fewer: dict[str, tuple[int, int]] | None = None,
    n_splits: int = TWICE,
) -> Developed:
    """Every model of `prediction.estimators` on all patients, and anew in half-samples for its intervals.

    The mapping `fewer` has repeats and half-samples of models that take long; `drawn` has `n_splits` a half-sample.
    """
    predictions, halved = {"null": prediction.event_rates(of, folds)}, {}
    for name, (feature_set, estimator) in chosen.items():
        n_repeats, n_halves = (fewer or {}).get(name, (len(folds), len(drawn)))
        predictions[name] = prediction.out_of_fold(of, feature_set, estimator, up_to(folds, n_repeats))
        halved[name] = prediction.out_of_fold(of, feature_set, estimator, up_to(drawn, n_splits * n_halves))
    labels, half_labels = (fold_labels(each, len(of.y)) for each in (folds, drawn))
    return Developed(of, predictions, labels, halved, half_labels, n_splits)


def sized(p: Any, of: Problem) -> Any:
    r"""Parameters with as many repeats and resamples as the stated Monte-Carlo errors ask for, at most their own.

    An AUROC of :math:`n_1` patients with the event and :math:`n_0` without has, where nothing is predicted, the
    standard error :math:`s = \sqrt{(n_0 + n_1 + 1) / (12 n_0 n_1)}`. What is drawn :math:`m` times has the error
    :math:`a s / \sqrt m`, see `SIZES`.
    """
    s = np.sqrt((of.n_events + of.n_stayed + 1) / (12 * of.n_events * of.n_stayed))
    asked = {name: max(least, int(np.ceil((a * s / within) ** 2))) for name, (a, within, least) in SIZES.items()}
    own = {name: (getattr(p, name), asked[key]) for key in SIZES for name in vars(p) if name.startswith(key)}
    fewer = {name: needed for name, (most, needed) in own.items() if needed < most}
    return p.but(**fewer) if fewer else p


def splits(p: Any) -> int:
    """Cross-validations of a half-sample: one, where the sample itself has one, since its split hardly moves it."""
    return min(TWICE, p.n_repeats)


def up_to(folds: Sequence[Fold], n_repeats: int) -> list[Fold]:
    """The folds of the first repeats."""
    return [fold for fold in folds if fold.repeat < n_repeats]


def against_chance(of: Problem, feature_set: str, fold: Array, n: int, seed: int) -> dict[str, float]:
    """Whether a ridge regression ranks better than chance: the whole procedure on n permuted outcomes.

    Outcomes are permuted within the test folds of one cross-validation, so that folds keep their events and the
    training parts stay the same; each outcome keeps its weight. Every fit is one Newton step, that of the observed
    outcome like the others, so that the test is exact.

    Gives p (one-sided: the share of outcomes, the observed ones among them, with an AUROC at least as high), and of the
    permuted outcomes mean, low and high (95 % range): what the procedure gives where nothing can be predicted.
    """
    rng = seeds.stream(seed, "permutation", of.landmark, feature_set)
    everybody, folds = np.arange(len(of.y)), np.unique(fold)
    design = ridge.Design.of(of.X[of.columns(feature_set)].to_numpy(), np.array(of.free(feature_set)))
    inner = np.empty(len(fold), dtype=int)
    inner[np.lexsort((rng.random(len(fold)), fold))] = everybody % ridge.INNER_FOLDS
    one_step = ridge.OneStep(design, fold, inner, weight=None if of.cause is None else of.weight)
    found, size = np.empty(n + 1), max(1, AT_ONCE // len(of.y))
    for first in range(0, n + 1, size):
        of_whom = np.tile(everybody, (min(size, n + 1 - first), 1))
        for members in (np.flatnonzero(fold == k) for k in folds):
            of_whom[:, members] = rng.permuted(of_whom[:, members], axis=1)
        if first == 0:
            of_whom[0] = everybody
        Y, weights = np.asarray(of.y, dtype=float)[of_whom], None if of.cause is None else of.weight[of_whom]
        found[first : first + size] = metrics.aurocs_within(Y, one_step(Y, weights), fold, weights)
    low, high = np.quantile(found[1:], [0.025, 0.975]).tolist()
    p = float(np.mean(found >= found[0] - 1e-12))
    return {"p": p, "mean": float(found[1:].mean()), "low": low, "high": high}


def holm(p: Mapping[int, float]) -> dict[int, float]:
    """P-values adjusted for their number (Holm 1979).

    >>> holm({28: 0.01, 56: 0.04, 84: 0.03})
    {28: 0.03, 56: 0.06, 84: 0.06}
    """
    from statsmodels.stats.multitest import multipletests

    adjusted = multipletests(list(p.values()), method="holm")[1].tolist() if p else []
    return dict(zip(p, adjusted, strict=True))


def summary(developed: Developed) -> pd.DataFrame:
    """Measures of every model with intervals.

    Returns
    -------
    pandas.DataFrame
        landmark, model, measure, value, ci_low, ci_high, n_patients, n_events, n_censored. Calibration is that of the
        models `CALIBRATED`; of the Cox score there is the AUROC only, since it is a ranking.
    """
    of, rows = developed.of, []
    for model, measure in itertools.product(developed.predictions, taken()):
        ranking_only = model == "cox" and measure != "auroc"
        if not ranking_only and (model in CALIBRATED or not measure.startswith("calibration")):
            named = {"landmark": of.landmark, "model": model, "measure": measure}
            rows.append(named | developed.interval(model, measure))
    return pd.DataFrame(rows).assign(**of.size)


def differences(developed: Developed, pairs: Sequence[tuple[str, str]], landmarks: int) -> pd.DataFrame:
    """Paired differences in AUROC, first less second, of the pairs whose models were both developed.

    Returns
    -------
    pandas.DataFrame
        landmark, first, second, value, ci_low, ci_high, `Problem.size`; all_low, all_high: the interval that
        holds at so many `landmarks` at once (Bonferroni).
    """
    of, rows = developed.of, []
    for first, second in (pair for pair in pairs if set(pair) <= set(developed.predictions)):
        wide = developed.difference(first, second, landmarks)
        named = {"landmark": of.landmark, "first": first, "second": second, "measure": "auroc"}
        both = {"all_low": wide["ci_low"], "all_high": wide["ci_high"]}
        rows.append(named | developed.difference(first, second) | both)
    return pd.DataFrame(rows).assign(**of.size)


@dataclass(frozen=True)
class Stack:
    """Rows of all landmarks: features that all have, the landmark, and their products; patients by number.

    The arm and the landmark are not penalised (`free`); `ids` are those of the patients, `parts` the problems.
    """

    parts: Sequence[Problem]
    X: Array
    y: Array
    landmark: Array
    patient: Array
    free: Array
    ids: pd.Index

    def training(self, allowed: Array) -> tuple[Array, Array]:
        """Rows of the allowed patients, and their weights, estimated among them at each landmark."""
        here, ends = allowed[self.patient], np.cumsum([len(of.y) for of in self.parts])
        own = [np.flatnonzero(part) for part in np.split(here, ends[:-1])]
        weights = [of.weights_of(rows) for of, rows in zip(self.parts, own, strict=True)]
        return np.flatnonzero(here), np.concatenate(weights)


def stacked(problems: Mapping[int, Problem]) -> Stack:
    """The stack of several landmarks' problems."""
    parts = list(problems.values())
    common = [name for name in parts[0].columns("all") if all(name in of.X for of in parts)]
    ids = pd.Index(sorted(set().union(*(of.X.index for of in parts))))
    landmark = np.concatenate([np.full(len(of.y), float(of.landmark)) for of in parts])
    moved = ((landmark - landmark.mean()) / PERIOD)[:, None]
    X = np.concatenate([of.X[common].to_numpy(float) for of in parts])
    centred = X - np.nanmean(X, axis=0)
    arm = np.array([name in parts[0].groups.get("arm", ()) for name in common])
    free = np.concatenate([arm, [True], np.zeros(len(common), dtype=bool)])
    patient = np.concatenate([ids.get_indexer(of.X.index) for of in parts])
    y = np.concatenate([of.y for of in parts])
    table = np.hstack([X, moved, np.where(np.isnan(X), 0.0, centred) * moved])
    return Stack(parts, table, y, landmark, patient, free, ids)


def _predicted(stack: Stack, of: Problem, cases: Sequence[tuple[Array, Array]], seed: int) -> list[Array]:
    """Predictions of test rows of a landmark, by models of all rows of the patients that may be trained on.

    Each case names the test rows of the landmark, and, for all patients of the stack, who may be trained on.
    """
    trainings, weights = map(list, zip(*(stack.training(allowed) for _, allowed in cases), strict=True))
    estimator = ridge.RidgeLogistic(free=stack.free, seed=seeds.integer(seed, "penalty", "together", of.landmark))
    found = estimator.probabilities(stack.X, stack.y, trainings, stack.patient, weights)
    rows = np.flatnonzero(stack.landmark == of.landmark)
    return [ranks.settled(p[rows][test]) for p, (test, _) in zip(found, cases, strict=True)]


def developed_together(
    stack: Stack, of: Problem, folds: Sequence[Fold], drawn: Sequence[Fold], seed: int
) -> tuple[Array, Array]:
    """Predictions at a landmark by the model of all of them, as in `Developed`: out of fold, and in half-samples.

    A half-sample takes half of the patients of the landmark, and half of those who had left before it.
    """
    own, cases = stack.ids.get_indexer(of.X.index), []
    gone = np.setdiff1d(np.arange(len(stack.ids)), own)
    for fold in (*folds, *drawn):
        rows, allowed = np.sort(np.concatenate([fold.train, fold.test])), np.ones(len(stack.ids), dtype=bool)
        if len(rows) < len(own):  # the same of those who had left in every cross-validation of a half
            allowed[np.setdiff1d(own, own[rows])] = False
            allowed[np.random.default_rng(rows).permutation(gone)[: (len(gone) + 1) // 2]] = False
        allowed[own[fold.test]] = False
        cases.append((fold.test, allowed))
    found = _predicted(stack, of, cases, seed)
    parts = (folds, found[: len(folds)]), (drawn, found[len(folds) :])
    whole, halves = (placed(each, part, len(of.y)) for each, part in parts)
    return whole, halves
