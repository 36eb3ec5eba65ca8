"""The law of the simulated trial, trials drawn from it, and the published trial to the last byte.

The law is causal in one direction: enrolment (age, gender, arm, phase), length of follow-up, visits and
adverse events over that *whole* follow-up, then a risk score with unobserved noise, then dropout, then the
day of dropout. Since the day is drawn last, what a patient did after leaving still counts among their
features; `attrition.contract.contradictions` counts where that shows.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

import numpy as np
import pandas as pd

from attrition.metrics.calibration import inverse_logit
from attrition.simulate import draws
from attrition.simulate import law as laws
from attrition.simulate.draws import patient_ids, spell
from attrition.simulate.law import (
    PUBLISHED_LAW,
    Law,
    adverse_event_rate,
    arm_risk,
    phase_risk,
    probability,
    risk,
    visit_rate,
)

ENROLMENT = ("age", "gender", "treatment_group", "trial_phase")
FOLLOW_UP = ("days_in_trial", "visits_completed", "last_visit_day", "adverse_events")
OUTCOMES = ("dropout", "dropout_day", "early_dropout", "late_dropout", "dropout_30_days")
COVARIATES = ENROLMENT + FOLLOW_UP
COLUMNS = ("patient_id", *COVARIATES, *OUTCOMES)
NAMES = {"gender": laws.GENDERS, "treatment_group": laws.ARMS, "trial_phase": laws.PHASES}
Column: TypeAlias = np.ndarray | pd.api.extensions.ExtensionArray
PUBLISHED_N = 1000
PUBLISHED_MD5 = "132b617e5cb92e49e33bc50ed914abec"
PREVALENCES = ("default", "p24")


def draw_patients(law: Law, n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw covariates, DataFrame (n, 8): everything that the law fixes before dropout."""
    return _frame(_covariates(law, n, rng), COVARIATES)


def _frame(drawn: Mapping[str, Column], names: Iterable[str]) -> pd.DataFrame:
    """A table of columns of the given names, codes spelt out."""
    spelt = {column: spell(drawn[column], known) for column, known in NAMES.items()}
    return pd.DataFrame({name: spelt.get(name, drawn[name]) for name in names}, copy=False)


