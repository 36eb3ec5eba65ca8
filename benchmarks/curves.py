"""How cost grows with the number of patients: ``python benchmarks/curves.py`` writes ``benchmarks/cost.csv``.

Each step runs in a process of its own, from a thousand patients upwards: drawing the trial, its features, and scores in
pieces up to ten million; bootstrap, DeLong and calibration of all patients together up to one million. Columns: step,
patients, processor seconds, patients a processor second, peak memory of the process so far (MiB). The first line says
when and on what kind of machine.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from run import machine

from attrition import features, metrics, registry, seeds, simulate
from attrition.metrics import calibration, intervals
from attrition.simulate.law import PUBLISHED_LAW
from notebook_report import results

PLACE = Path(__file__).with_name("cost.csv")
SEED = 42
BLOCK = 10
"""Bootstrap resamples at a time: their weights are the largest thing in memory."""


def _pieces(n: int) -> Iterator[pd.DataFrame]:
    return simulate.draw_chunks(PUBLISHED_LAW, n, seeds.stream(SEED, "curves"))


def _scorer():
    trial = simulate.published_trial()
    with tempfile.TemporaryDirectory() as place:
        data = results.publish(Path(place) / "trial.csv", simulate.csv_text(trial))
        return registry.train("lr", trial, data, 20, SEED)


def in_pieces(work: Callable[[pd.DataFrame], object] | None, n: int) -> float:
    """Seconds of `work` over a trial of `n` patients in pieces; of drawing it when there is no work."""
    spent = 0.0
    drawn = time.process_time()
    for piece in _pieces(n):
        started = time.process_time()
        if work:
            work(piece)
        spent += time.process_time() - started
    return spent if work else time.process_time() - drawn


def together(work: Callable[[np.ndarray, np.ndarray], object], n: int) -> float:
    """Seconds of `work` on outcome and probability of `n` patients at once."""
    rng = seeds.stream(SEED, "curves", n)
    p = rng.beta(2, 3, n)
    y = (rng.random(n) < p).astype(int)
    started = time.process_time()
    work(y, p)
    return time.process_time() - started


def _bootstrap(y: np.ndarray, p: np.ndarray, resamples: int = 100) -> None:
    rng, found = seeds.stream(SEED, "curves", "weights"), []
    for _ in range(resamples // BLOCK):
        weights = intervals.bootstrap_weights(rng, len(y), BLOCK)
        found.append(intervals.replicates(metrics.auroc, y, p, weights)[1])
    np.quantile(np.concatenate(found), [0.025, 0.975])


def _calibration(y: np.ndarray, p: np.ndarray) -> None:
    intervals.calibration_slope_interval(y, p)
    calibration.calibration_curve(y, p)


STEPS: dict[str, Callable[[int], float]] = {
    "generation": lambda n: in_pieces(None, n),
    "features": lambda n: in_pieces(lambda piece: features.matrix(piece, "v3_causal"), n),
    "scores": lambda n: in_pieces(_scorer().probability, n),
    "bootstrap of an AUROC, 100 resamples": lambda n: together(_bootstrap, n),
    "DeLong interval": lambda n: together(intervals.auroc_interval, n),
    "calibration slope and curve": lambda n: together(_calibration, n),
}
LARGEST = dict.fromkeys(list(STEPS)[:3], 7) | dict.fromkeys(list(STEPS)[3:], 6)


def measure(step: str, largest: int) -> None:
    """Print one CSV line a size, in this process."""
    STEPS[step](1000)  # whatever is done once only is not part of the cost
    for power in range(3, largest + 1):
        seconds = STEPS[step](10**power)
        unit = 2**20 if sys.platform == "darwin" else 2**10
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
        print(f'"{step}",{10**power},{seconds:.4g},{10**power / seconds:.3g},{peak:.0f}', flush=True)


def main() -> None:
    """Measure all steps, each in a process of its own, and publish the table."""
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    command.add_argument("--largest", type=int, choices=range(3, 8), default=7, metavar="3..7", help="power of ten")
    args = command.parse_args()
    if args.step:
        return measure(args.step, args.largest)
    lines = [f"# {machine()}", "step,patients,seconds,patients_a_second,peak_mib"]
    for step in STEPS:
        words = ["--step", step, "--largest", str(min(args.largest, LARGEST[step]))]
        done = subprocess.run([sys.executable, __file__, *words], stdout=subprocess.PIPE, text=True, check=True)
        lines += done.stdout.splitlines()
        print(done.stdout, end="", flush=True)
    results.publish(PLACE, "\n".join(lines) + "\n")
    return None


if __name__ == "__main__":
    main()
