"""One flat table (a row a patient) and a mapping to the same `Trial` that CDISC data give.

Only mapped columns are kept: names, birth dates and free text are dropped before anything is looked at. Cells are
text until a rule says otherwise, so an id 007 and an arm called "NA" stay what they are. Every problem is collected
with its line and column, and no message holds a value.
"""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from attrition.cdisc import files
from attrition.cdisc import trial as common
from attrition.cdisc.readers import known_days
from attrition.cdisc.sources import as_dates
from attrition.cdisc.trial import CENSORED, COMPLETED, ESTIMANDS, Definitions, Trial, completion_begins, days_until
from attrition.contract import strict
from attrition.contract.strict import Problem, lines_of, parse, plain, read_strict, refuse, refused, shown, spelled
from attrition.trials import mapping
from attrition.trials.mapping import LONGEST_STUDY, MappingError, TableMapping, composed, slug

YES, NO = frozenset({"1", "true", "yes"}), frozenset({"0", "false", "no"})
COMPETES = "2"
LEFT, STOPPED, COMPETED = "left the trial", "stopped treatment", "competing event"
ONE_ARM, UNKNOWN_SITE = "all patients", "unknown"
MOST_ARMS, MOST_TERMS, MOST_LEVELS = 12, 40, 30
MOST_ONCE = 5
FEWEST_PATIENTS = 10
FEWEST_FOLLOWED = 2
UNSEEN = "and whether they would have stayed until then is not known"
TIDIED = "{} cells held invisible characters, or letters in decomposed form: read without, and composed."
FREE_TEXT = "looks like free text or an identifier"
LATE, FEW_LATE = 0.8, 2
"""Share of the patients with one term, and how many, who were seen through the horizon: it may be completion."""


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
    elif not files.ending(path.name):
        raise refused(path.name, unread(path))
    elif files.ending(path.name) == ".csv":
        zipped = path.suffix.lower() == ".gz"
        content = files.readable(path, files.content) if zipped else b""
        table = parse(content, path.name, missing) if zipped else read_strict(path, missing)
        table.columns = pd.Index([composed(name) for name in table])
        _require(table.columns, columns, path.name)
        return _composed(table[columns])
    else:
        _require(files.readable(path, files.header), columns, path.name)
        table = files.readable(path, files.table, columns, tuple(missing), columns)
    table = table.apply(_text).set_axis(pd.RangeIndex(1, len(table) + 1, name="line"))
    return _composed(table.mask(table.isin(list(missing))))


def _composed(table: pd.DataFrame) -> pd.DataFrame:
    """The table with each text in composed form and without invisible characters; how many cells changed is kept."""
    if all(column.dropna().str.isascii().all() for _, column in table.items()):
        return table
    tidy = table.map(composed, na_action="ignore")
    changed = int((tidy.ne(table) & table.notna()).to_numpy().sum())
    tidy = tidy.mask(tidy.eq("")) if changed else table
    tidy.attrs["notes"] = (*table.attrs.get("notes", ()), *([TIDIED.format(changed)] if changed else []))
    return tidy


def _require(there: Iterable[str], columns: Sequence[str], file: str) -> None:
    there = list(there)
    forms = [plain(str(name)) for name in there]
    problems = []
    for column in columns:
        if forms.count(plain(column)) > 1:
            problems.append(Problem(column, "another column has this name but for case or spaces", 1))
        if column not in there:
            near = [name for name in difflib.get_close_matches(column, there, n=1) if shown(name, 0) == name]
            problems.append(Problem(column, f"not in the file{f'; did you mean {near[0]}?' if near else ''}", 1))
    refuse(file, problems)


def _numbers(cells: pd.Series) -> pd.Series:
    """Cells as numbers, NaN for what is none; each distinct cell is converted once."""
    place, known = pd.factorize(cells, use_na_sentinel=False)
    return pd.Series(pd.to_numeric(known, errors="coerce").astype(float)[place], cells.index)


