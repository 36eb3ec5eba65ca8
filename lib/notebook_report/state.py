"""What the last run left behind: keys, files, times, and, if it was killed, kernels and half-written files.

A chapter is up to date when all of its record still holds. A run notes each folder that it makes for a kernel; whoever
holds the output folder's lock next may take what is noted there for dead. Nothing is found by pattern outside the
output folder, so no other run is ever touched.
"""

import errno
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import filelock
import psutil

from notebook_report import errors, project, results
from notebook_report.sources import file_digest

PREFIX = "nbr-"  # of the private folders of kernels
HALF_WRITTEN = re.compile(r"\..+\.\w+\.[a-z0-9_]{8}")  # temporary names of `results.publish`
CONNECTION = "k.json"


class Busy(errors.Refusal, RuntimeError):
    """Another run holds the output folder."""

    exit_code = errors.OUTPUT


class State:
    """State of one output folder, in its ``.state``."""

    def __init__(self, out: Path):
        self.out = out
        self.folder = out / ".state"

    def read(self, name: str) -> dict[str, Any]:
        """Record of a chapter (empty when there is none, or none that can be read: the chapter is then redone)."""
        with suppress(OSError, ValueError, LookupError, TypeError, RecursionError):
            record = json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8"))
            if isinstance(record["key"], str) and isinstance(record["files"], dict):
                return record | {"seconds": float(record["seconds"])}
        return {}

    def up_to_date(self, name: str, key: str) -> bool:
        """Whether a chapter was made from exactly `key` and each file it wrote is still as it was."""
        record = self.read(name)
        return record.get("key") == key and all(
            (self.out / path).is_file() and file_digest(self.out / path) == digest
            for path, digest in record.get("files", {}).items()
        )

    def record(self, name: str, key: str, files: list[Path], seconds: float) -> None:
        """Remember a finished chapter; files as seen from the output folder, so that a checkout may be moved."""
        written = {os.path.relpath(p, self.out): file_digest(p) for p in sorted(set(files)) if p.exists()}
        content = {"key": key, "files": written, "seconds": round(seconds, 1)}
        results.publish(self.folder / f"{name}.json", json.dumps(content, indent=1))

    def start_journal(self, name: str) -> None:
        """Empty the journal, in which a chapter that is about to run will note the files that it publishes."""
        (self.folder / f"{name}.files").unlink(missing_ok=True)
        self.discard_tables(name)

    def _waiting(self, name: str) -> Path:
        return self.folder / f"{name}.tables"

    def publish_tables(self, name: str) -> None:
        """Put the tables of a chapter that has succeeded in their place."""
        for path in sorted(self._waiting(name).glob("*.csv")):
            path.replace(self.out / "tables" / path.name)

    def discard_tables(self, name: str) -> None:
        """Clear the tables of a chapter that has failed, or never ended."""
        shutil.rmtree(self._waiting(name), ignore_errors=True)

    def written(self, name: str) -> list[Path]:
        """Files that the chapter published."""
        return [Path(line) for line in results.noted(self.folder / f"{name}.files").splitlines() if line]

    def seconds(self, name: str, default: float) -> float:
        """How long the chapter took last time on this machine."""
        return float(self.read(name).get("seconds", default))

    def _refuse_foreign(self) -> None:
        """Refuse a folder that holds files and no trace of a run: something of theirs would be written over."""
        ours = self.folder.is_dir() or self.out.is_relative_to(project.current.reports) or not self.out.exists()
        if not ours and (not self.out.is_dir() or any(not p.name.startswith(".") for p in self.out.iterdir())):
            why = "it holds other things than a report; name a new or an empty folder with --out"
            raise results.OutputError(errno.EEXIST, why, self.out)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the output folder; a second run is told who holds it."""
        self._refuse_foreign()
        self.folder.mkdir(parents=True, exist_ok=True)
        holder = self.folder / "holder"
        lock = filelock.FileLock(self.folder / "lock", timeout=0)
        try:
            lock.acquire()
        except filelock.Timeout:
            who = results.noted(holder, "another process").strip()
            raise Busy(f"{self.out} is in use by {who}; wait for it, or choose another folder with --out") from None
        try:
            holder.write_text(f"process {os.getpid()}\n", encoding="utf-8")
            sweep(self.out)
            yield
        finally:
            sweep(self.out)  # an interrupt does not wait for threads to tidy up
            holder.unlink(missing_ok=True)
            lock.release()


def _register(out: Path) -> Path:
    return out / ".state" / "kernels"


def note(out: Path, folder: Path) -> None:
    """Remember the private folder of a kernel."""
    results.add_line(_register(out), folder)


def noted(out: Path) -> list[Path]:
    """Folders of kernels that were noted and not yet cleared."""
    lines = results.noted(_register(out)).splitlines()
    return [Path(line) for line in lines if Path(line).name.startswith(PREFIX)]


def end_kernels(folders: Iterable[Path]) -> None:
    """End the kernels that were started on a connection file in one of the folders."""
    if connections := {str(folder / CONNECTION) for folder in folders}:
        psutil.process_iter.cache_clear()  # its cache refuses to end a process whose number another one had before
        end([p for p in psutil.process_iter(["cmdline"]) if connections.intersection(p.info["cmdline"] or ())])


def end(processes: Sequence[psutil.Process]) -> None:
    """End processes, of which some may have ended by themselves."""
    for process in processes:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(processes, timeout=3)


def sweep(out: Path) -> None:
    """Clear what a killed run left in an output folder; call it with the folder's lock held."""
    folders = [folder for folder in noted(out) if folder.exists()]
    end_kernels(folders)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    _register(out).unlink(missing_ok=True)
    inside = [out / name for name in ("results", "tables", ".state", "executed")]
    for place in [out, *inside, *(project.data(out) / name for name in ("raw", "processed"))]:
        for path in place.glob("*") if place.is_dir() else ():
            partial = place.name == "executed" and path.name.endswith(".partial.ipynb")
            if path.is_file() and (partial or HALF_WRITTEN.fullmatch(path.name)):
                path.unlink(missing_ok=True)
