"""Who counts: which subjects of DM or ADSL were randomised, who of them was dosed, and in which study."""

import numpy as np
import pandas as pd

from attrition.cdisc.disposition import phase, terms
from attrition.cdisc.sources import ID, TERMS, WHOLE, CdiscError, Source, as_dates, counted
from attrition.cdisc.trial import Definitions
from attrition.contract.strict import lines_of, refuse

ARMS = ["ARM", "ARMCD", "ACTARM", "ACTARMCD", "ARMNRS"]


def of_one_study(source: Source, frame: pd.DataFrame, definitions: Definitions) -> pd.DataFrame:
    """Subjects of one study: of the chosen one, refused where several lie in a folder and none is chosen."""
    studies = sorted(frame["STUDYID"].dropna().unique())
    if definitions.study:
        if definitions.study not in studies:
            raise CdiscError(f"{source.label}: [design] study = {definitions.study!r} is no STUDYID of its subjects")
        return frame[frame["STUDYID"].eq(definitions.study)]
    if len(studies) > 1:
        of = f"subjects of {len(studies)} studies ({', '.join(studies)}), and patients and sites of different studies"
        how = "choose one in a mapping ([design] study), or split the folder"
        raise CdiscError(f"{source.label}: {of} are no one trial; {how}")
    return frame


def first_dose(source: Source, name: str, column: str, frame: pd.DataFrame) -> pd.Series:
    """Date of the first dose of randomised patients by id; missing where the column is empty: they were never dosed."""
    if len(frame) and frame[column].isna().all():
        empty = f"column {column} is empty for all randomised patients, so none was dosed"
        raise CdiscError(f"{source.file(name)}: {empty}; day 1 is the first dose")
    start = as_dates(frame[column])
    partial = start.isna() & frame[column].notna()
    refuse(source.file(name), lines_of(column, f"{WHOLE}: day 1 is the first dose", partial))
    return start.set_axis(frame[ID])


def told_by_days(source: Source, start: pd.Series) -> pd.Series:
    """First doses, the missing ones from a disposition that has both its date and its study day."""
    if start.notna().all():
        return start
    ends = source.read("ds", [ID, "DSSTDTC", "DSSTDY"])
    ends = ends[ends["DSSTDY"].ge(1)]
    first = as_dates(ends["DSSTDTC"]) - pd.to_timedelta(ends["DSSTDY"] - 1, unit="D")
    return start.fillna(first.groupby(ends[ID]).min().reindex(start.index))


def _in(frame: pd.DataFrame, columns: list[str], names: frozenset[str]) -> pd.Series:
    return pd.concat([terms(frame[column]).isin(names) for column in columns], axis=1).any(axis=1)


def dosed(source: Source, frame: pd.DataFrame, definitions: Definitions) -> pd.Series:
    """Who was dosed: by RFXSTDTC, else by EX where it covers most subjects, else by RFSTDTC.

    Nobody whose actual arm says not treated (or is empty where others have one) was, unless RFXSTDTC dates a dose. Who
    has a study day in DS and no RFSTDTC was: the day counts from it.
    """
    if frame["RFXSTDTC"].notna().any():
        return frame["RFXSTDTC"].notna() & frame["RFSTDTC"].notna()
    exposed = frame[ID].isin(source.read("ex", [ID])[ID])
    by_records = 2 * exposed.sum() > frame["RFSTDTC"].notna().sum()
    taken = frame["RFSTDTC"].notna() & (exposed | (not by_records))
    actual, planned = terms(frame["ACTARM"]), terms(frame["ARM"])
    untreated = _in(frame, ["ARMCD", "ACTARMCD", "ARMNRS"], definitions.not_treated)
    untreated |= actual.isin(definitions.not_treated) & actual.ne(planned)
    untreated |= actual.isna() & actual.notna().any()
    ends = source.read("ds", [ID, "DSSTDY"])
    by_day = frame["RFSTDTC"].isna() & frame[ID].isin(ends.loc[ends["DSSTDY"].ge(1), ID]) & ~untreated
    for note in counted({"subjects have study days in DS and no RFSTDTC: taken as dosed.": by_day.sum()}):
        source.note(note)
    return taken & ~untreated | by_day


