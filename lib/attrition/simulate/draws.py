"""What a large trial needs by the million, each drawn the shortest way that keeps its law: shares, days, text.

Text is the dearest part of a simulated table: handled one by one, names cost more than the random numbers behind them.
A run of names is looked up at once, as one longer string, and identifiers are copied a thousand at a time with only
their leading digits set anew. The columns that come out are those that a lookup patient by patient gives.
"""

import itertools
import math
from collections.abc import Sequence
from functools import cache
from typing import TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa

from attrition.simulate.law import EARLY_DAY, FIRST_MONTH, Law, early_probability

Text: TypeAlias = pd.api.extensions.ExtensionArray
LARGEST_TABLE = 1000
"""Entries of a table of runs: it has to stay in the processor's cache."""
DIGITS = 4
"""Fewest digits of an identifier."""
BLOCK = 1000


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

    Examples
    --------
    >>> day(np.array([3, 90]), np.array([4, 91]), np.random.default_rng(1)).tolist()
    [3, 90]
    """
    return low + (rng.random(len(low)) * (high - low)).astype(int)


def _outcome(dropout: np.ndarray, early: np.ndarray, flagged: np.ndarray, when: np.ndarray) -> dict[str, np.ndarray]:
    return {
        "dropout": dropout.astype(int),
        "dropout_day": dropout * when,
        "early_dropout": (dropout & early).astype(int),
        "late_dropout": (dropout & ~early).astype(int),
        "dropout_30_days": (dropout & flagged).astype(int),
    }


def draw_timing(
    law: Law, days: np.ndarray, dropout: np.ndarray, score: np.ndarray, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Draw day and kind of each dropout.

    With probability min(.8, score) a dropout takes the early branch, a day in [1, min(90, days + 1));
    otherwise a day in [90, days], or in [1, days] when follow-up is shorter than 90 days. The last case
    counts as early too, but never as a dropout within 30 days, as in the published data.

    Returns
    -------
    dict of arrays (n,)
        dropout, dropout_day, early_dropout, late_dropout, dropout_30_days; 0 without dropout.
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


def _column(n: int, offsets: np.ndarray, content: pa.Buffer | np.ndarray) -> Text:
    buffer = content if isinstance(content, pa.Buffer) else pa.py_buffer(content)
    strings = pa.LargeStringArray.from_buffers(n, pa.py_buffer(np.ascontiguousarray(offsets, np.int64)), buffer)
    return pd.array(strings, dtype="str")


@cache
def _runs(names: tuple[str, ...]) -> tuple[pa.Array, np.ndarray, np.ndarray]:
    """All runs of as many names as the table may hold: joined, the ends of the names in each, and place values."""
    length = max(1, int(np.log(LARGEST_TABLE) / np.log(max(2, len(names)))))
    runs = list(itertools.product(names, repeat=length))
    joined = pa.array(["".join(run) for run in runs], pa.large_string())
    ends = np.cumsum([[len(name.encode()) for name in run] for run in runs], axis=1)
    return joined, ends, len(names) ** np.arange(length)[::-1]


def spell(codes: np.ndarray, names: Sequence[str]) -> Text:
    """Names by their places in `names`, as a column of text.

    Examples
    --------
    >>> spell(np.array([1, 0, 1]), ("no", "yes")).tolist()
    ['yes', 'no', 'yes']
    """
    joined, ends, values = _runs(tuple(names))
    n, length = len(codes), len(values)
    runs = np.append(codes, np.zeros(-n % length, dtype=codes.dtype)).reshape(-1, length) @ values
    offsets = np.zeros(1 + runs.size * length, dtype=np.int64)
    stops = offsets[1:].reshape(-1, length)
    ends.take(runs, axis=0, out=stops, mode="clip")
    stops[1:] += np.cumsum(stops[:-1, -1])[:, None]
    return _column(n, offsets, joined.take(pa.array(runs)).buffers()[2])


@cache
def _template(digits: int) -> np.ndarray:
    """Identifiers of one block, leading digits zero, bytes of shape (BLOCK, 2 + digits)."""
    numbers = "".join(f"P-{number:0{digits}d}" for number in range(BLOCK))
    return np.frombuffer(numbers.encode(), np.uint8).reshape(BLOCK, 2 + digits)


def _block_of_ids(start: int, stop: int, digits: int) -> np.ndarray:
    """Bytes of the identifiers from `start` up to `stop`, all of that many digits."""
    first, leading = start // BLOCK, digits - 3
    blocks = np.arange(first, -(-stop // BLOCK))
    written = np.tile(_template(digits), (len(blocks), 1)).reshape(len(blocks), BLOCK, 2 + digits)
    for place in range(leading):  # one digit of all identifiers at a time: much faster than all of one identifier
        written[:, :, 2 + place] = (ord("0") + blocks // 10 ** (leading - 1 - place) % 10)[:, None]
    return written.reshape(-1, 2 + digits)[start - first * BLOCK : stop - first * BLOCK].reshape(-1)


def patient_ids(n: int, start: int = 1) -> Text:
    """Identifiers of `n` patients as text, in order, the first with the number `start`.

    Examples
    --------
    >>> patient_ids(2).tolist()
    ['P-0001', 'P-0002']
    >>> patient_ids(2, 9_999).tolist()
    ['P-9999', 'P-10000']
    """
    stop, parts, offsets = start + n, [np.empty(0, np.uint8)], [np.zeros(1, np.int64)]
    while start < stop:
        digits = max(DIGITS, len(str(start)))
        end = min(stop, 10**digits)
        parts.append(_block_of_ids(start, end, digits))
        offsets.append(offsets[-1][-1] + (2 + digits) * np.arange(1, 1 + end - start))
        start = end
    return _column(n, np.concatenate(offsets), np.concatenate(parts))