class Cells:
    """Cells of a table of text as what the mapping says they are; what they are not is noted by line and column."""

    def __init__(self, table: pd.DataFrame) -> None:
        self.table = table
        self.problems: list[Problem] = []

    def note(self, column: str, rule: str, bad: pd.Series) -> None:
        """Note the lines that break a rule."""
        self.problems += lines_of(column, rule, bad)

    def doubt(self, column: str, rule: str) -> None:
        """Note a rule that the column breaks as a whole."""
        self.problems.append(Problem(column, rule))

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
        numbers = _numbers(self.table[column])
        bad = self.table[column].notna() & ~np.isfinite(numbers)
        self.problems += spelled(column, "must be a number (with a decimal point)", self.table[column], bad)
        return numbers

    def day(self, column: str, low: int, needed: bool = False) -> pd.Series:
        """Study days from `low` on."""
        cells = self.table[column]
        days = _numbers(cells)
        bad = cells.notna() & ~(days.between(low, LONGEST_STUDY) & (days % 1 == 0))
        self.problems += spelled(column, f"must be a whole study day from {low} to {LONGEST_STUDY}", cells, bad)
        self.note(column, "is empty", cells.isna() & needed)
        return days

    def date(self, column: str | None, needed: bool) -> pd.Series:
        """Calendar days; missing without a column."""
        cells = self.text(column)
        dates = as_dates(cells)
        if column:
            self.note(column, "must be a whole date, YYYY-MM-DD", cells.notna() & dates.isna())
            self.note(column, "is empty, but [design] data_cut needs it", cells.isna() & needed)
        return dates

    def few(self, column: str, most: int) -> bool:
        """Whether a column has at most so many different values, and few of them once only."""
        counts = self.table[column].value_counts()
        found, once = len(counts), int(counts.eq(1).sum())
        if found > most:
            self.doubt(column, f"{found} different values, at most {most}: it {FREE_TEXT}")
        elif alone := once > max(MOST_ONCE, len(self.table) / 50, min(len(self.table) / 4, found / 2)):
            self.doubt(column, f"{once} values that one patient alone has: it {FREE_TEXT}")
        return found <= most and not alone

    def apart(self, column: str) -> pd.Series:
        """A column whose values differ in more than case and spaces; noted are lines with the rarer spelling.

        The names of a model's columns also take an underscore for a space.
        """
        known = self.table[column].dropna()
        sizes = known.groupby(known).size()
        usual = sizes.groupby([plain(value).replace("_", " ") for value in sizes.index]).idxmax()
        rule = "two values differ only in case or spaces (an underscore counts as one)"
        self.note(column, rule, ~known.isin(usual))
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


def _terms(cells: Cells, column: str, m: TableMapping) -> pd.Series:
    """Coded terms: missing where nothing has happened yet."""
    if cells.few(column, MOST_TERMS):
        _note_terms(cells, column, m)
    terms = cells.table[column]
    return terms.mask(terms.isin(m.ongoing))


def _reason(cells: Cells, m: TableMapping) -> pd.Series:
    """Disposition term of every patient: missing while the patient is in the trial."""
    terms = _terms(cells, m.reason, m) if m.reason else cells.text(None)
    if m.event is None:
        return terms
    flag, competing = cells.text(m.event).str.lower(), cells.text(m.competing_event).str.lower()
    left, stayed, competes = flag.isin(YES), flag.isin(NO), flag.eq(COMPETES).fillna(False) | competing.isin(YES)
    cells.note(m.event, "must be 0 or 1 (or 2: a competing event)", ~(left | stayed | flag.eq(COMPETES).fillna(False)))
    if m.competing_event:
        cells.note(m.competing_event, "must be empty, 0 or 1", competing.notna() & ~competing.isin(YES | NO))
    if {"1", COMPETES} <= set(flag.dropna()) and not stayed.any():
        cells.doubt(m.event, "holds 1 and 2 and no 0: who left must be 1, who did not 0")
    done, named = terms.isin(m.completed), terms.isin(m.competing)
    if m.reason:
        cells.note(m.reason, f"says completed where {m.event} says left", done & (left | competes))
        unclear = f"is a reason for leaving where {m.event} says stayed: for which is it competing?"
        cells.note(m.reason, unclear, stayed & ~competes & terms.notna() & ~done & ~named)
    return terms.mask(left & terms.isna(), LEFT).mask(competes & ~named, COMPETED)


