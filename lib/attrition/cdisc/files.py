"""Files of a folder or of a zip archive as tables: what they are by their ending, their columns, their content.

Nothing is ever unpacked to disk: members of an archive, and what is compressed, are read in memory, up to `LARGEST`
bytes. A file that was cut short is refused wherever its format tells its length.
"""

import gzip
import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pandas as pd

from attrition import settings
from attrition.contract import strict
from attrition.contract.strict import ContractError, Problem, refused
from notebook_report import errors

ENDINGS = (".parquet", ".xpt", ".sas7bdat", ".csv", ".json", ".ndjson", ".dta", ".sav", ".zsav")
NEEDS: dict[str, str] = settings.declared(__file__, "files.yaml")["needs"]
LARGEST, MOST_MEMBERS = strict.LARGEST, 10_000
"""Most bytes of an archive or of a compressed file once it is unpacked, and most files in an archive."""
HARMLESS, MOST_TIMES, MOST_CELLS = 2**28, 200, 250_000_000
"""Bytes up to which anything may be unpacked, times beyond that (transport files are full of blanks: 40), and cells."""
BOMB = f"more than {MOST_TIMES}-fold, beyond {HARMLESS >> 20} MB: an archive bomb?"
LONGEST_LINE = 10**6
NO_PARTITION = "__HIVE_DEFAULT_PARTITION__"
RECORD, NAMESTR = 80, 140
"""Bytes of a record of XPT, to which rows are padded, and of the description of a column."""


def _bare(name: str) -> str:
    return name.lower().removesuffix(".gz")


def ending(name: str) -> str:
    """Ending by which a file is read, whether it is compressed or not; empty: it is not.

    >>> ending("DM.XPT"), ending("dm.csv.gz"), ending("dm.xlsx"), ending(".dm.csv")
    ('.xpt', '.csv', '', '')
    """
    found = Path(_bare(name)).suffix
    return found if found in ENDINGS and not name.startswith(".") else ""


def domain(name: str) -> str:
    """The domain that a file holds, by its name in lower case."""
    return Path(_bare(name)).stem


def opened(path: Path, refusal: type[Exception]) -> Any:
    """A folder as it is; of a zip archive the folder in it that holds most data files, refused when it is unsound."""
    if path.is_dir():
        if any(map(errors.endless, path.iterdir())):
            raise refusal(f"{path.name}: a pipe or a device lies in the folder")
        return path
    try:
        archive = zipfile.ZipFile(path)
        members = [member for member in archive.infolist() if not member.is_dir()]
    except (OSError, zipfile.BadZipFile):
        raise refusal(f"{path.name}: this is no zip archive that can be read") from None
    if any(member.flag_bits & 1 for member in members):
        raise refusal(f"{path.name}: the archive is encrypted; unpack it and give the folder")
    if len(members) > MOST_MEMBERS or sum(member.file_size for member in members) > LARGEST:
        raise refusal(f"{path.name}: more than {MOST_MEMBERS:,} files or {LARGEST >> 30} GB in one archive")
    if any(member.file_size > max(HARMLESS, MOST_TIMES * member.compress_size) for member in members):
        raise refusal(f"{path.name}: a file in the archive grows {BOMB}")
    names = [member.filename for member in members]
    if any(name.startswith("/") or ".." in name.split("/") or "\\" in name for name in names):
        raise refusal(f"{path.name}: a path in the archive leads out of it")
    if len({*names}) < len(names):
        raise refusal(f"{path.name}: the archive holds a file twice under one path")
    inside = [name for name in names if not name.startswith("__MACOSX/") and "parquet/" not in name]
    inside += [name.partition("parquet/")[0] + "parquet" for name in names if "parquet/" in name]
    folders = Counter(name.rpartition("/")[0] for name in {*inside} if ending(name.rpartition("/")[2]))
    best = min(folders, key=lambda name: (-folders[name], name), default="")
    return zipfile.Path(archive, f"{best}/" if best else "")


