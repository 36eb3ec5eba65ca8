"""Speed as ratios, each pair measured in one process, one after the other: ``python benchmarks/run.py``.

``--all`` adds whole reports (some fifteen minutes): the driver at full and quick size, and the quick notebooks one by
one through the Papermill command. Ratios carry over between machines; seconds do not. Calculations are timed by
processor time, which a busy machine disturbs least, reports by the clock as well.
"""

import argparse
import dataclasses
import datetime
import importlib.util
import math
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import scoring

from attrition import decision, features, metrics, paths, project, seeds, simulate, trials
from attrition.landmark import prediction
from attrition.metrics import intervals, ranks
from attrition.models import batched, ridge
from attrition.running import projection
from attrition.simulate import draws
from attrition.simulate.law import ARMS, GENDERS, PHASES, PUBLISHED_LAW
from attrition.survival import censored
from notebook_report import execute
from notebook_report import project as publishing

SEED = 42
PHASE_RISK = dict(zip(PHASES, PUBLISHED_LAW.phase_risk, strict=True))
ARM_RISK = dict(zip(ARMS, PUBLISHED_LAW.arm_risk, strict=True))


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Parameters
    ----------
    what : str
    ours, theirs : float
        In the unit that `what` names; without `theirs`, the target is for `ours` itself.
    target : float, optional
        Of ours / theirs, or of ours.
    at_most : bool
        Whether the target is an upper limit.
    note : str
        What is compared with, or more about the measurement.
    """

    what: str
    ours: float
    theirs: float | None = None
    target: float | None = None
    at_most: bool = False
    note: str = ""

    @property
    def met(self) -> str:
        """Whether the target is met, in a word."""
        if self.target is None:
            return ""
        value = self.ours if self.theirs is None else self.ours / self.theirs
        return "yes" if (value <= self.target if self.at_most else value >= self.target) else "NO"

    def cells(self) -> tuple[str, ...]:
        """Texts of the table's columns."""
        ratio = f"{self.ours / self.theirs:,.3g}" if self.theirs else ""
        theirs = f"{self.theirs:,.4g}" if self.theirs else ""
        sign = "at most" if self.at_most else "at least"
        target = "" if self.target is None else f"{sign} {self.target:g}"
        return self.what, f"{self.ours:,.4g}", theirs, ratio, target, self.met, self.note


def seconds(task: Callable[[], object], repeats: int = 3) -> float:
    """Processor seconds, the shortest of a few runs."""
    taken = []
    for _ in range(repeats):
        started = time.process_time()
        task()
        taken.append(time.process_time() - started)
    return min(taken)


def row_loop(n: int) -> pd.DataFrame:
    """The published trial's law, patient by patient with scalar draws, as one would write it down first."""
    rng = np.random.RandomState(SEED)
    rows = []
    for number in range(1, n + 1):
        age = rng.randint(18, 85)
        gender, arm, phase = GENDERS[rng.randint(0, 3)], ARMS[rng.randint(0, 3)], PHASES[rng.randint(0, 3)]
        days = rng.randint(30, 365)
        visits = math.floor(days / 30 * rng.beta(5, 2))
        last_visit = rng.randint(max(1, days - 60), days + 1) if visits > 0 else 0
        share = (age - 18) / 67
        events = rng.poisson(0.3 * (1 + share * 0.5 + days / 365 * 0.3) * 3)
        risk = (
            0.35 * (events / (days + 1)) * 100
            + 0.30 * (1 - visits / (days / 30 + 1))
            + 0.20 * PHASE_RISK[phase]
            + 0.10 * ARM_RISK[arm]
            + 0.05 * (share < 0.3)
            + rng.normal(0, 0.15)
        )
        dropout = int(rng.random_sample() < 1 / (1 + math.exp(-3 * (risk - 0.5))))
        day = early = late = first_month = 0
        if dropout:
            if rng.random_sample() < min(0.8, risk):
                day, early = rng.randint(1, min(90, days + 1)), 1
                first_month = int(day <= 30)
            elif days >= 90:
                day, late = rng.randint(90, days + 1), 1
            else:
                day, early = rng.randint(1, days + 1), 1
        rows.append(
            {
                "patient_id": f"P-{number:04d}",
                "age": age,
                "gender": gender,
                "treatment_group": arm,
                "trial_phase": phase,
                "days_in_trial": days,
                "visits_completed": visits,
                "last_visit_day": last_visit,
                "adverse_events": events,
                "dropout": dropout,
                "dropout_day": day,
                "early_dropout": early,
                "late_dropout": late,
                "dropout_30_days": first_month,
            }
        )
    return pd.DataFrame(rows)


