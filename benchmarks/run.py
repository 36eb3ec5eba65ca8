"""Speed as ratios, each pair measured in one process, one after the other: ``python benchmarks/run.py``.

``--all`` adds the whole report: the driver at full and quick size, and the quick notebooks one by one through the
Papermill command (some ten minutes). Ratios carry over between machines; seconds do not.
"""

import argparse
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from attrition import decision, features, paths, seeds, simulate
from attrition.metrics import intervals, ranks
from attrition.models import batched
from attrition.run import plan
from attrition.simulate.law import PUBLISHED_LAW

SEED = 42


def seconds(task: Callable[[], object], repeats: int = 3) -> float:
    """Shortest of a few runs."""
    taken = []
    for _ in range(repeats):
        started = time.perf_counter()
        task()
        taken.append(time.perf_counter() - started)
    return min(taken)


def row_loop(n: int) -> list[dict]:
    """The law, one patient at a time with scalar draws, as the seed's document describes it."""
    rng, law = np.random.RandomState(SEED), PUBLISHED_LAW
    phases, arms = (0.2, 0.5, 0.8), (0.1, 0.3, 0.4)
    rows = []
    for number in range(n):
        age, phase, arm = rng.randint(18, 85), rng.randint(3), rng.randint(3)
        days = rng.randint(30, 365)
        visits = math.floor(days / 30 * rng.beta(5, 2))
        last = rng.randint(max(1, days - 60), days + 1) if visits else 0
        share = (age - 18) / 67
        events = rng.poisson(0.3 * (1 + share * 0.5 + days / 365 * 0.3) * 3)
        risk = 0.35 * events / (days + 1) * 100 + 0.3 * (1 - visits / (days / 30 + 1)) + 0.2 * phases[phase]
        risk += 0.1 * arms[arm] + 0.05 * (share < 0.3) + rng.normal(0, law.noise_sd)
        left = rng.random_sample() < 1 / (1 + math.exp(-3 * (risk - 0.5)))
        day = rng.randint(1, days + 1) if left else 0
        rows.append(
            {"id": number, "age": age, "days": days, "visits": visits, "last": last, "dropout": left, "day": day}
        )
    return rows


def generator() -> dict:
    """Rows a second at a million patients, against the row loop."""
    loop = 5_000 / seconds(lambda: pd.DataFrame(row_loop(5_000)), 1)
    n = 1_000_000
    ours = n / seconds(lambda: simulate.draw_trial(PUBLISHED_LAW, n, seeds.stream(SEED, "benchmark")), 1)
    return {"what": "generation, rows a second at 1,000,000", "ours": ours, "theirs": loop, "against": "loop over rows"}


def ranking() -> dict:
    """AUROC of two thousand score vectors at once, against a loop."""
    from sklearn.metrics import roc_auc_score

    rng = seeds.stream(SEED, "benchmark", "auroc")
    y, score = rng.integers(0, 2, (2000, 200)), rng.random((2000, 200))
    y[:, 0], y[:, 1] = 0, 1
    theirs = seconds(lambda: [roc_auc_score(a, b) for a, b in zip(y[:300], score[:300], strict=True)], 1) / 300
    ours = seconds(lambda: ranks.auroc(y, score)) / 2000
    return {"what": "AUROC a second, 200 patients", "ours": 1 / ours, "theirs": 1 / theirs, "against": "roc_auc_score"}


def regression() -> dict:
    """Two hundred logistic regressions at once, against scikit-learn fits; largest difference of a coefficient."""
    from sklearn.linear_model import LogisticRegression

    trials = [simulate.draw_trial(PUBLISHED_LAW, 800, seeds.stream(SEED, "benchmark", i)) for i in range(200)]
    X = np.stack([features.matrix(trial, "v3_causal").to_numpy() for trial in trials])
    X = (X - X.mean(1, keepdims=True)) / X.std(1, keepdims=True)
    y = np.stack([trial["dropout"].to_numpy(float) for trial in trials])
    exact = LogisticRegression(tol=1e-10, max_iter=10_000)
    theirs = seconds(lambda: [exact.fit(a, b) for a, b in zip(X[:40], y[:40], strict=True)], 1) / 40
    ours = seconds(lambda: batched.fit_logistic(X, y)) / 200
    fit = batched.fit_logistic(X[:20], y[:20])
    worst = max(np.abs(exact.fit(a, b).coef_[0] - c).max() for a, b, c in zip(X[:20], y[:20], fit.coef, strict=True))
    against = f"LogisticRegression (coefficients differ by {worst:.0e})"
    return {"what": "logistic regressions a second", "ours": 1 / ours, "theirs": 1 / theirs, "against": against}


