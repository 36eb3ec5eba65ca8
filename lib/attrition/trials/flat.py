"""One flat table (a row a patient) and a mapping to the same `Trial` that CDISC data give.

Only mapped columns are kept: names, birth dates and free text are dropped before anything is looked at. Cells are
text until a rule says otherwise, so an id 007 and an arm called "NA" stay what they are. Every problem is collected
with its line and column, and no message holds a value.
"""

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from attrition.cdisc.trial import (
    CENSORED,
    COMPLETED,
    EVENT_COLUMNS,
    NO_EVENT,
    PATIENT_COLUMNS,
    Definitions,
    Trial,
    assemble,
    completion_begins,
)
from attrition.contract.strict import ContractError, Problem, lines_of, read_strict
from attrition.trials.mapping import LONGEST_STUDY, RECORDS, MappingError, TableMapping, for_table, plain, slug

ENDINGS = (".csv", ".parquet")
YES, NO = frozenset({"1", "true", "yes"}), frozenset({"0", "false", "no"})
LEFT = "left the trial"
ONE_ARM, UNKNOWN_SITE = "all patients", "unknown"
MOST_ARMS, MOST_TERMS, MOST_LEVELS = 12, 40, 30
FEWEST_PATIENTS = 10
FEWEST_FOLLOWED = 2
UNSEEN = "and whether they would have stayed until then is not known"
FREE_TEXT = "looks like free text or an identifier"
UNDATED = "The mapping names no known_day: no adverse event counts as known at a landmark."


def unread(path: Path) -> str:
    """What to do with a file of another kind.

    >>> unread(Path("patients.xlsx"))
    'files ending in .xlsx are not read as a table; save it as CSV UTF-8 with commas, or as parquet'
    """
    kind = f"files ending in {path.suffix}" if path.suffix else "files without an ending"
    return f"{kind} are not read as a table; save it as CSV UTF-8 with commas, or as parquet"


def _text(values: pd.Series) -> pd.Series:
    """Cells of a parquet column as text; a whole number has no decimal point."""
    present = values.notna()
    if pd.api.types.is_bool_dtype(values) or pd.api.types.is_integer_dtype(values):
        text = values.astype("str").str.lower()
    elif pd.api.types.is_float_dtype(values):
        text = pd.Series([f"{v:.0f}" if v == np.floor(v) else repr(float(v)) for v in values.fillna(0.0)])
    else:
        text = values.astype("str")
    return pd.Series(text.to_numpy(), index=values.index, dtype="str").where(present)


def _name(table: Path | pd.DataFrame) -> str:
    return "the table" if isinstance(table, pd.DataFrame) else table.name


def read_table(path: Path | pd.DataFrame, columns: Sequence[str], missing: Sequence[str] = ("",)) -> pd.DataFrame:
    """Read the named columns of a CSV or parquet file, or of a table in memory, as text; the others are dropped unseen.

    The index, ``line``, is the line of a CSV file, else the row, counted from 1; cells of `missing` are missing.
    """
    columns = list(dict.fromkeys(columns))
    if isinstance(path, pd.DataFrame):
        _require(path.columns, columns, _name(path))
        table = path[columns]
    elif path.suffix.lower() not in ENDINGS:
        raise ContractError(path.name, [Problem("", unread(path))])
    elif path.suffix.lower() == ".csv":
        table = read_strict(path, missing)
        _require(table.columns, columns, path.name)
        return table[columns]
    else:
        table = _read_parquet(path, columns)
    table = table.apply(_text).set_axis(pd.RangeIndex(1, len(table) + 1, name="line"))
    return table.mask(table.isin(list(missing)))


def _read_parquet(path: Path, columns: list[str]) -> pd.DataFrame:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.exists():
        raise ContractError(path.name, [Problem("", "there is no such file")])
    try:
        _require(pq.read_schema(path).names, columns, path.name)
        return pq.read_table(path, columns=columns).to_pandas()
    except (OSError, pa.ArrowException):
        raise ContractError(path.name, [Problem("", "this is no parquet file that can be read")]) from None


