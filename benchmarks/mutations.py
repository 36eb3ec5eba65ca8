"""Would a test notice? Changes a condition, a sign or a factor of the study, one at a time, and runs the tests of it.

    python benchmarks/mutations.py               every mutant of mutants.yaml, each in a scratch copy
    python benchmarks/mutations.py words plots   those whose file has one of these words in its path
    python benchmarks/mutations.py --check       only whether each still applies; runs no test

Prints a line a mutant and those that survived; the exit code is 1 if more than three did, or if a mutant no longer
applies. An entry of ``mutants.yaml`` has ``file``, ``text`` (which the file has once; of a notebook, its code and
words), ``now`` (what it becomes) and ``tests`` (what pytest is given; no slow one runs).
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import yaml

ROOT = Path(__file__).resolve().parents[1]
LIST = Path(__file__).with_name("mutants.yaml")
MOST_SURVIVORS = 3
LEFT_BEHIND = (".git", ".venv", "__pycache__", "*.egg-info", ".*_cache", "executed", "quick", "mlruns", "raw", "logs")


class Mutant(NamedTuple):
    """One change, and the tests that should fail with it."""

    file: str
    text: str
    now: str
    tests: str

    def __str__(self) -> str:
        was, now = (" ".join(part.split()) for part in (self.text, self.now))
        return f"{self.file}: {was} -> {now}"


def listed() -> list[Mutant]:
    """The mutants of the list."""
    return [Mutant(**entry) for entry in yaml.safe_load(LIST.read_text(encoding="utf-8"))]


def cells(path: Path) -> list[str]:
    """Text of a file; of a notebook, that of each cell."""
    text = path.read_text(encoding="utf-8")
    return ["".join(cell["source"]) for cell in json.loads(text)["cells"]] if path.suffix == ".ipynb" else [text]


def problem(mutant: Mutant, root: Path = ROOT) -> str | None:
    """Why a mutant does not apply."""
    path = root / mutant.file
    if not path.exists():
        return "there is no such file"
    found = sum(cell.count(mutant.text) for cell in cells(path))
    missing = [name for name in mutant.tests.split() if not (root / name.partition("::")[0]).exists()]
    if mutant.text == mutant.now:
        return "it changes nothing"
    if found != 1:
        return f"the text stands there {found} times"
    return f"there is no {missing[0]}" if missing else None


def changed(path: Path, text: str, now: str) -> str:
    """What the file is with the one text replaced."""
    whole = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return whole.replace(text, now)
    notebook = json.loads(whole)
    for cell in notebook["cells"]:
        own = "".join(cell["source"])
        cell["source"] = own.replace(text, now).splitlines(keepends=True)
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def passes(copy: Path, tests: str, tell: bool = False) -> bool:
    """Whether the tests pass in the copy; on request prints why they do not."""
    words = [sys.executable, "-m", "pytest", "-x", "-q", "-m", "not slow", "-p", "no:cacheprovider", *tests.split()]
    environment = os.environ | {"PYTHONPATH": str(copy / "lib"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(words, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1, 2):
        raise SystemExit(f"pytest cannot run {tests}:\n{done.stdout}{done.stderr}")
    if tell and done.returncode:
        print(done.stdout)
    return done.returncode == 0


def survives(mutant: Mutant, copy: Path) -> bool:
    """Whether the tests of a mutant pass although it is in place."""
    path = copy / mutant.file
    good = path.read_bytes()
    path.write_text(changed(path, mutant.text, mutant.now), encoding="utf-8")
    try:
        return passes(copy, mutant.tests)
    finally:
        path.write_bytes(good)


def main(arguments: list[str]) -> int:
    """Check, apply and test the mutants; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args(arguments)
    mutants = [one for one in listed() if not options.words or any(word in one.file for word in options.words)]
    stale = [f"{mutant}: {why}" for mutant in mutants if (why := problem(mutant))]
    if stale or options.check:
        print("\n".join([*stale, f"{len(stale)} of {len(mutants)} mutants do not apply"]))
        return int(bool(stale))
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "study"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*LEFT_BEHIND))
        every = sorted({test for mutant in mutants for test in mutant.tests.split()})
        if not passes(copy, " ".join(every), tell=True):
            print("the tests fail without any mutant")
            return 1
        survivors = []
        for mutant in mutants:
            start = time.monotonic()
            alive = survives(mutant, copy)
            survivors += [mutant] if alive else []
            print(f"{'SURVIVES' if alive else 'noticed '} {time.monotonic() - start:5.1f} s  {mutant}", flush=True)
    print(f"{len(survivors)} of {len(mutants)} mutants survive")
    return int(len(survivors) > MOST_SURVIVORS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
