"""Read a CSV file without guessing: everything is text, and whatever looks wrong is refused.

Readers that guess turn an arm called "NA" into a missing value, patient 007 into 7 and a row with one comma too many
into somebody else's age, all without a word. Here nothing is converted, only the empty cell is missing, and every
problem is collected with its line and column. No message holds a cell's content.
"""

import contextlib
import csv
import gc
import io
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow.csv import ConvertOptions, ParseOptions, ReadOptions, read_csv

from notebook_report import errors

SHOWN_LINES = 8
# More than anybody's table has: columns, and bytes of a file that is read at once and of a line
MOST_COLUMNS, LARGEST, LONGEST_LINE = 10_000, 4 * 2**30, 2**26
# Names of files whose rows are counted, from 1, because nobody sees their lines
WITHOUT_LINES = re.compile(r"\.(parquet|xpt|sas7bdat|json|ndjson|dta|sav|zsav)(\.gz)?$", re.IGNORECASE)
MAGIC = {b"PK\x03\x04": "a zip archive or an Excel workbook", b"\x1f\x8b": "a gzip file", b"PAR1": "a parquet file"}
OTHER_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}
NUMBER = re.compile(r"[+-]?[0-9]+([.,][0-9]*)?|\d{4}-\d\d(-\d\d.*)?|\d\d?[./]\d\d?[./]\d{2,4}")
TITLE_ROW = "is there a title row above the header?"
NO_ROW = "there is a header and no row below it"
HEADER_NAME = re.compile(r"(?!.*\d{3})[A-Za-z_][A-Za-z0-9_.-]{0,39}")
# What the column of row names, which has no name, is called while a file is read, and R's bare NA: no text has it
ROW_NAMES = "\0"
QUOTED_HEADER = re.compile(r'(?:"(?:[^"]|"")*",)*"(?:[^"]|"")*"(?:\r\n|\r|\n)')
CELL = re.compile(r'("(?:[^"]|"")*"|[^",\r\n]*)(,|\r\n|\r|\n|\Z)')
# What R leaves without quotes: numbers, dates, and its NA
BARE = re.compile(r"|NA|NaN|-?Inf|TRUE|FALSE|[+-]?\.?[0-9][0-9.eE+\-:TZ ]*")
# Spellings of an empty cell, and whose they are
SPELLINGS = {
    **dict.fromkeys(("NaN", "nan", "None"), "Python's"), "NA": "R's", "<NA>": "pandas'", "NULL": "a database's",
    "N/A": "a spreadsheet's", "#N/A": "a spreadsheet's", ".": "SAS's",
}  # fmt: skip


class Problem(NamedTuple):
    """One thing that is wrong (a rule in words, without any value), and where.

    `column` is empty for a whole row or file; `line` counts the header as line 1, and is 0 for the whole file.
    """

    column: str
    rule: str
    line: int = 0


def lines_of(column: str, rule: str, bad: pd.Series) -> list[Problem]:
    """A problem for each line that is marked.

    >>> lines_of("AEDTC", "is empty", pd.Series([False, True], index=[2, 3]))
    [Problem(column='AEDTC', rule='is empty', line=3)]
    """
    return [Problem(column, rule, int(line)) for line in bad.index[bad.to_numpy(bool)]]


def spelled(column: str, rule: str, cells: pd.Series, bad: pd.Series) -> list[Problem]:
    """`lines_of`; a spelling of missing that is known is named, with the key of a mapping that accepts it.

    >>> print(spelled("AGE", "must be a number", pd.Series(["NA", "old"]), pd.Series([True, True]))[0].rule)
    NA, R's spelling of missing? accept it with missing = ["", "NA"] in the mapping
    """
    if not bad.any():
        return []
    cells = cells.where(bad).map(lambda cell: str(cell).strip(), na_action="ignore")
    found = []
    for name in [name for name in SPELLINGS if cells.eq(name).any()]:
        hint = f'{name}, {SPELLINGS[name]} spelling of missing? accept it with missing = ["", "{name}"] in the mapping'
        found += lines_of(column, hint, cells.eq(name))
    return found + lines_of(column, rule, bad & ~cells.isin(list(SPELLINGS)))


def tidied(text: str) -> str:
    r"""A text in composed form (NFC), without invisible characters and blanks around it.

    >>> tidied("\ufeffe\u0301\u200b ") == "\u00e9"
    True
    """
    if not text.isascii():
        seen = (letter for letter in text if unicodedata.category(letter) != "Cf")
        text = unicodedata.normalize("NFC", "".join(seen))
    return text.strip()


