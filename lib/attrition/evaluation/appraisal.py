"""Chapter 05's sentences, chosen by the numbers: prose never contradicts a rerun.

Each function returns a mapping with ``sentence`` (a template), the values that fill it, and ``verdict``. Interval
mappings are written as *value (low to high)* by the report.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from attrition import metrics, models
from attrition.models import FITTED
from attrition.models import IN_TEXT as NAMES
from attrition.text import count, listed

Appraisal = dict[str, Any]
PAIRS = [(a, b) for a in FITTED for b in FITTED if a != b] + [(model, "oracle") for model in FITTED]
"""Comparisons between models: every ordered pair, so that the best may be any, and each with the oracle."""
SHOWN_PAIRS = [(a, b) for a, b in PAIRS if a == "lr" or b == "oracle" or (a, b) == ("lgbm", "xgb")]
"""Those that the table shows."""
EVEN_COSTS = 0.5
TOO_LATE = (
    " But its features count the whole follow-up: this is what the score would be worth, not that it can be had "
    "in time."
)


def band_ends(thresholds: Mapping[str, float]) -> dict[str, float]:
    """The thresholds at which a published band begins; the one of even costs belongs to none."""
    return {name: t for name, t in thresholds.items() if t != EVEN_COSTS}


def shown_pairs(differences: Mapping[str, Any]) -> dict[str, Any]:
    """The differences of `SHOWN_PAIRS` out of those of all `PAIRS`."""
    return {f"{a}_less_{b}": differences[f"{a}_less_{b}"] for a, b in SHOWN_PAIRS}


def _counted(n: int, one: str, more: str) -> str:
    return f"{n or 'none'} {one if n <= 1 else more}"


def _inside(interval: Mapping[str, float], value: float) -> bool:
    return interval["ci_low"] <= value <= interval["ci_high"]


def repeats(table: pd.DataFrame, found: Mapping) -> Appraisal:
    """How little the spread over repeats says, and what averaging scores first does.

    Parameters
    ----------
    table : pandas.DataFrame
        `attrition.evaluation.auroc_by_repeat`.
    found : mapping
        `attrition.evaluation.performance`.
    """
    own = table.set_index("model")
    lr, null = own.loc[models.LABELS["lr"]], own.loc[models.LABELS["null"]]
    shift = (own["of_averaged_scores"] - own["mean"]).drop(models.LABELS["oracle"])
    most = shift.abs().idxmax()
    values = {"half": (found["lr"]["auroc"]["ci_high"] - found["lr"]["auroc"]["ci_low"]) / 2, "most": most}
    values |= {"from_": own.loc[most, "mean"], "to": own.loc[most, "of_averaged_scores"], "null": null["mean"]}
    if lr["n_repeats"] > 1:
        values["sd"] = lr["sd"]
        text = (
            "Splitting again moves the AUROC of logistic regression by {sd:.4f}, which says nothing about its error on "
        )
        text += "other patients: half its interval is {half:.3f} wide. "
    else:
        text = "One repeat says nothing about spread; half the interval of logistic regression is {half:.3f} wide. "
    text += (
        "Averaging a patient's scores over repeats first would change {most} most, from {from_:.3f} to {to:.3f}: that "
    )
    text += "is another model, an ensemble. The null model stays at {null:.3f}."
    return {"sentence": text, "verdict": "exploratory", **values}


def discrimination(found: Mapping, differences: Mapping, margin: float, expected: Mapping[str, float]) -> Appraisal:
    """Which model ranks best, by how much, and how much of the attainable it reaches.

    Parameters
    ----------
    found : mapping
        `attrition.evaluation.performance`.
    differences : mapping
        `attrition.evaluation.paired` of all ordered pairs of fitted models.
    margin : float
        Smallest difference of interest in AUROC.
    expected : mapping of str to float
        `attrition.evaluation.expected_auroc`: without the luck of the outcomes drawn.
    """
    ranked = sorted(FITTED, key=lambda model: -found[model]["auroc"]["value"])
    best, second = ranked[:2]
    gap = differences[f"{best}_less_{second}"]["auroc"]
    share = metrics.share_of_attainable_lift(expected[best], expected["oracle"])
    if gap["ci_low"] > margin:
        how, verdict = "more than the smallest difference of interest", "supported"
    elif gap["ci_low"] > 0:
        how, verdict = "clear in direction, but possibly too small to matter", "direction only"
    else:
        how, verdict = "not distinguishable from no difference", "not supported"
    return {
        "sentence": "{best_name} ranks patients best: AUROC {best_auroc:.3f}, where the oracle has {oracle_auroc:.3f} "
        "and chance .5. Over all outcomes that these patients could have had, it reaches {share:.0%} of the lift that "
        "can be attained. It leads {second_name} by {gap:.3f}, " + how + ".",
        "verdict": verdict,
        "best": best,
        "best_name": models.LABELS[best],
        "second_name": NAMES[second],
        "best_auroc": found[best]["auroc"],
        "oracle_auroc": found["oracle"]["auroc"],
        "share": share,
        "gap": gap,
    }


def calibration(found: Mapping) -> Appraisal:
    """Whose probabilities can be believed: the slope's interval holds 1 and that of calibration-in-the-large 0."""
    slope_off = [m for m in FITTED if not _inside(found[m]["calibration_slope"], 1)]
    level_off = [m for m in FITTED if not _inside(found[m]["calibration_in_the_large"], 0)]
    extreme = [m for m in slope_off if found[m]["calibration_slope"]["value"] < 1]
    good = [m for m in FITTED if m not in slope_off + level_off]
    parts = []
    if extreme:
        parts.append(f"Predictions of {listed([NAMES[m] for m in extreme])} are too extreme")
    if good:
        parts.append(f"those of {listed([NAMES[m] for m in good])} are compatible with perfect calibration")
    if level_off:
        parts.append(f"too high or too low on the whole: {listed([NAMES[m] for m in level_off])}")
    text = "; ".join(parts) or "No model is calibrated"
    slopes = "calibration slopes are " + listed([f"{{{model}:.2f}} for {NAMES[model]}" for model in FITTED])
    return {
        "sentence": text[0].upper() + text[1:] + ": the " + slopes + ", where 1 is right.",
        "verdict": "exploratory" if good else "not supported",  # not refuted by one trial is not shown
        "too_extreme": extreme,
        "off_level": level_off,
        "calibrated": good,
        **{model: found[model]["calibration_slope"] for model in FITTED},
    }


