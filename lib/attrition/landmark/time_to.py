"""Landmark-time models: predict the risk of leaving between a landmark and the horizon, with competing reasons.

Everything that is learned (imputation, scaling, the penalty, coefficients, baseline hazards) is learned in the training
folds; the arm is not penalised. Intervals develop the models anew in half-samples, see
`attrition.landmark.uncertainty`.
"""

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from joblib import delayed
from sklearn.impute import SimpleImputer
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from attrition import engine, resampling, seeds
from attrition.cdisc.trial import Trial
from attrition.landmark import cohort, prediction, uncertainty
from attrition.landmark.prediction import Problem
from attrition.landmark.uncertainty import Developed
from attrition.metrics import evaluator, ranks
from attrition.metrics.intervals import of_row
from attrition.survival import censored, hazards, incidence

Array = np.ndarray

NAMES: dict[str, str] = cohort.WORDS["models_in_time"]
REFERENCE = "arm_only"
"""What a prediction has to beat: knowing the arm and nothing else."""
FULL = ("cox", "discrete")
"""Models of all that is known, the arm included: the ones whose best gain is picked."""
HALVES = ("time to dropout", "halves")
NO_ENDS = {"ci_low": np.nan, "ci_high": np.nan}
AUROCS = {"auroc": "auroc_pooled", "auroc_within": "auroc"}
"""Names here, where both are shown, and in `attrition.landmark.uncertainty`."""


def sample(trial: Trial, day: int) -> Problem:
    """Patients at risk at a landmark with what was known by then, every level of a category a column of its own."""
    of, table = prediction.problem(trial, day), cohort.features(trial, day)
    parts = {"arm": table.filter(["arm"]).astype(str), "baseline": table.drop(columns="arm", errors="ignore")}
    coded = {group: pd.get_dummies(part, dtype=float).astype(float) for group, part in parts.items() if part.shape[1]}
    cause = incidence.coded(trial).set_index("id").loc[of.X.index, "cause"].to_numpy()
    groups = {"arm": ()} | {group: tuple(part) for group, part in coded.items()}
    return replace(of, X=pd.concat(list(coded.values()), axis=1), groups=groups, cause=cause)


def prepared(train: Array, test: Array) -> tuple[Array, Array]:
    """Impute by the training medians, scale by the training mean and standard deviation."""
    steps = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler()).fit(train)
    varies = steps[-1].var_ > 0  # of what does not vary in training, a test patient's value says nothing
    return steps.transform(train) * varies, steps.transform(test) * varies


Model = Callable[[Array, Array, Array, Array, Array, Array], Array]
"""Times, causes and features of the training part, features of the test part, penalty of each feature, and log hazard
ratios to set out from: risks."""


def penalty_of(time: Array, cause: Array, X: Array, free: Array, seed: int) -> tuple[Array, Array]:
    """Ridge penalty of every feature (none of a `free` one), by inner folds for the Cox model of the primary event.

    The discrete-time model takes the same one: its coefficients are log hazard ratios, too. Behind it coefficients that
    a fit to the same patients may set out from.
    """
    if free.all() or not (cause == 1).any():
        return np.full(X.shape[1], hazards.HELD), np.zeros(X.shape[1])
    return hazards.RidgeCox(free, seed).penalty(X, cause == 1, time)


def _models(of: Problem, period: float) -> Mapping[str, tuple[Model, Array]]:
    """Every model that has something to fit, and its columns."""
    edges, from_arm = hazards.period_edges(of.ahead, period), of.X.columns.isin(of.groups["arm"])

    def null(time, cause, X, X_new, ridge, start):
        fit = incidence.aalen_johansen(time, cause, 2)
        return np.full(len(X_new), incidence.risk_on(fit, of.ahead)[0])

    def cox(time, cause, X, X_new, ridge, start):
        return hazards.cox_risk(time, cause, X, X_new, [of.ahead], ridge, plain=(2,), start=start)[:, 0]

    def discrete(time, cause, X, X_new, ridge, start):
        return hazards.discrete_risk(time, cause, X, X_new, edges, ridge)[:, -1]

    full = {"cox": (cox, from_arm | True), "discrete": (discrete, from_arm | True)}
    blind = {"cox_without_arm": (cox, ~from_arm), "discrete_without_arm": (discrete, ~from_arm)}
    table = {REFERENCE: (cox, from_arm)} | full | (blind if from_arm.any() else {})
    return {"null": (null, from_arm & False)} | {name: item for name, item in table.items() if item[1].any()}


