"""A made-up trial in which it is known what contacts gain: constant hazards by reason, a formula for the truth.

Two arms; the hazard of an adverse event depends on the arm and on one covariate, that of an addressable reason on
another, the competing one on nothing. `truth` integrates over the patients' own hazards, not over what happens.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from attrition.worth import model
from attrition.worth.model import Array

HORIZON = 140.0
ADVERSE_PLACEBO, ADVERSE_ACTIVE, OWN, COMPETING = 0.10, 0.45, 0.11, 0.02
"""Risks by the horizon of each reason alone, at covariates of zero."""
SLOPES = {"adverse": 0.6, "own": 0.8}


@dataclass(frozen=True)
class World:
    """Patients with their hazards (n, 3: addressable, adverse, competing), and what happened to them."""

    arm: Array
    hazards: Array
    time: Array
    cause: Array

    @property
    def risks(self) -> dict[str, Array]:
        """True risks of leaving by the horizon for any reason but the competing one, and for an addressable reason."""
        total = self.hazards.sum(axis=1)
        left = (1 - np.exp(-HORIZON * total)) / total
        return {"all_cause": (self.hazards[:, 0] + self.hazards[:, 1]) * left, "addressable": self.hazards[:, 0] * left}

    def gained(self, contacted: Array, ratio: float, delta: float) -> float:
        """True completers gained per 100 when some are contacted at the start: a formula, not a count."""
        own, total = self.hazards[:, 0], self.hazards.sum(axis=1)
        saved = np.exp(-HORIZON * total) * (np.exp(own * (1 - ratio) * (HORIZON - delta)) - 1)
        return float(100 * (saved * contacted).mean())

    def strata(self, contacted: Array | None = None, parts: int = 1) -> Array:
        """Arms; in a large trial by so many parts of the true risks of both reasons among those who are contacted."""
        found = self.arm
        for hazard in self.hazards.T[:2] if contacted is not None else ():
            cuts = np.quantile(hazard[contacted], np.arange(1, parts) / parts)
            found = found * parts + np.searchsorted(cuts, hazard)
        return found


def drawn(n: int, rng: np.random.Generator, ratio: float = 1.0, delta: float = 7.0) -> World:
    """A trial; with a `ratio` other than one, everybody is contacted at the start."""
    arm, x = rng.integers(0, 2, n), rng.standard_normal((n, 2))
    base = np.where(arm == 1, ADVERSE_ACTIVE, ADVERSE_PLACEBO)
    rates = [
        -np.log(1 - OWN) * np.exp(SLOPES["own"] * x[:, 1]),
        -np.log(1 - base) * np.exp(SLOPES["adverse"] * x[:, 0]),
    ]
    hazards = np.column_stack([*rates, np.full(n, -np.log(1 - COMPETING))]) / HORIZON
    waits = rng.exponential(size=(n, 3)) / hazards
    late = waits[:, 0] > delta
    waits[late, 0] = delta + (waits[late, 0] - delta) / ratio
    first, time = waits.argmin(axis=1), waits.min(axis=1)
    cause = np.array([model.ADDRESSABLE, model.ADVERSE, model.COMPETING])[first]
    return World(arm, hazards, np.ceil(np.minimum(time, HORIZON)), np.where(time > HORIZON, model.STAYED, cause))


def chosen(of: World) -> dict[str, Array]:
    """Whom strategies contact that know the true risks: everybody, the highest 30 %, the active arm."""
    top = {f"{name}_30": risk >= np.quantile(risk, 0.7) for name, risk in of.risks.items()}
    return {"everybody": np.ones(len(of.time), dtype=bool), **top, "arm": of.arm == 1}


def estimated(of: World, contacted: Array, log_h: ArrayLike, delta: float, weight: Array, strata: Array) -> Array:
    """`model.gained` per 100 patients in every column of the weights."""
    start = np.where(contacted, 0.0, np.inf)
    factor = model.multipliers(of.time, of.cause, start, {model.ADDRESSABLE: log_h}, delta)
    counts = weight * contacted[:, None]
    found: Mapping[str, Array] = model.gained(of.time, of.cause, strata, counts, np.broadcast_to(factor, counts.shape))
    return 100 * found["completers"] / weight.sum(axis=0)
