"""From executed notebooks to one report, and what the report says of how it was made."""

import platform
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from attrition import environment, params, paths, sources
from attrition.digests import digest, file_digest
from attrition.run import fingerprint
from attrition.run.driver import Request
from attrition.run.plan import Chapter
from attrition.run.state import State

MAKERS = ("attrition.run.execute", "attrition.report.exporter")
"""Library modules that execute and render, which no chapter reaches."""
CALLED = {
    "IPython": "ipython", "PIL": "pillow", "imblearn": "imbalanced-learn", "sklearn": "scikit-learn", "yaml": "pyyaml"
}  # fmt: skip
"""What a package is called where it is installed, if not as it is imported."""
SOURCES = ("lib", "notebooks", "params.yaml", "claims.yaml", "requirements.lock", "benchmarks/cost.csv")


def _git(*words: str) -> str | None:
    if not shutil.which("git") or not (paths.ROOT / ".git").exists():
        return None
    done = subprocess.run(["git", *words], cwd=paths.ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def _changed() -> bool:
    """Whether anything that the report is made from differs from the last commit; of notebooks the cells count."""
    if _git("ls-files", "--others", "--exclude-standard", "--", *SOURCES):
        return True
    names = (_git("diff", "--name-only", "-z", "--relative", "HEAD", "--", *SOURCES) or "").split("\0")[:-1]
    return not all(name.endswith(".ipynb") and _same_cells(name) for name in names)


def _same_cells(name: str) -> bool:
    committed, file = _git("show", f"HEAD:./{name}"), paths.ROOT / name
    return bool(committed and file.exists() and sources.cells(committed) == sources.cells(file.read_bytes()))


def commit() -> str | None:
    """Last commit that touched what the report is made from, if it is made from exactly that.

    Committing the report itself changes nothing here, so a rerun gives the same bytes.
    """
    if _changed():
        return None
    return _git("log", "-1", "--format=%h", "--", *SOURCES) or None


def versions(chapters: Iterable[Chapter]) -> list[dict[str, str]]:
    """Interpreter, and the locked packages that the chapters and what makes the report import, as installed."""
    taken = set().union(*map(fingerprint.loaded, chapters), *map(sources.packages_of, MAKERS))
    modules = {name.partition(".")[0] for name in taken}
    called = {CALLED.get(module, environment.normal(module)) for module in modules} | {f"{m}-cpu" for m in modules}
    names = sorted(called.intersection(environment.pins()))
    rows = [{"package": name, "version": metadata.version(name)} for name in names]
    return [{"package": "Python", "version": platform.python_version()}, *rows]


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


def how_it_was_made(request: Request, outdated: Sequence[str] = ()) -> dict[str, Any]:
    """Seed, profile, checksums, versions: all that a reader needs to make the report again. No time of day."""
    run = {
        "command": command(request),
        "profile": request.profile,
        "seed": str(params.read(request.profile)["seed"]),
        "sources (sha-256)": fingerprint.sources()[:16],
        "lock (sha-256)": file_digest(paths.LOCK)[:16],
    }
    if outdated:
        run["not up to date"] = ", ".join(outdated)
    known = None if outdated else commit()
    if known:
        run["commit"] = known
    made: dict[str, Any] = {"The run": run}
    files = trial_files(request.out) if request.trial else data_files(request.out)
    if files:
        made["Data"] = files
    return made | {"Software": versions(request.book)}


def told(outdated: Sequence[str]) -> str:
    """Sentence on chapters that are not up to date; empty where all are.

    Examples
    --------
    >>> told(["04_modelling"])
    'Made before the last change of what it is made from: 04_modelling.'
    """
    return f"Made before the last change of what it is made from: {', '.join(outdated)}." if outdated else ""


def _key(executed: list[Path], made: dict[str, Any]) -> str:
    library = sources.LIBRARY / "report"
    parts = sorted(p for p in library.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    return digest(str(made), *(file_digest(path) for path in [*executed, *parts]))


def render(request: Request, outdated: Sequence[str] = ()) -> Path | None:
    """Build the report if anything that goes into it has changed.

    Parameters
    ----------
    request : attrition.run.driver.Request
    outdated : sequence of str
        Names of chapters that are bound in as they are, though the sources now say something else.

    Returns
    -------
    pathlib.Path or None
        The report; None while a chapter has not been executed yet.
    """
    chapters = [request.out / "executed" / f"{chapter.name}.ipynb" for chapter in request.book]
    if not all(path.exists() for path in chapters):
        return None
    state, target = State(request.out), request.out / "report.html"
    made = how_it_was_made(request, outdated)
    key = _key(chapters, made)
    if not state.up_to_date("report", key) or not target.exists():
        from attrition.report import book

        book.build(chapters, request.out, made, quick=request.profile == "quick", outdated=told(outdated))
        state.record("report", key, [target], 0)
    return target
