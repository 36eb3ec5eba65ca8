"""What was understood of a trial, for a data manager to read: who counts, which leaving, which records, what is open.

Counts, terms, arms and files only; no patient, and no date of one.
"""

import json
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from attrition import settings
from attrition.cdisc.disposition import CELL, RULES
from attrition.cdisc.trial import CENSORED, COMPETING, COMPLETED, LEFT_OUT, Trial, completion_begins, left_on

WRITTEN = Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")
QUESTIONS: dict[str, str] = settings.declared(__file__, "understood.yaml")
PAGE = Path(__file__).with_suffix(".txt.j2").read_text(encoding="utf-8")
TEXT = jinja2.Template(PAGE, trim_blocks=True, lstrip_blocks=True)
CELLS = [*CELL, "records", "used", "taken_for"]


def _counts(terms: pd.Series) -> str:
    """Every term with its number of patients."""
    return ", ".join(f"{term} {n}" for term, n in terms.value_counts().items())


def questions(trial: Trial) -> list[str]:
    """What only the reader can decide, asked where the answer changes numbers, with the key of a mapping."""
    chosen, cells = trial.definitions, trial.cells.reindex(columns=CELLS)
    off = [left_on(trial.exits, chosen, name) for name in trial.estimands]
    told, epochs = cells["taken_for"].astype("str"), cells["EPOCH"].astype(object).fillna("no epoch")
    spare = told.str.contains("beyond|later epoch") & (cells["used"] < cells["records"])
    done = told.str.fullmatch("completed the (study|treatment)")
    passed = done & cells["used"].eq(0)
    adverse = trial.events[trial.events["kind"].eq("adverse event")]
    other = trial.patients.loc[trial.patients["reason_group"].eq(chosen.other), "reason"]
    by = {"extension": epochs[spare], "passed": epochs[passed], "last": epochs[done & ~passed]}
    facts: dict[str, Any] = {name: ", ".join(sorted(set(names))) for name, names in by.items()}
    facts |= {"flow": trial.flow, "chosen": chosen, "unknown": int(adverse["known_day"].isna().sum())}
    facts["terms"] = _counts(other[~other.isin(RULES["other_terms"])]) if trial.source != "table" else ""
    last_day = completion_begins(trial.patients) is None and trial.horizon == trial.patients["event_day"].max()
    asked = {
        "exit": len(off) > 1 and not off[0].equals(off[1]), "horizon": last_day,
        "extension": spare.any() and not chosen.epochs, "periods": passed.any() and not chosen.epochs,
        "adverse": facts["unknown"] and not chosen.adverse_events_known, "terms": facts["terms"],
    }  # fmt: skip
    return [QUESTIONS[name].format(**facts) for name, open_ in asked.items() if open_]


def text(trial: Trial, label: str) -> str:
    """What was understood, as the command line prints it."""
    patients, sites = trial.patients, trial.patients["site"].nunique()
    group = patients["reason_group"]
    facts = {"label": label, "trial": trial, "flow": trial.flow, "chosen": trial.definitions, "left_out": LEFT_OUT}
    facts |= {"asked": questions(trial), "begins": completion_begins(patients), "sizes": patients["arm"].value_counts()}
    facts |= {"sites": 0 if sites == 1 and patients["site"].eq("unknown").all() else sites}
    facts |= {"left": _counts(group[~group.isin([COMPLETED, CENSORED])]), "completed": int(group.eq(COMPLETED).sum())}
    facts |= {"competing": _counts(patients.loc[group.eq(COMPETING), "reason"])}
    facts |= {"dated": trial.exits["start"].notna().any()}
    if len(trial.cells):
        tables = {"What every disposition was taken for": trial.cells[["records", "used", *CELL, "taken_for"]]}
    else:
        told = patients.groupby(["reason", "reason_group"], dropna=False).size().rename("patients").reset_index()
        tables = {"What every reason was taken for": told.rename(columns={"reason_group": "taken for"})}
    if trial.account:
        tables["Rows read"] = pd.DataFrame(list(trial.account), columns=["file", "rows", "left out", "why"])
    plain = {title: table.astype(object).fillna("").to_string(index=False) for title, table in tables.items()}
    return TEXT.render(facts, tables={title: text.splitlines() for title, text in plain.items()}).rstrip("\n")


def mapping(trial: Trial) -> str:
    """A mapping of a folder to start from: what was taken, in the keys that change it."""
    chosen = trial.definitions
    cells = ["# " + " | ".join("" if pd.isna(cell) else cell for cell in row) for row in trial.cells[CELL].to_numpy()]
    given: dict[str, Any] = {"name": trial.name, "title": chosen.title, "reference": trial.arms[0]}
    given |= {"estimand": chosen.estimand, "horizon": trial.horizon, "landmarks": list(trial.landmarks)}
    given |= {"completed": sorted(chosen.completed), "competing": sorted(chosen.competing)}
    texts = {key: json.dumps(value, ensure_ascii=False) for key, value in given.items()}  # as TOML spells them
    cells = [" ".join(cell.split()) for cell in cells]
    return WRITTEN.format(**texts, patients=trial.flow["randomised"], cells="\n".join(cells))
