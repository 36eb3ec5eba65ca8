"""The chapters, what each reads from the others, and how long it takes."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

from attrition import errors, paths


class UnknownChapter(errors.Refusal, ValueError):
    """A name on the command line that is no chapter."""

    exit_code = errors.USAGE


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
    on_trial : bool
        Whether it runs on a reader's own trial (``--trial``).
    """

    name: str
    needs: tuple[str, ...] = ()
    seconds: float = 5.0
    on_trial: bool = False

    @property
    def notebook(self) -> Path:
        """Committed source."""
        return paths.NOTEBOOKS / f"{self.name}.ipynb"


CHAPTERS = (
    Chapter("01_generation", seconds=12),
    Chapter("02_eda", needs=("01_generation",), seconds=6),
    Chapter("03_feature_ablation", needs=("01_generation",), seconds=45),
    Chapter("04_modelling", needs=("01_generation",), seconds=45),
    Chapter("05_evaluation", needs=("01_generation", "04_modelling"), seconds=25),
    Chapter("06_real_trial", seconds=40, on_trial=True),
    Chapter("07_time_to_dropout", needs=("06_real_trial",), seconds=15, on_trial=True),
    Chapter("08_monitoring", needs=("01_generation", "05_evaluation"), seconds=30),
    Chapter(
        "00_findings",
        needs=(
            "01_generation",
            "02_eda",
            "03_feature_ablation",
            "04_modelling",
            "05_evaluation",
            "06_real_trial",
            "07_time_to_dropout",
            "08_monitoring",
        ),
        seconds=4,
    ),
)


def find(name: str, chapters: Iterable[Chapter] = CHAPTERS) -> Chapter:
    """The chapter called `name`: full name, number, or name without number.

    Raises
    ------
    UnknownChapter
        With the closest known name.

    Examples
    --------
    >>> find("03").name
    '03_feature_ablation'
    >>> find("modelling").name
    '04_modelling'
    """
    known = {alias: c for c in chapters for alias in (c.name, c.name[:2], c.name[3:])}
    wanted = Path(name).name.removesuffix(".ipynb")
    if wanted in known:
        return known[wanted]
    near = difflib.get_close_matches(wanted, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(c.name for c in chapters)}"
    raise UnknownChapter(f"no chapter {name!r}; {hint}")


def of_trials() -> tuple[Chapter, ...]:
    """Chapters that run on a reader's own trial.

    Examples
    --------
    >>> [chapter.name for chapter in of_trials()]
    ['06_real_trial', '07_time_to_dropout']
    """
    return tuple(chapter for chapter in CHAPTERS if chapter.on_trial)


def in_order(chapters: Iterable[Chapter]) -> list[Chapter]:
    """Chapters such that each comes after what it needs (needs outside the selection are left out)."""
    by_name = {c.name: c for c in chapters}
    graph = {c.name: [n for n in c.needs if n in by_name] for c in by_name.values()}
    return [by_name[name] for name in TopologicalSorter(graph).static_order()]


def with_needs(chapters: Iterable[Chapter]) -> list[Chapter]:
    """`chapters` and all that they read from, directly or not, in order.

    Examples
    --------
    >>> [c.name for c in with_needs([find("07")])]
    ['06_real_trial', '07_time_to_dropout']
    """
    by_name = {c.name: c for c in CHAPTERS}
    wanted = {c.name for c in chapters}
    for chapter in reversed(in_order(by_name.values())):
        if chapter.name in wanted:
            wanted.update(chapter.needs)
    return in_order(by_name[name] for name in by_name if name in wanted)


def dependants(chapter: Chapter, chapters: Iterable[Chapter] = CHAPTERS) -> list[Chapter]:
    """`chapter` and all that reads from it, directly or not, in order.

    Examples
    --------
    >>> [c.name for c in dependants(find("07"))]
    ['07_time_to_dropout', '00_findings']
    """
    reached = {chapter.name}
    for candidate in in_order(chapters):
        if reached.intersection(candidate.needs):
            reached.add(candidate.name)
    return in_order(c for c in chapters if c.name in reached)


def longest_way(chapters: Iterable[Chapter], seconds: dict[str, float]) -> dict[str, float]:
    """Seconds from the start of each chapter to the end of the run: start the longest way first.

    Parameters
    ----------
    chapters : iterable of Chapter
    seconds : dict
        Expected seconds by chapter name.

    Returns
    -------
    dict
    """
    way: dict[str, float] = {}
    for chapter in reversed(in_order(chapters)):
        after = [way[c.name] for c in chapters if chapter.name in c.needs and c.name in way]
        way[chapter.name] = seconds[chapter.name] + max(after, default=0.0)
    return way
