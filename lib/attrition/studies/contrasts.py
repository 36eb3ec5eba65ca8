"""What the simulation study of chapter 03 says: levels and paired differences with intervals, rankings, tables.

The comparisons are the published ones (versions, leave one out) and their mirror image (one group alone), each between
two candidates fitted on the same trials and evaluated on the same population.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import optimize, stats

from attrition import features, models
from attrition.claims.rules import Measure, grade_effect
from attrition.metrics import ranks, share_of_attainable_lift
from attrition.studies.ablation import FINAL, TREES, Study, key
from attrition.studies.population import Population
from attrition.studies.published import COUNTS_AUROC, TEST_AUROC
from notebook_report.text import interval_text

STEPS = {
    "rates_minus_counts": ("v2_rates", "v1_counts"),
    "interactions": ("v2_interactions", "v2_rates"),
    "domain": ("v3_causal", "v2_interactions"),
    "v3_minus_v1": ("v3_causal", "v1_counts"),
    "burden": ("v3_causal", "without_burden"),
}
"""Published comparisons: name to the feature set with, and the one without."""
PUBLISHED = {"rates_minus_counts": 0.11, "interactions": 0.05, "domain": 0.02, "v3_minus_v1": 0.18, "burden": 0.042}
"""The gains in AUROC that were published for `STEPS`."""
STEP_LABELS = {
    "rates_minus_counts": "Rates instead of counts",
    "interactions": "Interactions added",
    "domain": "Domain encodings added",
    "v3_minus_v1": "All steps, v3 against v1",
    "burden": "Burden, left out of v3",
}
MODEL_LABELS = {name: models.LABELS[name] for name in models.PUBLISHED}
VERSION_LABELS = {
    "v1_counts": "v1, counts",
    "v2_rates": "v2, rates",
    "v2_interactions": "v2, interactions",
    "v3_causal": "v3, domain encodings",
}
MODEL_CONTRASTS = {
    "lr_minus_lgbm": (key(FINAL, "lr"), key(FINAL, "lgbm")),
    "lr_minus_xgb": (key(FINAL, "lr"), key(FINAL, "xgb")),
    "lgbm_minus_xgb": (key(FINAL, "lgbm"), key(FINAL, "xgb")),
    "lr_v3_minus_xgb_v1": (key(FINAL, "lr"), key("v1_counts", "xgb")),
}
BALANCED = {
    "recall_50": "recall at .5",
    "precision_50": "precision at .5",
    "recall_35": "recall at .35",
    "precision_35": "precision at .35",
    "auroc": "AUROC",
}
LEVEL = ("value", "ci_low", "ci_high", "share_of_lift", "n_replicates")
BASELINE_AUROC = 0.47
"""Published test AUROC on random labels."""
NO_SPREAD = 10.0 ** (1 - ranks.DECIMALS)
"""A spread of AUROCs below it is that of settling the scores (`attrition.metrics.ranks.settled`): there is none."""
Interval = dict[str, Any]


def interval(values: np.ndarray, population_variance: float = 0.0) -> Interval:
    r"""Mean of values (R,), one a trial, with its Monte-Carlo interval, and the spread (2.5 to 97.5 %) between trials.

    .. math:: \bar d \pm t_{R-1, .975} \, \mathrm{se}, \qquad
              \mathrm{se}^2 = s_d^2 / R + \text{population variance}

    Examples
    --------
    >>> found = interval(np.array([0.01, 0.02, 0.03]))
    >>> round(found["value"], 4), round(found["mc_se"], 4)
    (0.02, 0.0058)
    """
    values = np.asarray(values, dtype=float)
    values = values[np.isfinite(values)]
    n, value = len(values), float(values.mean())
    sd = float(values.std(ddof=1)) if n > 1 else np.nan
    sd = 0.0 if sd < NO_SPREAD else sd
    error = float(np.sqrt(sd**2 / n + max(population_variance, 0.0)))
    reach = float(stats.t.ppf(0.975, max(n - 1, 1))) * error
    low, high = np.quantile(values, [0.025, 0.975])
    found = {"value": value, "ci_low": value - reach, "ci_high": value + reach, "mc_se": error, "n_replicates": n}
    return found | {"sd": sd, "spread_low": float(low), "spread_high": float(high)}


def values(study: Study, setting: str, candidate: str, measure: str = "auroc") -> pd.Series:
    """A measure of one candidate in every trial, by replicate."""
    trials = study.trials
    rows = trials[(trials["setting"] == setting) & (trials["key"] == candidate)]
    if rows.empty:
        raise KeyError(f"the study has no candidate {candidate!r} in setting {setting!r}")
    return rows.set_index("replicate")[measure]


def _population_variance(study: Study, setting: str, better: str, worse: str) -> float:
    c = study.covariance[setting]
    return float(c.loc[better, better] + c.loc[worse, worse] - 2 * c.loc[better, worse])


def _share_variance(study: Study, setting: str, measure: str, mean: float) -> float:
    """At most this much: sampling variance of an expected recall or precision over a finite population."""
    dropouts = study.reference.loc[setting, "expected_dropouts"]
    return mean * (1 - mean) / dropouts if measure.startswith(("recall", "precision")) else 0.0


def level(study: Study, setting: str, candidate: str, measure: str = "auroc") -> Interval:
    """Mean of a measure over trials; see `interval`.

    The AUROC is anchored at the oracle's exact one, so that its population variance is that of the difference.
    """
    found = values(study, setting, candidate, measure)
    if measure == "auroc":
        return interval(found, _population_variance(study, setting, candidate, "oracle"))
    return interval(found, _share_variance(study, setting, measure, float(found.mean())))


def contrast(study: Study, setting: str, better: str, worse: str, measure: str = "auroc") -> Interval:
    """Paired difference `better` - `worse` over the trials that both have; see `interval`."""
    pair = values(study, setting, better, measure), values(study, setting, worse, measure)
    difference = (pair[0] - pair[1]).dropna()
    if measure == "auroc":
        return interval(difference, _population_variance(study, setting, better, worse))
    variance = sum(_share_variance(study, setting, measure, float(part.mean())) for part in pair)
    return interval(difference, variance)


def verdict(found: Mapping[str, float], published: float, smallest_difference: float) -> str:
    """Word for a published gain by the ledger's rule: direction, size, smallest difference.

    Examples
    --------
    >>> verdict({"value": 0.07, "ci_low": 0.06, "mc_se": 0.001}, 0.11, 0.01)
    'supported'
    >>> verdict({"value": 0.004, "ci_low": 0.003, "mc_se": 0.0005}, 0.11, 0.01)
    'not supported'
    """
    measure = Measure(found["value"], found["ci_low"], found.get("ci_high"), found["mc_se"])
    return grade_effect(measure, published, min(smallest_difference, published / 2))


def dropouts_gained(auroc: float, difference: float, prevalence: float, flagged: float = 1 / 3) -> float:
    r"""What a gain in AUROC buys: further dropouts caught per 1,000 patients when a fixed share is flagged.

    Equal-variance binormal model, :math:`\text{AUROC} = \Phi(\delta / \sqrt{2})`: the threshold is set so that
    `flagged` of all patients are above it.

    Examples
    --------
    >>> round(dropouts_gained(0.70, 0.01, 0.24), 1)
    2.8
    """

    def recall(area: float) -> float:
        apart = np.sqrt(2) * stats.norm.ppf(area)

        def excess(cut: float) -> float:
            return prevalence * stats.norm.sf(cut - apart) + (1 - prevalence) * stats.norm.sf(cut) - flagged

        return float(stats.norm.sf(optimize.brentq(excess, -10.0, 10.0, xtol=1e-14) - apart))

    return 1000 * prevalence * (recall(auroc + difference) - recall(auroc))


def spread(found: np.ndarray) -> dict[str, float]:
    """Mean, standard deviation and quantiles of a figure over splits or trials.

    Examples
    --------
    >>> spread(np.arange(101.0))["q975"]
    97.5
    """
    found = np.asarray(found, dtype=float)
    at = {f"q{round(1000 * q):03d}": float(np.quantile(found, q)) for q in (0.025, 0.25, 0.5, 0.75, 0.975)}
    return {"mean": float(found.mean()), "sd": float(found.std(ddof=1)), "n": len(found), **at}


def same_trial_gains(splits: pd.DataFrame) -> pd.DataFrame:
    """Gains from split to split of one trial: of v3 over counts, and of burden within v3."""
    gains = {
        "v3 less v1": splits["v3_causal"] - splits["v1_counts"],
        "v3 less v3 without burden": splits["v3_causal"] - splits["without_burden"],
    }
    return pd.DataFrame(
        [{"gain": name, **spread(gain), "share_below_zero": (gain < 0).mean()} for name, gain in gains.items()]
    )


def sd_interval(found: np.ndarray) -> Interval:
    """Standard deviation over trials with its 95 % interval (chi-squared) and Monte-Carlo error."""
    n, sd = len(found), float(np.std(found, ddof=1))
    low, high = (sd * float(np.sqrt((n - 1) / stats.chi2.ppf(q, n - 1))) for q in (0.975, 0.025))
    return {"value": sd, "ci_low": low, "ci_high": high, "mc_se": sd / float(np.sqrt(2 * (n - 1))), "n_replicates": n}


def steps(study: Study, setting: str, model: str = "lr") -> dict[str, Interval]:
    """Paired differences of the published comparisons that `model` was fitted for."""
    have = set(study.trials["key"])
    chosen = {step: pair for step, pair in STEPS.items() if {key(name, model) for name in pair} <= have}
    return {step: contrast(study, setting, *(key(name, model) for name in pair)) for step, pair in chosen.items()}


def _leave_one_out(study: Study, setting: str) -> dict[str, Interval]:
    """Loss of AUROC without each feature of v3, logistic regression, and the AUROC that is left."""
    return {
        name: {"auroc_without": level(study, setting, key(f"without_{name}"))["value"]}
        | contrast(study, setting, key(FINAL), key(f"without_{name}"))
        for name in features.VERSIONS[FINAL]
    }


def _with_share(study: Study, setting: str, candidate: str) -> Interval:
    found = level(study, setting, candidate)
    oracle = study.reference.loc[setting, "auroc_oracle"]
    return found | {"share_of_lift": share_of_attainable_lift(found["value"], oracle)}


def _only_group(study: Study, setting: str) -> dict[str, Interval]:
    """AUROC on one group of features alone, with its share of the attainable lift."""
    return {group: _with_share(study, setting, key(f"only_{group}")) for group in features.GROUPS}


def _models(study: Study, setting: str) -> dict[str, Any]:
    """Population AUROC of the three models on v3, their paired differences, every version, and the oracle's share."""
    have = set(study.trials["key"])
    versions = {
        model: {v: _with_share(study, setting, key(v, model)) for v in features.VERSIONS if key(v, model) in have}
        for model in MODEL_LABELS
    }
    found: dict[str, Any] = {model: level(study, setting, key(FINAL, model)) for model in MODEL_LABELS}
    found |= {name: contrast(study, setting, *pair) for name, pair in MODEL_CONTRASTS.items()}
    share = {model: versions[model][FINAL]["share_of_lift"] for model in MODEL_LABELS}
    oracle = float(study.reference.loc[setting, "auroc_oracle"])
    return found | {"oracle": oracle, "chance": 0.5, "share_of_lift": share, "versions": versions}


