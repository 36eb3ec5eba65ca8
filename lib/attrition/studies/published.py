"""The published protocol on the published trial, step by step as it was described, and on other splits of it.

Nine features standardised on all 1,000 patients, one stratified split, five unshuffled folds on the 800, default
threshold. Standardising before splitting is part of the protocol, so it is kept here and nowhere else. Nothing is tuned
towards the published figures.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from imblearn.over_sampling import SMOTE
from sklearn import config_context
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import RandomizedSearchCV, train_test_split
from sklearn.preprocessing import StandardScaler

from attrition import features, metrics, models, resampling, seeds, settings
from attrition.metrics import ranks
from attrition.models import batched
from attrition.studies.ablation import FINAL, feature_sets, positions, stratified_split
from notebook_report import results

SEED = 42
TEST_SHARE = 0.2
N_FOLDS = 5
LOW_THRESHOLD = 0.35
SAID = settings.declared(__file__, "published.yaml")
PUBLISHED: dict[str, dict[str, float]] = SAID["models"]
TEST_AUROC = {name: measures["test_auroc"] for name, measures in PUBLISHED.items()}
MEASURES: dict[str, str] = SAID["measures"]
"""Measures that were published of every model, and their names."""
OLD_READER_DIGITS = 17
"""Digits of a number that the default CSV reader of pandas before 3 looked at, leading zeros among them."""


class Split(NamedTuple):
    """One split: matrices (n_patients, n_features) standardised on all rows, outcomes, feature names."""

    X_train: np.ndarray
    X_test: np.ndarray
    y_train: np.ndarray
    y_test: np.ndarray
    names: tuple[str, ...]


def split(trial: pd.DataFrame, version: str = FINAL, seed: int = SEED) -> Split:
    """Standardise on all rows, then split.

    Examples
    --------
    >>> from attrition import simulate
    >>> split(simulate.published_trial()).X_test.shape
    (200, 9)
    """
    return _split(features.matrix(trial, version), trial["dropout"].to_numpy(), seed)


def _split(X: pd.DataFrame, y: np.ndarray, seed: int) -> Split:
    scaled = StandardScaler().fit_transform(X)
    parts = train_test_split(scaled, y, test_size=TEST_SHARE, random_state=seed, stratify=y)
    return Split._make([*parts, tuple(X.columns)])


def read_back(X: np.ndarray) -> np.ndarray:
    """The matrix as the default CSV reader of pandas before 3 reads it back from a file with every digit.

    That reader multiplies and adds digit by digit in double precision and divides by a power of ten once, so that a
    number may come back one or two units of its last place away. The published pipeline wrote its features to such a
    file and read them again.
    """
    return np.array([[_read(repr(float(cell))) for cell in row] for row in X])


def _read(text: str) -> float:
    digits, _, exponent = text.lstrip("-").partition("e")
    whole, _, decimals = digits.partition(".")
    kept = (whole + decimals)[:OLD_READER_DIGITS]
    number = 0.0
    for digit in kept:
        number = number * 10.0 + int(digit)
    power = int(exponent or 0) - (len(kept) - len(whole))
    number = number * float(f"1e{power}") if power > 0 else number / float(f"1e{-power}")
    return -number if text.startswith("-") else number


def positive_weight(y: np.ndarray) -> float:
    """Non-events an event: the `scale_pos_weight` of the training part."""
    return float((y == 0).sum() / (y == 1).sum())


def estimators(y_train: np.ndarray) -> dict[str, BaseEstimator]:
    """The three models as published; XGBoost's weight is the constant of the training part."""
    weighted = models.classifier("xgb", "none", SEED, scale_pos_weight=positive_weight(y_train))
    return {"lr": models.classifier("lr", seed=SEED), "xgb": weighted, "lgbm": models.classifier("lgbm", seed=SEED)}


def at_threshold(y: np.ndarray, y_prob: np.ndarray, threshold: float = 0.5) -> dict[str, Any]:
    """Recall, precision, F1 (0 when nobody is flagged) and confusion matrix of flags at `threshold`.

    Examples
    --------
    >>> at_threshold(np.array([0, 1, 1]), np.array([0.2, 0.4, 0.9]))["confusion"]
    {'tn': 1, 'fp': 0, 'fn': 1, 'tp': 1}
    """
    found = metrics.classification(y, y_prob, threshold)
    rates = {name: float(np.nan_to_num(found[name])) for name in ("recall", "precision", "f1")}
    return rates | {"confusion": {name: int(found[name]) for name in ("tn", "fp", "fn", "tp")}}


def _tested(estimator: BaseEstimator, parts: Split) -> np.ndarray:
    """Fit on the training part; probabilities of the test part."""
    return models.probability(clone(estimator).fit(parts.X_train, parts.y_train), parts.X_test)


