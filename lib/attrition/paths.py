"""Where things are read from and written to.

Everything a run writes lies below one output folder, `reports/` by default. Another one is chosen with
``./run_all.sh --out DIR`` (or the variable ``ATTRITION_OUT``): then data, results and the report all go there,
so that a read-only checkout works and a quick or trial run never touches the committed report.
"""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
PARAMS = ROOT / "params.yaml"
CLAIMS = ROOT / "claims.yaml"
LOCK = ROOT / "requirements.lock"
COST = ROOT / "benchmarks" / "cost.csv"
"""Cost by number of patients, as measured by ``benchmarks/curves.py``."""
STUDIES = ROOT / "reports" / "studies"
"""Committed results of studies that are too long for a run, see `attrition.studies`."""
REGISTER = Path(".state") / "trials.json"
"""In an output folder: a reader's trials that the run is about, see `attrition.trials`."""


profile: str | None = None
"""Profile that this process reads and writes results of, as `attrition.params.load` was asked for it."""


def out() -> Path:
    """Output folder of this run (``ATTRITION_OUT``, else ``reports/``)."""
    chosen = os.environ.get("ATTRITION_OUT")
    return Path(chosen).resolve() if chosen else ROOT / "reports"


def command() -> str:
    """The command that brings this output folder up to date, for messages that tell what to run.

    A run hands its own on to the notebooks (``ATTRITION_COMMAND``): with the reader's trial, for one.
    """
    usual = {ROOT / "reports": "", ROOT / "reports" / "quick": " --quick"}
    return os.environ.get("ATTRITION_COMMAND") or f"./run_all.sh{usual.get(out(), f' --out {out()}')}"


def _below(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def data() -> Path:
    """Folder of the data that the run makes: ``data/`` for the committed report, else inside the output folder."""
    return ROOT / "data" if out() == ROOT / "reports" else out() / "data"


def raw() -> Path:
    """Folder of source tables (made by chapter 01, or extracted by chapter 06)."""
    return _below(data() / "raw")


def processed() -> Path:
    """Folder of derived tables that one chapter hands to another."""
    return _below(data() / "processed")


def results() -> Path:
    """Folder of ``NN_name.json``: every number that a sentence of the report quotes."""
    return _below(out() / "results")


def tables() -> Path:
    """Folder of the tables and of the data behind the figures, as CSV."""
    return _below(out() / "tables")


def waiting(chapter: str) -> Path:
    """Where the tables of a chapter that runs wait for its success."""
    return out() / ".state" / f"{chapter}.tables"
