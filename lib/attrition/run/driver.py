"""Many notebooks, side by side, then the report: one process, threads, a lock, and no kernel left behind."""

import contextlib
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from attrition import params
from attrition.run import fingerprint, plan
from attrition.run.plan import Chapter
from attrition.run.state import State


@dataclass(frozen=True)
class Request:
    """What to run.

    Parameters
    ----------
    out : pathlib.Path
        Output folder.
    profile : {"full", "quick"}
    chapters : tuple of Chapter
        Chapters to bring up to date.
    forced : frozenset of str
        Chapters to redo even when nothing changed.
    jobs : int
        Notebooks at a time.
    trial : str, optional
        Name of a reader's own trial, see `attrition.trials`.
    """

    out: Path
    profile: str = "full"
    chapters: tuple[Chapter, ...] = plan.CHAPTERS
    forced: frozenset[str] = frozenset()
    jobs: int = 2
    trial: str | None = None

    @property
    def book(self) -> tuple[Chapter, ...]:
        """Chapters of the report: all, or those that run on a reader's own trial."""
        return plan.of_trials() if self.trial else plan.CHAPTERS

    def parameters(self, chapter: Chapter, seed: int) -> dict[str, Any]:
        """Values for the notebook's parameter cell."""
        given: dict[str, Any] = {"profile": self.profile, "seed": seed}
        return {**given, "trial": self.trial or "pilot"} if chapter.on_trial else given


@dataclass
class Outcome:
    """What a run did: chapters redone with their seconds, failures."""

    done: dict[str, float] = field(default_factory=dict)
    failed: dict[str, Exception] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)


def keys(request: Request, inputs: str = "") -> dict[str, tuple[str, str]]:
    """Code key and own key of every chapter that is asked for or stands in the report, and of those it reads from."""
    resolved = params.read(request.profile)
    found: dict[str, tuple[str, str]] = {}
    for chapter in plan.with_needs((*request.chapters, *request.book)):
        given = request.parameters(chapter, resolved["seed"])
        values = {**given, **params.as_dict(resolved[chapter.name])}
        needs = [found[name][0] for name in chapter.needs]
        key = fingerprint.code_key(chapter, values, needs, inputs if chapter.on_trial else "")
        found[chapter.name] = key, fingerprint.own_key(chapter, key)
    return found


def stale(request: Request, state: State, known: dict[str, tuple[str, str]]) -> list[Chapter]:
    """Requested chapters that have to be redone, in order."""
    return [
        chapter
        for chapter in plan.in_order(request.chapters)
        if chapter.name in request.forced or not state.up_to_date(chapter.name, known[chapter.name][1])
    ]


def outdated(request: Request, state: State, known: dict[str, tuple[str, str]]) -> list[str]:
    """Names of the report's chapters that are not as the sources have them: made before a change, or elsewhere."""
    return [c.name for c in request.book if not state.up_to_date(c.name, known[c.name][1])]


def stop_kernels() -> None:
    """End every process that this one started."""
    children = psutil.Process().children(recursive=True)
    for child in children:
        with contextlib.suppress(psutil.NoSuchProcess):  # it may end by itself meanwhile
            child.kill()
    psutil.wait_procs(children, timeout=3)


class Runner:
    """Runs stale chapters as soon as what they need is there, the longest way first.

    Parameters
    ----------
    request : Request
    state : State
    tell : callable
        Receives ``(event, chapter name, seconds or error)`` with event one of ``start``, ``done``, ``failed``,
        ``skipped``.
    """

    def __init__(self, request: Request, state: State, tell: Callable[[str, str, Any], None]):
        self.request, self.state, self.tell = request, state, tell
        self.seed = params.read(request.profile)["seed"]

    def _run(self, chapter: Chapter, key: str) -> float:
        from attrition.run.execute import run_notebook

        started = time.perf_counter()
        target = self.request.out / "executed" / f"{chapter.name}.ipynb"
        target.parent.mkdir(parents=True, exist_ok=True)
        self.state.start_journal(chapter.name)
        self.tell("start", chapter.name, None)
        values = self.request.parameters(chapter, self.seed)
        private = self.request.trial is not None
        try:
            run_notebook(chapter.notebook, target, values, self.request.out, private)
            self.state.publish_tables(chapter.name)
        finally:
            self.state.discard_tables(chapter.name)
        seconds = time.perf_counter() - started
        self.state.record(chapter.name, key, [*self.state.written(chapter.name), target], seconds)
        return seconds

    def run(self, chapters: list[Chapter], known: dict[str, tuple[str, str]]) -> Outcome:
        """Run `chapters`; what depends on a failed one is skipped, the rest still runs."""
        outcome, waiting = Outcome(), self._by_urgency(chapters)
        running: dict[Any, Chapter] = {}
        pool = ThreadPoolExecutor(self.request.jobs)
        try:
            while waiting or running:
                self._skip_hopeless(waiting, outcome)
                for chapter in self._ready(waiting, running, outcome):
                    waiting.remove(chapter)
                    running[pool.submit(self._run, chapter, known[chapter.name][1])] = chapter
                self._collect(running, outcome)
        except BaseException:
            # not waiting: a thread that is about to start a kernel would run its notebook to the end
            pool.shutdown(wait=False, cancel_futures=True)
            stop_kernels()
            raise
        pool.shutdown()
        return outcome

    def _by_urgency(self, chapters: list[Chapter]) -> list[Chapter]:
        """Chapters from which the longest way leads to the end of the run first."""
        expected = {c.name: self.state.seconds(c.name, c.seconds) for c in chapters}
        way = plan.longest_way(chapters, expected)
        return sorted(chapters, key=lambda c: -way[c.name])

    def _ready(self, waiting: list[Chapter], running: dict[Any, Chapter], outcome: Outcome) -> list[Chapter]:
        pending = {c.name for c in [*waiting, *running.values()]}
        free = self.request.jobs - len(running)
        return [c for c in waiting if not pending.intersection(c.needs)][:free]

    def _skip_hopeless(self, waiting: list[Chapter], outcome: Outcome) -> None:
        lost = {*outcome.failed, *outcome.skipped}
        for chapter in plan.in_order(waiting):
            if lost.intersection(chapter.needs):
                lost.add(chapter.name)
                waiting.remove(chapter)
                outcome.skipped.append(chapter.name)
                self.tell("skipped", chapter.name, None)

    def _collect(self, running: dict[Any, Chapter], outcome: Outcome) -> None:
        finished, _ = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
        if not finished:
            self.tell("tick", "", None)
        for future in finished:
            chapter = running.pop(future)
            error = future.exception()
            if error is None:
                outcome.done[chapter.name] = future.result()
                self.tell("done", chapter.name, future.result())
            elif isinstance(error, Exception):
                outcome.failed[chapter.name] = error
                self.tell("failed", chapter.name, error)
            else:
                raise error
