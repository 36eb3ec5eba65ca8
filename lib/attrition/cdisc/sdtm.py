"""SDTM domains to one trial: DM and DS make the patients; AE, SV, VS, LB, QS and EX the dated events."""

import numpy as np
import pandas as pd

from attrition.cdisc import days
from attrition.cdisc.definitions import Definitions
from attrition.cdisc.sources import CdiscError, Source
from attrition.cdisc.trial import EVENT_COLUMNS, Trial, analysed, assemble
from attrition.contract.strict import ContractError, lines_of

ID = "USUBJID"
BASELINE = {"AGE": "age", "SEX": "sex", "RACE": "race", "ETHNIC": "ethnicity"}
DISPOSITION = "DISPOSITION EVENT"
MONTH = 365.25 / 12
WHOLE = "must be a whole date of ISO 8601, YYYY-MM-DD"


def terms(values: pd.Series) -> pd.Series:
    """Coded terms as CDISC spells them: upper case, no blanks around.

    Examples
    --------
    >>> terms(pd.Series([" Completed", "DEATH", None])).tolist()
    ['COMPLETED', 'DEATH', nan]
    """
    return values.astype("str").str.strip().str.upper()


def first_dose(source: Source, name: str, column: str, frame: pd.DataFrame) -> pd.Series:
    """Date of the first dose of randomised patients; missing where the column is empty: they were never dosed.

    Raises
    ------
    CdiscError
        Nobody was dosed.
    ContractError
        A date that lacks its day or month.
    """
    if len(frame) and frame[column].isna().all():
        raise CdiscError(
            f"{source.file(name)}: column {column} is empty for all randomised patients, so none was dosed; day 1 is "
            "the first dose"
        )
    start = days.as_dates(frame[column])
    if partial := lines_of(column, f"{WHOLE}: day 1 is the first dose", start.isna() & frame[column].notna()):
        raise ContractError(source.file(name), partial)
    return start