def _require(there: Iterable[str], columns: Sequence[str], file: str) -> None:
    there = list(there)
    problems = []
    for column in columns:
        if column not in there:
            near = difflib.get_close_matches(column, there, n=1)
            problems.append(Problem(column, f"not in the file{f'; did you mean {near[0]}?' if near else ''}", 1))
    if problems:
        raise ContractError(file, problems)


class Cells:
    """Cells of a table of text as what the mapping says they are; what they are not is noted by line and column."""

    def __init__(self, table: pd.DataFrame) -> None:
        self.table = table
        self.problems: list[Problem] = []

    def note(self, column: str, rule: str, bad: pd.Series) -> None:
        """Note the lines that break a rule."""
        self.problems += lines_of(column, rule, bad)

    def same(self, value: str) -> pd.Series:
        """A column in which every row holds the same text."""
        return pd.Series(value, index=self.table.index, dtype="str")

    def text(self, column: str | None) -> pd.Series:
        """A column as it stands; empty without one."""
        return self.table[column] if column else pd.Series(pd.NA, index=self.table.index, dtype="str")

    def number(self, column: str | None) -> pd.Series:
        """Numbers; missing without a column."""
        if column is None:
            return pd.Series(np.nan, index=self.table.index)
        numbers = pd.to_numeric(self.table[column], errors="coerce").astype(float)
        bad = self.table[column].notna() & ~np.isfinite(numbers)
        self.note(column, "must be a number (with a decimal point)", bad)
        return numbers

    def day(self, column: str, low: int, needed: bool = False) -> pd.Series:
        """Study days from `low` on."""
        cells = self.table[column]
        days = pd.to_numeric(cells, errors="coerce").astype(float)
        bad = cells.notna() & ~(days.between(low, LONGEST_STUDY) & (days % 1 == 0))
        self.note(column, f"must be a whole study day from {low} to {LONGEST_STUDY}", bad)
        self.note(column, "is empty", cells.isna() & needed)
        return days

    def few(self, column: str, most: int) -> bool:
        """Whether a column has at most so many different values."""
        found = self.table[column].nunique()
        if found > most:
            self.problems.append(Problem(column, f"{found} different values, at most {most}: it {FREE_TEXT}"))
        return found <= most

    def apart(self, column: str) -> pd.Series:
        """A column whose values differ in more than case and spaces; noted are lines with the rarer spelling.

        The names of a model's columns also take an underscore for a space.
        """
        known = self.table[column].dropna()
        forms = known.map(lambda value: plain(value).replace("_", " "))
        usual = known.groupby(forms).transform(lambda same: same.mode().iloc[0])
        rule = "two values differ only in case or spaces (an underscore counts as one)"
        self.note(column, rule, known.ne(usual))
        return self.table[column]

    def category(self, column: str, most: int) -> pd.Series:
        """A column of a few values that differ."""
        return self.apart(column) if self.few(column, most) else self.table[column]

    def identifier(self, column: str) -> pd.Series:
        """A column in which each row has a value of its own."""
        ids = self.table[column]
        twice = ids.notna() & ids.duplicated()
        alike = ids.notna() & ids.map(plain, na_action="ignore").duplicated() & ~twice
        self.note(column, "is empty", ids.isna())
        self.note(column, "this patient stands in an earlier row", twice)
        self.note(column, "differs from the id of an earlier row only in case or spaces", alike)
        return ids

    def refuse(self, file: str) -> None:
        """Refuse the table if anything was noted."""
        if self.problems:
            raise ContractError(file, self.problems)


def _reason(cells: Cells, m: TableMapping) -> pd.Series:
    """Disposition term of every patient: missing while the patient is in the trial."""
    if m.reason:
        if cells.few(m.reason, MOST_TERMS):
            _note_terms(cells, m.reason, m)
        terms = cells.table[m.reason]
        return terms.mask(terms.isin(m.ongoing))
    flag = cells.text(m.event).str.lower()
    cells.note(str(m.event), "must be 0 or 1", ~flag.isin(YES | NO))
    return cells.same(LEFT).where(flag.isin(YES))


