"""Who stopped treatment, who left the study, when and why: DS (or ADSL) read by category, subcategory, epoch and term.

A record is of the treatment or of the study (DSSCAT), of an epoch before, in or after the main part (EPOCH), and says
that somebody completed, left, or reached a milestone (DSCAT, DSDECOD). What was taken for what is kept as cells with
their counts, for a data manager to read; a mapping's section ``[disposition]`` decides otherwise.
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from attrition.cdisc.sources import ID, TERMS, WHOLE, Source, as_dates, counted, first_known, in_month, study_day
from attrition.cdisc.trial import Definitions, days_until
from attrition.contract.strict import Problem, lines_of, refuse

CELL = ["DSCAT", "DSSCAT", "EPOCH", "DSDECOD"]
DISPOSITION = "DISPOSITION EVENT"
RULES = TERMS["disposition"]
PARTIAL = '(of a month alone a mapping can declare which day: [disposition] partial = "middle")'
MOST_TERMS = 40
DEATH = "DEATH"
MONTH_ALONE = "patients have an end of which the month alone is known"
LATER = "patients left the main part and have a disposition of a later epoch: the later one tells whether and when "
LATER += "they left the study, the earlier one that they stopped treatment."


@dataclass
class Disposition:
    """The exits of the patients by id (columns `EXITS_OF`, missing: not yet), cells, what they were taken for, notes.

    `estimands` are those that the records tell, in the order of `attrition.cdisc.trial.ESTIMANDS`.
    """

    exits: pd.DataFrame
    estimands: tuple[str, ...]
    cells: pd.DataFrame = field(default_factory=pd.DataFrame)
    notes: list[str] = field(default_factory=list)


def terms(values: pd.Series) -> pd.Series:
    """Coded terms as CDISC spells them: upper case, no blanks around, empty text missing.

    >>> terms(pd.Series([" Completed", "DEATH", " ", None])).tolist()
    ['COMPLETED', 'DEATH', nan, nan]
    """
    text = values.astype("str").str.strip().str.upper()
    return text.where(text.ne(""))


def _named(values: pd.Series, words: list[str]) -> pd.Series:
    return values.fillna("").map(lambda value: any(word in value for word in words)).astype(bool)


def matches(cells: pd.DataFrame, patterns: tuple[str, ...]) -> pd.Series:
    """Rows that a mapping names: by their subcategory, or as a cell ``DSCAT | DSSCAT | EPOCH | DSDECOD``, * for any.

    >>> cell = pd.DataFrame([["DISPOSITION EVENT", "STUDY TREATMENT", None, "COMPLETED"]], columns=CELL)
    >>> [bool(matches(cell, (p,))[0]) for p in ("study treatment", "* | * | TREATMENT | *", "* | * | * | Completed")]
    [True, False, True]
    """
    found = pd.Series(False, index=cells.index)
    for pattern in patterns:
        parts = [part.strip().upper() for part in pattern.split("|")]
        wanted = dict(zip(CELL, parts, strict=True)) if len(parts) == len(CELL) else {"DSSCAT": parts[0]}
        asked = [cells[name].fillna("").eq(value) for name, value in wanted.items() if value != "*"]
        found |= np.logical_and.reduce(asked) if asked else True
    return found


def _unclear(source: Source, frame: pd.DataFrame, known: pd.Series) -> None:
    """Refuse records that name no term, and those of no category whose term is no term of a disposition."""
    bare = frame["DSCAT"].isna() & frame["DSCAT"].notna().any() & frame["DSDECOD"].notna() & ~known
    problems = lines_of("DSDECOD", "is empty: it says what became of the patient", frame["DSDECOD"].isna())
    problems += lines_of("DSCAT", "is empty, and DSDECOD is no term that is known for a disposition", bare)
    if (found := frame["DSDECOD"].nunique()) > MOST_TERMS:
        problems.append(Problem("DSDECOD", f"{found} different terms, at most {MOST_TERMS}: it looks like free text"))
    refuse(source.file("ds"), problems)


def _read(source: Source, reference: pd.Series, definitions: Definitions) -> pd.DataFrame:
    """Records of the patients with their terms, day, scope, phase and kind."""
    frame = source.read("ds", [ID, *CELL, "DSSTDTC", "DSSTDY", "DSDTC"], need=[ID, "DSDECOD"])
    frame = frame.assign(**{name: terms(frame[name]) for name in CELL})
    category = frame["DSCAT"]
    is_term = frame["DSDECOD"].isin({*definitions.completed, *definitions.competing, *definitions.reasons})
    is_term |= frame["DSDECOD"].isin(RULES["other_terms"])
    milestone = frame["DSDECOD"].isin(definitions.milestones)
    ours = frame[ID].isin(reference.index)
    _unclear(source, frame[ours & (category.isna() | category.eq(DISPOSITION))], is_term | milestone)
    disposed = category.eq(DISPOSITION) | category.isna() & (is_term | category.isna().all())
    done, lasting = frame["DSDECOD"].isin(definitions.completed), frame["DSDECOD"].isin(definitions.ongoing)
    kinds = {"ignored": matches(frame, definitions.ignored_records), "milestone": ~disposed | milestone}
    kinds |= {"completed": done, "ongoing": lasting}
    frame["kind"] = np.select([*kinds.values()], [*kinds], "left")
    treatment = matches(frame, definitions.treatment_records) | _named(frame["DSSCAT"], RULES["treatment"])
    study = matches(frame, definitions.study_records)
    frame["scope"] = np.where(treatment & ~study, "treatment", "study")
    start = frame[ID].map(reference)
    frame["event_day"] = first_known(frame["DSSTDY"], frame["DSSTDTC"], start)
    frame["assumed"] = frame["event_day"].isna()
    if place := definitions.partial_exits:
        frame["event_day"] = frame["event_day"].fillna(study_day(in_month(frame["DSSTDTC"], place, start), start))
    named = phase(frame["EPOCH"], definitions.epochs)
    frame["phase"] = named.mask(named.eq("before") & frame["kind"].eq("left") & frame["event_day"].ge(1), "main")
    source.left_out("ds", int((~ours).sum()), "subjects who were never dosed")
    cut = frame[ID].map(days_until(definitions.data_cut, reference)).astype(float)
    collected = study_day(as_dates(frame["DSDTC"]), start)
    frame["known"] = collected.where(collected > frame["event_day"])
    return frame[ours & ~(np.fmax(frame["event_day"], frame["known"]) > cut)]


def phase(epoch: pd.Series, chosen: tuple[str, ...]) -> pd.Series:
    """What an epoch is to the question: before, main, later or extension; without an epoch it is the main part."""
    before, later, extension = (_named(epoch, RULES[name]) for name in ("before", "later", "extension"))
    main = epoch.isin([name.upper() for name in chosen]) | epoch.isna() if chosen else ~(before | extension | later)
    usual = np.select([main, before, later & ~extension], ["main", "before", "later"], "extension")
    phase = pd.Series(usual, index=epoch.index)
    return phase if phase.eq("main").any() else phase.replace({"later" if later.any() else "extension": "main"})


def _first(rows: pd.DataFrame) -> pd.DataFrame:
    """The first discontinuation of each patient, else the last completion, by id."""
    left = rows["kind"].eq("left")
    order = rows["event_day"].where(left, 1e6 - rows["event_day"])
    chosen = rows.assign(order=order).sort_values([ID, "order", "DSDECOD"], kind="stable").drop_duplicates(ID)
    return chosen.set_index(ID)


def _of_the_last_epoch(rows: pd.DataFrame) -> pd.DataFrame:
    """Without completions of an epoch that others have behind them: who completed only that is still in the part."""
    done = rows[rows["kind"].eq("completed") & rows["EPOCH"].notna()]
    days = done.groupby("EPOCH")["event_day"].median().sort_values()
    for earlier in days.index[:-1]:
        late = set(rows.loc[rows["EPOCH"].eq(days.index[-1]), ID])
        both = late & set(rows.loc[rows["EPOCH"].eq(earlier), ID])
        if 2 * len(both) > len(late):  # one after the other, not side by side for different arms
            rows = rows[~(rows["EPOCH"].eq(earlier) & rows["kind"].eq("completed"))]
    return rows


def _study(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The final record of the study for each patient, and the stop of treatment where epochs tell the two apart.

    Who left the main part and has a record of a later epoch has left the study only if that record says so.
    """
    parts = [_of_the_last_epoch(rows[rows["phase"].eq(part)]) for part in ("main", "later", "extension")]
    main, later, beyond = map(_first, parts)
    followed = main.index[main["kind"].eq("left")].intersection(later.index)
    final = pd.concat([later.loc[followed], main.drop(followed)])
    for others in (later, beyond):
        final = pd.concat([final, others.drop(final.index.intersection(others.index))])
    return final, main if len(main.index.intersection(later.index)) else main.iloc[:0]


