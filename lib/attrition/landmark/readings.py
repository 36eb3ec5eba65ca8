"""Chapter 06's sentences, chosen by the numbers: a rerun or another trial never contradicts its own prose."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import pandas as pd

from attrition import decision
from attrition.cdisc.trial import Trial
from attrition.landmark import machine, prediction
from attrition.landmark.guard import SUSPICIOUS
from attrition.landmark.machine import Study, analysed, aurocs, interval
from attrition.landmark.time_readings import Reading
from attrition.text import listed, unless_missing

CLAIMS = {
    "finding-real-honest": "what is known by a landmark ranks patients better than chance",
    "finding-real-arm": "what is known by a landmark ranks patients better than the treatment arm alone",
    "finding-real-blinded": "knowing the treatment arm improves the prediction",
    "finding-real-leaks": "knowing what was not yet known makes a model look better than it is",
}
"""What the verdict of each finding is about."""
NO_PREDICTION = "No landmark has enough events for a prediction to be judged, so nothing is concluded about prediction."


def verdict(value: dict[str, float], smallest: float) -> str:
    """*supported* for an interval above zero and the smallest difference; *direction only* for the interval alone.

    Examples
    --------
    >>> verdict({"value": 0.06, "ci_low": 0.01, "ci_high": 0.1}, 0.05)
    'supported'
    >>> verdict({"value": 0.06, "ci_low": -0.01, "ci_high": 0.1}, 0.05)
    'not supported'
    """
    if value["ci_low"] <= 0:
        return "not supported"
    return "supported" if value["value"] >= smallest else "direction only"


def _difference(study: Study, day: int, first: str, second: str, picked: bool) -> dict[str, float] | None:
    if study.differences.empty:
        return None
    rows = study.differences
    rows = rows[(rows["landmark"] == day) & (rows["first"] == first) & (rows["second"] == second)]
    if rows.empty:
        return None
    return interval(rows.iloc[0], "all_low", "all_high") if picked else interval(rows.iloc[0])


def _days(study: Study) -> list[int]:
    return sorted(day for day in study.problems if day > 0)


def _differences(study: Study, first: str, second: str, picked: bool = False) -> dict[int, dict[str, float]]:
    """Difference of two models by landmark, where both were fitted; if the best is picked, with intervals for that."""
    found = ((day, _difference(study, day, first, second, picked)) for day in _days(study))
    return {day: value for day, value in found if value is not None}


def day_zero(trial: Trial) -> str:
    """Who is at risk on day 0."""
    return f"Day 0 stands for the time before the first dose: everybody {analysed(trial)}, baseline and arm only."


def took_part(trial: Trial) -> Reading:
    """How many left by the horizon, for which kind of reason, and whether anybody was lost before it."""
    counted, horizon = trial.flow, trial.horizon
    values = {"n": len(trial.patients), "left": counted["discontinued_by_horizon"], "horizon": horizon}
    values |= {"primary": counted["primary"], "other": values["left"] - counted["primary"]}
    values |= {"censored": counted["censored"]}
    lost = (
        "Patients whose follow-up ends before that day without a disposition: {censored}; they are left out of the "
        "targets."
        if counted["censored"]
        else "Nobody's follow-up ends before that day without a disposition."
    )
    return Reading(
        f"Of {{n}} {analysed(trial)} patients {{left}} left by day {{horizon}}: {{primary}} with the primary event, "
        "{other} for a competing reason. " + lost,
        "exploratory",
        values,
    )


NAMES = {name: label[0].lower() + label[1:] for name, label in prediction.LABELS.items()} | {
    "adverse_events": "baseline, arm and adverse events",
    "visits": "baseline, arm, adverse events and visits",
}
"""Models in a sentence."""
TOO_EXTREME = 0.995
"""A slope's upper end below it is below 1 as printed, too."""
CHANCE = 0.05
"""Level of the test against chance, over all landmarks together."""


def better_than_chance(study: Study, model: str = "all") -> list[int]:
    """Landmarks at which a model ranks better than chance: permutation test, Holm over the landmarks."""
    return [day for day, tests in study.chance.items() if model in tests and tests[model]["holm"] <= CHANCE]


def _days_listed(days: Sequence[int]) -> str:
    return listed([f"day {day}" for day in days])


