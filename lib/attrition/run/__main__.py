"""``python -m attrition.run``: the command behind ``./run_all.sh``."""

import argparse
import contextlib
import difflib
import importlib
import os
import shlex
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

from attrition import engine, environment, errors, paths
from attrition.errors import ENVIRONMENT, INTERRUPTED, OK, OUTPUT, USAGE
from attrition.run import interrupts, plan

# jsonschema, which nbformat loads, would load a grammar with it for two seconds, to check links that no notebook has
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

BUG = 1
LONGEST_NAME = 80

EXAMPLES = """
examples:
  ./run_all.sh                    bring reports/report.html up to date
  ./run_all.sh --quick            a small, watermarked version in reports/quick/
  ./run_all.sh --only 03          one chapter from stored inputs
  ./run_all.sh --from modelling   a chapter and all that reads from it, redone
  ./run_all.sh --trial DIR        the real-trial chapters on your CDISC folder, in reports/trial-DIR/
  ./run_all.sh --trial patients.csv --mapping trial-mapping.toml
                                  the same on one flat table
  ./run_all.sh --trial template   write an annotated ./trial-mapping.toml
  ./run_all.sh --trial A B C      trial A, and how models carry over from trial to trial
  ./run_all.sh test               the tests
  ./run_all.sh verify             run everything elsewhere and hold it against the committed results
  ./run_all.sh lab                the notebooks in JupyterLab
  ./run_all.sh ui                 the tracked runs on http://127.0.0.1:5000 (of --quick or --out DIR, if given)

exit codes: 0 ok, 2 usage or parameters, 3 data contract, 4 environment, 5 notebook failed, 6 output, 130 interrupted
"""


def _places() -> argparse.ArgumentParser:
    """Options that say where a run writes; `ui` reads there."""
    command = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    command.add_argument("--quick", action="store_true", help="smaller sizes, watermark, own output folder")
    command.add_argument("--out", metavar="DIR", type=Path, help="write there instead of reports/")
    return command


def parser() -> argparse.ArgumentParser:
    """Command line of the run."""
    command = argparse.ArgumentParser(
        prog="run_all.sh",
        description="Run the numbered notebooks and render one report.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        parents=[_places()],
    )
    which = command.add_mutually_exclusive_group()
    which.add_argument("--only", metavar="NAME", help="run one chapter, from stored inputs")
    which.add_argument("--from", dest="start", metavar="NAME", help="redo a chapter and all that reads from it")
    command.add_argument("--force", action="store_true", help="redo everything, changed or not")
    command.add_argument(
        "--trial", metavar="PATH", nargs="+", default=[], help="your own trial: a CDISC folder, or a flat table"
    )
    command.add_argument("--mapping", metavar="FILE", nargs="+", default=[], help="which column of the table is what")
    command.add_argument("--jobs", metavar="N", type=int, default=os.cpu_count() or 2, help="notebooks at a time")
    command.add_argument(
        "--engine", choices=engine.ENGINES, default="serial", help="where simulated trials run (same numbers)"
    )
    command.add_argument("--workers", metavar="N", type=int, default=os.cpu_count() or 2, help="of the engine")
    command.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask cluster; without it one is started here")
    command.add_argument("--list", action="store_true", help="show the chapters and whether they are up to date")
    command.add_argument("--check", action="store_true", help="say what is wrong with this environment, if anything")
    options = command.format_usage().removeprefix("usage: ").rstrip()
    command.usage = f"{options}\n       run_all.sh {{{','.join([*SUB_COMMANDS, 'help'])}}} ..."
    return command


def _unknown(words: Sequence[str]) -> str:
    """What to say of words on the command line that mean nothing."""
    known = [*parser()._option_string_actions, *SUB_COMMANDS, "help"]
    near = difflib.get_close_matches(words[0].partition("=")[0], known, n=1, cutoff=0.7)
    hint = f"did you mean {near[0]}?" if near else "./run_all.sh help lists what there is"
    return f"unknown: {' '.join(words)}; {hint}"


