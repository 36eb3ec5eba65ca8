"""A CDISC folder and what a mapping decides about it, to the `Trial` that its files give."""

import dataclasses
from pathlib import Path
from typing import Any

import pandas as pd

from attrition import cdisc
from attrition.cdisc import Definitions, Trial
from attrition.cdisc.sources import open_source
from attrition.trials.mapping import TableMapping, for_folder, slug


def _upper(names: Any) -> list[str]:
    return [str(name).strip().upper() for name in names or ()]


def definitions(m: TableMapping, base: Definitions) -> Definitions:
    """The definitions of a study with what a mapping says put over them.

    Terms extend those of CDISC: one that the mapping names leaves every other list in which it stood.
    """
    lists = {"completed": _upper(m.completed), "competing": _upper(m.competing), "ongoing": _upper(m.ongoing)}
    groups = {term: group for group, names in (m.groups or {}).items() for term in _upper(names)}
    named = {*groups, *(term for names in lists.values() for term in names)}
    competing = {term: name for term, name in base.competing.items() if term not in named}
    reasons = {term: group for term, group in base.reasons.items() if term not in named}
    given = {
        "title": m.title,
        "horizon": m.horizon,
        "landmarks": m.landmarks,
        "reference": m.reference_arm,
        "arms": () if m.reference_arm else None,
        "estimand": m.estimand,
        "study": m.study,
        "epochs": m.epochs,
        "data_cut": pd.Timestamp(m.data_cut) if m.data_cut else None,
        "study_records": m.study_records,
        "treatment_records": m.treatment_records,
        "ignored_records": m.ignored_records,
        "adverse_events_known": m.known,
        "partial_exits": m.partial,
        "numbers": m.numbers,
        "categories": (*m.categories, *m.strata),
        "known_on_day_1": m.known_on_day_1,
        "plan": m.plan,
    }
    if (m.horizon or m.epochs) and not m.landmarks:
        given["landmarks"], base = None, dataclasses.replace(base, landmarks=())
    chosen = {key: value for key, value in given.items() if value or (key == "arms" and value is not None)}
    return dataclasses.replace(
        base,
        **chosen,
        completed=frozenset((base.completed - named) | set(lists["completed"])),
        ongoing=frozenset((base.ongoing - named) | set(lists["ongoing"])),
        competing=competing | {term: base.competing.get(term, "competing") for term in lists["competing"]},
        reasons={**reasons, **groups},
    )


def load(place: str | Path, m: TableMapping | None = None, name: str = "") -> Trial:
    """A trial from a folder of CDISC files (or a packaged one), with what a mapping decides.

    Parameters
    ----------
    place : str or pathlib.Path
        See `attrition.cdisc.load`.
    m : TableMapping, optional
        See `attrition.trials.mapping.read`.
    name : str, optional
        Default: the mapping's, else that of the study or the folder.

    Returns
    -------
    Trial

    Raises
    ------
    CdiscError, ContractError
        What is wrong with the files.
    """
    m = for_folder(m) if m else None
    source = open_source(place, missing=m.missing) if m else open_source(place)
    base = cdisc.usual(source, (m.study or "") if m else "")
    chosen = definitions(m, base) if m else base
    name = (m.name if m else "") or name
    return cdisc.read(source, dataclasses.replace(chosen, name=slug(name)) if name else chosen)
