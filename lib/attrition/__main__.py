"""``python -m attrition score PATIENTS.csv``: score new patients, or those of a trial by a model of one's own;
``project TRIAL --cut DATE``: how many will leave; ``disclose OUT``: which cells of a report are about few patients.

``simulate --out FILE``: a simulated trial; ``monitor BATCH.csv``: is the model still right for these patients;
``retrain DATA.csv --out FOLDER``: a model of new data, champion if it is better.

For the repository itself: ``versions`` (checksums and pointers of the data), ``readme`` (findings in the README, map of
the figures), ``track`` (log chapters), ``study`` (simulations that are too long for the report).
"""

import argparse
import contextlib
import errno
import gc
import json
import os
import sys
import time
import warnings
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from attrition import settings
from notebook_report import errors, results

TYPES = {"int": int, "path": Path}


def parser() -> argparse.ArgumentParser:
    """Command line of models and data in use."""
    command = argparse.ArgumentParser(prog="python -m attrition", description="Use a trained model.")
    tasks = command.add_subparsers(dest="task", required=True)
    for name, about in settings.declared(__file__, "tasks.yaml").items():
        task = tasks.add_parser(name, help=about["help"], epilog=about.get("epilog"))
        for argument, how in about.get("arguments", {}).items():
            task.add_argument(argument, **how | ({"type": TYPES[how["type"]]} if "type" in how else {}))
    tasks.choices["study"].set_defaults(jobs=os.cpu_count() or 1)
    return command


def _threshold(word: str) -> float:
    from attrition.score import PRESETS

    with contextlib.suppress(ValueError):
        value = PRESETS[word] if word in PRESETS else float(word)
        if 0 < value < 1:
            return value
    raise argparse.ArgumentTypeError(f"--threshold {word}: a number between 0 and 1, or one of {', '.join(PRESETS)}")


def _as_text(scored: pd.DataFrame) -> pd.DataFrame:
    """Numbers with six decimals, alike in pieces with and without refused rows (and much faster than pandas)."""
    numbers = {name: pd.to_numeric(scored[name]).tolist() for name in ("probability", "ci_low", "ci_high")}
    texts = {name: ["" if x != x else f"{x:.6f}" for x in cells] for name, cells in numbers.items()}
    return scored.assign(**results.inert(scored[["patient_id"]]), **texts)  # the one column whose text is not ours


def _write(pieces: Iterable[pd.DataFrame], target: Path) -> dict[str, int]:
    """Write pieces to a temporary file, renamed when all are there; count rows on the way."""
    counts, told = {"rows": 0, "refused": 0, "outside": 0}, time.perf_counter()
    with results.replacing(target, private=True) as file:
        for piece in pieces:
            _as_text(piece).to_csv(file, index=False, header=not counts["rows"], lineterminator="\n", mode="wb")
            counts["rows"] += len(piece)
            counts["refused"] += int((piece["refused"] != "").sum())
            counts["outside"] += int((piece["outside_training"].fillna("") != "").sum())
            if time.perf_counter() - told > 2:
                told = time.perf_counter()
                print(f"  {counts['rows']:,} rows", file=sys.stderr, flush=True)
    return counts


def _refuse_to_lose(target: Path, columns: Iterable[str], *given: Path) -> None:
    """Refuse a place for scores at which something else stands: what is read, by any of its names, or no scores."""
    why = errors.endless(target)
    if any(target.exists() and target.samefile(one) for one in given):
        why = "it is what is read"
    elif not why and target.is_file() and target.stat().st_size:
        with target.open("rb") as file:
            why = "" if file.readline(200).strip() == ",".join(columns).encode() else "it is there, and holds no scores"
    if why:
        raise results.OutputError(errno.EEXIST, f"{why}; name another file with --out", target.name)


