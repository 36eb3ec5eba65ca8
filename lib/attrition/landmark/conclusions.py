"""What chapter 06 concludes: numbers and grades; its sentences stand in ``notebooks/words/06_real_trial.md``.

Without a prediction ``day`` is None, or ``days`` is empty, and the sentence says so or nothing.
"""

import functools
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from attrition import decision
from attrition.cdisc.trial import Trial
from attrition.landmark import evaluation
from attrition.landmark.evaluation import Evaluation, Facts, aurocs, estimate, interval
from attrition.metrics.intervals import grade

CHANCE = 0.05
"""Level of the test against chance, over all landmarks together."""


def _at_main(facts: Callable[[Evaluation], Facts]) -> Callable[[Evaluation], Facts]:
    """The facts of the landmark with most events, with its ``day``; without one ``day`` is None."""

    @functools.wraps(facts)
    def called(evaluated: Evaluation) -> Facts:
        return {"day": evaluated.main} | ({} if evaluated.main is None else facts(evaluated))

    return called


def _days(evaluated: Evaluation) -> list[int]:
    return sorted(evaluated.later)


def _differences(evaluated: Evaluation, first: str, second: str, low: str, high: str) -> dict[int, dict[str, float]]:
    """Difference of two models after day 0, by landmark; no landmark where one of them was not fitted."""
    if evaluated.differences.empty:
        return {}
    rows = evaluated.differences.query("landmark > 0 and first == @first and second == @second").sort_values("landmark")
    return {int(row["landmark"]): interval(row, low, high) for _, row in rows.iterrows()}


def _clear(found: Mapping[int, Mapping[str, float]]) -> list[int]:
    return [day for day, value in found.items() if value["ci_low"] > 0]


def _largest(found: Mapping[int, dict[str, float]], smallest: float) -> Facts:
    """The largest difference among those that are clear, where there are any, and the verdict on it."""
    clear = _clear(found)
    day = max(clear or found, key=lambda one: found[one]["value"])
    return {"day": day, "gain": found[day], "clear": clear, "verdict": grade(found[day], smallest).verdict}


def better_than_chance(evaluated: Evaluation, model: str = "all") -> list[int]:
    """Landmarks at which a model ranks better than chance: permutation test, Holm over the landmarks."""
    return [day for day, tests in evaluated.chance.items() if model in tests and tests[model]["holm"] <= CHANCE]


def below_half(evaluated: Evaluation, model: str) -> Facts:
    """An interval wholly below one half (``auroc`` is None without one), and what the procedure gives by chance."""
    rows = aurocs(evaluated) if evaluated.main else pd.DataFrame()
    rows = rows[rows["model"].eq(model) & (rows["ci_high"] < 0.5)] if len(rows) else rows
    if rows.empty:
        return {"auroc": None}
    row = rows.iloc[0]
    expected = evaluated.chance.get(int(row["landmark"]), {}).get(model, {"mean": None})
    return {"label": row["label"], "day": row["landmark"], "auroc": interval(row), **expected}


def honest(evaluated: Evaluation, suspicious: float) -> Facts:
    """How well any honest model ranks, at which landmarks better than chance, and whether one is too good."""
    days, above = _days(evaluated), better_than_chance(evaluated)
    if not days:
        return {"days": days, "verdict": "not testable"}
    table = aurocs(evaluated)
    best = table.loc[table["value"].idxmax()]
    verdict = "supported" if len(above) == len(days) else "direction only" if above else "not supported"
    facts = {"days": days, "above": above, "p": [evaluated.chance[day]["all"]["holm"] for day in days]}
    facts |= {"tried": len(table), "best": best["value"], "suspicious": suspicious}
    facts |= {"model": best["model"], "label": best["label"], "day": best["landmark"]}
    return facts | {"verdict": "not testable" if best["value"] >= suspicious else verdict}


def beyond_the_arm(evaluated: Evaluation, smallest: float, suspicious: float) -> Facts:
    """Whether all that was known adds to the arm alone; not judged where the full model is suspected of a leak."""
    found = _differences(evaluated, "all", "arm_only", "all_low", "all_high")
    facts = {"days": _days(evaluated), "compared": len(found), "verdict": "not testable"}
    if not found:
        return facts
    rows = aurocs(evaluated).query("model == 'all'")
    best = rows.loc[rows["value"].idxmax()]
    facts |= {"smallest": smallest, "suspicious": suspicious, "leak": bool(best["value"] >= suspicious)}
    if facts["leak"]:
        return facts | {"auroc": interval(best), "day": best["landmark"]}
    worse = [day for day, value in found.items() if value["ci_high"] < 0]
    return facts | _largest(found, smallest) | {"worse": worse}


def blinded(evaluated: Evaluation, smallest: float) -> Facts:
    """What is left when the arm is not known, as in a running trial."""
    main, found = evaluated.main, _differences(evaluated, "all", "all_without_arm", "ci_low", "ci_high")
    facts = {"day": main, "compared": len(found), "verdict": "not testable"}
    if main is None or not found:
        return facts
    clear = _clear(found)
    facts |= {"gain": found[main], "verdict": grade(found[main], smallest).verdict}
    facts |= {"clear": clear, "unclear": [day for day in found if day not in clear]}
    left = estimate(evaluated, main, "all_without_arm")
    return facts | {"left": left, "above": better_than_chance(evaluated, "all_without_arm")}


