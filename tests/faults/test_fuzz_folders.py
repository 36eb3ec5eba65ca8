"""Generated CDISC folders: each is refused with a clean message, or nobody, no exit, no event and no day is lost.

``ATTRITION_FUZZ=10000`` says how many of each kind; the usual number is small.
"""

import math
import os
import random
import re

import pandas as pd
import pytest

from attrition import cdisc
from notebook_report.errors import Refusal

CANARY = "Zebulon Quackenbush"
N = int(os.environ.get("ATTRITION_FUZZ", 60))
PATIENTS = [f"Q-{i:03d}" for i in range(1, 13)]
LEAVERS = {name: 20 + 10 * i for i, name in enumerate(PATIENTS[:4])}
START = pd.Timestamp(2020, 1, 1)
NUMBERS = ["", "0", "1", "-3", "40", "1.9", "1e9", "inf", "-inf", "nan", "NA", "130", "131", "1e308", " 7 ", CANARY]
DATES = ["", "2020-01", "2020-02-03", "2020-02-30", "03/02/2020", "9999-12-31", "2020-02-03T10:00", "NA", CANARY]


def day_of(date):
    return (pd.Timestamp(date) - START).days + 1


def date_of(day):
    return f"{START + pd.Timedelta(days=day - 1):%Y-%m-%d}"


def tables(kind):
    """A sound trial of twelve, as lists of rows of text."""
    left = [name in LEAVERS for name in PATIENTS]
    days = [LEAVERS.get(name, 180) for name in PATIENTS]
    ae = [[name, str(k), "Ache", date_of(3 + k)] for name in PATIENTS for k in (1, 2)]
    if kind == "sdtm":
        dm = [[name, "AB"[i % 2], "2020-01-01", str(40 + i)] for i, name in enumerate(PATIENTS)]
        term = ["COMPLETED", "WITHDRAWAL BY SUBJECT"]
        ds = [
            [p, "DISPOSITION EVENT", term[out], date_of(d), ""] for p, out, d in zip(PATIENTS, left, days, strict=True)
        ]
        return {
            "dm": [["USUBJID", "ARM", "RFSTDTC", "AGE"], *dm],
            "ds": [["USUBJID", "DSCAT", "DSDECOD", "DSSTDTC", "DSSTDY"], *ds],
            "ae": [["USUBJID", "AESEQ", "AEDECOD", "AEDTC"], *ae],
        }
    status = ["COMPLETED", "DISCONTINUED"]
    adsl = [
        [p, "AB"[i % 2], "2020-01-01", str(40 + i), status[left[i]], date_of(days[i])] for i, p in enumerate(PATIENTS)
    ]
    return {
        "adsl": [["USUBJID", "TRT01P", "TRTSDT", "AGE", "EOSSTT", "EOSDT"], *adsl],
        "adae": [["USUBJID", "AESEQ", "AEDECOD", "ASTDT"], *ae],
    }


def damage(rng, made):
    """One change of a cell, or a row that stands twice."""
    name = rng.choice(list(made))
    rows = made[name]
    at = rng.randrange(1, len(rows))
    if rng.random() < 0.15:
        rows.insert(at, list(rows[at]))
        return
    column = rng.choice([c for c in rows[0] if c not in ("DSCAT", "DSDECOD", "AEDECOD", "RFSTDTC", "TRTSDT", "EOSSTT")])
    place, cell = rows[0].index(column), rows[at][rows[0].index(column)]
    if column == "USUBJID":
        spelled = [
            cell.lower(),
            f" {cell}",
            f"{cell}\u200b",
            f"{cell}\u00a0",
            "",
            " ",
            "Q-999",
            CANARY,
            rng.choice(PATIENTS),
        ]
        rows[at][place] = rng.choice(spelled)
    elif column in ("ARM", "TRT01P"):
        rows[at][place] = rng.choice(["A", "B", "a", " A", "B\u200b", "NA", ""])
    else:
        rows[at][place] = rng.choice(DATES if column.endswith(("DTC", "DT")) else NUMBERS)


# --- the oracle: rules written down again, without the library


def seen(text):
    return re.sub("[\u200b\u00a0]", "", text).strip()


def sound_number(column, text):
    try:
        value = float(text)
    except ValueError:
        return False
    low, high = {"AGE": (0, 130), "DSSTDY": (-36500, 36500)}.get(column, (-1e15, 1e15))
    return math.isfinite(value) and low <= value <= high and (column != "DSSTDY" or (value % 1 == 0 and value != 0))


