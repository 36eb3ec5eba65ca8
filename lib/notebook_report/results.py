"""Numbers that sentences quote, and tables: written by one chapter, read by the others.

A result file is JSON with sorted keys and numbers rounded to `DIGITS` significant digits, so that two runs give the
same bytes. Tables are CSV. Both are published by rename: a reader never meets half a file.
"""

import json
import math
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd

from notebook_report import errors, project

DIGITS = 10
ZERO = 1e-12  # a number of smaller size is rounding error
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


class OtherProfile(errors.Refusal, ValueError):
    """Results of small sizes would be mixed with those of full sizes."""

    exit_code = errors.USAGE


class MissingResult(errors.Refusal, FileNotFoundError):
    """A chapter asks for a result that no chapter has written yet."""


class OutputError(errors.Refusal, OSError):
    """A file could not be written: no space, no permission. What stood there before still stands there."""

    exit_code = errors.OUTPUT

    def __str__(self) -> str:
        return f"cannot write {self.filename}: {self.strerror}"


def publish(path: Path, text: str | bytes, at: Path | None = None, private: bool = False) -> Path:
    """Write a file under a temporary name in the same folder, then rename it; text as UTF-8 with LF line ends.

    With `at` the file waits there until the driver moves it to `path`; for `private` see `replacing`. Gives the place
    where it stands now. When it cannot be written, what stood at `path` is untouched. A notebook at small sizes that
    was opened by itself does not write over the committed report.
    """
    committed = project.current.reports
    if project.current.profile == "quick" and project.out() == committed and path.is_relative_to(committed):
        why = 'profile = "quick" does not write over the committed report; open notebooks with'
        raise OtherProfile(f"{why} {project.current.command} lab")
    try:
        (at or path).parent.mkdir(parents=True, exist_ok=True)
        with replacing(at or path, private) as file:
            file.write(text.encode() if isinstance(text, str) else text)
        if chapter := project.variable("CHAPTER"):  # the driver, which runs it, is told
            add_line(project.out() / ".state" / f"{chapter}.files", path)
    except OSError as error:
        raise OutputError(error.errno, error.strerror or str(error), _place(path)) from None
    return at or path


