"""What was understood of a trial, for a data manager to read: who counts, which leaving, which records, what is open.

Counts, terms, arms and files only; no patient, and no date of one.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from attrition.cdisc.disposition import CELL, RULES
from attrition.cdisc.trial import CENSORED, COMPETING, COMPLETED, LEFT_OUT, Trial, completion_begins, left_on

WRITTEN = Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")
CELLS = [*CELL, "records", "used", "taken_for"]


def _table(frame: pd.DataFrame) -> list[str]:
    return [f"  {line}" for line in frame.astype(object).fillna("").to_string(index=False).splitlines()]


def _who(trial: Trial) -> Iterator[str]:
    flow, patients = trial.flow, trial.patients
    if flow["screened"] is not None:
        yield f"  {flow['screened']} subjects, {flow['screen_failures']} of them not randomised"
    yield f"  {flow['randomised']} randomised" + "".join(
        f", {flow[key]} {LEFT_OUT[key]}" for key in LEFT_OUT if key in flow
    )
    sizes = patients["arm"].value_counts()
    arms = "; ".join(f"{arm} {sizes.get(arm, 0)}" for arm in trial.arms)
    yield f"  {len(patients)} in the analysis set: {arms}; reference: {trial.arms[0]}"
    sites = patients["site"].nunique()
    yield f"  {sites} sites" if sites > 1 or not patients["site"].eq("unknown").all() else "  no site is recorded"
    yield f"  baseline columns: {', '.join(trial.baseline) or 'none'}"


def _when(trial: Trial) -> Iterator[str]:
    chosen = trial.definitions
    begins = completion_begins(trial.patients)
    why = f" (completions begin on day {begins})" if begins else ""
    yield f"  horizon: day {trial.horizon}{why}, predictions on days {', '.join(map(str, trial.landmarks))}"
    if trial.exits["start"].notna().any():
        last = trial.last_record
        cut = f"data cut: {last:%Y-%m-%d}"
        yield f"  {cut}, {'as declared' if chosen.data_cut is not None else 'the last date of any record that is used'}"
    if chosen.epochs:
        yield f"  main part: {', '.join(chosen.epochs)}"


def _which(trial: Trial) -> Iterator[str]:
    patients, flow = trial.patients, trial.flow
    others = [name for name in trial.estimands if name != trial.definitions.estimand]
    yield f"  leaving means leaving the {trial.definitions.estimand}" + (
        f"; recorded as well: {others[0]}" if others else ""
    )
    left = patients["reason_group"].value_counts().drop([COMPLETED, CENSORED], errors="ignore")
    yield f"  left at any time: {', '.join(f'{group} {n}' for group, n in left.items()) or 'nobody'}"
    completed = int(patients["reason_group"].eq(COMPLETED).sum())
    yield f"  completed: {completed}; still in the trial, followed up to the last record: {flow['ongoing']}"
    competing = flow["discontinued_by_horizon"] - flow["primary"]
    others_too = patients.loc[patients["reason_group"].eq(COMPETING), "reason"].value_counts()
    if len(others_too):
        yield f"  competing, no leaving of one's own: {', '.join(f'{term} {n}' for term, n in others_too.items())}"
    yield (
        f"  by day {trial.horizon}: {flow['primary']} left, {competing} for a competing reason, {flow['censored']} not "
        f"followed so far, {flow['in_study_at_horizon']} seen through it"
    )
    if "off_treatment" in flow:
        yield (
            f"  by then off treatment {flow['off_treatment']}, off study {flow['off_study']}, off treatment and still "
            f"in the study {flow['retained_off_treatment']}"
        )


def _listed(names: pd.Series) -> str:
    return ", ".join(sorted(set(names)))


def questions(trial: Trial) -> list[str]:
    """What only the reader can decide, asked where the answer changes numbers, with the key of a mapping."""
    asked, flow, chosen, cells = [], trial.flow, trial.definitions, trial.cells.reindex(columns=CELLS)
    off = [left_on(trial.exits, chosen, name) for name in trial.estimands]
    if len(off) > 1 and not off[0].equals(off[1]):
        asked.append(
            f"leaving the study ({flow['off_study']} by the horizon) or stopping treatment ({flow['off_treatment']})? "
            f"{chosen.estimand} is taken: [design] estimand"
        )
    if completion_begins(trial.patients) is None and trial.horizon == trial.patients["event_day"].max():
        asked.append(
            f"which day is the horizon? Too few completed to tell; {trial.horizon}, the last day, is taken: "
            "[design] horizon"
        )
    told, epochs = cells["taken_for"].astype("str"), cells["EPOCH"].astype(object).fillna("no epoch")
    spare = told.str.contains("beyond|later epoch") & (cells["used"] < cells["records"])
    if spare.any() and not chosen.epochs:
        asked.append(
            f"do records of {_listed(epochs[spare])} belong to the question? The main part is taken: who completed it "
            "has completed, and later records tell only whether who stopped treatment stayed: [design] epochs"
        )
    done = told.str.fullmatch("completed the (study|treatment)")
    if (passed := done & cells["used"].eq(0)).any() and not chosen.epochs:
        asked.append(
            f"is the trial completed with {_listed(epochs[passed])} (periods of a crossover, an induction)? The last "
            f"part is taken, {_listed(epochs[done & ~passed])}: [design] epochs"
        )
    adverse = trial.events[trial.events["kind"].eq("adverse event")]
    if (n := int(adverse["known_day"].isna().sum())) and not chosen.adverse_events_known:
        asked.append(
            f"when were {n} adverse events without a collection date known? never is taken: [adverse_events] known"
        )
    other = trial.patients.loc[trial.patients["reason_group"].eq(chosen.other), "reason"]
    if trial.source != "table" and len(own := other[~other.isin(RULES["other_terms"])]):
        terms = ", ".join(f"{term} {n}" for term, n in own.value_counts().items())
        asked.append(f"what are these terms, which CDISC does not know: {terms}? Leaving is taken: [reasons]")
    return asked


def text(trial: Trial, label: str) -> str:
    """What was understood, as the command line prints it."""
    asked = [f"  {number}. {question}" for number, question in enumerate(questions(trial), 1)]
    asked = asked or ["  no question was found"]
    parts = {
        f"{label}, read as {'a table' if trial.source == 'table' else trial.source.upper()}": [],
        "For you to decide (a mapping says it; without, the report takes what is written here)": asked,
        "Who counts": list(_who(trial)),
        "When": list(_when(trial)),
        "Which leaving": list(_which(trial)),
    }
    if len(trial.cells):
        parts["What every disposition was taken for"] = _table(trial.cells[["records", "used", *CELL, "taken_for"]])
    else:
        told = trial.patients.groupby(["reason", "reason_group"], dropna=False).size().rename("patients").reset_index()
        parts["What every reason was taken for"] = _table(told.rename(columns={"reason_group": "taken for"}))
    if trial.account:
        table = pd.DataFrame(list(trial.account), columns=["file", "rows", "left out", "why"])
        parts["Rows read"] = _table(table)
    parts["Notes"] = [f"  {note}" for note in trial.notes] or ["  none"]
    return "\n\n".join("\n".join([title, *lines]) for title, lines in parts.items())


def mapping(trial: Trial) -> str:
    """A mapping of a folder to start from: what was taken, in the keys that change it."""
    chosen = trial.definitions
    cells = ["# " + " | ".join("" if pd.isna(cell) else cell for cell in row) for row in trial.cells[CELL].to_numpy()]
    given: dict[str, str | list[str]] = {
        "name": trial.name,
        "title": chosen.title,
        "reference": trial.arms[0],
        "estimand": chosen.estimand,
    }
    given |= {"completed": sorted(chosen.completed), "competing": sorted(chosen.competing)}
    numbers = {"horizon": trial.horizon, "landmarks": list(trial.landmarks), "patients": trial.flow["randomised"]}
    texts = {key: json.dumps(value, ensure_ascii=False) for key, value in given.items()}  # as TOML spells them
    return WRITTEN.format(**texts, **numbers, cells="\n".join(" ".join(cell.split()) for cell in cells))
