"""Another processor rounds the last bits another way: no result may turn on them.

First the last bits are shaken by hand where scores are made; then this machine poses as one without its newer
instructions, and the results must agree.
"""

import itertools
import os
import platform
import shutil
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats
from sklearn.base import BaseEstimator, ClassifierMixin, clone

from attrition import decision, metrics, monitoring, paths, simulate
from attrition.landmark import prediction, time_to, uncertainty
from attrition.landmark.uncertainty import Developed
from attrition.metrics import intervals, ranks
from attrition.models import batched
from attrition.survival import censored, hazards
from notebook_report import compare

NOISE = 1e-13
"""A thousand times what a processor does, so that the tests reach further than the practice."""


@pytest.fixture
def rng():
    return np.random.default_rng(31)


class Shaken(ClassifierMixin, BaseEstimator):
    """An estimator whose probabilities have other last bits for every patient."""

    def __init__(self, estimator, noise=NOISE):
        self.estimator = estimator
        self.noise = noise

    def fit(self, X, y):
        self.fitted_ = clone(self.estimator).fit(X, y)
        self.classes_ = self.fitted_.classes_
        return self

    def predict_proba(self, X):
        rng = np.random.default_rng(len(X))
        return self.fitted_.predict_proba(X) + self.noise * rng.standard_normal((len(X), 2))


def shaken(score, rng, noise=NOISE):
    return score + noise * rng.standard_normal(score.shape)


JUDGED = {
    "auroc": lambda y, p, w: metrics.auroc(y, p, w),
    "many_aurocs": lambda y, p, w: ranks.auroc(y, p, w.T),
    "soft_auroc": lambda y, p, w: ranks.soft_auroc(0.2 + 0.5 * y, p),
    "average_precision": lambda y, p, w: metrics.average_precision(y, p, w),
    "recall": lambda y, p, w: metrics.classification(y, p, 0.4, w)["recall"],
    "net_benefit": lambda y, p, w: decision.net_benefit(y, p, [0.2, 0.4, 0.6], w),
    "delong": lambda y, p, w: np.append(*intervals.delong(y, p)),
    "concordance": lambda y, p, w: censored.concordance(p, np.arange(len(y)), y == 1),
}


@pytest.mark.parametrize("measure", JUDGED)
def test_settled_scores_are_judged_alike_whatever_their_last_bits(measure, rng):
    y, p = rng.integers(0, 2, 200), rng.choice([0.2, 0.4, 0.6], 200)
    weights = intervals.bootstrap_weights(rng, 200, 20)
    other = shaken(p, rng)
    judge = JUDGED[measure]
    np.testing.assert_array_equal(judge(y, ranks.settled(other), weights), judge(y, p, weights))
    assert np.abs(judge(y, other, weights) - judge(y, p, weights)).max() > 1e-3


def test_what_differs_in_earnest_stays_apart(rng):
    score = np.sort(rng.random(10_000))
    score = score[np.append(np.diff(score) > 1e-7, True)]
    assert (np.diff(ranks.settled(score)) > 0).all()


def test_the_arm_alone_has_the_same_auroc(pilot):
    of = prediction.problem(pilot, 0)
    folds = prediction.folds_of(of, 5, 4, seed=1)
    models = both(prediction.RidgeLogistic((0.1,)))
    found = {name: prediction.out_of_fold(of, "arm_only", estimator, folds) for name, estimator in models.items()}
    np.testing.assert_array_equal(found["shaken"], found["still"])
    assert all(len(np.unique(column)) <= 15 for column in found["shaken"].T)


def both(estimator, noise=NOISE):
    return {"still": Shaken(estimator, 0.0), "shaken": Shaken(estimator, noise)}


def test_optimism_and_sites_do_not_turn_on_the_last_bits(pilot):
    of = prediction.problem(pilot, 28)
    models = both(prediction.RidgeLogistic((0.1,)), noise=1e-14).values()
    first, second = (prediction.corrected_auroc(of, "arm_only", model, 5, seed=1) for model in models)
    assert first == second
    first, second = (prediction.leave_one_site_group_out(of, "arm_only", model) for model in models)
    assert first.equals(second)


@pytest.mark.slow
def test_time_to_dropout_does_not_turn_on_the_last_bits(pilot, monkeypatch, rng):
    of = time_to.sample(pilot, 28)
    folds = time_to.folds_of(of, 5, 1, seed=1)

    def scored():
        found = Developed(of, time_to.out_of_fold(of, folds, 28, 1), folds, {}, folds)
        pairs = itertools.product(("null", "arm_only", "cox"), ("auroc_pooled", *uncertainty.taken()))
        return {pair: found.measured(*pair)[0].tolist() for pair in pairs if pair[0] != "null" or "cal" not in pair[1]}

    still, plain = scored(), hazards.cox_risk
    monkeypatch.setattr(hazards, "cox_risk", lambda *args, **kwargs: shaken(plain(*args, **kwargs), rng))
    assert {("cox", "auroc"), ("cox", "calibration_slope")} <= set(still)
    assert scored() == still