def within(entry: Any, below: str = "") -> Iterator[tuple[str, Any]]:
    """Files of a folder of parts with the way down to them, in order."""
    if not entry.is_dir():
        yield below, entry
        return
    for one in sorted(entry.iterdir(), key=lambda one: one.name):
        if not one.name.startswith((".", "_")):
            yield from within(one, f"{below}/{one.name}" if below else one.name)


def told(folder: Any) -> str:
    """What else lies in a folder, by ending and count, and what each would need; never a name."""
    others = [entry for entry in folder.iterdir() if not ending(entry.name) and not entry.name.startswith(".")]
    kinds = Counter("folder" if one.is_dir() else Path(one.name).suffix.lower().removeprefix(".") for one in others)
    known = [f"{n} .{kind} (needs {NEEDS[kind]})" for kind, n in sorted(kinds.items()) if kind in NEEDS]
    known += [f"{n} folder (give the one that holds the files)" for kind, n in kinds.items() if kind == "folder"]
    rest = sum(n for kind, n in kinds.items() if kind not in {*NEEDS, "folder"})
    return "; ".join([*known, f"{rest} of another kind"] if rest else known)


def content(entry: Any, most: int | None = None) -> bytes:
    """Bytes of a file, unpacked; at most so many, refused beyond `LARGEST`."""
    packed, limit = entry.name.lower().endswith(".gz"), LARGEST
    if packed:
        size = entry.stat().st_size if isinstance(entry, Path) else entry.root.getinfo(entry.at).file_size
        limit = min(LARGEST, max(HARMLESS, MOST_TIMES * size))
    with entry.open("rb") as raw:
        found = (gzip.GzipFile(fileobj=raw) if packed else raw).read(most if most is not None else limit + 1)
    if len(found) > limit:
        why = f"it grows {BOMB}" if limit < LARGEST else f"more than {LARGEST >> 30} GB once it is unpacked"
        raise refused(entry.name, why)
    return found


def _handle(entry: Any) -> Any:
    """What readers of binary files take: a place on disk, else the bytes."""
    strict.refuse_endless(entry)
    return entry if isinstance(entry, Path) and not entry.name.lower().endswith(".gz") else io.BytesIO(content(entry))


def readable(entry: Any, reader: Callable, *arguments: Any) -> Any:
    """What a reader makes of a file; one that it cannot read is refused without the words that it has for that."""
    strict.refuse_endless(entry)
    try:
        return reader(entry, *arguments)
    except ContractError:
        raise
    except FileNotFoundError:
        rule = "there is no such file"
    except Exception as error:
        rule = f"this is no {ending(entry.name).removeprefix('.')} file that can be read ({type(error).__name__})"
    raise refused(entry.name, rule)


def header(entry: Any) -> list[str]:
    """Names of the columns, as the file spells them."""
    names = _KINDS[ending(entry.name)][0](entry)
    if len(names) > strict.MOST_COLUMNS:
        raise refused(entry.name, f"{len(names):,} columns; at most {strict.MOST_COLUMNS:,} are read")
    return names


def _bounded(entry: Any, rows: int | None, columns: int) -> None:
    """Refuse a table that says it is larger than any: repeated cells pack a billion rows into a kilobyte."""
    if (rows or 0) * max(columns, 1) > MOST_CELLS:
        raise refused(entry.name, f"{rows:,} rows; at most {MOST_CELLS:,} cells are read")


def table(entry: Any, columns: list[str], missing: tuple[str, ...] = ("",), text: Collection[str] = ()) -> pd.DataFrame:
    """Some columns of a file; those of text files are text, of which cells of `missing` are missing.

    Codes of the columns `text` that the file labels become their labels; what a reader must know is a note in `attrs`.
    """
    frame = _KINDS[ending(entry.name)][1](entry, columns, missing)
    for name, labels in frame.attrs.pop("labels", {}).items():
        if name in text and {*frame[name].dropna().unique()} <= {*labels}:
            frame[name] = frame[name].map(labels).astype("str")
    kept = {name: frame[name].astype(object) for name in frame if isinstance(frame[name].dtype, pd.CategoricalDtype)}
    return frame.assign(**kept)[columns]