def score(args: argparse.Namespace) -> int:
    """Score a file; the exit code is 3 when rows were refused."""
    from attrition import registry
    from attrition import score as scoring

    if _of_own_trial(args):
        return score_trial(args)
    if not args.patients.exists():
        raise FileNotFoundError(f"{args.patients.name}: there is no such file")
    target = args.out or args.patients.with_suffix(".scored.csv")
    started = time.perf_counter()
    try:
        _refuse_to_lose(target, scoring.OUTPUT, args.patients)
        scorer = registry.load(args.model)
        counts = _write(scoring.file(args.patients, scorer, _threshold(args.threshold)), target)
    except (errors.Refusal, FileNotFoundError):
        raise
    except OSError as error:
        print(f"cannot write {target.name}: {error.strerror}", file=sys.stderr)
        return errors.OUTPUT
    rate = counts["rows"] / (time.perf_counter() - started)
    print(f"{target}: {scoring.summary(counts)}; {rate:,.0f} rows a second\n{scoring.late(scorer.card)}")
    return errors.CONTRACT if counts["refused"] else errors.OK


def _of_own_trial(args: argparse.Namespace) -> bool:
    """Whether the model is one of a reader's own trial; else options that are about trials are refused."""
    from attrition.models import saving

    if (Path(args.model) / saving.LANDMARK).is_file():
        return True
    if args.mapping or args.unblinded or getattr(args, "cut", "") or getattr(args, "anyway", False):
        theirs = "--mapping, --cut, --unblinded and --anyway"
        parser().error(f"{theirs} go with --model OUT/model, of a run on your own trial")
    return False


def score_trial(args: argparse.Namespace) -> int:
    """Score the patients of a trial who are at the landmark of a model; what it cannot do is told first."""
    from attrition import own
    from attrition.registry import upkeep

    model = own.Kept.load(Path(args.model), args.unblinded)
    target = args.out or args.patients.with_suffix(".scored.csv")
    files, trial = own.read(str(args.patients), args.mapping, args.cut, model.card["horizon"])
    _refuse_to_lose(target, own.OUTPUT, *files.files())
    scored, found = model.score(trial)
    found |= {"file": target, "fitted": own.data_of(files) == model.card["data_sha256"]}
    if (doubts := upkeep.told("doubts", found)) and not args.anyway:
        print(f"{doubts}\nnothing was written; --anyway writes it", file=sys.stderr)
        return errors.CONTRACT
    text = results.inert(scored).to_csv(index=False, lineterminator="\n", float_format="%.6f")
    results.publish(target, text, private=True)
    print(*filter(None, [doubts, upkeep.told("scored", found)]), upkeep.told("limits", found), sep="\n")
    return errors.OK


def _new(out: Path, same: bool = False) -> None:
    """Refuse a place that is taken, or in a folder that is not there."""
    if not out.parent.is_dir():
        raise results.OutputError(errno.ENOENT, "there is no such folder", out.name)
    if os.path.lexists(out) and not same:
        raise results.OutputError(errno.EEXIST, "it is there already, and stays as it is; name another", out.name)


def simulate(args: argparse.Namespace) -> int:
    """Write a simulated trial; a file that is there and holds something else stays as it is."""
    from attrition import simulate

    if not (1 <= args.n <= 1_000_000 and 0 <= args.seed < 2**32):
        parser().error("--n must be from 1 to 1,000,000, and --seed from 0 to 4,294,967,295")
    text = simulate.csv_text(trial := simulate.published_trial(args.n, args.seed))
    _new(args.out, args.out.is_file() and args.out.read_bytes() == text.encode())
    results.publish(args.out, text)
    print(f"{args.out}: {len(trial):,} patients, {trial['dropout'].sum():,} of them left; md5 {simulate.md5(trial)}")
    return errors.OK


def monitor(args: argparse.Namespace) -> int:
    """Look at a batch; the exit code is the advice."""
    from attrition import own, registry
    from attrition.registry import upkeep

    if _of_own_trial(args):
        model = own.Kept.load(Path(args.model), args.unblinded)
        held = upkeep.reference_trial(model, args.reference, Path(args.model))
        found = upkeep.monitor_trial(model, own.read(str(args.batch), args.mapping)[1], held)
    else:
        scorer = registry.load(args.model)
        found = upkeep.monitor(scorer, args.batch, upkeep.reference(scorer, args.reference, Path(args.model)))
    print(json.dumps(results.plain(found), indent=1) if args.json else upkeep.told("monitor", found))
    return upkeep.CODES[found["advice"]]


