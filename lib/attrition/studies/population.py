"""Independent patients on whom models are judged, each with its exact probability of dropout.

Where a patient counts with P(dropout | features), the luck of drawing outcomes does not enter.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from attrition import features, simulate
from attrition.metrics import ranks
from attrition.simulate import oracle
from attrition.simulate.law import PUBLISHED_LAW

Array = np.ndarray


@dataclass(frozen=True)
class Population:
    """Patients that no model saw: inputs, P(dropout | features), and the control variate `shift`.

    That is by how much the oracle's exact ``auroc`` and ``brier_score`` exceed those on these patients. Added to a
    model's measure it takes away most of the luck of this draw; paired differences stay.
    """

    X: Array
    probability: Array
    shift: Mapping[str, float]


@lru_cache(maxsize=16)
def exact(offset: float) -> dict[str, float]:
    """Exact prevalence and performance of the oracle under an offset; see `attrition.simulate.oracle.exact`."""
    return oracle.exact(PUBLISHED_LAW, offset)


def drawn(names: tuple[str, ...], n: int, rng: np.random.Generator, offset: float = 0.0) -> Population:
    """Draw a population with the named features; the same patients under every offset."""
    patients = simulate.draw_arrays(PUBLISHED_LAW, n, rng)
    p = oracle.of_patients(PUBLISHED_LAW, patients, offset)
    here = {"auroc": float(ranks.soft_auroc(p, p)[0]), "brier_score": float(oracle.expected_brier(p, p).mean())}
    shift = {measure: exact(offset)[measure.removesuffix("_score")] - value for measure, value in here.items()}
    return Population(np.ascontiguousarray(features.array(patients, names)), p, shift)


def simulated(names: Sequence[str], n: int, rng: np.random.Generator, offset: float = 0.0) -> tuple[Array, Array]:
    """A trial to develop models on: model inputs (n, p) and drawn outcomes (n,)."""
    patients = simulate.draw_arrays(PUBLISHED_LAW, n, rng, offset)
    return features.array(patients, names), patients["dropout"]