def _note_terms(cells: Cells, column: str, m: TableMapping) -> None:
    """Terms that are much like one of the mapping but are not in it would silently move patients."""
    values = cells.table[column]
    there = set(values.dropna().unique())
    named = [*m.completed, *m.ongoing, *m.competing, *(term for group in m.groups.values() for term in group)]
    unnamed = sorted(there - set(named))
    lowered = [term.lower() for term in unnamed]
    for term in named:
        if term not in there and difflib.get_close_matches(term.lower(), lowered, 1, 0.8):
            cells.doubt(column, f"the mapping's term {term!r} does not occur, but one spelled much like it does")
    forms = {plain(term) for term in named}
    alike = values.isin([term for term in unnamed if plain(term) in forms])
    cells.note(column, "is a term of the mapping but for case or spaces", alike)


def _note_nobody_completed(cells: Cells, m: TableMapping, day: pd.Series) -> None:
    """Nobody completed by the mapping's terms: sound while a trial runs, unless another term looks like completion."""
    if not m.reason or m.event or not m.completed or cells.problems:
        return
    terms = cells.table[m.reason]
    if terms.isin(m.completed).any():
        return
    rule = "no patient completed, by the terms that the mapping gives for completion"
    through = day.ge(m.horizon)[terms.notna() & ~terms.isin(m.ongoing)].groupby(terms).agg(["mean", "sum"])
    if ((through["mean"] >= LATE) & (through["sum"] >= FEW_LATE)).any():
        cells.doubt(m.reason, f"{rule}; one other term stands where patients reached the horizon")
    elif not (m.plan or m.data_cut or (terms.isna() | terms.isin(m.ongoing)).any()):
        cells.doubt(m.reason, f"{rule}, and none is still in the trial")


def _treatment(cells: Cells, m: TableMapping, last: pd.Series) -> dict[str, pd.Series]:
    """Day and reason of the stop of treatment, an event of its own; nothing where the mapping names none."""
    if m.treatment_day is None:
        return {}
    day = cells.day(m.treatment_day, 1)
    reason = _terms(cells, m.treatment_reason, m) if m.treatment_reason else cells.same(STOPPED).where(day.notna())
    if m.treatment_reason:
        cells.note(m.treatment_day, f"is empty where {m.treatment_reason} tells a stop", day.isna() & reason.notna())
    cells.note(m.treatment_day, f"is later than {m.event_day}", reason.notna() & (day > last))
    return {"treatment_day": day.where(reason.notna()), "treatment_reason": reason}


def _arm(cells: Cells, m: TableMapping) -> pd.Series:
    if m.arm is None:
        return cells.same(ONE_ARM)
    arm = cells.category(m.arm, MOST_ARMS)
    cells.note(m.arm, "is empty", arm.isna())
    if m.reference and m.reference not in set(arm.dropna()):
        cells.doubt(m.arm, f"the mapping's reference arm {m.reference!r} does not occur")
    return arm


def patients(path: Path | pd.DataFrame, m: TableMapping) -> pd.DataFrame:
    """The patients of a flat table: id, arm, site, event_day, reason, start, stop of treatment and baseline columns."""
    named = [m.id, m.event_day, m.reason, m.event, m.competing_event, m.treatment_day, m.treatment_reason]
    named += [m.start_date, m.arm, m.site, *m.numbers, *m.categories]
    cells = Cells(read_table(path, [column for column in named if column], m.missing))
    if cells.table.empty:
        raise refused(_name(path), strict.NO_ROW)
    day = cells.day(m.event_day, 1, needed=True)
    columns = {
        "id": cells.identifier(m.id),
        "arm": _arm(cells, m),
        "site": cells.apart(m.site).fillna(UNKNOWN_SITE) if m.site else cells.same(UNKNOWN_SITE),
        "event_day": day,
        "reason": _reason(cells, m),
        "start": cells.date(m.start_date, needed=bool(m.data_cut)),
        **_treatment(cells, m, day),
    }
    _note_nobody_completed(cells, m, day)
    columns |= {_own(column): cells.number(column) for column in m.numbers}
    columns |= {_own(column): cells.category(column, MOST_LEVELS) for column in m.categories}
    if len(cells.table) < FEWEST_PATIENTS:
        cells.doubt("", f"{len(cells.table)} patients; the report needs at least {FEWEST_PATIENTS}")
    refuse(_name(path), cells.problems)
    made = pd.DataFrame(columns)
    made.attrs["notes"] = cells.table.attrs.get("notes", ())
    return made


