"""Many notebooks, side by side, then the report: one process, threads, a lock, and no kernel left behind."""

import importlib
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

import psutil

from notebook_report import project, sources, state

Keys = dict[str, tuple[str, str]]  # code key and own key by chapter, see `sources`


@dataclass(frozen=True)
class Own:
    """A reader's own data: value of the notebooks' parameter, words of the command as the report has them, a digest.

    The `files` are named with their checksums in the report; places never are.
    """

    name: str
    words: tuple[str, ...]
    inputs: str
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Request:
    """What to run: chapters, those of them to redo in any case, at which sizes, how many at a time, on which data."""

    out: Path
    profile: str = "full"
    chapters: tuple[project.Chapter, ...] = ()
    forced: frozenset[str] = frozenset()
    jobs: int = 2
    own: Own | None = None

    @property
    def book(self) -> tuple[project.Chapter, ...]:
        """Chapters of the report: all, or those that run on a reader's own data."""
        return project.on_own_data() if self.own else project.current.chapters

    def parameters(self, chapter: project.Chapter, seed: int) -> dict[str, Any]:
        """Values for the notebook's parameter cell."""
        name, usual = chapter.own or ("", None)
        own = {name: self.own.name if self.own else usual} if name else {}
        return {"profile": self.profile, "seed": seed} | own

    def resolved(self) -> dict[str, Any]:
        """The project's parameters for this profile."""
        return importlib.import_module(project.current.params).read(self.profile)


@dataclass
class Outcome:
    """What a run did: chapters redone with their seconds, failures."""

    done: dict[str, float] = field(default_factory=dict)
    failed: dict[str, Exception] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)


def keys(request: Request) -> Keys:
    """Keys of every chapter that is asked for or stands in the report, and of those it reads from."""
    resolved = request.resolved()
    found: Keys = {}
    for chapter in project.with_needs((*request.chapters, *request.book)):
        values = request.parameters(chapter, resolved["seed"]) | asdict(resolved[chapter.name])
        inputs = request.own.inputs if request.own and chapter.own else ""
        key = sources.code_key(chapter, values, [found[name][0] for name in chapter.needs], inputs)
        found[chapter.name] = key, sources.own_key(chapter, key)
    return found


def stale(request: Request, left: state.State, known: Keys) -> list[project.Chapter]:
    """Requested chapters that have to be redone, in order."""
    return [
        chapter
        for chapter in project.in_order(request.chapters)
        if chapter.name in request.forced or not left.up_to_date(chapter.name, known[chapter.name][1])
    ]


def outdated(request: Request, left: state.State, known: Keys) -> list[str]:
    """Names of the report's chapters that are not as the sources have them: made before a change, or elsewhere."""
    return [c.name for c in request.book if not left.up_to_date(c.name, known[c.name][1])]


def stop_kernels() -> None:
    """End every process that this one started."""
    state.end(psutil.Process().children(recursive=True))


