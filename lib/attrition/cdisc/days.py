"""Dates to study days: day 1 is the first dose, the day before it is day -1."""

import re

import numpy as np
import pandas as pd

SAS_EPOCH = pd.Timestamp(1960, 1, 1)
ISO_FULL, ISO_MONTH, ISO_YEAR = 10, 7, 4
_TIME = r"[T ](?:\d\d|-)(?::(?:\d\d|-)){0,2}(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?"
FULL = re.compile(rf"\d{{4}}-\d\d-\d\d(?:{_TIME})?", re.ASCII)
PARTIAL = re.compile(rf"(?:\d{{4}}|-)(?:-(?:0[1-9]|1[0-2]|-)(?:-(?:\d\d|-))?)?-*(?:{_TIME})?", re.ASCII)
"""What SDTM lets a date leave out: day, or month and day; a hyphen stands for a part in between."""
RULE = "must be empty or a date of ISO 8601: YYYY-MM-DD (a time may follow), or as much of it as is known"


def _text(values: pd.Series) -> pd.Series:
    return values.astype("str").str.strip()


def unreadable(values: pd.Series) -> pd.Series:
    """Which cells are text that is no date: neither empty nor ISO 8601, whole or partial.

    Examples
    --------
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

    Examples
    --------
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

    Examples
    --------
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
    """Study day of dates: ``date - reference + 1`` from the first dose on, ``date - reference`` before it.

    Parameters
    ----------
    dates, reference : pandas.Series of datetime64, shape (n_records,)
        `reference` holds each record's date of first dose.

    Returns
    -------
    pandas.Series of float
        There is no day 0.

    Examples
    --------
    >>> first = pd.Series(pd.to_datetime(["2014-01-02"] * 2))
    >>> study_day(pd.Series(pd.to_datetime(["2014-01-02", "2014-01-01"])), first).tolist()
    [1.0, -1.0]
    """
    difference = (dates - reference).dt.days.astype(float)
    return difference + np.where(difference >= 0, 1.0, 0.0)


def first_known(recorded: pd.Series | None, dates: pd.Series | None, reference: pd.Series) -> pd.Series:
    """The recorded study day; where it is missing, the day computed from the date."""
    missing = pd.Series(np.nan, index=reference.index)
    day = missing if recorded is None else pd.to_numeric(recorded).astype(float)
    if dates is not None and day.isna().any():
        day = day.fillna(study_day(as_dates(dates), reference))
    return day