def adverse_events(evaluated: Evaluation, smallest: float) -> Facts:
    """Whether adverse events known by the landmark add to baseline and arm."""
    found = _differences(evaluated, "adverse_events", "baseline_arm", "all_low", "all_high")
    facts = {"days": _days(evaluated), "compared": len(found), "verdict": "not testable"}
    return facts | (_largest(found, smallest) if found else {})


def contacting(curve: pd.DataFrame | None) -> Facts:
    """Where contacting by each model's risk beats both defaults; the verdict is on the full model.

    Parameters
    ----------
    curve : pandas.DataFrame or None
        From `attrition.landmark.evaluation.decisions`.

    Returns
    -------
    dict
        ``verdict``, ``beside`` (patients on either side of a threshold that is judged) and ``models``: by model ``n``,
        how many thresholds have both simultaneous bands above zero, ``low`` and ``high``, the first and last of them;
        ``judged_low`` and ``judged_high``; and ``best``, the largest advantage over the better default, in net leavers
        found per 100 patients, with ``best_low``, the lower end of its bands, and ``best_at``; None where is none.
    """
    models: dict[str, Facts] = {}
    for model in () if curve is None else curve["model"].unique():
        own = decision.conclude(curve, model)
        best, low = 100 * own["best_over_default"], 100 * own["best_over_default_low"]
        facts = {"n": own["n_better"], "low": own["better_from"], "high": own["better_to"]}
        facts |= {"judged_low": own["judged_from"], "judged_high": own["judged_to"]}
        models[str(model)] = facts | {"best": best, "best_low": low, "best_at": own["best_threshold"]}
    verdict = "not testable"
    if models and models["all"]["judged_low"] is not None:
        verdict = "supported" if models["all"]["n"] else "not supported"
    return {"models": models, "beside": decision.BESIDE, "verdict": verdict}


def leaks(prices: pd.DataFrame, smallest: float, suspicious: float) -> Facts:
    """The leak with the highest price, how many have a large one, and which gave nothing."""
    if prices.empty:
        return {"n": 0, "verdict": "not testable"}
    dearest = prices.loc[prices["difference"].idxmax()]
    price = {"value": dearest["difference"], "ci_low": dearest["ci_low"], "ci_high": dearest["ci_high"]}
    large = (prices["ci_low"] > 0) & (prices["difference"] >= smallest)
    facts = {"n": len(prices), "large": int(large.sum()), "above": int((prices["leaky"] >= suspicious).sum())}
    facts |= {"free": prices.loc[prices["ci_low"] <= 0, "label"].tolist(), "suspicious": suspicious}
    facts |= {**dearest[["label", "honest", "leaky"]], "price": price, "smallest": smallest}
    return facts | {"verdict": grade(price, smallest).verdict}


@_at_main
def optimism(evaluated: Evaluation) -> Facts:
    """Apparent, corrected and cross-validated AUROC at the main landmark."""
    row = evaluated.optimism.set_index("landmark").loc[evaluated.main]
    return {**row[["apparent", "corrected"]], "crossed": estimate(evaluated, evaluated.main, "all")}


@_at_main
def sites(evaluated: Evaluation) -> Facts:
    """How the full model does in site groups that it has not seen; ``n`` is 0 where there is one only."""
    rows = evaluation.sites(evaluated)
    if rows is None:
        return {"n": 0}
    groups = rows[rows["site_group"] != "all"]
    facts = {"n": len(groups), "pooled": rows["auroc"].iloc[-1], "smallest": int(groups["n_patients"].min())}
    facts |= {"low": groups["observed"].min(), "high": groups["observed"].max()}
    return facts | {"inside": estimate(evaluated, evaluated.main, "all")["value"]}


@_at_main
def sample_size(evaluated: Evaluation) -> Facts:
    """What sample size the number of features would have asked for, by `evaluation.needed_patients`."""
    of = evaluated.problems[evaluated.main]
    found = evaluation.needed_patients(of, evaluated.developed[evaluated.main].predictions["all"])
    return {"events": of.n_events, "features": len(of.columns("all")), "n": len(of.y), **found}


def lag(reported: pd.DataFrame, trial: Trial) -> Facts:
    """How late adverse events become known: on the same day, half of them (days), after four weeks.

    Parameters
    ----------
    reported : pandas.DataFrame
        From `cohort.known_share`.
    trial : Trial
    """
    adverse = trial.events[trial.events["kind"].eq("adverse event")]
    share = reported.set_index("days_after_onset")["reported"]
    half = share.index[share >= 0.5]
    facts = {"recorded": len(adverse), "collected": int(adverse["known_day"].notna().sum()), "month": share[28]}
    return facts | {"same": None if np.isnan(share[0]) else share[0], "half": int(half[0]) if len(half) else None}
