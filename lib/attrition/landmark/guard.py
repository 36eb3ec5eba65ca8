"""The leak guard: refuse features that nobody could have known, and procedures that saw the outcome.

Four independent checks, because each is blind to something: names that CDISC derives from the outcome; a declared day
on which every feature is known; a screen for single features that tell too much; and, strongest, building the features
again from a trial whose future has been deleted. `guard_folds` and `guard_procedure` do the same for a validation.
"""

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
import pandas as pd

from attrition import metrics
from attrition.cdisc.trial import COMPLETED, NO_EVENT, Trial
from attrition.landmark.cohort import WORDS, cut_day
from attrition.metrics import intervals
from attrition.resampling import Fold, repeated_folds
from notebook_report import errors

Array = np.ndarray

DERIVED = frozenset(WORDS["derived"].split())
"""Variables of SDTM, ADaM and this package that are derived from how or when a patient left."""
SUSPICIOUS = 0.75
ALMOST_PERFECT = 0.9
SCREEN_LEVEL = 0.999
SCREEN_FLOOR = 0.65
SCREEN_FOLDS = 5
SCREEN_WEIGHT = 1.0
"""Patients with the event rate of all who are added to every level of a category, so that a rare one says little."""


class LeakError(errors.Refusal, ValueError):
    """A feature or a procedure that knows the outcome; the message lists every offender and why."""

    exit_code = errors.CONTRACT


def derived_from_outcome(names: Sequence[str]) -> list[str]:
    """Names that are a CDISC variable derived from the outcome, also as one of its 0/1 columns.

    >>> derived_from_outcome(["age", "TRTDURD", "comp24fl_y", "ae_count"])
    ['TRTDURD', 'comp24fl_y']
    """
    return [name for name in names if name.upper() in DERIVED or name.upper().rsplit("_", 1)[0] in DERIVED]


def screen(X: pd.DataFrame, y: Array, suspicious: float = SUSPICIOUS, weights: Array | None = None) -> pd.Series:
    """Single features with a suspicious AUROC in either direction, whose 99.9 % interval lies above `SCREEN_FLOOR`.

    Missing values count as a value of their own when they tell more than the numbers; a category is taken as a whole,
    see `level_rates`.

    >>> y = np.repeat([0, 1], 50)
    >>> screen(pd.DataFrame({"leak": y + 0.0, "noise": np.tile([0.0, 1.0], 50)}), y).to_dict()
    {'leak': 1.0}
    >>> screen(pd.DataFrame({"code": np.array(["00", "01", "02"])[y + y * (np.arange(100) % 2)]}), y).to_dict()
    {'code': 1.0}
    """
    found: dict[str, float] = {}
    numbers = X.select_dtypes("number").columns
    for name in [*numbers, *X.columns.difference(numbers, sort=False)]:
        for score, value in _alone(X[name], y, weights):
            if _suspicious(y, score, value, suspicious, weights):
                found[name] = max(value, found.get(name, 0.0))
    return pd.Series(found, dtype=float)


def _alone(values: pd.Series, y: Array, weights: Array | None) -> list[tuple[Array, float]]:
    """Scores that a single feature gives, and their AUROCs; of a number the value and whether it is missing."""
    if not pd.api.types.is_numeric_dtype(values):
        score = level_rates(values, y, weights)  # below one half is noise: the rates come from other patients
        return [(score, metrics.auroc(y, score, weights))]
    number = values.to_numpy(float)
    scores = np.where(np.isnan(number), np.nanmedian(number), number), np.isnan(number).astype(float)
    aurocs = [metrics.auroc(y, score, weights) for score in scores]
    return [(s, a) if a >= 0.5 else (-s, 1 - a) for s, a in zip(scores, aurocs, strict=True)]


def alone(values: pd.Series, y: Array, weights: Array | None = None) -> intervals.Interval:
    """AUROC of a single feature by its better score, with its interval."""
    score, _ = max(_alone(values, y, weights), key=lambda one: one[1])
    return intervals.auroc_interval(y, score, weights=weights)


def _suspicious(y: Array, score: Array, value: float, suspicious: float, weights: Array | None) -> bool:
    if not value >= suspicious:
        return False
    low = 1.0 if value > 1 - 1e-9 else intervals.auroc_interval(y, score, SCREEN_LEVEL, weights)["ci_low"]
    return bool(low > SCREEN_FLOOR)


def level_rates(values: pd.Series, y: Array, weights: Array | None = None) -> Array:
    """Event rate of each patient's level of a category, among the patients of the other folds.

    One 0/1 column a level would miss a category that tells the outcome by several levels together. A missing value is a
    level like the others; a level that the other folds do not have gets the rate of all.

    >>> level_rates(pd.Series(list("aabbaabb")), np.array([0, 0, 1, 1, 0, 0, 1, 1])).round(3).tolist()
    [0.125, 0.125, 0.875, 0.875, 0.125, 0.125, 0.875, 0.875]
    """
    w = np.ones(len(y)) if weights is None else weights
    level, rates = pd.factorize(values, use_na_sentinel=False)[0], np.full(len(y), np.average(y, weights=w))
    n_folds = min(SCREEN_FOLDS, int(np.bincount(y.astype(int), minlength=2).min()))
    for fold in repeated_folds(y, n_folds) if n_folds > 1 else ():
        own, seen, base = w[fold.train], level[fold.train], np.average(y[fold.train], weights=w[fold.train])
        n, events = (np.bincount(seen, weight, level.max() + 1) for weight in (own, own * y[fold.train]))
        rates[fold.test] = ((events + SCREEN_WEIGHT * base) / (n + SCREEN_WEIGHT))[level[fold.test]]
    return rates


