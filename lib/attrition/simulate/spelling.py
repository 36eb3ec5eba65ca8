"""Names and identifiers of many patients as text, written by the block.

Text is the dearest part of a simulated table: handled one by one, names cost more than the random numbers behind them.
Here a run of names is looked up at once, as one longer string, and identifiers are copied a thousand at a time with
only their leading digits set anew. The columns that come out are those that a lookup patient by patient gives.
"""

import itertools
from collections.abc import Sequence
from functools import cache
from typing import TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa

Text: TypeAlias = pd.api.extensions.ExtensionArray
LARGEST_TABLE = 1000
"""Entries of a table of runs: it has to stay in the processor's cache."""
DIGITS = 4
"""Fewest digits of an identifier."""
BLOCK = 1000


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
    """Names by their places, as a column of text.

    Parameters
    ----------
    codes : ndarray of int, shape (n,)
        Places in `names`.
    names : sequence of str

    Returns
    -------
    pandas array of dtype ``str``, shape (n,)

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
    """Identifiers as text, in order.

    Parameters
    ----------
    n : int
        How many.
    start : int
        Number of the first.

    Returns
    -------
    pandas array of dtype ``str``, shape (n,)

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
