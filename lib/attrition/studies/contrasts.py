"""What the simulation study of chapter 03 says: levels and paired differences with intervals, rankings, tables.

The comparisons are the published ones (versions, leave one out) and their mirror image (one group alone), each between
two candidates fitted on the same trials and evaluated on the same population.
"""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import optimize, stats

from attrition import features, models, settings
from attrition.claims.rules import Measure, grade_effect
from attrition.metrics import intervals, ranks, share_of_attainable_lift
from attrition.metrics.evaluator import flat
from attrition.studies.ablation import FINAL, TREES, Study, key
from attrition.studies.population import Population
from notebook_report.text import interval_text

SAID = settings.declared(__file__, "contrasts.yaml")
STEPS: dict[str, dict[str, Any]] = SAID["steps"]
"""Published comparisons: label, the feature set that is ``better``, the one that is ``worse``, the gain published."""
MODEL_LABELS = {name: models.LABELS[name] for name in models.PUBLISHED}
LEVEL = ("value", "ci_low", "ci_high", "share_of_lift", "n_replicates")
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
    n, sd = len(values), float(values.std(ddof=1)) if len(values) > 1 else np.nan
    low, high = np.quantile(values, [0.025, 0.975]).tolist()
    found = {**intervals.monte_carlo(values, variance=population_variance), "n_replicates": n}
    return found | {"sd": 0.0 if sd < intervals.NO_SPREAD else sd, "spread_low": low, "spread_high": high}


def values(study: Study, setting: str, candidate: str, measure: str = "auroc") -> pd.Series:
    """A measure of one candidate in every trial, by replicate."""
    trials = study.trials
    rows = trials[(trials["setting"] == setting) & (trials["key"] == candidate)]
    if rows.empty:
        raise KeyError(f"the study has no candidate {candidate!r} in setting {setting!r}")
    return rows.set_index("replicate")[measure]


def _variance(study: Study, setting: str, measure: str, means: Mapping[str, float]) -> float:
    """What the finite population adds to the variance of a level, or of a difference of two candidates.

    Exact for an AUROC, whose level is anchored at the oracle's; of an expected recall or precision at most this much.
    """
    if measure == "auroc":
        (first, second), c = [*means, "oracle"][:2], study.covariance[setting]
        return float(c.loc[first, first] + c.loc[second, second] - 2 * c.loc[first, second])
    dropouts = study.reference.loc[setting, "expected_dropouts"]
    return sum(mean * (1 - mean) / dropouts for mean in means.values() if measure[:6] in ("recall", "precis"))


def level(study: Study, setting: str, candidate: str, measure: str = "auroc") -> Interval:
    """Mean of a measure over trials; see `interval`."""
    found = values(study, setting, candidate, measure)
    return interval(found, _variance(study, setting, measure, {candidate: found.mean()}))


def contrast(study: Study, setting: str, better: str, worse: str, measure: str = "auroc") -> Interval:
    """Paired difference `better` - `worse` over the trials that both have; see `interval`."""
    pair = {name: values(study, setting, name, measure) for name in (better, worse)}
    means = {name: part.mean() for name, part in pair.items()}
    return interval((pair[better] - pair[worse]).dropna(), _variance(study, setting, measure, means))


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


def sd_interval(found: np.ndarray) -> Interval:
    """Standard deviation over trials with its 95 % interval (chi-squared) and Monte-Carlo error."""
    n, sd = len(found), float(np.std(found, ddof=1))
    low, high = (sd * float(np.sqrt((n - 1) / stats.chi2.ppf(q, n - 1))) for q in (0.975, 0.025))
    return {"value": sd, "ci_low": low, "ci_high": high, "mc_se": sd / float(np.sqrt(2 * (n - 1))), "n_replicates": n}


def comparisons() -> dict[str, dict[str, Any]]:
    """Pairs of feature sets as in `STEPS`: the published ones, and each version added, against the final one."""
    added = [name for name in features.VERSIONS if name not in SAID["versions"]]
    unsaid = {"worse": FINAL, "published": np.nan}
    return STEPS | {f"{name}_minus_v3": {"label": f"{name} against v3", "better": name, **unsaid} for name in added}


