"""Is this machine able to run the report? Standard library only: it also runs before anything is installed.

``python environment.py`` exits with 0 when the interpreter that runs it satisfies ``requirements.lock``, else with 4.
"""

import os
import re
import shutil
import sys
import tempfile
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
LOCK = ROOT / "requirements.lock"
OLDEST, NEWEST = (3, 11, 5), (3, 14)
DISK_GIB, MEMORY_GIB = 1.0, 3.0
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)\s*(?:;\s*([^\\]+))?")


def normal(name: str) -> str:
    """Package name as registries compare it.

    >>> normal("Great_Tables")
    'great-tables'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def _applies(marker: str) -> bool:
    try:
        from packaging.markers import Marker
    except ImportError:
        from pip._vendor.packaging.markers import Marker
    return Marker(marker).evaluate()


def pins(lock: Path = LOCK) -> dict[str, str]:
    """Packages that the lock asks for on this machine: name to version."""
    matches = (PIN.match(line) for line in lock.read_text(encoding="utf-8").splitlines())
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
    problems = []
    for name, version in pins(lock).items():
        if name not in installed:
            problems.append(f"package {name} is missing (the lock says {version})")
        elif installed[name] != version:
            problems.append(f"package {name} is {installed[name]} (the lock says {version})")
    return problems


def _gib(value: float) -> str:
    return f"{value / 2**30:.1f} GiB"


def disk_problem(folder: Path, needed: float = DISK_GIB) -> str | None:
    """Whether the output folder's disk has room."""
    place = next(p for p in [folder, *folder.parents] if p.exists())
    free = shutil.disk_usage(place).free
    return None if free >= needed * 2**30 else f"only {_gib(free)} free for {folder}; needed: {needed} GiB"


def memory_problem(needed: float = MEMORY_GIB) -> str | None:
    """Whether the machine has memory to spare, where it can be told."""
    try:
        import psutil

        free = psutil.virtual_memory().available
    except ImportError:
        return None
    return None if free >= needed * 2**30 else f"only {_gib(free)} of memory available; needed: {needed} GiB"


def write_problem(folder: Path) -> str | None:
    """Whether the output folder can be written."""
    place = next(p for p in [folder, *folder.parents] if p.exists())
    try:
        with tempfile.TemporaryFile(dir=place):
            return None
    except OSError as error:
        return f"cannot write to {folder}: {os.strerror(error.errno or 0)}; choose another folder with --out"


def problems(out: Path) -> list[str]:
    """Everything that would stop a run, as sentences.

    Parameters
    ----------
    out : pathlib.Path
        Output folder.
    """
    single = [interpreter_problem(), write_problem(out), disk_problem(out), memory_problem()]
    return [problem for problem in single if problem] + package_problems()


if __name__ == "__main__":
    sys.exit(4 if interpreter_problem() or package_problems() else 0)