def _bare_draws(n: int) -> None:
    """The random numbers of `simulate.draw_trial` and nothing else."""
    rng = seeds.stream(SEED, "benchmark")
    rng.integers(18, 85, n), rng.integers(0, 3, (3, n))
    days = rng.integers(30, 365, n)
    draws.beta(5, 2, n, rng), draws.day(np.ones_like(days), days + 1, rng), rng.poisson(1.2 + days / 1000)
    rng.normal(0, 0.15, n), rng.random(n), rng.random(n), draws.day(np.ones_like(days), days + 1, rng)


def generator() -> Iterator[Row]:
    """Rows a second at a million patients, against the row loop; and how fast the bare random numbers come."""
    n = 1_000_000
    loop = 100_000 / seconds(lambda: row_loop(100_000), 3)
    ours = n / seconds(lambda: deque(simulate.draw_chunks(PUBLISHED_LAW, n, seeds.stream(SEED, "benchmark")), 0), 7)
    yield Row("generation, rows a second at 1,000,000", ours, loop, 100, note="loop over rows")
    bare = n / seconds(lambda: [_bare_draws(100_000) for _ in range(n // 100_000)], 7)
    yield Row("the same, random numbers alone", bare, loop, note="loop over rows")


def ranking() -> Iterator[Row]:
    """AUROC of two thousand score vectors at once, against a loop."""
    from sklearn.metrics import roc_auc_score

    rng = seeds.stream(SEED, "benchmark", "auroc")
    y, score = rng.integers(0, 2, (2000, 200)), rng.random((2000, 200))
    y[:, 0], y[:, 1] = 0, 1
    theirs = seconds(lambda: [roc_auc_score(a, b) for a, b in zip(y[:300], score[:300], strict=True)]) / 300
    ours = seconds(lambda: ranks.auroc(y, score)) / 2000
    worst = max(abs(roc_auc_score(a, b) - c) for a, b, c in zip(y, score, ranks.auroc(y, score), strict=True))
    yield Row("AUROC a second, 200 patients", 1 / ours, 1 / theirs, 150, note=f"roc_auc_score, equal to {worst:.0e}")


def regression() -> Iterator[Row]:
    """Two hundred logistic regressions at once, against scikit-learn fits; largest difference of a coefficient."""
    from sklearn.linear_model import LogisticRegression

    trials = [simulate.draw_trial(PUBLISHED_LAW, 800, seeds.stream(SEED, "benchmark", i)) for i in range(200)]
    X = np.stack([features.matrix(trial, "v3_causal").to_numpy() for trial in trials])
    X = (X - X.mean(1, keepdims=True)) / X.std(1, keepdims=True)
    y = np.stack([trial["dropout"].to_numpy(float) for trial in trials])
    exact = LogisticRegression(solver="newton-cholesky", tol=1e-10)
    kinds = {
        "LogisticRegression()": LogisticRegression(),
        "LogisticRegression, tolerance 1e-10": LogisticRegression(tol=1e-10, max_iter=10_000),
        "LogisticRegression, newton-cholesky, 1e-10": exact,
    }
    fit = batched.fit_logistic(X, y)
    worst = max(np.abs(exact.fit(a, b).coef_[0] - c).max() for a, b, c in zip(X, y, fit.coef, strict=True))
    ours = seconds(lambda: batched.fit_logistic(X, y), 7) / 200

    def rate(model):
        return 40 / seconds(lambda: [model.fit(a, b) for a, b in zip(X[:40], y[:40], strict=True)])

    for note, model in kinds.items():
        target = 20 if note == "LogisticRegression()" else None
        yield Row("logistic regressions a second, 800 x 9", 1 / ours, rate(model), target, note=note)
    note = "newton-cholesky, tolerance 1e-10"
    yield Row("largest difference of a coefficient", worst, target=1e-6, at_most=True, note=note)


def bootstrap() -> Iterator[Row]:
    """Bootstrap of an AUROC by integer weights, against scipy's resampling."""
    from scipy import stats
    from sklearn.metrics import roc_auc_score

    rng = seeds.stream(SEED, "benchmark", "bootstrap")
    y, p = rng.integers(0, 2, 1000), rng.random(1000)
    options = {"paired": True, "n_resamples": 200, "vectorized": False, "method": "percentile", "rng": rng}
    ours = seconds(lambda: intervals.replicates(metrics.auroc, y, p, intervals.bootstrap_weights(rng, 1000, 2000)))
    theirs = seconds(lambda: stats.bootstrap((y, p), roc_auc_score, **options), 1)
    yield Row("bootstrap resamples of an AUROC a second", 2000 / ours, 200 / theirs, note="scipy.stats.bootstrap")


def net_benefit() -> Iterator[Row]:
    """A decision curve with its bootstrap, against thresholds and resamples one by one."""
    rng = seeds.stream(SEED, "benchmark", "net benefit")
    y, p = rng.integers(0, 2, 1000), rng.random(1000)
    thresholds, weights = np.linspace(0.05, 0.9, 50), intervals.bootstrap_weights(rng, 1000, 200)

    def one_by_one(resamples):
        curves = []
        for column in resamples.T:
            rows = np.repeat(np.arange(1000), column.astype(int))
            outcome, flags = y[rows] == 1, [p[rows] >= t for t in thresholds]
            odds = thresholds / (1 - thresholds)
            curves.append([(f & outcome).mean() - (f & ~outcome).mean() * o for f, o in zip(flags, odds, strict=True)])
        return np.transpose(curves)

    worst = np.abs(one_by_one(weights[:, :5]) - decision.net_benefit(y, p, thresholds, weights[:, :5])).max()
    ours = seconds(lambda: decision.net_benefit(y, p, thresholds, weights)) / 200
    theirs = seconds(lambda: one_by_one(weights[:, :20])) / 20
    note = f"plain loop, equal to {worst:.0e}"
    yield Row("bootstrapped decision curves a second", 1 / ours, 1 / theirs, note=note)


def decision_curve() -> Iterator[Row]:
    """One decision curve, with those of treating all and none, against dcurves where that can be imported.

    It is no dependency of ours: ``pip install --target DIR --no-deps dcurves lifelines autograd autograd-gamma
    formulaic interface-meta wrapt narwhals`` and ``PYTHONPATH=DIR`` bring it into reach.
    """
    if importlib.util.find_spec("dcurves") is None:
        return
    from dcurves import dca

    rng = seeds.stream(SEED, "benchmark", "decision curve")
    table = pd.DataFrame({"y": rng.integers(0, 2, 1000), "p": rng.random(1000)})
    thresholds = np.linspace(0.05, 0.9, 50)

    def curves():
        y = table["y"].to_numpy()
        scores = table["p"].to_numpy(), np.ones(1000), np.zeros(1000)
        return np.stack([decision.net_benefit(y, score, thresholds) for score in scores])

    def theirs():
        return dca(data=table, outcome="y", modelnames=["p"], thresholds=thresholds)

    their = theirs().set_index(["model", "threshold"])["net_benefit"]
    worst = np.abs(curves().ravel() - their.loc[["p", "all", "none"]].to_numpy()).max()
    note = f"dcurves, equal to {worst:.0e}"
    yield Row("decision curves of three strategies a second", 1 / seconds(curves, 20), 1 / seconds(theirs), note=note)


def in_r(script: str, table: pd.DataFrame, package: str) -> list[float] | None:
    """Numbers that R prints of a table; None, with a line that says so, where R or its package is not installed."""
    known = ["Rscript", "-e", f"library({package})"]
    if not shutil.which("Rscript") or subprocess.run(known, capture_output=True).returncode:
        print(f"(R with {package} is not installed: left out)", file=sys.stderr)
        return None
    with tempfile.TemporaryDirectory() as place:
        table.to_csv(Path(place) / "table.csv", index=False)
        words = ["Rscript", "-e", script, str(Path(place) / "table.csv")]
        told = subprocess.run(words, check=True, capture_output=True, text=True).stdout
        return [*map(float, told.splitlines()[-1].split())]


FEWEST, ALIKE = 20, 0.95
"""Patients that have another value than the commonest one of a column, and the largest correlation of two columns:
beyond them R's fits are singular, and a resample it gives up costs it less than one it fits."""
VALIDATE = """
suppressMessages(library(rms)); set.seed(42)
table <- read.csv(commandArgs(TRUE)[1])
fit <- lrm(y ~ ., data = table, x = TRUE, y = TRUE)
spent <- function(k) { begun <- proc.time(); found <<- validate(fit, B = 500); sum((proc.time() - begun)[1:2]) }
cat("\\n", min(sapply(1:3, spent)), found["Dxy", "index.corrected"] / 2 + .5, found["Dxy", "n"])
"""
SCORE = """
suppressMessages({library(survival); library(prodlim); library(riskRegression)}); options(digits = 15)
table <- read.csv(commandArgs(TRUE)[1]); set.seed(42)
score <- function(part) Score(list(score = part$score), Hist(time, cause) ~ 1, data = part, times = 168.5, cause = 1,
  cens.model = "km", metrics = c("auc", "brier"), se.fit = FALSE, null.model = FALSE)
begun <- proc.time()
for (k in 1:20) score(table[sample(nrow(table), replace = TRUE), ])
spent <- sum((proc.time() - begun)[1:2]) / 20
found <- score(table)
cat("\\n", spent, found$AUC$score$AUC, found$Brier$score$Brier)
"""


def optimism() -> Iterator[Row]:
    """Harrell's optimism-corrected AUROC with 500 resamples on the pilot, against rms in R."""
    of = prediction.problem(trials.load("pilot"), 28)
    table = of.X[of.columns("adverse_events")]
    varied = table.loc[:, [table[name].value_counts().iloc[1:].sum() >= FEWEST for name in table]]
    varied = varied.fillna(varied.median())
    told = np.triu(varied.corr().abs().to_numpy() > ALIKE, k=1).any(axis=0)  # by a column before it
    whole = dataclasses.replace(of, X=varied.loc[:, ~told], groups={"baseline": tuple(varied.columns[~told])})
    model = ridge.RidgeLogistic(grid=(1e4,))  # hardly a penalty; lrm has none

    def corrected(seed: int = SEED) -> dict[str, float]:
        return prediction.corrected_auroc(whole, "baseline", model, 500, seed)

    if (of_r := in_r(VALIDATE, whole.X.assign(y=of.y), "rms")) is None:
        return
    theirs, their_auroc, fitted = of_r
    found = [corrected(SEED + number)["corrected"] for number in range(10)]
    apart = abs(float(np.mean(found)) - their_auroc)
    note = f"rms::validate, {fitted:.0f} of 500 fitted; corrected AUROCs {apart:.4f} apart, "
    note += f"Monte-Carlo error of one {np.std(found, ddof=1):.4f}"
    yield Row("optimism by 500 resamples, a second", 1 / seconds(corrected, 9), 1 / theirs, target=20, note=note)


def under_censoring() -> Iterator[Row]:
    """Resamples of an AUROC and a Brier score with weights of censoring, against riskRegression in R."""
    table = pd.read_csv(paths.ROOT / "tests" / "golden" / "survival_data.csv")
    if (told := in_r(SCORE, table, "riskRegression")) is None:
        return
    time_, cause, score = (table[name].to_numpy() for name in ("time", "cause", "score"))
    y, measures = (cause == 1) & (time_ <= 168.5), (metrics.auroc, metrics.brier_score)
    drawn = intervals.bootstrap_weights(seeds.stream(SEED, "benchmark", "censoring"), len(y), 500)

    def resampled() -> list[np.ndarray]:
        weights = [counts * censored.censoring_weights(time_, cause, 168.5, counts) for counts in drawn.T]
        return [measure(y, score, np.column_stack(weights)) for measure in measures]

    whole = censored.censoring_weights(time_, cause, 168.5)
    worst = max(abs(measure(y, score, whole) - their) for measure, their in zip(measures, told[1:], strict=True))
    note = f"riskRegression::Score, equal to {worst:.0e}"
    yield Row("AUROC and Brier score under censoring a second", 500 / seconds(resampled), 1 / told[0], note=note)


def nested() -> Iterator[Row]:
    """Penalties chosen by inner folds, on the pilot, against scikit-learn's search on the same folds."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    of = prediction.problem(trials.load("pilot"), 28)
    X, folds = of.X[of.columns("all")].to_numpy(float), prediction.folds_of(of, 5, 2, SEED)
    X = np.where(np.isnan(X), np.nanmedian(X, axis=0), X)
    trainings, model = [fold.train for fold in folds], ridge.RidgeLogistic(seed=SEED)
    counts = np.stack([np.bincount(rows, minlength=len(X)) for rows in trainings]).astype(float)
    labels = ridge.inner_labels(np.random.default_rng(SEED), counts)

    def theirs() -> np.ndarray:
        found = []
        for rows, label in zip(trainings, labels, strict=True):
            own = label[rows]
            inner = [(np.flatnonzero(own != k), np.flatnonzero(own == k)) for k in range(ridge.INNER_FOLDS)]
            fit = make_pipeline(StandardScaler(), LogisticRegression(solver="newton-cholesky", tol=1e-8))
            grid = {"logisticregression__C": ridge.GRID}
            search = GridSearchCV(fit, grid, cv=inner, scoring="neg_log_loss").fit(X[rows], of.y[rows])
            found.append(search.predict_proba(X)[:, 1])
        return np.stack(found)

    worst = np.abs(theirs() - model.probabilities(X, of.y, trainings)).max()
    ours = seconds(lambda: model.probabilities(X, of.y, trainings)) / len(folds)
    note = f"GridSearchCV on the same inner folds, probabilities equal to {worst:.0e}"
    yield Row("developments with inner folds a second", 1 / ours, len(folds) / seconds(theirs, 1), note=note)


def prediction_of_events() -> Iterator[Row]:
    """Draws of who is still to leave, from posterior hazards, against a loop over draws and patients."""
    rng = seeds.stream(SEED, "benchmark", "events")
    edges, n = np.array([0.0, 28, 84, 168]), 2000
    leave, compete = rng.gamma(20, 1e-4, (n, 3)), rng.gamma(5, 1e-4, (n, 3))
    entry = rng.uniform(0, 150, 120)

    def one_by_one(n_draws: int) -> float:
        counts = []
        for draw in range(n_draws):
            left = 0
            for day in entry:
                for k in range(3):
                    if day < edges[k + 1]:
                        ahead = max(day, edges[k]) + rng.exponential(1 / (leave[draw, k] + compete[draw, k]))
                        if ahead < edges[k + 1]:
                            left += rng.random() < leave[draw, k] / (leave[draw, k] + compete[draw, k])
                            break
            counts.append(left)
        return float(np.mean(counts))

    def ours() -> np.ndarray:
        return projection.ahead(leave, compete, edges, entry, rng)[1].sum(axis=1)

    drawn, theirs = ours(), one_by_one(400)
    error = drawn.std(ddof=1) * np.sqrt(1 / 400 + 1 / n)
    note = f"plain loop; mean number {abs(drawn.mean() - theirs):.2f} apart, Monte-Carlo error {error:.2f}"
    yield Row(
        "draws of 120 patients' events a second",
        n / seconds(ours),
        400 / seconds(lambda: one_by_one(400), 1),
        note=note,
    )


MEMORY = """
import resource, sys, tempfile, time
from pathlib import Path
from attrition import features, registry, seeds, simulate; from notebook_report import results
trial = simulate.published_trial()
with tempfile.TemporaryDirectory() as place:
    data = results.publish(Path(place) / "trial.csv", simulate.csv_text(trial))
    scorer = registry.train("lr", trial, data, 20, 42)
n = total = 0
started = time.process_time()
for part in simulate.draw_chunks(simulate.PUBLISHED_LAW, int(sys.argv[1]), seeds.stream(42, "benchmark")):
    n += len(features.matrix(part, "v3_causal"))
    total += scorer.probability(part).sum()
spent = time.process_time() - started
unit = 1 if sys.platform == "darwin" else 1024
print(n, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit, spent)
"""


def memory() -> Iterator[Row]:
    """Ten million patients drawn, with features and scores, in pieces: peak memory of a process of its own."""
    done = subprocess.run([sys.executable, "-c", MEMORY, "10000000"], capture_output=True, text=True, check=True)
    patients, peak, spent = map(float, done.stdout.split())
    note = f"drawn, features, scored: {patients / spent:,.0f} patients a second"
    yield Row(f"peak memory at {patients:,.0f} patients, GiB", peak / 2**30, target=2, at_most=True, note=note)


def scores() -> Iterator[Row]:
    """The scoring command on a file, contract and intervals included."""
    found = scoring.measure(200_000)
    note = f"with contract and intervals; peak {found['peak_mib']:,.0f} MiB"
    yield Row("scoring a file, rows a processor second", found["rows_a_cpu_second"], note=note)


def _children(task: Callable[[], object]) -> tuple[float, float]:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    task()
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _driver(*words: str) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "attrition.run", "--out", folder, *words]
        return _children(lambda: subprocess.run(command, check=True, capture_output=True, cwd=paths.ROOT))


def _papermill() -> tuple[float, float]:
    """The quick notebooks one by one through the Papermill command."""
    with tempfile.TemporaryDirectory() as folder:

        def one_by_one():
            for chapter in publishing.in_order(project.CHAPTERS):
                target = Path(folder) / f"{chapter.name}.ipynb"
                words = [str(chapter.notebook), str(target), "-p", "profile", "quick", "-k", "python3"]
                subprocess.run(
                    [sys.executable, "-m", "papermill", *words],
                    check=True, capture_output=True, env={**os.environ, "ATTRITION_OUT": folder}, cwd=paths.ROOT,
                )  # fmt: skip

        return _children(one_by_one)


def reports() -> Iterator[Row]:
    """Whole reports: the driver at both sizes, then against Papermill."""
    quick = _driver("--quick")
    serial = _papermill()
    full = _driver()
    for name, (wall, busy), limit in (("full", full, 120), ("quick", quick, 27)):
        yield Row(f"{name} report, seconds", wall, target=limit, at_most=True, note=f"{busy:.0f} s of processor")
        in_use = busy / (2 * wall)
        yield Row(f"{name} report, share of two cores in use", in_use, target=0.85 if name == "full" else None)
    yield Row("quick report, seconds", quick[0], serial[0], 0.5, True, "Papermill command, one notebook at a time")
    yield Row("quick report, processor seconds", quick[1], serial[1], note="Papermill command")


COLUMNS = ("what", "ours", "theirs", "ratio", "target", "met", "against, or how")
WIDTHS = (46, 9, 9, 6, 14, 3, 0)


def line(cells: tuple[str, ...]) -> str:
    """A row of a Markdown table that can be read as it is."""
    return "| " + " | ".join(f"{cell:<{width}}" for cell, width in zip(cells, WIDTHS, strict=True)) + " |"


def machine() -> str:
    """Date and kind of machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    kind = f"{platform.system()} {platform.machine()}, {cores} cores, Python {platform.python_version()}"
    return f"{datetime.date.today()}, {kind}"


def main() -> None:
    """Print one table."""
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("--all", action="store_true", help="whole reports as well")
    args = command.parse_args()
    if (
        not execute.VARIABLES["usual"].keys() <= os.environ.keys()
    ):  # as kernels have it; read by the C library at the start
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **execute.VARIABLES["usual"]})
    measurements = [
        generator, ranking, regression, bootstrap, optimism, under_censoring, nested, prediction_of_events,
        net_benefit, decision_curve, scores, memory,
    ]  # fmt: skip
    if args.all:
        measurements.append(reports)
    print(machine(), "", line(COLUMNS), line(tuple("-" * max(width, 3) for width in WIDTHS)), sep="\n", flush=True)
    for measure in measurements:
        for row in measure():
            print(line(row.cells()), flush=True)


if __name__ == "__main__":
    main()