def evaluate(estimator: BaseEstimator, parts: Split) -> dict[str, Any]:
    """Everything that was published about one model."""
    folds = resampling.unshuffled_folds(parts.y_train, N_FOLDS)
    oof = resampling.out_of_fold({"model": estimator}, parts.X_train, parts.y_train, folds)
    aurocs = resampling.per_fold(oof, metrics.auroc)["value"].to_numpy()
    found = {"cv_auroc": aurocs.mean(), "cv_sd": aurocs.std(), "cv_sd_sample": aurocs.std(ddof=1)}
    y, y_prob = parts.y_test, _tested(estimator, parts)
    found |= {"fold_auroc": aurocs.tolist(), "test_auroc": metrics.auroc(y, y_prob), **at_threshold(y, y_prob)}
    return found | {"low_threshold": at_threshold(y, y_prob, LOW_THRESHOLD)}


def unbalanced(parts: Split) -> dict[str, dict[str, Any]]:
    """Recall and flags of the three models without any balancing."""
    found: dict[str, dict[str, Any]] = {}
    for name in models.PUBLISHED:
        y_prob = _tested(models.classifier(name, "none", SEED), parts)
        found[name] = at_threshold(parts.y_test, y_prob) | {"n_flagged": int((y_prob >= 0.5).sum())}
    return found


def coefficients(parts: Split) -> dict[str, float]:
    """Logistic-regression coefficients per standard deviation of each feature."""
    fitted = models.classifier("lr", seed=SEED).fit(parts.X_train, parts.y_train)
    return dict(zip(parts.names, fitted.named_steps["classify"].coef_[0].tolist(), strict=True))


def gain_shares(parts: Split) -> dict[str, float]:
    """Gain of each feature in XGBoost, as the library normalises it to a sum of 1."""
    fitted = estimators(parts.y_train)["xgb"].fit(parts.X_train, parts.y_train)
    shares = fitted.named_steps["classify"].feature_importances_
    return dict(zip(parts.names, shares.astype(float).tolist(), strict=True))


def classes(**outcomes: np.ndarray) -> dict[str, int]:
    """Patients of each class in each of some sets: ``train_0``, ``train_1`` and so on."""
    return {f"{name}_{label}": int((y == label).sum()) for name, y in outcomes.items() for label in (0, 1)}


def smote_counts(parts: Split) -> dict[str, int]:
    """Patients of each class before and after SMOTE on the training part."""
    _, y = SMOTE(random_state=SEED).fit_resample(parts.X_train, parts.y_train)
    return classes(before=parts.y_train, after=y)


def random_search(parts: Split, n_candidates: int = 20) -> dict[str, Any]:
    """XGBoost by the published random search: best_cv_auroc, test_auroc, test_gain, settings."""
    base = estimators(parts.y_train)["xgb"]
    space = {f"classify__{key}": values for key, values in SAID["xgb_search"].items()}
    judged = {"cv": N_FOLDS, "scoring": resampling.score_auroc, "random_state": SEED}
    search = RandomizedSearchCV(base, space, n_iter=n_candidates, **judged).fit(parts.X_train, parts.y_train)
    area = metrics.auroc(parts.y_test, models.probability(search, parts.X_test))
    gain = area - metrics.auroc(parts.y_test, _tested(base, parts))
    found = {"best_cv_auroc": float(search.best_score_), "test_auroc": area, "test_gain": gain}
    chosen = {key.removeprefix("classify__"): value for key, value in search.best_params_.items()}
    return found | {"n_candidates": n_candidates, "settings": chosen}


def example_patient(trial: pd.DataFrame, parts: Split) -> dict[str, float]:
    """Least and greatest risk of the published example under logistic regression, over the columns not printed."""
    known = SAID["example_patient"]
    unknown = {name: trial[name].unique() for name in ("trial_phase", "treatment_group")}
    unknown["last_visit_day"] = (60, known["days_in_trial"])
    patients = pd.DataFrame(list(itertools.product(*unknown.values())), columns=list(unknown)).assign(**known)
    scale = StandardScaler().fit(features.columns(trial, parts.names))
    fitted = models.classifier("lr", seed=SEED).fit(parts.X_train, parts.y_train)
    risks = models.probability(fitted, scale.transform(features.columns(patients, parts.names)))
    return {"lowest": float(risks.min()), "highest": float(risks.max())}


def described(trial: pd.DataFrame) -> dict[str, Any]:
    """Number of columns, raw and engineered, range of each column of whole numbers, correlations of counts."""
    ranges = trial.select_dtypes("number").agg(["min", "max"]).to_dict()
    engineered = [name for name in features.VERSIONS[FINAL] if name not in trial]
    correlation = trial[list(features.VERSIONS["v1_counts"])].corrwith(trial["dropout"]).to_dict()
    return {"raw": trial.shape[1], "engineered": len(engineered), "ranges": ranges, "correlation": correlation}


