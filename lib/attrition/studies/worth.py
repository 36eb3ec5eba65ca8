"""Does the estimate of completers gained find the truth, do its intervals hold it, and is the verdict seldom wrong?

Aims: bias, coverage and false alarms of chapter 10. Data: `attrition.worth.world`, constant hazards by reason.
Estimand: completers gained per 100 patients by contacting everybody, the 30 % with the highest true risks, or the
active arm. Methods: product limits in strata, intervals from half-samples. Measures: relative error in one very large
trial; mean error, coverage and *worth it* over trials of the size of a pilot.
"""

import datetime
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from joblib import delayed

from attrition import engine, seeds
from attrition.metrics.intervals import wilson
from attrition.worth import analysis, evidence, judging, model, world

NAME, SEED = "worth", 20_261_128
N, SIZE, N_HALVES, DELTA, RATIO = 400_000, 250, 200, 7.0, 0.8
PLANTED = {"nothing": 1.0, "harm": 1.1}
"""Hazard ratios planted for the verdict, which holds the prior and not the truth."""
ERROR = 0.07
"""Standard error of the log hazard ratio in a study within a trial of 4,000 patients, about."""
VALUE, COST = 14_000.0, 1.0


def large(seed: int) -> list[dict[str, Any]]:
    """One very large trial: truth, and estimates by strata; the relative error is that in fifths of the risks."""
    of = world.drawn(N, seeds.stream(seed, NAME, "large"))
    rows, whole = [], np.ones((N, 1))
    for name, contacted in world.chosen(of).items():
        truth = of.gained(contacted, RATIO, DELTA)
        by = {"arms": of.strata(), "thirds": of.strata(contacted, 3), "fifths": of.strata(contacted, 5)}
        estimates = {k: float(world.estimated(of, contacted, np.log(RATIO), DELTA, whole, s)[0]) for k, s in by.items()}
        row = {"strategy": name, "contacts": 100 * float(contacted.mean()), "truth": truth, **estimates}
        rows.append(row | {"error": estimates["fifths"] / truth - 1})
    late = (of.cause == model.ADDRESSABLE) & (of.time > DELTA)
    return [*rows, {"strategy": "oracle", "contacts": 100 * float(late.mean()), "truth": rows[0]["truth"]}]


def one(number: int, seed: int) -> list[dict[str, Any]]:
    """One trial of the usual size: estimate and interval by strategy."""
    rng = seeds.stream(seed, NAME, "trial", number)
    of = world.drawn(SIZE, rng)
    halves = (np.argsort(rng.random((SIZE, N_HALVES)), axis=0) < SIZE // 2).astype(float)
    rows = []
    for name, contacted in world.chosen(of).items():
        truth = of.gained(contacted, RATIO, DELTA)
        value, *spread = (
            world.estimated(of, contacted, np.log(RATIO), DELTA, weight, of.strata())
            for weight in (np.ones((SIZE, 1)), halves)
        )
        ends = judging.ends(spread[0], float(value[0]))
        rows.append({"trial": number, "strategy": name, "truth": truth} | ends)
    return rows


def alarm(number: int, seed: int, planted: str) -> dict[str, Any]:
    """Whether a trial with a study of contacts in it, of a planted effect, says that contacting everybody is worth it.

    The study replaces the prior: its log hazard ratio has the error `ERROR`.
    """
    rng = seeds.stream(seed, NAME, planted, number)
    of = world.drawn(SIZE, rng)
    halves = (np.argsort(rng.random((SIZE, N_HALVES)), axis=0) < SIZE // 2).astype(float)
    log_h = rng.normal(rng.normal(np.log(PLANTED[planted]), ERROR), ERROR, N_HALVES)
    everybody = np.ones(SIZE, dtype=bool)
    kept = world.estimated(of, everybody, log_h, DELTA, halves, of.strata())
    worth = {judging.NOBODY: np.zeros(N_HALVES), judging.EVERYBODY: model.worth(kept, 100.0, VALUE, COST)}
    found = judging.verdict(worth, int((of.cause == model.ADDRESSABLE).sum()), [])
    return {"planted": planted, "worth_it": judging.EVERYBODY in found["worth_it"]}


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
    found: dict[str, Any] = {"date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(), "seed": seed}
    found |= {"command": f"python -m attrition study {NAME} --trials {n_trials}", "n_trials": n_trials}
    found |= {"large": large(seed), "coverage": coverage, "worth_it": alarms, "prior": evidence.prior()}
    return found | {"n": N, "size": SIZE, "first": trials[0]}


def shown(found: Mapping[str, Any]) -> pd.DataFrame:
    """A row a strategy: contacts and truth, estimate of the very large trial, and coverage over the others."""
    large, usual = (pd.DataFrame(found[part]).set_index("strategy") for part in ("large", "coverage"))
    columns = ["bias", "coverage", "coverage_low", "coverage_high"]
    first = ["contacts", "truth", "arms", "thirds", "fifths", "error"]
    table = large[first].join(usual[columns]).reset_index()
    return table.assign(strategy=table["strategy"].map(analysis.label))


def in_short(found: Mapping[str, Any]) -> dict[str, Any]:
    """What chapter 10 quotes of the study."""
    covered = [row["coverage"] for row in found["coverage"]]
    facts = {"n": found["n"], "trials": found["n_trials"], "size": found["size"], "date": found["date"]}
    facts |= {"worst": max(abs(row["error"]) for row in found["large"] if row.get("error") is not None)}
    facts |= {"bias": max(abs(row["bias"]) for row in found["coverage"]), "false_alarms": found["worth_it"]["nothing"]}
    return facts | {"lowest": min(covered), "highest": max(covered), "harm": found["worth_it"]["harm"]}
