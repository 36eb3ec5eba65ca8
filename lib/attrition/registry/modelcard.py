"""What a reader must know of the champion: why it was chosen, how it does on patients it has not seen, what it is.

The facts of the card; its rows stand in ``modelcard.yaml``.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from attrition import models, registry, resampling, seeds, settings, simulate
from attrition.metrics import evaluator
from attrition.score import FEWEST, INPUT, PRESETS, Scorer, late
from notebook_report.text import interval_text

METRIC_NAMES = {"brier_score": "Brier score", "auroc": "AUROC", "scaled_brier": "scaled Brier score", "ici": "ICI"}


def candidates(performance: Mapping[str, Mapping[str, Any]], rule: Mapping[str, Any]) -> pd.DataFrame:
    """The candidates of a rule (see `attrition.registry.choose`), simplest first, and how far ``behind`` the best.

    Examples
    --------
    >>> figures = {"lr": {"brier_score": {"value": 0.25, "ci_low": 0.2, "ci_high": 0.3}}}
    >>> rule = {"among": ["lr"], "metric": "brier_score", "better": "lower", "margin": 0.0}
    >>> candidates(figures, rule)[["behind", "chosen"]].to_dict("records")
    [{'behind': 0.0, 'chosen': 'yes'}]
    """
    of = {name: performance[name][rule["metric"]] for name in rule["among"]}
    table = pd.DataFrame([{"model": name, "label": models.LABELS[name], **one} for name, one in of.items()])
    best = table["value"].max() if rule["better"] == "higher" else table["value"].min()
    table["behind"] = (table["value"] - best).abs()
    table["chosen"] = np.where(table["model"] == registry.choose(performance, rule), "yes", "no")
    return table[["model", "label", "value", "ci_low", "ci_high", "behind", "chosen"]]


def chosen(table: pd.DataFrame, rule: Mapping[str, Any]) -> dict[str, Any]:
    """Why the champion of `candidates` is the champion: its distance from the best, or the lead over the next."""
    champion = table[table["chosen"] == "yes"].iloc[0]
    facts = {"label": champion["label"], "value": champion["value"], "behind": champion["behind"], "second": None}
    facts |= {"metric": METRIC_NAMES.get(rule["metric"], rule["metric"]), "margin": rule["margin"]}
    if not (others := table[table["chosen"] == "no"].sort_values("behind")).empty:
        facts |= {"second": others["label"].iloc[0], "lead": others["behind"].iloc[0]}
    return facts


def held_out(model: str, trial: pd.DataFrame, n_folds: int, seed: int) -> dict[str, Any]:
    """Performance of the champion as it is trained (features, weights), on patients that each fit has not seen.

    Every measure of the evaluator, with an interval where there is a formula for one.
    """
    unseen = out_of_fold(model, trial, n_folds, seed)
    return evaluator.nested(evaluator.evaluate(trial["dropout"], {model: unseen}))[model]


def out_of_fold(model: str, trial: pd.DataFrame, n_folds: int, seed: int) -> NDArray:
    """Probabilities by the champion as it is trained, each patient's by a fit that has not seen them."""
    y = trial["dropout"].to_numpy()
    unfitted = {model: models.pipeline(model, registry.VERSION, registry.STRATEGY, seed)}
    oof = resampling.out_of_fold(unfitted, trial, y, resampling.repeated_folds(y, n_folds, 1, seed))
    return oof.sort_values("patient_id")["y_prob"].to_numpy()


def newcomers(seed: int, n: int = 3) -> pd.DataFrame:
    """Simulated patients that no model has seen, as text in the columns of a scoring file.

    The last one is older than any patient of the published trial, to show what scoring says of it.
    """
    drawn = simulate.draw_patients(simulate.PUBLISHED_LAW, n, seeds.stream(seed, "newcomers"))
    text = drawn.assign(patient_id=[f"NEW-{i}" for i in range(1, n + 1)])[INPUT.names].astype("str")
    text.iloc[-1, text.columns.get_loc("age")] = "97"
    return text.set_axis(pd.RangeIndex(2, n + 2, name="line"))


def table(scorer: Scorer, performance: Mapping[str, Any]) -> pd.DataFrame:
    """The model card, ``fact, value``: the rows of ``modelcard.yaml``, filled with the scorer's card and `held_out`."""
    youngest, oldest = scorer.support.ranges["age"]
    facts: dict[str, Any] = {**scorer.card, **PRESETS, "youngest": youngest, "oldest": oldest, "fewest": FEWEST}
    facts |= {"auroc": interval_text(performance["auroc"]), "brier_score": performance["brier_score"]["value"]}
    calibration = ("calibration_slope", "calibration_in_the_large")
    facts |= {name: interval_text(performance[name], ".2f") for name in calibration}
    facts |= {"label": models.LABELS[scorer.card["model"]], "registered": f"{registry.NAME}@{registry.ALIAS}"}
    facts |= {"known": scorer.card["known_at"].partition(":")[0], "checksum": scorer.card["data_sha256"][:16]}
    facts["late"] = late(scorer.card)
    rows = settings.declared(__file__, "modelcard.yaml")
    told = {fact: value.format_map(facts) for fact, value in rows.items()}
    added = [name for name in performance if name not in ("auroc", *resampling.DETAILED)]
    told |= {name.replace("_", " "): interval_text(performance[name]) or "" for name in added}
    return pd.DataFrame(told.items(), columns=["fact", "value"])