def _own(column: str) -> str:
    """A baseline column that has the name of one of ours keeps apart from it."""
    taken = {*common.PATIENT_COLUMNS, *common.EXIT_COLUMNS, "time", "event_group", "status"}
    return f"baseline_{column}" if column in taken else column


def _kind(cells: Cells, column: str | None, all_are: str | None) -> pd.Series:
    if column is None:
        return cells.same(str(all_are))
    kind = cells.table[column].str.lower()
    cells.note(column, f"must be one of {', '.join(mapping.RECORDS)}", ~kind.isin(mapping.RECORDS))
    return kind


def events(m: TableMapping, ids: pd.Series, until: pd.Series) -> tuple[pd.DataFrame, list[str]]:
    """The dated records of the long table, if the mapping names one, and notes; `until` is each patient's last day."""
    if (e := m.events) is None:
        numbers = dict.fromkeys(("value", "day", "known_day"), float)
        return pd.DataFrame(columns=common.EVENT_COLUMNS, dtype="str").astype(numbers), []
    named = [e.id, e.day, e.known_day, e.kind, e.name, e.value, e.detail]
    cells = Cells(read_table(e.table, [column for column in named if column], m.missing))
    day, kind = cells.day(e.day, -LONGEST_STUDY), _kind(cells, e.kind, e.all_are)
    adverse = kind.eq("adverse event")
    told = cells.day(e.known_day, -LONGEST_STUDY) if e.known_day else day.mask(adverse)
    value, found = cells.number(e.value), cells.table[e.id]
    who = found.astype("category")  # each patient is looked up once
    unknown = ~who.isin(ids)
    alike = found[unknown].map(plain, na_action="ignore").isin(ids.map(plain)).reindex(found.index, fill_value=False)
    cells.note(e.id, "no patient of the other table has this id", unknown & ~alike)
    cells.note(e.id, "differs from an id of the other table only in case or spaces", alike)
    refuse(e.table.name, cells.problems)
    name, detail = cells.text(e.name).fillna("unnamed"), cells.text(e.detail)
    columns = (found, kind, name, value, detail, day, np.maximum(day, told))
    made = pd.DataFrame(dict(zip(common.EVENT_COLUMNS, columns, strict=True)))
    made = made[~(day > who.map(until.set_axis(ids)).astype(float))]
    adverse, told, kind = (column[made.index] for column in (adverse, told, kind))
    known, notes = known_days(made[adverse], told[adverse], made[kind.eq("visit")], definitions(m, ""))
    made.loc[adverse, "known_day"] = known
    return made.reset_index(drop=True), [*cells.table.attrs.get("notes", ()), *notes]


def definitions(m: TableMapping, name: str) -> Definitions:
    """What the terms of a mapping mean, for a trial of that name."""
    given = {"title": name} | mapping.chosen(m) | {"name": slug(name), "other": "other" if m.reason else LEFT}
    given |= {"known_on_day_1": tuple(map(_own, m.known_on_day_1)), "numbers": (), "categories": ()}
    given |= {"completed": frozenset(m.completed), "reasons": {t: group for group, ts in m.groups.items() for t in ts}}
    competing = dict.fromkeys([*m.competing, *([COMPETED] if m.event else [])], "competing")
    return Definitions(**given, competing=competing)