@unless_missing
def below_half(study: Study, model: str) -> Reading | None:
    """What an interval wholly below one half means; None without one."""
    rows = aurocs(study)
    rows = rows[(rows["model"] == model) & (rows["ci_high"] < 0.5)]
    if rows.empty:
        return None
    row = rows.iloc[0]
    expected = study.chance.get(int(row["landmark"]), {}).get(model)
    told = "where nothing can be predicted, the same procedure gives {mean:.3f} on average and between {low:.3f} and "
    values = {"label": row["label"], "day": row["landmark"], "auroc": interval(row), **(expected or {})}
    return Reading(
        "{label} has an AUROC of {auroc:.3f} on day {day}, below one half. That is no knowledge turned round: with few "
        "events what a model learns from some patients by chance goes against the others"
        + ("; " + told + "{high:.3f}." if expected else "."),
        "exploratory",
        values,
    )


def honest(study: Study, suspicious: float) -> Reading:
    """How well any honest model ranks, and whether one is too good."""
    if not _days(study):
        return Reading(NO_PREDICTION, "not testable")
    table = aurocs(study)
    best = table.loc[table["value"].idxmax()]
    days, above = _days(study), better_than_chance(study)
    values: dict[str, Any] = {"best": best["value"], "label": NAMES[best["model"]], "day": best["landmark"]}
    values |= {"above": f"on {_days_listed(above)}" if above else "at no landmark after day 0", "n": len(days)}
    values |= {"tried": len(table), "suspicious": suspicious}
    values["p"] = ", ".join(f"{study.chance[day]['all']['holm']:.3f}" for day in days)
    template = (
        "With what was known by then, a ridge regression on all known features ranks better than chance {above} (p of "
        "the permutation test, adjusted for the {n} landmarks: {p}). The highest of {tried} AUROCs after day 0 is "
        "{best:.3f} ({label}, day {day}), flattered by having been picked. "
    )
    if best["value"] >= suspicious:
        return Reading(
            template + "An AUROC from {suspicious:.2f} up is a leak until shown otherwise, so it is not judged whether "
            "patients are ranked better than chance.",
            "not testable",
            values,
        )
    word = "supported" if len(above) == len(days) else "direction only" if above else "not supported"
    return Reading(template + "None reaches {suspicious:.2f}.", word, values)


def _too_good(study: Study, suspicious: float) -> dict[str, Any] | None:
    """The highest AUROC of the full model after day 0, where it is as high as a leak would make it."""
    rows = aurocs(study).query("model == 'all'")
    best = rows.loc[rows["value"].idxmax()]
    return {"auroc": interval(best), "day": best["landmark"]} if best["value"] >= suspicious else None


def beyond_the_arm(study: Study, smallest: float, suspicious: float = SUSPICIOUS) -> Reading:
    """Whether all that was known adds to the arm alone; not judged where the full model is suspected of a leak."""
    if not _days(study):
        return Reading(NO_PREDICTION, "not testable")
    found = _differences(study, "all", "arm_only", picked=True)
    if not found:
        return Reading("There is no arm to compare with.", "not testable")
    if (leaky := _too_good(study, suspicious)) is not None:
        return Reading(
            "With all known features the AUROC is {auroc:.3f} on day {day}. From {suspicious:.2f} up it is a leak "
            "until shown otherwise, so it is not judged whether they rank patients better than the arm alone.",
            "not testable",
            leaky | {"suspicious": suspicious},
        )
    best, clear = _best(found)
    word = verdict(found[best], smallest)
    values: dict[str, Any] = {"day": best, "gain": found[best], "smallest": smallest, "n": len(found)}
    worse = [day for day, value in found.items() if value["ci_high"] < 0]
    if word == "not supported":
        template = (
            "At no landmark after day 0 is it shown that all known features together rank patients better than the "
            "treatment arm alone; the largest difference in AUROC is {gain:+.3f} (day {day}; the interval is widened "
            "for the number of landmarks)."
        )
    else:
        values["clear"] = _days_listed(clear)
        template = (
            "All known features together rank patients better than the arm alone on {clear}; the largest of these "
            "differences in AUROC is {gain:+.3f} (day {day}; smallest difference of interest {smallest:.2f}; intervals "
            "are widened for the number of landmarks)."
        )
    if worse:
        values["worse"] = _days_listed(worse)
        template += " On {worse} they rank worse: noise costs more than the features bring."
    return Reading(template, word, values)


def _best(found: Mapping[int, dict[str, float]]) -> tuple[int, list[int]]:
    """The landmark with the largest difference, among those that are clear where there are any; and these."""
    clear = [day for day, value in found.items() if value["ci_low"] > 0]
    return max(clear or found, key=lambda day: found[day]["value"]), clear