class Runner:
    """Runs stale chapters as soon as what they need is there, the longest way first.

    Its `tell` receives ``(event, chapter name, seconds or error)`` with event one of ``start``, ``done``, ``failed``,
    ``skipped``, and ``tick`` when nothing has happened for a while.
    """

    def __init__(self, request: Request, left: state.State, tell: Callable[[str, str, Any], None]):
        self.request, self.state, self.tell = request, left, tell
        self.seed = request.resolved()["seed"]

    def _run(self, chapter: project.Chapter, key: str) -> float:
        from notebook_report.execute import run_notebook

        started = time.perf_counter()
        target = self.request.out / "executed" / f"{chapter.name}.ipynb"
        target.parent.mkdir(parents=True, exist_ok=True)
        self.state.start_journal(chapter.name)
        self.tell("start", chapter.name, None)
        values = self.request.parameters(chapter, self.seed)
        try:
            run_notebook(chapter.notebook, target, values, self.request.out, self.request.own is not None)
            self.state.publish_tables(chapter.name)
        finally:
            self.state.discard_tables(chapter.name)
        seconds = time.perf_counter() - started
        self.state.record(chapter.name, key, [*self.state.written(chapter.name), target], seconds)
        return seconds

    def run(self, chapters: list[project.Chapter], known: Keys) -> Outcome:
        """Run `chapters`; what depends on a failed one is skipped, the rest still runs."""
        way = project.longest_way(chapters, {c.name: self.state.seconds(c.name, c.seconds) for c in chapters})
        outcome, waiting = Outcome(), sorted(chapters, key=lambda c: -way[c.name])
        running: dict[Future, project.Chapter] = {}
        pool = ThreadPoolExecutor(self.request.jobs)
        try:
            while waiting or running:
                self._skip_hopeless(waiting, outcome)
                pending = {c.name for c in [*waiting, *running.values()]}
                ready = [c for c in waiting if not pending.intersection(c.needs)]
                for chapter in ready[: self.request.jobs - len(running)]:
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

    def _skip_hopeless(self, waiting: list[project.Chapter], outcome: Outcome) -> None:
        lost = {*outcome.failed, *outcome.skipped}
        for chapter in project.in_order(waiting):
            if lost.intersection(chapter.needs):
                lost.add(chapter.name)
                waiting.remove(chapter)
                outcome.skipped.append(chapter.name)
                self.tell("skipped", chapter.name, None)

    def _collect(self, running: dict[Future, project.Chapter], outcome: Outcome) -> None:
        finished, _ = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
        if not finished:
            self.tell("tick", "", None)
        for future in finished:
            name, error = running.pop(future).name, future.exception()
            if error is None:
                outcome.done[name] = future.result()
                self.tell("done", name, future.result())
            elif isinstance(error, Exception):
                outcome.failed[name] = error
                self.tell("failed", name, error)
            else:
                raise error


def spoken(seconds: float) -> str:
    """A duration as people say it.

    >>> spoken(3.21), spoken(75)
    ('3.2 s', '1 min 15 s')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"


class Progress:
    """What a reader sees while a run is on: plain lines, and in a terminal one live line with what is running."""

    def __init__(self, stream: TextIO | None = None):
        self.stream = stream or sys.stdout
        self.live = self.stream.isatty()
        self.started: dict[str, float] = {}
        self.total = self.finished = 0
        self.lock = threading.Lock()

    def line(self, text: str) -> None:
        """Print one line for good."""
        clear = "\r\033[K" if self.live else ""
        print(f"{clear}{text}", file=self.stream, flush=True)

    def plan(self, chapters: list[project.Chapter], kept: int, expected: dict[str, float], jobs: int) -> None:
        """Say what will be done and how long it should take."""
        self.total = len(chapters)
        if not chapters:
            self.line(f"nothing to redo: {kept} chapters are up to date")
            return
        at_least = max(max(expected.values()), sum(expected.values()) / jobs)
        self.line(f"{self.total} chapters to run ({kept} up to date), {jobs} at a time, about {spoken(at_least)}:")
        for chapter in chapters:
            self.line(f"  {chapter.name:<22} about {spoken(expected[chapter.name])}")

    def tell(self, event: str, name: str, detail: Any) -> None:
        """Receive an event of the runner."""
        with self.lock:
            if event == "start":
                self.started[name] = time.perf_counter()
            elif event != "tick":
                self.started.pop(name, None)
                self.finished += 1
                done = f"done in {spoken(detail)}" if event == "done" else "FAILED"
                words = "skipped: it needs a chapter that failed" if event == "skipped" else done
                self.line(f"[{self.finished}/{self.total}] {name:<22} {words}")
            if self.live and self.started:
                now = time.perf_counter()
                running = ", ".join(f"{name} {spoken(now - since)}" for name, since in sorted(self.started.items()))
                self.stream.write(f"\r\033[K  running: {running}")
                self.stream.flush()