def _workable(trial: Trial) -> int:
    """Last whole week through which some patients were seen, and before which completing is a rare thing; 0: none."""
    patients = trial.patients
    stayed = patients["reason_group"].isin([COMPLETED, CENSORED])
    seen = (patients["event_day"] - ~stayed).nlargest(FEWEST_FOLLOWED).iloc[-1]
    begins = completion_begins(patients)
    return int(seen if begins is None else min(begins, seen)) // 7 * 7


def _seen_to_the_horizon(trial: Trial, m: TableMapping) -> list[str]:
    """Refuse a horizon by which nobody can be known to have stayed, or before which completion is a way out.

    In a trial that runs (by plan or data cut, or nobody has completed and some are still in it) nobody needs to have
    been seen through it yet: that is a note.
    """
    groups = set(trial.patients["reason_group"])
    runs = m.plan or m.data_cut or (m.reason and CENSORED in groups and COMPLETED not in groups)
    begins = completion_begins(trial.patients)
    unseen = not trial.patients["status"].eq(common.NO_EVENT).any()
    early = begins is not None and begins < trial.horizon
    if unseen and runs and not early:
        return [f"Nobody has yet been seen through day {trial.horizon}, the horizon."]
    if not unseen and not early:
        return []
    completed = trial.patients.loc[trial.patients["reason_group"].eq(COMPLETED), "event_day"]
    why = f"{(completed < trial.horizon).mean():.0%} of those who completed did so earlier, {UNSEEN}"
    why = "nobody was seen through that day" if unseen else why
    longest = _workable(trial)
    advice = f"the longest horizon that works, in whole weeks, is {longest}" if longest else "no whole week would work"
    before = f" (landmarks before {longest})" if longest and max(trial.landmarks) >= longest else ""
    raise MappingError(f"{m.path.name}: [design] horizon = {trial.horizon}: {why}; {advice}{before}")


def load(path: str | Path | pd.DataFrame, m: TableMapping, name: str | None = None) -> Trial:
    """A trial from one flat table (CSV, parquet or in memory, a row a patient) and its mapping.

    Its name is the mapping's where none is given, else that of the file. Refused are a table that breaks its contract,
    with every problem by line and column, and a horizon that lies beyond what was seen of the patients.
    """
    path, m = path if isinstance(path, pd.DataFrame) else Path(path), mapping.for_table(m)
    table = patients(path, m)
    records, told = events(m, table["id"], days_until(definitions(m, "").data_cut, table["start"]))
    schedule, notes = _schedule(m, records), [*table.attrs["notes"], *told]
    if m.data_cut and m.start_date is None:
        notes.append("The mapping names a data cut and no start_date: days are taken as they stood at the cut.")
    account = [(_name(path), len(table), 0, "")]
    if m.events:
        undated = int(records["day"].isna().sum())
        account += [(m.events.table.name, len(records), undated, "without a day" if undated else "")]
    recorded: tuple[str, ...] = ESTIMANDS[:1]
    if "treatment_day" in table:
        recorded = ESTIMANDS
    elif m.estimand == "treatment":  # the one exit that the table tells
        recorded, day, reason = ("treatment",), table.pop("event_day"), table.pop("reason")
        table = table.assign(last_day=day, treatment_day=day.where(reason.notna()), treatment_reason=reason)
    own, table = definitions(m, name or m.name or Path(_name(path)).stem), table.reset_index(drop=True)
    more: dict[str, Any] = {"notes": tuple(notes), "estimands": recorded, "account": tuple(account)}
    unknown = {"screened": None, "screen_failures": None}
    trial = common.assemble(_name(path), "table", own, table, records, unknown, schedule, **more)
    return replace(trial, notes=(*trial.notes, *_seen_to_the_horizon(trial, m)))


def _schedule(m: TableMapping, records: pd.DataFrame) -> tuple[int, ...]:
    """Days of planned visits after day 1; refused where no visit is recorded, for then every one would be missed."""
    if m.visits and not records["kind"].eq("visit").any():
        raise MappingError(f"{m.path.name}: [schedule] visits: no record of kind visit tells which took place")
    return tuple(day for day in m.visits if day > 1)
