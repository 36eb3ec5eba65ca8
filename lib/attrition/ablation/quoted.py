"""Everything that chapter 03 quotes and the claim ledger reads, from one study, as plain mappings."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from attrition import features
from attrition.ablation import groups, one_split
from attrition.ablation.groups import FINAL, MODEL_LABELS, STEPS, TREES, Interval, contrast, interval, key, level
from attrition.ablation.study import Study
from attrition.metrics import share_of_attainable_lift
from attrition.text import interval_text

MODEL_CONTRASTS = {
    "lr_minus_lgbm": (key(FINAL, "lr"), key(FINAL, "lgbm")),
    "lr_minus_xgb": (key(FINAL, "lr"), key(FINAL, "xgb")),
    "lgbm_minus_xgb": (key(FINAL, "lgbm"), key(FINAL, "xgb")),
    "lr_v3_minus_xgb_v1": (key(FINAL, "lr"), key("v1_counts", "xgb")),
}


def steps(study: Study, setting: str, model: str = "lr") -> dict[str, Interval]:
    """Paired differences of the published comparisons that `model` was fitted for."""
    have = set(study.trials["key"])
    chosen = {step: pair for step, pair in STEPS.items() if {key(name, model) for name in pair} <= have}
    return {step: contrast(study, setting, *(key(name, model) for name in pair)) for step, pair in chosen.items()}


def leave_one_out(study: Study, setting: str) -> dict[str, Interval]:
    """Loss of AUROC without each feature of v3, logistic regression."""
    left = features.VERSIONS[FINAL]
    return {name: contrast(study, setting, key(FINAL), key(f"without_{name}")) for name in left}


def only_group(study: Study, setting: str) -> dict[str, Interval]:
    """AUROC on one group of features alone, with its share of the attainable lift."""
    oracle = study.reference.loc[setting, "auroc_oracle"]
    found = {group: level(study, setting, key(f"only_{group}")) for group in features.GROUPS}
    return {
        group: area | {"share_of_lift": share_of_attainable_lift(area["value"], oracle)}
        for group, area in found.items()
    }


def models(study: Study, setting: str) -> dict[str, Any]:
    """Population AUROC of the three models on v3, their paired differences, every version, and the oracle's share."""
    oracle = float(study.reference.loc[setting, "auroc_oracle"])
    have = set(study.trials["key"])
    found: dict[str, Any] = {model: level(study, setting, key(FINAL, model)) for model in MODEL_LABELS}
    share = {m: share_of_attainable_lift(found[m]["value"], oracle) for m in MODEL_LABELS}
    found |= {name: contrast(study, setting, *pair) for name, pair in MODEL_CONTRASTS.items()}
    versions = {
        model: {v: level(study, setting, key(v, model)) for v in features.VERSIONS if key(v, model) in have}
        for model in MODEL_LABELS
    }
    return found | {"oracle": oracle, "chance": 0.5, "share_of_lift": share, "versions": versions}


def balancing(study: Study, setting: str) -> dict[str, Any]:
    """Logistic regression on v3 with and without class weights: AUROC, recall and precision at .5 and .35."""
    measures = ("auroc", "recall_50", "precision_50", "recall_35", "precision_35")
    pair = key(FINAL), key(FINAL, strategy="none")
    weighted, plain = ({m: level(study, setting, candidate, m) for m in measures} for candidate in pair)
    gain = {m: contrast(study, setting, *pair, m) for m in ("auroc", "recall_50", "recall_35")}
    return {"class_weight": weighted, "none": plain, "gain": gain}


BALANCED = {
    "recall_50": "recall at .5",
    "precision_50": "precision at .5",
    "recall_35": "recall at .35",
    "precision_35": "precision at .35",
    "auroc": "AUROC",
}


