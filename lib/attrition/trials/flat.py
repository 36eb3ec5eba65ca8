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
    Definitions,
    Trial,
    assemble,
    completion_begins,
)
from attrition.contract.strict import ContractError, Problem, lines_of, read_strict
from attrition.trials.mapping import LONGEST_STUDY, RECORDS, EventsTable, MappingError, TableMapping, plain, slug

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

    Examples
    --------
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
    """Read the named columns of a CSV or parquet file as text; the others are dropped unseen.

    Parameters
    ----------
    path : pathlib.Path or pandas.DataFrame
        A table in memory is taken as one in a parquet file.
    columns : sequence of str
    missing : sequence of str
        Cells that mean missing.

    Returns
    -------
    pandas.DataFrame of text
        Index ``line``: line of the file (of a parquet file: row, counted from 1).

    Raises
    ------
    ContractError
        A file that cannot be read, or a column that is not there.
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


def _number(values: pd.Series, whole: bool = False, low: float = -np.inf, high: float = np.inf):
    """Numbers, and which cells are none (or out of range)."""
    numbers = pd.to_numeric(values, errors="coerce").astype(float)
    bad = values.notna() & ~(np.isfinite(numbers) & (numbers >= low) & (numbers <= high))
    return numbers, bad | (whole & numbers.notna() & (numbers % 1 != 0))


def _days(table: pd.DataFrame, column: str, low: int, needed: bool) -> tuple[pd.Series, list[Problem]]:
    days, bad = _number(table[column], whole=True, low=low, high=LONGEST_STUDY)
    problems = lines_of(column, f"must be a whole study day from {low} to {LONGEST_STUDY}", bad)
    return days, problems + (lines_of(column, "is empty", table[column].isna()) if needed else [])


def _too_many(values: pd.Series, column: str, most: int) -> list[Problem]:
    found = values.nunique()
    return [Problem(column, f"{found} different values, at most {most}: it {FREE_TEXT}")] if found > most else []


def _levels(values: pd.Series, column: str, most: int) -> list[Problem]:
    return _too_many(values, column, most) or _alike(values, column)


def _alike(values: pd.Series, column: str) -> list[Problem]:
    """Lines with the rarer of two spellings; the names of a model's columns also take an underscore for a space."""
    known = values.dropna()
    forms = known.map(lambda value: plain(value).replace("_", " "))
    usual = known.groupby(forms).transform(lambda same: same.mode().iloc[0])
    return lines_of(column, "two values differ only in case or spaces (an underscore counts as one)", known.ne(usual))


def _identified(table: pd.DataFrame, column: str) -> list[Problem]:
    ids = table[column]
    twice = ids.notna() & ids.duplicated()
    alike = ids.notna() & ids.map(plain, na_action="ignore").duplicated() & ~twice
    problems = lines_of(column, "is empty", ids.isna()) + lines_of(
        column, "this patient stands in an earlier row", twice
    )
    return problems + lines_of(column, "differs from the id of an earlier row only in case or spaces", alike)


def _reason(table: pd.DataFrame, m: TableMapping) -> tuple[pd.Series, list[Problem]]:
    """Disposition term of every patient: missing while the patient is in the trial."""
    if m.event is None:
        terms = table[m.reason]
        problems = _too_many(terms, str(m.reason), MOST_TERMS) or _terms(terms, m)
        return terms.mask(terms.isin(m.ongoing)), problems
    flag = table[m.event].str.lower()
    bad = ~flag.isin(YES | NO)
    return pd.Series(LEFT, index=table.index, dtype="str").where(flag.isin(YES)), lines_of(
        m.event, "must be 0 or 1", bad
    )


def _terms(values: pd.Series, m: TableMapping) -> list[Problem]:
    """Terms that are much like one of the mapping but are not in it would silently move patients."""
    there = set(values.dropna().unique())
    named = [*m.completed, *m.ongoing, *m.competing, *(term for group in m.groups.values() for term in group)]
    unnamed = sorted(there - set(named))
    problems = [
        Problem(str(values.name), f"the mapping's term {term!r} does not occur, but one spelled much like it does")
        for term in named
        if term not in there and difflib.get_close_matches(term.lower(), [t.lower() for t in unnamed], 1, 0.8)
    ]
    forms = {plain(term) for term in named}
    alike = values.isin([term for term in unnamed if plain(term) in forms])
    problems += lines_of(str(values.name), "is a term of the mapping but for case or spaces", alike)
    if m.completed and not there.intersection(m.completed) and not problems:
        problems.append(
            Problem(str(values.name), "no patient completed, by the terms that the mapping gives for completion")
        )
    return problems


def _baseline(table: pd.DataFrame, m: TableMapping) -> tuple[pd.DataFrame, list[Problem]]:
    found, problems = {}, []
    for column in m.numbers:
        found[column], bad = _number(table[column])
        problems += lines_of(column, "must be a number (with a decimal point)", bad)
    for column in m.categories:
        found[column] = table[column]
        problems += _levels(table[column], column, MOST_LEVELS)
    return pd.DataFrame(found, index=table.index), problems