def _undated(source: Source, chosen: pd.DataFrame) -> None:
    rule = f"{WHOLE}, where DSSTDY is empty: it tells when the patient left"
    undated = chosen[chosen["event_day"].isna()].set_index("line")["DSSTDTC"]
    month = undated.astype("str").str.fullmatch(r"\d{4}-\d\d-*").fillna(False).astype(bool)
    refuse(source.file("ds"), lines_of("DSSTDTC", rule, ~month) + lines_of("DSSTDTC", f"{rule} {PARTIAL}", month))


def _what(row: pd.Series) -> str:
    unread = {"milestone": "no disposition", "ignored": "as the mapping says", "before": "screening, run-in or washout"}
    if why := unread.get(row["kind"]) or unread.get(row["phase"]):
        return f"not read: {why}"
    where = {"main": "", "later": ", in a later epoch", "extension": ", beyond the main part"}[row["phase"]]
    verb = {"completed": "completed the", "left": "left the", "ongoing": "still in the"}[row["kind"]]
    return f"{verb} {row['scope']}{where}"


def cells(frame: pd.DataFrame) -> pd.DataFrame:
    """Every combination of category, subcategory, epoch and term, its records, and what they were taken for."""
    by = frame.groupby([*CELL, "scope", "phase", "kind"], dropna=False, sort=True)
    table = by.agg(records=(ID, "size"), patients=(ID, "nunique"), used=("used", "sum")).reset_index()
    table["taken_for"] = [_what(row) for _, row in table.iterrows()]
    return table.drop(columns=["scope", "phase", "kind"])


