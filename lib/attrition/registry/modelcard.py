"""What a reader must know of the champion: why it was chosen, how it does on patients it has not seen, what it is."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from attrition import metrics, models, registry, resampling, seeds, simulate
from attrition.metrics import intervals
from attrition.score import FEWEST, INPUT, PRESETS, Scorer

METRIC_NAMES = {"brier": "Brier score", "auroc": "AUROC", "scaled_brier": "scaled Brier score", "ici": "ICI"}


def candidates(performance: Mapping[str, Mapping[str, Any]], rule: Mapping[str, Any]) -> pd.DataFrame:
    """The rule's candidates, simplest first, with its metric and their distance from the best.

    Parameters
    ----------
    performance, rule : mapping
        As for `attrition.registry.choose`.

    Returns
    -------
    pandas.DataFrame
        ``model, label, value, ci_low, ci_high, behind, chosen``; `behind` is at least 0.

    Examples
    --------
    >>> figures = {"lr": {"brier": {"value": 0.25, "ci_low": 0.2, "ci_high": 0.3}}}
    >>> rule = {"among": ["lr"], "metric": "brier", "better": "lower", "margin": 0.0}
    >>> candidates(figures, rule)[["behind", "chosen"]].to_dict("records")
    [{'behind': 0.0, 'chosen': 'yes'}]
    """
    rows = [
        {"model": name, "label": models.LABELS[name], **performance[name][rule["metric"]]} for name in rule["among"]
    ]
    table = pd.DataFrame(rows)
    best = table["value"].max() if rule["better"] == "higher" else table["value"].min()
    table["behind"] = (table["value"] - best).abs()
    table["chosen"] = np.where(table["model"] == registry.choose(performance, rule), "yes", "no")
    return table[["model", "label", "value", "ci_low", "ci_high", "behind", "chosen"]]


def held_out(model: str, trial: pd.DataFrame, n_folds: int, seed: int) -> dict[str, Any]:
    """Performance of the champion as it is trained (features, weights), on patients that each fit has not seen.

    Parameters
    ----------
    model : str
        Key of `attrition.models.MODELS`.
    trial : pandas.DataFrame, shape (n_patients, ...)
    n_folds, seed : int

    Returns
    -------
    dict
        ``auroc``, ``calibration_slope`` and ``calibration_in_the_large`` with intervals, ``brier`` without.
    """
    y = trial["dropout"].to_numpy()
    unfitted = {model: models.pipeline(model, registry.VERSION, registry.STRATEGY, seed)}
    oof = resampling.out_of_fold(unfitted, trial, y, resampling.repeated_folds(y, n_folds, 1, seed))
    seen, y_prob = oof["y"].to_numpy(), oof["y_prob"].to_numpy()
    return {
        "auroc": intervals.auroc_interval(seen, y_prob),
        "brier": metrics.brier_score(seen, y_prob),
        "calibration_slope": intervals.calibration_slope_interval(seen, y_prob),
        "calibration_in_the_large": intervals.calibration_in_the_large_interval(seen, y_prob),
    }


def newcomers(seed: int, n: int = 3) -> pd.DataFrame:
    """Simulated patients that no model has seen, as text in the columns of a scoring file.

    The last one is older than any patient of the published trial, to show what scoring says of it.
    """
    drawn = simulate.draw_patients(simulate.PUBLISHED_LAW, n, seeds.stream(seed, "newcomers"))
    drawn = drawn.assign(patient_id=[f"NEW-{i}" for i in range(1, n + 1)])
    text = drawn[INPUT.names].astype("str")
    text.iloc[-1, text.columns.get_loc("age")] = "97"
    return text.set_axis(pd.RangeIndex(2, n + 2, name="line"))


def shown(found: Any, digits: int = 3) -> str:
    """A number, or an interval mapping, as text.

    Examples
    --------
    >>> shown({"value": 0.69, "ci_low": 0.66, "ci_high": 0.73}), shown(0.25)
    ('0.690 (0.660 to 0.730)', '0.250')
    """
    if isinstance(found, Mapping):
        return f"{found['value']:.{digits}f} ({found['ci_low']:.{digits}f} to {found['ci_high']:.{digits}f})"
    return f"{found:.{digits}f}"


def table(scorer: Scorer, performance: Mapping[str, Any]) -> pd.DataFrame:
    """The model card: one row a fact.

    Parameters
    ----------
    scorer : attrition.score.Scorer
    performance : mapping
        From `held_out`.

    Returns
    -------
    pandas.DataFrame
        Columns ``fact, value``.
    """
    card, ends = scorer.card, scorer.support.ranges["age"]
    facts = {
        "model": models.LABELS[card["model"]],
        "registered as": f"{registry.NAME}@{registry.ALIAS}",
        "meant for": "the simulated trial; not for care of patients",
        "inputs known": card["known_at"].partition(":")[0],
        "feature version": card["feature_version"],
        "class weights": "none" if card["imbalance_strategy"] == "none" else card["imbalance_strategy"],
        "patients (dropouts)": f"{card['n_patients']:,} ({card['n_dropouts']:,})",
        "ages with support": f"{ends[0]} to {ends[1]} ({FEWEST} patients at or beyond each end)",
        "data": card["data"],
        "SHA-256 of the data": f"{card['data_sha256'][:16]}...",
        "AUROC": shown(performance["auroc"]),
        "Brier score": shown(performance["brier"]),
        "calibration slope": shown(performance["calibration_slope"], 2),
        "calibration-in-the-large": shown(performance["calibration_in_the_large"], 2),
        "threshold of a flag": f"{PRESETS['published']:.2f} (preset published), {PRESETS['even']:.2f} (preset even)",
    }
    return pd.DataFrame({"fact": facts.keys(), "value": facts.values()})


def chosen_sentence(table: pd.DataFrame, rule: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Why the champion is the champion: template and values for `report.prose`.

    Returns
    -------
    template : str
    values : dict
    """
    champion = table[table["chosen"] == "yes"].iloc[0]
    values = {
        "label": champion["label"],
        "metric": METRIC_NAMES.get(rule["metric"], rule["metric"]),
        "value": champion["value"],
        "behind": champion["behind"],
        "margin": rule["margin"],
    }
    if champion["behind"] > 0:
        return (
            "{label} is the champion: its {metric} of {value:.3f} is {behind:.4f} from the best, within the margin of "
            "{margin:.3f} for which the simpler model is kept.",
            values,
        )
    runner = table[table["chosen"] == "no"].sort_values("behind")
    if runner.empty:
        return "{label} is the champion as the only candidate ({metric} {value:.3f}).", values
    template = (
        "{label} is the champion: its {metric} of {value:.3f} is the best, {lead:.3f} better than that of {second}."
    )
    return template, values | {"lead": runner["behind"].iloc[0], "second": runner["label"].iloc[0]}