def blinded(study: Study, smallest: float) -> Reading:
    """What is left when the arm is not known, as in a running trial."""
    main = study.main
    if main is None:
        return Reading(NO_PREDICTION, "not testable")
    found = _differences(study, "all", "all_without_arm")
    if not found:
        return Reading("The arm tells nothing that could be taken away.", "not testable")
    rows = aurocs(study).query("model == 'all_without_arm'")
    above = better_than_chance(study, "all_without_arm")
    values: dict[str, Any] = {"gain": found[main], "day": main}
    values["left"] = interval(rows[rows["landmark"] == main].iloc[0])
    values["above"] = _days_listed(above) if above else ""
    rest = "better than chance on {above}" if above else "at no landmark after day 0 shown to be better than chance"
    clear = [day for day, gain in found.items() if gain["ci_low"] > 0]
    unclear = [day for day in found if day not in clear]
    where = f"shown on {_days_listed(clear)}" if clear else "shown at no landmark"
    values["where"] = where + (f", not on {_days_listed(unclear)}" if clear and unclear else "")
    return Reading(
        "Where treatment is blinded, a running trial does not know the arm. Without it the AUROC on day {day} is "
        "{left:.3f}; knowing it is worth "
        "{gain:+.3f} (an interval for one comparison; a gain is {where}). Without the arm the model is " + rest + ".",
        verdict(found[main], smallest),
        values,
    )


def adverse_events(study: Study, smallest: float) -> Reading:
    """Whether adverse events known by the landmark add to baseline and arm."""
    if not _days(study):
        return Reading(NO_PREDICTION, "not testable")
    found = _differences(study, "adverse_events", "baseline_arm", picked=True)
    if not found:
        return Reading("No adverse event counts as known at a landmark, so they add nothing.", "not testable")
    best, _ = _best(found)
    word = verdict(found[best], smallest)
    said = "add to baseline and arm" if word != "not supported" else "are not shown to add anything to baseline and arm"
    return Reading(
        f"Adverse events known by the landmark {said}: at best {{gain:+.3f}} in AUROC (day {{day}}; the "
        "interval is widened for the number of landmarks).",
        word,
        {"gain": found[best], "day": best},
    )


@unless_missing
def calibration(slope: Mapping[str, float], scaled_brier: Mapping[str, float]) -> Reading:
    """Calibration slope of the full model with its interval, and its Brier score against the null."""
    scaled = dict(scaled_brier)
    better = (
        "better" if scaled["ci_low"] > 0 else "worse" if scaled["ci_high"] < 0 else "not shown to be better or worse"
    )
    if np.isnan(slope["value"]):
        return Reading(
            "The calibration slope is not defined: the predictions hardly differ, or separate those who leave from "
            f"those who stay. The scaled Brier score is {{scaled:+.3f}}: {better} than the event rate alone.",
            "exploratory",
            {"scaled": scaled},
        )
    extreme = (
        "the predictions are too extreme"
        if slope["ci_high"] < TOO_EXTREME
        else "the predictions are not extreme enough"
        if slope["ci_low"] > 2 - TOO_EXTREME
        else "it is not shown that the predictions are too extreme"
    )
    return Reading(
        f"With a calibration slope of {{slope:.2f}} (1 is ideal) {extreme}. The scaled Brier score is "
        f"{{scaled:+.3f}}: {better} than the event rate alone.",
        "exploratory",
        {"slope": dict(slope), "scaled": scaled},
    )


def won(curve: pd.DataFrame | None) -> dict[str, dict[str, Any]]:
    """Where contacting by each model's risk beats both defaults, by `attrition.decision.conclude`.

    Parameters
    ----------
    curve : pandas.DataFrame or None
        From `attrition.landmark.machine.decisions`.

    Returns
    -------
    dict
        Model to `n`, how many thresholds have both simultaneous bands above zero, and `low`, `high`, the first and last
        of them; `judged_low`, `judged_high`, the first and last that is judged; and ``best``, the largest advantage
        over the better default, in net leavers found per 100 patients, with ``best_low``, the smaller of the lower
        ends of both bands there, and ``best_at``, its threshold. None where there is none.
    """
    found = {}
    for model in () if curve is None else curve["model"].unique():
        own = decision.conclude(curve, model)
        found[str(model)] = {
            "n": own["n_better"],
            "low": own["better_from"],
            "high": own["better_to"],
            "judged_low": own["judged_from"],
            "judged_high": own["judged_to"],
            "best": 100 * own["best_over_default"],
            "best_low": 100 * own["best_over_default_low"],
            "best_at": own["best_threshold"],
        }
    return found


