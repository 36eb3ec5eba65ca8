"""SDTM domains and ADaM data sets to one trial: who was randomised, when and why they left, and dated records.

Of SDTM, DM and DS make the patients, and AE, SV, VS, LB, QS and EX the records; of ADaM, ADSL makes the patients, and
ADAE, ADVS, ADLB* and the rating scales the records. A domain that is absent gives no rows.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from attrition.cdisc import sources
from attrition.cdisc.disposition import CELL, Disposition, phase, sdtm, terms, with_deaths
from attrition.cdisc.sources import ID, WHOLE, CdiscError, Source, as_dates, counted, first_known, in_month, study_day
from attrition.cdisc.trial import ESTIMANDS, EVENT_COLUMNS, EXITS_OF, Definitions, Trial, assemble, days_until
from attrition.contract.strict import lines_of, refuse

# Who counts: which subjects were randomised, who of them was dosed, and in which study

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
        return frame[list(sources.TERMS["baseline"][usual])].rename(columns=sources.TERMS["baseline"][usual])
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
    return chosen or list(sources.TERMS["baseline"][usual])


# Records

MONTH = 365.25 / 12
OF_DAY = ["id", "kind", "name", "day", "known_day"]
NO_REASON = "DISCONTINUED, NO REASON GIVEN"
NO_SCALES = ("adsl", "adae", "advs", "adtte", "adlb", "adcm", "adex")
"""How the names of ADaM data sets begin that hold no rating scale."""


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


def _characteristics(source: Source, definitions: Definitions) -> pd.DataFrame:
    """Characteristics of the subjects, and months from diagnosis to its recording at screening."""
    frame = source.read("sc", [ID, "SCTESTCD", "SCSTRESN"])
    frame = frame.assign(name=frame["SCTESTCD"].map(dict(definitions.characteristics))).dropna(subset="name")
    wide = frame.pivot_table(index=ID, columns="name", values="SCSTRESN", aggfunc="first")
    told = source.read("mh", [ID, "MHCAT", "MHSTDTC", "MHDTC"])
    told = told[told["MHCAT"].eq(definitions.diagnosis_category)].drop_duplicates(ID).set_index(ID)
    since = (as_dates(told["MHDTC"]) - as_dates(told["MHSTDTC"])).dt.days / MONTH
    return wide.join(since.rename("disease_months"), how="outer")


def known_days(
    adverse: pd.DataFrame, collected: pd.Series, visits: pd.DataFrame, definitions: Definitions
) -> tuple[pd.Series, list[str]]:
    """Day from which each adverse event counts as known, and a note on those that nobody dated when recorded.

    The later of onset and collection; without a collection date never, or as the definitions declare: at the next
    visit, or at once.
    """
    onset, missing = adverse["day"], collected.isna()
    rule, declared = definitions.adverse_events_known, pd.Series(np.nan, index=adverse.index)
    if rule == "onset":
        declared = onset
    elif rule == "next visit" and len(visits):
        seen = visits[["id", "day"]].dropna().sort_values("day").assign(visit=lambda table: table["day"])
        asked = adverse[["id", "day"]].assign(row=adverse.index).dropna(subset=["day"]).sort_values("day")
        found = pd.merge_asof(asked, seen, on="day", by="id", direction="forward").set_index("row")["visit"]
        declared = found.reindex(adverse.index)
    how = f"known at the {rule}, as the mapping declares" if rule else "never counted as known at a landmark"
    hint = "" if rule else ' ([adverse_events] known = "next visit" in a mapping declares when)'
    note = f"of {len(adverse)} adverse events have no collection date: {how}{hint}."
    return np.maximum(onset, collected.fillna(declared)), counted({note: missing.sum()})


def adverse_events(
    source: Source, reference: pd.Series, visits: pd.DataFrame | None = None, definitions: Definitions | None = None
) -> tuple[pd.DataFrame, list[str]]:
    """Adverse events, one row per patient and AESEQ, and notes.

    Onset is the recorded day; for a partial onset date the last day that fits it, but not after collection. Severity,
    outcome and end are final values and are not read.
    """
    columns = [ID, "AESEQ", "AEDECOD", "AEBODSYS", "AEDTC", "AESTDTC", "AEDY", "AESTDY"]
    frame = source.read("ae", columns, need=[ID, "AEDECOD"])
    frame = frame.drop_duplicates([ID, "AESEQ"]) if frame["AESEQ"].notna().all() else frame
    definitions = definitions or Definitions()
    first = frame[ID].map(reference)
    collected = _day(frame, reference, "AEDY", "AEDTC").fillna(study_day(sources.latest_dates(frame["AEDTC"]), first))
    bound = study_day(sources.latest_dates(frame["AESTDTC"]), first)
    dated = _day(frame, reference, "AESTDY", "AESTDTC")
    onset = dated.fillna(np.fmin(bound, collected)).fillna(collected)
    made = _records(frame, "adverse event", frame["AEDECOD"], onset, detail=frame["AEBODSYS"])
    made["assumed"] = dated.isna() & collected.isna()
    made = made[~(onset > frame[ID].map(days_until(definitions.data_cut, reference)).astype(float))]
    visits = pd.DataFrame(columns=["id", "day"]) if visits is None else visits
    known, notes = known_days(made, collected[made.index], visits, definitions)
    return made.assign(known_day=known), notes


def _results(source: Source, domain: str, reference: pd.Series) -> pd.DataFrame:
    """Results of a findings domain, VS, LB or QS, with our names of columns."""
    code = domain.upper()
    names = {f"{code}TESTCD": "test", f"{code}STRESN": "value", f"{code}STNRLO": "low", f"{code}STNRHI": "high"}
    frame = source.read(domain, [ID, *names, f"{code}DTC", f"{code}DY"], split=True)
    return frame.assign(day=_day(frame, reference, f"{code}DY", f"{code}DTC")).rename(columns=names)


def _item_sums(results: pd.DataFrame, definitions: Definitions) -> Iterator[pd.DataFrame]:
    """Sums of a questionnaire's items, where no total is recorded."""
    for prefix, name in definitions.questionnaire_sums.items():
        items = results[results["test"].str.startswith(prefix, na=False)]
        made = _records(items, "questionnaire", pd.Series(name, index=items.index), items["day"], value=items["value"])
        yield made.groupby(OF_DAY, as_index=False)["value"].sum(min_count=1)


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
    columns = [ID, "STUDYID", "SITEID", *ARMS, "RFSTDTC", "RFXSTDTC", "DTHFL", "DTHDTC"]
    columns += baseline_columns(source, "dm", definitions, "sdtm")
    subjects = source.read("dm", list(dict.fromkeys(columns)), need=[ID, "ARM", "RFSTDTC"])
    subjects = of_one_study(source, subjects, definitions)
    was_dosed = dosed(source, subjects, definitions)
    chosen, notes = randomised(source, subjects, was_dosed, definitions)
    kept, was_dosed = subjects[chosen], was_dosed[chosen]
    source.keep(kept[ID])
    reference = told_by_days(source, first_dose(source, "dm", "RFSTDTC", kept))
    seen = source.read("sv", [ID, "VISITNUM", "VISIT", "SVSTDTC", "SVSTDY"])
    seen = seen[~(seen["VISITNUM"] > definitions.last_visit_number)]
    visits = _records(seen, "visit", seen["VISIT"], _day(seen, reference, "SVSTDY", "SVSTDTC"), value=seen["VISITNUM"])
    adverse, doubts = adverse_events(source, reference, visits, definitions)
    vital_signs, labs, scales = (_results(source, domain, reference) for domain in ("vs", "lb", "qs"))
    scored = _together([_totals(scales, definitions), *_item_sums(scales, definitions)])
    measured = [_vital_signs(vital_signs, definitions), _labs(labs), scored]
    events = _together([adverse, visits, *measured, _exposure(source, reference)])
    found = sdtm(source, reference[was_dosed.to_numpy()], definitions)
    found = with_deaths(found, kept.set_index(ID)[["DTHFL", "DTHDTC"]], reference, definitions)
    table = pd.DataFrame({"id": kept[ID], "arm": kept["ARM"], "site": kept["SITEID"].fillna("unknown")})
    table = table.join(baseline(source, "dm", kept, definitions, "sdtm"))
    if not definitions.numbers and not definitions.categories:
        table = table.join(_characteristics(source, definitions), on="id")
    screened = {"screened": len(subjects), "screen_failures": int((~chosen).sum())}
    table, told = _with_exits(table, found, reference, events), _told(found, notes, doubts)
    of = source.label, "sdtm", definitions, table, events, screened, _schedule(source, definitions)
    return assemble(*of, dosed=was_dosed, **told)