def retrain(args: argparse.Namespace) -> int:
    """Fit a new version to new data; the champion's alias moves to it if it is better than the present one."""
    from attrition import registry
    from attrition.registry import upkeep

    _new(args.out)
    present, seen, place = registry.load(args.model), None, Path(args.model)
    with contextlib.suppress(FileNotFoundError):  # then it is said that it is not known
        seen = upkeep.reference(present, None, place)
    print(upkeep.told("retrain", upkeep.retrain(present, args.data, args.out, seen, named=not place.is_dir())))
    return errors.OK


def kept(args: argparse.Namespace) -> int:
    """Tell which files do not fit what they are made from, data or results; write them unless only asked to check."""
    from attrition import findings, versions

    of_data = args.task == "versions"
    stale = results.renew(versions.everything() if of_data else findings.pages(), args.check)
    made_from = "the data and results" if of_data else "reports/results and the notebooks"
    state = f"not as in {made_from}" if args.check else "brought up to date"
    print("\n".join(f"{name}: {state}" for name in stale) or "all up to date")
    return int(args.check and bool(stale))


def track(args: argparse.Namespace) -> int:
    """Log the chapters that have been run and register the champion; print what the store did not take."""
    import filelock

    from attrition import paths, registry, tracking

    lock = filelock.FileLock(paths.out() / ".state" / "track.lock")  # several that make a store at once would all fail
    with lock, warnings.catch_warnings(record=True, action="always") as caught:
        for chapter in tracking.taken(paths.out()):
            runs = tracking.log(chapter)
            if chapter == registry.CHAPTER:
                registry.register(registry.folder(), runs.get(registry.chosen()))
    for warning in caught:
        if issubclass(warning.category, tracking.TrackingWarning):
            print(warning.message)
    return 0


def study(args: argparse.Namespace) -> int:
    """Run a named study and write its results for the report to read."""
    import importlib

    from attrition import engine, studies

    chosen = importlib.import_module(f"attrition.studies.{args.name}")
    engine.choose("processes", args.jobs)
    studies.write(args.name, chosen.run(args.trials, args.every_method, chosen.SEED))
    print(studies.place(args.name))
    return 0


def project(args: argparse.Namespace) -> int:
    """Print where a trial stood on a day and what was to come, as lines or as JSON; nothing about single patients."""
    from attrition.running import summary

    trial = summary.read(args.trial, args.cut, args.mapping)
    found = summary.summary(trial, args.cut, args.unblinded)
    if args.since:
        found["compared"] = summary.compared(trial, args.since)
    print(json.dumps(results.plain(summary.dated(found)), indent=1) if args.json else "\n".join(summary.lines(found)))
    return errors.OK


def disclose(args: argparse.Namespace) -> int:
    """List cells that are about few patients; the exit code is 1 when there are any."""
    from attrition import disclosure

    if not (args.out / "results").is_dir():
        raise FileNotFoundError(f"{args.out.name}: no output folder of a run")
    cells = disclosure.listed(args.out, args.fewest or disclosure.FEWEST)
    print("\t".join(disclosure.Cell._fields), *("\t".join(map(str, cell)) for cell in cells), sep="\n")
    return int(bool(cells))


def main(argv: list[str] | None = None) -> int:
    """Parse and run."""
    args = parser().parse_args(argv)
    every = {"score": score, "simulate": simulate, "monitor": monitor, "retrain": retrain, "versions": kept}
    every |= {"readme": kept, "track": track, "study": study, "project": project, "disclose": disclose}
    try:
        return every[args.task](args)
    except (errors.Refusal, argparse.ArgumentTypeError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return getattr(error, "exit_code", errors.USAGE)


if __name__ == "__main__":
    # rows are many small lists that end with their piece: looking for cycles among them would take a fifth of the time
    gc.set_threshold(200_000, 20, 20)
    errors.outlive_readers()
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
    sys.exit(130)
