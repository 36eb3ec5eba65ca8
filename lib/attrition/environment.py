"""Is this machine able to run the report? Standard library only: it also runs before anything is installed.

``python environment.py`` exits with 0 when the interpreter that runs it satisfies ``requirements.lock``, else with 4;
with ``--check`` it says everything that would stop a run.
"""

import argparse
import contextlib
import importlib.util
import math
import os
import re
import shutil
import sys
import tempfile
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements.lock"
OLDEST, NEWEST = (3, 11, 5), (3, 14)
DISK_GIB, MEMORY_GIB, FILE_GIB = 1.0, 3.0, 0.25
# With less than that by ``ulimit -v`` the packages cannot be loaded, and some end the process rather than say so
LEAST_MEMORY_GIB = 1.0
SHOWN = 12  # problems that are told one by one
MEMINFO, CGROUP = Path("/proc/meminfo"), Path("/sys/fs/cgroup")
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)\s*(?:;\s*([^\\]+))?")


def normal(name: str) -> str:
    """Package name as registries compare it.

    >>> normal("Send2Trash"), normal("typing_extensions")
    ('send2trash', 'typing-extensions')
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def _applies(marker: str) -> bool:
    own = "packaging.markers" if importlib.util.find_spec("packaging") else "pip._vendor.packaging.markers"
    return importlib.import_module(own).Marker(marker).evaluate()


def pins(lock: Path = LOCK) -> dict[str, str]:
    """Packages that the lock asks for on this machine: name to version."""
    matches = map(PIN.match, lock.read_text(encoding="utf-8").splitlines())
    return {normal(m[1]): m[2] for m in matches if m and (not m[3] or _applies(m[3].strip()))}


def interpreter_problem(version: tuple[int, ...] = tuple(sys.version_info[:3])) -> str | None:
    """What is wrong with the Python version, if anything.

    >>> interpreter_problem((3, 12, 1)) is None
    True
    """
    if OLDEST <= version < NEWEST:
        return None
    wanted = f"{'.'.join(map(str, OLDEST))} or newer, below {'.'.join(map(str, NEWEST))}"
    return f"Python {'.'.join(map(str, version))} is not supported; needed: {wanted}"


def package_problems(lock: Path = LOCK) -> list[str]:
    """Packages that are missing or at another version than the lock says."""
    installed: dict[str, str] = {}
    for found in metadata.distributions():
        installed.setdefault(normal(found.metadata["Name"] or ""), found.version)
    wanted = pins(lock).items()
    here = {name: installed.get(name, "missing") for name, _ in wanted}
    return [f"package {name} is {here[name]} (the lock says {asked})" for name, asked in wanted if here[name] != asked]


def _gib(value: float) -> str:
    return f"{value / 2**30:.1f} GiB"


def _there(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next(p for p in [folder, *folder.parents] if p.exists())


def disk_problem(folder: Path) -> str | None:
    """Whether the output folder's disk has room."""
    free = shutil.disk_usage(_there(folder)).free
    return f"only {_gib(free)} free for {folder}; needed: {DISK_GIB} GiB" if free < DISK_GIB * 2**30 else None


def _number(file: Path, pattern: str = r"\s*(\d+)\s*", unit: int = 1) -> float:
    """A number in a file of the system; infinite where it is not told."""
    with contextlib.suppress(OSError):
        if found := re.search(pattern, file.read_text(encoding="ascii", errors="replace")):
            return float(found[1]) * unit
    return math.inf


def _limit(name: str) -> float:
    """A limit of this process, as ``ulimit`` sets it; infinite where there is none."""
    with contextlib.suppress(ImportError):
        import resource

        soft = resource.getrlimit(getattr(resource, name))[0]
        return math.inf if soft == resource.RLIM_INFINITY else float(soft)
    return math.inf


def memory_limits() -> dict[str, float]:
    """Bytes that a run may take, by what says so: the machine, its container, ``ulimit -v``; empty where unknown."""
    group, used = (_number(CGROUP / name) for name in ("memory.max", "memory.current"))
    known = {"available": _number(MEMINFO, r"MemAvailable:\s+(\d+)", 1024), "left in this container": group - used}
    known["allowed by ulimit -v"] = _limit("RLIMIT_AS")
    return {what: value for what, value in known.items() if math.isfinite(value)}


def memory_problem() -> str | None:
    """Whether there is memory to spare, where it can be told."""
    short = {what: value for what, value in memory_limits().items() if value < MEMORY_GIB * 2**30}
    told = ", ".join(f"{_gib(value)} of memory {what}" for what, value in short.items())
    return f"only {told}; needed: {MEMORY_GIB} GiB" if short else None


def hopeless() -> str | None:
    """Why no package should be loaded at all, if that is so: a limit on memory that even loading exceeds."""
    limit, least = _limit("RLIMIT_AS"), LEAST_MEMORY_GIB * 2**30
    told = f"only {_gib(limit)} of memory allowed by ulimit -v; needed: {MEMORY_GIB} GiB"
    return told if limit < least else None


def file_size_problem() -> str | None:
    """Whether files may become as large as those of a run."""
    limit = _limit("RLIMIT_FSIZE")
    told = f"files may not exceed {limit / 2**20:.1f} MiB (ulimit -f); needed: {FILE_GIB} GiB"
    return told if limit < FILE_GIB * 2**30 else None


def write_problem(folder: Path | None) -> str | None:
    """Whether the output folder, or without one the folder for temporary files, can be written."""
    place = {"dir": _there(folder)} if folder else {}
    try:
        with tempfile.TemporaryFile(**place):  # type: ignore[call-overload]
            return None
    except OSError as error:
        why = os.strerror(error.errno or 0)
    if folder:
        return f"cannot write to {folder}: {why}; choose another folder with --out"
    return f"no folder for temporary files can be written ({why}); name one with TMPDIR="


def problems(out: Path) -> list[str]:
    """Everything that would stop a run into an output folder, as sentences."""
    written = [write_problem(out)] + ([write_problem(ROOT / "data")] if out == ROOT / "reports" else [])
    rest = [disk_problem(out), memory_problem(), file_size_problem(), write_problem(None)]
    return [problem for problem in [interpreter_problem(), *written, *rest] if problem] + package_problems()


def check(out: Path) -> int:
    """Say everything that would stop a run, one line each; exit code 0 or 4."""
    found = problems(out)
    rest = len(found) - SHOWN
    for problem in [*found[:SHOWN], *([f"and {rest} more; ./run_all.sh sets up .venv as locked"] if rest > 0 else [])]:
        print(f"run_all.sh: {problem}", file=sys.stderr)
    if not found:
        print(f"ready: Python {sys.version.split()[0]}, packages as locked, {out} can be written")
    return 4 if found else 0


def main(argv: list[str]) -> int:
    """Check quietly, or with ``--check`` aloud; other words of the run's command line are not for here."""
    given = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    given.add_argument("--check", action="store_true")
    given.add_argument("--quick", action="store_true")
    given.add_argument("--out", type=Path)
    args, _ = given.parse_known_args(argv)
    if args.check:
        return check((args.out or ROOT / "reports" / ("quick" if args.quick else "")).resolve())
    return 4 if interpreter_problem() or package_problems() else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
