"""The command line of a project: which chapters to run, where to, and every failure as one message and an exit code."""

import argparse
import contextlib
import difflib
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from notebook_report import errors, project
from notebook_report.project import Chapter

# jsonschema, which nbformat loads, would load a grammar with it for two seconds, to check links that no notebook has
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

BUG = 1
LONGEST_NAME = 80
Context = contextlib.AbstractContextManager[None]
# How a run is asked to stop: Ctrl-C, a polite kill, a terminal that goes away
SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
_asked = threading.Event()  # whether it was: a package that is being loaded may make another error of it


class Misused(errors.Refusal, ValueError):
    """Words on the command line that mean nothing, or not together."""

    exit_code = errors.USAGE


class Interrupted(KeyboardInterrupt):
    """The run was asked to stop."""


def _raise_interrupted(*_: Any) -> None:
    _asked.set()
    for number in SIGNALS:  # once is enough: a second Ctrl-C must not tear the clearing up
        signal.signal(number, signal.SIG_IGN)
    raise Interrupted


def install() -> None:
    """Turn the first such signal into `Interrupted` in the main thread."""
    _asked.clear()
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN or number == signal.SIGINT:  # nohup stays in force
                signal.signal(number, _raise_interrupted)


def complain(message: object) -> None:
    """Say what is wrong, in the name of the command."""
    print(f"{Path(project.current.command).name}: {message}", file=sys.stderr, flush=True)


def places() -> argparse.ArgumentParser:
    """Options that say where a run writes."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--quick", action="store_true", help="smaller sizes, watermark, own output folder")
    parser.add_argument("--out", metavar="DIR", type=Path, help="write there instead of reports/")
    return parser


def output_folder(args: argparse.Namespace, own: str = "") -> Path:
    """Where a run writes: ``--out``, else ``reports`` or ``reports/quick``, for a reader's own data a folder in it."""
    usual = project.current.reports / ("quick" if args.quick else "")
    return (args.out or usual / own[:LONGEST_NAME]).resolve()