BY = {
    "all": "the full model",
    "all_without_arm": "the same model without the treatment arm",
    "arm_only": "the treatment arm alone",
}
"""What patients are contacted by."""


def decisions(curve: pd.DataFrame | None) -> Reading:
    """Where contacting by the full model's risk, and by less, beats both defaults; the verdict is on the full model."""
    found = won(curve)
    if not found:
        return Reading(NO_PREDICTION, "not testable")
    at = {model: decision.where(own["low"], own["high"]) for model, own in found.items()}
    judged = [f"{BY[model]} {decision.where(own['judged_low'], own['judged_high'])}" for model, own in found.items()]
    others = [f"By {words} it does so {at[model]}." for model, words in BY.items() if model in at and model != "all"]
    told = (
        "Contacting by the full model's risk is shown to beat both contacting everybody and contacting nobody {where}; "
        "the bands hold for all strategies, thresholds and both defaults together. {others}"
    )
    told = told.strip() + " Judged, with at least {beside} patients on either side, are {judged}."
    values = {"where": at["all"], "others": " ".join(others), "judged": listed(judged), "beside": decision.BESIDE}
    if found["all"]["judged_low"] is None:
        return Reading(told, "not testable", values)
    return Reading(told, "supported" if found["all"]["n"] else "not supported", values)


def leaks(prices: pd.DataFrame, smallest: float, suspicious: float) -> Reading:
    """The dearest leak, how many are dear, and which gave nothing."""
    if prices.empty:
        return Reading(NO_PREDICTION, "not testable")
    dearest = prices.loc[prices["difference"].idxmax()]
    price = {"value": dearest["difference"], "ci_low": dearest["ci_low"], "ci_high": dearest["ci_high"]}
    free = prices.loc[prices["ci_low"] <= 0, "label"].str.lower().tolist()
    values = {
        "n": len(prices),
        "dear": int(((prices["ci_low"] > 0) & (prices["difference"] >= smallest)).sum()),
        "above": int((prices["leaky"] >= suspicious).sum()),
        "suspicious": suspicious,
        "name": dearest["label"][0].lower() + dearest["label"][1:],
        "honest": dearest["honest"],
        "leaky": dearest["leaky"],
        "price": price,
        "smallest": smallest,
    }
    raised = "raises" if values["dear"] == 1 else "raise"
    reached = "reaches" if values["above"] == 1 else "reach"
    template = (
        f"Of {{n}} ways of leaking, {{dear}} {raised} the AUROC by {{smallest:.2f}} or more, with an interval above "
        f"zero; {{above}} {reached} {{suspicious:.2f}}. "
        "The dearest, *{name}*, turns {honest:.3f} into {leaky:.3f}: its price is "
        "{price:+.3f}. Both sides carry one fixed penalty, compare all folds, and are held fixed by the intervals, "
        "which are then too narrow."
    )
    if free:
        values["free"] = listed(free)
        template += " Not every leak pays: no gain is shown from {free}."
    return Reading(template, verdict(price, smallest), values)


@unless_missing
def optimism(study: Study) -> Reading:
    """Apparent, corrected and cross-validated AUROC at the main landmark."""
    day = study.main
    row = study.optimism.set_index("landmark").loc[day]
    table = aurocs(study)
    crossed = table[(table["landmark"] == day) & (table["model"] == "all")].iloc[0]
    gap = row["corrected"] - crossed["value"]
    values = {"day": day, "apparent": row["apparent"], "corrected": row["corrected"], "crossed": interval(crossed)}
    tail = (
        " Cross-validation trains on fewer patients and leans low; the bootstrap judges on patients whom it has "
        "mostly seen and leans high when features are many. The report quotes the lower."
        if gap > 0.02
        else " The bootstrap corrects more than cross-validation does; the report quotes the latter."
        if gap < -0.02
        else " The two corrected figures agree within 0.02."
    )
    return Reading(
        "On the patients it was fitted on, the full model reaches {apparent:.3f} on day {day}; corrected for optimism "
        "by the bootstrap {corrected:.3f}, and in cross-validation {crossed:.3f}." + tail,
        "exploratory",
        values,
    )