def plain(text: str) -> str:
    r"""A text as a reader sees it: `tidied`, without case and needless spaces.

    >>> plain(" Adverse\u00a0 EVENT") == plain("adverse event")
    True
    """
    return " ".join(tidied(text).split()).casefold()


class ContractError(errors.Refusal, ValueError):
    """The data break their contract: file, lines, column and rule of every problem, and never a patient's value."""

    exit_code = errors.CONTRACT

    def __init__(self, file: str, problems: Iterable[Problem]):
        self.file = file
        self.problems = tuple(sorted(set(problems)))
        super().__init__(_message(file, self.problems))

    def __reduce__(self):
        return type(self), (self.file, self.problems)


def refused(file: str, rule: str, line: int = 0) -> ContractError:
    """A refusal for one reason that is about no column."""
    return ContractError(file, [Problem("", rule, line)])


def refuse(file: str, problems: Iterable[Problem]) -> None:
    """Refuse a file if anything is wrong with it."""
    if found := list(problems):
        raise ContractError(file, found)


def some(lines: Sequence[Any]) -> str:
    """The first of some lines, and how many more there are."""
    more = f" and {len(lines) - SHOWN_LINES} more" if len(lines) > SHOWN_LINES else ""
    return ", ".join(map(str, lines[:SHOWN_LINES])) + more


def _message(file: str, problems: Sequence[Problem]) -> str:
    told = [f"{file}: refused, {len(problems)} problem{'s' * (len(problems) != 1)}"]
    word = "row" if WITHOUT_LINES.search(file) else "line"
    for (column, rule), group in groupby(problems, key=lambda problem: (problem.column, problem.rule)):
        known = [problem.line for problem in group if problem.line]
        place = [f"{word}{'s' * (len(known) > 1)} {some(known)}"] if known else []
        place += [f"column {column}"] if column else []
        told.append(f"  {', '.join(place) or 'file'}: {rule}")
    return "\n".join(told)


def shown(name: str, position: int) -> str:
    """A column's name if it looks like one, else its position: without a header a "name" may be a patient's.

    >>> shown("age", 1), shown("Jane Doe", 2), shown("1951-03-04", 3)
    ('age', 'no. 2', 'no. 3')
    >>> shown("subject-0417", 1)
    'no. 1'
    """
    return name if HEADER_NAME.fullmatch(name) else f"no. {position}"


def read_strict(path: str | Path, missing: Collection[str] = ("",)) -> pd.DataFrame:
    """Read a comma-separated UTF-8 file as text.

    Only the empty cell is missing, or what `missing` says. The index, ``line``, is where a row begins. Refused are
    files that are not there or not UTF-8 (it says what they look like), another delimiter, NUL bytes, duplicate or
    empty column names, rows with too few or too many cells, blank lines inside the table and broken quotes.
    """
    path = Path(path)
    refuse_endless(path)
    try:
        if path.stat().st_size > LARGEST:
            raise refused(path.name, f"more than {LARGEST >> 30} GB")
        content = path.read_bytes()
    except OSError as error:
        raise refused(path.name, _unreadable(error)) from None
    return parse(content, path.name, missing)


def refuse_endless(path: Any) -> None:
    """Refuse a pipe or a device before it is opened; members of an archive are neither."""
    if isinstance(path, Path) and (why := errors.endless(path)):
        raise refused(path.name, why)


def _unreadable(error: OSError) -> str:
    reasons = {FileNotFoundError: "there is no such file", IsADirectoryError: "this is a folder, not a file"}
    return reasons.get(type(error), "the file cannot be read")


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Without the search for cycles: there are none among many small lists, and it takes longer than reading them."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@_uncollected()
def parse(content: bytes, file: str, missing: Collection[str] = ("",)) -> pd.DataFrame:
    r"""`read_strict` for content in memory; `file` is what messages call it.

    >>> parse(b"id,arm\n007,NA\n", "trial.csv").loc[2].tolist()
    ['007', 'NA']
    >>> parse(b"id,age\n007,61\n008,1,5\n", "trial.csv")
    Traceback (most recent call last):
    ...
    attrition.contract.strict.ContractError: trial.csv: refused, 1 problem
      line 3: 3 cells where the header has 2 (an unquoted comma, or a decimal comma?)
    """
    text = _decoded(content, file)
    marked = _marked(text)
    header, columns, lines, ragged = _unquoted(marked or text) or _records(marked or text, file)
    cells = [pd.array(column, dtype="str") for column in columns]
    notes, first = [], cells[0] if cells else [row[0] for row in ragged if row]
    if len(header) > MOST_COLUMNS:
        raise refused(file, f"{len(header):,} columns; at most {MOST_COLUMNS:,} are read", 1)
    if named := _row_names(header, first):
        header = [ROW_NAMES, *header[1:]]
        notes.append(f"{file}: the first column has no name and differs in every row: row names, left out.")
    # with the wrong line as header every row below it is wrong as well: that is said once
    narrowest = min((len(row) for row in ragged if row), default=len(header) if len(first) else 0)
    problems = _header_problems(header, narrowest) or [*_ragged(lines, ragged, len(header))]
    refuse(file, problems or _no_header(header, cells))
    if not len(first):
        raise refused(file, NO_ROW)
    table = pd.DataFrame(dict(zip(header, cells, strict=True)), index=pd.Index(np.asarray(lines), name="line"))
    absent = table.isin([*missing, ROW_NAMES] if marked else list(missing))
    if named and QUOTED_HEADER.match(text):
        absent |= table.eq("NA") & [table[name].map(BARE.fullmatch).notna().all() for name in header]
    if (marked or named) and "NA" not in missing and (table.isin(["NA", ROW_NAMES]) & absent).any(axis=None):
        notes.append(f"{file}: NA is missing, as R writes it.")
    table, absent = (part.drop(columns=ROW_NAMES) if named else part for part in (table, absent))
    table = table.mask(absent) if absent.any(axis=None) else table
    table.attrs["notes"] = tuple(notes)
    return table