def _covariates(law: Law, n: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Columns of `draw_patients`, names as places in `NAMES`."""
    age = rng.integers(laws.AGE_LOW, laws.AGE_HIGH, n)
    codes = dict(zip(NAMES, rng.integers(0, 3, (3, n)), strict=True))
    days = rng.integers(laws.DAYS_LOW, laws.DAYS_HIGH, n)
    visits = (days / laws.VISIT_INTERVAL * draws.beta(*law.compliance, n, rng)).astype(int)
    last = draws.day(np.maximum(1, days - 60), days + 1, rng) * (visits > 0)
    counts = {"visits_completed": visits, "adverse_events": rng.poisson(laws.adverse_event_mean(age, days))}
    return codes | counts | {"age": age, "days_in_trial": days, "last_visit_day": last}


def draw_trial(
    law: Law, n: int, rng: np.random.Generator, prevalence_offset: float = 0.0, start: int = 1
) -> pd.DataFrame:
    """Draw a trial of `n` patients with the published columns in their order.

    Parameters
    ----------
    law : Law
    n : int
    rng : numpy.random.Generator
    prevalence_offset : float
        Added to the logit of dropout; see `attrition.simulate.oracle.offset_for_prevalence`.
    start : int
        Number of the first identifier.

    Returns
    -------
    DataFrame (n, 14)
        Columns `COLUMNS`; days in days since enrolment, dropout columns 0 for patients who stayed.
    """
    drawn = draw_arrays(law, n, rng, prevalence_offset)
    return _frame(drawn | {"patient_id": patient_ids(n, start)}, COLUMNS)


def draw_arrays(law: Law, n: int, rng: np.random.Generator, prevalence_offset: float = 0.0) -> dict[str, np.ndarray]:
    """`draw_trial` as bare arrays, for studies of many small trials, where tables of text cost more than drawing.

    The columns of `draw_trial` but patient_id, shape (n,); gender, arm and phase as places in `GENDERS`, `ARMS` and
    `PHASES`, which `attrition.simulate.law.risk` and `attrition.features.array` take as well.

    >>> drawn = draw_arrays(Law(), 5, np.random.default_rng(1))
    >>> trial = draw_trial(Law(), 5, np.random.default_rng(1))
    >>> trial["trial_phase"].tolist() == [laws.PHASES[code] for code in drawn["trial_phase"]]
    True
    """
    drawn = _covariates(law, n, rng)
    score = risk(law, drawn) + rng.normal(0, law.noise_sd, n)
    dropout = rng.random(n) < probability(law, score, prevalence_offset)
    return drawn | draws.draw_timing(law, drawn["days_in_trial"], dropout, score, rng)


def draw_chunks(
    law: Law, n: int, rng: np.random.Generator, prevalence_offset: float = 0.0, chunk: int = 100_000
) -> Iterator[pd.DataFrame]:
    """`draw_trial` piece by piece, identifiers running on, so that memory stays bounded by `chunk` whatever `n` is.

    >>> [len(piece) for piece in draw_chunks(Law(), 25, np.random.default_rng(1), chunk=10)]
    [10, 10, 5]
    """
    for first in range(0, n, chunk):
        yield draw_trial(law, min(chunk, n - first), rng, prevalence_offset, start=first + 1)


def published_trial(n: int = PUBLISHED_N, seed: int = 42) -> pd.DataFrame:
    """The published trial: 1,000 patients from one legacy random stream with seed 42, DataFrame (n, 14).

    All draws come from one stream in the published order, hence the legacy generator; only the timing of dropouts needs
    a loop, because its draws alternate between two kinds. Written by `csv_text` it has the md5 `PUBLISHED_MD5`. With
    another `n` or `seed`, what the published generator would have given.
    """
    legacy, law = np.random.RandomState(seed), PUBLISHED_LAW
    drawn = _published_covariates(legacy, law, n)
    score = risk(law, drawn) + legacy.normal(0, law.noise_sd, n)
    dropout = legacy.random_sample(n) < probability(law, score)
    drawn |= draws.draw_published(law, drawn["days_in_trial"], dropout, score, legacy)
    return _frame(drawn | {"patient_id": patient_ids(n)}, COLUMNS)


def _published_covariates(legacy: np.random.RandomState, law: Law, n: int) -> dict[str, np.ndarray]:
    age = legacy.randint(laws.AGE_LOW, laws.AGE_HIGH, n)
    codes = {name: legacy.randint(0, 3, n) for name in NAMES}
    days = legacy.randint(laws.DAYS_LOW, laws.DAYS_HIGH, n)
    visits = np.floor(days / laws.VISIT_INTERVAL * legacy.beta(*law.compliance, n)).astype(int)
    last_visit, seen = np.zeros(n, dtype=int), visits > 0
    last_visit[seen] = legacy.randint(np.maximum(1, days[seen] - 60), days[seen] + 1)
    counts = {"adverse_events": legacy.poisson(laws.adverse_event_mean(age, days)), "visits_completed": visits}
    return codes | counts | {"age": age, "days_in_trial": days, "last_visit_day": last_visit}


def random_baseline() -> pd.DataFrame:
    """The earlier data set, DataFrame (1000, 9): columns of the same kind, an outcome drawn without looking at them.

    Every feature is independent of dropout, so that every model's true auroc is .5.
    """
    legacy, n = np.random.RandomState(42), PUBLISHED_N
    ids = pd.array([f"P{legacy.randint(1000, 9999)}" for _ in range(n)], dtype="str")
    drawn: dict[str, Column] = {"patient_id": ids, "age": legacy.randint(laws.AGE_LOW, laws.AGE_HIGH, n)}
    drawn |= {name: legacy.randint(0, 3, n) for name in NAMES}
    drawn |= {"visits_completed": legacy.randint(0, 13, n), "adverse_events": legacy.poisson(0.5, n)}
    drawn |= {"days_in_trial": legacy.randint(1, 365, n), "dropout": legacy.choice([0, 1], n, p=(0.8, 0.2))}
    return _frame(drawn, drawn)


def csv_text(trial: pd.DataFrame) -> str:
    """CSV as published: no index, LF line ends."""
    return trial.to_csv(index=False, lineterminator="\n")


def md5(trial: pd.DataFrame) -> str:
    """Checksum of `csv_text`.

    Examples
    --------
    >>> md5(published_trial()) == PUBLISHED_MD5
    True
    """
    return hashlib.md5(csv_text(trial).encode(), usedforsecurity=False).hexdigest()


def published_formula(trial: pd.DataFrame) -> np.ndarray:
    r"""Probability by the formula in the published document, which is not the law that made its data, shape (n,).

    $1 / (1 + \exp(-(0.35 e + 0.30 (1 - v) + 0.20 f)))$: without the factor 100, slope, offset, noise, arm
    and age.
    """
    days = trial["days_in_trial"].to_numpy(float)
    rate = adverse_event_rate(trial["adverse_events"].to_numpy(float), days)
    kept = visit_rate(trial["visits_completed"].to_numpy(float), days)
    return inverse_logit(0.35 * rate + 0.30 * (1 - kept) + 0.20 * phase_risk(PUBLISHED_LAW, trial["trial_phase"]))