def test_log_odds_of_many_models_do_not_turn_on_the_last_bits(rng):
    X, y = rng.integers(0, 2, (3, 200, 2)).astype(float), rng.integers(0, 2, (3, 200))
    fit = batched.fit_pipeline(X, y)
    np.testing.assert_array_equal(fit.decision_function(shaken(X, rng)), fit.decision_function(X))


def test_alarms_do_not_turn_on_the_last_bits(rng):
    y, arm = rng.integers(0, 2, 260), rng.integers(0, 3, 260)
    prob = np.array([0.25, 0.5, 0.75])[arm]
    dealt = monitoring.deal(60, 260, 199, rng)

    def p_values(prob):
        residuals = y - prob
        cusum = monitoring.calibration_drift(residuals[:200], residuals[200:], dealt)
        member = monitoring.membership(dealt, 260)
        return cusum, monitoring.performance_drift(y, ranks.settled(prob), member, ranks.auroc)

    assert p_values(shaken(prob, rng)) == p_values(prob)


def test_the_frozen_model_scores_alike_patients_alike():
    patients = simulate.draw_arrays(simulate.PUBLISHED_LAW, 300, np.random.default_rng(2))
    for model in monitoring.freeze(patients, 1):
        twice = model.predict_proba(np.repeat(monitoring.model_inputs(patients), 3, axis=0)).reshape(-1, 3)
        assert (twice == twice[:, :1]).all()


def test_dealt_batches_arrive_in_random_order(rng):
    """Under a random order the sum of a row's rank correlations with arrival is normal about zero."""
    dealt = monitoring.deal(50, 250, 2000, rng)
    slopes = np.corrcoef(np.vstack([np.arange(50), stats.rankdata(dealt, axis=1)]))[0, 1:]
    assert abs(slopes.mean()) * np.sqrt(49 * len(slopes)) < 4


DISPATCHED = "from numpy._core._multiarray_umath import __cpu_dispatch__ as d; print(*d)"
BITS = """
import numpy as np
x = np.random.default_rng(0).normal(size=(60, 60))
print(np.exp(x).tobytes().hex(), (x @ x).tobytes().hex())
"""
ARM_ONLY = """
from attrition import cdisc, metrics, models
from attrition.landmark import prediction
of = prediction.problem(cdisc.load("pilot"), 0)
folds = prediction.folds_of(of, 5, 10, 42)
model = models.classifier("lr", "none", C=0.1)
found = prediction.out_of_fold(of, "arm_only", model, folds)
print([metrics.auroc(of.y, column) for column in found.T])
"""


def said(script, **env):
    usual = os.environ | {"PYTHONPATH": str(paths.ROOT / "lib"), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", script], env=usual | env, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture(scope="module")
def another():
    """Variables under which numpy, OpenBLAS and the C library take this processor for an older one."""
    if platform.machine() != "x86_64" or sys.platform != "linux":
        pytest.skip("only an x86 processor under Linux can pose as another one")
    pretence = {
        "OPENBLAS_CORETYPE": "Prescott",
        "NPY_DISABLE_CPU_FEATURES": said(DISPATCHED).strip(),
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-AVX2_Usable,-FMA_Usable",
    }
    if said(BITS) == said(BITS, **pretence):
        pytest.skip("this machine's last bits are those of the processor that it poses as")
    return pretence


@pytest.mark.slow
def test_the_arm_alone_has_the_same_auroc_on_another_processor(another):
    assert said(ARM_ONLY) == said(ARM_ONLY, **another)


@pytest.mark.slow
def test_results_agree_on_another_processor(another, tmp_path):
    """Chapters 06 and 08 in their quick form, on this processor and, at the same time, on another one."""
    runs = {}
    for name, env in {"this": {}, "other": another}.items():
        out = tmp_path / name
        (out / "data" / "raw").mkdir(parents=True)
        (out / "results").mkdir()
        (out / ".state").mkdir()  # a folder that a run has left, and not somebody else's
        (out / "data" / "raw" / "trial.csv").write_bytes(simulate.csv_text(simulate.published_trial()).encode())
        shutil.copy(paths.ROOT / "reports" / "results" / "05_evaluation.json", out / "results")
        each = [f'"{sys.executable}" -m attrition.run --quick --only {n} --out "{out}"' for n in ("06", "08")]
        usual = os.environ | {"PYTHONPATH": str(paths.ROOT / "lib")} | env
        runs[name] = subprocess.Popen(["bash", "-c", " && ".join(each)], env=usual)
    assert [run.wait() for run in runs.values()] == [0, 0]
    this, other = (compare.flatten(tmp_path / name / "results") for name in runs)
    found = [str(difference) for difference in compare.differences(this, other)]
    assert len(this) > 500
    assert not found, "\n".join(found)