def _balancing(study: Study, setting: str) -> dict[str, Any]:
    """Logistic regression on v3 with and without class weights: AUROC, recall and precision at .5 and .35."""
    pair = key(FINAL), key(FINAL, strategy="none")
    weighted, plain = ({m: level(study, setting, candidate, m) for m in BALANCED} for candidate in pair)
    gain = {m: contrast(study, setting, *pair, m) for m in ("auroc", "recall_50", "recall_35")}
    return {"class_weight": weighted, "none": plain, "gain": gain}


def _ranking(study: Study, setting: str, left_out: Mapping[str, Interval]) -> dict[str, Any]:
    """Features by their loss when left out, and in which share of trials burden is first: in population, on test."""
    order = sorted(left_out, key=lambda name: -left_out[name]["value"])
    found: dict[str, Any] = {"order": order, "first": order[0], "burden_rank": 1 + order.index("burden")}
    for name, measure in (("first_in_population", "auroc"), ("first_on_test", "test_auroc")):
        whole = values(study, setting, key(FINAL), measure)
        lost = {other: whole - values(study, setting, key(f"without_{other}"), measure) for other in left_out}
        found[name] = float((pd.DataFrame(lost).idxmax(axis=1) == "burden").mean())
    return found


def ordering(study: Study, setting: str) -> dict[str, Any]:
    """How often one test split puts the three models in the published order, or misnames the best one."""
    test = pd.DataFrame({m: values(study, setting, key(FINAL, m), "test_auroc") for m in MODEL_LABELS}).dropna()
    truth = {m: level(study, setting, key(FINAL, m))["value"] for m in MODEL_LABELS}
    best = max(truth, key=lambda m: truth[m])
    in_order = (test["lr"] > test["lgbm"]) & (test["lgbm"] > test["xgb"])
    return {
        "n_trials": len(test),
        "best_in_population": MODEL_LABELS[best],
        "best_missed": float((test.idxmax(axis=1) != best).mean()),
        "published_order": float(in_order.mean()),
        "lr_below_lgbm": float((test["lr"] < test["lgbm"]).mean()),
        "lr_below_xgb": float((test["lr"] < test["xgb"]).mean()),
        "lgbm_below_xgb": float((test["lgbm"] < test["xgb"]).mean()),
    }