def _told(found: Disposition, notes: list[str], doubts: list[str]) -> dict[str, Any]:
    """What `assemble` is told of dispositions, and the notes of all."""
    told = {"notes": (*notes, *found.notes, *doubts), "cells": found.cells}
    return told | {"estimands": found.estimands or ESTIMANDS[:1]}


def _with_exits(table: pd.DataFrame, found: Disposition, reference: pd.Series, events: pd.DataFrame) -> pd.DataFrame:
    """Patients with their exits, the date of day 1, and the last day of any record."""
    seen = events if "assumed" not in events else events[events["assumed"].ne(True)]  # by a whole date
    last = seen.groupby("id")["day"].max()
    table = table.join(found.exits.reindex(columns=list(EXITS_OF)), on="id")
    return table.assign(start=table["id"].map(reference), last_day=table["id"].map(last).astype(float))


# ADaM


def load_adam(source: Source, definitions: Definitions) -> Trial:
    """A trial from ADaM data sets; see `attrition.cdisc.load`."""
    columns = [ID, "STUDYID", "SITEID", "SITEGR1", "TRT01P", "TRT01A", "ARM", "RANDFL", "TRTSDT", *STATUS]
    columns += baseline_columns(source, "adsl", definitions, "adam")
    frame = source.read("adsl", list(dict.fromkeys(columns)), need=[ID, "TRTSDT"])
    frame = of_one_study(source, frame, definitions)
    arm = frame["TRT01P"].fillna(frame["ARM"])
    if arm.isna().all() and frame["TRT01A"].notna().any():
        arm = frame["TRT01A"]
        source.note("ADSL has neither TRT01P nor ARM: the arm is the treatment that was taken (TRT01A).")
    frame = frame.assign(arm=arm)[~terms(arm).isin(definitions.not_randomised) & ~terms(frame["RANDFL"]).eq("N")]
    source.keep(frame[ID])
    reference = first_dose(source, "adsl", "TRTSDT", frame)
    results = _parameters(source, "advs", reference)
    results = results[~(results["VISITNUM"] > definitions.last_visit_number)]
    visits = _records(results, "visit", results["VISIT"], results["day"], value=results["VISITNUM"])
    visits = visits.drop_duplicates(["id", "name", "day"])
    adverse, doubts = _adam_adverse_events(source, reference, visits, definitions)
    scales = [name for name in source.files if name.startswith("ad") and not name.startswith(NO_SCALES)]
    scales = [name for name in scales if "PARAMCD" in source.columns(name)]
    totals = _together([_totals(_parameters(source, name, reference), definitions) for name in scales])
    parts = [adverse, visits, _vital_signs(results, definitions), _adam_labs(source, reference), totals]
    events = _together([part for part in parts if not part.empty] or parts)
    found, last = _adam_disposition(source, frame, reference, definitions)
    table = pd.DataFrame({"id": frame[ID], "arm": frame["arm"], "site": frame["SITEID"].fillna("unknown")})
    if frame["SITEGR1"].notna().all():
        table["site_group"] = frame["SITEGR1"]
    table = table.join(baseline(source, "adsl", frame, definitions, "adam"))
    table = _with_exits(table, found, reference, events)
    table["last_day"] = last.reindex(table["id"]).fillna(table.set_index("id")["last_day"]).to_numpy()
    of = source.label, "adam", definitions, table, events, {"screened": None, "screen_failures": None}
    return assemble(*of, dosed=table["start"].notna(), **_told(found, [], doubts))


