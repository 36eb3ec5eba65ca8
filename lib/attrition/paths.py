"""Where this study's files lie; `notebook_report.project` says where a run reads and writes."""

from pathlib import Path

from attrition.project import PROJECT
from notebook_report.project import command, data, out, processed, raw, results, tables  # noqa: F401

ROOT = PROJECT.root
NOTEBOOKS = ROOT / PROJECT.notebooks
PARAMS = ROOT / "params.yaml"
CLAIMS = ROOT / "claims.yaml"
LOCK = ROOT / "requirements.lock"
COST = ROOT / "benchmarks" / "cost.csv"  # cost by number of patients, as measured by ``benchmarks/curves.py``
# Committed results of studies that are too long for a run, see `attrition.studies`
STUDIES = ROOT / "reports" / "studies"
MAPPING = "trial-mapping.toml"  # the mapping of a table, as the template has it
# In an output folder: a reader's trials that the run is about, see `attrition.trials`
REGISTER = Path(".state") / "trials.json"