def from_csv(parts: Split) -> dict[str, Any]:
    """The three models on the features as `read_back`, their gain shares, and what that changed in the matrix."""
    X_train, X_test = read_back(parts.X_train), read_back(parts.X_test)
    moved = np.abs(np.concatenate([X_train - parts.X_train, X_test - parts.X_test]))
    found = _of_the_models(parts._replace(X_train=X_train, X_test=X_test))
    return {**found, "cells_changed": int((moved > 0).sum()), "largest_change": float(moved.max())}


def _of_the_models(parts: Split) -> dict[str, Any]:
    """What was published of each model, and the gain shares."""
    found: dict[str, Any] = {name: evaluate(each, parts) for name, each in estimators(parts.y_train).items()}
    return found | {"xgb_gain_shares": gain_shares(parts)}


def random_baseline(baseline: pd.DataFrame) -> dict[str, Any]:
    """Logistic regression on the earlier random data, whose outcome ignores the features (true AUROC: one half)."""
    parts = _split(baseline[list(features.VERSIONS["v1_counts"])], baseline["dropout"].to_numpy(), SEED)
    found: dict[str, Any] = {"dropout_rate": float(baseline["dropout"].mean())}
    found["n_events_test"] = int(parts.y_test.sum())
    for strategy, key in (("none", "unbalanced"), ("class_weight", "balanced")):
        found[key] = evaluate(models.classifier("lr", strategy, SEED), parts)
    return found


def replicate(trial: pd.DataFrame, baseline: pd.DataFrame, n_candidates: int = 20) -> dict[str, Any]:
    """The whole published protocol on the published trial and the earlier random data; the search has a budget."""
    with config_context(assume_finite=True, skip_parameter_validation=True):
        parts = split(trial)
        found = _of_the_models(parts) | {"from_csv": from_csv(parts), "smote": smote_counts(parts)}
        found |= {"sizes": classes(train=parts.y_train, test=parts.y_test), "columns": described(trial)}
        found |= {"scale_pos_weight": positive_weight(parts.y_train), "unbalanced": unbalanced(parts)}
        found |= {"lr_coefficients": coefficients(parts), "random_search": random_search(parts, n_candidates)}
        return found | {"random_baseline": random_baseline(baseline), "example_patient": example_patient(trial, parts)}


def comparison(found: Mapping[str, Any]) -> pd.DataFrame:
    """All published figures of this protocol beside the recomputed ones of `replicate`.

    ``from_file`` is the same on features that were written to a file and read back; ``reproduces`` says whether either
    rounds to what was printed.
    """
    each = [(name, *one) for name, measures in PUBLISHED.items() for one in measures.items()]
    printed = [(name, measure, f"{name}.{measure}", value, SAID["decimals"][measure]) for name, measure, value in each]
    table = pd.DataFrame([*printed, *SAID["others"]], columns=["key", "measure", "place", "published", "decimals"])
    table.insert(1, "model", table["key"].map(SAID["labels"]))
    for name, own in (("found", found), ("from_file", found["from_csv"])):
        table[name] = pd.Series([results.look_up(own, place) for place in table["place"]], dtype=float)
    either = [table[key].combine(table["decimals"], round) for key in ("found", "from_file")]
    agrees = np.any([np.isclose(rounded, table["published"]) for rounded in either], axis=0)
    shown = table.assign(difference=table["found"] - table["published"], reproduces=agrees)
    return shown.drop(columns=["place", "decimals"])


def reproduced(table: pd.DataFrame) -> dict[str, Any]:
    """How many published AUROCs and other figures of `comparison` come out, recall as an example, and the verdict."""
    auroc = table[table["measure"].isin(("cv_auroc", "test_auroc")) & table["key"].isin(models.PUBLISHED)]
    facts: dict[str, Any] = {}
    for name, part in {"auroc": auroc, "rest": table.drop(auroc.index)}.items():
        facts |= {f"n_{name}": len(part), f"n_{name}_same": int(part["reproduces"].sum())}
    recall = table[(table["key"] == "lr") & (table["measure"] == "recall")].iloc[0]
    facts |= {"recall": recall["found"], "recall_published": recall["published"]}
    return facts | {"verdict": "reproduced" if table["reproduces"].all() else "not supported"}


def one_split(trial: pd.DataFrame, version: str, model: str, seed: int = SEED) -> dict[str, float]:
    """One model by the published protocol under some split seed: auroc, recall, precision, n_test, n_dropouts."""
    parts = split(trial, version, seed)
    y_prob = _tested(models.classifier(model, seed=SEED), parts)
    found = {name: at_threshold(parts.y_test, y_prob)[name] for name in ("recall", "precision")}
    found |= {"auroc": metrics.auroc(parts.y_test, y_prob)}
    return found | {"n_test": len(parts.y_test), "n_dropouts": int(parts.y_test.sum())}


def many_splits(trial: pd.DataFrame, n_splits: int, seed: int, names: Sequence[str]) -> pd.DataFrame:
    """Test AUROC of logistic regression on named `feature_sets`, over random stratified splits of one trial."""
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