def _arm(table: pd.DataFrame, m: TableMapping) -> tuple[pd.Series, list[Problem]]:
    if m.arm is None:
        return pd.Series(ONE_ARM, index=table.index, dtype="str"), []
    arm = table[m.arm]
    problems = lines_of(m.arm, "is empty", arm.isna()) + _levels(arm, m.arm, MOST_ARMS)
    if m.reference_arm and m.reference_arm not in set(arm.dropna()):
        problems.append(Problem(m.arm, f"the mapping's reference arm {m.reference_arm!r} does not occur"))
    return arm, problems


def patients(path: Path | pd.DataFrame, m: TableMapping) -> pd.DataFrame:
    """The patients of a flat table: id, arm, site, event_day, reason and baseline columns.

    Raises
    ------
    ContractError
        With every bad line at once.
    """
    named = [m.id, m.event_day, m.reason, m.event, m.arm, m.site, *m.numbers, *m.categories]
    table = read_table(path, [column for column in named if column], m.missing)
    day, problems = _days(table, m.event_day, 1, needed=True)
    reason, more = _reason(table, m)
    baseline, wrong = _baseline(table, m)
    arm, strange = _arm(table, m)
    problems += [*more, *wrong, *strange, *_identified(table, m.id), *(_alike(table[m.site], m.site) if m.site else [])]
    if len(table) < FEWEST_PATIENTS:
        problems.append(Problem("", f"{len(table)} patients; the report needs at least {FEWEST_PATIENTS}"))
    if problems:
        raise ContractError(_name(path), problems)
    site = table[m.site].fillna(UNKNOWN_SITE) if m.site else pd.Series(UNKNOWN_SITE, index=table.index, dtype="str")
    columns = {"id": table[m.id], "arm": arm, "site": site, "event_day": day, "reason": reason}
    return pd.concat([pd.DataFrame(columns), baseline.rename(columns=_own)], axis=1)


def _own(column: str) -> str:
    """A baseline column that has the name of one of ours keeps apart from it."""
    taken = {"id", "arm", "site", "site_group", "event_day", "reason", "reason_group", "time", "event_group", "status"}
    return f"baseline_{column}" if column in taken else column


def _kind(table: pd.DataFrame, e: EventsTable) -> tuple[pd.Series, list[Problem]]:
    if e.kind is None:
        return pd.Series(e.all_are, index=table.index, dtype="str"), []
    kind = table[e.kind].str.lower()
    return kind, lines_of(e.kind, f"must be one of {', '.join(RECORDS)}", ~kind.isin(RECORDS))


def events(m: TableMapping, ids: pd.Series) -> pd.DataFrame:
    """The dated records of the long table, if the mapping names one.

    Raises
    ------
    ContractError
        With every bad line at once.
    """
    e = m.events
    if e is None:
        return pd.DataFrame({name: pd.Series(dtype=_dtype(name)) for name in EVENT_COLUMNS})
    named = [e.id, e.day, e.known_day, e.kind, e.name, e.value, e.detail]
    table = read_table(e.table, [column for column in named if column], m.missing)
    day, problems = _days(table, e.day, -LONGEST_STUDY, needed=False)
    kind, more = _kind(table, e)
    known = day.mask(kind.eq("adverse event"))
    if e.known_day:
        known, wrong = _days(table, e.known_day, -LONGEST_STUDY, needed=False)
        problems += wrong
    value = pd.Series(np.nan, index=table.index)
    if e.value:
        value, bad = _number(table[e.value])
        problems += lines_of(e.value, "must be a number (with a decimal point)", bad)
    problems += [*more, *_strangers(table[e.id], ids, e.id)]
    if problems:
        raise ContractError(e.table.name, problems)
    empty = pd.Series(pd.NA, index=table.index, dtype="str")
    name, detail = (table[column] if column else empty for column in (e.name, e.detail))
    columns = (table[e.id], kind, name.fillna("unnamed"), value, detail, day, np.maximum(day, known))
    return pd.DataFrame(dict(zip(EVENT_COLUMNS, columns, strict=True))).reset_index(drop=True)


def _strangers(found: pd.Series, ids: pd.Series, column: str) -> list[Problem]:
    unknown = ~found.isin(ids)
    alike = unknown & found.map(plain, na_action="ignore").isin(ids.map(plain))
    problems = lines_of(column, "no patient of the other table has this id", unknown & ~alike)
    return problems + lines_of(column, "differs from an id of the other table only in case or spaces", alike)


def _dtype(name: str) -> str:
    return "float" if name in ("value", "day", "known_day") else "str"


def definitions(m: TableMapping, name: str) -> Definitions:
    """What the terms of a mapping mean.

    Parameters
    ----------
    m : TableMapping
    name : str
        Of the trial.
    """
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
    path = path if isinstance(path, pd.DataFrame) else Path(path)
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