class Command:
    """The command line; a project's own says what is special about it by overriding the first methods."""

    def __init__(self, examples: str = "") -> None:
        self.examples = examples
        own: dict[str, Callable[[list[str]], int]] = {"test": self._tests, "lab": self._lab, "verify": self._verify}
        self.sub_commands = own

    def options(self, parser: argparse.ArgumentParser) -> None:
        """Add the project's own options."""

    def refuse(self, args: argparse.Namespace) -> None:
        """Raise what is wrong with the project's own options (`Misused`) or with this machine."""

    def instead(self, args: argparse.Namespace) -> int | None:
        """Do something else than run chapters, if the options say so, and give the exit code."""
        return None

    def given(self, args: argparse.Namespace) -> list[str]:
        """The project's own options as the user gave them, for messages that tell what to run."""
        return []

    def check(self, out: Path) -> int:
        """Say what is wrong with this environment, if anything, and give the exit code."""
        return errors.OK

    def own(self, args: argparse.Namespace) -> Any:
        """A reader's own data (`driver.Own`), checked, if the options name some."""
        return None

    def prepare(self, args: argparse.Namespace, out: Path) -> None:
        """Leave in the output folder, which is locked, what notebooks must find there."""

    def chapters(self, args: argparse.Namespace, needed: bool) -> Context:
        """Around the chapters' run."""
        return contextlib.nullcontext()

    def report(self, out: Path) -> Context:
        """Around the making of the report."""
        return contextlib.nullcontext()

    def last_lines(self, args: argparse.Namespace, out: Path) -> list[str]:
        """What to say, and before that to do, once the report is made and up to date."""
        return []

    def parser(self) -> argparse.ArgumentParser:
        """Command line of the run."""
        name = Path(project.current.command).name
        parser = argparse.ArgumentParser(
            prog=name,
            description="Run the numbered notebooks and render one report.",
            epilog=self.examples,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
            parents=[places()],
        )
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--only", metavar="NAME", help="run one chapter, from stored inputs")
        which.add_argument("--from", dest="start", metavar="NAME", help="redo a chapter and all that reads from it")
        parser.add_argument("--force", action="store_true", help="redo everything, changed or not")
        parser.add_argument("--jobs", metavar="N", type=int, default=os.cpu_count() or 2, help="notebooks at a time")
        self.options(parser)
        parser.add_argument("--list", action="store_true", help="show the chapters and whether they are up to date")
        parser.add_argument("--check", action="store_true", help="say what is wrong with this environment, if anything")
        options = parser.format_usage().removeprefix("usage: ").rstrip()
        parser.usage = f"{options}\n       {name} {{{','.join([*self.sub_commands, 'help'])}}} ..."
        return parser

    def told_as(self, args: argparse.Namespace) -> str:
        """The command that the user gave, without what it picked from the chapters."""
        words = [*(["--quick"] if args.quick else []), *(["--out", str(args.out)] if args.out else [])]
        return shlex.join([project.current.command, *words, *self.given(args)])

    def _unknown(self, words: Sequence[str]) -> str:
        """What to say of words on the command line that mean nothing."""
        known = [*self.parser()._option_string_actions, *self.sub_commands, "help"]
        near = difflib.get_close_matches(words[0].partition("=")[0], known, n=1, cutoff=0.7)
        hint = f"did you mean {near[0]}?" if near else f"{project.current.command} help lists what there is"
        return f"unknown: {' '.join(words)}; {hint}"

    @staticmethod
    def _selection(args: argparse.Namespace, book: tuple[Chapter, ...]) -> tuple[tuple[Chapter, ...], frozenset[str]]:
        """Chapters to bring up to date, and names of those to redo in any case."""
        if args.only:
            chapter = project.find(args.only, book)
            return (chapter,), frozenset([chapter.name])
        if args.start:
            return book, frozenset(c.name for c in project.dependants(project.find(args.start, book), book))
        return book, frozenset(c.name for c in book) if args.force else frozenset()

    def run(self, args: argparse.Namespace) -> int:
        """Bring chapters and report up to date."""
        from notebook_report import driver
        from notebook_report.state import State

        started = time.perf_counter()
        if args.only or args.start:
            project.find(args.only or args.start)  # a slip is told before a reader's data are read
        own = self.own(args)
        chapters, forced = self._selection(args, project.on_own_data() if own else project.current.chapters)
        os.environ[project.current.variable("COMMAND")] = self.told_as(args)
        out = output_folder(args, "-".join([own.words[0].lstrip("-"), *own.words[1:]]) if own else "")
        request = driver.Request(out, "quick" if args.quick else "full", chapters, forced, args.jobs, own)
        state = State(out)
        if args.list:
            return _list(request, state)
        show = driver.Progress()
        with state.locked():
            self.prepare(args, out)
            known = driver.keys(request)
            waiting = driver.stale(request, state, known)
            expected = {c.name: state.seconds(c.name, c.seconds) for c in waiting}
            show.plan(waiting, len(chapters) - len(waiting), expected, request.jobs)
            with self.chapters(args, bool(waiting)):
                outcome = driver.Runner(request, state, show.tell).run(waiting, known)
            for chapter, error in outcome.failed.items():
                complain(error if isinstance(error, errors.Refusal) else f"{chapter}: {_told(error)[0]}")
            with self.report(out):
                if outcome.failed:
                    return errors.gravest(outcome.failed.values())
                outdated = driver.outdated(request, state, known)
                report = driver.render(request, outdated)
            more = self.last_lines(args, out) if report and not outdated else []
        took = driver.spoken(time.perf_counter() - started)
        missing = f"no report yet: not all chapters have been run ({project.command()} runs the rest)"
        show.line(f"{report or missing}  (total {took})")
        if report and outdated:
            show.line(f"{driver.told(outdated)} {project.command()} redoes what is needed.")
        for line in more:
            show.line(line)
        return errors.OK

    def _tests(self, rest: list[str]) -> int:
        side_by_side = ["-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"] if not rest else []
        return subprocess.call([sys.executable, "-m", "pytest", *side_by_side, *rest], cwd=project.current.root)

    def _lab(self, rest: list[str]) -> int:
        usual, out = project.current.reports / "quick", project.current.variable("OUT")
        os.environ.setdefault(out, str(usual))  # the committed report stays as it is
        elsewhere = [] if project.out() == usual else ["--out", str(project.out())]
        told = shlex.join([project.current.command, "--quick", *elsewhere])
        os.environ[project.current.variable("COMMAND")] = told
        print(f"what notebooks write goes to {project.out()}, where {told} leaves what they need", flush=True)
        settings: dict[str, Any] = {"ip": "127.0.0.1", "contents_manager_class": "notebook_report.lab.Sources"}
        settings |= {"root_dir": project.current.root, "default_url": f"/lab/tree/{project.current.notebooks}"}
        words = [f"--ServerApp.{name}={value}" for name, value in settings.items()]
        # no kernel of the user's own
        scratch = os.environ | project.current.environment() | {"JUPYTER_PREFER_ENV_PATH": "1"}
        return subprocess.call([sys.executable, "-m", "jupyterlab", *words, *rest], env=scratch)

    def _verify(self, rest: list[str]) -> int:
        """Run the whole report in a scratch folder and hold its results against the committed ones."""
        from notebook_report import compare

        with tempfile.TemporaryDirectory(prefix="verify-") as folder:
            code = self.run(self.parser().parse_args(["--out", folder, *rest]))
            return code or compare.main([str(project.current.reports / "results"), str(Path(folder) / "results")])

    def main(self, argv: list[str] | None = None) -> int:
        """Parse and run."""
        words = sys.argv[1:] if argv is None else argv
        if words[:1] == ["help"]:
            words = ["--help"]
        if words[:1] and words[0] in self.sub_commands:
            return self.sub_commands[words[0]](words[1:])
        args, unknown = self.parser().parse_known_args(words)
        if unknown:
            raise Misused(self._unknown(unknown))
        if args.check:
            return self.check(output_folder(args))
        if args.jobs < 1:
            raise Misused("--jobs must be at least 1")
        self.refuse(args)
        done = self.instead(args)
        return self.run(args) if done is None else done

    def line(self, argv: list[str] | None = None) -> int:
        """`main`, with every failure turned into one message on stderr and an exit code."""
        try:
            install()
            return self.main(argv)
        except KeyboardInterrupt:
            return _interrupted()
        except SystemExit as end:  # argparse has said what is wrong
            return end.code if isinstance(end.code, int) else errors.USAGE
        except Exception as error:
            if _asked.is_set():
                return _interrupted()
            message, code = _told(error)
            complain(message)
            return code

    def exit(self) -> None:
        """`line`, as the end of the process."""
        errors.outlive_readers()
        code = self.line()
        try:
            sys.stdout.flush()
        except OSError as error:  # a full disk, for one
            message, code = _told(error)
            complain(message)
        os._exit(code)  # threads that wait for a kernel would keep the process alive


