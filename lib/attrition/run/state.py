"""What the last run left behind: keys, files, times. A chapter is up to date when all of it still holds."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock

from attrition import errors, paths, results
from attrition.digests import file_digest
from attrition.run import leftovers


class Busy(errors.Refusal, RuntimeError):
    """Another run holds the output folder."""

    exit_code = errors.OUTPUT


class State:
    """State of one output folder.

    Parameters
    ----------
    out : pathlib.Path
        Output folder; the state lies in its ``.state``.
    """

    def __init__(self, out: Path):
        self.out = out
        self.folder = out / ".state"

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def read(self, name: str) -> dict[str, Any]:
        """Record of a chapter (empty when there is none, or none that can be read)."""
        try:
            return json.loads(self._path(name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}

    def up_to_date(self, name: str, key: str) -> bool:
        """Whether a chapter was made from exactly `key` and each file it wrote is still as it was."""
        record = self.read(name)
        return record.get("key") == key and all(
            (self.out / path).exists() and file_digest(self.out / path) == digest
            for path, digest in record.get("files", {}).items()
        )

    def record(self, name: str, key: str, files: list[Path], seconds: float) -> None:
        """Remember a finished chapter; called after everything it wrote is in place."""
        content = {
            "key": key,
            "files": {self._place(path): file_digest(path) for path in sorted(set(files)) if path.exists()},
            "seconds": round(seconds, 1),
        }
        results.publish(self._path(name), json.dumps(content, indent=1))

    def _place(self, path: Path) -> str:
        """A file as seen from the output folder: a checkout that was moved is still up to date."""
        return os.path.relpath(path, self.out)

    def journal(self, name: str) -> Path:
        """Where a running chapter notes the files that it publishes."""
        return self.folder / f"{name}.files"

    def start_journal(self, name: str) -> None:
        """Empty the journal of a chapter that is about to run."""
        self.journal(name).unlink(missing_ok=True)
        self.discard_tables(name)

    def _waiting(self, name: str) -> Path:
        return self.folder / f"{name}.tables"

    def publish_tables(self, name: str) -> None:
        """Put the tables of a chapter that has succeeded in their place, and what it noted for the tracking store."""
        for path in sorted(self._waiting(name).glob("*.*")):
            table = path.suffix == ".csv"
            path.replace(self.out / "tables" / path.name if table else self.folder / f"{name}.{path.name}")

    def discard_tables(self, name: str) -> None:
        """Clear the tables of a chapter that has failed, or never ended."""
        shutil.rmtree(self._waiting(name), ignore_errors=True)

    def written(self, name: str) -> list[Path]:
        """Files that the chapter published."""
        journal = self.journal(name)
        if not journal.exists():
            return []
        return [Path(line) for line in journal.read_text(encoding="utf-8").splitlines()]

    def seconds(self, name: str, default: float) -> float:
        """How long the chapter took last time on this machine."""
        return float(self.read(name).get("seconds", default))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the output folder; a second run is told who holds it.

        Raises
        ------
        Busy
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        holder = self.folder / "holder"
        lock = filelock.FileLock(self.folder / "lock", timeout=0)
        try:
            lock.acquire()
        except filelock.Timeout:
            who = holder.read_text(encoding="utf-8").strip() if holder.exists() else "another process"
            raise Busy(f"{self.out} is in use by {who}; wait for it, or choose another folder with --out") from None
        try:
            holder.write_text(f"process {os.getpid()}\n", encoding="utf-8")
            leftovers.sweep(self.out, self._elsewhere())
            yield
        finally:
            leftovers.sweep(self.out, self._elsewhere())  # an interrupt does not wait for threads to tidy up
            holder.unlink(missing_ok=True)
            lock.release()

    def _elsewhere(self) -> list[Path]:
        """Folders outside `out` that a run writes to."""
        data = paths.ROOT / "data" if self.out == paths.ROOT / "reports" else self.out / "data"
        return [data / "raw", data / "processed"]