def _note_terms(cells: Cells, column: str, m: TableMapping) -> None:
    """Terms that are much like one of the mapping but are not in it would silently move patients."""
    values, before = cells.table[column], len(cells.problems)
    there = set(values.dropna().unique())
    named = [*m.completed, *m.ongoing, *m.competing, *(term for group in m.groups.values() for term in group)]
    unnamed = sorted(there - set(named))
    lowered = [term.lower() for term in unnamed]
    for term in named:
        if term not in there and difflib.get_close_matches(term.lower(), lowered, 1, 0.8):
            rule = f"the mapping's term {term!r} does not occur, but one spelled much like it does"
            cells.problems.append(Problem(column, rule))
    forms = {plain(term) for term in named}
    alike = values.isin([term for term in unnamed if plain(term) in forms])
    cells.note(column, "is a term of the mapping but for case or spaces", alike)
    if m.completed and not there.intersection(m.completed) and len(cells.problems) == before:
        rule = "no patient completed, by the terms that the mapping gives for completion"
        cells.problems.append(Problem(column, rule))


def _arm(cells: Cells, m: TableMapping) -> pd.Series:
    if m.arm is None:
        return cells.same(ONE_ARM)
    arm = cells.category(m.arm, MOST_ARMS)
    cells.note(m.arm, "is empty", arm.isna())
    if m.reference_arm and m.reference_arm not in set(arm.dropna()):
        cells.problems.append(Problem(m.arm, f"the mapping's reference arm {m.reference_arm!r} does not occur"))
    return arm


def patients(path: Path | pd.DataFrame, m: TableMapping) -> pd.DataFrame:
    """The patients of a flat table: id, arm, site, event_day, reason and baseline columns.

    Raises
    ------
    ContractError
        With every bad line at once.
    """
    named = [m.id, m.event_day, m.reason, m.event, m.arm, m.site, *m.numbers, *m.categories]
    cells = Cells(read_table(path, [column for column in named if column], m.missing))
    columns = {
        "id": cells.identifier(m.id),
        "arm": _arm(cells, m),
        "site": cells.apart(m.site).fillna(UNKNOWN_SITE) if m.site else cells.same(UNKNOWN_SITE),
        "event_day": cells.day(m.event_day, 1, needed=True),
        "reason": _reason(cells, m),
    }
    columns |= {_own(column): cells.number(column) for column in m.numbers}
    columns |= {_own(column): cells.category(column, MOST_LEVELS) for column in m.categories}
    if len(cells.table) < FEWEST_PATIENTS:
        rule = f"{len(cells.table)} patients; the report needs at least {FEWEST_PATIENTS}"
        cells.problems.append(Problem("", rule))
    cells.refuse(_name(path))
    return pd.DataFrame(columns)


def _own(column: str) -> str:
    """A baseline column that has the name of one of ours keeps apart from it."""
    taken = {*PATIENT_COLUMNS, "time", "event_group", "status"}
    return f"baseline_{column}" if column in taken else column


def _kind(cells: Cells, column: str | None, all_are: str | None) -> pd.Series:
    if column is None:
        return cells.same(str(all_are))
    kind = cells.table[column].str.lower()
    cells.note(column, f"must be one of {', '.join(RECORDS)}", ~kind.isin(RECORDS))
    return kind