def command_of(args: argparse.Namespace) -> str:
    """The command that the user gave, without what it picked from the chapters: for messages that tell what to run.

    Examples
    --------
    >>> command_of(parser().parse_args(["--quick", "--out", "my results", "--only", "03"]))
    "./run_all.sh --quick --out 'my results'"
    """
    words = ["./run_all.sh", *(["--quick"] if args.quick else []), *(["--out", str(args.out)] if args.out else [])]
    for name in ("trial", "mapping"):
        words += [f"--{name}", *getattr(args, name)] if getattr(args, name) else []
    return shlex.join(words)


def output_folder(args: argparse.Namespace, names: Sequence[str] = ()) -> Path:
    """Where a run writes: ``--out``, else ``reports`` (or ``reports/quick``), for own trials ``trial-NAME`` in it."""
    usual = paths.ROOT / "reports" / "quick" if args.quick else paths.ROOT / "reports"
    chosen = args.out or (usual / f"trial-{'-'.join(names)[:LONGEST_NAME]}" if names else usual)
    return chosen.resolve()


def _complain(message: object) -> None:
    print(f"run_all.sh: {message}", file=sys.stderr, flush=True)


def _selection(args: argparse.Namespace) -> tuple[tuple[plan.Chapter, ...], frozenset[str]]:
    book = plan.of_trials() if args.trial else plan.CHAPTERS
    if args.only:
        chapter = plan.find(args.only, book)
        return (chapter,), frozenset([chapter.name])
    if args.start:
        return book, frozenset(c.name for c in plan.dependants(plan.find(args.start, book), book))
    return book, frozenset(c.name for c in book) if args.force else frozenset()


def _list(request, state, inputs: str) -> int:
    from attrition.run import driver

    known = driver.keys(request, inputs)
    waiting = {c.name for c in driver.stale(request, state, known)}
    for chapter in request.chapters:
        status = "to run" if chapter.name in waiting else "up to date"
        reads = ", ".join(name[:2] for name in chapter.needs) or "nothing"
        seconds = state.seconds(chapter.name, chapter.seconds)
        print(f"{chapter.name:<22} {status:<11} about {seconds:4.0f} s, reads {reads}")
    return OK


@contextlib.contextmanager
def _engine(args: argparse.Namespace, needed: bool) -> Iterator[None]:
    """Choose the engine for the kernels; start a Dask cluster for the run unless one is named."""
    if args.engine == "dask" and not args.scheduler and needed:
        with engine.cluster(args.workers) as address:
            engine.choose("dask", args.workers, address)
            yield
        return
    engine.choose(args.engine, args.workers, args.scheduler)
    yield


def _load_ahead() -> None:
    """Load what executes and what renders while kernels start; what cannot be loaded is told when it is needed."""

    def load() -> None:
        with contextlib.suppress(Exception):
            for name in ("attrition.run.execute", "attrition.report.book"):
                importlib.import_module(name)

    threading.Thread(target=load, daemon=True).start()


