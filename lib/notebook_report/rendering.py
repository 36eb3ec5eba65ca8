"""From executed notebooks to one report, and what the report says of how it was made."""

import contextlib
import platform
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from notebook_report import project, sources
from notebook_report.driver import Request
from notebook_report.state import State

# Modules that execute and render, which no chapter reaches
MAKERS = ("notebook_report.execute", "notebook_report.book")
# What a package is called where it is installed, if not as it is imported
CALLED = {
    "IPython": "ipython", "PIL": "pillow", "bs4": "beautifulsoup4", "imblearn": "imbalanced-learn",
    "sklearn": "scikit-learn", "yaml": "pyyaml",
}  # fmt: skip


def _git(*words: str) -> str | None:
    root = project.current.root
    if not shutil.which("git") or not (root / ".git").exists():
        return None
    done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def _same_cells(name: str) -> bool:
    committed, file = _git("show", f"HEAD:./{name}"), project.current.root / name
    return bool(committed and file.exists() and sources.cells(committed) == sources.cells(file.read_bytes()))


def commit() -> str | None:
    """Last commit that touched what the report is made from, if it is made from exactly that; of notebooks cells count.

    Committing the report itself changes nothing here, so a rerun gives the same bytes.
    """
    places = ("lib", project.current.notebooks, *project.current.made_from)
    if _git("ls-files", "--others", "--exclude-standard", "--", *places):
        return None
    names = (_git("diff", "--name-only", "-z", "--relative", "HEAD", "--", *places) or "").split("\0")[:-1]
    if not all(name.endswith(".ipynb") and _same_cells(name) for name in names):
        return None
    return _git("log", "-1", "--format=%h", "--", *places) or None


def versions(chapters: Iterable[project.Chapter]) -> list[dict[str, str]]:
    """Interpreter, and the locked packages that the chapters and what makes the report import, as installed."""
    taken = set().union(*map(sources.loaded, chapters), *(sources.module(name)[2] for name in MAKERS))
    called = {CALLED.get(module, module) for module in {name.partition(".")[0] for name in taken}}
    called = {name.replace("_", "-").lower() for name in called}
    lock = (project.current.root / "requirements.lock").read_text(encoding="utf-8")
    locked = {name.lower() for name in re.findall(r"(?m)^([\w.-]+)==", lock)}
    rows = [{"package": "Python", "version": platform.python_version()}]
    for name in sorted(locked.intersection(called | {f"{name}-cpu" for name in called})):
        with contextlib.suppress(metadata.PackageNotFoundError):  # locked for other machines
            rows.append({"package": name, "version": metadata.version(name)})
    return rows


def how_it_was_made(request: Request, outdated: Sequence[str] = ()) -> dict[str, Any]:
    """Seed, profile, checksums, versions: all that a reader needs to make the report again. No time of day."""
    quick = ["--quick"] if request.profile == "quick" else []
    run = {
        "command": " ".join([project.current.command, *quick, *(request.own.words if request.own else ())]),
        "profile": request.profile,
        "seed": str(request.resolved()["seed"]),
        "sources (sha-256)": sources.everything()[:16],
        "lock (sha-256)": sources.file_digest(project.current.root / "requirements.lock")[:16],
    }
    if outdated:
        run["not up to date"] = ", ".join(outdated)
    elif known := commit():
        run["commit"] = known
    raw = (p for p in (project.data(request.out) / "raw").glob("*") if p.is_file() and not p.name.startswith("."))
    files = request.own.files if request.own else sorted(raw)
    data = [{"file": path.name, "sha-256": sources.file_digest(path)} for path in files]
    return {"The run": run, **({"Data": data} if data else {}), "Software": versions(request.book)}


def told(outdated: Sequence[str]) -> str:
    """Sentence on chapters that are not up to date; empty where all are.

    >>> told(["04_modelling"])
    'Made before the last change of what it is made from: 04_modelling.'
    """
    return f"Made before the last change of what it is made from: {', '.join(outdated)}." if outdated else ""


def render(request: Request, outdated: Sequence[str] = ()) -> Path | None:
    """Build the report if anything that goes into it has changed; None while a chapter has not been executed yet.

    The `outdated` chapters are bound in as they are, though the sources now say something else.
    """
    chapters = [request.out / "executed" / f"{chapter.name}.ipynb" for chapter in request.book]
    if not all(path.exists() for path in chapters):
        return None
    state, target = State(request.out), request.out / "report.html"
    made = how_it_was_made(request, outdated)
    parts = sorted(p for p in Path(__file__).parent.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    key = sources.digest(str(made), *(sources.file_digest(path) for path in [*chapters, *parts, *sources.bound()]))
    if not state.up_to_date("report", key) or not target.exists():
        from notebook_report import book

        book.build(chapters, request.out, made, quick=request.profile == "quick", outdated=told(outdated))
        state.record("report", key, [target], 0)
    return target
