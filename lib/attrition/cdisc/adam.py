"""ADaM data sets to one trial: ADSL makes the patients; ADAE, ADVS, ADLB* and the rating scales the dated events."""

import numpy as np
import pandas as pd

from attrition.cdisc import days
from attrition.cdisc.definitions import Definitions
from attrition.cdisc.sdtm import WHOLE, adverse_events, daily_mean, first_dose, once, range_flag, terms
from attrition.cdisc.sources import CdiscError, Source
from attrition.cdisc.trial import EVENT_COLUMNS, Trial, analysed, assemble
from attrition.contract.strict import ContractError, lines_of

ID = "USUBJID"
BASELINE = {
    "AGE": "age",
    "SEX": "sex",
    "RACE": "race",
    "ETHNIC": "ethnicity",
    "EDUCLVL": "education_years",
    "DURDIS": "disease_months",
}
NO_REASON = "DISCONTINUED, NO REASON GIVEN"
NEVER_COLLECTED = "ADaM holds no collection date of adverse events: none counts as known at a landmark."


def _patients(source: Source, definitions: Definitions) -> tuple[pd.DataFrame, pd.Series]:
    columns = [
        ID,
        "SITEID",
        "SITEGR1",
        "TRT01P",
        "ARM",
        "TRTSDT",
        "DCDECOD",
        "DCSREAS",
        "EOSSTT",
        "RFENDT",
        "EOSDT",
        *BASELINE,
    ]
    frame = once(source, "adsl", source.read("adsl", columns, need=[ID, "TRTSDT"]))
    arm = frame["TRT01P"].fillna(frame["ARM"])
    frame = frame.assign(arm=arm)[~arm.str.upper().isin(definitions.not_randomised)]
    start = first_dose(source, "adsl", "TRTSDT", frame)
    column = "EOSDT" if frame["EOSDT"].notna().any() else "RFENDT"
    if len(frame) and frame[column].isna().all():
        raise CdiscError(f"{source.file('adsl')}: neither EOSDT nor RFENDT tells when a patient left: both are empty")
    end = days.as_dates(frame[column])
    rule = f"{WHOLE}: it tells when the patient left or was last seen"
    if undated := lines_of(column, rule, start.notna() & end.isna()):
        raise ContractError(source.file("adsl"), undated)
    table = pd.DataFrame({"id": frame[ID], "arm": frame["arm"], "site": frame["SITEID"].fillna("unknown")})
    if frame["SITEGR1"].notna().all():
        table["site_group"] = frame["SITEGR1"]
    for column, name in BASELINE.items():
        table[name] = frame[column]
    table["event_day"] = days.study_day(end, start)
    table["reason"] = _reason(frame, definitions)
    return table, start.set_axis(frame[ID])


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


def _adverse_events(source: Source, reference: pd.Series) -> tuple[pd.DataFrame, bool]:
    """AE where the folder has it; else ADAE on its key, with nothing known about collection."""
    if source.domain("ae"):
        return adverse_events(source, reference), True
    frame = source.read("adae", [ID, "AESEQ", "AEDECOD", "AEBODSYS", "ASTDT", "ASTDY"]).drop_duplicates([ID, "AESEQ"])
    onset = days.first_known(frame["ASTDY"], frame["ASTDT"], frame[ID].map(reference))
    return _events(frame, "adverse event", frame["AEDECOD"], onset, np.nan, detail=frame["AEBODSYS"]), frame.empty


def _events(frame, kind, name, day, known_day, value=np.nan, detail=None) -> pd.DataFrame:
    detail = pd.Series(pd.NA, index=frame.index, dtype="str") if detail is None else detail
    columns = (frame[ID], kind, name, value, detail, day, known_day)
    return pd.DataFrame(dict(zip(EVENT_COLUMNS, columns, strict=True)), index=frame.index)


def _parameters(source: Source, name: str, extra: tuple[str, ...] = ()) -> pd.DataFrame:
    """Recorded rows of a data set in the basic structure (derived rows carry a DTYPE)."""
    columns = [ID, "PARAMCD", "AVAL", "ADT", "ADY", "VISITNUM", "VISIT", "DTYPE", *extra]
    frame = source.read(name, columns)
    return frame[frame["DTYPE"].isna() & frame["AVAL"].notna()]


def _day(frame: pd.DataFrame, reference: pd.Series) -> pd.Series:
    return days.first_known(frame["ADY"], frame["ADT"], frame[ID].map(reference))


def _labs(source: Source, reference: pd.Series) -> pd.DataFrame:
    parts = []
    for name in source.domain("adlb"):
        if "ASEQ" in source.columns(name) or "LBSEQ" in source.columns(name):
            frame = _parameters(source, name, ("A1LO", "A1HI"))
            frame = frame[~frame["PARAMCD"].str.startswith("_", na=True)]
            day = _day(frame, reference)
            flag = range_flag(frame["AVAL"], frame["A1LO"], frame["A1HI"])
            parts.append(_events(frame, "lab", frame["PARAMCD"], day, day, value=frame["AVAL"], detail=flag))
    return pd.concat(parts, ignore_index=True).drop_duplicates() if parts else pd.DataFrame(columns=list(EVENT_COLUMNS))


def _vital_signs(source: Source, reference: pd.Series, definitions: Definitions) -> tuple[pd.DataFrame, pd.DataFrame]:
    frame = _parameters(source, "advs")
    frame = frame[~(frame["VISITNUM"] > definitions.last_visit_number)]
    day = _day(frame, reference)
    visits = _events(frame, "visit", frame["VISIT"], day, day, value=frame["VISITNUM"])
    followed = frame["PARAMCD"].isin(definitions.vital_signs)
    values = _events(frame[followed], "vital sign", frame["PARAMCD"], day, day, value=frame["AVAL"])
    return daily_mean(values), visits.drop_duplicates(["id", "name", "day"])


def _questionnaires(source: Source, reference: pd.Series, definitions: Definitions) -> pd.DataFrame:
    skip = ("adsl", "adae", "advs", "adtte", "adlb", "adcm", "adex")
    parts = []
    for name in [n for n in source.names if n.startswith("ad") and not n.startswith(skip)]:
        if "PARAMCD" not in source.columns(name):
            continue
        frame = _parameters(source, name)
        total = frame["PARAMCD"].map(dict(definitions.questionnaires)).dropna()
        frame = frame.loc[total.index]
        day = _day(frame, reference)
        parts.append(_events(frame, "questionnaire", total, day, day, value=frame["AVAL"]))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(EVENT_COLUMNS))


def load_adam(source: Source, definitions: Definitions) -> Trial:
    """A trial from ADaM data sets; see `attrition.cdisc.load`."""
    patients, reference = _patients(source, definitions)
    adverse, dated = _adverse_events(source, reference)
    vitals, visits = _vital_signs(source, reference, definitions)
    parts = [adverse, visits, vitals, _labs(source, reference), _questionnaires(source, reference, definitions)]
    events = pd.concat([part for part in parts if not part.empty] or parts, ignore_index=True)
    patients, left_out = analysed(patients, patients["id"].map(reference).notna())
    notes = (*_unexplained(patients, definitions), *(() if dated else (NEVER_COLLECTED,)))
    screened = {"screened": None, "screen_failures": None}
    return assemble(source.label, "adam", definitions, patients, events, screened, notes=notes, left_out=left_out)