def sound_date(text):
    found = re.fullmatch(r"(\d{4})-(\d\d)(?:-(\d\d)(?:T\d\d:\d\d)?)?", text)
    if not found or not 1900 <= int(found[1]) <= 2100:
        return False
    return not pd.isna(pd.to_datetime(text[:10], format="ISO8601", errors="coerce"))


def expected(made):
    """Days of leavers by patient, patients, and events; None for what must be refused."""
    frames = {name: [dict(zip(rows[0], row, strict=True)) for row in rows[1:]] for name, rows in made.items()}
    first = "dm" if "dm" in frames else "adsl"
    subjects = [seen(row["USUBJID"]) for row in frames[first]]
    arms = [seen(row.get("ARM", row.get("TRT01P"))) for row in frames[first]]
    known = {name.lower(): name for name in subjects}
    bad = "" in subjects or len(known) < len(subjects) or "" in arms or len({a.lower() for a in arms}) < len({*arms})
    for row in (row for rows in frames.values() for row in rows):
        bad |= seen(row["USUBJID"]).lower() not in known
        for column, cell in row.items():
            text = seen(cell)
            if column in ("AGE", "AESEQ", "DSSTDY"):
                bad |= text != "" and not sound_number(column, text)
            elif column.endswith(("DTC", "DT")):
                bad |= text != "" and not sound_date(text)
    exits: dict[str, float] = {}
    done: dict[str, float] = {}
    for row in [] if bad else frames.get("ds", frames[first]):
        date, day = seen(row.get("DSSTDTC", row.get("EOSDT"))), seen(row.get("DSSTDY", ""))
        bad |= not day and len(date) < 10
        if not bad:
            name, end = known[seen(row["USUBJID"]).lower()], float(day) if day else day_of(date[:10])
            if row.get("DSDECOD", row.get("EOSSTT")) in ("WITHDRAWAL BY SUBJECT", "DISCONTINUED"):
                exits[name] = min(exits.get(name, math.inf), end)
            else:
                done[name] = max(done.get(name, -math.inf), end)
    events = set()
    for row in [] if bad else frames.get("ae", frames.get("adae")):
        number = seen(row["AESEQ"])
        cells = (known[seen(row["USUBJID"]).lower()], float(number) if number else None, seen(row.get("AEDTC", "")))
        events.add((*cells, len(events)) if not number else cells)
    numbered = [event[:2] for event in events if event[1] is not None]
    bad |= "ae" in frames and len({*numbered}) < len(numbered)
    early = {name for name, end in (done | exits).items() if end < 1}
    return None if bad else (subjects, exits, events, early)


def clean(message, wanted, made):
    assert not re.search(r"Q-\d|Quack|9999|Traceback", message), message
    assert wanted is None or "neither a disposition" in message, (made, message)


def check(kind, rng, folder):
    made = tables(kind)
    for _ in range(rng.choice([0, 1, 1, 2, 3])):
        damage(rng, made)
    for name, rows in made.items():
        (folder / f"{name}.csv").write_text("\n".join(",".join(row) for row in rows) + "\n", encoding="utf-8")
    wanted = expected(made)
    try:
        trial = cdisc.load(folder)
    except Refusal as refusal:
        clean(str(refusal), wanted, made)
        return False
    assert wanted is not None, made
    subjects, exits, events, early = wanted
    kept = set(subjects) - early
    assert set(trial.patients["id"]) == kept, made
    assert trial.flow["randomised"] == len(subjects)
    told = trial.exits.set_index("id")
    for name in kept & set(exits):
        assert told.loc[name, "study_day"] == exits[name], made
    adverse = trial.events[trial.events["kind"].eq("adverse event")]
    if kind == "sdtm":  # an event of no date has no day, and ADaM takes the first of one number
        assert len(adverse) == sum(bool(event[2]) and event[0] in kept for event in events), made
    return True


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sdtm", "adam"])
@pytest.mark.timeout(3600 if N > 1000 else 120)
def test_generated_folders_are_refused_cleanly_or_lose_nobody(tmp_path, kind):
    rng = random.Random(f"{kind} 20261128")
    read = sum(check(kind, rng, tmp_path) for _ in range(N))
    assert N / 5 < read < 4 * N / 5