def header_of(line: bytes, file: str) -> list[str]:
    """Names in the first line of a file, as they stand; what is wrong with them `parse` says."""
    return next(csv.reader(io.StringIO(_decoded(line, file), newline="")), [])


def _marked(text: str) -> str:
    """The text of a file that R wrote (all text quoted) with its bare NA marked; empty for any other file."""
    if not (start := QUOTED_HEADER.match(text)) or not re.search(r"(?:^|[,\r\n])NA(?:[,\r\n]|$)", text):
        return ""
    cells, at = [text[: start.end()]], start.end()
    while at < len(text):
        cell = CELL.match(text, at)
        if cell is None or not (cell[1].startswith('"') or BARE.fullmatch(cell[1])):
            return ""
        cells.append((ROW_NAMES if cell[1] == "NA" else cell[1]) + cell[2])
        at = cell.end()
    return "".join(cells)


def _row_names(header: list[str], first: Sequence[str]) -> bool:
    """Whether the first column holds names of rows, as R and pandas write them: no name, and no cell as another."""
    unnamed = len(header) > 1 and header[0] == "" and all(name.strip() for name in header[1:])
    return unnamed and len(first) == len({*first}) > 0 and all(first)


def _no_header(header: list[str], cells: Sequence[Any]) -> list[Problem]:
    """A first line that looks like the rows below it: most of its names stand again in their own columns."""
    again = sum(name in column[:1000] for name, column in zip(header, cells, strict=False))
    rule = "the first line looks like the rows below it; is the header missing?"
    return [Problem("", rule, 1)] if again > len(header) / 2 else []


def _decoded(content: bytes, file: str) -> str:
    if not content.strip():
        raise refused(file, "the file is empty")
    if kind := next((kind for magic, kind in MAGIC.items() if content.startswith(magic)), ""):
        raise refused(file, f"this is {kind}, not a CSV file")
    halves = content[:200:2], content[1:200:2]
    every_other_nul = len(content) > 3 and max(half.count(0) / len(half) for half in halves) > 0.7
    if every_other_nul or content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise refused(file, "the file looks like UTF-16; save it as UTF-8")
    if b"\0" in content:
        raise refused(file, "a NUL byte: this is no text file", content.count(b"\n", 0, content.index(b"\0")) + 1)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        rule = "the file is not UTF-8; it looks like Latin-1 or Windows-1252; save it as UTF-8"
        raise refused(file, rule, content.count(b"\n", 0, error.start) + 1) from None


Records = tuple[list[str], Sequence[pa.Array], Sequence[int], list[list[str]]]
"""Header, cells by column, line on which each row begins; rows, and no columns, where rows are uneven."""


