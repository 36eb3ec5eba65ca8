"""The price of each leak over simulated trials in which about one patient in four leaves, where the truth is known.

A feature leak adds what the law itself draws over a follow-up that does not end when the patient leaves. For the
procedures the trial gets what a real one has: sites, missing values, several rows a patient, and many candidate columns
that have nothing to do with the outcome.
"""

import numpy as np
import pandas as pd

from attrition import metrics, seeds, simulate
from attrition.leaks.prices import HOW, LABELS, PROCEDURES
from attrition.leaks.procedures import Task, logistic_oof
from attrition.metrics import intervals
from attrition.models import batched
from attrition.resampling import repeated_folds
from attrition.simulate import oracle

N_SITES = 20
ROWS_A_PATIENT = 3
FOLLOW_UP = {
    "whole_follow_up_counts": lambda trial: trial["adverse_events"],
    "rate_per_day": lambda trial: simulate.adverse_event_rate(
        trial["adverse_events"].to_numpy(float), trial["days_in_trial"].to_numpy(float)
    ),
    "visit_number_reached": lambda trial: trial["visits_completed"],
}


def enrolment(trial: pd.DataFrame) -> np.ndarray:
    """What is known on the first day: age, and the risks of phase and arm. Shape (n_patients, 3)."""
    law = simulate.PUBLISHED_LAW
    risks = [simulate.phase_risk(law, trial["trial_phase"]), simulate.arm_risk(law, trial["treatment_group"])]
    return np.column_stack([trial["age"].to_numpy(float), *(np.asarray(risk, float) for risk in risks)])


def _task(trial: pd.DataFrame, p, seed: int, rng: np.random.Generator) -> Task:
    n = len(trial)
    X = np.column_stack([enrolment(trial), rng.standard_normal((n, 9))])
    site, candidates = rng.integers(0, N_SITES, n), rng.standard_normal((n, p.noise_features))
    return Task(X, trial["dropout"].to_numpy(int), np.arange(n), site, candidates, p.n_folds, 1, seed, p.leak_ridge_c)


def _repeated_rows(task: Task, rng: np.random.Generator) -> Task:
    """Several rows of each patient: the same at enrolment, another measurement each time."""
    rows = np.repeat(task.patient, ROWS_A_PATIENT)
    X = np.column_stack([task.X[rows][:, :3], rng.standard_normal(len(rows))])
    return Task(X, task.y[rows], rows, rows, X, task.n_folds, 1, task.seed, task.C)


def prices_of_one(trial: pd.DataFrame, p, seed: int) -> dict[str, tuple[float, float]]:
    """Honest and leaky AUROC of every leak on one simulated trial."""
    rng = seeds.stream(seed, "columns")
    task = _task(trial, p, seed, rng)
    stacked = _repeated_rows(task, rng)
    folds = repeated_folds(task.y, p.n_folds, 1, seeds.integer(seed, "folds"))
    known = enrolment(trial)
    honest = metrics.auroc(task.y, logistic_oof(known, task.y, folds, p.leak_ridge_c)[:, 0])
    found = {}
    for name, column in FOLLOW_UP.items():
        X = np.column_stack([known, np.asarray(column(trial), float)])
        found[name] = (honest, metrics.auroc(task.y, logistic_oof(X, task.y, folds, p.leak_ridge_c)[:, 0]))
    for leak in PROCEDURES:
        data = stacked if leak.name == "repeated_patients" else task
        pair = [leak.compute(data, honestly) for honestly in (True, False)]
        fair, leaky = (metrics.auroc(y, scores[:, 0]) for _, y, scores in pair)
        found[leak.name] = (fair, leaky)
    return found


def _truth(trial: pd.DataFrame, population: tuple[np.ndarray, np.ndarray], C: float) -> float:
    """AUROC, among new patients, of the honest model of enrolment features trained on the trial."""
    fit = batched.fit_pipeline(enrolment(trial)[None], trial["dropout"].to_numpy(int)[None], C=C)
    X, y = population
    return metrics.auroc(y, batched.decision_function(fit, X)[0])


def price_list(p, seed: int) -> pd.DataFrame:
    """Mean price of every leak over simulated trials.

    Parameters
    ----------
    p : attrition.params.RealTrial
        Fields leak_trials, leak_patients, leak_population, folds, leak_ridge_c, noise_features.
    seed : int

    Returns
    -------
    pandas.DataFrame
        leak, label, how, honest, leaky, difference, ci_low, ci_high (95 % Monte-Carlo), mc_se, n_trials, and truth:
        what the honest model of the feature leaks attains among new patients (missing for the procedures).
    """
    law = simulate.PUBLISHED_LAW
    offset = oracle.prevalence_offsets(law)["p24"]
    crowd = simulate.draw_trial(law, p.leak_population, seeds.stream(seed, "leak", "population"), offset)
    population = enrolment(crowd), crowd["dropout"].to_numpy(int)
    found, truth = [], []
    for number in range(p.leak_trials):
        trial = simulate.draw_trial(law, p.leak_patients, seeds.stream(seed, "leak", "trial", number), offset)
        found.append(prices_of_one(trial, p, seeds.integer(seed, "leak", number)))
        truth.append(_truth(trial, population, p.leak_ridge_c))
    rows = []
    for name in found[0]:
        honest, leaky = (np.array([prices[name][side] for prices in found]) for side in (0, 1))
        rows.append(
            {
                "leak": name,
                "label": LABELS[name],
                "how": HOW[name],
                "honest": honest.mean(),
                "leaky": leaky.mean(),
                **{("difference" if k == "value" else k): v for k, v in intervals.monte_carlo(leaky - honest).items()},
                "n_trials": p.leak_trials,
                "truth": np.mean(truth) if name in FOLLOW_UP else np.nan,
            }
        )
    return pd.DataFrame(rows)