def folds_of(of: Problem, n_folds: int, n_repeats: int, seed: int) -> Array:
    """Test fold of every patient in every repeat, stratified by the primary event; shape (n_patients, n_repeats)."""
    folds = []
    for repeat in range(n_repeats):
        state = seeds.integer(seed, "time to dropout", of.landmark, repeat)
        folds += resampling.split_by(StratifiedKFold(n_folds, shuffle=True, random_state=state), of.y, repeat)
    return uncertainty.fold_labels(folds, len(of.y))


def out_of_fold(of: Problem, folds: Array, period: float, seed: int) -> dict[str, Array]:
    """Cross-validated risks by the horizon, the same folds for every model, as arrays of the shape of `folds_of`.

    With a single arm there is no model that sets it apart.
    """
    models, values, cause = _models(of, period), of.X.to_numpy(), np.asarray(of.cause)
    from_arm, risks = of.X.columns.isin(of.groups["arm"]), {name: np.full(folds.shape, np.nan) for name in models}
    for repeat, labels in enumerate(folds.T):
        for fold in np.unique(labels[labels >= 0]):
            test = labels == fold
            train = (labels >= 0) & ~test
            X, X_new = prepared(values[train], values[test])
            penalties: dict[bytes, tuple[Array, Array]] = {}
            for name, (model, columns) in models.items():
                key, own = columns.tobytes(), (of.time[train], cause[train], X[:, columns])
                if key not in penalties:
                    penalties[key] = penalty_of(*own, from_arm[columns], seed)
                risks[name][test, repeat] = ranks.settled(model(*own, X_new[:, columns], *penalties[key]))
    return risks


def develop(of: Problem, p: Any, seed: int) -> Developed:
    """Every model on all patients, and anew in half-samples."""
    p = uncertainty.sized(p, of)
    predicted = functools.partial(out_of_fold, period=p.period_days, seed=seed)
    folds, rng = folds_of(of, p.n_folds, p.n_repeats, seed), seeds.stream(seed, *HALVES, of.landmark)
    n_splits = uncertainty.splits(p)
    halves = uncertainty.halves(of.y, p.n_half_samples, p.n_folds, rng, of.weight > 0, n_splits)
    drawn = uncertainty.fold_labels(halves, len(of.y))
    return Developed(of, predicted(of, folds), folds, predicted(of, drawn), drawn, n_splits)


def _concordance(of: Problem, risks: Array, weighted: bool) -> float:
    time = of.time if weighted else np.where(of.cause == 2, np.inf, of.time)
    return float(np.mean([censored.concordance(risk, time, of.cause == 1, of.ahead, weighted) for risk in risks.T]))


def score(developed: Developed) -> pd.DataFrame:
    """Accuracy of risks at the horizon: AUROC over all pairs and within test folds, Brier score, IPA and what follows.

    The model without predictors has an AUROC of one half by definition; IPA is 1 - Brier / Brier of that model.
    Patients are weighted by the inverse probability of not being censored.

    Returns
    -------
    pandas.DataFrame
        The long table of `attrition.metrics.evaluator`, a row a model and measure. Without an interval are
        ``predicted`` and ``observed`` mean risk, and the concordances ``wolbers`` and ``uno``.
    """
    of, further = developed.of, [name for name in uncertainty.taken() if name not in ("auroc", "scaled_brier")]
    order = sorted(further, key=lambda name: name != "brier_score")
    null, rows = developed.measured("null", "brier_score"), []
    for name, risk in developed.predictions.items():
        by = AUROCS | {one: one for one in order if name != "null" or not one.startswith("calibration")}
        found = {one: developed.interval(name, measure) for one, measure in by.items()}
        full, half = (1 - a / b for a, b in zip(developed.measured(name, "brier_score"), null, strict=True))
        ipa = uncertainty.interval(full, half, bounds=(-np.inf, 1.0))
        found = {one: found.pop(one) for one in (*AUROCS, "brier_score")} | {"ipa": ipa} | found
        concordances = [_concordance(of, risk, weighted) for weighted in (False, True)]
        if name == "null":
            found["auroc"], concordances = dict.fromkeys(("value", "ci_low", "ci_high"), 0.5), [0.5, 0.5]
        values = float(risk.mean()), float(np.mean(of.weight * of.y)), *concordances
        plain = zip(("predicted", "observed", "wolbers", "uno"), values, strict=True)
        found |= {measure: {"value": value} | NO_ENDS for measure, value in plain}
        rows += [{"landmark": of.landmark, "model": name, "measure": measure, **one} for measure, one in found.items()]
    return pd.DataFrame(rows).assign(**of.size)


