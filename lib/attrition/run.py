"""``python -m attrition.run``, the command behind ``./run_all.sh``: with a reader's trials, engines and tracking.

examples:
  ./run_all.sh                    bring reports/report.html up to date
  ./run_all.sh --quick            a small, watermarked version in reports/quick/
  ./run_all.sh --only 03          one chapter from stored inputs
  ./run_all.sh --from modelling   a chapter and all that reads from it, redone
  ./run_all.sh --trial DIR        the real-trial chapters on your CDISC folder, in reports/trial-DIR/
  ./run_all.sh --trial patients.csv --mapping trial-mapping.toml
                                  the same on one flat table
  ./run_all.sh --trial DIR --cut 2026-05-31
                                  the same as on that day: how many will leave, from what was known
  ./run_all.sh --trial DIR --describe
                                  what is understood of it, and a mapping with choices to edit; nothing runs
  ./run_all.sh --trial DIR --release
                                  also a report to hand on: no count of 1 to 7, curves by week, no names
  ./run_all.sh --trial template   write an annotated ./trial-mapping.toml
  ./run_all.sh --trial A B C      trial A, and how models carry over from trial to trial
  ./run_all.sh test               the tests
  ./run_all.sh verify             run everything elsewhere and hold it against the committed results
  ./run_all.sh lab                the notebooks in JupyterLab
  ./run_all.sh ui                 the tracked runs on http://127.0.0.1:5000 (of --quick or --out DIR, if given)

the published quick start, see docs/using.md:
  python -m attrition simulate --n 1000 --seed 42 --out trial.csv
  ./run_all.sh
  ./run_all.sh ui
  python -m attrition score data/example_patients.csv --out scored.csv
  python -m attrition simulate --n 200 --seed 43 --out batch.csv
  python -m attrition monitor batch.csv
  python -m attrition retrain batch.csv --out retrained
  python -m attrition score pilot --model reports/model --anyway --out risks.csv

exit codes: 0 ok, 2 usage or parameters, 3 data contract, 4 environment, 5 notebook failed, 6 output, 130 interrupted
"""

import argparse
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrition import engine, environment, paths
from notebook_report.command import Command, Misused, complain, output_folder, places
from notebook_report.errors import OK, OUTPUT