def known_calibration(slope: Mapping[str, float], level: Mapping[str, float]) -> Appraisal:
    """Whether the published recipe is calibrated where the truth is known, over simulated trials.

    Parameters
    ----------
    slope, level : mapping
        Calibration slope and calibration-in-the-large in the population, means over trials with intervals.
    """
    off = [name for name, interval, right in (("slope", slope, 1), ("level", level, 0)) if not _inside(interval, right)]
    if off:
        which = "both are" if len(off) == 2 else f"its {off[0]} is"
        ends = f"{which} off, which one trial is too small to show"
    else:
        ends = "what one trial does not refute is not refuted there either"
    text = (
        "One trial can only fail to refute. Over simulated trials, where the truth is known "
        "([](#tbl-imbalance-default)), the same recipe for logistic regression has a calibration slope of {slope:.2f} "
        "and a calibration-in-the-large of {level:.2f}: "
    )
    return {"sentence": text + ends + ".", "verdict": "exploratory", "slope": slope, "level": level, "off": off}


def class_weights(table: pd.DataFrame, rare: str) -> Appraisal:
    """What class weights do to the level of predictions in the trial named `rare`.

    Parameters
    ----------
    table : pandas.DataFrame
        ``trial, strategy, auroc, calibration_in_the_large, ci_low, ci_high, recall, flagged_per_100``.
    rare : str
    """
    own = table[table["trial"] == rare].set_index("strategy")
    plain, weighted = own.loc["none"], own.loc["class_weight"]
    spoiled = weighted["ci_high"] < 0 and plain["ci_low"] <= 0 <= plain["ci_high"]
    text = (
        "Class weights buy recall by breaking the probabilities"
        if spoiled
        else "Class weights move the probabilities less than this trial can show"
    )
    same = f"{plain['auroc']:.3f}" == f"{weighted['auroc']:.3f}"
    ranking = "stays at {auroc_plain:.3f}" if same else "goes from {auroc_plain:.3f} to {auroc_weighted:.3f}"
    return {
        "sentence": text
        + ": at {rate:.0%} events recall at the threshold of the table goes from {recall_plain:.2f} to "
        "{recall_weighted:.2f} and patients flagged per 100 from {flagged_plain:.0f} to {flagged_weighted:.0f}, "
        "while AUROC "
        + ranking
        + " and calibration-in-the-large goes from {level_plain:.2f} to {level_weighted:.2f}."
        + (" A lower threshold raises recall as well, and leaves the probabilities alone." if spoiled else ""),
        "verdict": "supported" if spoiled else "not supported",
        "rate": weighted["events"] / weighted["n"],
        "recall_plain": plain["recall"],
        "recall_weighted": weighted["recall"],
        "flagged_plain": plain["flagged_per_100"],
        "flagged_weighted": weighted["flagged_per_100"],
        "auroc_plain": plain["auroc"],
        "auroc_weighted": weighted["auroc"],
        "level_plain": plain["calibration_in_the_large"],
        "level_weighted": weighted["calibration_in_the_large"],
    }


