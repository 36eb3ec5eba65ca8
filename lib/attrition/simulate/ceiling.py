"""Chapter 01: how well the best possible model predicts, by what it knows, and what follows in words."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from attrition import seeds
from attrition.metrics import share_of_attainable_lift
from attrition.params import Generation
from attrition.simulate import oracle, restricted
from attrition.simulate.law import Law

PREVALENCE = {"default": "the law's own", "p24": "24 %"}
"""Settings of the prevalence, in words for tables."""


def oracle_results(law: Law, p: Generation, seed: int) -> dict[str, Any]:
    """Oracles by what they know and by prevalence: the ``oracle`` part of the chapter's results.

    Parameters
    ----------
    law : Law
    p : Generation
        Sizes and days.
    seed : int

    Returns
    -------
    dict
        ``default`` and ``p24``: auroc, log_loss, brier with ``value`` and ``mc_se``, and ``exact``;
        ``enrolment`` and ``day30`` ...: exact performance by prevalence; ``offset_p24``; ``scores``: array (n,)
        of the drawn patients' risk scores, for figures.
    """
    offsets = oracle.prevalence_offsets(law)
    scores = oracle.monte_carlo_scores(law, p.oracle_patients, seeds.stream(seed, "01", "oracle"), p.oracle_chunk)
    found: dict[str, Any] = {"offset_p24": offsets["p24"], "n_patients": p.oracle_patients, "scores": scores}
    for setting, offset in offsets.items():
        found[setting] = oracle.monte_carlo(law, scores, offset) | {"exact": oracle.exact(law, offset)}
    for name, day in {"enrolment": 0, **{f"day{day}": day for day in p.landmark_days}}.items():
        found[name] = {setting: restricted.performance(law, day, offset) for setting, offset in offsets.items()}
    return found


def true_probabilities(law: Law, scores: np.ndarray) -> dict[str, np.ndarray]:
    """Probability of dropout of every drawn patient, at both prevalences.

    Parameters
    ----------
    law : Law
    scores : ndarray, shape (n_patients,)
        Risk scores without noise, from `oracle_results`.
    """
    return {setting: oracle.probability(law, scores, d) for setting, d in oracle.prevalence_offsets(law).items()}


def oracle_table(found: Mapping[str, Any], days: list[int]) -> pd.DataFrame:
    """`oracle_results` as a table, from knowing nothing to knowing the whole follow-up.

    Returns
    -------
    DataFrame
        known, prevalence, at_risk, dropout, auroc, auroc_mc_se, log_loss, brier.
    """
    rows = []
    for setting in ("default", "p24"):
        rate = found[setting]["exact"]["prevalence"]
        chance = {"auroc": 0.5, "log_loss": float(oracle.expected_log_loss(rate, rate)), "brier": rate * (1 - rate)}
        rows.append(("nothing (chance)", setting, 1.0, rate, chance, None))
        for name, words in _knowledge(days).items():
            part = found[name][setting]
            rows.append((words, setting, part["at_risk"], part["prevalence"], part, None))
        full = {metric: found[setting][metric]["value"] for metric in ("auroc", "log_loss", "brier")}
        rows.append(("whole follow-up", setting, 1.0, rate, full, found[setting]["auroc"]["mc_se"]))
    return pd.DataFrame(
        {
            "known": words,
            "prevalence": setting,
            "at_risk": at_risk,
            "dropout": rate,
            "auroc": part["auroc"],
            "auroc_mc_se": error,
            "log_loss": part["log_loss"],
            "brier": part["brier"],
        }
        for words, setting, at_risk, rate, part, error in rows
    )


def _knowledge(days: list[int]) -> dict[str, str]:
    return {"enrolment": "enrolment", **{f"day{day}": f"by day {day}" for day in days}}


def early_lift(found: Mapping[str, Any], setting: str = "default") -> dict[str, float]:
    """How much of the ceiling is there in time.

    Returns
    -------
    dict
        ``full``, ``enrolment``, ``best_auroc`` (of the landmark days, at ``best_day``): aurocs;
        ``share_enrolment``, ``share_best``: of the lift over one half.
    """
    full, enrolment = found[setting]["auroc"]["value"], found["enrolment"][setting]["auroc"]
    days = {int(name[3:]): part[setting]["auroc"] for name, part in found.items() if name.startswith("day")}
    best = max(days, key=days.__getitem__)
    return {
        "full": full,
        "full_mc_se": found[setting]["auroc"]["mc_se"],
        "enrolment": enrolment,
        "best_day": best,
        "best_auroc": days[best],
        "share_enrolment": float(share_of_attainable_lift(enrolment, full)),
        "share_best": float(share_of_attainable_lift(days[best], full)),
    }


def lift_sentence(lift: Mapping[str, float]) -> str:
    """The chapter's main finding; its words follow the numbers, which `lift_numbers` fills in."""
    much = "less than half" if lift["share_best"] < 0.5 else "at least half"
    return (
        "With a patient's whole follow-up, future included, the best possible model has an AUROC of {full:.3f} "
        "(Monte-Carlo standard error {full_mc_se:.4f}; {full_p24:.3f} at 24 %); with what is known at enrolment, "
        "{enrolment:.3f}; with the best of the landmark days, day {best_day}, {best_auroc:.3f}: "
        f"{much} of what can be gained over chance is there in time."
    )


def lift_numbers(found: Mapping[str, Any]) -> dict[str, float]:
    """Numbers of `lift_sentence`."""
    return {**early_lift(found), "full_p24": found["p24"]["auroc"]["value"]}


def near_half(truth: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Shares of patients with a true probability between .3 and .7, by setting."""
    return {f"near_{name}": float(np.mean((p > 0.3) & (p < 0.7))) for name, p in truth.items()}


def quadrature_bound(law: Law) -> float:
    """Power of ten above the quadrature error at both prevalences."""
    error = max(oracle.quadrature_error(law, prevalence_offset=d) for d in oracle.prevalence_offsets(law).values())
    return float(10.0 ** np.ceil(np.log10(error)))


LEARNED = (
    "The published trial is regenerated to the byte, so that every later chapter argues about the same patients. "
    "{count} of the {n} published figures of [](#tbl-descriptives) {fit} it. In {last_visit_after_dropout} of "
    "{n_dropouts} patients who left, the last visit comes after leaving, and {late} of {all} published inputs are "
    "known only afterwards. The ceiling for any model is an AUROC of {full:.3f} with all of that, {best_auroc:.3f} "
    "with what was known by day {best_day}, "
    "and {enrolment:.3f} at enrolment. Every later table of Part I carries the ceiling as its oracle row."
)


def chapter_results(found: Mapping[str, Any], truth: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The ``oracle``, ``prevalence`` and ``lift`` parts of ``01_generation.json``."""
    return {
        "oracle": {name: part for name, part in found.items() if name != "scores"} | near_half(truth),
        "prevalence": {setting: found[setting]["exact"]["prevalence"] for setting in ("default", "p24")},
        "lift": {setting: early_lift(found, setting) for setting in ("default", "p24")},
    }
