"""Chapter 07's sentences, chosen by the numbers: a rerun or another trial never contradicts its own prose.

Each function returns the sentence as a template, the values that fill it, and a verdict.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from attrition.landmark import time_to
from attrition.metrics import intervals
from attrition.survival import incidence
from attrition.text import fill, unless_missing

SINGLE = "This trial has one arm, so no arms are compared."
CLAIMS = {
    "finding-one-minus-km": "counting the other reasons as censored overstates the risks of leaving",
    "finding-arms": "the arms differ in the risk of leaving",
    "finding-hazards": "the arms differ in how fast patients leave for a reason",
}
"""What the verdict of each finding is about."""


@dataclass(frozen=True)
class Reading:
    """A sentence as template and values, and the verdict that goes with it."""

    template: str
    verdict: str
    values: dict[str, Any] = field(default_factory=dict)


def sentence(reading: Reading, claim: str = "") -> str:
    """A reading with its numbers filled in, after the claim that its verdict is about.

    Examples
    --------
    >>> sentence(Reading("it is {gain:+.2f}.", "supported", {"gain": 0.1}), "the gain matters")
    '*Claim:* the gain matters. *Found:* it is +0.10.'
    """
    found = fill(reading.template, reading.values)
    return f"*Claim:* {claim}. *Found:* {found}" if claim else found


def mistake(over: pd.DataFrame, day: float) -> Reading:
    """What 1 - Kaplan-Meier overstates; see `incidence.overstatement`."""
    reasons, total = over[over["reason"] != "sum"], over[over["reason"] == "sum"].iloc[0]
    if reasons["difference"].max() <= 0:
        return Reading(
            "No reason came before another, so 1 - Kaplan-Meier states the same risks here.",
            "exploratory",
        )
    worst = reasons.loc[reasons["difference"].idxmax()]
    values = {"day": day, "reason": worst["reason"], "wrong": worst["one_minus_km"], "right": worst["incidence"]}
    values |= {"wrong_sum": total["one_minus_km"], "right_sum": total["incidence"], "gap": 100 * worst["difference"]}
    return Reading(
        "Counting the other reasons as censored overstates the risks: by day {day:g} it gives {wrong:.1%} for the "
        "reason {reason} where {right:.1%} left for it ({gap:.1f} percentage points too much), and over all reasons "
        "it adds up to {wrong_sum:.1%} where {right_sum:.1%} had left.",
        "supported",
        values,
    )


def between_arms(arm_reason: pd.DataFrame) -> Reading:
    """The reason whose incidence differs most between two arms; rows of `incidence.by_reason` on one day, by arm."""
    wide = arm_reason.pivot_table(index="reason", columns="group", values="value", sort=False)
    if wide.shape[1] < 2:
        return Reading(SINGLE, "not testable")
    reason = (wide.max(axis=1) - wide.min(axis=1)).idxmax()
    values = {"reason": reason, "high_arm": wide.loc[reason].idxmax(), "low_arm": wide.loc[reason].idxmin()}
    values |= {"high": wide.loc[reason].max(), "low": wide.loc[reason].min()}
    return Reading(
        "The arms lie furthest apart in the reason {reason}: {high:.1%} in the arm {high_arm}, {low:.1%} in the arm "
        "{low_arm}. It is the widest of several gaps, picked after the fact.",
        "exploratory",
        values,
    )


@unless_missing
def drift(checks: pd.DataFrame, reason: str) -> Reading:
    """What the smoothed residuals of one reason show, beside the score test of its arms."""
    own = checks[(checks["reason"] == reason) & checks["correlation"].notna()]
    row = own.loc[own["p"].idxmin()]
    moves = "falls" if row["correlation"] < 0 else "rises"
    clear = "a change that its own test finds" if row["p"] < 0.05 else "which its own test does not tell from no change"
    return Reading(
        "For the reason {reason}, the ratio of the arm {arm} drifts most: it " + moves + " with time (correlation "
        "{correlation:.2f}, p = {p:.3f}), " + clear + ". The test of a single arm is not corrected for the number of "
        "tests; the joint checks above are.",
        "exploratory",
        {"reason": reason, "arm": row["arm"], "correlation": row["correlation"], "p": row["p"]},
    )


def arms(differences: pd.DataFrame, margin: float, day: float) -> Reading:
    """Whether an arm's risk differs from the first arm's; `incidence.arm_differences` at `incidence.level_for_all`."""
    if len(differences) < 2:
        return Reading(SINGLE, "not testable")
    row, verdict = incidence.largest_difference(differences, margin)
    first = differences.iloc[0]
    gap = incidence.interval(pd.Series(row), "risk_difference")
    values = {"day": day, "arm": row["arm"], "first": first["arm"], "risk": row["risk"], "base": first["risk"]}
    values |= {"gap": {key: 100 * part for key, part in gap.items()}, "margin": 100 * margin}
    values |= {"days": incidence.interval(pd.Series(row), "days_difference"), "comparisons": len(differences) - 1}
    meaning = {
        "supported": "at least the smallest difference of interest ({margin:.0f} points)",
        "direction only": "clear in direction, but below the smallest difference of interest ({margin:.0f} points)",
        "not supported": "an interval that includes no difference",
    }[verdict]
    return Reading(
        "By day {day:g} the risk of the primary event was {risk:.1%} in the arm {arm} and {base:.1%} in the arm "
        "{first}: a difference of {gap:.1f} percentage points, "
        + meaning
        + ". The difference in days in the trial lost "
        "per patient before the horizon is {days:.1f}."
        + (" (Intervals hold for the {comparisons} comparisons at once.)" if len(differences) > 2 else ""),
        verdict,
        values,
    )


def _for_all(ratios: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Ends of the ratios' intervals, widened so that all hold at once."""
    wider = ndtri(0.5 + intervals.level_for_all(len(ratios)) / 2) / ndtri(0.975)
    centre = np.log(ratios["hazard_ratio"])
    return tuple(np.exp(centre + wider * (np.log(ratios[end]) - centre)) for end in ("ci_low", "ci_high"))