def _wins_at(own: Mapping[str, Any], threshold: float) -> bool:
    """Whether a threshold lies where a model beats both defaults."""
    return own["use"] and own["better_from"] <= threshold <= own["better_to"]


def _at_stated(own: Mapping[str, Any], stated: Sequence[float]) -> str:
    """At which thresholds with a stated reason a model beats both defaults."""
    won, lost = ([f"{t:.2f}" for t in stated if _wins_at(own, t) == wins] for wins in (True, False))
    if not won:
        return "at none of them"
    return "at all of them" if not lost else f"at {listed(won)} and not at {listed(lost)}"


def decisions(
    conclusions: Mapping[str, Mapping], low: float, high: float, smallest: float, stated: Sequence[float] = ()
) -> Appraisal:
    """Whether any fitted model beats both defaults somewhere between the lowest and highest stated threshold.

    Parameters
    ----------
    conclusions : mapping of str to mapping
        `attrition.decision.conclude` of each model.
    low, high : float
        Ends of the thresholds under consideration.
    smallest : float
        Smallest net benefit of interest.
    stated : sequence of float
        Thresholds with a reason, of which the sentence tells where the best model is shown to win.
    """
    useful = [model for model in FITTED if conclusions[model]["use"]]
    values: dict[str, Any] = {"low": low, "high": high, "useful": useful}
    if not useful:
        text = f"do not use any of the {count(len(FITTED), 'model')}: "
        text += "at no threshold from {low:.2f} to {high:.2f} does one beat both "
        return {**values, "sentence": text + "contacting everybody and contacting nobody.", "verdict": "not supported"}
    best = max(useful, key=lambda model: conclusions[model]["best_over_default"])
    own = conclusions[best]
    values |= {"best": NAMES[best], "first": own["better_from"], "last": own["better_to"]}
    values |= {"at": own["best_threshold"], "gain": 100 * own["best_over_default"]}
    values |= {"at_least": 100 * own["best_over_default_low"], "smallest": 100 * smallest}
    text = (
        "contacting by {best} beats both contacting everybody and contacting nobody at thresholds from {first:.2f} to "
        "{last:.2f}; its advantage over the better of the two is at most {gain:.1f} more leavers found per 100 "
    )
    text += "patients, net of false alarms (lower end of the band {at_least:.1f}), at {at:.2f}."
    if stated:
        text += " Of the {n_stated} thresholds that somebody's costs or bands put there, it is shown to win {where}."
        values |= {"n_stated": count(len(stated)), "where": _at_stated(own, sorted(stated))}
    others = [NAMES[m] for m in FITTED if m not in useful]
    text += f" Do not use {listed(others)} at any threshold between {{low:.2f}} and {{high:.2f}}." if others else ""
    enough = own["best_over_default_low"] > smallest
    text += "" if enough else " That may be less than the smallest difference of interest, {smallest:.0f} per 100."
    return {**values, "sentence": text, "verdict": "supported" if enough else "direction only"}


def money(worth: Mapping[str, float], own: Mapping[str, Any], threshold: float) -> Appraisal:
    """What a model adds in dollars at one threshold, and how much of it is luck.

    Parameters
    ----------
    worth : mapping
        `attrition.evaluation.money_at`.
    own : mapping
        `attrition.decision.conclude` of the model.
    threshold : float
    """
    shown = _wins_at(own, threshold)
    text = (
        "At the threshold {threshold:g} the model is worth {model:,.0f} dollars per 100 patients and contacting "
        "everybody {everybody:,.0f}: over the better of contacting everybody and nobody, the model "
    )
    if worth["added"] > 0:
        band = (
            "an advantage whose band excludes none. "
            if shown
            else "an advantage that its band does not tell from none. "
        )
        text += "adds {added:,.0f}, " + band
    else:
        text += "adds nothing ({added:,.0f}). "
    text += "The true probabilities would add {oracle:,.0f}"
    text += ": the rest is the luck of these patients." if worth["added"] > max(worth["oracle"], 0) else "."
    return {"sentence": text, "verdict": "exploratory", "shown": shown, "threshold": threshold, **worth}


def stability(summary: Mapping[str, float], threshold: float, often: float) -> Appraisal:
    """How far another sample of the same size would have moved the same patients."""
    unsteady = summary[f"unsteady_at_{threshold:g}"]
    text = "Most patients keep their band" if summary["changes_band"] < 0.25 else "Many patients change their band"
    return {
        "sentence": text
        + " when the model is developed again: {band:.0%} of patient-model pairs fall into another band, and "
        "{unsteady:.0%} of patients are classed otherwise at {threshold:g} by more than {often:.0%} of models. The "
        "mean absolute difference from the original prediction is {mape:.3f}, and the 95 % range of a patient's "
        "predictions is {width:.2f} wide at the median.",
        "verdict": "exploratory",
        "band": summary["changes_band"],
        "unsteady": unsteady,
        "threshold": threshold,
        "often": often,
        "mape": summary["mape"],
        "width": summary["median_width"],
    }