class TrialCommand(Command):
    """The command line of this study."""

    def __init__(self) -> None:
        super().__init__(examples=str(__doc__).partition("\n\n")[2])
        self.sub_commands = self.sub_commands | {"ui": self.ui}
        self.brought: list = []

    def options(self, parser: argparse.ArgumentParser) -> None:
        """A reader's own trials, and where simulated trials run."""
        add = parser.add_argument
        add("--trial", metavar="PATH", nargs="+", default=[], help="your own trial: a CDISC folder, or a flat table")
        help = "which column of a table is what; a folder's choices"
        add("--mapping", metavar="FILE", nargs="+", default=[], help=help)
        add("--cut", metavar="DATE", default="", help="put --trial back to this day: nothing dated later is read")
        help = "also a report of --trial to hand on, without cells of fewer than N patients (8 unless N is given)"
        add("--release", metavar="N", nargs="?", type=int, const=0, help=help)
        add("--describe", action="store_true", help="say what is understood of --trial, write a mapping, run nothing")
        where = "where independent tasks run: processes with --trial, else serial (same numbers)"
        add("--engine", choices=engine.ENGINES, help=where)
        add("--workers", metavar="N", type=int, default=os.cpu_count() or 2, help="of the engine")
        add("--scheduler", metavar="ADDRESS", help="of a Dask cluster; without it one is started here")

    def refuse(self, args: argparse.Namespace) -> None:
        """Options that need another one, and too little memory to load packages."""
        if args.workers < 1:
            raise Misused("--workers must be at least 1")
        if args.scheduler and args.engine != "dask":
            raise Misused("--scheduler goes with --engine dask")
        if args.release is not None and (args.release < 0 or args.release == 1):
            raise Misused("--release must be at least 2")
        for name in ("mapping", "cut", "release", "describe"):
            if getattr(args, name) not in (None, False, "", []) and not args.trial:
                raise Misused(f"--{name} goes with --trial PATH")
        if problem := environment.hopeless():
            raise engine.EngineError(problem)

    def instead(self, args: argparse.Namespace) -> int | None:
        """``--trial template``, and ``--describe``."""
        if args.describe:
            from attrition import trials

            print(trials.describe(args.trial, args.mapping, Path.cwd() / paths.MAPPING))
            return OK
        return write_template() if args.trial == ["template"] else None

    def given(self, args: argparse.Namespace) -> list[str]:
        """Trials and mappings."""
        words = {"--trial": args.trial, "--mapping": args.mapping, "--cut": [args.cut] if args.cut else []}
        return [word for name, values in words.items() if values for word in (name, *values)]

    def check(self, out: Path) -> int:
        """Interpreter, packages, disk, memory."""
        return environment.check(out)

    def own(self, args: argparse.Namespace) -> Any:
        """A reader's trials, each read once and held against the leak guard."""
        if not args.trial:
            return None
        from attrition import trials
        from attrition.landmark import evaluation
        from notebook_report.driver import Own

        self.brought = trials.checked(args.trial, args.mapping, evaluation.check_all, args.cut)
        names = [one.name for one in self.brought]
        files = tuple(path for one in self.brought for path in one.files())
        return Own(names[0], ("--trial", *names), trials.inputs(self.brought), files)

    def prepare(self, args: argparse.Namespace, out: Path) -> None:
        """Leave the register of trials where notebooks find them by name."""
        if self.brought or (out / paths.REGISTER).exists():
            from attrition import trials

            trials.register(self.brought, out)

    @contextlib.contextmanager
    def chapters(self, args: argparse.Namespace, needed: bool) -> Iterator[None]:
        """Choose the engine for the kernels; start a Dask cluster for the run unless one is named."""
        with contextlib.ExitStack() as stack:
            own = args.engine == "dask" and not args.scheduler and needed
            address = stack.enter_context(engine.cluster(args.workers)) if own else args.scheduler
            engine.choose(args.engine or ("processes" if args.trial else "serial"), args.workers, address)
            yield

    def run(self, args: argparse.Namespace) -> int:
        """Bring chapters and report up to date; after a full run DVC's files are true as well."""
        code = super().run(args)
        whole = not (args.trial or args.list or args.only or args.quick)
        if code == OK and whole and output_folder(args) == paths.ROOT / "reports":
            from attrition import versions
            from notebook_report import results

            results.renew(versions.everything())
        return code

    @contextlib.contextmanager
    def report(self, out: Path) -> Iterator[None]:
        """Log, while the report is made, what the chapters have left; one process of its own loads MLflow."""
        from attrition import tracking

        if not tracking.waiting(out):
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
            complain(line)

    def last_lines(self, args: argparse.Namespace, out: Path) -> list[str]:
        """Of a reader's own trial: how many cells are about few patients, and where the released report is."""
        if not args.trial:
            return []
        from attrition import disclosure

        fewest = args.release or disclosure.FEWEST
        told = f"{len(disclosure.listed(out, fewest))} cells are about fewer than {fewest} patients"
        if args.release is not None:
            return [f"{disclosure.release(out, fewest)}  (to hand on; {told} in the report above)"]
        return [f"not to hand on: {told} (python -m attrition disclose {out}); --release makes a report without them"]

    def ui(self, rest: list[str]) -> int:
        """The tracked runs in MLflow's own pages."""
        from attrition import tracking

        parser = argparse.ArgumentParser(parents=[places()], add_help=False, allow_abbrev=False)
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=5000)
        given, rest = parser.parse_known_args(rest)
        _refuse_taken(given.host, given.port)
        usual = [paths.ROOT / "reports", paths.ROOT / "reports" / "quick"]
        asked = [output_folder(given)] if given.quick or given.out else [paths.out(), *usual]
        os.environ["ATTRITION_OUT"] = str(next(filter(tracking.kept, asked), asked[0]))
        kept = "" if tracking.kept(paths.out()) else f"; none yet: {paths.command()} makes them"
        which = os.environ.get("MLFLOW_TRACKING_URI") or paths.out()
        print(f"tracked runs of {which} on http://{given.host}:{given.port} (Ctrl-C ends){kept}", flush=True)
        where = ["--host", given.host, "--port", str(given.port), "--backend-store-uri", tracking.store_uri()]
        return subprocess.call([sys.executable, "-m", "mlflow", "ui", *where, *rest], env=tracking.environment())


def _refuse_taken(host: str, port: int) -> None:
    """Refuse a port on which another program listens, or that nobody may take."""
    try:
        socket.create_server((host, port)).close()
    except (OSError, OverflowError):
        free = f"{paths.command()} ui --port {5001 if port != 5001 else 5002}"
        raise Misused(f"port {port} of {host} is taken by another program, or not ours to take; try {free}") from None


def write_template() -> int:
    """Write an annotated mapping into the current folder; an existing one stays as it is."""
    from attrition.trials import mapping
    from notebook_report import results

    if (target := Path.cwd() / paths.MAPPING).exists():
        complain(f"{target} is there already and stays as it is; move it away for a new one")
        return OUTPUT
    results.publish(target, mapping.TEMPLATE)
    print(f"an annotated mapping is in {target}: edit it, then ./run_all.sh --trial TABLE --mapping {target.name}")
    return 0


if __name__ == "__main__":
    TrialCommand().exit()
