"""What an operating point implies about the area under its ROC curve, by proof.

Arithmetic that settles printed claims jointly: a recall, a precision and an event rate fix a point of the ROC plane, a
point bounds the area of every curve through it, and a test part of n patients has finitely many points at all. See
`attrition.claims.printed` for what a single printed number can stand for.
"""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass

from attrition.claims.printed import Matrix, fpr_from, interval, matrices


def auc_bounds(tpr: float, fpr: float) -> tuple[float, float]:
    r"""Smallest and largest area of any ROC curve through one operating point.

    A ROC curve is a nondecreasing y(x) with y in [0, 1]. Through (f, t) it is at least 0 before f and at least t after
    it, and at most t before f and at most 1 after it. Integrating,

    .. math:: t (1 - f) \le AUC \le f t + (1 - f) = 1 - f (1 - t).

    Step curves attain both. The lower one needs every missed event to rank below every other patient and every false
    alarm to rank above every event: a model with that curve is improved by reversing its ranking within each side.
    The bounds hold for the empirical curve of a finite sample as well, ties included.

    Parameters
    ----------
    tpr, fpr : float
        True- and false-positive rate, in [0, 1].

    Returns
    -------
    low, high : float

    References
    ----------
    Fawcett T. An introduction to ROC analysis. Pattern Recognition Letters 2006;27:861-874.

    Examples
    --------
    >>> auc_bounds(0.5, 0.25)
    (0.375, 0.875)
    """
    return tpr * (1 - fpr), 1 - fpr * (1 - tpr)


def concave_auc_bounds(tpr: float, fpr: float) -> tuple[float, float]:
    r"""Smallest and largest area of a concave ROC curve through one operating point.

    The curve of a score that ranks by likelihood ratio is concave, and the concave hull of any curve is attained by
    randomising between two thresholds. *Lower bound:* a concave curve lies above its chords, so above the segments
    (0,0)-(f,t)-(1,1), whose area is :math:`(1 + t - f) / 2`. *Upper bound:* it lies below a supporting line at the
    point, :math:`y = t + m (x - f)`, and below 1. The line must pass above (0,0) and (1,1), hence
    :math:`(1-t)/(1-f) \le m \le t/f`. With :math:`x_1 = f + (1-t)/m` where the line meets 1, the area under the smaller
    of the two is

    .. math:: A(m) = 1 - m x_1^2 / 2 = 1 - \{m f^2 + 2 f (1-t) + (1-t)^2 / m\} / 2,

    concave in m with its maximum at :math:`m = (1-t)/f`, where :math:`A = 1 - 2 f (1 - t)`; when that slope is outside
    its limits, the nearer limit is best.

    Parameters
    ----------
    tpr, fpr : float
        True- and false-positive rate, with ``tpr >= fpr``.

    Returns
    -------
    low, high : float

    Raises
    ------
    ValueError
        No concave curve passes below the diagonal.

    References
    ----------
    Provost F, Fawcett T. Robust classification for imprecise environments. Machine Learning 2001;42:203-231.

    Examples
    --------
    >>> [round(bound, 4) for bound in concave_auc_bounds(0.72, 0.107)]
    [0.8065, 0.9401]
    >>> concave_auc_bounds(0.5, 0.5)
    (0.5, 0.5)
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
    """Smallest area that a printed recall and precision allow, whatever the rounding took away.

    At a given prevalence the bound ``t (1 - f)`` with ``f = c t`` is concave in t and monotone in c, and the concave
    curve's ``(1 + t - c t) / 2`` is linear in t: both are smallest at a corner of the rounding box.

    Parameters
    ----------
    recall, precision : float
        As printed.
    prevalence : float
    decimals : int
        Digits that were printed.
    concave : bool
        Whether the curve is taken to be concave, as that of any score that cannot be improved on by itself.

    Examples
    --------
    >>> round(smallest_auc(0.85, 0.55, 0.24, decimals=2), 3)
    0.657
    >>> round(smallest_auc(0.85, 0.55, 0.24, decimals=2, concave=True), 3)
    0.811
    """
    corners = itertools.product(interval(recall, decimals), interval(precision, decimals))
    points = [(t, fpr_from(t, p, prevalence)) for t, p in corners]
    return min((concave_auc_bounds if concave else auc_bounds)(t, f)[0] for t, f in points)


@dataclass(frozen=True)
class JointClaim:
    """What a printed recall, precision, AUROC and event rate imply together; made by `joint`."""

    positives: int
    negatives: int
    fits: tuple[Matrix, ...]
    fpr: float
    least_auc: float
    least_concave_auc: float
    possible: bool
    possible_if_concave: bool


def joint(
    recall: float,
    precision: float,
    auroc: float,
    positives: int,
    negatives: int,
    decimals: Mapping[str, int] | None = None,
) -> JointClaim:
    """Whether a printed recall, precision and AUROC can belong to one model on one test part.

    With counts given, only whole patients count: the claim needs a confusion matrix that fits, and a curve through
    that matrix whose area rounds to the printed one. Without a matrix the bounds of the rounding box are reported.

    Parameters
    ----------
    recall, precision, auroc : float
        As printed.
    positives, negatives : int
        Patients of the test part with and without the event.
    decimals : mapping, optional
        Digits printed of ``recall`` (precision alike) and ``auroc``; 3 unless given.

    Returns
    -------
    JointClaim

    Examples
    --------
    >>> claim = joint(0.85, 0.55, 0.643, 48, 152, {"recall": 2})
    >>> len(claim.fits), round(claim.least_auc, 3), claim.possible
    (2, 0.663, False)
    """
    digits = {"recall": 3, "auroc": 3, **(decimals or {})}
    prevalence = positives / (positives + negatives)
    fits = tuple(matrices(recall, precision, positives, negatives, digits["recall"]))
    if fits:
        least = min(auc_bounds(*fit.point)[0] for fit in fits)
        above = [fit.point for fit in fits if fit.point[0] >= fit.point[1]]
        concave = min((concave_auc_bounds(*point)[0] for point in above), default=math.inf)
    else:
        least, concave = (smallest_auc(recall, precision, prevalence, digits["recall"], hull) for hull in (False, True))
    printed = interval(auroc, digits["auroc"])[1] + 1e-12
    return JointClaim(
        positives=positives,
        negatives=negatives,
        fits=fits,
        fpr=fpr_from(recall, precision, prevalence),
        least_auc=least,
        least_concave_auc=concave,
        possible=bool(fits) and least <= printed,
        possible_if_concave=bool(fits) and concave <= printed,
    )
