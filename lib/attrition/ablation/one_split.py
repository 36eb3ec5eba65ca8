"""The wrong way, measured: what one split of one trial shows, and how much of it is the luck of the split.

A figure from 200 held-out patients moves with the seed of the split and with the trial that happened to be drawn. Here
the published protocol is followed on the published trial, repeated under other seeds, and set against the spread of the
same figure over simulated trials.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from attrition import features, models, seeds
from attrition.ablation.groups import FINAL, MODEL_LABELS, Interval, feature_sets, key, level, values
from attrition.ablation.replicate import positions, stratified_split
from attrition.ablation.study import Study
from attrition.metrics import ranks
from attrition.models import batched

PUBLISHED_SEED = 42
PUBLISHED_AUROC = {"lr": 0.643, "xgb": 0.604, "lgbm": 0.618}
PUBLISHED_COUNTS = 0.52
"""Published test AUROC of v1_counts."""


def evaluate(trial: pd.DataFrame, version: str, model: str, split_seed: int) -> dict[str, float]:
    """Follow the published protocol: standardise on all rows, split, fit on 800, evaluate on 200.

    Parameters
    ----------
    trial : DataFrame (1000, ...)
    version : str
        Key of `attrition.features.VERSIONS`.
    model : {"lr", "xgb", "lgbm"}
    split_seed : int

    Returns
    -------
    dict
        auroc, recall, precision (threshold .5), n_test, n_dropouts.
    """
    X = StandardScaler().fit_transform(features.matrix(trial, version).to_numpy())
    y = trial["dropout"].to_numpy()
    parts = train_test_split(X, y, test_size=0.2, random_state=split_seed, stratify=y)
    X_train, X_test, y_train, y_test = parts
    y_prob = models.probability(models.classifier(model, seed=PUBLISHED_SEED).fit(X_train, y_train), X_test)
    flagged = y_prob >= 0.5
    caught = int((flagged & (y_test == 1)).sum())
    found = {"auroc": float(ranks.auroc(y_test, y_prob)[0]), "recall": caught / int(y_test.sum())}
    precision = caught / int(flagged.sum()) if flagged.any() else 0.0
    return {**found, "precision": precision, "n_test": len(y_test), "n_dropouts": int(y_test.sum())}


def published_split(trial: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Logistic regression on the published split, one entry a feature version; see `evaluate`."""
    return {version: evaluate(trial, version, "lr", PUBLISHED_SEED) for version in features.VERSIONS}


def other_seeds(trial: pd.DataFrame, split_seeds: Sequence[int], version: str = FINAL) -> pd.DataFrame:
    """Test AUROC of the three models under several split seeds, and which of them each seed calls best.

    Returns
    -------
    DataFrame
        split_seed, model, label, auroc, rank (1 is best), best (label of the best model under this seed).
    """
    rows = [
        {"split_seed": seed, "model": model, "label": label, "auroc": evaluate(trial, version, model, seed)["auroc"]}
        for seed in split_seeds
        for model, label in MODEL_LABELS.items()
    ]
    table = pd.DataFrame(rows)
    rank = table.groupby("split_seed")["auroc"].rank(ascending=False, method="first").astype(int)
    best = table.loc[rank == 1].set_index("split_seed")["label"]
    return table.assign(rank=rank, best=table["split_seed"].map(best))


def many_splits(trial: pd.DataFrame, n_splits: int, seed: int, names: Sequence[str]) -> pd.DataFrame:
    """Test AUROC of logistic regression on feature sets, over random stratified splits of one trial.

    Parameters
    ----------
    trial : DataFrame (n, ...)
    n_splits : int
    seed : int
    names : sequence of str
        Keys of `attrition.ablation.feature_sets`.

    Returns
    -------
    DataFrame (n_splits, len(names))
        All feature sets see the same splits.
    """
    X = features.columns(trial, tuple(features.FEATURES)).to_numpy()
    y = trial["dropout"].to_numpy().astype(int)
    held_out = np.zeros((n_splits, len(y)))
    for row in range(n_splits):
        _, test = stratified_split(y, len(y) // 5, seeds.stream(seed, "splits", row))
        held_out[row, test] = 1
    found = {}
    for name in names:
        part = X[:, positions(feature_sets()[name])]
        fit = batched.fit_pipeline(part, y, 1 - held_out, class_weight="balanced")
        found[name] = ranks.auroc(y, fit.decision_function(part), held_out)
    return pd.DataFrame(found)


def same_trial_gains(splits: pd.DataFrame) -> pd.DataFrame:
    """Gains from split to split of one trial: of v3 over counts, and of burden within v3.

    Parameters
    ----------
    splits : DataFrame, shape (n_splits, 3)
        From `many_splits`, of v1_counts, v3_causal and without_burden.

    Returns
    -------
    DataFrame
        ``gain``, what `spread` gives, and ``share_below_zero``.
    """
    gains = {
        "v3 less v1": splits["v3_causal"] - splits["v1_counts"],
        "v3 less v3 without burden": splits["v3_causal"] - splits["without_burden"],
    }
    return pd.DataFrame(
        [{"gain": name, **spread(gain), "share_below_zero": (gain < 0).mean()} for name, gain in gains.items()]
    )


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
    """Standard deviation over trials with its 95 % interval (chi-squared) and Monte-Carlo error.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> interval = sd_interval(rng.normal(size=400))
    >>> interval["ci_low"] < 1 < interval["ci_high"]
    True
    """
    n, sd = len(found), float(np.std(found, ddof=1))
    low, high = (sd * float(np.sqrt((n - 1) / stats.chi2.ppf(q, n - 1))) for q in (0.975, 0.025))
    return {"value": sd, "ci_low": low, "ci_high": high, "mc_se": sd / float(np.sqrt(2 * (n - 1))), "n_replicates": n}


def single_split_sd(study: Study, setting: str, model: str = "lr", measure: str = "test_auroc") -> Interval:
    """Standard deviation over trials of the AUROC on 200 held-out patients; see `sd_interval`."""
    return sd_interval(values(study, setting, key(FINAL, model), measure).to_numpy())


def split_table(study: Study, setting: str) -> pd.DataFrame:
    """Rows of the figure of one-split noise: spread of the test AUROC, truth, published figure."""
    rows: list[dict[str, Any]] = [
        {"label": "LR, counts (v1)", "model": "lr", "name": "v1_counts", "published": PUBLISHED_COUNTS}
    ]
    for model, label in (("lr", "LR, v3"), ("xgb", "XGBoost, v3"), ("lgbm", "LightGBM, v3")):
        rows.append({"label": label, "model": model, "name": FINAL, "published": PUBLISHED_AUROC[model]})
    for row in rows:
        candidate = key(row["name"], row["model"])
        row |= spread(values(study, setting, candidate, "test_auroc").to_numpy())
        row["truth"] = level(study, setting, candidate)["value"]
    return pd.DataFrame(rows)


def ordering(study: Study, setting: str) -> dict[str, Any]:
    """How often one test split puts the three models in the published order, or misnames the best one.

    Returns
    -------
    dict
        n_trials; best_in_population (label); best_missed, published_order, lr_below_lgbm, lr_below_xgb,
        lgbm_below_xgb : shares of trials, by test AUROC.
    """
    by_model = {m: values(study, setting, key(FINAL, m), "test_auroc") for m in MODEL_LABELS}
    test = pd.DataFrame(by_model).dropna()
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
