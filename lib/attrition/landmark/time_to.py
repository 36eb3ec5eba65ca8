"""Landmark-time models: predict the risk of leaving between a landmark and the horizon, with competing reasons.

Everything that is learned (imputation, scaling, the penalty, coefficients, baseline hazards) is learned in the training
folds; the arm is not penalised. Intervals develop the models anew in half-samples, see
`attrition.landmark.uncertainty`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from attrition import seeds
from attrition.cdisc.trial import Trial
from attrition.landmark import cohort, uncertainty
from attrition.landmark.uncertainty import ANY
from attrition.metrics import evaluator, ranks
from attrition.metrics.intervals import of_row
from attrition.survival import censored, hazards, incidence

NAMES: dict[str, str] = cohort.WORDS["models_in_time"]
REFERENCE = "arm_only"
"""What a prediction has to beat: knowing the arm and nothing else."""
FULL = ("cox", "discrete")
"""Models of all that is known, the arm included: the ones whose best gain is picked."""
NO_ENDS = {"ci_low": np.nan, "ci_high": np.nan}
OWN = ("auroc", "brier_score", "scaled_brier")
"""Measures of the evaluator that have a form of their own here, for competing events."""


@dataclass(frozen=True)
class Sample:
    """The patients at risk at a landmark; time counts from it; causes: 0 still in or censored, 1 primary, 2 competing.

    Features are numeric (categories as indicators), missing where nothing is known; `from_arm` says which are the arm.
    """

    day: int
    horizon: int
    time: np.ndarray
    cause: np.ndarray
    features: pd.DataFrame
    from_arm: np.ndarray

    @property
    def ahead(self) -> int:
        """Days from the landmark to the horizon."""
        return self.horizon - self.day

    @property
    def size(self) -> dict[str, int]:
        """Patients, events and censored patients, as tables have them."""
        lost = (self.cause == incidence.CENSORED) & (self.time < self.ahead)
        events = np.count_nonzero(self.cause == 1)
        return {"n_patients": len(self.time), "n_events": int(events), "n_censored": int(lost.sum())}


def sample(trial: Trial, day: int) -> Sample:
    """Patients at risk at a landmark with what was known about them by then; see `Sample`."""
    table = cohort.features(trial, day)
    arm = pd.get_dummies(table[["arm"]].astype(str), dtype=float) if "arm" in table else pd.DataFrame(index=table.index)
    rest = pd.get_dummies(table.drop(columns="arm", errors="ignore"), dtype=float)
    outcome = incidence.coded(trial).set_index("id").loc[table.index]
    features = pd.concat([arm, rest], axis=1).astype(float)
    from_arm = np.arange(features.shape[1]) < arm.shape[1]
    time = outcome["time"].to_numpy(dtype=float) - day
    return Sample(day, trial.horizon, time, outcome["cause"].to_numpy(), features, from_arm)


def prepared(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Impute by the training medians, scale by the training mean and standard deviation."""
    steps = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler()).fit(train)
    varies = steps[-1].var_ > 0  # of what does not vary in training, a test patient's value says nothing
    return steps.transform(train) * varies, steps.transform(test) * varies