def _unquoted(text: str) -> Records | None:
    """The records of a text without quotes whose rows all have as many cells, two or more: read many at once."""
    if '"' in text or text.count("\r") != text.count("\r\n"):
        return None
    text = text.rstrip("\r\n")
    # no row goes beyond two blocks, so no cell of it beyond all size
    read = ReadOptions(use_threads=False, block_size=csv.field_size_limit() // 2, autogenerate_column_names=True)
    cells = ParseOptions(quote_char=False), ConvertOptions(default_column_type=pa.large_string())
    try:
        rows = read_csv(pa.BufferReader(text.encode("utf-8-sig")), read, *cells).combine_chunks()
    except pa.ArrowInvalid:
        return None
    if rows.num_columns == 1 or len(rows) <= text.count("\n"):  # blank lines are left out
        return None
    return [name[0].as_py() for name in rows.columns], rows.slice(1).columns, range(2, len(rows) + 1), []


def _records(text: str, file: str) -> Records:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    lines, rows, start = [], [], 1
    try:
        for row in reader:
            lines.append(start)
            rows.append(row)
            start = reader.line_num + 1
    except csv.Error:
        raise refused(file, "a quote that is not closed or not doubled, or a cell beyond all size", start) from None
    while rows and not rows[-1]:
        rows.pop()
        lines.pop()
    if not rows or not rows[0]:
        raise refused(file, "the first line must be the header", 1)
    even = all(len(row) == len(rows[0]) for row in rows)
    columns = [pa.array(cells, pa.large_string()) for cells in zip(*rows[1:], strict=True)] if even else []
    return rows[0], columns, lines[1:], [] if even else rows[1:]


def _header_problems(header: list[str], narrowest: int) -> list[Problem]:
    """What is wrong with the header, given the fewest cells of a row below it."""
    if header[0].lower() == "sep=" and header[1:] == [""]:
        return [Problem("", "a note for spreadsheets (sep=) stands where the header should; delete this line", 1)]
    if len(header) == 1:
        if word := next((word for delimiter, word in OTHER_DELIMITERS.items() if delimiter in header[0]), ""):
            return [Problem("", f"the cells look separated by {word}; commas are needed", 1)]
        if narrowest > 1:
            return [Problem("", f"1 cell, and more in every row below; {TITLE_ROW}", 1)]
    if any(NUMBER.fullmatch(name.strip()) for name in header):
        return [Problem("", "a column name that is a number or a date; is the header missing?", 1)]
    unnamed = [position for position, name in enumerate(header, 1) if not name.strip()]
    if len(unnamed) > 1:
        return [Problem("", f"{len(unnamed)} columns have no name; {TITLE_ROW}", 1)]
    twice = [shown(name, i) for i, name in enumerate(header, 1) if name.strip() and header.index(name) < i - 1]
    found = [Problem(f"no. {position}", f"the column has no name; {TITLE_ROW}", 1) for position in unnamed]
    return found + [Problem(name, "the name stands twice in the header", 1) for name in twice]


def _ragged(lines: Sequence[int], rows: list[list[str]], width: int) -> Iterator[Problem]:
    for line, row in zip(lines, rows, strict=False):
        if not row:
            yield Problem("", "a blank line inside the table", line)
        elif len(row) != width:
            hint = " (an unquoted comma, or a decimal comma?)" if len(row) > width else ""
            cells = f"{len(row)} cell{'s' * (len(row) != 1)}"
            yield Problem("", f"{cells} where the header has {width}{hint}", line)


def _lines(file: BinaryIO, name: str) -> Iterator[bytes]:
    """Lines of a file, none beyond all size: a device's, or a hole's, would fill the memory."""
    while line := file.readline(LONGEST_LINE + 1):
        if len(line) > LONGEST_LINE:
            raise refused(name, f"a line of more than {LONGEST_LINE >> 20} MB")
        yield line


def read_pieces(path: str | Path, rows: int) -> Iterator[pd.DataFrame]:
    """`read_strict` some rows at a time, in bounded memory; the index goes on counting lines.

    What is wrong is said when the piece is reached in which it stands. A file whose lines end in carriage returns,
    or whose header holds a line break, is read in one piece.
    """
    path = Path(path)
    refuse_endless(path)
    try:
        with path.open("rb") as file:
            each = _lines(file, path.name)
            header, line = next(each, b""), 1
            if b"\r" in header.rstrip(b"\r\n") or header.count(b'"') % 2:  # the first line is no line of this kind
                yield read_strict(path)
                return
            while piece := list(islice(each, rows)):
                # a quoted cell may hold line breaks: go on until the quotes are even
                quotes, size = b"".join(piece).count(b'"'), 0
                while quotes % 2 and size < LONGEST_LINE and (more := next(each, b"")):
                    piece.append(more)
                    quotes, size = quotes + more.count(b'"'), size + len(more)
                read = parse(header + b"".join(piece), path.name)
                yield read.set_axis(read.index + line - 1)
                line += len(piece)
            if line == 1:
                parse(header, path.name)
    except OSError as error:
        raise refused(path.name, _unreadable(error)) from None
    except ContractError as error:
        shifted = [Problem(p.column, p.rule, p.line + line - 1 if p.line > 1 else p.line) for p in error.problems]
        raise ContractError(path.name, shifted) from None