def bootstrap() -> dict:
    """Bootstrap of an AUROC by integer weights, against scipy's resampling."""
    from scipy import stats
    from sklearn.metrics import roc_auc_score

    rng = seeds.stream(SEED, "benchmark", "bootstrap")
    y, p = rng.integers(0, 2, 1000), rng.random(1000)
    weights = intervals.bootstrap_weights(rng, 1000, 2000)
    ours = seconds(lambda: intervals.bootstrap(_auroc, y, p, weights), 1) / 2000
    theirs = (
        seconds(
            lambda: stats.bootstrap(
                (y, p), roc_auc_score, paired=True, n_resamples=100, vectorized=False, method="percentile", rng=rng
            ),
            1,
        )
        / 100
    )
    return {"what": "bootstrap resamples a second", "ours": 1 / ours, "theirs": 1 / theirs, "against": "scipy.stats"}


def _auroc(y, p, weights=None):
    from attrition import metrics

    return metrics.auroc(y, p, weights)


def net_benefit() -> dict:
    """A decision curve with its bootstrap, against thresholds one by one."""
    rng = seeds.stream(SEED, "benchmark", "net benefit")
    y, p = rng.integers(0, 2, 1000), rng.random(1000)
    thresholds, weights = np.linspace(0.05, 0.9, 50), intervals.bootstrap_weights(rng, 1000, 200)

    def one_by_one():
        for column in weights.T[:10]:
            rows = np.repeat(np.arange(1000), column.astype(int))
            for t in thresholds:
                flagged = p[rows] >= t
                (flagged & (y[rows] == 1)).mean() - (flagged & (y[rows] == 0)).mean() * t / (1 - t)

    ours = seconds(lambda: decision.net_benefit(y, p, thresholds, weights)) / 200
    theirs = seconds(one_by_one, 1) / 10
    return {"what": "bootstrapped decision curves a second", "ours": 1 / ours, "theirs": 1 / theirs, "against": "loop"}


MEMORY = """
import resource
from attrition import features, seeds, simulate
from attrition.law import PUBLISHED_LAW
n = 0
for part in simulate.draw_chunks(PUBLISHED_LAW, 10_000_000, seeds.stream(42, "benchmark")):
    n += len(features.matrix(part, "v3_causal"))
print(n, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def memory() -> dict:
    """Peak memory of ten million patients with their features, in pieces, in a process of its own."""
    done = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True)
    patients, peak = map(int, done.stdout.split())
    return {"what": f"peak memory, {patients:,} patients with features (GiB)", "ours": peak / 2**30}


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
        return _children(lambda: subprocess.run(command, check=True, capture_output=True))


def report(profile: str) -> dict:
    """Wall and processor seconds of a whole report, and how busy two cores were."""
    wall, busy = _driver(*(["--quick"] if profile == "quick" else []))
    used = f"{busy:.0f} s of processor, {busy / (2 * wall):.2f} of two cores"
    return {"what": f"{profile} report, seconds", "ours": wall, "against": used}


def serial_papermill() -> dict:
    """The quick notebooks one by one through the Papermill command, against the driver."""
    with tempfile.TemporaryDirectory() as folder:
        chosen = {**os.environ, "ATTRITION_OUT": folder}

        def one_by_one():
            for chapter in plan.in_order(plan.CHAPTERS):
                target = Path(folder) / f"{chapter.name}.ipynb"
                command = [
                    sys.executable,
                    "-m",
                    "papermill",
                    str(chapter.notebook),
                    str(target),
                    "-p",
                    "profile",
                    "quick",
                ]
                subprocess.run(command, check=True, capture_output=True, env=chosen, cwd=paths.ROOT)

        theirs, _ = _children(one_by_one)
    ours, _ = _driver("--quick")
    return {
        "what": "quick reports an hour",
        "ours": 3600 / ours,
        "theirs": 3600 / theirs,
        "against": "papermill command",
    }


def main() -> None:
    """Print one table."""
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("--all", action="store_true", help="the whole report as well")
    tasks = [generator, ranking, regression, bootstrap, net_benefit, memory]
    if command.parse_args().all:
        tasks += [lambda: report("full"), lambda: report("quick"), serial_papermill]
    print(f"{'what':<52}{'ours':>12}{'theirs':>12}{'ratio':>8}  against")
    for task in tasks:
        row = task()
        theirs = f"{row['theirs']:,.4g}" if "theirs" in row else ""
        ratio = f"{row['ours'] / row['theirs']:.0f}" if "theirs" in row else ""
        print(f"{row['what']:<52}{row['ours']:>12,.4g}{theirs:>12}{ratio:>8}  {row.get('against', '')}", flush=True)


if __name__ == "__main__":
    main()