def forget(trial: Trial, landmark: int) -> Trial:
    """The trial as it stood at the landmark: later records deleted, everybody still at risk stays to the end."""
    cut = cut_day(landmark)
    events = trial.events[(trial.events["day"] <= cut) & (trial.events["known_day"] <= cut)].reset_index(drop=True)
    patients = trial.patients.copy()
    open_end = patients["event_day"] > landmark
    patients.loc[open_end, ["event_day", "time"]] = [float(trial.horizon + 1), float(trial.horizon)]
    patients.loc[open_end, ["reason", "reason_group"]] = ["COMPLETED", COMPLETED]
    patients.loc[open_end, ["event_group", "status"]] = NO_EVENT
    return dataclasses.replace(trial, patients=patients, events=events)


def changed_by_the_future(build: Callable[[Trial], pd.DataFrame], trial: Trial, landmark: int) -> list[str]:
    """Columns of ``build(trial)`` that change, are lost or are gained when the future has been deleted."""
    now, then = build(trial), build(forget(trial, landmark))
    if not now.index.equals(then.index):
        return list(now.columns)
    differing = [name for name in now if name not in then or not now[name].equals(then[name])]
    return differing + [name for name in then if name not in now]


def _told(name: str, value: float) -> str:
    how = "almost perfectly" if value >= ALMOST_PERFECT else "better than any honest column is expected to"
    return (
        f"alone it ranks leavers {how} (AUROC {value:.2f}), so it was probably filled in afterwards; leave it out of "
        f'[baseline], or, if it was known in time, say so there: known_on_day_1 = ["{name}"]'
    )


def guard(
    X: pd.DataFrame,
    declared: Mapping[str, float],
    landmark: int,
    y: Array | None = None,
    build: Callable[[Trial], pd.DataFrame] | None = None,
    trial: Trial | None = None,
    suspicious: float = SUSPICIOUS,
    weights: Array | None = None,
    exempt: Collection[str] = (),
) -> None:
    """Raise when a feature of a landmark model could not have been known, or tells too much, with all reasons.

    Parameters
    ----------
    X : pandas.DataFrame, shape (n_patients, n_features)
        Features as the reader knows them, categories as they are: messages name its columns.
    declared : mapping of str to float
        Study day on which each feature is known, see `cohort.dictionary`.
    landmark : int
    y : ndarray, shape (n_patients,), optional
        For the single-feature screen.
    build, trial : callable and Trial, optional
        For building the features again without the future.
    suspicious : float
        AUROC from which a single feature is refused.
    weights : ndarray, shape (n_patients,), optional
        Of censoring, for the screen.
    exempt : collection of str
        Columns that may tell as much as they will: the randomised arm, and what is declared known on day 1.

    Examples
    --------
    >>> guard(pd.DataFrame({"TRTDURD": [60.0]}), {"TRTDURD": 1}, 28)
    Traceback (most recent call last):
    ...
    attrition.landmark.guard.LeakError: TRTDURD: CDISC derives it from the outcome
    """
    numbers = X.select_dtypes("number").columns  # only a number may be one of the 0/1 columns of a derived variable
    derived = [name for name in derived_from_outcome(list(X)) if name in numbers or name.upper() in DERIVED]
    found = [(name, "CDISC derives it from the outcome") for name in derived]
    found += [(name, "declares no day on which it is known") for name in X if name not in declared]
    late = {name: day for name, day in declared.items() if name in X and not day <= cut_day(landmark)}
    found += [(name, f"known on day {day:g}, after the landmark of day {landmark}") for name, day in late.items()]
    if y is not None:
        told = screen(X.drop(columns=[name for name in X if name in exempt]), np.asarray(y), suspicious, weights)
        found += [(f"column {name}", _told(str(name), value)) for name, value in told.items()]
    if build is not None and trial is not None:
        changed = changed_by_the_future(build, trial, landmark)
        found += [(name, f"changes when records after day {landmark} are deleted") for name in changed]
    if found:
        raise LeakError("; ".join(f"{name}: {why}" for name, why in found))


def guard_folds(folds: Sequence[Fold], patient_id: Sequence) -> None:
    """Raise when a patient (`patient_id` of each row) is on both sides of a fold."""
    ids = np.asarray(patient_id)
    shared = [len(np.intersect1d(ids[fold.train], ids[fold.test])) for fold in folds]
    if any(shared):
        raise LeakError(f"{max(shared)} patients have rows in both parts of a fold")


Procedure = Callable[[Array, np.random.Generator], tuple[Array, Array]]


def guard_procedure(
    procedure: Procedure, y: Array, rng: np.random.Generator, n_permutations: int = 20, z: float = 4.0
) -> float:
    """Raise when a validation finds something in outcomes that were shuffled; else their mean AUROC.

    ``procedure(y, rng)`` gives outcomes and out-of-fold predictions of its rows. Honest cross-validation lies slightly
    below chance; `z` standard errors above it count.

    References
    ----------
    Ojala and Garriga (2010), J Mach Learn Res 11, 1833-1863.
    """
    values = np.array([metrics.auroc(*procedure(rng.permutation(y), rng)) for _ in range(n_permutations)])
    error = values.std(ddof=1) / np.sqrt(n_permutations)
    if values.mean() > 0.5 + z * error:
        raise LeakError(f"an AUROC of {values.mean():.2f} on shuffled outcomes: the validation has seen the outcome")
    return float(values.mean())
