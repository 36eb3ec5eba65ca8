"""SDTM domains and ADaM data sets to one trial: who was randomised, when and why they left, and dated records.

Of SDTM, DM and DS make the patients, and AE, SV, VS, LB, QS and EX the records; of ADaM, ADSL makes the patients, and
ADAE, ADVS, ADLB* and the rating scales the records. A domain that is absent gives no rows.
"""

import numpy as np
import pandas as pd

from attrition.cdisc.sources import TERMS, CdiscError, Source, as_dates, first_known, latest_dates, study_day
from attrition.cdisc.trial import EVENT_COLUMNS, Definitions, Trial, analysed, assemble
from attrition.contract.strict import ContractError, lines_of

ID = "USUBJID"
DISPOSITION = "DISPOSITION EVENT"
MONTH = 365.25 / 12
OF_DAY = ["id", "kind", "name", "day", "known_day"]
WHOLE = "must be a whole date of ISO 8601, YYYY-MM-DD"
NO_REASON = "DISCONTINUED, NO REASON GIVEN"
NEVER_COLLECTED = "ADaM holds no collection date of adverse events: none counts as known at a landmark."
NO_SCALES = ("adsl", "adae", "advs", "adtte", "adlb", "adcm", "adex")
"""How the names of ADaM data sets begin that hold no rating scale."""


def terms(values: pd.Series) -> pd.Series:
    """Coded terms as CDISC spells them: upper case, no blanks around.

    >>> terms(pd.Series([" Completed", "DEATH", None])).tolist()
    ['COMPLETED', 'DEATH', nan]
    """
    return values.astype("str").str.strip().str.upper()


def first_dose(source: Source, name: str, column: str, frame: pd.DataFrame) -> pd.Series:
    """Date of the first dose of randomised patients by id; missing where the column is empty: they were never dosed."""
    if len(frame) and frame[column].isna().all():
        raise CdiscError(
            f"{source.file(name)}: column {column} is empty for all randomised patients, so none was dosed; day 1 is "
            "the first dose"
        )
    start = as_dates(frame[column])
    if partial := lines_of(column, f"{WHOLE}: day 1 is the first dose", start.isna() & frame[column].notna()):
        raise ContractError(source.file(name), partial)
    return start.set_axis(frame[ID])


