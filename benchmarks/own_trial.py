"""What a report on a trial of one's own costs: ``python benchmarks/own_trial.py 300 3000 20000``.

Each trial is the example's (`data/example_trial/make.py`), with as many patients, a site for 75 of them, and some fifty
dated records each: visits, adverse events and, at every visit, vital signs, a questionnaire and a laboratory value.
The report runs in processes of its own; a row has its seconds by the clock, of processor, and the peak of the memory
of its largest process.
"""

import argparse
import os
import resource
import runpy
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from run import machine

from attrition import seeds
from notebook_report import results

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "data" / "example_trial"
MADE = runpy.run_path(str(EXAMPLE / "make.py"))
MEASURED = {"Systolic blood pressure": "vital sign", "Pulse rate": "vital sign", "Total score": "questionnaire"}
PATIENTS_A_SITE = 75


def patients(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """The example's patients, as many as asked for."""
    made = MADE["patients"]
    made.__globals__["N"] = n
    sites = [f"S{number:04d}" for number in range(max(4, n // PATIENTS_A_SITE))]
    return made(rng).assign(patient_id=[f"{number:06d}" for number in range(1, n + 1)], site=rng.choice(sites, n))


def records(people: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Dated records of all patients, some fifty each."""
    last, usual = people["last_day"].to_numpy(), rng.normal(size=len(people))
    who, week = np.meshgrid(np.arange(len(people)), np.arange(2, 25, 2), indexing="ij")
    seen = (7 * week + 3 < last[who]) & (rng.random(who.shape) < 0.9)
    who, week = who[seen], week[seen]
    day = 7 * week + 1 + rng.integers(-2, 3, len(week))
    parts = [{"who": who, "kind": "visit", "term": [f"week {number}" for number in week], "day": day}]
    at, when = np.concatenate([np.arange(len(people)), who]), np.concatenate([np.ones(len(people), dtype=int), day])
    for name, kind in MEASURED.items():
        value = (100 + 8 * usual[at] + rng.normal(0, 6, len(at))).round(1)
        parts.append({"who": at, "kind": kind, "term": name, "day": when, "value": value})
    range_of = rng.choice(["NORMAL", "HIGH", "LOW"], len(at), p=[0.85, 0.1, 0.05])
    parts.append({"who": at, "kind": "lab", "term": "Alanine aminotransferase", "day": when, "body_system": range_of})
    of = np.repeat(np.arange(len(people)), rng.poisson(np.where(people["arm"] == "Active", 0.02, 0.01) * last))
    term = rng.choice(list(MADE["TERMS"]), len(of))
    named = {"term": term, "body_system": pd.Series(term).map(MADE["TERMS"]).to_numpy()}
    parts.append({"who": of, "kind": "adverse event", "day": rng.integers(1, last[of]), **named})
    table = pd.concat([pd.DataFrame(part) for part in parts], ignore_index=True)
    table.insert(0, "patient_id", people["patient_id"].to_numpy()[table.pop("who")])
    late = np.where(table["kind"] == "adverse event", rng.integers(0, 21, len(table)), 0)
    return table.assign(reported_day=table["day"] + late).sort_values(["patient_id", "kind", "day"], kind="stable")


def write(n: int, folder: Path) -> Path:
    """A trial of that many patients in a folder; its mapping."""
    rng = seeds.stream(2024, "large trial", n)
    people = patients(n, rng)
    results.publish(folder / "patients.csv", people.to_csv(index=False))
    results.publish(folder / "events.csv", records(people, rng).to_csv(index=False))
    known = 'known_day = "reported_day"'
    mapping = (EXAMPLE / "trial-mapping.toml").read_text(encoding="utf-8")
    return results.publish(folder / "trial-mapping.toml", mapping.replace(known, f'{known}\nvalue = "value"'))


def reported(mapping: Path, out: Path) -> dict[str, float]:
    """Seconds of the report by the clock and of processor, and the peak memory of its largest process in GiB."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "attrition.run", "--trial", mapping, "--out", out]
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    wall = time.perf_counter() - began
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {"wall_s": wall, "processor_s": used, "share": used / wall / cores, "peak_gib": after.ru_maxrss / 2**20}


def main() -> None:
    """Print one row a size, by which power of the patients the processor time grows, and a drawing of it (Mermaid)."""
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("patients", type=int, nargs="+", help="sizes, from the smallest on")
    args, before, spent = command.parse_args(), None, []
    print(machine(), "| patients | wall, s | processor, s | share of the cores | peak, GiB | slope |", sep="\n")
    print("|---|---|---|---|---|---|", flush=True)
    for n in args.patients:
        with tempfile.TemporaryDirectory() as place:
            found = reported(write(n, Path(place) / "trial"), Path(place) / "out")
        slope = "" if before is None else f"{np.log(found['processor_s'] / before[1]) / np.log(n / before[0]):.2f}"
        before = n, found["processor_s"]
        spent.append(f"{found['processor_s']:.0f}")
        shown = " | ".join(f"{found[name]:.2f}" for name in ("share", "peak_gib"))
        print(f"| {n:,} | {found['wall_s']:.0f} | {found['processor_s']:.0f} | {shown} | {slope} |", flush=True)
    sizes = ", ".join(f'"{n:,}"' for n in args.patients)
    print(
        "\n```mermaid", "xychart-beta", f'    x-axis "patients" [{sizes}]', '    y-axis "processor seconds"', sep="\n"
    )
    print(f"    line [{', '.join(spent)}]", "```", sep="\n")


if __name__ == "__main__":
    main()