def _list(request, state) -> int:
    from notebook_report import driver

    waiting = {c.name for c in driver.stale(request, state, driver.keys(request))}
    for chapter in request.chapters:
        status = "to run" if chapter.name in waiting else "up to date"
        reads = ", ".join(name[:2] for name in chapter.needs) or "nothing"
        seconds = state.seconds(chapter.name, chapter.seconds)
        print(f"{chapter.name:<22} {status:<11} about {seconds:4.0f} s, reads {reads}")
    return errors.OK


def _told(error: Exception) -> tuple[str, int]:
    """What to say of a failure, without a traceback, and the exit code."""
    if isinstance(error, errors.Refusal):
        return str(error), error.exit_code
    if isinstance(error, MemoryError | ImportError | SystemError):  # the last: an extension that found no memory
        which = getattr(error, "name", None) or "too little memory?"
        what = f"a package cannot be loaded ({which})" if isinstance(error, ImportError) else "memory ran out"
        return f"{what}; {project.current.command} --check says what is missing", errors.ENVIRONMENT
    if isinstance(error, OSError):
        place = f": {error.filename}" if error.filename else ""
        what = "cannot write" if error.errno in errors.FULL else "cannot read or write"
        return f"{what}: {error.strerror or type(error).__name__}{place}", errors.OUTPUT
    return f"this is a fault of the program: {type(error).__name__} at {_origin(error)}", BUG


def _origin(error: BaseException) -> str:
    """Where in the project's packages an error arose; its text could hold anything, so it stays unsaid."""
    ours = (str(project.library()), str(Path(__file__).parent))
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(ours)]
    return f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else "an unknown place"


def _interrupted() -> int:
    with contextlib.suppress(ImportError):  # interrupted while packages were loaded: there is no kernel yet
        from notebook_report import driver

        driver.stop_kernels()
    complain("interrupted; finished chapters stay, the rest is redone next time")
    return errors.INTERRUPTED
