"""The order of chapters: which reads from which, and which is the longest way."""

import difflib
from collections.abc import Iterable
from graphlib import TopologicalSorter
from pathlib import Path

from notebook_report import errors, project
from notebook_report.project import Chapter


class UnknownChapter(errors.Refusal, ValueError):
    """A name on the command line that is no chapter."""

    exit_code = errors.USAGE


def find(name: str, chapters: Iterable[Chapter] | None = None) -> Chapter:
    """The chapter called `name`: full name, number, or name without number; of the project's, or of those given."""
    chapters = tuple(project.current.chapters if chapters is None else chapters)
    known = {alias: c for c in chapters for alias in (c.name, c.name[:2], c.name[3:])}
    wanted = Path(name).name.removesuffix(".ipynb")
    if wanted in known:
        return known[wanted]
    near = difflib.get_close_matches(wanted, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(c.name for c in chapters)}"
    raise UnknownChapter(f"no chapter {name!r}; {hint}")


def on_own_data() -> tuple[Chapter, ...]:
    """Chapters that run on a reader's own data."""
    return tuple(chapter for chapter in project.current.chapters if chapter.own)


def in_order(chapters: Iterable[Chapter]) -> list[Chapter]:
    """Chapters such that each comes after what it needs (needs outside the selection are left out)."""
    by_name = {c.name: c for c in chapters}
    graph = {c.name: [n for n in c.needs if n in by_name] for c in by_name.values()}
    return [by_name[name] for name in TopologicalSorter(graph).static_order()]


def with_needs(chapters: Iterable[Chapter]) -> list[Chapter]:
    """`chapters` and all that they read from, directly or not, in order."""
    every = in_order(project.current.chapters)
    wanted = {c.name for c in chapters}
    for chapter in reversed(every):
        if chapter.name in wanted:
            wanted.update(chapter.needs)
    return in_order(c for c in project.current.chapters if c.name in wanted)


def dependants(chapter: Chapter, chapters: Iterable[Chapter] | None = None) -> list[Chapter]:
    """`chapter` and all of `chapters` that read from it, directly or not, in order."""
    chapters = tuple(project.current.chapters if chapters is None else chapters)
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
