"""Sentences of chapter 03, made from the numbers they state, so that a rerun cannot contradict its prose."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from attrition.ablation.groups import MODEL_LABELS, STEP_LABELS
from attrition.text import MISSING, interval_text

Found = Mapping[str, Any]


def signed(found: Found) -> str:
    """A difference with its interval.

    Examples
    --------
    >>> signed({"value": 0.0109, "ci_low": 0.0105, "ci_high": 0.0113})
    '+0.0109 (+0.0105 to +0.0113)'
    """
    return interval_text(found, "+.4f") or MISSING


def steps_reading(paired: Found, smallest_difference: float) -> str:
    """Which of the three steps carries the whole gain, and whether any reaches the smallest difference of interest."""
    names = ("rates_minus_counts", "interactions", "domain")
    largest = max(names, key=lambda name: paired[name]["value"])
    reaching = [STEP_LABELS[n].lower() for n in names if paired[n]["ci_low"] >= smallest_difference]
    harmful = [STEP_LABELS[n].lower() for n in names if paired[n]["ci_high"] < 0]
    sentence = f"the largest step is {STEP_LABELS[largest].lower()}, {signed(paired[largest])}."
    reached = (
        f"Larger than the smallest difference of interest: {', '.join(reaching)}."
        if reaching
        else ("No single step is certain to reach the smallest difference of interest.")
    )
    lost = f" A loss, with an interval below zero: {', '.join(harmful)}." if harmful else ""
    return f"{sentence} {reached}{lost}"


def costly(left_out: Mapping[str, Found]) -> str:
    """How many features would better be left out, and why that can be."""
    below = [name for name, found in left_out.items() if found["ci_high"] < 0]
    if not below:
        return "No feature costs AUROC to include"
    cost = "features cost" if len(below) != 1 else "features costs"
    return (
        f"{len(below)} of {len(left_out)} {cost} AUROC to include: a coefficient that is worth little is still "
        "estimated with error"
    )


def redundancy(left_out: Found, alone: Found, smallest_difference: float) -> str:
    """Why a feature can be strong alone and worth nothing beside the others."""
    strong = alone["share_of_lift"] >= 0.8
    idle = left_out["ci_high"] < smallest_difference
    if strong and idle:
        return "Strong alone and idle in company is one fact: the other features carry the same information"
    if idle:
        return "It is neither strong alone nor missed in company"
    return "It carries something that the other features do not"


def learning(summary: pd.DataFrame) -> str:
    """How many patients the trees need to reach what logistic regression has with few."""
    linear = summary[summary["model"] == "lr"].sort_values("n_train")
    parts = []
    for model in ("xgb", "lgbm"):
        last = summary[summary["model"] == model].sort_values("n_train").iloc[-1]
        enough = linear[linear["ci_high"] >= last["value"]]
        name, size = MODEL_LABELS[model], f"{last['n_train']:,.0f}"
        if enough.empty:
            parts.append(f"{name} trained on {size} patients has passed logistic regression at every size")
        else:
            few = f"{enough['n_train'].iloc[0]:,.0f}"
            parts.append(
                f"{name} trained on {size} patients reaches {last['value']:.3f}, "
                f"which logistic regression, within its error, has with {few}"
            )
    return "; ".join(parts)


def seeds(table: pd.DataFrame) -> str:
    """Which models the split seeds call best.

    Parameters
    ----------
    table : DataFrame
        From `attrition.ablation.one_split.other_seeds`.
    """
    best = table.drop_duplicates("split_seed")["best"].value_counts()
    orders = table.sort_values("rank").groupby("split_seed")["model"].agg(tuple).nunique()
    n_seeds = table["split_seed"].nunique()
    named = ", ".join(f"{label} is best under {count} of {n_seeds} seeds" for label, count in sorted(best.items()))
    if orders > 1:
        return f"{named}, but the order of the three changes with the seed: {orders} orders from {n_seeds} seeds"
    return f"{named}, and the order of the three happens to be the same under each"
