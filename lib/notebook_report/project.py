"""The project whose notebooks are run and bound: what this package is told of it, the order of its chapters, its files.

Everything a run writes lies below one output folder, ``reports/`` by default. Another one is chosen with ``--out DIR``
(or the variable ``NAME_OUT``): then data, results and the report all go there, so that a read-only checkout works and
a quick run never touches the committed report.
"""

import importlib
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from notebook_report import errors

# Look of figures in a project that names no style
PLAIN = SimpleNamespace(LIGHT={"ink": "#1f2429"}, DARK={"ink": "#e8ebee"}, WIDTH=5.5, use=lambda: None)


@dataclass(frozen=True)
class Chapter:
    """A numbered notebook.

    Parameters
    ----------
    name : str
        Notebook without ending.
    needs : tuple of str
        Chapters whose results or data it reads.
    seconds : float
        Rough time on two cores, for the plan and for the order; replaced by what this machine needed last time.
    own : (str, str), optional
        Of a chapter that also runs on a reader's own data: the parameter that names the data, and its usual value.
    reads : tuple of str
        Files below the project's folder that its results depend on, beside those of the library; may be patterns.
    """

    name: str
    needs: tuple[str, ...] = ()
    seconds: float = 5.0
    own: tuple[str, str] | None = None
    reads: tuple[str, ...] = ()

    @property
    def notebook(self) -> Path:
        """Committed source."""
        return notebooks() / f"{self.name}.ipynb"


@dataclass
class Project:
    """A project with numbered notebooks, a library in ``lib/`` and packages in ``requirements.lock``.

    Parameters
    ----------
    name : str
        Of its variables (``NAME_OUT``) and its command ``python -m name``.
    root : pathlib.Path
        The checkout.
    title : str
        Of a report without a front page of its own.
    chapters : tuple of Chapter
    params : str
        Module whose ``read(profile)`` gives the seed under ``"seed"`` and a dataclass for each chapter.
    module : str
        Where it is told to `use`: kernels of notebooks import it first.
    style : str
        Module of the figures' look: colours by name ``LIGHT`` and ``DARK``, ``WIDTH`` in inches, and ``use()``.
    made_from : tuple of str
        What the report is made from beside library and notebooks, as patterns below `root`.
    notebooks : str
        Their folder, below `root`.
    command : str
        What users call to run it.
    profile : str, optional
        Sizes that this process reads and writes results of, once its parameters are loaded.
    """

    name: str = "notebook_report"
    root: Path = field(default_factory=Path.cwd)
    title: str = "Report"
    chapters: tuple[Chapter, ...] = ()
    params: str = ""
    module: str = ""
    style: str = ""
    made_from: tuple[str, ...] = ("params.yaml", "requirements.lock")
    notebooks: str = "notebooks"
    command: str = "./run_all.sh"
    profile: str | None = None

    @property
    def reports(self) -> Path:
        """Folder of the committed report."""
        return self.root / "reports"

    def variable(self, name: str) -> str:
        """Name of an environment variable of this project."""
        return f"{self.name.upper()}_{name}"

    def environment(self) -> dict[str, str]:
        """Variables by which a process that is started knows its project."""
        return {MODULE: self.module} if self.module else {}


MODULE = "NOTEBOOK_REPORT_PROJECT"
current = Project()


def use(project: Project) -> None:
    """Make this process run and report `project`; inside a notebook its figure style applies from here on."""
    global current
    current = project
    errors.PACKAGES.add(project.name)
    if "IPython" in sys.modules and sys.modules["IPython"].get_ipython() is not None:
        style().use()


def variable(name: str) -> str | None:
    """Value of one of the project's environment variables; None when it is empty or not set."""
    return os.environ.get(current.variable(name)) or None


def style() -> Any:
    """The look of the project's figures; loads matplotlib."""
    return importlib.import_module(current.style) if current.style else PLAIN


def notebooks() -> Path:
    """Folder of the committed notebooks."""
    return current.root / current.notebooks


def library() -> Path:
    """Folder of the project's packages."""
    return current.root / "lib"


def out() -> Path:
    """Output folder of this run (``NAME_OUT``, else ``reports/``)."""
    chosen = variable("OUT")
    return Path(chosen).resolve() if chosen else current.reports


def command() -> str:
    """The command that brings this output folder up to date, for messages that tell what to run.

    A run hands its own on to the notebooks (``NAME_COMMAND``): with a reader's own data, for one.
    """
    usual = {current.reports: "", current.reports / "quick": " --quick"}
    return variable("COMMAND") or f"{current.command}{usual.get(out(), f' --out {out()}')}"


def _below(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def data(where: Path | None = None) -> Path:
    """Folder of the data that a run makes: ``data/`` for the committed report, else inside the output folder."""
    where = where or out()
    return current.root / "data" if where == current.reports else where / "data"


def raw() -> Path:
    """Folder of source tables."""
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


class UnknownChapter(errors.Refusal, ValueError):
    """A name on the command line that is no chapter."""

    exit_code = errors.USAGE


def find(name: str, chapters: Iterable[Chapter] | None = None) -> Chapter:
    """The chapter called `name`: full name, number, or name without number; of the project's, or of those given."""
    chapters = tuple(current.chapters if chapters is None else chapters)
    known = {alias: c for c in chapters for alias in (c.name, c.name[:2], c.name[3:])}
    wanted = Path(name).name.removesuffix(".ipynb")
    if wanted in known:
        return known[wanted]
    raise UnknownChapter(f"no chapter {name!r}{errors.closest(wanted, known, 0.6)}")


def on_own_data() -> tuple[Chapter, ...]:
    """Chapters that run on a reader's own data."""
    return tuple(chapter for chapter in current.chapters if chapter.own)


def in_order(chapters: Iterable[Chapter]) -> list[Chapter]:
    """Chapters such that each comes after what it needs (needs outside the selection are left out)."""
    by_name = {c.name: c for c in chapters}
    graph = {c.name: [n for n in c.needs if n in by_name] for c in by_name.values()}
    return [by_name[name] for name in TopologicalSorter(graph).static_order()]


def with_needs(chapters: Iterable[Chapter]) -> list[Chapter]:
    """`chapters` and all that they read from, directly or not, in order."""
    every = in_order(current.chapters)
    wanted = {c.name for c in chapters}
    for chapter in reversed(every):
        if chapter.name in wanted:
            wanted.update(chapter.needs)
    return in_order(c for c in current.chapters if c.name in wanted)


def dependants(chapter: Chapter, chapters: Iterable[Chapter] | None = None) -> list[Chapter]:
    """`chapter` and all of `chapters` that read from it, directly or not, in order."""
    chapters = tuple(current.chapters if chapters is None else chapters)
    reached = {chapter.name}
    for candidate in in_order(chapters):
        if reached.intersection(candidate.needs):
            reached.add(candidate.name)
    return in_order(c for c in chapters if c.name in reached)


def longest_way(chapters: Iterable[Chapter], seconds: dict[str, float]) -> dict[str, float]:
    """Expected seconds from the start of each chapter to the end of the run: start the longest way first."""
    way: dict[str, float] = {}
    for chapter in reversed(in_order(chapters)):
        after = [way[c.name] for c in chapters if chapter.name in c.needs and c.name in way]
        way[chapter.name] = seconds[chapter.name] + max(after, default=0.0)
    return way


if os.environ.get(MODULE):
    importlib.import_module(os.environ[MODULE])
