"""What a trial's table must hold, checked before anything else sees it.

`read_trial` reads strictly (`attrition.contract.strict`), drops columns outside the contract, turns text into numbers
without coercion, validates with pandera, and reports every problem at once. ``trial.yaml`` has columns and rules; the
published trial satisfies each of them. What contradicts itself in it is counted by `contradictions`, not refused.
"""

import re
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from attrition import settings
from attrition.contract.strict import ContractError, Problem, lines_of, read_strict, refuse, refused

ID, LEVELS, COUNT = "identifier", "category", "whole number"
FILE = settings.declared(__file__, "trial.yaml")
# Rules across columns: what messages say, and an expression of columns that must hold
RULES: dict[str, str] = FILE["rules"]


class Column(NamedTuple):
    """One column of a contract: a unique text, a category of some levels, or a whole number from `low` to `high`.

    `known_at` says when a running trial would know it; `meaning` and `unit` are for the data dictionary.
    """

    name: str
    known_at: str
    meaning: str
    kind: str = COUNT
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


class Contract(NamedTuple):
    """Columns of a table, the names of its rules across columns, and whether one row is one patient."""

    columns: tuple[Column, ...]
    rules: tuple[str, ...] = ()
    unique_patients: bool = True

    @property
    def names(self) -> list[str]:
        """Column names in order."""
        return [column.name for column in self.columns]


def _column(name: str) -> Column:
    about = FILE["columns"][name]
    return Column(name, **about | {"levels": tuple(about.get("levels", ()))})


TRIAL = Contract(tuple(map(_column, FILE["columns"])), rules=tuple(RULES))
BASELINE = Contract(tuple(map(_column, FILE["baseline"])), unique_patients=False)


def dictionary(contract: Contract = TRIAL) -> pd.DataFrame:
    """The contract as a data dictionary: column, meaning, unit, allowed, known_at."""
    rows = [(c.name, c.meaning, c.unit or c.kind, c.range, c.known_at) for c in contract.columns]
    return pd.DataFrame(rows, columns=["column", "meaning", "unit", "allowed", "known_at"])


def contradictions(trial: pd.DataFrame) -> pd.DataFrame:
    """Count what cannot be true of a real trial: `key`, `contradiction` (in words), `n_patients`, `out_of` (dropouts).

    Examples
    --------
    >>> from attrition import simulate
    >>> contradictions(simulate.published_trial()).loc[0, "key"]
    'last_visit_after_dropout'
    """
    gone = trial[trial["dropout"] == 1]
    table = pd.DataFrame(FILE["contradictions"], columns=["key", "contradiction", "rule"])
    counts = [int(gone.eval(rule, engine="python").sum()) for rule in table.pop("rule")]
    return table.assign(n_patients=counts, out_of=len(gone))


def read_trial(path: str | Path, contract: Contract = TRIAL) -> pd.DataFrame:
    """Read a trial's table; columns outside the contract are dropped, and their content is never looked at.

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
    return validate(read_strict(path), contract, Path(path).name)


def validate(text: pd.DataFrame, contract: Contract = TRIAL, file: str = "table") -> pd.DataFrame:
    """Hold a table of text, whose index gives the lines, against a contract; messages call it `file`."""
    missing = [name for name in contract.names if name not in text.columns]
    if len(missing) == len(contract.names):
        raise refused(file, "no column of the contract is there; is the header missing?", 1)
    refuse(file, (Problem(name, "the column is missing", 1) for name in missing))
    text = text[contract.names]
    problems = [problem for column in contract.columns for problem in _text_problems(text[column.name], column)]
    if contract.unique_patients:
        again = text["patient_id"].duplicated() & text["patient_id"].notna()
        problems += lines_of("patient_id", "the patient stands in an earlier row already", again)
    sound = text.loc[~text.index.isin({problem.line for problem in problems})]
    numbers = sound.assign(**{c.name: _whole(sound[c.name]) for c in contract.columns if c.kind == COUNT})
    problems += _schema_problems(numbers, contract)
    refuse(file, problems)
    return numbers.reset_index(drop=True)


def _text_problems(cells: pd.Series, column: Column) -> list[Problem]:
    known = [] if column.kind == ID else cells.dropna().unique()
    why = {cell: f"not one of {', '.join(column.levels)}" for cell in known if cell not in column.levels}
    if column.kind == COUNT:
        why = {cell: reason for cell in known if (reason := _why_not_a_count(cell))}
    bad = cells[cells.isin(list(why)) | cells.isna()]
    return [Problem(column.name, why.get(cell, "the cell is empty"), line) for line, cell in bad.items()]


def _why_not_a_count(cell: str) -> str | None:
    """What keeps a cell from being a count, or None.

    >>> [_why_not_a_count(cell) for cell in ("7", "1.9", "2024-01-31")]
    [None, 'not written as a whole number', 'a date where a number belongs']
    """
    known, flags = FILE["not_a_count"], re.IGNORECASE | re.DOTALL
    return next((reason for pattern, reason in known if re.fullmatch(pattern, cell, flags)), "not a number")


def _whole(cells: pd.Series) -> np.ndarray:
    """Text of digits as 64-bit integers; each distinct cell is converted once."""
    place, known = pd.factorize(cells)
    return np.array([int(cell) for cell in known], dtype=np.int64)[place]


@lru_cache(maxsize=8)
def _schema(contract: Contract):
    import pandera.pandas as pa

    counts = [column for column in contract.columns if column.kind == COUNT]
    ranges = [pa.Check.in_range(c.low, c.high, error=f"outside {c.low} to {c.high} {c.unit}") for c in counts]
    holds = partial(pd.DataFrame.eval, engine="python")
    rules = [pa.Check(partial(holds, expr=RULES[said]), error=said) for said in contract.rules]
    columns = {column.name: pa.Column("int64", check) for column, check in zip(counts, ranges, strict=True)}
    return pa.DataFrameSchema(columns, checks=rules)


def _schema_problems(numbers: pd.DataFrame, contract: Contract) -> list[Problem]:
    """Problems that pandera finds; its failure cases hold values, of which only line, column and rule are kept."""
    import pandera.errors

    if numbers.empty:
        return []
    try:
        _schema(contract).validate(numbers, lazy=True)
    except pandera.errors.SchemaErrors as errors:
        found = errors.failure_cases[["schema_context", "column", "check", "index"]].itertuples(index=False)
        return [Problem(column if where == "Column" else "", rule, int(line)) for where, column, rule, line in found]
    return []
