"""What a trial's table must hold, checked before anything else sees it.

`read_trial` reads strictly (`attrition.contract.strict`), drops columns outside the contract, turns text into numbers
without coercion, validates with pandera, and reports every problem at once. The published trial satisfies each rule
below; what contradicts itself in the published trial is counted by `attrition.simulate.contradictions` and reported,
not refused.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from attrition import simulate
from attrition.contract.strict import ContractError, Problem, read_strict, shown
from attrition.simulate import law, timing

MOST_DIGITS = 15

ID, LEVELS, COUNT = "identifier", "category", "whole number"


@dataclass(frozen=True)
class Column:
    """One column of a contract.

    Attributes
    ----------
    name : str
    kind : str
        ``"identifier"`` (text, unique), ``"category"`` or ``"whole number"``.
    known_at : str
        When a running trial would know it.
    meaning : str
        For the data dictionary.
    unit : str
    low, high : int
        Range of a whole number, both included.
    levels : tuple of str
        Levels of a category.
    """

    name: str
    kind: str
    known_at: str
    meaning: str
    unit: str = ""
    low: int = 0
    high: int = 1
    levels: tuple[str, ...] = ()

    @property
    def range(self) -> str:
        """Allowed values, in words."""
        if self.kind == COUNT:
            return f"{self.low} to {self.high}"
        return ", ".join(self.levels) if self.kind == LEVELS else "unique, not empty"


@dataclass(frozen=True)
class Contract:
    """Columns and cross-column rules of a table.

    Attributes
    ----------
    columns : tuple of Column
    rules : tuple of str
        Names in `RULES`.
    unique_patients : bool
        Whether one row is one patient.
    """

    columns: tuple[Column, ...]
    rules: tuple[str, ...] = ()
    unique_patients: bool = True

    @property
    def names(self) -> list[str]:
        """Column names in order."""
        return [column.name for column in self.columns]


@dataclass(frozen=True)
class Reading:
    """A table that satisfies its contract, and what was noticed on the way.

    Attributes
    ----------
    trial : DataFrame (n, k)
    dropped : tuple of str
        Names of the columns outside the contract; their content was never looked at.
    contradictions : DataFrame
        See `attrition.simulate.contradictions`; empty where the contract has no dropout days.
    """

    trial: pd.DataFrame
    dropped: tuple[str, ...]
    contradictions: pd.DataFrame


_START, _LATER, _OUTCOME = "enrolment", "after the outcome", "outcome"
_LONGEST = 3650
TRIAL = Contract(
    columns=(
        Column("patient_id", ID, _START, "identifier, text"),
        Column("age", COUNT, _START, "age at enrolment", "years", 18, 110),
        Column("gender", LEVELS, _START, "gender", levels=law.GENDERS),
        Column("treatment_group", LEVELS, _START, "treatment arm", levels=law.ARMS),
        Column("trial_phase", LEVELS, _START, "phase of the trial", levels=law.PHASES),
        Column("days_in_trial", COUNT, _LATER, "length of follow-up", "days", 1, _LONGEST),
        Column("visits_completed", COUNT, _LATER, "visits kept", "visits", 0, 500),
        Column("last_visit_day", COUNT, _LATER, "day of the last visit, 0 without visits", "days", 0, _LONGEST),
        Column("adverse_events", COUNT, _LATER, "adverse events", "events", 0, 500),
        Column("dropout", COUNT, _OUTCOME, "left the trial", "0/1"),
        Column("dropout_day", COUNT, _OUTCOME, "day of leaving, 0 for patients who stayed", "days", 0, _LONGEST),
        Column("early_dropout", COUNT, _OUTCOME, "left before day 90", "0/1"),
        Column("late_dropout", COUNT, _OUTCOME, "left on day 90 or later", "0/1"),
        Column("dropout_30_days", COUNT, _OUTCOME, "left by day 30 (incomplete, see chapter 01)", "0/1"),
    ),
    rules=(
        "dropout_day is 0 exactly when dropout is 0",
        "a dropout is either early or late, a patient who stayed neither",
        "early means before day 90, late means day 90 or later",
        "a dropout within 30 days has a dropout_day of at most 30",
        "dropout_day lies within the follow-up",
        "last_visit_day lies within the follow-up",
        "last_visit_day is 0 exactly when there are no visits",
    ),
)
_BASELINE = (
    "patient_id",
    "age",
    "gender",
    "treatment_group",
    "trial_phase",
    "visits_completed",
    "adverse_events",
    "days_in_trial",
    "dropout",
)
BASELINE = Contract(
    columns=tuple(column for name in _BASELINE for column in TRIAL.columns if column.name == name),
    unique_patients=False,
)
RULES = {
    "dropout_day is 0 exactly when dropout is 0": lambda t: (t["dropout"] == 0) == (t["dropout_day"] == 0),
    "a dropout is either early or late, a patient who stayed neither": lambda t: (
        t["early_dropout"] + t["late_dropout"] == t["dropout"]
    ),
    "early means before day 90, late means day 90 or later": lambda t: (
        ((t["early_dropout"] == 0) | (t["dropout_day"] < timing.EARLY_DAY))
        & ((t["late_dropout"] == 0) | (t["dropout_day"] >= timing.EARLY_DAY))
    ),
    "a dropout within 30 days has a dropout_day of at most 30": lambda t: (
        (t["dropout_30_days"] == 0) | t["dropout_day"].between(1, timing.FIRST_MONTH)
    ),
    "dropout_day lies within the follow-up": lambda t: t["dropout_day"] <= t["days_in_trial"],
    "last_visit_day lies within the follow-up": lambda t: t["last_visit_day"] <= t["days_in_trial"],
    "last_visit_day is 0 exactly when there are no visits": lambda t: (
        (t["visits_completed"] == 0) == (t["last_visit_day"] == 0)
    ),
}


def dictionary(contract: Contract = TRIAL) -> pd.DataFrame:
    """The contract as a data dictionary: column, meaning, unit, allowed, known_at."""
    return pd.DataFrame(
        {
            "column": column.name,
            "meaning": column.meaning,
            "unit": column.unit or column.kind,
            "allowed": column.range,
            "known_at": column.known_at,
        }
        for column in contract.columns
    )


def read_trial(path: str | Path, contract: Contract = TRIAL) -> pd.DataFrame:
    """Read a trial's table; see `examine` for what is dropped and noticed.

    Parameters
    ----------
    path : str or pathlib.Path
        CSV file.
    contract : Contract
        `TRIAL`, or `BASELINE` for the earlier random data.

    Returns
    -------
    DataFrame (n, k)
        The contract's columns in its order: text and 64-bit integers.

    Raises
    ------
    ContractError
        With every problem found, and no patient's value.
    """
    return examine(path, contract).trial


def examine(path: str | Path, contract: Contract = TRIAL) -> Reading:
    """Read a trial's table, and say which columns were dropped and what contradicts itself.

    Returns
    -------
    Reading
    """
    return validate(read_strict(path), contract, Path(path).name)


def validate(text: pd.DataFrame, contract: Contract = TRIAL, file: str = "table") -> Reading:
    """Hold a table of text against a contract; see `examine`.

    Parameters
    ----------
    text : DataFrame of text
        From `attrition.contract.strict`; its index gives the lines.
    contract : Contract
    file : str
        What messages call it.

    Returns
    -------
    Reading
    """
    dropped = tuple(shown(name, i) for i, name in enumerate(text.columns, 1) if name not in contract.names)
    _refuse_missing_columns(text, contract, file)
    text = text[contract.names]
    problems = [problem for column in contract.columns for problem in _text_problems(text[column.name], column)]
    if contract.unique_patients:
        problems += _duplicates(text["patient_id"])
    bad = {problem.line for problem in problems}
    numbers = _as_numbers(text.loc[~text.index.isin(bad)], contract)
    problems += _schema_problems(numbers, contract)
    if problems:
        raise ContractError(file, problems)
    trial = numbers.reset_index(drop=True)
    return Reading(trial, dropped, _contradictions(trial))


def _contradictions(trial: pd.DataFrame) -> pd.DataFrame:
    return simulate.contradictions(trial) if "dropout_day" in trial else pd.DataFrame()


def _refuse_missing_columns(text: pd.DataFrame, contract: Contract, file: str) -> None:
    missing = [name for name in contract.names if name not in text.columns]
    if len(missing) == len(contract.names):
        raise ContractError(file, [Problem("", "no column of the contract is there; is the header missing?", 1)])
    if missing:
        raise ContractError(file, [Problem(name, "the column is missing", 1) for name in missing])


def _duplicates(patients: pd.Series) -> list[Problem]:
    again = patients[patients.duplicated() & patients.notna()]
    return [Problem("patient_id", "the patient stands in an earlier row already", line) for line in again.index]


def _text_problems(cells: pd.Series, column: Column) -> list[Problem]:
    reasons = {
        LEVELS: lambda cell: None if cell in column.levels else f"not one of {', '.join(column.levels)}",
        COUNT: _why_not_a_count,
    }
    known = [] if column.kind == ID else cells.dropna().unique()
    why = {cell: reason for cell in known if (reason := reasons[column.kind](cell))}
    bad = cells[cells.isin(list(why)) | cells.isna()]
    return [Problem(column.name, why.get(cell, "the cell is empty"), line) for line, cell in bad.items()]


NOT_A_COUNT = (
    (rf"[0-9]{{1,{MOST_DIGITS}}}", None),
    (r"[0-9]+", "out of range"),
    (r"\s*|\s+\S.*|.*\S\s+", "spaces around the number"),
    (r"-[0-9.,]+", "a negative number"),
    (r"[+-]?(inf|infinity|∞)|[0-9.]+e[0-9]{3,}", "infinite"),
    (r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}.*|\d{1,2}[ -]?[a-z]{3}[ -]?\d{2,4}", "a date where a number belongs"),
    (r"[0-9]+,[0-9]+", "a decimal or thousands comma"),
    (r"\+?[0-9]*\.[0-9]*(e[+-]?[0-9]+)?|[0-9]+e[+-]?[0-9]+", "not written as a whole number"),
    (r"na|nan|n/a|none|null|nil|\.|-+|\?", "not a number; only an empty cell is missing"),
)


def _why_not_a_count(cell: str) -> str | None:
    """What keeps a cell from being a count, or None.

    Examples
    --------
    >>> [_why_not_a_count(cell) for cell in ("7", "1.9", "2024-01-31")]
    [None, 'not written as a whole number', 'a date where a number belongs']
    """
    for pattern, reason in NOT_A_COUNT:
        if re.fullmatch(pattern, cell, re.IGNORECASE | re.DOTALL):
            return reason
    return "not a number"


def _as_numbers(text: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    counts = [column.name for column in contract.columns if column.kind == COUNT]
    return text.assign(**{name: _whole(text[name]) for name in counts})


def _whole(cells: pd.Series) -> np.ndarray:
    """Text of digits as 64-bit integers; each distinct cell is converted once."""
    place, known = pd.factorize(cells)
    return np.array([int(cell) for cell in known], dtype=np.int64)[place]


@lru_cache(maxsize=8)
def _schema(contract: Contract):
    import pandera.pandas as pa

    def column(spec: Column) -> pa.Column:
        if spec.kind == COUNT:
            return pa.Column("int64", pa.Check.in_range(spec.low, spec.high, error=_range_rule(spec)), coerce=False)
        return pa.Column(str, unique=spec.kind == ID and contract.unique_patients, coerce=False)

    return pa.DataFrameSchema(
        {spec.name: column(spec) for spec in contract.columns},
        checks=[pa.Check(RULES[name], error=name, name=name) for name in contract.rules],
        strict=True,
        unique_column_names=True,
    )


def _range_rule(column: Column) -> str:
    return f"outside {column.low} to {column.high} {column.unit}"


def _schema_problems(numbers: pd.DataFrame, contract: Contract) -> list[Problem]:
    """Problems that pandera finds; its failure cases hold values, of which only line, column and rule are kept."""
    import pandera.errors

    if numbers.empty:
        return []
    try:
        _schema(contract).validate(numbers, lazy=True)
    except pandera.errors.SchemaErrors as errors:
        found = errors.failure_cases[["schema_context", "column", "check", "index"]]
        return [_from_pandera(*row) for row in found.itertuples(index=False)]
    return []


def _from_pandera(context: str, column: object, check: str, line: Any) -> Problem:
    whole_row = context == "DataFrameSchema"
    name = "" if whole_row or not isinstance(column, str) else column
    return Problem(name, check, int(line) if pd.notna(line) else 0)
