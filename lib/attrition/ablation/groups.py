"""What each group of features is worth: named ablations, paired differences with intervals, rankings.

The comparisons of chapter 03 are the published ones (versions, leave one out) and their mirror image (one group alone),
each between two candidates fitted on the same trials and evaluated on the same population.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from attrition import features, models
from attrition.ablation.replicate import SETTINGS, Candidate, Population, Sizes
from attrition.ablation.study import Study
from attrition.claims.rules import Measure, grade_effect
from attrition.metrics import ranks, share_of_attainable_lift
from attrition.metrics.ranks import soft_auroc_influence

FINAL = "v3_causal"
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
TREES = ("xgb", "lgbm")
NO_SPREAD = 10.0 ** (1 - ranks.DECIMALS)
"""A spread of AUROCs below it is that of settling the scores (`attrition.metrics.ranks.settled`): there is none."""
Interval = dict[str, Any]


def feature_sets() -> dict[str, tuple[str, ...]]:
    """Every named ablation: versions, ``without_<feature>`` of v3, ``only_<group>``.

    Examples
    --------
    >>> sets = feature_sets()
    >>> sets["only_domain"], len(sets["without_burden"])
    (('trial_phase_risk', 'treatment_risk'), 8)
    """
    left_out = {f"without_{name}": features.without(FINAL, name) for name in features.VERSIONS[FINAL]}
    alone = {f"only_{group}": members for group, members in features.GROUPS.items()}
    return {**features.VERSIONS, **left_out, **alone}


def candidates(n_replicates: int, n_trees: int, n_tree_versions: int, n_alone: int | None = None) -> list[Candidate]:
    """Everything that chapter 03 fits.

    Parameters
    ----------
    n_replicates : int
        Trials for logistic regression.
    n_trees : int
        Trials for the boosted trees that a published comparison needs: both on v3, XGBoost on counts.
    n_tree_versions : int
        Trials for boosted trees on the other versions.
    n_alone : int, optional
        Trials for logistic regression on one group alone; `n_replicates` by default.
    """
    n_alone = n_alone or n_replicates
    linear = [
        Candidate(name, members, n_replicates=n_alone if name.startswith("only_") else n_replicates)
        for name, members in feature_sets().items()
    ]
    plain = [Candidate(FINAL, features.VERSIONS[FINAL], "lr", "none", n_replicates)]
    ledger = {("xgb", FINAL), ("lgbm", FINAL), ("xgb", "v1_counts")}
    trees = [
        Candidate(version, members, model, n_replicates=n_trees if (model, version) in ledger else n_tree_versions)
        for model in TREES
        for version, members in features.VERSIONS.items()
    ]
    return linear + plain + trees


def plan(params: Any) -> dict[str, list[Candidate]]:
    """Everything that chapter 03 fits, by prevalence setting, as fixed in ``params.yaml``."""
    return {
        setting: candidates(params.n_replicates, n_trees, params.n_replicates_tree_versions, params.n_replicates_alone)
        for setting, n_trees in params.n_replicates_trees.items()
    }


def sizes(params: Any) -> Sizes:
    """Sizes of the study as fixed in ``params.yaml``."""
    return Sizes(params.n_patients, params.n_test, params.n_population)


def key(name: str, model: str = "lr", strategy: str = "class_weight") -> str:
    """Key of a candidate in `Study`."""
    return f"{model}/{strategy}/{name}"


def interval(values: np.ndarray, population_variance: float = 0.0) -> Interval:
    r"""Mean over simulated trials with its Monte-Carlo interval, and the spread between trials.

    .. math:: \bar d \pm t_{R-1, .975} \, \mathrm{se}, \qquad
              \mathrm{se}^2 = s_d^2 / R + \text{population variance}

    Parameters
    ----------
    values : ndarray (R,)
        One value a trial.
    population_variance : float
        Sampling variance of the mean because the evaluation population is finite.

    Returns
    -------
    dict
        value, ci_low, ci_high (of the mean: what verdicts use), mc_se, n_replicates, sd, spread_low, spread_high
        (2.5 and 97.5 % quantiles between trials: what a single trial could show).

    Examples
    --------
    >>> found = interval(np.array([0.01, 0.02, 0.03]))
    >>> round(found["value"], 4), round(found["mc_se"], 4)
    (0.02, 0.0058)
    """
    values = np.asarray(values, dtype=float)
    values = values[np.isfinite(values)]
    n = len(values)
    sd = float(values.std(ddof=1)) if n > 1 else np.nan
    if sd < NO_SPREAD:
        sd = 0.0
    error = float(np.sqrt(sd**2 / n + max(population_variance, 0.0)))
    reach = float(stats.t.ppf(0.975, max(n - 1, 1))) * error
    value = float(values.mean())
    low, high = np.quantile(values, [0.025, 0.975])
    return {
        "value": value,
        "ci_low": value - reach,
        "ci_high": value + reach,
        "mc_se": error,
        "n_replicates": n,
        "sd": sd,
        "spread_low": float(low),
        "spread_high": float(high),
    }


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
    """Paired difference `better` - `worse` over the trials that both have; see `interval`.

    Parameters
    ----------
    study : Study
    setting : str
        Prevalence setting.
    better, worse : str
        Candidates, by `key`.
    measure : str
        Column of the study's trials.
    """
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


def in_words(found: Mapping[str, float], smallest_difference: float) -> str:
    """What a paired difference amounts to, in words that its interval allows.

    Examples
    --------
    >>> in_words({"value": 0.004, "ci_low": 0.003, "ci_high": 0.005}, 0.01)
    'a gain, but smaller than the smallest difference of interest'
    >>> in_words({"value": 0.0, "ci_low": -0.001, "ci_high": 0.001}, 0.01)
    'no difference that this study can see'
    """
    if found["ci_low"] <= 0 <= found["ci_high"]:
        return "no difference that this study can see"
    direction = "gain" if found["value"] > 0 else "loss"
    near, far = sorted((abs(found["ci_low"]), abs(found["ci_high"])))
    if far < smallest_difference:
        return f"a {direction}, but smaller than the smallest difference of interest"
    if near >= smallest_difference:
        return f"a {direction} larger than the smallest difference of interest"
    return f"a {direction} of about the smallest difference of interest"


def dropouts_gained(auroc: float, difference: float, prevalence: float, flagged: float = 1 / 3) -> float:
    r"""What a gain in AUROC buys: further dropouts caught per 1,000 patients when a fixed share is flagged.

    Equal-variance binormal model, :math:`\text{AUROC} = \Phi(\delta / \sqrt{2})`: the threshold is set so that
    `flagged` of all patients are above it.

    Parameters
    ----------
    auroc, difference : float
        From `auroc` to `auroc` + `difference`.
    prevalence : float
    flagged : float
        Share of patients that can be contacted.

    Examples
    --------
    >>> round(dropouts_gained(0.70, 0.01, 0.24), 1)
    2.8
    """

    def recall(area: float) -> float:
        apart = np.sqrt(2) * stats.norm.ppf(area)
        low, high = -10.0, 10.0
        for _ in range(60):
            middle = (low + high) / 2
            above = prevalence * stats.norm.sf(middle - apart) + (1 - prevalence) * stats.norm.sf(middle)
            low, high = (middle, high) if above > flagged else (low, middle)
        return float(stats.norm.sf(low - apart))

    return 1000 * prevalence * (recall(auroc + difference) - recall(auroc))


def steps_table(study: Study, setting: str, model: str = "lr", smallest_difference: float = 0.01) -> pd.DataFrame:
    """Paired differences of the published comparisons, one row each, ready for the forest plot."""
    have = set(study.trials["key"])
    rows = []
    for step, (better, worse) in STEPS.items():
        if key(worse, model) in have:
            found = contrast(study, setting, key(better, model), key(worse, model))
            named = {"setting": setting, "model": model, "step": step, "label": STEP_LABELS[step]}
            word = verdict(found, PUBLISHED[step], smallest_difference)
            rows.append({**named, "published": PUBLISHED[step], **found, "verdict": word})
    return pd.DataFrame(rows)


def in_both_settings(table: Callable[..., pd.DataFrame], study: Study, **options: Any) -> pd.DataFrame:
    """One of this module's tables for both prevalence settings, one below the other."""
    return pd.concat([table(study, setting, **options) for setting in SETTINGS])