def steps(study: Study, setting: str, model: str = "lr") -> dict[str, Interval]:
    """Paired differences of the `comparisons` that `model` was fitted for."""
    have = set(study.trials["key"])
    pairs = {name: (key(step["better"], model), key(step["worse"], model)) for name, step in comparisons().items()}
    return {name: contrast(study, setting, *pair) for name, pair in pairs.items() if have.issuperset(pair)}


def _with_share(study: Study, setting: str, candidate: str) -> Interval:
    found = level(study, setting, candidate)
    oracle = study.reference.loc[setting, "auroc_oracle"]
    return found | {"share_of_lift": share_of_attainable_lift(found["value"], oracle)}


def _models(study: Study, setting: str) -> dict[str, Any]:
    """Population AUROC of the three models on v3, their paired differences, every version, and the oracle's share."""
    have = set(study.trials["key"])
    versions = {
        model: {v: _with_share(study, setting, key(v, model)) for v in features.VERSIONS if key(v, model) in have}
        for model in MODEL_LABELS
    }
    found: dict[str, Any] = {model: level(study, setting, key(FINAL, model)) for model in MODEL_LABELS}
    found |= {name: contrast(study, setting, *(key(*one) for one in pair)) for name, pair in SAID["models"].items()}
    share = {model: versions[model][FINAL]["share_of_lift"] for model in MODEL_LABELS}
    oracle = float(study.reference.loc[setting, "auroc_oracle"])
    return found | {"oracle": oracle, "chance": 0.5, "share_of_lift": share, "versions": versions}


def _balancing(study: Study, setting: str) -> dict[str, Any]:
    """Logistic regression on v3 with and without class weights: AUROC, recall and precision at .5 and .35."""
    weighted, plain = (key(FINAL, strategy=strategy) for strategy in ("class_weight", "none"))
    pair = {"class_weight": weighted, "none": plain}
    found = {name: {m: level(study, setting, one, m) for m in SAID["balanced"]} for name, one in pair.items()}
    gains = ("auroc", "recall_50", "recall_35")
    return found | {"gain": {measure: contrast(study, setting, weighted, plain, measure) for measure in gains}}


def _ranking(study: Study, setting: str, left_out: Mapping[str, Interval]) -> dict[str, Any]:
    """Features by their loss when left out, and in which share of trials burden is first: in population, on test."""
    order = sorted(left_out, key=lambda name: -left_out[name]["value"])
    found: dict[str, Any] = {"order": order, "first": order[0], "burden_rank": 1 + order.index("burden")}
    for name, measure in (("first_in_population", "auroc"), ("first_on_test", "test_auroc")):
        left = pd.DataFrame({other: values(study, setting, key(f"without_{other}"), measure) for other in left_out})
        found[name] = float((left.idxmin(axis=1) == "burden").mean())
    return found


def ordering(study: Study, setting: str) -> dict[str, Any]:
    """How often one test split puts the three models in the published order, or misnames the best one."""
    test = pd.DataFrame({m: values(study, setting, key(FINAL, m), "test_auroc") for m in MODEL_LABELS}).dropna()
    truth = {m: level(study, setting, key(FINAL, m))["value"] for m in MODEL_LABELS}
    best = max(truth, key=lambda m: truth[m])
    pairs = ("lr", "lgbm"), ("lr", "xgb"), ("lgbm", "xgb")
    in_order = (test["lr"] > test["lgbm"]) & (test["lgbm"] > test["xgb"])
    missed = {"best_in_population": MODEL_LABELS[best], "best_missed": (test.idxmax(axis=1) != best).mean()}
    below = {f"{a}_below_{b}": float((test[a] < test[b]).mean()) for a, b in pairs}
    return {"n_trials": len(test), **missed, "published_order": float(in_order.mean()), **below}


def _single_split(study: Study, setting: str) -> dict[str, Any]:
    """What 200 test patients, or five folds, show of one model over simulated trials."""
    test = {model: values(study, setting, key(FINAL, model), "test_auroc") for model in MODEL_LABELS}
    gain = test["lr"] - values(study, setting, key("v1_counts"), "test_auroc")
    found: dict[str, Any] = {model: spread(area.to_numpy()) for model, area in test.items()}
    found["v3_minus_v1"] = spread(gain.to_numpy()) | {"share_negative": float((gain < 0).mean())}
    folds = values(study, setting, key(FINAL), "cv_auroc").to_numpy()
    return found | {"cv": spread(folds), "ordering": ordering(study, setting)}