def balancing_table(found: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """What class weights do to logistic regression, as text: setting, measure, none, class_weight, gain.

    Parameters
    ----------
    found : mapping
        Setting to `balancing`.
    """
    return pd.DataFrame(
        {
            "setting": setting,
            "measure": label,
            **{name: interval_text(by[name][measure]) for name in ("none", "class_weight")},
            "gain": interval_text(by["gain"][measure], "+.3f") if measure in by["gain"] else None,
        }
        for setting, by in found.items()
        for measure, label in BALANCED.items()
    )


def single_split(study: Study, setting: str) -> dict[str, Any]:
    """What 200 test patients, or five folds, show of one model over simulated trials."""
    found: dict[str, Any] = {}
    for model in MODEL_LABELS:
        area = groups.values(study, setting, key(FINAL, model), "test_auroc")
        found[model] = one_split.spread(area.to_numpy())
    counts = groups.values(study, setting, key("v1_counts"), "test_auroc")
    gain = groups.values(study, setting, key(FINAL), "test_auroc") - counts
    found["v3_minus_v1"] = one_split.spread(gain.to_numpy()) | {"share_negative": float((gain < 0).mean())}
    folds = groups.values(study, setting, key(FINAL), "cv_auroc").to_numpy()
    return found | {"cv": one_split.spread(folds), "ordering": one_split.ordering(study, setting)}


def ranking(study: Study, setting: str) -> dict[str, Any]:
    """Features by their loss when left out, and how stable burden's rank is."""
    table = groups.left_out_table(study, setting)
    place = int(table.loc[table["feature"] == "burden", "rank"].iloc[0])
    order = table["feature"].tolist()
    return {"order": order, "first": order[0], "burden_rank": place, **groups.rank_stability(study, setting)}


def learning_summary(curve: pd.DataFrame, oracle: float) -> pd.DataFrame:
    """Mean AUROC a model and size, with interval and the share of the attainable lift.

    Parameters
    ----------
    curve : DataFrame
        From `attrition.ablation.study.learning_curve`.
    oracle : float
    """
    rows = []
    for (model, n_train), part in curve.groupby(["model", "n_train"]):
        found = interval(part["auroc"].to_numpy(), float(part["population_se"].mean()) ** 2)
        share = share_of_attainable_lift(found["value"], oracle)
        rows.append({"model": model, "n_train": int(n_train), **found, "oracle": oracle, "share_of_lift": share})
    return pd.DataFrame(rows)


LEVEL = ("value", "ci_low", "ci_high", "share_of_lift", "n_replicates")


def baseline(found: pd.DataFrame) -> dict[str, Any]:
    """Random labels: spread of the test AUROC, mean recall and precision, and how often .47 or less comes out."""
    summary = {}
    for strategy, part in found.groupby("strategy"):
        area = part["test_auroc"].to_numpy()
        summary[str(strategy)] = {
            "test_auroc": one_split.spread(area),
            "at_or_below_published": float((area <= 0.47).mean()),
            "recall_50": interval(part["recall_50"].to_numpy()),
            "share_flagging_nobody": float(part["precision_50"].isna().mean()),
        }
    return summary


def results(study: Study, smallest_difference: float) -> dict[str, Any]:
    """The mapping of ``results/03_feature_ablation.json`` that comes from the replicates.

    Returns
    -------
    dict
        By prevalence setting: paired, paired_trees, leave_one_out, only_group, models, ranking, balancing,
        single_split, single_split_sd, cv_sd; and reference, smallest_difference, verdicts.
    """
    each: Mapping[str, Any] = {
        "paired": steps,
        "leave_one_out": leave_one_out,
        "only_group": only_group,
        "models": models,
        "ranking": ranking,
        "balancing": balancing,
        "single_split": single_split,
        "single_split_sd": one_split.single_split_sd,
    }
    settings = list(study.reference.index)
    found: dict[str, Any] = {name: {s: build(study, s) for s in settings} for name, build in each.items()}
    found["paired_trees"] = {s: {m: steps(study, s, m) for m in TREES} for s in settings}
    found["cv_sd"] = {s: one_split.single_split_sd(study, s, measure="cv_auroc") for s in settings}
    found["verdicts"] = {
        s: {
            step: groups.verdict(area, groups.PUBLISHED[step], smallest_difference)
            for step, area in found["paired"][s].items()
        }
        for s in settings
    }
    found["reference"] = study.reference.to_dict("index")
    found["smallest_difference"] = smallest_difference
    return found