def randomised(
    source: Source, frame: pd.DataFrame, was_dosed: pd.Series, definitions: Definitions
) -> tuple[pd.Series, list[str]]:
    """Who was randomised, and notes on subjects about whom the columns disagree.

    Screen failures are told by the planned arm or its code; without one by the actual arm, by the reason why it is
    empty (ARMNRS), or by never having been dosed; a disposition SCREEN FAILURE counts for who was never dosed.
    """
    no_arm, out = terms(frame["ARM"]).isna(), definitions.not_randomised
    failed = _in(frame, ["ARM", "ARMCD"], out)
    told = _in(frame, ["ACTARM", "ACTARMCD", "ARMNRS"], out)
    assigned = _in(frame, ["ARMNRS"], definitions.not_treated)
    failed |= no_arm & (told | (frame["ARMNRS"].notna() & ~assigned))
    disposed = source.read("ds", [ID, "DSDECOD", "EPOCH"])
    ended, after = terms(disposed["DSDECOD"]), phase(terms(disposed["EPOCH"]), ()).ne("before")
    finished = frame[ID].isin(disposed.loc[ended.isin(definitions.completed) & after, ID])
    screened_out = frame[ID].isin(disposed.loc[ended.isin(out), ID])
    silent = no_arm & ~failed & ~assigned & ~was_dosed
    doubtful = ~failed & ~silent & ~was_dosed & (told | screened_out)
    chosen = ~(failed | silent | doubtful)
    later = chosen & (as_dates(frame["RFXSTDTC"]) > as_dates(frame["RFSTDTC"]))
    told = {
        "subjects of DM have no arm and no dose: taken as not randomised.": silent & ~screened_out,
        "subjects have an arm, no dose, and are screen failures by ACTARM or DS: not randomised.": doubtful,
        "dosed subjects are screen failures by DS: they count as having left.": was_dosed & ~failed & screened_out,
        "patients were first dosed (RFXSTDTC) after RFSTDTC: days count from RFSTDTC, as in SDTM.": later,
        "randomised subjects without a dose completed by DS: is its date missing?": chosen & ~was_dosed & finished,
    }
    return chosen, counted({what: who.sum() for what, who in told.items()})


def baseline(source: Source, name: str, frame: pd.DataFrame, definitions: Definitions, usual: str) -> pd.DataFrame:
    """Baseline columns of the subjects: those the definitions name, as they name them, else the usual ones."""
    chosen = [*definitions.numbers, *definitions.categories]
    if not chosen:
        return frame[list(TERMS["baseline"][usual])].rename(columns=TERMS["baseline"][usual])
    table = frame[[column.upper() for column in chosen]].set_axis(chosen, axis=1)
    numbers = table[list(definitions.numbers)].apply(pd.to_numeric, errors="coerce").astype(float)
    bad, rule = ~np.isfinite(numbers) & table[numbers.columns].notna(), "must be a number: the mapping  says so"
    refuse(source.file(name), (problem for column in bad for problem in lines_of(column, rule, bad[column])))
    return table.astype(dict.fromkeys(definitions.categories, "str")).assign(**numbers)


def baseline_columns(source: Source, name: str, definitions: Definitions, usual: str) -> list[str]:
    """Columns to read for `baseline`; refused are chosen ones that the file does not have."""
    chosen = [column.upper() for column in (*definitions.numbers, *definitions.categories)]
    if absent := [column for column in chosen if column not in source.columns(name)]:
        raise CdiscError(f"{source.file(name)}: [baseline] names {', '.join(absent)}, which the file does not have")
    return chosen or list(TERMS["baseline"][usual])