Model = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""Times, causes and features of the training part, features of the test part, penalty of each feature: risks."""


def penalty_of(time: np.ndarray, cause: np.ndarray, X: np.ndarray, free: np.ndarray, seed: int) -> np.ndarray:
    """Ridge penalty of every feature (none of a `free` one), by inner folds for the Cox model of the primary event.

    The discrete-time model takes the same one: its coefficients are log hazard ratios, too.
    """
    outcome = np.column_stack([cause == 1, time])
    if free.all() or not (cause == 1).any():
        return np.full(X.shape[1], hazards.HELD)
    return ~free / hazards.RidgeCox(free, seed).fit(X, outcome).C_ + hazards.HELD


def _models(s: Sample, period: float) -> Mapping[str, tuple[Model, np.ndarray]]:
    edges, everything = hazards.period_edges(s.ahead, period), np.ones(s.features.shape[1], dtype=bool)

    def null(time, cause, X, X_new, ridge):
        fit = incidence.aalen_johansen(time, cause, 2)
        return np.full(len(X_new), incidence.risk_on(fit, s.ahead)[0])

    def cox(time, cause, X, X_new, ridge):
        return hazards.cox_risk(time, cause, X, X_new, [s.ahead], ridge, plain=(2,))[:, 0]

    def discrete(time, cause, X, X_new, ridge):
        return hazards.discrete_risk(time, cause, X, X_new, edges, ridge)[:, -1]

    table = {"null": (null, ~everything), "arm_only": (cox, s.from_arm)}
    table |= {"cox": (cox, everything), "discrete": (discrete, everything)}
    table |= {"cox_without_arm": (cox, ~s.from_arm), "discrete_without_arm": (discrete, ~s.from_arm)}
    blind = {"arm_only", "cox_without_arm", "discrete_without_arm"} if not s.from_arm.any() else set()
    return {name: item for name, item in table.items() if name == "null" or (name not in blind and item[1].any())}


def folds_of(s: Sample, n_folds: int, n_repeats: int, seed: int) -> np.ndarray:
    """Test fold of every patient in every repeat, stratified by the primary event; shape (n_repeats, n_patients)."""
    labels = np.zeros((n_repeats, len(s.time)), dtype=int)
    for repeat, own in enumerate(labels):
        state = seeds.integer(seed, "time to dropout", s.day, repeat)
        splits = StratifiedKFold(n_folds, shuffle=True, random_state=state).split(s.time, s.cause == 1)
        for fold, (_, test) in enumerate(splits):
            own[test] = fold
    return labels


def out_of_fold(s: Sample, folds: np.ndarray, period: float, seed: int) -> dict[str, np.ndarray]:
    """Cross-validated risks by the horizon, the same folds for every model, as arrays of the shape of `folds_of`.

    With a single arm there is no model that sets it apart.
    """
    models, values = _models(s, period), s.features.to_numpy()
    risks = {name: np.zeros(folds.shape) for name in models}
    for repeat, labels in enumerate(folds):
        for fold in np.unique(labels):
            train, test = labels != fold, labels == fold
            X, X_new = prepared(values[train], values[test])
            ridges: dict[bytes, np.ndarray] = {}
            for name, (model, columns) in models.items():
                key, own = columns.tobytes(), (s.time[train], s.cause[train], X[:, columns])
                if key not in ridges:
                    ridges[key] = penalty_of(*own, s.from_arm[columns], seed)
                risks[name][repeat, test] = ranks.settled(model(*own, X_new[:, columns], ridges[key]))
    return risks


def auroc(s: Sample, risk: np.ndarray, fold: np.ndarray | None = None) -> float:
    """Cumulative/dynamic AUROC at the horizon, competing events as controls; within test folds if they are given."""
    cases, controls = censored.roles(s.time, s.cause, s.ahead)
    wins, pairs = censored.pair_wins(risk, cases, controls, fold)
    weight = np.outer(cases[cases > 0], controls[controls > 0])
    total = (pairs * weight).sum()
    return float((wins * weight).sum() / total) if total > 0 else float("nan")


def _concordance(s: Sample, risks: np.ndarray, weighted: bool) -> float:
    time = s.time if weighted else np.where(s.cause == 2, np.inf, s.time)
    values = [censored.concordance(risk, time, s.cause == 1, s.ahead, weighted) for risk in risks]
    return float(np.mean(values))


def measured(s: Sample, risks: Mapping[str, np.ndarray], folds: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
    """AUROC (over all pairs, and within test folds), Brier score and IPA of every model, arrays of shape (n_repeats,).

    The model without predictors has an AUROC of one half by definition; IPA is 1 - Brier / Brier of that model. Further
    measures of `attrition.metrics.evaluator` weight patients by the inverse probability of not being censored.
    """
    found: dict[str, dict[str, np.ndarray]] = {}
    cases, controls = censored.roles(s.time, s.cause, s.ahead)
    y, weights = (cases > 0).astype(int), cases + controls
    further = {name: evaluator.MEASURES[name] for name in uncertainty.taken() if name not in OWN}
    for name, risk in risks.items():
        brier = np.array([censored.brier_score(one, s.time, s.cause, s.ahead) for one in risk])
        found[name] = {
            "auroc": np.array([0.5 if name == "null" else auroc(s, one) for one in risk]),
            "auroc_within": np.array([auroc(s, one, fold) for one, fold in zip(risk, folds, strict=True)]),
            "brier_score": brier,
            "ipa": 1 - brier / (brier if name == "null" else found["null"]["brier_score"]),
        }
        for measure, metric in further.items():
            if name != "null" or not measure.startswith("calibration"):
                found[name][measure] = np.array([float(metric(y, one, weights=weights)) for one in risk])
    return found


def in_halves(s: Sample, n_halves: int, n_folds: int, period: float, seed: int) -> dict[str, dict[str, np.ndarray]]:
    """The same measures in half-samples, with all models developed anew; arrays of shape (n_halves, 2)."""
    outcome, (_, controls) = (s.cause == 1).astype(int), censored.roles(s.time, s.cause, s.ahead)
    rng, known = seeds.stream(seed, "time to dropout", "halves", s.day), outcome + controls > 0
    drawn = uncertainty.halves(outcome, n_halves, n_folds, rng, known)
    parts: list[dict[str, dict[str, np.ndarray]]] = []
    for first, second in zip(drawn[::2], drawn[1::2], strict=True):
        rows, folds = first.rows, np.stack([first.fold, second.fold])
        half = replace(s, time=s.time[rows], cause=s.cause[rows], features=s.features.iloc[rows])
        parts.append(measured(half, out_of_fold(half, folds, period, seed), folds))
    names = parts[0]
    return {name: {key: np.stack([part[name][key] for part in parts]) for key in names[name]} for name in names}


def score(
    s: Sample,
    risks: Mapping[str, np.ndarray],
    full: Mapping[str, Mapping[str, np.ndarray]],
    half: Mapping[str, Mapping[str, np.ndarray]],
) -> pd.DataFrame:
    """Accuracy of out-of-fold risks at the horizon, with intervals from `measured` and `in_halves`.

    Returns
    -------
    pandas.DataFrame
        The long table of `attrition.metrics.evaluator`, a row a model and measure. Without an interval are
        ``predicted`` and ``observed`` mean risk, and the concordances ``wolbers`` and ``uno``.
    """
    observed = float(np.mean(censored.roles(s.time, s.cause, s.ahead)[0]))
    rows = []
    for name, risk in risks.items():
        found = {
            measure: uncertainty.interval(values, half[name][measure], bounds=uncertainty.BOUNDS.get(measure, ANY))
            for measure, values in full[name].items()
        }
        order = [0.5, 0.5] if name == "null" else [_concordance(s, risk, weighted) for weighted in (False, True)]
        plain = zip(("predicted", "observed", "wolbers", "uno"), (float(risk.mean()), observed, *order), strict=True)
        found |= {measure: {"value": value} | NO_ENDS for measure, value in plain}
        rows += [{"landmark": s.day, "model": name, "measure": measure, **one} for measure, one in found.items()]
    return pd.DataFrame(rows).assign(**s.size)


def enough(s: Sample, fewest: int) -> bool:
    """At least `fewest` patients with the event by the horizon, and as many seen through it without."""
    return min(int(np.count_nonzero(part)) for part in censored.roles(s.time, s.cause, s.ahead)) >= fewest


def accuracy(trial: Trial, days: Iterable[int], p: Any, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Cross-validated accuracy of every model at every landmark.

    Parameters
    ----------
    trial : Trial
    days : iterable of int
        Landmarks; 0 is the start.
    p : attrition.params.Section
        ``fewest_landmark_events``, ``period_days``, ``n_folds``, ``n_repeats``, ``n_half_samples``.
    seed : int

    Returns
    -------
    table : pandas.DataFrame
        See `score`; a landmark with too few events has one row, without a value.
    gains : pandas.DataFrame
        ``landmark``, ``model``, ``value``, ``ci_low``, ``ci_high``: within-fold AUROC less that of `REFERENCE`, paired.
    """
    tables, found = [], []
    for day in days:
        s = sample(trial, int(day))
        if not enough(s, p.fewest_landmark_events):
            nothing = {"landmark": s.day, "model": "null", "measure": "auroc", "value": np.nan} | NO_ENDS
            tables.append(pd.DataFrame([nothing]).assign(**s.size))
            continue
        folds = folds_of(s, p.n_folds, p.n_repeats, seed)
        risks = out_of_fold(s, folds, p.period_days, seed)
        full, half = measured(s, risks, folds), in_halves(s, p.n_half_samples, p.n_folds, p.period_days, seed)
        tables.append(score(s, risks, full, half))
        floor = REFERENCE if REFERENCE in risks else "null"
        found += [
            {"landmark": s.day, "model": name}
            | uncertainty.interval(*(part[name]["auroc_within"] - part[floor]["auroc_within"] for part in (full, half)))
            for name in risks
            if name != floor
        ]
    gains = pd.DataFrame(found, columns=["landmark", "model", "value", "ci_low", "ci_high"])
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
