"""What a large trial needs by the million, each drawn the shortest way that keeps its law: shares, days, text.

Text is the dearest part of a simulated table: handled one by one, names cost more than the random numbers behind them.
Arrow makes it a column at a time.
"""

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import compute

from attrition.simulate.law import EARLY_DAY, FIRST_MONTH, Law, early_probability

Text: TypeAlias = pd.api.extensions.ExtensionArray
DIGITS = 4
"""Fewest digits of an identifier."""


def beta(a: float, b: float, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw from Beta(a, b), from exponentials where `b` is whole.

    For whole $b$, $\\prod_{j<b} U_j^{1/(a+j)} = \\exp(-\\sum_{j<b} E_j / (a+j))$ with uniform $U_j$ and standard
    exponential $E_j$: $U^{1/a}$ is Beta(a, 1), and Beta(a, b) times an independent Beta(a + b, 1) is
    Beta(a, b + 1). Nothing is rejected, so that whole arrays are drawn at once.

    References
    ----------
    Devroye (1986), Non-Uniform Random Variate Generation, chapter IX.

    Examples
    --------
    >>> bool(abs(beta(5, 2, 10_000, np.random.default_rng(1)).mean() - 5 / 7) < 0.01)
    True
    """
    if not (a > 0 and b > 0):
        raise ValueError(f"a Beta distribution needs two positive shapes, not {a:g} and {b:g}")
    if b != math.floor(b):
        return rng.beta(a, b, n)
    waited = rng.standard_exponential(n) / a
    for j in range(1, int(b)):
        waited += rng.standard_exponential(n) / (a + j)
    return np.exp(-waited)


def day(low: np.ndarray, high: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw one whole day for each patient, every day from `low` up to, without, `high` equally likely.

    A uniform of 53 bits is stretched over the days and rounded down: each day's probability is right to
    $2^{-53}$ times the number of days, and the product never reaches `high`.

    >>> day(np.array([3, 90]), np.array([4, 91]), np.random.default_rng(1)).tolist()
    [3, 90]
    """
    return low + (rng.random(len(low)) * (high - low)).astype(int)


def _outcome(dropout: np.ndarray, early: np.ndarray, flagged: np.ndarray, when: np.ndarray) -> dict[str, np.ndarray]:
    found = {"dropout": dropout, "dropout_day": dropout * when, "early_dropout": dropout & early}
    found |= {"late_dropout": dropout & ~early, "dropout_30_days": dropout & flagged}
    return {name: column.astype(int) for name, column in found.items()}


def draw_timing(
    law: Law, days: np.ndarray, dropout: np.ndarray, score: np.ndarray, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Draw day and kind of each dropout; 0 without dropout.

    With probability min(.8, score) a dropout takes the early branch, a day in [1, min(90, days + 1));
    otherwise a day in [90, days], or in [1, days] when follow-up is shorter than 90 days. The last case
    counts as early too, but never as a dropout within 30 days, as in the published data.
    """
    branch = rng.random(len(days)) < early_probability(law, score)
    late = ~branch & (days >= EARLY_DAY)
    # sums and products instead of choices: a processor cannot guess which way a random patient goes
    low = 1 + (EARLY_DAY - 1) * late
    high = days + 1 - branch * np.maximum(days + 1 - EARLY_DAY, 0)
    gone = day(low, high, rng)
    return _outcome(dropout, ~late, branch & (gone <= FIRST_MONTH), gone)


def draw_published(
    law: Law, days: np.ndarray, dropout: np.ndarray, score: np.ndarray, legacy: np.random.RandomState
) -> dict[str, np.ndarray]:
    """Same as `draw_timing` from the legacy stream, patient by patient, as the published trial was made."""
    n = len(days)
    gone, branch = np.zeros(n, dtype=int), np.zeros(n, dtype=bool)
    for i in np.flatnonzero(dropout):
        branch[i] = legacy.random_sample() < min(law.early_cap, score[i])
        if branch[i]:
            gone[i] = legacy.randint(1, min(EARLY_DAY, days[i] + 1))
        else:
            gone[i] = legacy.randint(EARLY_DAY if days[i] >= EARLY_DAY else 1, days[i] + 1)
    late = ~branch & (days >= EARLY_DAY)
    return _outcome(dropout, ~late, branch & (gone <= FIRST_MONTH), gone)


def spell(codes: np.ndarray, names: Sequence[str]) -> Text:
    """Names by their places in `names`, as a column of text.

    >>> spell(np.array([1, 0, 1]), ("no", "yes")).tolist()
    ['yes', 'no', 'yes']
    """
    coded = pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(names, pa.large_string()))
    return pd.array(coded.dictionary_decode(), dtype="str")


def patient_ids(n: int, start: int = 1) -> Text:
    """Identifiers of `n` patients as text, in order, the first with the number `start`.

    >>> patient_ids(2).tolist()
    ['P-0001', 'P-0002']
    >>> patient_ids(2, 9_999).tolist()
    ['P-9999', 'P-10000']
    """
    numbers = compute.utf8_lpad(pa.array(np.arange(start, start + n)).cast(pa.large_string()), DIGITS, "0")
    letter, dash = (pa.scalar(text, pa.large_string()) for text in "P-")
    return pd.array(compute.binary_join_element_wise(letter, numbers, dash), dtype="str")
