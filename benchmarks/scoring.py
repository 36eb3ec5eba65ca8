"""How fast, and in how much memory, ``python -m attrition score`` goes through many patients.

    python benchmarks/scoring.py            1,000,000 simulated patients
    python benchmarks/scoring.py 50000

Prints rows a second (start, reading, contract, model, intervals, writing), by the clock and by processor time, which a
busy machine disturbs less, and the peak memory of the scoring process. The patients are drawn from the law piece by
piece; a small share of rows is broken on purpose, since refusals cost most.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from attrition import registry, score, seeds, simulate
from notebook_report import results

PIECE = 50_000
BROKEN = 10_000
"""One row in this many has an impossible age."""


def write_patients(path: Path, n: int) -> None:
    """Write `n` simulated patients as a scoring file."""
    rng = seeds.stream(42, "benchmark")
    with path.open("w", encoding="utf-8", newline="") as file:
        for first in range(0, n, PIECE):
            drawn = simulate.draw_patients(simulate.PUBLISHED_LAW, min(PIECE, n - first), rng)
            drawn = drawn.assign(patient_id=[f"S-{i:08d}" for i in range(first, first + len(drawn))])
            text = drawn[score.INPUT.names].astype("str")
            text.loc[text.index % BROKEN == BROKEN - 1, "age"] = "999"
            text.to_csv(file, index=False, header=not first, lineterminator="\n")


def measured(command: list[str]) -> tuple[str, dict[str, float]]:
    """What a program says, its seconds (by the clock and of one processor), and the most memory it held, in MiB."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    said = process.stdout.read()
    _, _, usage = os.wait4(process.pid, 0)
    unit = 2**20 if sys.platform == "darwin" else 2**10
    seconds = {"seconds": time.perf_counter() - started, "cpu_seconds": usage.ru_utime + usage.ru_stime}
    return said, {**seconds, "peak_mib": usage.ru_maxrss / unit}


def measure(n: int) -> dict[str, float]:
    """Make a champion and `n` patients, score them in a process of its own: rates, seconds, peak memory."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        trial = simulate.published_trial()
        data = results.publish(folder / "trial.csv", simulate.csv_text(trial))
        registry.train("lr", trial, data, 200, 42).save(folder / "champion")
        write_patients(folder / "patients.csv", n)
        words = ["score", str(folder / "patients.csv"), "--model", str(folder / "champion")]
        said, cost = measured([sys.executable, "-m", "attrition", *words])
    rate = int(re.search(r"([\d,]+) rows a second", said)[1].replace(",", ""))
    rates = {"rows_a_second": rate, "rows_a_cpu_second": round(n / cost["cpu_seconds"])}
    return {"patients": n, **rates, **{name: round(value, 1) for name, value in cost.items()}}


def main() -> None:
    """Print what `measure` finds as one JSON line."""
    command = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    command.add_argument("patients", nargs="?", type=int, default=1_000_000)
    print(json.dumps(measure(command.parse_args().patients)))


if __name__ == "__main__":
    main()
