"""What chapter 05's figures show, in sentences chosen by the numbers; a companion to `attrition.evaluation.appraisal`.

Each function returns a mapping with ``sentence`` (a template), the values that fill it, and ``verdict``.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from attrition import models
from attrition.models import FITTED
from attrition.models import IN_TEXT as NAMES
from attrition.text import listed

Reading = dict[str, Any]


def roc(found: Mapping, differences: Mapping) -> Reading:
    """Which ROC curve lies nearest to the oracle's, and whether these patients can tell the two apart.

    Parameters
    ----------
    found : mapping
        `attrition.evaluation.performance`.
    differences : mapping
        `attrition.evaluation.paired`, with every fitted model less the oracle.
    """
    first, *others = sorted(FITTED, key=lambda model: -found[model]["auroc"]["value"])
    gap = differences[f"{first}_less_oracle"]["auroc"]
    told = (
        "these patients cannot tell the two apart"
        if gap["ci_low"] <= 0 <= gap["ci_high"]
        else "a difference that these patients do show"
    )
    return {
        "sentence": "The curve of {first} lies nearest to the oracle's: the areas differ by {gap:.3f}, "
        + told
        + ". "
        + listed([models.LABELS[model] for model in others])
        + " lie lower, with areas of "
        + listed([f"{found[model]['auroc']['value']:.3f}" for model in others])
        + ". The doubt: curves may cross where areas do not, so an order of areas is not an order at every threshold.",
        "verdict": "exploratory",
        "first": NAMES[first],
        "gap": gap,
    }


def against_oracle(differences: Mapping) -> Reading:
    """Whether a fitted model comes out above the oracle on these patients, and what that means.

    Parameters
    ----------
    differences : mapping
        `attrition.evaluation.paired`, with every fitted model less the oracle.
    """
    pairs = {
        (m, key): differences[f"{m}_less_oracle"][key] for m in FITTED for key in ("auroc", "brier", "net_benefit")
    }
    lucky = [
        (model, key)
        for (model, key), gap in pairs.items()
        if (gap["ci_high"] < 0 if key == "brier" else gap["ci_low"] > 0)
    ]
    words = {"auroc": "AUROC", "brier": "Brier score", "net_benefit": "net benefit"}
    if not lucky:
        text = "No fitted model comes out better than the oracle beyond its interval, in any of {n} comparisons."
    else:
        named = listed([f"the {words[key]} of {NAMES[model]}" for model, key in lucky])
        verb = "is" if len(lucky) == 1 else "are"
        text = (
            f"On these patients {named} {verb} better than the oracle's, with an interval that excludes 0. No model "
            "can be better over all outcomes, so this is the luck of one draw of outcomes: among {n} intervals of 95 % "
            "against the oracle a miss is no surprise, and the other differences deserve the same doubt."
        )
    return {"sentence": text, "verdict": "exploratory", "n": len(pairs), "n_lucky": len(lucky)}


def curve_reading(curve: pd.DataFrame) -> Reading:
    """At which share of thresholds each model's net benefit is above both defaults, by point estimates.

    Parameters
    ----------
    curve : pandas.DataFrame
        `attrition.decision.decision_curve`.
    """
    above = (curve["over_all"] > 0) & (curve["over_none"] > 0)
    counts = above.groupby(curve["model"]).sum()
    low, high = curve["threshold"].min(), curve["threshold"].max()
    first, *others = FITTED
    return {
        "sentence": f"By point estimates {NAMES[first]} is above both defaults at {{{first}}} of {{n}} thresholds from "
        "{low:.2f} to {high:.2f}, "
        + listed([*(f"{NAMES[model]} at {{{model}}}" for model in others), "the oracle at {oracle}"])
        + ". The doubt: these are "
        "curves without a verdict; a lead at one threshold may be luck, and only thresholds that somebody's costs "
        "put there matter.",
        "verdict": "exploratory",
        "n": int(curve["threshold"].nunique()),
        "low": low,
        "high": high,
        **{model: int(counts[model]) for model in (*FITTED, "oracle")},
    }


def near_threshold(steady: pd.DataFrame, thresholds: list[float], often: float) -> Reading:
    """How far from a threshold a patient must be to be classed alike by nearly all models developed again.

    Parameters
    ----------
    steady : pandas.DataFrame
        `attrition.evaluation.stability.per_patient`.
    thresholds : list of float
    often : float
        Share of models from which on a patient counts as classed otherwise.
    """
    reach = {}
    for threshold in thresholds:
        unsteady = steady[f"changes_at_{threshold:g}"] > often
        if unsteady.any():
            reach[threshold] = float((steady.loc[unsteady, "prediction"] - threshold).abs().max())
    if not reach:
        sentence = "No patient is classed otherwise by more than {often:.0%} of models, at any threshold."
        return {"sentence": sentence, "verdict": "exploratory", "often": often}
    widest = max(reach, key=reach.__getitem__)
    return {
        "sentence": "It is patients near a threshold whose class is unsteady, and near means up to {reach:.2f} "
        "away (at {widest:g}): beyond that distance no more than {often:.0%} of models disagree. The doubt: "
        "resampled patients stand in for new trials, which may differ in more than their patients.",
        "verdict": "exploratory",
        "reach": reach[widest],
        "widest": widest,
        "often": often,
    }


def dependence(found: Mapping[str, pd.DataFrame]) -> Reading:
    """How far each model's partial dependence strays from the law's.

    Parameters
    ----------
    found : mapping of str to pandas.DataFrame
        Column to ``model, value, y_prob``, with the model *oracle*.
    """
    gaps: dict[str, list[float]] = {}
    for table in found.values():
        wide = table.pivot_table(index="value", columns="model", values="y_prob")
        for model in FITTED:
            gaps.setdefault(model, []).append(float((wide[model] - wide["oracle"]).abs().max()))
    worst = {model: max(values) for model, values in gaps.items()}
    best = min(worst, key=worst.__getitem__)
    return {
        "sentence": "{best} stays nearest to the law's curves: its mean prediction is nowhere more than {gap:.2f} "
        "away, where "
        + listed([f"{NAMES[m]} strays by up to {worst[m]:.2f}" for m in FITTED if m != best])
        + ". The doubt: setting one column for everybody makes patients who cannot exist, and distances grow where "
        "patients are few.",
        "verdict": "exploratory",
        "best": models.LABELS[best],
        "gap": worst[best],
    }
