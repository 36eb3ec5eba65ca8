"""Rows and tables of the modelling chapter: predictions beside the oracle, and what is shown of the studies."""

import numpy as np
import pandas as pd
from sklearn import config_context

from attrition import features, metrics, models, resampling
from attrition.resampling import schemes
from attrition.simulate import oracle
from attrition.simulate.law import PUBLISHED_LAW
from attrition.text import MISSING, interval_text, listed

SHOWN_MEASURES = ("auroc", "calibration_slope", "calibration_in_the_large", "brier", "recall", "precision")


def out_of_fold(trial: pd.DataFrame, folds: list[resampling.Fold]) -> pd.DataFrame:
    """Out-of-fold rows of every model of the registry, with the oracle's probability.

    Parameters
    ----------
    trial : DataFrame of n_patients rows
        The published trial.
    folds : list of Fold

    Returns
    -------
    DataFrame
        Columns of `attrition.resampling.OOF_COLUMNS` and ``true_probability``; the keys of
        `attrition.models.MODELS` and oracle.
    """
    fitted = {name: models.classifier(name) for name in models.MODELS}
    y, ids = trial["dropout"].to_numpy(), trial["patient_id"].to_numpy()
    X = features.matrix(trial, "v3_causal").to_numpy()  # features learn nothing from the rows: once is enough
    with config_context(assume_finite=True, skip_parameter_validation=True):
        oof = resampling.out_of_fold(fitted, X, y, folds, ids)
    truth = pd.Series(oracle.of_patients(PUBLISHED_LAW, trial), index=ids)
    oof = oof.assign(true_probability=oof["patient_id"].map(truth))
    perfect = oof[oof["model"] == "null"].assign(model="oracle", y_prob=lambda rows: rows["true_probability"])
    return pd.concat([oof, perfect], ignore_index=True)


def model_table(oof: pd.DataFrame, n_folds: int = 5) -> pd.DataFrame:
    """AUROC of each model: a repeat, then averaged, with the interval that allows for shared training rows.

    Returns
    -------
    DataFrame
        Columns model, label, n, events, auroc, ci_low, ci_high, fold_sd, attainable (share of the oracle's
        lift over chance).
    """
    by_repeat = resampling.per_repeat(oof, metrics.auroc).groupby("model", sort=False)["value"].mean()
    by_fold = resampling.per_fold(oof, metrics.auroc)
    patients = oof.drop_duplicates("patient_id")
    rows = []
    for name, value in by_repeat.items():
        folds = by_fold.loc[by_fold["model"] == name, "value"].to_numpy()
        rows.append(
            {"model": name, "label": models.LABELS[name], "n": len(patients), "events": int(patients["y"].sum())}
            | dict(zip(("auroc", "ci_low", "ci_high"), _with_interval(folds, value, n_folds), strict=True))
            | {"fold_sd": folds.std(ddof=1)}
            | {"attainable": metrics.share_of_attainable_lift(value, by_repeat["oracle"])}
        )
    return pd.DataFrame(rows)


def best_first(oof: pd.DataFrame) -> dict[str, str]:
    """Models of `out_of_fold` and their labels, by mean AUROC of their folds, the best first."""
    means = resampling.per_fold(oof, metrics.auroc).groupby("model", sort=False)["value"].mean()
    return {name: models.LABELS[name] for name in means.sort_values(ascending=False, kind="stable").index}


def _with_interval(folds: np.ndarray, value: float, n_folds: int) -> tuple[float, float, float]:
    if np.ptp(folds) == 0:
        return value, np.nan, np.nan
    return schemes.corrected_interval(folds, value, n_folds)


def _interval_text(row: pd.Series) -> str:
    return interval_text(row) or MISSING


def imbalance_table(table: pd.DataFrame, rate: str, shown: float = 0.2) -> pd.DataFrame:
    """One event rate of the imbalance study as text with intervals: model, strategy, trials, a column a measure.

    Of the thresholds of the net benefit, the one nearest to `shown` has its column.
    """
    thresholds = table["measure"].str.extract(r"^net_benefit_(.+)$")[0].dropna().unique()
    measures = [*SHOWN_MEASURES, f"net_benefit_{min(thresholds, key=lambda t: abs(float(t) - shown))}"]
    part = table[(table["event_rate"] == rate) & table["measure"].isin(measures)]
    part = part.assign(text=part.apply(_interval_text, axis=1))
    keys = ["model", "strategy", "n_trials"]
    wide = part.pivot_table(index=keys, columns="measure", values="text", aggfunc="first")[measures].reset_index()
    order = {name: i for i, name in enumerate(("oracle", "null", *models.FITTED))}
    places = {name: i for i, name in enumerate(models.STRATEGIES)}
    wide = wide.sort_values(["model", "strategy"], key=lambda column: column.map(order | places))
    plain = wide["model"].isin(("oracle", "null"))
    return wide.assign(
        model=wide["model"].map(models.LABELS),
        strategy=wide["strategy"].map(models.STRATEGIES).where(~plain, "–"),
    ).reset_index(drop=True)


def chosen_table(chosen: pd.DataFrame) -> pd.DataFrame:
    """Settings that the searches chose, in words: model, fold, inner AUROC, settings."""
    fixed = ["model", "repeat", "fold", "inner_auroc"]
    words = [
        ", ".join(f"{key} {value:g}" for key, value in row.items() if key not in fixed and pd.notna(value))
        for row in chosen.to_dict("records")
    ]
    shown = chosen.assign(model=chosen["model"].map(models.LABELS), fold=chosen["fold"] + 1, settings=words)
    return shown[["model", "fold", "inner_auroc", "settings"]]


def tuning_sentence(compared: pd.DataFrame) -> dict:
    """Sentence on what tuning changed, chosen from the numbers: template and values."""
    better = compared[compared["ci_low"] > 0]
    best = compared.loc[compared["tuned"].idxmax()]
    names = listed([models.LABELS[name] for name in better["model"]]) if len(better) else ""
    spread = compared["tuned"].max() - compared["tuned"].min()
    values = {"names": names, "spread": spread, "best": models.LABELS[best["model"]], "best_auroc": best["tuned"]}
    last = ". The highest tuned AUROC is {best_auroc:.3f} ({best}); all lie within {spread:.3f}."
    if better.empty:
        sentence = "Tuning raised no model's AUROC with an interval above zero" + last
        return {"sentence": sentence, **values}
    values |= {"low": better["difference"].min(), "high": better["difference"].max()}
    sentence = (
        "Tuning helps {names}: the paired gain in AUROC is "
        + ("{low:.3f}" if len(better) == 1 else "{low:.3f} to {high:.3f}")
        + last
    )
    return {"sentence": sentence, **values}