def once(source: Source, name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """The patients of a domain, refused when one occurs more than once."""
    if twice := int(frame[ID].duplicated().sum()):
        raise CdiscError(f"{source.label}, {name.upper()}: {twice} patients occur more than once")
    return frame


def _demographics(source: Source) -> pd.DataFrame:
    columns = [ID, "STUDYID", "SITEID", "ARM", "ARMCD", "ARMNRS", "RFSTDTC", *BASELINE]
    return once(source, "dm", source.read("dm", columns, need=[ID, "ARM", "RFSTDTC"]))


def _randomised(frame: pd.DataFrame, definitions: Definitions) -> pd.Series:
    failed = frame["ARM"].str.upper().isin(definitions.not_randomised)
    failed |= frame["ARMCD"].str.upper().isin(definitions.not_randomised)
    return ~failed & ~(frame["ARM"].isna() & frame["ARMNRS"].notna())


def _disposition(source: Source, reference: pd.Series, definitions: Definitions) -> pd.DataFrame:
    """The first discontinuation of each patient, else the last completion: event_day and reason by id."""
    frame = source.read("ds", [ID, "DSCAT", "DSDECOD", "DSSTDTC", "DSSTDY"], need=[ID, "DSDECOD"])
    frame = frame.assign(DSDECOD=terms(frame["DSDECOD"]))
    category = terms(frame["DSCAT"])
    frame = frame[category.eq(DISPOSITION) if category.notna().any() else category.isna()]
    frame = frame[frame[ID].isin(reference.index) & ~frame["DSDECOD"].isin(definitions.milestones)]
    first_dose = frame[ID].map(reference)
    frame = frame.assign(event_day=days.first_known(frame["DSSTDY"], frame["DSSTDTC"], first_dose))
    left = ~frame["DSDECOD"].isin(definitions.completed)
    order = frame["event_day"].where(left, 1e6 - frame["event_day"])
    chosen = frame.assign(order=order).sort_values([ID, "order", "DSDECOD"]).drop_duplicates(ID)
    undated = chosen["event_day"].isna().sort_index()
    if problems := lines_of("DSSTDTC", f"{WHOLE}, where DSSTDY is empty: it tells when the patient left", undated):
        raise ContractError(source.file("ds"), problems)
    return chosen.set_index(ID)[["event_day", "DSDECOD"]].rename(columns={"DSDECOD": "reason"})


def _characteristics(source: Source, definitions: Definitions) -> pd.DataFrame:
    frame = source.read("sc", [ID, "SCTESTCD", "SCSTRESN"])
    frame = frame.assign(name=frame["SCTESTCD"].map(dict(definitions.characteristics))).dropna(subset="name")
    return frame.pivot_table(index=ID, columns="name", values="SCSTRESN", aggfunc="first")


def _disease_months(source: Source, definitions: Definitions) -> pd.Series:
    """Months from diagnosis to its recording at screening."""
    frame = source.read("mh", [ID, "MHCAT", "MHSTDTC", "MHDTC"])
    frame = frame[frame["MHCAT"].eq(definitions.diagnosis_category)].drop_duplicates(ID).set_index(ID)
    return (days.as_dates(frame["MHDTC"]) - days.as_dates(frame["MHSTDTC"])).dt.days / MONTH


def _patients(
    source: Source, demographics: pd.DataFrame, definitions: Definitions, reference: pd.Series, last: pd.Series
) -> pd.DataFrame:
    table = demographics.set_index(ID)[["ARM", "SITEID", *BASELINE]].rename(
        columns={**BASELINE, "ARM": "arm", "SITEID": "site"}
    )
    table = table.join(_characteristics(source, definitions)).assign(
        disease_months=_disease_months(source, definitions)
    )
    table = table.join(_disposition(source, reference.dropna(), definitions))
    table["event_day"] = table["event_day"].fillna(last.reindex(table.index).where(table["reason"].isna()))
    return table.reset_index().rename(columns={ID: "id"}).assign(site=lambda t: t["site"].fillna("unknown"))


def adverse_events(source: Source, reference: pd.Series) -> pd.DataFrame:
    """Adverse events, one row per patient and AESEQ.

    Onset is the recorded day; for a partial onset date the last day that fits it, but not after collection. Known from
    the later of onset and collection: an event without a collection date is never known. Severity, outcome and end are
    final values and are not read.
    """
    frame = source.read(
        "ae", [ID, "AESEQ", "AEDECOD", "AEBODSYS", "AEDTC", "AESTDTC", "AEDY", "AESTDY"], need=[ID, "AEDECOD"]
    )
    frame = frame.drop_duplicates([ID, "AESEQ"]) if frame["AESEQ"].notna().all() else frame
    first_dose = frame[ID].map(reference)
    collected = days.first_known(frame["AEDY"], frame["AEDTC"], first_dose)
    onset = days.first_known(frame["AESTDY"], frame["AESTDTC"], first_dose)
    bound = days.study_day(days.latest_dates(frame["AESTDTC"]), first_dose)
    onset = onset.fillna(np.minimum(bound, collected)).fillna(collected)
    return _events(
        frame, "adverse event", frame["AEDECOD"], onset, np.maximum(onset, collected), detail=frame["AEBODSYS"]
    )


def _events(frame, kind, name, day, known_day, value=np.nan, detail=None) -> pd.DataFrame:
    detail = pd.Series(pd.NA, index=frame.index, dtype="str") if detail is None else detail
    columns = (frame[ID], kind, name, value, detail, day, known_day)
    return pd.DataFrame(dict(zip(EVENT_COLUMNS, columns, strict=True)), index=frame.index)


def _visits(source: Source, reference: pd.Series, definitions: Definitions) -> pd.DataFrame:
    frame = source.read("sv", [ID, "VISITNUM", "VISIT", "SVSTDTC", "SVSTDY"])
    frame = frame[~(frame["VISITNUM"] > definitions.last_visit_number)]
    day = days.first_known(frame["SVSTDY"], frame["SVSTDTC"], frame[ID].map(reference))
    return _events(frame, "visit", frame["VISIT"], day, day, value=frame["VISITNUM"])


def daily_mean(events: pd.DataFrame) -> pd.DataFrame:
    """Mean of the values of one name on one day (positions, repeats)."""
    keys = ["id", "kind", "name", "day", "known_day"]
    return events.dropna(subset=["value", "day"]).groupby(keys, as_index=False, sort=False)["value"].mean()


def _vital_signs(source: Source, reference: pd.Series, definitions: Definitions) -> pd.DataFrame:
    frame = source.read("vs", [ID, "VSTESTCD", "VSSTRESN", "VSDTC", "VSDY"])
    frame = frame[frame["VSTESTCD"].isin(definitions.vital_signs)]
    day = days.first_known(frame["VSDY"], frame["VSDTC"], frame[ID].map(reference))
    return daily_mean(_events(frame, "vital sign", frame["VSTESTCD"], day, day, value=frame["VSSTRESN"]))


def range_flag(value: pd.Series, low: pd.Series, high: pd.Series) -> pd.Series:
    """``"LOW"``, ``"HIGH"`` or ``"NORMAL"`` against the reference range; missing without one."""
    flag = pd.Series("NORMAL", index=value.index).mask(value < low, "LOW").mask(value > high, "HIGH")
    return flag.where(value.notna() & (low.notna() | high.notna()))


def _labs(source: Source, reference: pd.Series) -> pd.DataFrame:
    columns = [ID, "LBTESTCD", "LBSTRESN", "LBSTNRLO", "LBSTNRHI", "LBDTC", "LBDY"]
    frame = source.read("lb", columns, split=True)
    frame = frame[frame["LBSTRESN"].notna()]
    day = days.first_known(frame["LBDY"], frame["LBDTC"], frame[ID].map(reference))
    flag = range_flag(frame["LBSTRESN"], frame["LBSTNRLO"], frame["LBSTNRHI"])
    return _events(frame, "lab", frame["LBTESTCD"], day, day, value=frame["LBSTRESN"], detail=flag)


def _questionnaires(source: Source, reference: pd.Series, definitions: Definitions) -> pd.DataFrame:
    frame = source.read("qs", [ID, "QSTESTCD", "QSSTRESN", "QSDTC", "QSDY"], split=True)
    wanted = frame["QSTESTCD"].map(dict(definitions.questionnaires))
    totals = _scored(frame[wanted.notna()], wanted.dropna(), reference)
    parts = [totals]
    for prefix, name in definitions.questionnaire_sums.items():
        items = frame[frame["QSTESTCD"].str.startswith(prefix, na=False)]
        scored = _scored(items, pd.Series(name, index=items.index), reference)
        keys = ["id", "kind", "name", "day", "known_day"]
        parts.append(scored.groupby(keys, as_index=False)["value"].sum(min_count=1))
    return pd.concat(parts, ignore_index=True)


def _scored(frame: pd.DataFrame, name: pd.Series, reference: pd.Series) -> pd.DataFrame:
    day = days.first_known(frame["QSDY"], frame["QSDTC"], frame[ID].map(reference))
    return _events(frame, "questionnaire", name, day, day, value=frame["QSSTRESN"])


def _exposure(source: Source, reference: pd.Series) -> pd.DataFrame:
    """Start of each dosing record, and its end where dosing has ended, which is never known in time.

    Whose last record of a treatment is open (no end) is still dosed: earlier records that were closed end nothing.
    """
    frame = source.read("ex", [ID, "EXTRT", "EXDOSE", "EXSTDTC", "EXSTDY", "EXENDTC", "EXENDY"])
    first_dose, name = frame[ID].map(reference), pd.Series("dose", index=frame.index)
    start = days.first_known(frame["EXSTDY"], frame["EXSTDTC"], first_dose)
    end = days.first_known(frame["EXENDY"], frame["EXENDTC"], first_dose)
    last = frame.assign(start=start, end=end).sort_values(["start", "end"]).groupby([ID, "EXTRT"], dropna=False).tail(1)
    ended = ~frame[ID].isin(last.loc[last["end"].isna(), ID])
    starts = _events(frame, "exposure", name, start, start, value=frame["EXDOSE"])
    return pd.concat([starts, _events(frame, "end of exposure", name, end, np.nan)[ended]], ignore_index=True)


def _schedule(source: Source, definitions: Definitions) -> tuple[int, ...]:
    planned = source.read("tv", ["VISITNUM", "VISITDY"])
    planned = planned[~(planned["VISITNUM"] > definitions.last_visit_number) & (planned["VISITDY"] > 1)]
    return tuple(sorted({int(day) for day in planned["VISITDY"]}))


def load_sdtm(source: Source, definitions: Definitions) -> Trial:
    """A trial from SDTM domains; see `attrition.cdisc.load`."""
    demographics = _demographics(source)
    randomised = _randomised(demographics, definitions)
    kept = demographics[randomised]
    reference = first_dose(source, "dm", "RFSTDTC", kept).set_axis(kept[ID])
    events = pd.concat(
        [
            adverse_events(source, reference),
            _visits(source, reference, definitions),
            _vital_signs(source, reference, definitions),
            _labs(source, reference),
            _questionnaires(source, reference, definitions),
            _exposure(source, reference),
        ],
        ignore_index=True,
    )
    last = events.groupby("id")["day"].max()
    screened = {"screened": len(demographics), "screen_failures": int((~randomised).sum())}
    patients = _patients(source, kept, definitions, reference, last)
    patients, left_out = analysed(patients, patients["id"].map(reference).notna())
    schedule = _schedule(source, definitions)
    return assemble(source.label, "sdtm", definitions, patients, events, screened, schedule, left_out=left_out)
