"""Arithmetic that settles printed claims without data.

A printed number is an interval: ``.720`` stands for every value between .7195 and .7205. A claim is *impossible* when
no patients could have produced it, whatever the model: no count k out of n lies in the interval, the margins of a
matrix do not add up, or no curve with the printed area passes through the printed point. Intervals are closed at both
ends, so every doubt goes to the claim. A recall, a precision and an event rate fix a point of the ROC plane, and a
point bounds the area of every curve through it.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

NEAR = 1e-12


def interval(printed: float, decimals: int) -> tuple[float, float]:
    """Values that a number printed to so many decimals can stand for; -1 decimals is a number rounded to tens.

    Examples
    --------
    >>> interval(0.72, 3)
    (0.7195, 0.7205)
    """
    half = Fraction(1, 2) / Fraction(10) ** decimals
    exact = Fraction(str(printed))
    return float(exact - half), float(exact + half)


def rounds_to(value: float, printed: float, decimals: int) -> bool:
    """Whether `value` rounds to the printed number."""
    low, high = interval(printed, decimals)
    return low - NEAR <= value <= high + NEAR


def attainable(printed: float, n: int, decimals: int = 3) -> list[int]:
    """Counts k for which k/n rounds to the printed proportion.

    Of 48 dropouts, 34 are 70.8 % and 35 are 72.9 %: nobody can find 72.0 % of them.
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
    def f1(self) -> float:
        """Harmonic mean of recall and precision."""
        return 2 * self.tp / (2 * self.tp + self.fp + self.fn)

    @property
    def point(self) -> tuple[float, float]:
        """Operating point: true-positive rate and false-positive rate."""
        return self.tp / self.positives, self.fp / (self.tn + self.fp)


def matrices(recall: float, precision: float, positives: int, negatives: int, decimals: int = 3) -> list[Matrix]:
    """Every confusion matrix with the recall and precision that were printed to so many decimals."""
    return [
        Matrix(tn=negatives - fp, fp=fp, fn=positives - tp, tp=tp)
        for tp in attainable(recall, positives, decimals)
        for fp in range(negatives + 1)
        if tp + fp and rounds_to(tp / (tp + fp), precision, decimals)
    ]


def sums_to(parts: Sequence[float], total: float, decimals: int | None = None) -> bool:
    """Whether printed parts can add up to a printed total.

    Counts (`decimals` is None) must do so exactly; k parts rounded to `decimals` digits leave a slack of half a unit
    each, and so does the total.
    """
    slack = 0.0 if decimals is None else (len(parts) + 1) * 0.5 * 10.0**-decimals
    return abs(math.fsum(parts) - total) <= slack + NEAR


def sd_range(printed: Sequence[float], decimals: int, ddof: int) -> tuple[float, float]:
    r"""Bounds on the standard deviation of numbers known only as printed.

    The standard deviation is a seminorm: with x the printed numbers and e what rounding took away,
    :math:`|sd(x + e) - sd(x)| \le sd(e)`. Each :math:`|e_i| \le u/2` with u the last printed unit, so that
    :math:`sd(e) \le (u/2) \sqrt{n / (n - ddof)}`.
    """
    n = len(printed)
    spread = 0.5 * 10.0**-decimals * math.sqrt(n / (n - ddof))
    middle = float(np.std(printed, ddof=ddof))
    return max(0.0, middle - spread), middle + spread


def folds_agree(printed: Sequence[float], mean: float, sd: float, decimals: int = 3) -> dict[str, bool]:
    """Whether a printed mean, and a standard deviation by either divisor (n or n - 1), can come from printed folds."""
    low, high = interval(sd, decimals)
    ranges = [sd_range(printed, decimals, ddof) for ddof in (0, 1)]
    return {
        "mean": abs(float(np.mean(printed)) - mean) <= 10.0**-decimals + NEAR,
        "sd": any(first <= high + NEAR and last >= low - NEAR for first, last in ranges),
    }


def relative_change(before: float, after: float, decimals: int) -> tuple[float, float]:
    """Bounds on a change ``after / before - 1`` of printed positive numbers: its extremes are at opposite ends."""
    before_low, before_high = interval(before, decimals)
    after_low, after_high = interval(after, decimals)
    return after_low / before_high - 1, after_high / before_low - 1


def fpr_from(recall: float, precision: float, prevalence: float) -> float:
    """False-positive rate that recall, precision and prevalence imply: Bayes' rule solved for the rate."""
    return recall * prevalence / (1 - prevalence) * (1 - precision) / precision