def burden(table: pd.DataFrame, importance: pd.DataFrame) -> Appraisal:
    """Whether the published favourite feature earns its place, against a law that does not know it."""
    own = table.set_index("feature").loc["burden"]
    loss = importance.set_index("column").loc["burden"]
    rank = int(importance["importance"].rank(ascending=False)[importance["column"] == "burden"].iloc[0])
    needed = loss["ci_low"] > 0 and rank == 1
    interval = {"value": own["coefficient"], "ci_low": own["ci_low"], "ci_high": own["ci_high"]}
    dropped = {"value": loss["importance"], "ci_low": loss["ci_low"], "ci_high": loss["ci_high"]}
    zero = _inside(interval, 0)
    text = "The law gives burden no weight of its own, and "
    text += "the fitted coefficient is compatible with that" if zero else "the fitted coefficient differs from that"
    return {
        "sentence": text
        + ": {coefficient:.2f} log odds a standard deviation. Shuffling burden in held-out patients costs "
        "{loss:.3f} of AUROC, rank {rank} of {features} features.",
        "verdict": "supported" if needed else "not supported",
        "coefficient": interval,
        "loss": dropped,
        "rank": rank,
        "features": len(importance),
    }


def law_coverage(table: pd.DataFrame) -> Appraisal:
    """How many intervals of coefficients hold what the law puts on the feature."""
    held = (table["ci_low"] <= table["law"]) & (table["law"] <= table["ci_high"])
    own = table[table["law"] != 0]
    found = ((own["ci_low"] > 0) & (own["law"] > 0)) | ((own["ci_high"] < 0) & (own["law"] < 0))
    return {
        "sentence": "{held} of {n} intervals hold the law's weight; of the {known} features that the law uses as they "
        "stand, {found} have an interval on the right side of zero.",
        "verdict": "exploratory",
        "held": int(held.sum()),
        "n": len(table),
        "known": len(own),
        "found": int(found.sum()),
    }


def subgroups(found: Mapping[str, Any]) -> Appraisal:
    """Whether calibration differs by subgroup more than chance would have it."""
    text = (
        "No subgroup is off level beyond chance"
        if not found["n_miscalibrated"]
        else "Off level, with an interval that excludes 0: " + listed(list(found["miscalibrated"]))
    )
    return {
        "sentence": text + ". Of {n_large} subgroups that are large enough, {miscalibrated} an interval of "
        "calibration-in-the-large without 0, where {expected:.1f} would be expected by chance alone; {small} small.",
        "verdict": "exploratory",
        "n_large": found["n_subgroups"] - found["n_small"],
        "n_miscalibrated": found["n_miscalibrated"],
        "miscalibrated": _counted(found["n_miscalibrated"], "has", "have"),
        "small": _counted(found["n_small"], "is marked", "are marked"),
        "expected": found["expected_by_chance"],
        "n_small": found["n_small"],
    }


def sample_size(needed: pd.DataFrame, n_patients: int, shrinkage: float) -> Appraisal:
    """Whether the trial has the patients that its model needs."""
    largest = needed.loc[needed["n"].idxmax()]
    text = "The trial is large enough" if n_patients >= largest["n"] else "The trial is too small"
    return {
        "sentence": text
        + " for logistic regression on nine features: {criterion} asks for {n_needed:,} patients, it has "
        "{n_patients:,}. The expected shrinkage at this size is {shrinkage:.2f}.",
        "verdict": "supported" if n_patients >= largest["n"] else "not supported",
        "criterion": largest["criterion"],
        "n_needed": int(largest["n"]),
        "n_patients": n_patients,
        "shrinkage": shrinkage,
    }


def coverage(table: pd.DataFrame, low: float = 0.93, high: float = 0.97) -> Appraisal:
    """Whether every 95 % interval covers as it should, as far as the number of simulated trials can tell."""
    off = table[(table["ci_high"] < low) | (table["ci_low"] > high)]
    names = (off["measure"] + " (" + off["method"] + ")").tolist()
    allowed = f"{100 * low:.0f} to {100 * high:.0f} %"
    text = (
        f"No method's coverage lies outside {allowed} by more than the simulation's own error"
        if off.empty
        else f"Outside {allowed}, beyond the simulation's own error: {listed(names)}"
    )
    return {
        "sentence": text + "; the observed shares run from {lowest:.1%} to {highest:.1%} over {methods} methods.",
        "verdict": "supported" if off.empty else "not supported",
        "outside": names,
        "lowest": table["coverage"].min(),
        "highest": table["coverage"].max(),
        "methods": len(table),
    }