def renew(files: Mapping[Path, str], check: bool = False) -> list[str]:
    """Write files that do not hold what they should, unless only asked to `check`; gives their names."""
    stale = [path for path, text in files.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    for path in () if check else stale:
        publish(path, files[path])
    return [path.name for path in stale]


@contextmanager
def replacing(path: Path, private: bool = False) -> Iterator[BinaryIO]:
    """A file to write that takes its place when all is in it; readable by whom the umask says, or the owner alone."""
    mode = 0o600 if private else 0o666
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(temporary, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            yield file
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _place(path: Path) -> str:
    """A file as messages call it: within its output folder or checkout, never the folders above."""
    roots = [root for root in (project.out(), project.current.root) if path.is_relative_to(root)]
    return path.relative_to(roots[0]).as_posix() if roots else path.name


def add_line(path: Path, line: object) -> None:
    """Add a line to a file in which a run notes something for later."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")


def noted(path: Path, otherwise: str = "") -> str:
    """What such a file holds, as far as it is text; `otherwise` where there is none."""
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else otherwise


def write_parquet(path: Path, table: pd.DataFrame) -> Path:
    """Publish a table, without its index, as Parquet."""
    return publish(path, table.to_parquet(index=False))


def plain(value: Any) -> Any:
    """Turn numpy and pandas values into JSON values; round floats; NaN becomes null.

    A number below `ZERO` in size is written as 0: what is zero in exact arithmetic (the error of a constant, for one)
    comes out as some 1e-17 that differs from processor to processor.

    >>> plain({"auroc": np.float64(2 / 3), "n": np.int64(3), "lost": float("nan")})
    {'auroc': 0.6666666667, 'n': 3, 'lost': None}
    >>> plain([3.6e-17, -1.3e-18, -0.0, 2e-12])
    [0.0, 0.0, 0.0, 2e-12]
    """
    if isinstance(value, pd.DataFrame):
        return plain(value.to_dict("records"))
    if isinstance(value, pd.Series):
        return plain(value.to_dict())
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        digits = 0.0 if abs(value) < ZERO else float(f"{value:.{DIGITS}g}")
        return digits if math.isfinite(value) else None
    if value is None or isinstance(value, str | bool | int):
        return value
    raise TypeError(f"a result must be made of numbers, text, lists and mappings, not {type(value).__name__}")


def write(chapter: str, numbers: Mapping[str, Any] | Sequence[Any]) -> Path:
    """Write ``results/<chapter>.json``: a nested mapping of numbers, text and lists, by the notebook's name."""
    if project.current.profile:
        publish(_made_with(chapter), project.current.profile)
    text = json.dumps(plain(numbers), indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return publish(project.results() / f"{chapter}.json", text + "\n")


def _made_with(chapter: str) -> Path:
    """Where a chapter notes the profile that its results were made with."""
    return project.out() / ".state" / f"{chapter}.profile"


def needed(chapter: str, path: Path) -> Path:
    """`path`, which `chapter` writes; if it is not there, or was made at other sizes, an error says how to make it."""
    file, note, profile = f"{path.parent.name}/{path.name}", _made_with(chapter), project.current.profile
    if not path.exists():
        how = f"run {project.command()} --only {chapter}"
        raise MissingResult(f"{file} is not there yet: chapter {chapter} makes it; {how}")
    made = note.read_text(encoding="utf-8", errors="replace") if note.exists() else profile
    if profile and made != profile:
        how = f'set profile = "{made}" here, or redo chapter {chapter} with "{profile}" first'
        raise OtherProfile(f'{file} was made with the profile "{made}", and this chapter runs with "{profile}": {how}')
    return path


def read(chapter: str) -> dict[str, Any]:
    """Read ``results/<chapter>.json``; raises as `needed` when the chapter has not run, or at other sizes."""
    return json.loads(needed(chapter, project.results() / f"{chapter}.json").read_text(encoding="utf-8"))


def look_up(found: Any, dotted: str, where: str = "") -> Any:
    """What stands at a dotted path of nested results; None, or after `where` an error that names the closest key."""
    for key in dotted.split("."):
        parts = {str(place): part for place, part in enumerate(found)} if isinstance(found, list) else found
        if not isinstance(parts, Mapping) or key not in parts:
            if not where:
                return None
            hint = errors.closest(key, sorted(found) if isinstance(found, Mapping) else [], 0.4)
            raise MissingResult(f"{where} has no {dotted!r} (at {key!r}){hint}")
        found = parts[key]
    return found


def _inert(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value


def inert(table: pd.DataFrame) -> pd.DataFrame:
    """A table whose text, column names included, no spreadsheet runs as a formula: it gets a leading quote mark.

    >>> inert(pd.DataFrame({"note": ["=1+1", "fine"], "change": [-1.5, 2.0]})).to_dict("list")
    {'note': ["'=1+1", 'fine'], 'change': [-1.5, 2.0]}
    """
    text = table.select_dtypes(exclude="number")
    return table.assign(**{name: text[name].map(_inert) for name in text}).rename(columns=_inert)


def write_table(name: str, table: pd.DataFrame) -> Path:
    """Write ``tables/<name>.csv``, without index: LF line ends, floats rounded as in `plain`, no formulas.

    In a chapter that the driver runs the table waits beside its state until the chapter has succeeded, so that a failed
    run leaves earlier tables.
    """
    safe = table.rename(columns=_inert).map(_inert)
    floats = safe.select_dtypes("float")
    safe[floats.columns] = floats.mask(floats.abs() < ZERO, 0.0)
    text = safe.to_csv(index=False, lineterminator="\n", float_format=f"%.{DIGITS}g")
    chapter, file = project.variable("CHAPTER"), f"{name}.csv"
    return publish(project.tables() / file, text, project.waiting(chapter) / file if chapter else None)