def left_out_table(study: Study, setting: str) -> pd.DataFrame:
    """What v3 loses without each feature, largest loss first, with its rank."""
    rows = []
    for feature in features.VERSIONS[FINAL]:
        found = contrast(study, setting, key(FINAL), key(f"without_{feature}"))
        without = level(study, setting, key(f"without_{feature}"))
        rows.append({"setting": setting, "feature": feature, "auroc_without": without["value"], **found})
    table = pd.DataFrame(rows).sort_values("value", ascending=False, ignore_index=True)
    return table.assign(rank=np.arange(1, len(table) + 1), label=table["feature"].str.replace("_", " "))


def rank_stability(study: Study, setting: str, feature: str = "burden") -> dict[str, float]:
    """How often one feature is the most valuable one, by leaving out: in the population and on the test split.

    Returns
    -------
    dict
        first_in_population, first_on_test : shares of trials.
    """
    found = {}
    for name, measure in (("first_in_population", "auroc"), ("first_on_test", "test_auroc")):
        lost = {
            other: values(study, setting, key(FINAL), measure)
            - values(study, setting, key(f"without_{other}"), measure)
            for other in features.VERSIONS[FINAL]
        }
        found[name] = float((pd.DataFrame(lost).idxmax(axis=1) == feature).mean())
    return found