STATUS = ["EOSSTT", "EOSDT", "RFENDT", "DCDECOD", "DCSREAS", "EOTSTT", "EOTDT", "TRTEDT", "DCTREAS", "LSTALVDT"]
STATUS += ["DTHFL", "DTHDT"]


def _adam_disposition(
    source: Source, frame: pd.DataFrame, reference: pd.Series, definitions: Definitions
) -> tuple[Disposition, pd.Series]:
    """Exits by EOSSTT, EOTSTT and their reasons, and deaths; and the last day of those still in the trial."""
    end = "EOSDT" if frame["EOSDT"].notna().any() or frame["EOSSTT"].eq("ONGOING").any() else "RFENDT"
    dosed = as_dates(frame["TRTSDT"]).notna()
    if dosed.any() and frame[[end, "LSTALVDT"]].isna().all(axis=None):
        empty = "neither EOSDT nor RFENDT tells when a patient left: both are empty"
        raise CdiscError(f"{source.file('adsl')}: {empty}")
    stopped = "EOTDT" if frame["EOTDT"].notna().any() else "TRTEDT"
    study, notes = _ended(frame, "EOSSTT", frame["DCDECOD"].fillna(frame["DCSREAS"]), definitions)
    treatment, more = _ended(frame, "EOTSTT", frame["DCTREAS"], definitions)
    columns: dict[str, pd.Series] = {}
    told = {"study": (study, end), "treatment": (treatment, stopped)}
    for name, (reason, column) in told.items():
        date = as_dates(frame[column])
        if definitions.partial_exits:
            date = date.fillna(in_month(frame[column], definitions.partial_exits, as_dates(frame["TRTSDT"])))
        rule = f"{WHOLE}: it tells when the patient {'left' if name == 'study' else 'stopped treatment'}"
        refuse(source.file("adsl"), lines_of(column, rule, dosed & reason.notna() & date.isna()))
        day = study_day(date, frame[ID].map(reference))
        columns |= {f"{name}_day": day.where(reason.notna()), f"{name}_reason": reason}
    exits = pd.DataFrame(columns).set_axis(frame[ID])
    recorded = tuple(name for name, (reason, _) in told.items() if reason.notna().any())
    cells = _adam_cells(frame, study, treatment, definitions)
    found = Disposition(exits[dosed.to_numpy()], recorded, cells, [*notes, *more])
    died = frame.set_index(ID)[["DTHFL", "DTHDT"]].rename(columns={"DTHDT": "DTHDTC"})
    last = as_dates(frame["LSTALVDT"]).fillna(as_dates(frame[end]))
    if (silent := dosed & last.isna() & terms(frame["EOSSTT"]).isin(definitions.ongoing)).any():
        dates = pd.concat([as_dates(frame[column]) for column in ("EOSDT", "LSTALVDT", "TRTEDT", "TRTSDT")])
        last = last.mask(silent, definitions.data_cut or dates.max())
        until = "the declared data cut" if definitions.data_cut else "the last date of ADSL"
        found.notes += counted({f"ongoing patients have no last date (LSTALVDT): followed to {until}.": silent.sum()})
    last = study_day(last, frame[ID].map(reference)).set_axis(frame[ID])
    return with_deaths(found, died, reference, definitions), last


