"""Does the estimate of completers gained find the truth, do its intervals hold it, and is the verdict seldom wrong?

Aims: bias, coverage and false alarms of chapter 10. Data: made-up trials in which it is known what contacts gain. Two
arms; constant hazards by reason: that of an adverse event depends on the arm and on one covariate, that of an
addressable reason on another, the competing one on nothing. Estimand: completers gained per 100 patients by contacting
everybody, the 30 % with the highest true risks, or the active arm, integrated over the patients' own hazards, not over
what happens. Methods: product limits in strata, intervals from half-samples. Measures: relative error in one very large
trial; mean error, coverage and *worth it* over trials of the size of a pilot.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from joblib import delayed
from numpy.typing import ArrayLike

from attrition import engine, seeds, studies
from attrition.metrics.intervals import wilson
from attrition.worth import model, strategies
from attrition.worth.model import Array

NAME, SEED = "worth", 20_261_128
N, SIZE, N_HALVES, DELTA, RATIO = 400_000, 250, 200, 7.0, 0.8
PLANTED = {"nothing": 1.0, "harm": 1.1}
"""Hazard ratios planted for the verdict, which holds the prior and not the truth."""
ERROR = 0.07
"""Standard error of the log hazard ratio in a study within a trial of 4,000 patients, about."""
VALUE, COST = 14_000.0, 1.0
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

    @property
    def chosen(self) -> dict[str, Array]:
        """Whom strategies contact that know the true risks: everybody, the highest 30 %, the active arm."""
        top = {f"{name}_30": risk >= np.quantile(risk, 0.7) for name, risk in self.risks.items()}
        return {"everybody": np.ones(len(self.time), dtype=bool), **top, "arm": self.arm == 1}

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

    def estimated(self, contacted: Array, log_h: ArrayLike, weight: Array, strata: Array | None = None) -> Array:
        """`model.gained` per 100 patients in every column of the weights, by arms where nothing else is said."""
        counts, strata = weight * contacted[:, None], self.arm if strata is None else strata
        found = model.gained(self.time, self.cause, strata, counts, 0.0, {model.ADDRESSABLE: log_h}, DELTA)
        return 100 * found["completers"] / weight.sum(axis=0)


def drawn(n: int, rng: np.random.Generator, ratio: float = 1.0, delta: float = DELTA) -> World:
    """A trial; with a `ratio` other than one, everybody is contacted at the start."""
    arm, x = rng.integers(0, 2, n), rng.standard_normal((n, 2))
    own = -np.log(1 - OWN) * np.exp(SLOPES["own"] * x[:, 1])
    base = np.where(arm == 1, ADVERSE_ACTIVE, ADVERSE_PLACEBO)
    adverse = -np.log(1 - base) * np.exp(SLOPES["adverse"] * x[:, 0])
    hazards = np.column_stack([own, adverse, np.full(n, -np.log(1 - COMPETING))]) / HORIZON
    waits = rng.exponential(size=(n, 3)) / hazards
    late = waits[:, 0] > delta
    waits[late, 0] = delta + (waits[late, 0] - delta) / ratio
    first, time = waits.argmin(axis=1), waits.min(axis=1)
    cause = np.array([model.ADDRESSABLE, model.ADVERSE, model.COMPETING])[first]
    return World(arm, hazards, np.ceil(np.minimum(time, HORIZON)), np.where(time > HORIZON, model.STAYED, cause))


def large(seed: int) -> list[dict[str, Any]]:
    """One very large trial: truth, and estimates by strata; the relative error is that in fifths of the risks."""
    of = drawn(N, seeds.stream(seed, NAME, "large"))
    rows, whole = [], np.ones((N, 1))
    for name, contacted in of.chosen.items():
        truth = of.gained(contacted, RATIO, DELTA)
        by = {"arms": of.strata(), "thirds": of.strata(contacted, 3), "fifths": of.strata(contacted, 5)}
        estimates = {k: float(of.estimated(contacted, np.log(RATIO), whole, s)[0]) for k, s in by.items()}
        row = {"strategy": name, "contacts": 100 * float(contacted.mean()), "truth": truth, **estimates}
        rows.append(row | {"error": estimates["fifths"] / truth - 1})
    late = (of.cause == model.ADDRESSABLE) & (of.time > DELTA)
    return [*rows, {"strategy": "oracle", "contacts": 100 * float(late.mean()), "truth": rows[0]["truth"]}]


def _with_halves(rng: np.random.Generator) -> tuple[World, Array]:
    """A trial of the usual size, and who is in each half-sample."""
    of = drawn(SIZE, rng)
    return of, (np.argsort(rng.random((SIZE, N_HALVES)), axis=0) < SIZE // 2).astype(float)


def one(number: int, seed: int) -> list[dict[str, Any]]:
    """One trial of the usual size: estimate and interval by strategy."""
    of, halves = _with_halves(seeds.stream(seed, NAME, "trial", number))
    rows = []
    for name, contacted in of.chosen.items():
        whole, spread = (of.estimated(contacted, np.log(RATIO), w) for w in (np.ones((SIZE, 1)), halves))
        row = {"trial": number, "strategy": name, "truth": of.gained(contacted, RATIO, DELTA)}
        rows.append(row | model.ends(spread, float(whole[0])))
    return rows


def alarm(number: int, seed: int, planted: str) -> dict[str, Any]:
    """Whether a trial with a study of contacts in it, of a planted effect, says that contacting everybody is worth it.

    The study replaces the prior: its log hazard ratio has the error `ERROR`.
    """
    rng = seeds.stream(seed, NAME, planted, number)
    of, halves = _with_halves(rng)
    log_h = rng.normal(rng.normal(np.log(PLANTED[planted]), ERROR), ERROR, N_HALVES)
    kept = of.estimated(np.ones(SIZE, dtype=bool), log_h, halves)
    worth = {model.NOBODY: np.zeros(N_HALVES), model.EVERYBODY: model.worth(kept, 100.0, VALUE, COST)}
    found = model.verdict(worth, int((of.cause == model.ADDRESSABLE).sum()), [])
    return {"planted": planted, "worth_it": model.EVERYBODY in found["worth_it"]}


def run(n_trials: int, n_every_method: int, seed: int) -> dict[str, Any]:
    """The study; `n_every_method` is not used."""
    trials = engine.compute([delayed(one)(number, seed) for number in range(n_trials)], "simulated trials")
    table = pd.DataFrame([row for rows in trials for row in rows])
    table["truth"] = table.groupby("strategy")["truth"].transform("mean")  # of the law, not of one trial's patients
    table["held"] = (table["ci_low"] <= table["truth"]) & (table["truth"] <= table["ci_high"])
    table["error"] = table["value"] - table["truth"]
    coverage = []
    for name, own in table.groupby("strategy", sort=False):
        held = wilson(int(own["held"].sum()), len(own))
        ends = {"coverage": held["value"], "coverage_low": held["ci_low"], "coverage_high": held["ci_high"]}
        coverage.append({"strategy": name, "truth": own["truth"].mean(), "bias": own["error"].mean(), **ends})
    tasks = [delayed(alarm)(number, seed, planted) for planted in PLANTED for number in range(n_trials)]
    alarms = pd.DataFrame(engine.compute(tasks, "planted effects")).groupby("planted")["worth_it"].mean().to_dict()
    found = studies.about(NAME, seed, n_trials) | {"large": large(seed), "coverage": coverage, "worth_it": alarms}
    return found | {"prior": model.prior(), "n": N, "size": SIZE, "first": trials[0]}


def shown(found: Mapping[str, Any]) -> pd.DataFrame:
    """A row a strategy: contacts and truth, estimate of the very large trial, and coverage over the others."""
    large, usual = (pd.DataFrame(found[part]).set_index("strategy") for part in ("large", "coverage"))
    columns = ["bias", "coverage", "coverage_low", "coverage_high"]
    table = large[["contacts", "truth", "arms", "thirds", "fifths", "error"]].join(usual[columns]).reset_index()
    return table.assign(strategy=table["strategy"].map(strategies.label))


def in_short(found: Mapping[str, Any]) -> dict[str, Any]:
    """What chapter 10 quotes of the study."""
    large, usual = (pd.DataFrame(found[part]) for part in ("large", "coverage"))
    facts = {"n": found["n"], "trials": found["n_trials"], "size": found["size"], "date": found["date"]}
    facts |= {"worst": float(large["error"].abs().max()), "bias": float(usual["bias"].abs().max())}
    facts |= {"lowest": float(usual["coverage"].min()), "highest": float(usual["coverage"].max())}
    return facts | {"false_alarms": found["worth_it"]["nothing"], "harm": found["worth_it"]["harm"]}