def _single_split(study: Study, setting: str) -> dict[str, Any]:
    """What 200 test patients, or five folds, show of one model over simulated trials."""
    test = {model: values(study, setting, key(FINAL, model), "test_auroc") for model in MODEL_LABELS}
    gain = test["lr"] - values(study, setting, key("v1_counts"), "test_auroc")
    found: dict[str, Any] = {model: spread(area.to_numpy()) for model, area in test.items()}
    found["v3_minus_v1"] = spread(gain.to_numpy()) | {"share_negative": float((gain < 0).mean())}
    folds = values(study, setting, key(FINAL), "cv_auroc").to_numpy()
    return found | {"cv": spread(folds), "ordering": ordering(study, setting)}


def baseline(found: pd.DataFrame) -> dict[str, Any]:
    """Random labels: spread of the test AUROC, mean recall and precision, and how often .47 or less comes out."""
    return {
        str(strategy): {
            "test_auroc": spread(part["test_auroc"].to_numpy()),
            "at_or_below_published": float((part["test_auroc"] <= BASELINE_AUROC).mean()),
            "recall_50": interval(part["recall_50"].to_numpy()),
            "share_flagging_nobody": float(part["precision_50"].isna().mean()),
        }
        for strategy, part in found.groupby("strategy")
    }