def _ended(frame: pd.DataFrame, status: str, given: pd.Series, definitions: Definitions) -> tuple[pd.Series, list[str]]:
    """Term of each patient's end of study or treatment, missing while it lasts, and notes."""
    reason, said = terms(given), terms(frame[status])
    completed = "COMPLETED" if "COMPLETED" in definitions.completed else min(definitions.completed)
    both = said.eq("COMPLETED") & reason.notna() & ~reason.isin(definitions.completed)
    lasting = said.eq("ONGOING") & reason.notna()
    reason = reason.mask(said.isin(definitions.ongoing) | reason.isin(definitions.ongoing))
    reason = reason.mask(reason.isna() & said.eq("COMPLETED"), completed)
    bare = reason.isna() & said.eq("DISCONTINUED")
    told = {
        f"patients completed by {status} and have a reason for leaving: they count as having left.": both,
        f"patients are ongoing by {status} and have a reason for leaving: they count as ongoing.": lasting,
        f"patients discontinued by {status} without a reason: they count as having left, {definitions.other}.": bare,
    }
    return reason.mask(bare, NO_REASON), counted({what: who.sum() for what, who in told.items()})


def _adam_cells(frame: pd.DataFrame, study: pd.Series, treatment: pd.Series, definitions: Definitions) -> pd.DataFrame:
    """Every status with its reason, its patients and what it was taken for, as `disposition.cells` has them."""
    parts = []
    for scope, status, reason in (("study", "EOSSTT", study), ("treatment", "EOTSTT", treatment)):
        done = reason.isin(definitions.completed)
        kind = np.select([reason.isna(), done], ["still in the", "completed the"], "left the")
        told = pd.DataFrame({"DSCAT": status, "DSSCAT": terms(frame[status]), "EPOCH": pd.NA, "DSDECOD": reason})
        told = told.assign(taken_for=[f"{verb} {scope}" for verb in kind])
        if scope == "study" or reason.notna().any():
            counted = told.groupby([*told], dropna=False).size().rename("patients").reset_index()
            parts.append(counted.assign(records=counted["patients"], used=counted["patients"]))
    return pd.concat(parts, ignore_index=True)[[*CELL, "records", "patients", "used", "taken_for"]]


def _adam_adverse_events(
    source: Source, reference: pd.Series, visits: pd.DataFrame, definitions: Definitions
) -> tuple[pd.DataFrame, list[str]]:
    """AE where the folder has it; else ADAE on its key, which holds no collection date."""
    if source.domain("ae"):
        return adverse_events(source, reference, visits, definitions)
    frame = source.read("adae", [ID, "AESEQ", "AEDECOD", "AEBODSYS", "ASTDT", "ASTDY"]).drop_duplicates([ID, "AESEQ"])
    onset = _day(frame, reference, "ASTDY", "ASTDT")
    made = _records(frame, "adverse event", frame["AEDECOD"], onset, np.nan, detail=frame["AEBODSYS"])
    known, notes = known_days(made, onset * np.nan, visits, definitions)
    return made.assign(known_day=known), notes


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