def _once(source: Source, name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """The patients of a domain, refused when one occurs more than once."""
    if twice := int(frame[ID].duplicated().sum()):
        raise CdiscError(f"{source.label}, {name.upper()}: {twice} patients occur more than once")
    return frame


def _day(frame: pd.DataFrame, reference: pd.Series, day: str, date: str) -> pd.Series:
    """Study day of each record: as recorded, else from its date and the patient's first dose."""
    return first_known(frame[day], frame[date], frame[ID].map(reference))


def _records(frame, kind, name, day, known_day=None, value=np.nan, detail=None) -> pd.DataFrame:
    """Rows of a domain as dated records; known on their day unless told."""
    detail = pd.Series(pd.NA, index=frame.index, dtype="str") if detail is None else detail
    columns = (frame[ID], kind, name, value, detail, day, day if known_day is None else known_day)
    return pd.DataFrame(dict(zip(EVENT_COLUMNS, columns, strict=True)), index=frame.index)


def _together(parts: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(EVENT_COLUMNS))


# Results of measurements: id, test, value, low, high, day


def _vital_signs(results: pd.DataFrame, definitions: Definitions) -> pd.DataFrame:
    """Means by day (of positions, repeats) of the vital signs that are followed."""
    followed = results[results["test"].isin(definitions.vital_signs)].dropna(subset=["value", "day"])
    signs = _records(followed, "vital sign", followed["test"], followed["day"], value=followed["value"])
    return signs.groupby(OF_DAY, as_index=False, sort=False)["value"].mean()


def _labs(results: pd.DataFrame) -> pd.DataFrame:
    """Laboratory values, marked against their reference range where there is one."""
    results = results[results["value"].notna()]
    value, low, high = results["value"], results["low"], results["high"]
    flag = pd.Series("NORMAL", index=value.index).mask(value < low, "LOW").mask(value > high, "HIGH")
    flag = flag.where(low.notna() | high.notna())
    return _records(results, "lab", results["test"], results["day"], value=value, detail=flag)


def _totals(results: pd.DataFrame, definitions: Definitions) -> pd.DataFrame:
    """Totals of the questionnaires that the definitions name."""
    names = results["test"].map(dict(definitions.questionnaires)).dropna()
    scored = results.loc[names.index]
    return _records(scored, "questionnaire", names, scored["day"], value=scored["value"])


# SDTM


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
    frame = frame.assign(event_day=_day(frame, reference, "DSSTDY", "DSSTDTC"))
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
    return (as_dates(frame["MHDTC"]) - as_dates(frame["MHSTDTC"])).dt.days / MONTH


def _sdtm_patients(
    source: Source, demographics: pd.DataFrame, definitions: Definitions, reference: pd.Series, last: pd.Series
) -> pd.DataFrame:
    names = {**TERMS["baseline"]["sdtm"], "ARM": "arm", "SITEID": "site"}
    table = demographics.set_index(ID)[["ARM", "SITEID", *TERMS["baseline"]["sdtm"]]].rename(columns=names)
    table = table.join(_characteristics(source, definitions))
    table = table.assign(disease_months=_disease_months(source, definitions))
    table = table.join(_disposition(source, reference.dropna(), definitions))
    table["event_day"] = table["event_day"].fillna(last.reindex(table.index).where(table["reason"].isna()))
    return table.reset_index().rename(columns={ID: "id"}).assign(site=lambda t: t["site"].fillna("unknown"))


def adverse_events(source: Source, reference: pd.Series) -> pd.DataFrame:
    """Adverse events, one row per patient and AESEQ.

    Onset is the recorded day; for a partial onset date the last day that fits it, but not after collection. Known from
    the later of onset and collection: an event without a collection date is never known. Severity, outcome and end are
    final values and are not read.
    """
    columns = [ID, "AESEQ", "AEDECOD", "AEBODSYS", "AEDTC", "AESTDTC", "AEDY", "AESTDY"]
    frame = source.read("ae", columns, need=[ID, "AEDECOD"])
    frame = frame.drop_duplicates([ID, "AESEQ"]) if frame["AESEQ"].notna().all() else frame
    collected = _day(frame, reference, "AEDY", "AEDTC")
    bound = study_day(latest_dates(frame["AESTDTC"]), frame[ID].map(reference))
    onset = _day(frame, reference, "AESTDY", "AESTDTC").fillna(np.minimum(bound, collected)).fillna(collected)
    known = np.maximum(onset, collected)
    return _records(frame, "adverse event", frame["AEDECOD"], onset, known, detail=frame["AEBODSYS"])


def _visits(source: Source, reference: pd.Series, definitions: Definitions) -> pd.DataFrame:
    frame = source.read("sv", [ID, "VISITNUM", "VISIT", "SVSTDTC", "SVSTDY"])
    frame = frame[~(frame["VISITNUM"] > definitions.last_visit_number)]
    day = _day(frame, reference, "SVSTDY", "SVSTDTC")
    return _records(frame, "visit", frame["VISIT"], day, value=frame["VISITNUM"])


def _results(source: Source, domain: str, reference: pd.Series) -> pd.DataFrame:
    """Results of a findings domain, VS, LB or QS, with our names of columns."""
    code = domain.upper()
    names = {f"{code}TESTCD": "test", f"{code}STRESN": "value", f"{code}STNRLO": "low", f"{code}STNRHI": "high"}
    frame = source.read(domain, [ID, *names, f"{code}DTC", f"{code}DY"], split=True)
    return frame.assign(day=_day(frame, reference, f"{code}DY", f"{code}DTC")).rename(columns=names)


def _item_sums(results: pd.DataFrame, definitions: Definitions) -> list[pd.DataFrame]:
    """Sums of a questionnaire's items, where no total is recorded."""
    parts = []
    for prefix, name in definitions.questionnaire_sums.items():
        items = results[results["test"].str.startswith(prefix, na=False)]
        made = _records(items, "questionnaire", pd.Series(name, index=items.index), items["day"], value=items["value"])
        parts.append(made.groupby(OF_DAY, as_index=False)["value"].sum(min_count=1))
    return parts


def _exposure(source: Source, reference: pd.Series) -> pd.DataFrame:
    """Start of each dosing record, and its end where dosing has ended, which is never known in time.

    Whose last record of a treatment is open (no end) is still dosed: earlier records that were closed end nothing.
    """
    frame = source.read("ex", [ID, "EXTRT", "EXDOSE", "EXSTDTC", "EXSTDY", "EXENDTC", "EXENDY"])
    name = pd.Series("dose", index=frame.index)
    start, end = _day(frame, reference, "EXSTDY", "EXSTDTC"), _day(frame, reference, "EXENDY", "EXENDTC")
    last = frame.assign(start=start, end=end).sort_values(["start", "end"]).groupby([ID, "EXTRT"], dropna=False).tail(1)
    ended = ~frame[ID].isin(last.loc[last["end"].isna(), ID])
    starts = _records(frame, "exposure", name, start, value=frame["EXDOSE"])
    return _together([starts, _records(frame, "end of exposure", name, end, np.nan)[ended]])


def _schedule(source: Source, definitions: Definitions) -> tuple[int, ...]:
    planned = source.read("tv", ["VISITNUM", "VISITDY"])
    planned = planned[~(planned["VISITNUM"] > definitions.last_visit_number) & (planned["VISITDY"] > 1)]
    return tuple(sorted({int(day) for day in planned["VISITDY"]}))


def load_sdtm(source: Source, definitions: Definitions) -> Trial:
    """A trial from SDTM domains; see `attrition.cdisc.load`."""
    columns = [ID, "STUDYID", "SITEID", "ARM", "ARMCD", "ARMNRS", "RFSTDTC", *TERMS["baseline"]["sdtm"]]
    demographics = _once(source, "dm", source.read("dm", columns, need=[ID, "ARM", "RFSTDTC"]))
    randomised = _randomised(demographics, definitions)
    kept = demographics[randomised]
    reference = first_dose(source, "dm", "RFSTDTC", kept)
    vital_signs, labs, scales = (_results(source, domain, reference) for domain in ("vs", "lb", "qs"))
    events = _together(
        [
            adverse_events(source, reference),
            _visits(source, reference, definitions),
            _vital_signs(vital_signs, definitions),
            _labs(labs),
            _together([_totals(scales, definitions), *_item_sums(scales, definitions)]),
            _exposure(source, reference),
        ]
    )
    screened = {"screened": len(demographics), "screen_failures": int((~randomised).sum())}
    patients = _sdtm_patients(source, kept, definitions, reference, events.groupby("id")["day"].max())
    patients, left_out = analysed(patients, patients["id"].map(reference).notna())
    schedule = _schedule(source, definitions)
    return assemble(source.label, "sdtm", definitions, patients, events, screened, schedule, left_out=left_out)


# ADaM


def _adam_patients(source: Source, definitions: Definitions) -> tuple[pd.DataFrame, pd.Series]:
    """Randomised patients, and the date of the first dose by id."""
    baseline = TERMS["baseline"]["adam"]
    columns = [ID, "SITEID", "SITEGR1", "TRT01P", "ARM", "TRTSDT", "DCDECOD", "DCSREAS", "EOSSTT", "RFENDT", "EOSDT"]
    frame = _once(source, "adsl", source.read("adsl", [*columns, *baseline], need=[ID, "TRTSDT"]))
    arm = frame["TRT01P"].fillna(frame["ARM"])
    frame = frame.assign(arm=arm)[~arm.str.upper().isin(definitions.not_randomised)]
    reference = first_dose(source, "adsl", "TRTSDT", frame)
    end = _last_seen(source, frame)
    table = pd.DataFrame({"id": frame[ID], "arm": frame["arm"], "site": frame["SITEID"].fillna("unknown")})
    if frame["SITEGR1"].notna().all():
        table["site_group"] = frame["SITEGR1"]
    table = table.assign(**{name: frame[column] for column, name in baseline.items()})
    table["event_day"] = study_day(end, frame[ID].map(reference))
    table["reason"] = _reason(frame, definitions)
    return table, reference


def _last_seen(source: Source, frame: pd.DataFrame) -> pd.Series:
    """Date on which each patient left or was last seen; needed of those who were dosed."""
    column = "EOSDT" if frame["EOSDT"].notna().any() else "RFENDT"
    if len(frame) and frame[column].isna().all():
        raise CdiscError(f"{source.file('adsl')}: neither EOSDT nor RFENDT tells when a patient left: both are empty")
    end = as_dates(frame[column])
    rule = f"{WHOLE}: it tells when the patient left or was last seen"
    if undated := lines_of(column, rule, as_dates(frame["TRTSDT"]).notna() & end.isna()):
        raise ContractError(source.file("adsl"), undated)
    return end


def _reason(frame: pd.DataFrame, definitions: Definitions) -> pd.Series:
    reason, status = terms(frame["DCDECOD"]).fillna(terms(frame["DCSREAS"])), terms(frame["EOSSTT"])
    reason = reason.mask(reason.isna() & status.eq("COMPLETED"), next(iter(definitions.completed)))
    return reason.mask(reason.isna() & status.eq("DISCONTINUED"), NO_REASON)


def _unexplained(patients: pd.DataFrame, definitions: Definitions) -> tuple[str, ...]:
    """A note on patients who discontinued for a reason that is not given."""
    n = int(patients["reason"].eq(NO_REASON).sum())
    many = "patients" if n != 1 else "patient"
    note = f"{n} {many} discontinued by EOSSTT without a reason in DCDECOD or DCSREAS: counted as having left, in the "
    note += f"group {definitions.other}."
    return (note,) if n else ()


def _adam_adverse_events(source: Source, reference: pd.Series) -> tuple[pd.DataFrame, bool]:
    """AE where the folder has it; else ADAE on its key, with nothing known about collection."""
    if source.domain("ae"):
        return adverse_events(source, reference), True
    frame = source.read("adae", [ID, "AESEQ", "AEDECOD", "AEBODSYS", "ASTDT", "ASTDY"]).drop_duplicates([ID, "AESEQ"])
    onset = _day(frame, reference, "ASTDY", "ASTDT")
    made = _records(frame, "adverse event", frame["AEDECOD"], onset, np.nan, detail=frame["AEBODSYS"])
    return made, frame.empty


def _parameters(source: Source, name: str, reference: pd.Series) -> pd.DataFrame:
    """Recorded rows of a data set in the basic structure (derived rows carry a DTYPE), with our names of columns."""
    names = {"PARAMCD": "test", "AVAL": "value", "A1LO": "low", "A1HI": "high"}
    frame = source.read(name, [ID, *names, "ADT", "ADY", "VISITNUM", "VISIT", "DTYPE"])
    frame = frame[frame["DTYPE"].isna() & frame["AVAL"].notna()]
    return frame.assign(day=_day(frame, reference, "ADY", "ADT")).rename(columns=names)


def _adam_labs(source: Source, reference: pd.Series) -> pd.DataFrame:
    parts = []
    for name in source.domain("adlb"):
        if {"ASEQ", "LBSEQ"} & source.columns(name).keys():
            results = _parameters(source, name, reference)
            parts.append(_labs(results[~results["test"].str.startswith("_", na=True)]))
    return _together(parts).drop_duplicates()


def _adam_vital_signs(source: Source, reference: pd.Series, definitions: Definitions) -> list[pd.DataFrame]:
    """Visits, and the vital signs that are followed."""
    results = _parameters(source, "advs", reference)
    results = results[~(results["VISITNUM"] > definitions.last_visit_number)]
    visits = _records(results, "visit", results["VISIT"], results["day"], value=results["VISITNUM"])
    return [visits.drop_duplicates(["id", "name", "day"]), _vital_signs(results, definitions)]


def _adam_questionnaires(source: Source, reference: pd.Series, definitions: Definitions) -> pd.DataFrame:
    scales = [name for name in source.files if name.startswith("ad") and not name.startswith(NO_SCALES)]
    scales = [name for name in scales if "PARAMCD" in source.columns(name)]
    return _together([_totals(_parameters(source, name, reference), definitions) for name in scales])


def load_adam(source: Source, definitions: Definitions) -> Trial:
    """A trial from ADaM data sets; see `attrition.cdisc.load`."""
    patients, reference = _adam_patients(source, definitions)
    adverse, dated = _adam_adverse_events(source, reference)
    vital_signs = _adam_vital_signs(source, reference, definitions)
    scales = _adam_questionnaires(source, reference, definitions)
    parts = [adverse, *vital_signs, _adam_labs(source, reference), scales]
    events = _together([part for part in parts if not part.empty] or parts)
    patients, left_out = analysed(patients, patients["id"].map(reference).notna())
    notes = (*_unexplained(patients, definitions), *(() if dated else (NEVER_COLLECTED,)))
    screened = {"screened": None, "screen_failures": None}
    return assemble(source.label, "adam", definitions, patients, events, screened, notes=notes, left_out=left_out)
