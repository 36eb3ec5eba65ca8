"""Minimum sample size to develop a prediction model for a binary outcome: the criteria of Riley and colleagues.

Four questions, each with the smallest n that answers yes: is the overall risk known precisely; is the
expected error of a prediction small; is overfitting small; is the optimism of the apparent fit small?
"""

import math

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from attrition.metrics import measures


def max_cox_snell(prevalence: float) -> float:
    r"""Largest Cox-Snell R-squared that an event rate allows: :math:`1 - (\phi^\phi (1 - \phi)^{1 - \phi})^2`."""
    return 1 - math.exp(2 * (prevalence * math.log(prevalence) + (1 - prevalence) * math.log(1 - prevalence)))


def cox_snell_r2(y_true: ArrayLike, y_prob: ArrayLike) -> float:
    r"""Cox-Snell R-squared of predictions that were not fitted to these patients; may be negative.

    :math:`1 - \exp\{2 (\ell(p) - \ell(\bar y))\}` with :math:`\ell` the mean negative log likelihood. `y_true` is the
    outcome, or the true probability of it (then the expected value).

    Examples
    --------
    >>> cox_snell_r2([0, 0, 1, 1], [0.5, 0.5, 0.5, 0.5])
    0.0
    """
    true, p = np.asarray(y_true, dtype=float), np.asarray(y_prob, dtype=float)
    y, weights = np.repeat([1, 0], true.size), np.concatenate([true, 1 - true])
    losses = [measures.log_loss(y, np.tile(q, 2), weights) for q in (p, np.full(p.size, true.mean()))]
    return float(1 - math.exp(2 * (losses[0] - losses[1])))


def _for_shrinkage(n_parameters: int, r2: float, shrinkage: float) -> float:
    return n_parameters / ((shrinkage - 1) * math.log(1 - r2 / shrinkage))


def expected_shrinkage(n_patients: int, n_parameters: int, r2: float) -> float:
    """Expected uniform shrinkage of a model developed on `n_patients`: the calibration slope to look forward to.

    Parameters
    ----------
    n_patients, n_parameters : int
    r2 : float
        Anticipated Cox-Snell R-squared.

    Returns
    -------
    float
        NaN when no shrinkage between `r2` and 1 fits.
    """

    def excess(shrinkage: float) -> float:
        return _for_shrinkage(n_parameters, r2, shrinkage) - n_patients

    low = r2 + (1 - r2) * 1e-9
    # n is smallest inside the interval: the larger root is the one that grows with n
    grid = np.linspace(low, 1 - 1e-9, 2001)
    start = grid[int(np.argmin([excess(s) for s in grid]))]
    return float(brentq(excess, start, 1 - 1e-12)) if excess(start) < 0 else float("nan")


def riley(
    n_parameters: int,
    prevalence: float,
    r2: float,
    shrinkage: float = 0.9,
    margin: float = 0.05,
    error: float = 0.05,
    optimism: float = 0.05,
) -> pd.DataFrame:
    r"""Smallest sample size by each criterion.

    Parameters
    ----------
    n_parameters : int
        Candidate predictor parameters.
    prevalence : float
        Anticipated event rate.
    r2 : float
        Anticipated Cox-Snell R-squared.
    shrinkage : float
        Wanted uniform shrinkage.
    margin : float
        Half width of the 95 % interval of the overall risk.
    error : float
        Mean absolute error of a predicted probability.
    optimism : float
        Difference of apparent and adjusted Nagelkerke R-squared.

    Returns
    -------
    pandas.DataFrame
        Rows ``overall risk, prediction error, shrinkage, optimism`` with ``criterion, target, n, events,
        events_per_parameter``. The study needs the largest.

    Raises
    ------
    ValueError
        When `r2` is not between 0 and what the event rate allows.

    Notes
    -----
    With :math:`\phi` the event rate, P parameters, R² of Cox and Snell and S the shrinkage:

    .. math::
        n_1 = (1.96/\delta)^2 \phi (1 - \phi), \quad
        \ln n_2 = \{-0.508 + 0.259 \ln\phi + 0.504 \ln P - \ln MAPE\} / 0.544, \quad
        n_3 = P / \{(S - 1) \ln(1 - R^2/S)\}

    The prediction error was simulated for event rates up to one half; above, the rarer outcome counts.
    And :math:`n_4` as :math:`n_3` with :math:`S = R^2 / (R^2 + \delta R^2_{max})`.

    References
    ----------
    Riley et al. (2020), BMJ 368, m441; Riley et al. (2019), Statistics in Medicine 38, 1276-1296;
    van Smeden et al. (2019), Stat Methods Med Res 28, 2455-2474 (the prediction error).

    Examples
    --------
    >>> riley(24, prevalence=0.174, r2=0.288)["n"].tolist()
    [221, 801, 623, 662]
    """
    if not 0 < r2 < max_cox_snell(prevalence):
        raise ValueError(f"an R-squared of {r2:.3f} is not possible at an event rate of {prevalence:.3f}")
    rarer = min(prevalence, 1 - prevalence)
    log_n = -0.508 + 0.259 * math.log(rarer) + 0.504 * math.log(n_parameters) - math.log(error)
    small_optimism = r2 / (r2 + optimism * max_cox_snell(prevalence))
    rows = {
        "overall risk": (margin, (1.96 / margin) ** 2 * prevalence * (1 - prevalence)),
        "prediction error": (error, math.exp(log_n / 0.544)),
        "shrinkage": (shrinkage, _for_shrinkage(n_parameters, r2, shrinkage)),
        "optimism": (optimism, _for_shrinkage(n_parameters, r2, small_optimism)),
    }
    table = pd.DataFrame(
        [{"criterion": name, "target": target, "n": math.ceil(n)} for name, (target, n) in rows.items()]
    )
    events = table["n"] * prevalence
    return table.assign(events=np.ceil(events).astype(int), events_per_parameter=events / n_parameters)