# CSV


def _csv_header(entry: Any) -> list[str]:
    with entry.open("rb") as raw:
        line = (gzip.GzipFile(fileobj=raw) if entry.name.lower().endswith(".gz") else raw).readline(LONGEST_LINE)
    return [name for name in strict.header_of(line, entry.name) if name.strip()]


def _csv(entry: Any, columns: list[str], missing: tuple[str, ...]) -> pd.DataFrame:
    return strict.parse(content(entry), entry.name, missing)[columns]


# parquet, also a folder of parts, whose names may hold a column


def _partitions(way: str) -> dict[str, str]:
    pairs = (step.partition("=") for step in way.split("/")[:-1])
    return {unquote(name): unquote(value) for name, equals, value in pairs if equals}


def _parts(entry: Any) -> list[tuple[str, Any]]:
    if not (found := [(way, part) for way, part in within(entry) if not way or way.lower().endswith(".parquet")]):
        raise refused(entry.name, "no parquet file in this folder")
    return found


def _parquet_header(entry: Any) -> list[str]:
    import pyarrow.parquet as pq

    way, first = _parts(entry)[0]
    names = dict.fromkeys([*pq.read_schema(_handle(first)).names, *_partitions(way)])
    return [name for name in names if not name.startswith("__index_level_")]


def _parquet(entry: Any, columns: list[str], missing: tuple[str, ...]) -> pd.DataFrame:
    import pyarrow.parquet as pq

    parts = []
    for way, part in _parts(entry):
        given = {name: value for name, value in _partitions(way).items() if name in columns}
        handle = _handle(part)
        _bounded(part, pq.read_metadata(handle).num_rows, len(columns))
        read = pq.read_table(handle, columns=[name for name in columns if name not in given], partitioning=None)
        frame = read.to_pandas(ignore_metadata=True)
        parts.append(frame.assign(**{k: pd.NA if v == NO_PARTITION else v for k, v in given.items()})[columns])
    return parts[0] if len(parts) == 1 else pd.concat(parts, ignore_index=True)


# SAS, Stata, SPSS


def _stats(entry: Any, **options: Any) -> tuple[pd.DataFrame, Any]:
    import pyreadstat

    reader = {".xpt": "xport", ".sas7bdat": "sas7bdat", ".dta": "dta"}.get(ending(entry.name), "sav")
    file = _handle(entry)
    file = str(file) if isinstance(file, Path) else file
    try:
        return getattr(pyreadstat, f"read_{reader}")(file, **options)
    # of text that is not in the encoding that the file says, or says nothing of
    except (pyreadstat.ReadstatError, UnicodeDecodeError):
        if isinstance(file, io.BytesIO):
            file.seek(0)
        return getattr(pyreadstat, f"read_{reader}")(file, encoding="WINDOWS-1252", **options)


def _stats_header(entry: Any) -> list[str]:
    return list(_stats(entry, metadataonly=True)[1].column_names)


def _stats_table(entry: Any, columns: list[str], missing: tuple[str, ...]) -> pd.DataFrame:
    _bounded(entry, _stats(entry, metadataonly=True)[1].number_rows, len(columns))
    frame, about = _stats(entry, usecols=columns)
    rows = _rows_of_xpt(entry) if ending(entry.name) == ".xpt" else about.number_rows
    if rows is not None and rows != len(frame):
        raise _cut(entry, f"{len(frame)} rows of {rows}")
    frame.attrs["labels"] = {name: each for name, each in about.variable_value_labels.items() if name in columns}
    return frame


def _cut(entry: Any, why: str) -> ContractError:
    return refused(entry.name, f"the file was cut short: {why}")