@contextlib.contextmanager
def _tracked(out: Path) -> Iterator[None]:
    """While the block runs, log what the chapters have noted; one process of its own loads MLflow."""
    from attrition import tracking

    if not tracking.noted(out):
        yield
        return
    with subprocess.Popen(
        [sys.executable, "-m", "attrition", "track"], env={**os.environ, "ATTRITION_OUT": str(out)}, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            yield
        except KeyboardInterrupt:
            process.kill()
            raise
        told, _ = process.communicate()
    for line in told.splitlines() or (["the chapters' runs were not tracked"] if process.returncode else []):
        _complain(line)


def _brought(args: argparse.Namespace) -> tuple[list, str]:
    """A reader's trials, checked, and the digest of their files."""
    from attrition import trials

    brought = trials.checked(args.trial, args.mapping)
    return brought, trials.inputs(brought)


def run(args: argparse.Namespace) -> int:
    """Bring chapters and report up to date."""
    from attrition.run import driver, rendering
    from attrition.run.progress import Progress, spoken
    from attrition.run.state import State

    started = time.perf_counter()
    chapters, forced = _selection(args)
    brought, inputs = _brought(args) if args.trial else ([], "")
    os.environ["ATTRITION_COMMAND"] = command_of(args)  # notebooks tell what to run in the user's own words
    request = driver.Request(
        out=output_folder(args, [one.name for one in brought]),
        profile="quick" if args.quick else "full",
        chapters=chapters,
        forced=forced,
        jobs=args.jobs,
        trial=brought[0].name if brought else None,
    )
    state = State(request.out)
    if args.list:
        return _list(request, state, inputs)
    show = Progress()
    with state.locked():
        if brought or (request.out / paths.REGISTER).exists():
            from attrition import trials

            trials.register(brought, request.out)
        known = driver.keys(request, inputs)
        waiting = driver.stale(request, state, known)
        expected = {c.name: state.seconds(c.name, c.seconds) for c in waiting}
        show.plan(waiting, len(chapters) - len(waiting), expected, request.jobs)
        if waiting:
            _load_ahead()
        with _engine(args, bool(waiting)):
            outcome = driver.Runner(request, state, show.tell).run(waiting, known)
        for chapter, error in outcome.failed.items():
            _complain(error if isinstance(error, errors.Refusal) else f"{chapter}: {_told(error)[0]}")
        with _tracked(request.out):
            if outcome.failed:
                return errors.gravest(outcome.failed.values())
            outdated = driver.outdated(request, state, known)
            report = rendering.render(request, outdated)
    took = spoken(time.perf_counter() - started)
    missing = f"no report yet: not all chapters have been run ({paths.command()} runs the rest)"
    show.line(f"{report or missing}  (total {took})")
    if report and outdated:
        show.line(f"{rendering.told(outdated)} {paths.command()} redoes what is needed.")
    return OK


def write_template() -> int:
    """Write an annotated mapping into the current folder; an existing one stays as it is."""
    from attrition import results
    from attrition.trials import mapping

    target = Path.cwd() / "trial-mapping.toml"
    if target.exists():
        _complain(f"{target} is there already and stays as it is; move it away for a new one")
        return OUTPUT
    results.publish(target, mapping.TEMPLATE)
    print(f"an annotated mapping is in {target}: edit it, then ./run_all.sh --trial TABLE --mapping {target.name}")
    return OK


def _tests(rest: list[str]) -> int:
    side_by_side = ["-n", "2", "--dist", "loadfile"] if not rest else []
    return subprocess.call([sys.executable, "-m", "pytest", *side_by_side, *rest], cwd=paths.ROOT)


def _lab(rest: list[str]) -> int:
    place = [f"--ServerApp.root_dir={paths.ROOT}", f"--ServerApp.default_url=/lab/tree/{paths.NOTEBOOKS.name}"]
    place.append("--ServerApp.contents_manager_class=attrition.run.lab.Sources")
    usual = paths.ROOT / "reports" / "quick"
    os.environ.setdefault("ATTRITION_OUT", str(usual))  # the committed report stays as it is
    elsewhere = [] if paths.out() == usual else ["--out", str(paths.out())]
    os.environ["ATTRITION_COMMAND"] = shlex.join(["./run_all.sh", "--quick", *elsewhere])
    scratch = os.environ | {"JUPYTER_PREFER_ENV_PATH": "1"}  # no kernel of the user's own
    print(f"what notebooks write goes to {paths.out()}, where {paths.command()} leaves what they need", flush=True)
    return subprocess.call([sys.executable, "-m", "jupyterlab", "--ServerApp.ip=127.0.0.1", *place, *rest], env=scratch)


def _tracked_runs(rest: list[str]) -> int:
    from attrition import tracking

    given, rest = _places().parse_known_args(rest)
    usual = [paths.ROOT / "reports", paths.ROOT / "reports" / "quick"]
    asked = [output_folder(given)] if given.quick or given.out else [paths.out(), *usual]
    os.environ["ATTRITION_OUT"] = str(next(filter(tracking.kept, asked), asked[0]))
    kept = "" if tracking.kept(paths.out()) else f"; none yet: {paths.command()} makes them"
    which = os.environ.get("MLFLOW_TRACKING_URI") or paths.out()
    with _tracked(paths.out()):  # of notebooks that were run by hand
        pass
    print(f"tracked runs of {which} on http://127.0.0.1:5000 (Ctrl-C ends){kept}", flush=True)
    where = ["--host", "127.0.0.1", "--port", "5000", "--backend-store-uri", tracking.store_uri()]
    return subprocess.call([sys.executable, "-m", "mlflow", "ui", *where, *rest], env=tracking.environment())


def _verify(rest: list[str]) -> int:
    """Run the whole report in a scratch folder and hold its results against the committed ones."""
    from attrition.run import compare

    with tempfile.TemporaryDirectory(prefix="verify-") as folder:
        code = run(parser().parse_args(["--out", folder, *rest]))
        return code or compare.main([str(paths.ROOT / "reports" / "results"), str(Path(folder) / "results")])


SUB_COMMANDS = {"test": _tests, "lab": _lab, "ui": _tracked_runs, "verify": _verify}


def main(argv: list[str] | None = None) -> int:
    """Parse, run, and turn every failure into one message and an exit code."""
    words = sys.argv[1:] if argv is None else argv
    if words[:1] == ["help"]:
        words = ["--help"]
    if words[:1] and words[0] in SUB_COMMANDS:
        return SUB_COMMANDS[words[0]](words[1:])
    args, unknown = parser().parse_known_args(words)
    if unknown:
        _complain(_unknown(unknown))
        return USAGE
    if args.check:
        return environment.check(output_folder(args))
    if problem := environment.hopeless():
        _complain(problem)
        return ENVIRONMENT
    if args.jobs < 1:
        _complain("--jobs must be at least 1")
        return USAGE
    if args.workers < 1 or (args.scheduler and args.engine != "dask"):
        _complain("--workers must be at least 1" if args.workers < 1 else "--scheduler goes with --engine dask")
        return USAGE
    if args.mapping and not args.trial:
        _complain("--mapping goes with --trial TABLE")
        return USAGE
    return write_template() if args.trial == ["template"] else run(args)


def _told(error: Exception) -> tuple[str, int]:
    """What to say of a failure, without a traceback, and the exit code."""
    if isinstance(error, errors.Refusal):
        return str(error), error.exit_code
    if isinstance(error, MemoryError | ImportError | SystemError):  # the last: an extension that found no memory
        which = getattr(error, "name", None) or "too little memory?"
        what = f"a package cannot be loaded ({which})" if isinstance(error, ImportError) else "memory ran out"
        return f"{what}; ./run_all.sh --check says what is missing", ENVIRONMENT
    if isinstance(error, OSError):
        place = f": {error.filename}" if error.filename else ""
        what = "cannot write" if error.errno in errors.FULL else "cannot read or write"
        return f"{what}: {error.strerror or type(error).__name__}{place}", OUTPUT
    return f"this is a fault of the program: {type(error).__name__} at {_origin(error)}", BUG


def _origin(error: BaseException) -> str:
    """Where in this library an error arose; its text could hold anything, so it stays unsaid."""
    library = str(Path(__file__).parents[1])
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(library)]
    return f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else "an unknown place"


def command_line(argv: list[str] | None = None) -> int:
    """`main`, with every failure turned into one message on stderr and an exit code."""
    try:
        interrupts.install()
        return main(argv)
    except KeyboardInterrupt:
        return _interrupted()
    except SystemExit as end:  # argparse has said what is wrong
        return end.code if isinstance(end.code, int) else USAGE
    except Exception as error:
        if interrupts.asked():
            return _interrupted()
        message, code = _told(error)
        _complain(message)
        return code


def _interrupted() -> int:
    with contextlib.suppress(ImportError):  # interrupted while packages were loaded: there is no kernel yet
        from attrition.run import driver

        driver.stop_kernels()
    _complain("interrupted; finished chapters stay, the rest is redone next time")
    return INTERRUPTED


if __name__ == "__main__":
    code = command_line()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # threads that wait for a kernel would keep the process alive
