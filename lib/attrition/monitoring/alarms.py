"""Alarm rates as tables and sentences, their wording chosen from the numbers."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from attrition import monitoring
from attrition.metrics import intervals
from attrition.monitoring.surveillance import ALPHA, SCENARIOS, Look
from notebook_report.text import listed


def nested(table: pd.DataFrame, *levels: str) -> dict:
    """Rates as nested results: ``{level: {...: {"value", "ci_low", "ci_high"}}}``.

    Examples
    --------
    >>> row = {"name": "psi", "batch_size": 50, "rate": 0.05, "ci_low": 0.04, "ci_high": 0.06}
    >>> nested(pd.DataFrame([row]), "name", "batch_size")["psi"]["50"]["value"]
    0.05
    """
    if not levels:
        row = table.iloc[0]
        return {"value": float(row["rate"]), "ci_low": float(row["ci_low"]), "ci_high": float(row["ci_high"])}
    return {str(key): nested(part, *levels[1:]) for key, part in table.groupby(levels[0], sort=False)}


def standing_out(columns: pd.DataFrame) -> dict:
    """The input with the smallest p-value of any method.

    Parameters
    ----------
    columns : pandas.DataFrame
        From `attrition.monitoring.Drift.table`.
    """
    smallest = columns[[f"p_{method}" for method in monitoring.METHODS]].min(axis=1)
    return {
        "input": columns["column"][smallest.idxmin()].replace("_", " "),
        "p": float(smallest.min()),
        "n": len(columns),
    }


def path_table(path: NDArray, band: NDArray) -> pd.DataFrame:
    """The numbers behind the running sum."""
    arrived = np.arange(1, len(path) + 1)
    return pd.DataFrame({"patients": arrived, "sum": path, "band_low": band[0], "band_high": band[1]})


RULES_WITHOUT_NULL = ("psi_customary", "seed_rule")
ENOUGH = 0.8  # the power that sample sizes are customarily planned for


def furthest(null: pd.DataFrame, level: float) -> dict:
    """The permutation alarm whose false-alarm rate is furthest from nominal."""
    ours = null[~null["name"].isin(RULES_WITHOUT_NULL)]
    row = ours.loc[(ours["rate"] - level).abs().idxmax()]
    words = {
        "name": monitoring.NAMES[row["name"]],
        "batch_size": int(row["batch_size"]),
        "batches": int(row["batches"]),
    }
    return words | {"rate": float(row["rate"]), "points": 100 * abs(float(row["rate"]) - level)}


def customary(null: pd.DataFrame) -> dict:
    """False-alarm rates of the two rules without a null, at the smallest and the largest batch."""
    rate = null.set_index(["name", "batch_size"])["rate"]
    small, large = int(null["batch_size"].min()), int(null["batch_size"].max())
    sizes = {"small_size": small, "large_size": large}
    seed = {"small": float(rate["seed_rule", small]), "large": float(rate["seed_rule", large])}
    psi = {"psi_small": float(rate["psi_customary", small]), "psi_large": float(rate["psi_customary", large])}
    return sizes | seed | psi


def _share(rate: float) -> str:
    return f"{100 * rate:.0f} %"


def _named(part: pd.DataFrame, rate: float) -> str:
    """Alarms with a given rate."""
    return listed([f"“{monitoring.NAMES[name]}”" for name in part.loc[part["rate"] == rate, "name"]])


def power_sentence(alarms: pd.DataFrame, size: int) -> str:
    """What each change sets off at one batch size, strongest permutation alarm first."""
    sized = alarms[alarms["batch_size"] == size]
    ours = sized[~sized["name"].isin(RULES_WITHOUT_NULL)]
    parts = []
    for scenario in SCENARIOS[1:]:
        part = ours[ours["scenario"] == scenario.name]
        best, least = part["rate"].max(), part["rate"].min()
        parts.append(
            f"*{scenario.label}*: most often {_named(part, best)} ({_share(best)} of batches), least often "
            f"{_named(part, least)} ({_share(least)})"
        )
    weakest = ours[ours["scenario"] != "none"].groupby("name")["rate"].min()
    sees = (
        f"The alarm “{monitoring.NAMES[weakest.idxmax()]}” finds every change in at least {_share(ENOUGH)} of batches."
        if weakest.max() >= ENOUGH
        else f"No single permutation alarm finds every change in {_share(ENOUGH)} of batches."
    )
    return f"With {size} patients a batch these alarms sound: " + "; ".join(parts) + f". {sees}{_without_null(sized)}"


def _without_null(sized: pd.DataFrame) -> str:
    """Rules without a null that find every change, beside how often they alarm for nothing."""
    said = ""
    for name in RULES_WITHOUT_NULL:
        rate = sized[sized["name"] == name].set_index("scenario")["rate"]
        if not rate.empty and rate.drop("none").min() >= ENOUGH:
            false = _share(rate["none"])
            said += f" An alarm without a null, “{monitoring.NAMES[name]}”, does, and alarms in {false} of "
            said += "unchanged batches as well."
    return said


def one_batch_words(look: Look, path: NDArray) -> dict[str, Any]:
    """Numbers of the sentence on one batch: excursion of its running sum, AUROC, p-values and action."""
    return {
        "excursion": float(abs(path).max()),
        "p": look.p["cusum"],
        "auroc": look.figures["auroc"],
        "p_auroc": look.p["auroc"],
        "action": monitoring.ACTIONS[look.action()],
    }


def action_table(study_table: pd.DataFrame) -> pd.DataFrame:
    """Share of batches by action, one row a world and batch size."""
    actions = study_table[study_table["kind"] == "action"]
    keys = ["scenario", "label", "batch_size", "batches"]
    wide = actions.pivot_table(index=keys, columns="name", values="rate")
    order = pd.Categorical(wide.index.get_level_values("scenario"), [s.name for s in SCENARIOS], ordered=True)
    rows = wide[list(monitoring.ACTIONS)].iloc[np.argsort(order.codes, kind="stable")].reset_index()
    return rows.drop(columns="scenario").rename_axis(columns=None)


def action_sentence(actions: pd.DataFrame) -> str:
    """What the stated rule does in each world, at the largest batch; where nothing prevails, how often each."""
    large = actions[actions["batch_size"] == actions["batch_size"].max()]
    names = list(monitoring.ACTIONS)
    parts = []
    for row in large.to_dict("records"):
        ranked = sorted(names, key=lambda name: -row[name])
        shares = [f"“{monitoring.ACTIONS[name]}” ({_share(row[name])})" for name in ranked]
        clear = row[ranked[0]] > 0.5
        parts.append(
            f"*{row['label']}*: " + (f"mostly {shares[0]}" if clear else f"no action prevails, {listed(shares)}")
        )
    return f"With {large['batch_size'].iloc[0]} patients a batch, " + "; ".join(parts) + "."


def refits(study_table: pd.DataFrame, scenario: str) -> pd.DataFrame:
    """How often a model is refitted in one world: columns ``batch_size, first, last`` (the inputs looked at)."""
    kinds = {"action": "first", "inputs_last": "last"}
    own = (study_table["scenario"] == scenario) & study_table["name"].isin(monitoring.REFITS)
    wide = study_table[own].pivot_table(index="batch_size", columns="kind", values="rate", aggfunc="sum")
    return wide[list(kinds)].rename(columns=kinds).rename_axis(columns=None).reset_index()


def order_sentence(first: float, size: int, batches: int) -> str:
    """Whether looking at the inputs first keeps a model from being fitted to wrong ones, with the count's own limit.

    Parameters
    ----------
    first : float
        Share of batches after which a model is refitted with the inputs looked at first.
    size, batches : int
        Patients in a batch, and number of batches.

    Examples
    --------
    >>> order_sentence(0.0, 200, 400)
    'With 200 patients a batch it happened in none of 400 batches when inputs came first (95 % upper limit 1.0 %).'
    """
    hits = round(first * batches)
    upper = 100 * intervals.wilson(hits, batches)["ci_high"]
    told = f"{hits or 'none'} of {batches} batches when inputs came first (95 % upper limit {upper:.1f} %)"
    helps = "" if first <= ALPHA else ": the order does not prevent it"
    return f"With {size} patients a batch it happened in {told}{helps}."


def _cause(parts: pd.DataFrame) -> str:
    """Why the published rule alarms although nothing changed: an unattainable bound, or noise."""
    rates = parts.pivot_table(index="name", columns="batch_size", values="rate")
    small, large = rates[rates.columns.min()], rates[rates.columns.max()]
    told = listed([f"the {_FIGURES[name]} is below its bound in {_share(large[name])}" for name in large.index])
    worst = large.idxmax()
    grows = large[worst] > max(small[worst], 0.5)
    why = (
        "More patients make the alarm surer, so it is not noise: the bound asks for more "
        f"{_FIGURES[worst]} than the class-weighted model has"
        if grows
        else "More patients make the alarm rarer: the rule retrains on noise"
    )
    return f"{told}. {why}."


_FIGURES = {"auroc": "AUROC", "recall": "recall"}


def finding(null: pd.DataFrame, parts: pd.DataFrame) -> dict:
    """The chapter's finding: is the published rule usable, at the largest batch?

    Parameters
    ----------
    null, parts : pandas.DataFrame
        Alarms, and figures below their bounds, of unchanged batches; rows of `attrition.monitoring.surveillance.study`.
    """
    size = null["batch_size"].max()
    rate = null.set_index(["name", "batch_size"]).loc[("seed_rule", size)]
    usable = rate["ci_low"] <= ALPHA
    interval = f"{_share(rate['rate'])} (95 % interval {100 * rate['ci_low']:.0f} to {100 * rate['ci_high']:.0f} %)"
    ends = ", which is what a five per cent rule may do." if usable else f": {_cause(parts)}"
    sentence = (
        "*Claim:* a fall of a batch's AUROC or recall below a fixed bound tells when to retrain. *Found:* applied to "
        f"the class-weighted model that it was published for, in {interval} of batches of {size} patients the rule "
        f"raises an alarm although nothing changed{ends}"
    )
    return {"sentence": sentence, "verdict": "supported" if usable else "not supported"}