def only_table(study: Study, setting: str) -> pd.DataFrame:
    """AUROC of logistic regression on one group of features alone, best first."""
    oracle = study.reference.loc[setting, "auroc_oracle"]
    rows = []
    for group, members in features.GROUPS.items():
        found = level(study, setting, key(f"only_{group}"))
        share = share_of_attainable_lift(found["value"], oracle)
        rows.append(
            {"setting": setting, "group": group, "label": features.GROUP_LABELS[group], "n_features": len(members)}
        )
        rows[-1] |= {**found, "share_of_lift": share}
    return pd.DataFrame(rows).sort_values("value", ascending=False, ignore_index=True)


def with_references(table: pd.DataFrame, oracle: float) -> pd.DataFrame:
    """A table of AUROCs (label, value, share_of_lift, ...) between a row for chance and one for the oracle."""
    chance = pd.DataFrame([{"label": "Chance", "value": 0.5, "share_of_lift": 0.0}])
    best = pd.DataFrame([{"label": "Oracle", "value": oracle, "share_of_lift": 1.0}])
    return pd.concat([chance, table, best], ignore_index=True)


def single_features(people: Population) -> pd.DataFrame:
    """AUROC in the population of each feature by itself, in its better direction, best first.

    No model and no training: a logistic regression on one feature ranks as the feature does.

    Returns
    -------
    DataFrame
        feature, auroc, mc_se (sampling error of the population), direction ("higher" or "lower" values drop out).
    """
    _, best = soft_auroc_influence(people.probability, people.probability)
    rows = []
    for name, column in zip(features.FEATURES, people.X.T, strict=True):
        area, influence = soft_auroc_influence(people.probability, column)
        sign = 1 if area >= 0.5 else -1
        error = np.sqrt(((sign * influence - best) ** 2).sum())
        value = (area if sign > 0 else 1 - area) + people.anchor
        rows.append({"feature": name, "auroc": value, "mc_se": error, "direction": "higher" if sign > 0 else "lower"})
    return pd.DataFrame(rows).sort_values("auroc", ascending=False, ignore_index=True)


VERSION_LABELS = {
    "v1_counts": "v1, counts",
    "v2_rates": "v2, rates",
    "v2_interactions": "v2, interactions",
    "v3_causal": "v3, domain encodings",
}


def models_table(study: Study, setting: str) -> pd.DataFrame:
    """AUROC of every model on every version, with the chance and oracle rows."""
    oracle = float(study.reference.loc[setting, "auroc_oracle"])
    have, rows = set(study.trials["key"]), []
    for model, label in MODEL_LABELS.items():
        for version, words in VERSION_LABELS.items():
            if key(version, model) in have:
                found = level(study, setting, key(version, model))
                share = share_of_attainable_lift(found["value"], oracle)
                rows.append({"label": label, "model": model, "version": words, **found, "share_of_lift": share})
    return with_references(pd.DataFrame(rows), oracle).assign(setting=setting)