def results(study: Study, smallest_difference: float) -> dict[str, Any]:
    """The mapping of ``results/03_feature_ablation.json`` that comes from the replicates."""
    settings = list(study.reference.index)
    each = {
        "paired": steps,
        "leave_one_out": _leave_one_out,
        "only_group": _only_group,
        "models": _models,
        "balancing": _balancing,
        "single_split": _single_split,
    }
    found: dict[str, Any] = {name: {s: build(study, s) for s in settings} for name, build in each.items()}
    found["ranking"] = {s: _ranking(study, s, found["leave_one_out"][s]) for s in settings}
    found["paired_trees"] = {s: {m: steps(study, s, m) for m in TREES} for s in settings}
    for name, measure in (("single_split_sd", "test_auroc"), ("cv_sd", "cv_auroc")):
        found[name] = {s: sd_interval(values(study, s, key(FINAL), measure).to_numpy()) for s in settings}
    found["verdicts"] = {
        s: {step: verdict(area, PUBLISHED[step], smallest_difference) for step, area in found["paired"][s].items()}
        for s in settings
    }
    found["reference"] = study.reference.to_dict("index")
    return found | {"smallest_difference": smallest_difference}


def split_table(study: Study, setting: str) -> pd.DataFrame:
    """Rows of the figure of one-split noise: spread of the test AUROC, truth, published figure."""
    shown = [("LR, counts (v1)", "lr", "v1_counts", COUNTS_AUROC)]
    shown += [(f"{label}, v3", m, FINAL, TEST_AUROC[m]) for m, label in (MODEL_LABELS | {"lr": "LR"}).items()]
    rows = []
    for label, model, name, published in shown:
        found = spread(values(study, setting, key(name, model), "test_auroc").to_numpy())
        row = {"label": label, "model": model, "name": name, "published": published, **found}
        rows.append(row | {"truth": level(study, setting, key(name, model))["value"]})
    return pd.DataFrame(rows)


def steps_table(found: Mapping[str, Any]) -> pd.DataFrame:
    """Paired differences of the published comparisons in both settings, from `results`, ready for the forest plot."""
    return pd.DataFrame(
        [
            {"setting": setting, "model": "lr", "step": step, "label": STEP_LABELS[step], "published": PUBLISHED[step]}
            | area
            | {"verdict": found["verdicts"][setting][step]}
            for setting, paired in found["paired"].items()
            for step, area in paired.items()
        ]
    )


def left_out_table(found: Mapping[str, Any]) -> pd.DataFrame:
    """What v3 loses without each feature, in both settings, largest loss first, with its rank."""
    return pd.DataFrame(
        [
            {"setting": setting, "feature": name, **found["leave_one_out"][setting][name]}
            | {"rank": rank, "label": name.replace("_", " ")}
            for setting, ranking in found["ranking"].items()
            for rank, name in enumerate(ranking["order"], 1)
        ]
    )


def only_table(found: Mapping[str, Any], setting: str) -> pd.DataFrame:
    """AUROC of logistic regression on one group of features alone, best first, between chance and oracle."""
    rows = [
        {"group": group, "label": features.GROUP_LABELS[group], "n_features": len(features.GROUPS[group]), **area}
        for group, area in found["only_group"][setting].items()
    ]
    table = pd.DataFrame(rows).sort_values("value", ascending=False, ignore_index=True)
    return _with_references(table, found["models"][setting]["oracle"])


