"""Sentences of chapter 03, made from the numbers they state, so that a rerun cannot contradict its prose."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from attrition.ablation.groups import MODEL_LABELS, STEP_LABELS, in_words
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


def population(reference: Mapping[str, Found], *settings: str) -> str:
    """Patients and expected dropouts of the populations in which AUROCs are measured, for the notes of a table.

    Examples
    --------
    >>> population({"p24": {"n_population": 50000, "expected_dropouts": 12000.4}}, "p24")
    'Population: 50,000 patients, of whom 12,000 are expected to drop out.'
    """
    sizes = f"{reference[settings[0]]['n_population']:,.0f} patients"
    events = " or ".join(f"{reference[name]['expected_dropouts']:,.0f}" for name in settings)
    each = "each, " if len(settings) > 1 else ""
    return f"Population: {sizes}, {each}of whom {events} are expected to drop out."


def step(name: str, found: Found, smallest_difference: float, published: float) -> str:
    """What one published step is worth, over simulated trials."""
    words = in_words(found, smallest_difference)
    what = STEP_LABELS[name][0].lower() + STEP_LABELS[name][1:]
    return f"*Claim:* {what}: {published:+.3f} of AUROC for logistic regression. *Found:* {signed(found)}, {words}"


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


def extent(table: pd.DataFrame) -> str:
    """Smallest and largest estimate of a forest plot, for its alternative text."""
    return f"estimates run from {table['value'].min():+.4f} to {table['value'].max():+.4f}"


def levels_extent(table: pd.DataFrame) -> str:
    """Range of each model's estimates over feature versions, for the alternative text."""
    known = table.dropna(subset="model")
    parts = [
        f"{label} {part['value'].min():.3f} to {part['value'].max():.3f}" for label, part in known.groupby("label")
    ]
    return ", ".join(parts)


def curve_extent(summary: pd.DataFrame) -> str:
    """First and last point of each learning curve, for the alternative text."""
    ordered = summary.sort_values("n_train").groupby("model")["value"]
    ends = ordered.agg(["first", "last"])
    return ", ".join(f"{MODEL_LABELS[m]} from {a:.3f} to {b:.3f}" for m, a, b in ends.itertuples())


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


def burden(left_out: Found, alone: Found, rank: int, n_features: int, smallest_difference: float) -> str:
    """Burden left out against burden alone.

    Parameters
    ----------
    left_out, alone : mapping
        Paired differences with their intervals: v3 less v3 without burden, and burden alone less the same.
    rank, n_features : int
        Place of burden among the features, and their number.
    smallest_difference : float
        Of interest, in AUROC.
    """
    lost = in_words(left_out, smallest_difference)
    place = "the most valuable feature" if rank == 1 else f"number {rank} of {n_features} features"
    return (
        f"*Claim:* burden is the most valuable feature. *Found:* adding it to the other features of v3 brings {lost}: "
        f"{signed(left_out)}; by that measure it is {place}. "
        f"Alone it reaches an AUROC of {alone['value']:.3f}, {alone['share_of_lift']:.0%} of the attainable lift"
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


def models(found: Found, smallest_difference: float) -> str:
    """The three models against each other."""
    best = max(MODEL_LABELS, key=lambda model: found[model]["value"])
    pairs = {"lr_minus_xgb": "logistic regression less XGBoost", "lr_minus_lgbm": "less LightGBM"}
    gaps = ", ".join(f"{words} {signed(found[name])}" for name, words in pairs.items())
    trees = in_words(found["lgbm_minus_xgb"], smallest_difference)
    return (
        "*Claim:* logistic regression is the best of three models, then LightGBM, then XGBoost. *Found:* "
        f"{MODEL_LABELS[best]} is best, with {found['share_of_lift'][best]:.0%} of what can be gained over chance. "
        f"In AUROC, {gaps}. LightGBM less XGBoost: {trees}, {signed(found['lgbm_minus_xgb'])}"
    )


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


def one_split(spread: Found, published: Found) -> str:
    """Whether the published difference between models is within the spread of one split.

    Parameters
    ----------
    spread : mapping
        q025 and q975 of logistic regression's test AUROC over trials.
    published : mapping of str to float
        Published test AUROC of each model.
    """
    gap = max(published.values()) - min(published.values())
    reach = spread["q975"] - spread["q025"]
    word = "less" if gap < reach else "more"
    return (
        f"From the same law, 95 % of trials put logistic regression's test AUROC between {spread['q025']:.3f} and "
        f"{spread['q975']:.3f}, a range of {reach:.3f}; the three published models differ by {gap:.3f} at most, "
        f"{word} than that range"
    )


def spread_of_splits(found: Found, published: Mapping[str, float]) -> str:
    """The standard deviation of one split against the published differences between models."""
    sd, gap = found["value"], max(published.values()) - min(published.values())
    return (
        f"the AUROC of one split of 200 patients has a standard deviation of {sd:.3f} between trials; "
        f"the published models differ by {gap:.3f} at most"
    )


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