def events(m: TableMapping, ids: pd.Series) -> pd.DataFrame:
    """The dated records of the long table, if the mapping names one.

    Raises
    ------
    ContractError
        With every bad line at once.
    """
    e = m.events
    if e is None:
        numbers = ("value", "day", "known_day")
        return pd.DataFrame({name: pd.Series(dtype="float" if name in numbers else "str") for name in EVENT_COLUMNS})
    named = [e.id, e.day, e.known_day, e.kind, e.name, e.value, e.detail]
    cells = Cells(read_table(e.table, [column for column in named if column], m.missing))
    day, kind = cells.day(e.day, -LONGEST_STUDY), _kind(cells, e.kind, e.all_are)
    known = cells.day(e.known_day, -LONGEST_STUDY) if e.known_day else day.mask(kind.eq("adverse event"))
    value, found = cells.number(e.value), cells.table[e.id]
    unknown = ~found.isin(ids)
    alike = unknown & found.map(plain, na_action="ignore").isin(ids.map(plain))
    cells.note(e.id, "no patient of the other table has this id", unknown & ~alike)
    cells.note(e.id, "differs from an id of the other table only in case or spaces", alike)
    cells.refuse(e.table.name)
    name, detail = cells.text(e.name).fillna("unnamed"), cells.text(e.detail)
    columns = (found, kind, name, value, detail, day, np.maximum(day, known))
    return pd.DataFrame(dict(zip(EVENT_COLUMNS, columns, strict=True))).reset_index(drop=True)


def definitions(m: TableMapping, name: str) -> Definitions:
    """What the terms of a mapping mean, for a trial of that name."""
    return Definitions(
        name=slug(name),
        title=m.title or name,
        horizon=m.horizon,
        landmarks=m.landmarks,
        reference=m.reference_arm or "",
        completed=frozenset(m.completed),
        competing=dict.fromkeys(m.competing, "competing"),
        reasons={term: group for group, terms in m.groups.items() for term in terms},
        other="other" if m.reason else LEFT,
    )


def _workable(trial: Trial) -> int:
    """Last whole week through which some patients were seen, and before which completing is a rare thing; 0: none."""
    patients = trial.patients
    stayed = patients["reason_group"].isin([COMPLETED, CENSORED])
    seen = (patients["event_day"] - ~stayed).nlargest(FEWEST_FOLLOWED).iloc[-1]
    begins = completion_begins(patients)
    return int(seen if begins is None else min(begins, seen)) // 7 * 7


def _seen_to_the_horizon(trial: Trial, m: TableMapping) -> None:
    """Refuse a horizon by which nobody can be known to have stayed, or before which completion is a way out."""
    begins = completion_begins(trial.patients)
    if not trial.patients["status"].eq(NO_EVENT).any():
        why = "nobody was seen through that day"
    elif begins is not None and begins < trial.horizon:
        completed = trial.patients.loc[trial.patients["reason_group"].eq(COMPLETED), "event_day"]
        why = f"{(completed < trial.horizon).mean():.0%} of those who completed did so earlier, {UNSEEN}"
    else:
        return
    longest = _workable(trial)
    advice = f"the longest horizon that works, in whole weeks, is {longest}" if longest else "no whole week would work"
    before = f" (landmarks before {longest})" if longest and max(trial.landmarks) >= longest else ""
    raise MappingError(f"{m.path.name}: [design] horizon = {trial.horizon}: {why}; {advice}{before}")


def load(path: str | Path | pd.DataFrame, mapping: TableMapping, name: str | None = None) -> Trial:
    """A trial from one flat table and its mapping.

    Parameters
    ----------
    path : str or pathlib.Path or pandas.DataFrame
        CSV, parquet or a table in memory, one row a patient.
    mapping : TableMapping
        See `attrition.trials.mapping.read`.
    name : str, optional
        Default: the mapping's, else that of the file.

    Returns
    -------
    Trial

    Raises
    ------
    ContractError
        The table breaks its contract: every problem with line and column.
    MappingError
        The horizon lies beyond what was seen of the patients.
    """
    path, mapping = path if isinstance(path, pd.DataFrame) else Path(path), for_table(mapping)
    table = patients(path, mapping)
    records = events(mapping, table["id"])
    notes = [UNDATED] if mapping.events and not mapping.events.known_day else []
    undated = int(records["day"].isna().sum())
    notes += [f"{undated} records without a day are left out."] if undated else []
    trial = assemble(
        _name(path),
        "table",
        definitions(mapping, name or mapping.name or Path(_name(path)).stem),
        table.reset_index(drop=True),
        records,
        {"screened": None, "screen_failures": None},
        notes=tuple(notes),
    )
    _seen_to_the_horizon(trial, mapping)
    return trial