def _rows_of_xpt(entry: Any) -> int | None:
    """Rows that a transport file says it has (version 8); refused when its last row is not whole (both versions)."""
    found = content(entry)
    names, rows = (list(re.finditer(rb"HEADER RECORD\*{7}" + mark, found)) for mark in (rb"NAM\w+", rb"OBS[ V]"))
    if len(names) != 1 or len(rows) != 1:
        several = "the file holds several data sets; export each into a file of its own"
        raise refused(entry.name, several if rows else "its header is not whole: it was cut short")
    start, first, after = names[0].start(), names[0].start() + RECORD, rows[0].start() + RECORD
    end = first + NAMESTR * int(found[start + 54 : start + 58])
    widths = [found[at + 4 : at + 6] for at in range(first, end, NAMESTR)]
    width, data = sum(int.from_bytes(two, "big") for two in widths), found[after:]
    over = len(data) % width if width else 0
    if len(found) % RECORD or over >= RECORD or data[len(data) - over :].strip(b" "):
        raise _cut(entry, "its last row is not whole")
    said = found[after - RECORD + 48 : after - RECORD + 63].strip()
    return int(said) if rows[0].group().endswith(b"V") and said.isdigit() else None


# CDISC Dataset-JSON 1.1 (one object, or a line a row) and 1.0


def _dataset(entry: Any) -> tuple[list[dict[str, Any]], list[list[Any]]]:
    """Columns and rows of a data set."""
    text = content(entry).decode("utf-8-sig")
    if ending(entry.name) == ".ndjson":
        about, *rows = (json.loads(line) for line in text.splitlines() if line.strip())
    else:
        about = json.loads(text)
        for outer in ("clinicalData", "referenceData"):  # 1.0
            if isinstance(about.get(outer), dict):
                (about,) = about[outer]["itemGroupData"].values()
        rows = about.get("rows", about.get("itemData", []))
    columns = about.get("columns", about.get("items"))
    if not isinstance(columns, list):
        raise refused(entry.name, "JSON without columns and rows: this is no CDISC Dataset-JSON")
    if about.get("records", len(rows)) != len(rows):
        raise _cut(entry, f"{len(rows)} rows of {about['records']}")
    whole = [isinstance(row, list) and len(row) == len(columns) for row in rows]
    sound = [ok and not any(isinstance(cell, list | dict) for cell in row) for ok, row in zip(whole, rows, strict=True)]
    rule = f"must be a list of {len(columns)} cells, one a column"
    strict.refuse(entry.name, (Problem("", rule, i) for i, ok in enumerate(sound, 1) if not ok))
    return columns, rows


def _json_header(entry: Any) -> list[str]:
    return [str(column["name"]) for column in _dataset(entry)[0]]


def _json(entry: Any, columns: list[str], missing: tuple[str, ...]) -> pd.DataFrame:
    about, rows = _dataset(entry)
    names, cells = [column["name"] for column in about], list(zip(*rows, strict=True)) or [()] * len(about)
    kinds = dict(zip(names, (column.get("dataType", column.get("type")) for column in about), strict=True))
    frame = pd.DataFrame({name: pd.Series(cells[names.index(name)], dtype=object) for name in columns})
    for name in columns:
        numbers = kinds[name] in ("integer", "float", "double", "decimal")
        sound = frame[name].map(lambda cell: isinstance(cell, int | float) and not isinstance(cell, bool))
        if numbers and (sound | frame[name].isna()).all():
            frame[name] = frame[name].astype(float)
        else:
            frame[name] = frame[name].map(str, na_action="ignore").astype("str")
    return frame


_KINDS: dict[str, tuple[Callable, Callable]] = dict.fromkeys(ENDINGS, (_stats_header, _stats_table))
_KINDS |= {".parquet": (_parquet_header, _parquet), ".csv": (_csv_header, _csv)}
_KINDS |= dict.fromkeys((".json", ".ndjson"), (_json_header, _json))