def _of_setting(study: Study, setting: str, smallest_difference: float) -> dict[str, Any]:
    lost: dict[str, Interval] = {}
    for name, without in ((name, key(f"without_{name}")) for name in features.VERSIONS[FINAL]):
        lost[name] = {"auroc_without": level(study, setting, without)["value"]}
        lost[name] |= contrast(study, setting, key(FINAL), without)
    paired, found = steps(study, setting), {"leave_one_out": lost, "ranking": _ranking(study, setting, lost)}
    found["verdicts"] = {n: verdict(paired[n], step["published"], smallest_difference) for n, step in STEPS.items()}
    found |= {"paired": paired, "paired_trees": {model: steps(study, setting, model) for model in TREES}}
    found["only_group"] = {group: _with_share(study, setting, key(f"only_{group}")) for group in features.GROUPS}
    found |= {"models": _models(study, setting), "balancing": _balancing(study, setting)}
    for name, measure in {"single_split_sd": "test_auroc", "cv_sd": "cv_auroc"}.items():
        found[name] = sd_interval(values(study, setting, key(FINAL), measure).to_numpy())
    return found | {"single_split": _single_split(study, setting)}


def results(study: Study, smallest_difference: float) -> dict[str, Any]:
    """The mapping of ``results/03_feature_ablation.json`` that comes from the replicates."""
    each = {setting: _of_setting(study, setting, smallest_difference) for setting in study.reference.index}
    found = {name: {setting: parts[name] for setting, parts in each.items()} for name in next(iter(each.values()))}
    return found | {"reference": study.reference.to_dict("index"), "smallest_difference": smallest_difference}


def steps_table(found: Mapping[str, Any]) -> pd.DataFrame:
    """Paired differences of the `comparisons` in both settings, from `results`, ready for the forest plot."""
    said = pd.DataFrame.from_dict(comparisons(), orient="index")[["label", "published"]]
    table = flat(found["paired"], "setting", "step").join(said, on="step")
    words = [found["verdicts"][setting].get(step) for setting, step in table[["setting", "step"]].to_numpy()]
    return table.assign(model="lr", verdict=words)


def left_out_table(found: Mapping[str, Any]) -> pd.DataFrame:
    """What v3 loses without each feature, in both settings, largest loss first, with its rank."""
    table = flat(found["leave_one_out"], "setting", "feature")
    table = table.sort_values(["setting", "value"], ascending=[True, False], ignore_index=True)
    return table.assign(rank=table.groupby("setting").cumcount() + 1, label=table["feature"].str.replace("_", " "))


def only_table(found: Mapping[str, Any], setting: str) -> pd.DataFrame:
    """AUROC of logistic regression on one group of features alone, best first, between chance and oracle."""
    table = flat(found["only_group"][setting], "group").sort_values("value", ascending=False, ignore_index=True)
    size = table["group"].map(features.GROUPS).map(len)
    table = table.assign(label=table["group"].map(features.GROUP_LABELS), n_features=size)
    return _with_references(table, found["models"][setting]["oracle"])


def models_table(found: Mapping[str, Any]) -> pd.DataFrame:
    """AUROC of every model on every version in both settings, each between chance and oracle."""
    tables = []
    for setting, each in found["models"].items():
        table = flat(each["versions"], "model", "version")
        said = {"label": table["model"].map(MODEL_LABELS), "version": table["version"].replace(SAID["versions"])}
        tables.append(_with_references(table.assign(**said), each["oracle"]).assign(setting=setting))
    return pd.concat(tables)


def _with_references(table: pd.DataFrame, oracle: float) -> pd.DataFrame:
    ends = pd.DataFrame({"label": ["Chance", "Oracle"], "value": [0.5, oracle], "share_of_lift": [0.0, 1.0]})
    return pd.concat([ends[:1], table, ends[1:]], ignore_index=True)


def balancing_table(found: Mapping[str, Any]) -> pd.DataFrame:
    """What class weights do to logistic regression, as text: setting, measure, none, class_weight, gain."""
    rows = []
    for (setting, by), (measure, label) in itertools.product(found["balancing"].items(), SAID["balanced"].items()):
        sides = {name: interval_text(by[name][measure]) for name in ("none", "class_weight")}
        gain = interval_text(by["gain"][measure], "+.3f") if measure in by["gain"] else None
        rows.append({"setting": setting, "measure": label, **sides, "gain": gain})
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