def models_table(found: Mapping[str, Any]) -> pd.DataFrame:
    """AUROC of every model on every version in both settings, each between chance and oracle."""
    tables = []
    for setting, each in found["models"].items():
        rows = [
            {"label": MODEL_LABELS[model], "model": model, "version": VERSION_LABELS[version], **area}
            for model, versions in each["versions"].items()
            for version, area in versions.items()
        ]
        tables.append(_with_references(pd.DataFrame(rows), each["oracle"]).assign(setting=setting))
    return pd.concat(tables)


def _with_references(table: pd.DataFrame, oracle: float) -> pd.DataFrame:
    chance = pd.DataFrame([{"label": "Chance", "value": 0.5, "share_of_lift": 0.0}])
    best = pd.DataFrame([{"label": "Oracle", "value": oracle, "share_of_lift": 1.0}])
    return pd.concat([chance, table, best], ignore_index=True)


def balancing_table(found: Mapping[str, Any]) -> pd.DataFrame:
    """What class weights do to logistic regression, as text: setting, measure, none, class_weight, gain."""
    return pd.DataFrame(
        {
            "setting": setting,
            "measure": label,
            **{name: interval_text(by[name][measure]) for name in ("none", "class_weight")},
            "gain": interval_text(by["gain"][measure], "+.3f") if measure in by["gain"] else None,
        }
        for setting, by in found["balancing"].items()
        for measure, label in BALANCED.items()
    )


def learning_summary(curve: pd.DataFrame, oracle: float) -> pd.DataFrame:
    """Mean AUROC a model and size, with interval and the share of the attainable lift, from `learning_curve`."""
    rows = []
    for (model, n_train), part in curve.groupby(["model", "n_train"]):
        found = interval(part["auroc"].to_numpy(), float(part["population_se"].mean()) ** 2)
        share = share_of_attainable_lift(found["value"], oracle)
        rows.append({"model": model, "n_train": int(n_train), **found, "oracle": oracle, "share_of_lift": share})
    return pd.DataFrame(rows)


def single_features(people: Population) -> pd.DataFrame:
    """AUROC in the population of each feature by itself, in its better direction, best first.

    No model and no training: a logistic regression on one feature ranks as the feature does. Columns feature, auroc,
    mc_se (sampling error of the population), direction ("higher" or "lower" values drop out).
    """
    _, best = ranks.soft_auroc_influence(people.probability, people.probability)
    rows = []
    for name, column in zip(features.FEATURES, people.X.T, strict=True):
        area, influence = ranks.soft_auroc_influence(people.probability, column)
        sign = 1 if area >= 0.5 else -1
        error = np.sqrt(((sign * influence - best) ** 2).sum())
        value = (area if sign > 0 else 1 - area) + people.shift["auroc"]
        rows.append({"feature": name, "auroc": value, "mc_se": error, "direction": "higher" if sign > 0 else "lower"})
    return pd.DataFrame(rows).sort_values("auroc", ascending=False, ignore_index=True)


def single_steps(paired: Mapping[str, Interval], smallest_difference: float) -> dict[str, Any]:
    """Which of the three single steps is largest, which reach the smallest difference, which do harm: labels."""
    names = ("rates_minus_counts", "interactions", "domain")
    labels = {name: STEP_LABELS[name].lower() for name in names}
    largest = max(names, key=lambda name: paired[name]["value"])
    return {
        "largest": labels[largest],
        "difference": paired[largest],
        "reaching": [labels[name] for name in names if paired[name]["ci_low"] >= smallest_difference],
        "harmful": [labels[name] for name in names if paired[name]["ci_high"] < 0],
    }


def sizes_reached(summary: pd.DataFrame) -> list[dict[str, Any]]:
    """For each boosted model its AUROC at the largest size, and how many patients logistic regression needs for it.

    The latter, ``enough``, is by the upper end of its interval, and None where no size is enough.
    """
    ordered = summary.sort_values("n_train")
    linear, found = ordered[ordered["model"] == "lr"], []
    for model in TREES:
        last = ordered[ordered["model"] == model].iloc[-1]
        enough = linear.loc[linear["ci_high"] >= last["value"], "n_train"]
        row = {"label": MODEL_LABELS[model], "n_train": int(last["n_train"]), "auroc": last["value"]}
        found.append(row | {"enough": None if enough.empty else int(enough.iloc[0])})
    return found
