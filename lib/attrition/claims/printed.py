"""Arithmetic that settles printed claims without data.

A printed number is an interval: ``.720`` stands for every value between .7195 and .7205. A claim is *impossible* when
no patients could have produced it, whatever the model: no count k out of n lies in the interval, the margins of a
matrix do not add up, or no curve with the printed area passes through the printed point. Intervals are closed at both
ends, so every doubt goes to the claim.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np


def interval(printed: float, decimals: int) -> tuple[float, float]:
    """Values that a printed number can stand for.

    Parameters
    ----------
    printed : float
        The number as printed.
    decimals : int
        Digits printed after the point; -1 stands for a number rounded to tens.

    Returns
    -------
    low, high : float
        ``printed - u/2`` and ``printed + u/2`` with ``u = 10**-decimals``.

    Examples
    --------
    >>> interval(0.72, 3)
    (0.7195, 0.7205)
    """
    half = Fraction(1, 2) / Fraction(10) ** decimals
    exact = Fraction(str(printed))
    return float(exact - half), float(exact + half)


def rounds_to(value: float, printed: float, decimals: int) -> bool:
    """Whether `value` rounds to the printed number.

    Examples
    --------
    >>> rounds_to(0.6434, 0.643, 3), rounds_to(0.6436, 0.643, 3)
    (True, False)
    """
    low, high = interval(printed, decimals)
    return low - 1e-12 <= value <= high + 1e-12


def attainable(printed: float, n: int, decimals: int = 3) -> list[int]:
    """Counts k for which k/n rounds to the printed proportion.

    Parameters
    ----------
    printed : float
        Proportion between 0 and 1, as printed.
    n : int
        Denominator.
    decimals : int
        Digits printed.

    Returns
    -------
    list of int
        Empty when no count out of `n` gives the printed value.

    Examples
    --------
    Of 48 dropouts, 34 are 70.8 % and 35 are 72.9 %: nobody can find 72.0 % of them.

    >>> attainable(0.720, 48), attainable(0.720, 200)
    ([], [144])
    """
    low, high = (Fraction(str(end)) for end in interval(printed, decimals))
    first, last = math.ceil(low * n), math.floor(high * n)
    return list(range(max(first, 0), min(last, n) + 1))


@dataclass(frozen=True)
class Matrix:
    """A confusion matrix as counts of patients."""

    tn: int
    fp: int
    fn: int
    tp: int

    @property
    def positives(self) -> int:
        """Patients with the event."""
        return self.tp + self.fn

    @property
    def negatives(self) -> int:
        """Patients without the event."""
        return self.tn + self.fp

    @property
    def n(self) -> int:
        """All patients."""
        return self.positives + self.negatives

    @property
    def f1(self) -> float:
        """Harmonic mean of recall and precision."""
        return 2 * self.tp / (2 * self.tp + self.fp + self.fn)

    @property
    def point(self) -> tuple[float, float]:
        """Operating point: true-positive rate and false-positive rate."""
        return self.tp / self.positives, self.fp / self.negatives


def matrices(recall: float, precision: float, positives: int, negatives: int, decimals: int = 3) -> list[Matrix]:
    """Every confusion matrix with the printed recall and precision.

    Parameters
    ----------
    recall, precision : float
        As printed, to `decimals` digits.
    positives, negatives : int
        Patients with and without the event.
    decimals : int

    Returns
    -------
    list of Matrix
        Empty when recall and precision cannot both be right.

    Examples
    --------
    >>> matrices(0.85, 0.55, 48, 152, decimals=2)
    [Matrix(tn=119, fp=33, fn=7, tp=41), Matrix(tn=118, fp=34, fn=7, tp=41)]
    >>> matrices(0.720, 0.680, 48, 152)
    []
    """
    low, high = interval(precision, decimals)
    return [
        Matrix(tn=negatives - fp, fp=fp, fn=positives - tp, tp=tp)
        for tp in attainable(recall, positives, decimals)
        for fp in range(negatives + 1)
        if tp + fp and low - 1e-12 <= tp / (tp + fp) <= high + 1e-12
    ]


def sums_to(parts: Sequence[float], total: float, decimals: int | None = None) -> bool:
    """Whether printed parts can add up to a printed total.

    Counts (`decimals` is None) must do so exactly; k parts rounded to `decimals` digits leave a slack of half a unit
    each, and so does the total.

    Examples
    --------
    >>> sums_to([17, 143], 60)
    False
    >>> sums_to([0.333, 0.333, 0.333], 1.0, decimals=3)
    True
    """
    slack = 0.0 if decimals is None else (len(parts) + 1) * 0.5 * 10.0**-decimals
    return abs(math.fsum(parts) - total) <= slack + 1e-12


def sd_range(printed: Sequence[float], decimals: int, ddof: int) -> tuple[float, float]:
    r"""Bounds on the standard deviation of numbers known only as printed.

    The standard deviation is a seminorm: with x the printed numbers and e what rounding took away,
    :math:`|sd(x + e) - sd(x)| \le sd(e)`. Each :math:`|e_i| \le u/2` with u the last printed unit, so that
    :math:`sd(e) \le (u/2) \sqrt{n / (n - ddof)}`.

    Parameters
    ----------
    printed : sequence of float, shape (n,)
    decimals : int
        Digits printed.
    ddof : {0, 1}
        Divisor ``n - ddof``.

    Returns
    -------
    low, high : float

    Examples
    --------
    >>> low, high = sd_range([0.721, 0.695, 0.682, 0.708, 0.685], 3, ddof=1)
    >>> f"{low:.4f} {high:.4f}"
    '0.0157 0.0169'
    """
    n = len(printed)
    spread = 0.5 * 10.0**-decimals * math.sqrt(n / (n - ddof))
    middle = float(np.std(printed, ddof=ddof))
    return max(0.0, middle - spread), middle + spread


def folds_agree(printed: Sequence[float], mean: float, sd: float, decimals: int = 3) -> dict[str, bool]:
    """Whether a printed mean and standard deviation can come from the printed folds.

    Parameters
    ----------
    printed : sequence of float, shape (n_folds,)
    mean, sd : float
        Printed summary, to the same number of digits.
    decimals : int
        That number.

    Returns
    -------
    dict
        ``mean``; ``sd``, true when either divisor (n or n - 1) can give it.

    Examples
    --------
    >>> folds_agree([0.721, 0.695, 0.682, 0.708, 0.685], 0.698, 0.023)
    {'mean': True, 'sd': False}
    """
    half = 0.5 * 10.0**-decimals
    low, high = interval(sd, decimals)
    ranges = [sd_range(printed, decimals, ddof) for ddof in (0, 1)]
    return {
        "mean": abs(float(np.mean(printed)) - mean) <= 2 * half + 1e-12,
        "sd": any(first <= high + 1e-12 and last >= low - 1e-12 for first, last in ranges),
    }


def relative_change(before: float, after: float, decimals: int) -> tuple[float, float]:
    """Bounds on a relative change ``after / before - 1`` whose two ends are printed.

    For positive numbers the quotient rises with `after` and falls with `before`: its extremes are at opposite ends.

    Examples
    --------
    >>> low, high = relative_change(0.52, 0.70, 2)
    >>> f"{low:.3f} {high:.3f}"
    '0.324 0.369'
    """
    before_low, before_high = interval(before, decimals)
    after_low, after_high = interval(after, decimals)
    return after_low / before_high - 1, after_high / before_low - 1


def fpr_from(recall: float, precision: float, prevalence: float) -> float:
    """False-positive rate that recall, precision and prevalence imply.

    Bayes' rule solved for the rate: ``recall * odds(prevalence) * (1 - precision) / precision``.

    Examples
    --------
    >>> round(fpr_from(0.72, 0.68, 0.24), 3)
    0.107
    """
    return recall * prevalence / (1 - prevalence) * (1 - precision) / precision