def hazards(ratios: pd.DataFrame, checks: pd.DataFrame) -> Reading:
    """Which reason's hazard differs most between arms, and whether the ratios may be read as constant."""
    own = ratios[ratios["reason"] != incidence.PRIMARY].dropna(subset=["hazard_ratio"])
    if own.empty:
        return Reading("No reason has the events, in every arm, that a Cox model needs.", "not testable")
    lower, upper = _for_all(own)
    clear = own[(lower > 1) | (upper < 1)]
    joint = checks[checks["arm"] == "all"]
    low = joint.loc[joint["p"].idxmin()]
    values = {"tests": len(joint), "p": low["p"], "least": low["reason"], "bound": 0.05 / len(joint)}
    check = (
        " The check finds a hazard ratio that changes over time (reason {least}, p = {p:.3f}, below "
        "{bound:.3f} for {tests} tests): there, read it as an average over the trial."
        if values["p"] < values["bound"]
        else " None of {tests} joint checks finds a hazard ratio that changes over time (smallest p = {p:.3f}, "
        "reason {least}); with few events that is weak evidence."
    )
    if clear.empty:
        return Reading("No reason's hazard differs clearly between the arms." + check, "not supported", values)
    reasons = list(dict.fromkeys(clear["reason"]))
    top = clear.loc[(clear["hazard_ratio"].map(lambda ratio: max(ratio, 1 / ratio))).idxmax()]
    values |= {
        "arm": top["arm"],
        "reason": top["reason"],
        "events": int(top["events"]),
        "reasons": " and ".join(reasons),
    }
    values |= {"ratio": {"value": top["hazard_ratio"], "ci_low": lower[top.name], "ci_high": upper[top.name]}}
    values["n"] = len(own)
    others = "; those of the other reasons are not told from 1" if len(reasons) < own["reason"].nunique() else ""
    return Reading(
        "The arms differ in the hazard of {reasons}, most in the arm {arm}: hazard ratio {ratio:.2f} against the first "
        "arm for the reason {reason} ({events} events in all arms)"
        + others
        + ", by intervals that hold for all {n} ratios at once."
        + check,
        "supported",
        values,
    )


def predictions(table: pd.DataFrame, gains: pd.DataFrame) -> Reading:
    """How the two models of all that was known rank, beside the arm alone, at the landmark with most events.

    Whether that is better than chance or than the arm is one question, and chapter 06 answers it.
    """
    own = table[table["model"].isin(time_to.FULL)].dropna(subset=["auroc_within"])
    if own.empty:
        return Reading(
            "No landmark has the events that a prediction needs; the incidence above is what this trial can tell.",
            "not testable",
        )
    day = own.loc[own["events"].idxmax(), "landmark"]
    here = table[table["landmark"] == day].set_index("model")
    floor = time_to.REFERENCE if time_to.REFERENCE in here.index else "null"
    values: dict[str, Any] = {"day": day, "bar": "the arm alone" if floor == time_to.REFERENCE else "one risk for all"}
    for name, model in (("cox", "cox"), ("discrete", "discrete"), ("floor", floor)):
        values[name] = {key: here.loc[model, f"auroc_within{end}"] for key, end in time_to.ENDS.items()}
    values["ipa"] = {key: here.loc["cox", f"ipa{end}"] for key, end in time_to.ENDS.items()}
    own = gains[gains["model"].isin(time_to.FULL)]
    values |= {"largest": own.loc[own["value"].idxmax()].to_dict()}
    return Reading(
        "On day {day:g} the Cox model of all that was known has an AUROC of {cox:.3f} and the discrete-time model one "
        "of {discrete:.3f}, where {bar} has {floor:.3f}; the index of prediction accuracy of the Cox model is "
        "{ipa:.3f}. The largest gain over all landmarks is {largest:+.3f}, by an interval for one comparison. Whether "
        "what was known ranks better than chance, and better than the arm, is judged once, in chapter 06.",
        "exploratory",
        values,
    )


def without_arm(table: pd.DataFrame) -> Reading:
    """What is left when the arm is blinded, as in a running trial."""
    own = table[table["model"].isin(["cox_without_arm", "discrete_without_arm"])].dropna(subset=["auroc_within"])
    if own.empty:
        return Reading("Without arms, or without predictions, there is nothing to blind.", "not testable")
    best = own.loc[own["auroc_within"].idxmax()]
    values: dict[str, Any] = {"best": {key: best[f"auroc_within{end}"] for key, end in time_to.ENDS.items()}}
    values |= {"day": best["landmark"], "better": int((own["ipa"] > 0).sum()), "n": len(own)}
    return Reading(
        "With the arm blinded the highest AUROC of {n} models and landmarks is {best:.3f} (day {day:g}), flattered by "
        "having been picked; {better} of {n} have a better Brier score than one risk for everybody. Where treatment is "
        "blinded, a running trial does not know the arm, so "
        + ("this is what a site could use." if values["better"] else "nothing here is shown to be of use to a site."),
        "exploratory",
        values,
    )