def _compared(of: Problem, p: Any, seed: int) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """`score` at a landmark, and what each model gains over `REFERENCE`; nothing with too few events."""
    if not prediction.enough(of, p.fewest_landmark_events):
        nothing = {"landmark": of.landmark, "model": "null", "measure": "auroc", "value": np.nan} | NO_ENDS
        return pd.DataFrame([nothing]).assign(**of.size), []
    developed = develop(of, p, seed)
    floor = REFERENCE if REFERENCE in developed.predictions else "null"
    others = [name for name in developed.predictions if name != floor]
    gains = [{"landmark": of.landmark, "model": name, **developed.difference(name, floor)} for name in others]
    return score(developed), gains


def accuracy(trial: Trial, days: Iterable[int], p: Any, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Cross-validated accuracy of every model at every landmark (0 is the start), a task of `attrition.engine` each.

    The parameters used are ``fewest_landmark_events``, ``period_days``, ``n_folds``, ``n_repeats``, ``n_half_samples``.

    Returns
    -------
    table : pandas.DataFrame
        See `score`; a landmark with too few events has one row, without a value.
    gains : pandas.DataFrame
        ``landmark``, ``model``, ``value``, ``ci_low``, ``ci_high``: within-fold AUROC less that of `REFERENCE`, paired.
    """
    tasks = [delayed(_compared)(sample(trial, int(day)), p, seed) for day in days]
    tables, found = zip(*engine.compute(tasks, "models by landmark"), strict=True)
    rows = [row for each in found for row in each]
    gains = pd.DataFrame(rows, columns=["landmark", "model", "value", "ci_low", "ci_high"])
    return pd.concat(tables, ignore_index=True), gains


def predictions(table: pd.DataFrame, gains: pd.DataFrame) -> dict[str, Any]:
    """How the two models of all that was known rank, beside the arm alone, at the landmark with most events.

    Whether that is better than chance or than the arm is one question, and chapter 06 answers it. ``day`` is None where
    nothing is predicted; ``floor`` is the AUROC of the model ``reference``, ``largest`` the gain over all landmarks.
    """
    own = table[table["model"].isin(FULL) & table["measure"].eq("auroc_within")]
    if own.empty:
        return {"day": None, "verdict": "not testable"}
    day = own.loc[own["n_events"].idxmax(), "landmark"]
    rows = table[table["landmark"].eq(day) & table["measure"].eq("auroc_within")].to_dict("records")
    here = {row["model"]: of_row(row) for row in rows}
    reference = REFERENCE if REFERENCE in here else "null"
    gained = gains[gains["model"].isin(FULL)]
    facts: dict[str, Any] = {"cox": here["cox"], "discrete": here["discrete"], "floor": here[reference]}
    facts["ipa"] = evaluator.pick(table, landmark=day, model="cox", measure="ipa")
    largest = gained.loc[gained["value"].idxmax()].to_dict()
    return facts | {"day": day, "reference": reference, "largest": largest, "verdict": "exploratory"}


def without_arm(table: pd.DataFrame) -> dict[str, Any]:
    """What is left when the arm is blinded, as in a running trial: the ``best`` AUROC of ``n`` models and landmarks."""
    own = table[table["model"].isin(["cox_without_arm", "discrete_without_arm"])]
    aurocs, gained = own[own["measure"] == "auroc_within"], own[own["measure"] == "ipa"]
    if own.empty:
        return {"n": 0, "verdict": "not testable"}
    best, better = aurocs.loc[aurocs["value"].idxmax()], int((gained["value"] > 0).sum())
    return {"n": len(aurocs), "best": of_row(best), "day": best["landmark"], "better": better, "verdict": "exploratory"}