def sdtm(source: Source, reference: pd.Series, definitions: Definitions) -> Disposition:
    """Exits of the randomised and dosed patients (`reference`: date of the first dose by id) from DS."""
    frame = _read(source, reference, definitions)
    rows = frame.assign(line=frame.index)
    rows = rows[rows["kind"].isin(["completed", "left"]) & ~rows["phase"].eq("before")]
    of_treatment = rows[rows["scope"].eq("treatment") & ~rows["phase"].eq("extension")]
    study, main = _study(rows[rows["scope"].eq("study")])
    treatment = _first(of_treatment) if len(of_treatment) else main
    _undated(source, pd.concat([rows[rows["phase"].ne("extension")], study, treatment]).drop_duplicates("line"))
    told = {"study": study, "treatment": treatment}
    of = {"day": "event_day", "reason": "DSDECOD", "known": "known"}
    exits = {f"{name}_{what}": chosen[column] for name, chosen in told.items() for what, column in of.items()}
    used = frame.index.isin([*study["line"], *treatment["line"]])
    told_by = tuple(name for name, chosen in told.items() if len(chosen))
    found = Disposition(pd.DataFrame(exits).reindex(reference.index), told_by, cells(frame.assign(used=used)))
    found.notes += _notes(rows, frame, study, found.estimands)
    assumed = {*study.index[study["assumed"]], *treatment.index[treatment["assumed"]]}
    told_later = main.index[main["kind"].eq("left")].intersection(study.index[study["phase"].eq("later")])
    month = f"taken as its {definitions.partial_exits} day, as the mapping declares."
    found.notes += counted({f"{MONTH_ALONE}: {month}": len(assumed), LATER: len(told_later)})
    return found


def _notes(rows: pd.DataFrame, frame: pd.DataFrame, study: pd.DataFrame, estimands: tuple[str, ...]) -> list[str]:
    notes = []
    if estimands == ("study",) and rows["DSSCAT"].isna().all():
        notes.append("DS does not tell stopping treatment from leaving the study: taken as leaving the study.")
    if estimands == ("treatment",):
        notes.append("DS records the end of treatment alone: leaving means stopping treatment.")
    kinds = rows.groupby([ID, "scope", "EPOCH"], dropna=False)["kind"].nunique()
    bare = frame["DSCAT"].isna() & frame["DSCAT"].notna().any() & frame["kind"].ne("milestone")
    alone = {*rows.loc[rows["scope"].eq("treatment"), ID]} - {*study.index} if len(estimands) > 1 else ()
    told = {
        "patients both completed and left by records of one epoch: they count as having left.": (kinds > 1).sum(),
        "records of DS have no category and a term of a disposition: read as dispositions.": bare.sum(),
        "patients have a record of the treatment alone: taken as still in the study.": len(alone),
    }
    return [*notes, *counted(told)]


def with_deaths(found: Disposition, died: pd.DataFrame, reference: pd.Series, definitions: Definitions) -> Disposition:
    """Deaths by DTHFL and DTHDTC put beside the dispositions: who died by the day of leaving left by death.

    A completion stands (where death is what a trial waits for, it completes), so does an exit before the death, and a
    disposition of who is flagged as dead without a date: each of these is told.
    """
    exits = found.exits.copy()
    dates = as_dates(died["DTHDTC"])
    day = study_day(dates, reference.reindex(died.index)).reindex(exits.index)
    flagged = (terms(died["DTHFL"]).eq("Y") | dates.notna()).reindex(exits.index, fill_value=False)
    if definitions.data_cut is not None:
        flagged &= day <= days_until(definitions.data_cut, reference.reindex(exits.index))
    for name in found.estimands:
        own, reason = exits[f"{name}_day"], exits[f"{name}_reason"]
        done, told = reason.isin(definitions.completed), reason.eq(DEATH)
        dead = flagged & day.notna() & ~told & ~done & ~(own < day)
        if name == found.estimands[0]:
            counts = {
                "left for another reason on the day they died: counted as deaths": dead & own.notna(),
                "died after they had left: their disposition stands": flagged & ~told & ~done & (own < day),
                "completed and had died by that day: the completion stands": flagged & done & (day <= own),
                "are flagged as dead without a date: their disposition stands": flagged & ~told & day.isna(),
            }
            found.notes += counted({f"patients {what}.": rows.sum() for what, rows in counts.items()})
        exits.loc[dead, f"{name}_day"] = own.where(own < day, day)[dead]
        exits.loc[dead, f"{name}_reason"] = DEATH
    found.exits = exits
    return found