def auc_bounds(tpr: float, fpr: float) -> tuple[float, float]:
    r"""Smallest and largest area of any ROC curve through one operating point.

    A ROC curve is a nondecreasing y(x) with y in [0, 1]. Through (f, t) it is at least 0 before f and at least t after
    it, and at most t before f and at most 1 after it. Integrating,

    .. math:: t (1 - f) \le AUC \le f t + (1 - f) = 1 - f (1 - t).

    Step curves attain both, in a finite sample too, ties included. The lower one needs every missed event to rank below
    every other patient and every false alarm above every event: reversing the ranking within each side improves it.

    References
    ----------
    Fawcett T. An introduction to ROC analysis. Pattern Recognition Letters 2006;27:861-874.
    """
    return tpr * (1 - fpr), 1 - fpr * (1 - tpr)


def concave_auc_bounds(tpr: float, fpr: float) -> tuple[float, float]:
    r"""Smallest and largest area of a concave ROC curve through one operating point at or above the diagonal.

    The curve of a score that ranks by likelihood ratio is concave, and the concave hull of any curve is attained by
    randomising between two thresholds. *Lower bound:* a concave curve lies above its chords, so above the segments
    (0,0)-(f,t)-(1,1), whose area is :math:`(1 + t - f) / 2`. *Upper bound:* it lies below a supporting line at the
    point, :math:`y = t + m (x - f)`, and below 1. The line must pass above (0,0) and (1,1), hence
    :math:`(1-t)/(1-f) \le m \le t/f`. With :math:`x_1 = f + (1-t)/m` where the line meets 1, the area under the smaller
    of the two is

    .. math:: A(m) = 1 - m x_1^2 / 2 = 1 - \{m f^2 + 2 f (1-t) + (1-t)^2 / m\} / 2,

    concave in m with its maximum at :math:`m = (1-t)/f`, where :math:`A = 1 - 2 f (1 - t)`; when that slope is outside
    its limits, the nearer limit is best.

    References
    ----------
    Provost F, Fawcett T. Robust classification for imprecise environments. Machine Learning 2001;42:203-231.
    """
    if tpr < fpr:
        raise ValueError(f"a concave ROC curve lies above the diagonal: tpr {tpr} is below fpr {fpr}")
    low = (1 + tpr - fpr) / 2
    missed = 1 - tpr
    if fpr == 0 or missed == 0:
        return low, 1.0
    slope = min(max(missed / fpr, missed / (1 - fpr)), tpr / fpr)
    return low, 1 - (slope * fpr**2 + 2 * fpr * missed + missed**2 / slope) / 2


def smallest_auc(recall: float, precision: float, prevalence: float, decimals: int, concave: bool = False) -> float:
    """Smallest area of any curve, or of a concave one, that a printed recall and precision allow.

    At a given prevalence the bound ``t (1 - f)`` with ``f = c t`` is concave in t and monotone in c, and the concave
    curve's ``(1 + t - c t) / 2`` is linear in t: both are smallest at a corner of the rounding box.
    """
    corners = itertools.product(interval(recall, decimals), interval(precision, decimals))
    points = [(t, fpr_from(t, p, prevalence)) for t, p in corners]
    return min((concave_auc_bounds if concave else auc_bounds)(t, f)[0] for t, f in points)


@dataclass(frozen=True)
class JointClaim:
    """What a printed recall, precision, AUROC and event rate imply together; made by `joint`."""

    fits: tuple[Matrix, ...]
    fpr: float
    least_auc: float
    least_concave_auc: float
    possible: bool
    possible_if_concave: bool


def joint(
    recall: float, precision: float, auroc: float, positives: int, negatives: int, decimals: int = 3
) -> JointClaim:
    """Whether a recall and precision, printed to `decimals` digits, and an AUROC to three can belong to one model.

    Only whole patients count: the claim needs a confusion matrix of the test part that fits, and a curve through it
    whose area rounds to the printed one. Without a matrix the bounds of the rounding box are reported.

    >>> claim = joint(0.85, 0.55, 0.643, 48, 152, decimals=2)
    >>> len(claim.fits), round(claim.least_auc, 3), claim.possible
    (2, 0.663, False)
    """
    prevalence = positives / (positives + negatives)
    fits = tuple(matrices(recall, precision, positives, negatives, decimals))
    if fits:
        least = min(auc_bounds(*fit.point)[0] for fit in fits)
        above = [fit.point for fit in fits if fit.point[0] >= fit.point[1]]
        concave = min((concave_auc_bounds(*point)[0] for point in above), default=math.inf)
    else:
        least, concave = (smallest_auc(recall, precision, prevalence, decimals, hull) for hull in (False, True))
    most = interval(auroc, 3)[1] + NEAR
    rate = fpr_from(recall, precision, prevalence)
    return JointClaim(fits, rate, least, concave, bool(fits) and least <= most, bool(fits) and concave <= most)
