"""Many notebooks, side by side, then the report: one process, threads, a lock, and no kernel left behind.

Also what the report says of how it was made.
"""

import contextlib
import importlib
import platform
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import psutil

from notebook_report import project, sources, state, text

Keys = dict[str, tuple[str, str]]  # code key and own key by chapter, see `sources`
# Modules that execute and render, which no chapter reaches
MAKERS = ("notebook_report.execute", "notebook_report.book")
# What a package is called where it is installed, if not as it is imported
CALLED = text.VOCABULARY["called"]


class Own(NamedTuple):
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
    kept = {c.name for c in request.chapters if left.up_to_date(c.name, known[c.name][1])} - request.forced
    return [chapter for chapter in project.in_order(request.chapters) if chapter.name not in kept]


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
    modules = {name.partition(".")[0] for name in taken}
    called = {CALLED.get(module, module).replace("_", "-").lower() for module in modules}
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
    left, target = state.State(request.out), request.out / "report.html"
    made = how_it_was_made(request, outdated)
    parts = sorted(p for p in Path(__file__).parent.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    key = sources.digest(str(made), *(sources.file_digest(path) for path in [*chapters, *parts, *sources.bound()]))
    if not left.up_to_date("report", key) or not target.exists():
        from notebook_report import book

        book.build(chapters, request.out, made, quick=request.profile == "quick", outdated=told(outdated))
        left.record("report", key, [target], 0)
    return target


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
        print("\r\033[K" * self.live + text, file=self.stream, flush=True)

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
