"""Ridge Cox model whose penalty is chosen inside the patients it is developed on."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin

from attrition.models.ridge import GRID, INNER_FOLDS, Follow, inner_labels
from attrition.survival import hazards


class RidgeCox(ClassifierMixin, BaseEstimator):
    """Cause-specific ridge Cox model; its score is the relative hazard on the logit scale.

    Fitted on ``y`` with the columns event and time. The penalty is the one with the highest cross-validated partial
    log-likelihood over inner folds. Ranking is what the score is for; the map to (0, 1) only keeps the order.

    Parameters
    ----------
    free : sequence of bool, optional
        Features without a penalty; features behind them (marks of gaps) are penalised.
    seed : int
        Of the inner folds.
    grid : sequence of float
        Inverse penalties, strongest penalty first.

    References
    ----------
    Verweij and van Houwelingen (1993), Statistics in Medicine 12, 2305-2314.
    """

    def __init__(self, free: Sequence[bool] | np.ndarray | None = None, seed: int = 0, grid: Sequence[float] = GRID):
        self.free, self.seed, self.grid = free, seed, grid

    def fit(self, X: Any, y: np.ndarray) -> Self:
        """Fit on ``y`` of shape (n_patients, 2): event, time."""
        X, (event, time) = np.asarray(X, dtype=float), np.asarray(y, dtype=float).T
        held, free = np.ones(X.shape[1]), np.asarray([] if self.free is None else self.free, dtype=bool)
        held[: len(free)] = ~free
        self.C_ = self._chosen(X, event == 1, time, held)
        self.coef_ = hazards.fit_cox(time, event == 1, X, ridge=held / self.C_ + hazards.HELD)
        self.classes_, self.centre_ = np.array([0, 1]), X.mean(axis=0)
        return self

    def _chosen(self, X: np.ndarray, event: np.ndarray, time: np.ndarray, held: np.ndarray) -> float:
        (label,) = inner_labels(np.random.default_rng(self.seed), np.ones((1, len(X))))
        kept = [label != k for k in range(INNER_FOLDS) if event[label != k].any()]
        beta, follow = np.zeros((len(kept), X.shape[1])), Follow(1)
        for position, C in enumerate(self.grid):
            penalty, lost = held / C + hazards.HELD, 0.0
            try:
                for k, rows in enumerate(kept):
                    part = time[rows], event[rows], X[rows]
                    beta[k] = hazards.fit_cox(*part, penalty, start=beta[k], tol=1e-2)
                    lost += hazards.log_likelihood(*part, beta[k]) - hazards.log_likelihood(time, event, X, beta[k])
            except ValueError:  # so weak a penalty lets a predictor separate the patients
                break
            if not follow.see(position, np.array([lost])):
                break
        return float(self.grid[follow.best[0]])

    def predict_proba(self, X: Any) -> np.ndarray:
        """Two columns, the second increasing in the hazard."""
        score = expit((np.asarray(X) - self.centre_) @ self.coef_)
        return np.column_stack([1 - score, score])
