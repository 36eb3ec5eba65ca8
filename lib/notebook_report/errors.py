"""What the reader of a message can mend: one base class, which carries the exit code and is shown without a traceback.

An error of this family is told by its message alone, on the command line and in a notebook; whatever else happens is a
fault of the program. What a notebook raises reaches the run as text, so the class is found again by the name that the
text begins with.
"""

import difflib
import errno
import importlib
import io
import os
import re
import stat
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path

OK, USAGE, CONTRACT, ENVIRONMENT, NOTEBOOK, OUTPUT, INTERRUPTED = 0, 2, 3, 4, 5, 6, 130
GRAVEST = (CONTRACT, OUTPUT, USAGE, ENVIRONMENT, NOTEBOOK)  # which code a run ends with when several things went wrong
# What the system says when nothing more fits: the disk, a quota, ``ulimit -f``
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
PACKAGES = {__name__.partition(".")[0]}  # whose errors are ours: this package, and that of the project in use
NAMED = re.compile(r"((\w+)(?:\.\w+)*)\.(\w+)(?=:|$)")


class Refusal(Exception):
    """Something that was refused, or could not be done, for a reason that the message gives in full.

    Messages hold no value of a patient; the exit code is for the command line.
    """

    exit_code = NOTEBOOK

    def _render_traceback_(self) -> list[str]:
        """What IPython shows instead of a stack: the message, as Python's own last line."""
        return [line.rstrip("\n") for line in traceback.format_exception_only(type(self), self)]


class BuildError(Refusal, ValueError):
    """The report would be wrong or incomplete; `where` names notebook and cell.

    >>> str(BuildError("fig-roc is used twice", "05_evaluation, cell 12"))
    '05_evaluation, cell 12: fig-roc is used twice'
    """

    def __init__(self, problem: str, where: str = "") -> None:
        self.where = where
        super().__init__(f"{where}: {problem}" if where else problem)


def closest(key: str, known: Iterable[str], cutoff: float = 0.5) -> str:
    """End of a message about an unknown key: what was probably meant, or what is known.

    >>> closest("sed", ["seed", "profiles"])
    "; did you mean 'seed'?"
    """
    known = list(known)
    near = difflib.get_close_matches(key, known, n=1, cutoff=cutoff)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known[:40]) or 'none'}"


def shown_as(lines: Iterable[str]) -> type[Refusal] | None:
    """Class of the error that a notebook shows as `lines`, if it is one of this family.

    >>> shown_as(["notebook_report.results.OtherProfile: refused"]).exit_code
    2
    >>> shown_as(["KeyError: 'age'"]) is None
    True
    """
    if not (found := NAMED.match(next(iter(lines), ""))) or found[2] not in PACKAGES:
        return None
    try:
        kind = getattr(importlib.import_module(found[1]), found[3], None)
    except ImportError:
        return None
    return kind if isinstance(kind, type) and issubclass(kind, Refusal) else None


def gravest(errors: Iterable[BaseException]) -> int:
    """Exit code for errors of which at least one happened.

    What the system says about a file (`OSError`) is about output: what a run reads, it reads behind its own errors.

    >>> gravest([ValueError(), Refusal(), OSError()])
    6
    """
    codes = {getattr(e, "exit_code", OUTPUT if isinstance(e, OSError) else NOTEBOOK) for e in errors}
    return min(codes, key=GRAVEST.index)


def endless(path: str | Path) -> str:
    """Why a place must not be opened, which could wait for ever or never end: a pipe, a device; empty for the others.

    >>> endless("/dev/null"), endless("no such file"), endless("/")
    ('a pipe or a device, and no file; save it as a file first', '', '')
    """
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):  # whoever opens it says so
        return ""
    sound = stat.S_ISREG(mode) or stat.S_ISDIR(mode)
    return "" if sound else "a pipe or a device, and no file; save it as a file first"


class _Heard(io.FileIO):
    """An output whose reader may leave."""

    def write(self, data) -> int:
        """Write, or drop what nobody will read."""
        try:
            return super().write(data)
        except BrokenPipeError:
            return len(data)


def outlive_readers() -> None:
    """Go on, to the usual exit code, when the reader of the output leaves (``| head``) or there is none (``>&-``)."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:  # the next file that is opened would take its number, and what is printed
            os.open(os.devnull, os.O_RDWR)
        if number:
            old, raw = getattr(sys, name), _Heard(number, "wb", closefd=False)
            how = {"encoding": old.encoding, "errors": old.errors} if old else {"encoding": "utf-8"}
            live = number == 2 or raw.isatty()
            setattr(sys, name, io.TextIOWrapper(io.BufferedWriter(raw), line_buffering=live, **how))