@unless_missing
def sites(study: Study) -> Reading:
    """How the full model does in site groups that it has not seen."""
    day, rows = study.main, machine.sites(study)
    if rows is None:
        return Reading(
            "All patients belong to one site group (or the source names none), so the model cannot be asked about "
            "places that it has not seen.",
            "not testable",
        )
    groups = rows[rows["site_group"] != "all"]
    inside = aurocs(study).query("model == 'all' and landmark == @day").iloc[0]["value"]
    pooled = rows.loc[rows["site_group"] == "all", "auroc"].iloc[0]
    values = {"day": day, "pooled": pooled, "inside": inside, "n": len(groups)}
    values |= {
        "low": groups["observed"].min(),
        "high": groups["observed"].max(),
        "smallest": int(groups["n_patients"].min()),
    }
    return Reading(
        "Trained on all other site groups and asked about the one left out, the model of day {day} ranks pairs of "
        "patients of the same group with an AUROC of {pooled:.3f} ({inside:.3f} in ordinary cross-validation). Between "
        "{low:.0%} and {high:.0%} of the patients of a group have the primary event; the smallest of the {n} "
        "groups has {smallest} patients.",
        "exploratory",
        values,
    )


@unless_missing
def enough(study: Study, **size: Any) -> Reading:
    """What sample size the number of features would have asked for, by `machine.sample_size`."""
    day = cast(int, study.main)
    of = study.problems[day]
    size = size or machine.sample_size(of, study.predictions[day]["all"])
    features = len(of.columns("all"))
    values: dict[str, Any] = {"day": day, "events": of.n_events, "features": features, "ratio": of.n_events / features}
    values |= {"n": len(of.y), **size}
    asked = (
        "would ask for {needed:,} patients where there are {n}"
        if values["needed"] > values["n"]
        else "ask for {needed:,}, no more than the {n} that there are"
    )
    seen = (
        "no number of patients is enough for that"
        if values["needed_seen"] is None
        else "for that they would ask for {needed_seen:,}"
    )
    return Reading(
        "On day {day} there are {events} events for {features} candidate columns, {ratio:.1f} each. If these explained "
        "{share:.0%} of what can be explained, a Cox-Snell R-squared of {r2:.3f}, the sample-size criteria of Riley "
        f"and colleagues {asked}. The R-squared seen in cross-validation is {{r2_seen:.3f}}; {seen}.",
        "exploratory",
        values,
    )


def too_few(plan: dict) -> Reading:
    """What can and cannot be concluded without a prediction; see `machine.planned`."""
    template = (
        "**What can be concluded:** who took part, why and when they left, and the risk of leaving: {risk:.0%} of {n} "
        "patients. **What cannot:** whether anybody's leaving can be told early. {events} events on day {day}, where "
        "they are most, neither show that it can nor that it cannot, so no model is fitted."
    )
    if plan["needed"] is None:
        return Reading(template, "not testable", plan)
    return Reading(
        template + " For {columns} candidate columns that explain {share:.0%} of what can be explained, a Cox-Snell "
        "R-squared of {r2:.3f}, the sample-size criteria of Riley and colleagues ask for {needed:,} patients at this "
        "risk. Another trial, or several together, could put the question.",
        "not testable",
        plan,
    )


def lag(table: pd.DataFrame, trial: Trial) -> Reading:
    """How late adverse events become known; see `machine.known_share`."""
    share = table.set_index("days_after_onset")["reported"]
    if share.isna().all():
        return Reading(_no_lag(trial), "not testable")
    half = share.index[share >= 0.5]
    values = {"same": share.loc[0], "month": share.loc[28]}
    middle = "; half are reported within {half} days" if len(half) else ""
    values |= {"half": int(half[0])} if len(half) else {}
    known = (
        "{same:.0%} of the adverse events are known on the day they begin" + middle + ", and {month:.0%} after four "
    )
    return Reading(
        known + "weeks. Counting by onset would hand the model reports from its own future."
        if share.loc[0] < 1
        else "Every adverse event is known on the day it begins, by the dates of this source.",
        "exploratory",
        values,
    )


def _no_lag(trial: Trial) -> str:
    """Why no delay of reporting can be shown."""
    adverse = trial.events[trial.events["kind"].eq("adverse event")]
    if adverse.empty:
        return "This source has no dated adverse events, so none counts as known at any landmark."
    if adverse["known_day"].isna().all():
        return "This source has no collection dates: no adverse event counts as known at any landmark."
    return "No adverse event with a collection date began on day 1 or later, so there is no delay of reporting to show."


