"""Random numbers that a large trial needs by the million, each drawn the shortest way that keeps its law."""

import math

import numpy as np


def beta(a: float, b: float, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw from Beta(a, b), from exponentials where `b` is whole.

    For whole $b$, $\\prod_{j<b} U_j^{1/(a+j)} = \\exp(-\\sum_{j<b} E_j / (a+j))$ with uniform $U_j$ and standard
    exponential $E_j$: $U^{1/a}$ is Beta(a, 1), and Beta(a, b) times an independent Beta(a + b, 1) is
    Beta(a, b + 1). Nothing is rejected, so that whole arrays are drawn at once.

    Parameters
    ----------
    a, b : float
        Both positive.
    n : int
        Number of draws.
    rng : numpy.random.Generator

    Returns
    -------
    array (n,)
        Between 0 and 1.

    Raises
    ------
    ValueError
        A shape is not positive.

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

    Parameters
    ----------
    low, high : int array (n,)
        First possible day, and the day after the last.
    rng : numpy.random.Generator

    Returns
    -------
    int array (n,)

    Notes
    -----
    A uniform of 53 bits is stretched over the days and rounded down: each day's probability is right to
    $2^{-53}$ times the number of days, and the product never reaches `high`.

    Examples
    --------
    >>> day(np.array([3, 90]), np.array([4, 91]), np.random.default_rng(1)).tolist()
    [3, 90]
    """
    return low + (rng.random(len(low)) * (high - low)).astype(int)