def visits(seen: dict[str, float], day: int) -> Reading:
    """What a landmark sees of the visit planned nearest to it; see `participants.visit_seen`."""
    if np.isnan(seen["median_day"]):
        return Reading("This source has no dated visits, so no feature counts them.", "not testable")
    values = {"day": day, "within": seen["attended_within"], "planned": seen["planned"], "by": seen["attended_by"]}
    return Reading(
        "A visit planned for a day need not happen on it. Of the patients at risk on day {day}, {within:.0%} had the "
        "visit planned for day {planned} within a week of it, and {by:.0%} by the landmark itself (median day "
        "{median:.0f}); only for these does the landmark see it. We keep the rule strict and use "
        "whatever had happened by then, by date and not by the label of the visit.",
        "exploratory",
        values | {"median": seen["median_day"]},
    )


def off_treatment(found: dict[str, int] | None, day: int, at_risk: int) -> Reading:
    """Patients at risk by the record who had in fact stopped; see `participants.off_treatment`."""
    if found is None:
        return Reading(
            "This source does not tell when dosing ended, so it is not known how many of the {at_risk} patients at "
            "risk on day {day} were still taking treatment.",
            "not testable",
            {"day": day, "at_risk": at_risk},
        )
    values = {"day": day, "at_risk": at_risk, **found}
    if not found["n"]:
        return Reading(
            "The source shows nobody at risk on day {day} who had had the last dose by then.", "exploratory", values
        )
    went = "all of them" if found["primary"] == found["n"] else "of these {primary}"
    return Reading(
        f"Of the {{at_risk}} patients at risk on day {{day}}, {{n}} had already had the last dose; {went} went on to "
        "the primary event. By the record they were still in, in fact treatment had ended. That is known in "
        "hindsight only, so no feature uses it; but visits and reports by the landmark may hint at it.",
        "exploratory",
        values,
    )


@unless_missing
def on_treatment(trial: Trial, study: Study) -> Reading:
    """The full model among those who were still taking treatment; see `machine.on_treatment`."""
    day = cast(int, study.main)
    found = machine.on_treatment(trial, study, day)
    if found is None:
        return Reading(
            "This source does not tell when dosing ended, so the full model cannot be asked about those alone who "
            "were still taking treatment.",
            "not testable",
        )
    values = {"day": day, "n": found["n_patients"], "events": found["n_events"], "auroc": found["auroc"]}
    values |= {"all": machine.auroc(study, day, "all")}
    return Reading(
        "Among the {n} patients at risk on day {day} who were still taking treatment ({events} events), the full model "
        "has an AUROC of {auroc:.3f}; among all at risk it has {all:.3f}.",
        "exploratory",
        values,
    )


@unless_missing
def wrong(price: dict, day: int, suspicious: float) -> Reading:
    """What the usual notebook would report; see `leaks.wrong_way`."""
    values = {"day": day, "leaky": price["leaky"], "honest": price["honest"], "n": price["n_patients"]}
    values |= {"events": price["n_events"], "suspicious": suspicious}
    if price["ci_low"] <= 0:
        return Reading(
            "On day {day} the wrong way gives an AUROC of {leaky:.3f} and the honest one {honest:.3f}: in this trial "
            "the whole follow-up tells no more than what was known by then.",
            "exploratory",
            values,
        )
    said = "looks wonderful" if price["leaky"] >= suspicious else "looks better than it is"
    return Reading(
        f"An AUROC of {{leaky:.3f}} among {{n}} patients with {{events}} events: it {said}. The folds are clean and "
        "nothing is tuned, yet what was added is the outcome itself: what is counted over the whole follow-up is "
        "small *because* the patient left. Without those columns the same model on the same folds has "
        "{honest:.3f} on day {day}.",
        "exploratory",
        values,
    )


def simulated_leaks(prices: pd.DataFrame) -> Reading:
    """Whether honest cross-validation found the truth, and what leaking added."""
    known = prices.dropna(subset="truth").iloc[0]
    values = {"n": int(known["n_trials"]), "honest": known["honest"], "truth": known["truth"]}
    values |= {"above": int((prices["ci_low"] > 0).sum()), "all": len(prices), "most": prices["difference"].max()}
    raised = "raises" if values["above"] == 1 else "raise"
    return Reading(
        "Over {n} simulated trials the honest cross-validation of enrolment features averages {honest:.3f} where new "
        f"patients give {{truth:.3f}}; {{above}} of {{all}} leaks {raised} the estimate with an interval above zero, "
        "the dearest by {most:+.3f} "
        "on average.",
        "exploratory",
        values,
    )
