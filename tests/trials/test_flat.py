"""A flat table with a mapping gives the same kind of trial, and nothing is guessed."""

import re
import tomllib
from pathlib import Path

import pandas as pd
import pyreadstat
import pytest

from attrition import cdisc, paths, trials
from attrition.contract.strict import ContractError
from attrition.landmark import cohort
from attrition.survival import incidence
from attrition.trials import flat, mapping
from attrition.trials.mapping import MappingError
from notebook_report.errors import Refusal

EXAMPLE = paths.ROOT / "data" / "example_trial"
MAPPING = """
name = "t"
[columns]
id = "pid"
event_day = "day"
reason = "why"
arm = "arm"
site = "site"
[design]
horizon = 100
landmarks = [28, 56]
[baseline]
numbers = ["age"]
categories = ["sex"]
[reasons]
completed = ["done"]
competing = ["died"]
ongoing = ["in"]
[reasons.groups]
"adverse event" = ["ae"]
"""
EVENTS = """
[events]
table = "events.csv"
id = "pid"
day = "day"
known_day = "known"
kind = "kind"
name = "term"
value = "value"
"""


def table(**changes):
    """Twelve patients; id 007, arms called NA and None."""
    n = 12
    made = {
        "pid": [f"{i:03d}" for i in range(1, n + 1)],
        "patient_name": ["Erika Mustermann"] * n,
        "arm": ["NA", "None", "Placebo"] * 4,
        "site": ["01", ""] * 6,
        "age": ["50.5", "61"] * 6,
        "sex": ["F", "M", ""] * 4,
        "day": ["110"] * 6 + ["10", "20", "30", "40", "50", "60"],
        "why": ["done"] * 6 + ["ae", "died", "other thing", "in", "", "ae"],
    }
    return pd.DataFrame(made | changes)


def put(folder, frame=None, text=MAPPING, events=None):
    frame = table() if frame is None else frame
    frame.to_csv(folder / "t.csv", index=False)
    if events is not None:
        events.to_csv(folder / "events.csv", index=False)
        text += EVENTS
    (folder / "t.toml").write_text(text, encoding="utf-8")
    return flat.load(folder / "t.csv", mapping.read(folder / "t.toml"))


def refused(folder, **options):
    with pytest.raises(ContractError) as error:
        put(folder, **options)
    return str(error.value)


def test_ids_arms_and_reasons_stay_what_they_are(tmp_path):
    trial = put(tmp_path)
    patients = trial.patients.set_index("id")
    assert "007" in patients.index
    assert trial.arms == ("Placebo", "NA", "None")
    groups = ["adverse event", "competing", "other", "ongoing", "ongoing", "adverse event"]
    assert patients["reason_group"].iloc[6:].tolist() == groups
    status = ["primary", "competing", "primary", "censored", "censored", "primary"]
    assert patients["status"].iloc[6:].tolist() == status
    assert patients["site"].iloc[:2].tolist() == ["01", "unknown"]
    assert patients["age"].iloc[0] == 50.5
    assert patients["sex"].isna().sum() == 4


def test_columns_outside_the_mapping_are_dropped(tmp_path):
    trial = put(tmp_path)
    assert "patient_name" not in trial.patients
    assert "Erika" not in trial.patients.to_csv() + trial.events.to_csv() + repr(trial)


def test_parquet_gives_the_same_trial(tmp_path):
    from_csv = put(tmp_path)
    frame = table().replace("", pd.NA).assign(day=lambda t: t["day"].astype(int), age=lambda t: t["age"].astype(float))
    frame.to_parquet(tmp_path / "t.parquet")
    from_parquet = flat.load(tmp_path / "t.parquet", mapping.read(tmp_path / "t.toml"))
    pd.testing.assert_frame_equal(from_parquet.patients, from_csv.patients)
    assert from_parquet.flow == from_csv.flow


@pytest.mark.parametrize("ending", [".csv.gz", ".xpt", ".dta", ".sav"])
def test_other_formats_give_the_same_trial(tmp_path, ending):
    expected = put(tmp_path)
    frame = table().assign(patient_name="x")
    if ending == ".csv.gz":
        frame.to_csv(tmp_path / "u.csv.gz", index=False)
    else:
        writer = {".xpt": pyreadstat.write_xport, ".dta": pyreadstat.write_dta, ".sav": pyreadstat.write_sav}[ending]
        writer(frame, str(tmp_path / f"u{ending}"))
    found = flat.load(tmp_path / f"u{ending}", mapping.read(tmp_path / "t.toml"))
    pd.testing.assert_frame_equal(found.patients, expected.patients)


@pytest.mark.parametrize("ending", [".csv.gz", ".xpt", ".dta", ".json", ".sas7bdat"])
def test_what_is_no_such_file_is_refused(tmp_path, ending):
    put(tmp_path)
    (tmp_path / f"u{ending}").write_bytes(b"Erika Mustermann")
    with pytest.raises(ContractError, match=f"u{ending}") as error:
        flat.load(tmp_path / f"u{ending}", mapping.read(tmp_path / "t.toml"))
    assert "Erika" not in str(error.value)


def test_a_spelling_of_missing_is_named_with_the_key_that_accepts_it(tmp_path):
    frame = table(age=["NA", *["61"] * 11])
    assert 'NA, R\'s spelling of missing? accept it with missing = ["", "NA"]' in refused(tmp_path, frame=frame)
    trial = put(tmp_path, frame.assign(arm="A"), 'missing = ["", "NA"]\n' + MAPPING)
    assert trial.patients["age"].isna().sum() == 1


def test_an_event_flag_and_follow_up_to_the_very_horizon(tmp_path):
    text = MAPPING[: MAPPING.index("[reasons]")].replace('reason = "why"', 'event = "left"')
    frame = table(day=["100"] * 6 + ["99", "20", "30", "40", "50", "100"]).assign(left=["0"] * 7 + ["1"] * 5)
    trial = put(tmp_path, frame, text)
    assert trial.patients["status"].tolist() == ["none"] * 6 + ["censored"] + ["primary"] * 5
    assert cohort.counts(trial, 28)["censored"] == 1


def many(n=100, day=110, early=(), **changes):
    """`n` completers on one day, a few earlier ones instead, and 20 who left."""
    days = [*early, *[day] * (n - len(early)), *range(30, 50)]
    made = {"pid": [f"{i:03d}" for i in range(n + 20)], "arm": ["A", "B"] * (n // 2 + 10), "site": "01", "age": "60"}
    return pd.DataFrame(made | {"sex": "F", "day": map(str, days), "why": ["done"] * n + ["ae"] * 20} | changes)


@pytest.mark.slow
def test_who_completes_on_the_day_of_the_horizon_has_stayed(tmp_path):
    later, on_the_day = (put(tmp_path, many(day=day)) for day in (110, 100))
    for trial in (later, on_the_day):
        assert trial.patients["status"].value_counts().to_dict() == {"none": 100, "primary": 20}
        assert cohort.target(trial, 28).notna().all()
    pd.testing.assert_frame_equal(cohort.table(on_the_day), cohort.table(later))
    assert on_the_day.flow == later.flow
    flow = cohort.participant_flow(on_the_day)
    assert flow["n"].iloc[-1] == on_the_day.flow["in_study_at_horizon"] == 100


def test_a_few_who_complete_before_the_horizon_are_censored_in_both_chapters(tmp_path):
    trial = put(tmp_path, many(early=[60, 99]))
    assert trial.flow["censored"] == 2
    assert cohort.target(trial, 28).isna().sum() == 2
    assert cohort.counts(trial, 56)["censored"] == 2
    coded = incidence.coded(trial)
    assert coded.loc[coded["status"].eq("censored"), ["time", "cause"]].to_numpy().tolist() == [[60, 0], [99, 0]]
    flow = cohort.participant_flow(trial)
    assert flow["n"].tolist()[1:] == [*(len(cohort.at_risk(trial, day)) for day in (28, 56)), 98]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"day": 99}, "nobody was seen through that day; the longest horizon that works, in whole weeks, is 98"),
        ({"early": [80] * 3}, "3% of those who completed did so earlier"),
        ({"early": [90] * 90}, "90% of those who completed did so earlier"),
        ({"early": [50] * 90}, "is 49 (landmarks before 49)"),
        ({"n": 10, "early": [3] * 10}, "no whole week would work"),
    ],
)
def test_a_horizon_beyond_what_was_seen_is_refused_with_one_that_works(tmp_path, table, said):
    with pytest.raises(MappingError) as error:
        put(tmp_path, many(**table))
    message = str(error.value)
    assert message.startswith("t.toml: [design] horizon = 100: ")
    assert said in message
    longest = re.search(r"is (\d+)", message)
    if longest:
        text = MAPPING.replace("horizon = 100", f"horizon = {longest[1]}").replace("[28, 56]", "[7]")
        trial = put(tmp_path, many(**table), text)
        assert trial.flow["censored"] <= 2
        trials.check(trial, "t")


def test_follow_up_that_ends_early_is_refused_where_nobody_is_left_to_compare_with(tmp_path):
    text = MAPPING[: MAPPING.index("[reasons]")].replace('reason = "why"', 'event = "left"')
    frame = table(day=["99"] * 12).assign(left=["0"] * 6 + ["1"] * 6)
    with pytest.raises(MappingError, match="nobody was seen through that day"):
        put(tmp_path, frame, text)
    put(tmp_path, frame.assign(day=["100"] + ["99"] * 11), text)
    assert len(trials.checked([str(tmp_path / "t.csv")])) == 1


def test_the_reference_arm_is_the_declared_one(tmp_path):
    trial = put(tmp_path, text=MAPPING.replace("[baseline]", 'reference_arm = "NA"\n[baseline]'))
    assert trial.arms == ("NA", "None", "Placebo")


def test_without_arm_and_site_there_is_one_of_each(tmp_path):
    text = MAPPING.replace('arm = "arm"\n', "").replace('site = "site"\n', "")
    trial = put(tmp_path, text=text)
    assert len(trial.arms) == 1
    assert set(trial.patients["site_group"]) == {flat.UNKNOWN_SITE}


def test_a_baseline_column_with_a_name_of_ours_keeps_apart(tmp_path):
    text = MAPPING.replace('numbers = ["age"]', 'numbers = ["age", "time"]')
    trial = put(tmp_path, table(time=["1"] * 6 + ["2"] * 6), text)
    assert "baseline_time" in trial.baseline
    assert trial.patients["time"].max() == 100


BAD = [
    ({"pid": ["007"] * 12}, "column pid: this patient stands in an earlier row"),
    ({"pid": ["", *"abcdefghijk"]}, "line 2, column pid: is empty"),
    ({"arm": ["", "B", "", *"BBBBBBBBB"]}, "lines 2, 4, column arm: is empty"),
    ({"day": ["1.9", "-3", "0", "inf", "2014-03", "", *["9"] * 6]}, "lines 2, 3, 4, 5, 6, column day: must be a whole"),
    ({"day": ["", *["9"] * 11]}, "line 2, column day: is empty"),
    ({"day": ["36501", "36500", *["9"] * 10]}, "line 2, column day: must be a whole study day from 1 to 36500"),
    ({"age": ["61,5", *["61"] * 11]}, "line 2, column age: must be a number (with a decimal point)"),
    ({"why": ["Done"] * 6 + ["ae"] * 6}, "the mapping's term 'done' does not occur, but one spelled much like it does"),
    ({"why": ["finished"] * 6 + ["ae"] * 6}, "no patient completed"),
    ({"sex": ["F", "M", "m"] * 4}, "lines 4, 7, 10, 13, column sex: two values differ only in case or spaces"),
    ({"sex": ["F", "F\u00a0"] * 6}, "lines 3, 5, 7, 9, 11, 13, column sex: two values differ only in case or spaces"),
    ({"sex": ["F", *["f"] * 11]}, "line 2, column sex: two values differ only in case or spaces"),
    ({"sex": ["f", "F"] * 6}, "lines 2, 4, 6, 8, 10, 12, column sex: two values differ only in case or spaces"),
    ({"sex": ["F", "M", "F "] + ["M"] * 9}, "line 4, column sex: two values differ only in case or spaces"),
    ({"sex": ["not said", "Not_said"] * 6}, "column sex: two values differ only in case or spaces"),
    ({"arm": ["Placebo", "drug 10 mg", "Drug\u00a010  mg"] * 4}, "column arm: two values differ only in case or"),
    ({"site": ["01", "01 "] * 6}, "column site: two values differ only in case or spaces"),
    ({"pid": ["p1", "P1 ", "p1\u00a0", *"abcdefghi"]}, "lines 3, 4, column pid: differs from the id of an earlier row"),
    (
        {"why": ["done"] * 6 + ["ae", "AE", "ae\u00a0", "done ", "ae", "ae"]},
        "lines 9, 10, 11, column why: is a term of",
    ),
]


@pytest.mark.parametrize(("changes", "said"), BAD)
def test_what_breaks_the_contract_is_refused_with_line_and_column(tmp_path, changes, said):
    assert said in refused(tmp_path, frame=table(**changes))


def test_all_bad_lines_are_told_at_once_and_no_value_is(tmp_path):
    changes = {"day": ["4711", "1.9", *["110"] * 10], "age": ["secret-age", *["61"] * 11]}
    message = refused(tmp_path, frame=table(**changes, pid=["canary-id"] * 2 + list("cdefghijkl")))
    assert message.startswith("t.csv: refused, 3 problems")
    assert not any(word in message for word in ("secret", "canary", "1.9", "Erika"))


def test_spellings_that_differ_in_a_letter_or_that_the_mapping_names_are_different_values(tmp_path):
    text = MAPPING.replace('completed = ["done"]', 'completed = ["done", "Done"]')
    frame = table(why=["done", "Done"] * 3 + ["ae"] * 6, sex=["F", "M", "Fm", ""] * 3, pid=["a1", "a 1", *"bcdefghijk"])
    trial = put(tmp_path, frame, text)
    assert trial.patients["reason_group"].eq("completed").sum() == 6
    assert trial.patients["sex"].nunique() == 3


def test_free_text_as_arm_or_category_is_refused_without_showing_it(tmp_path):
    many = pd.concat([table()] * 4, ignore_index=True).assign(pid=[f"{i:03d}" for i in range(48)])
    message = refused(tmp_path, frame=many.assign(sex=[f"Jane Doe {i}" for i in range(48)]))
    assert "looks like free text or an identifier" in message
    assert "Jane" not in message
    assert "free text" in refused(tmp_path, frame=many.assign(arm=[f"Jane Doe {i}" for i in range(48)]))
    assert "free text" in refused(tmp_path, frame=many.assign(why=["done"] + [f"moved to {i}" for i in range(47)]))


def test_a_missing_column_comes_with_a_suggestion(tmp_path):
    assert "column arm: not in the file; did you mean arms?" in refused(
        tmp_path, frame=table().rename(columns={"arm": "arms"})
    )


def test_a_handful_of_patients_is_refused_with_the_minimum(tmp_path):
    assert "5 patients; the report needs at least 10" in refused(tmp_path, frame=table().iloc[[0, 1, 6, 7, 8]])


def test_no_record_yet_is_no_fault(tmp_path):
    put(tmp_path)
    pd.DataFrame(columns=["pid", "day", "known", "kind", "term", "value"], dtype="str").to_parquet(
        tmp_path / "none.parquet"
    )
    (tmp_path / "t.toml").write_text(MAPPING + EVENTS.replace("events.csv", "none.parquet"), encoding="utf-8")
    assert flat.load(tmp_path / "t.csv", mapping.read(tmp_path / "t.toml")).events.empty


@pytest.mark.parametrize("kind", ["csv", "parquet", "dta", "memory"])
def test_a_table_without_rows_is_refused_whatever_kind_it_is(tmp_path, kind):
    put(tmp_path)
    frame, path = table().iloc[:0], tmp_path / f"none.{kind}"
    write = {"csv": lambda: frame.to_csv(path, index=False), "parquet": lambda: frame.to_parquet(path)}
    write.get(kind, lambda: pyreadstat.write_dta(frame, path))()
    with pytest.raises(ContractError, match="no row below"):
        flat.load(frame if kind == "memory" else path, mapping.read(tmp_path / "t.toml"))


@pytest.mark.parametrize("content", [b"\x80\x02K\x01.", b"PAR1 broken", b""])
def test_what_is_no_parquet_is_refused(tmp_path, content):
    put(tmp_path)
    (tmp_path / "x.parquet").write_bytes(content)
    with pytest.raises(ContractError, match=r"x\.parquet"):
        flat.load(tmp_path / "x.parquet", mapping.read(tmp_path / "t.toml"))


def records(**changes):
    made = {
        "pid": ["001", "001", "002"],
        "kind": ["adverse event", "visit", "adverse event"],
        "term": ["Rash", "week 2", "Nausea"],
        "day": ["5", "14", "9"],
        "known": ["20", "14", ""],
        "value": ["", "2", ""],
    }
    return pd.DataFrame(made | changes)


def test_every_name_that_stands_beside_the_reason_groups_is_reserved(tmp_path):
    trial = put(tmp_path)
    flow = cohort.participant_flow(trial)
    tables = [cohort.table(trial), flow, incidence.arm_flow(trial)]
    names = {name.replace("_", " ") for table in tables for name in table}
    assert names - set(trial.groups) <= mapping.RESERVED
    assert set(trial.patients["status"]) | set(trial.patients["event_group"]) <= mapping.RESERVED | set(trial.groups)


def test_records_are_known_from_their_known_day(tmp_path):
    events = put(tmp_path, events=records()).events
    assert events["known_day"].tolist()[:2] == [20.0, 14.0]
    assert events.loc[events["name"] == "Nausea", "known_day"].isna().all()


def test_a_record_is_never_known_before_it_happens(tmp_path):
    events = put(tmp_path, events=records(known=["2", "14", ""])).events
    assert events.loc[events["name"] == "Rash", "known_day"].tolist() == [5.0]


def test_without_known_days_adverse_events_are_never_used(tmp_path):
    put(tmp_path, events=records())
    text = (tmp_path / "t.toml").read_text().replace('known_day = "known"\n', "")
    (tmp_path / "t.toml").write_text(text)
    trial = flat.load(tmp_path / "t.csv", mapping.read(tmp_path / "t.toml"))
    adverse = trial.events["kind"].eq("adverse event")
    assert trial.events.loc[adverse, "known_day"].isna().all()
    assert trial.events.loc[~adverse, "known_day"].notna().all()
    assert [note for note in trial.notes if note.startswith("2 of 2 adverse events have no collection date: never")]


def test_records_without_a_day_are_left_out_and_counted(tmp_path):
    trial = put(tmp_path, events=records(day=["5", "", "9"]))
    assert len(trial.events) == 2
    assert "1 records without a day are left out." in trial.notes
    assert trial.account == (("t.csv", 12, 0, ""), ("events.csv", 3, 1, "without a day"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"pid": ["001", "001", "999"]}, "line 4, column pid: no patient of the other table has this id"),
        ({"pid": ["001 ", "", "999"]}, "lines 3, 4, column pid: no patient of the other table has this id"),
        ({"pid": ["001", "001 ", "002"]}, "line 3, column pid: differs from an id of the other table only in case"),
        ({"kind": ["visit", "death", "visit"]}, "line 3, column kind: must be one of adverse event, visit"),
        ({"day": ["2014-03", "5", "9"]}, "line 2, column day: must be a whole study day"),
        ({"day": ["-36501", "36501", "-36500"]}, "lines 2, 3, column day: must be a whole study day"),
        ({"known": ["36500", "36501", "9"]}, "line 3, column known: must be a whole study day"),
        ({"value": ["high", "", ""]}, "line 2, column value: must be a number"),
    ],
)
def test_records_that_break_the_contract(tmp_path, changes, said):
    assert said in refused(tmp_path, events=records(**changes))


@pytest.mark.slow
def test_the_flat_pilot_is_the_pilot(tmp_path):
    """Patients of the pilot written as a flat table give its counts and its landmark table."""
    pilot = cdisc.load("pilot")
    frame = pilot.patients[["id", "arm", "site", "age", "sex", "event_day", "reason"]]
    frame.to_csv(tmp_path / "pilot.csv", index=False)
    competing = list(pilot.definitions.competing)
    groups: dict[str, list[str]] = {}
    for term, group in pilot.definitions.reasons.items():
        groups.setdefault(group, []).append(term)
    columns = {"id": "id", "event_day": "event_day", "reason": "reason", "arm": "arm", "site": "site"}
    reasons = {"completed": ["COMPLETED"], "competing": competing, "groups": groups}
    design = {"horizon": 168, "landmarks": [28, 56, 84]}
    said = {"columns": columns, "design": design, "baseline": {"numbers": ["age"], "categories": ["sex"]}}
    trial = flat.load(tmp_path / "pilot.csv", mapping.read(said | {"reasons": reasons}))
    pd.testing.assert_frame_equal(cohort.table(trial), cohort.table(pilot))
    assert trial.arms == pilot.arms or trial.arms[0] == pilot.arms[0]


def test_the_example_trial_loads_and_is_as_its_script_makes_it():
    trial = trials.load(str(EXAMPLE / "trial-mapping.toml"))
    assert trial.arms[0] == "Placebo"
    assert trial.flow["randomised"] == 300
    assert dict(trial.definitions.reasons)["adverse event"] == "adverse event"
    assert trial.events["known_day"].ge(trial.events["day"]).all()


@pytest.mark.slow
def test_the_example_files_come_from_their_script(tmp_path):
    import runpy

    made = runpy.run_path(str(EXAMPLE / "make.py"), run_name="imported")
    rng = made["seeds"].stream(2024, "example trial")
    people = made["patients"](rng)
    assert people.to_csv(index=False, lineterminator="\n") == (EXAMPLE / "patients.csv").read_text(encoding="utf-8")


def test_trials_are_named_and_told_apart(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        put(tmp_path / name)
    one = trials.named([str(tmp_path / "a" / "t.csv")])
    assert [(b.name, b.mapping.endswith("t.toml")) for b in one] == [("t", True)]
    with pytest.raises(MappingError, match="same name"):
        trials.named([str(tmp_path / "a" / "t.csv"), str(tmp_path / "b" / "t.csv")])


@pytest.mark.parametrize(
    ("places", "mappings", "said"),
    [
        (["t.csv"], [], "no mapping; give one with --mapping"),
        (["t.toml"], ["t.toml"], "--mapping goes with a table or a folder"),
        (["t.csv"], ["a.toml", "b.toml"], "2 mappings for 1 tables and folders"),
        (["nowhere"], [], "no such folder or file"),
        (["t.xlsx"], [], "files ending in .xlsx are not read"),
        (["t.xlsx"], ["t.toml"], "are not read as a table; save it as CSV UTF-8 with commas, or as parquet$"),
        (
            ["t.xpt"],
            [],
            "a flat table with no mapping; give one with --mapping FILE .*; of CDISC files give the folder",
        ),
        (["nowhere.xlsx"], ["t.toml"], "no such folder or file"),
        (["m.toml"], [], "table is missing; name it there"),
    ],
)
def test_what_the_command_line_cannot_mean(tmp_path, monkeypatch, places, mappings, said):
    monkeypatch.chdir(tmp_path)
    table().to_csv("t.csv", index=False)
    for name in ("t.xlsx", "t.xpt"):
        (tmp_path / name).write_text("")
    (tmp_path / "m.toml").write_text(MAPPING)
    with pytest.raises((MappingError, cdisc.CdiscError), match=said):
        trials.named(places, mappings)


def test_a_mapping_that_names_a_workbook_is_told_what_to_do(tmp_path):
    (tmp_path / "t.toml").write_text('table = "t.xlsx"\n' + MAPPING)
    with pytest.raises(ContractError, match=r"t\.xlsx: .*\n.*ending in \.xlsx are not read as a table; save it as CSV"):
        trials.checked([str(tmp_path / "t.toml")])


@pytest.mark.slow
def test_of_several_trials_a_refusal_says_which(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("first", "second"):
        Path(name).mkdir()
        put(Path(name), text=MAPPING.replace('name = "t"', f'name = "{name}"\ntable = "t.csv"'))
    places = ["first/t.toml", "second/t.toml"]
    assert [one.name for one in trials.checked(places)] == ["first", "second"]
    good = Path("second/t.toml").read_text()

    def said(text=good, frame=None):
        (table() if frame is None else frame).to_csv("second/t.csv", index=False)
        Path("second/t.toml").write_text(text)
        with pytest.raises(Refusal) as error:
            trials.checked(places)
        return str(error.value)

    assert said(frame=table(age="x")).startswith("second: t.csv: refused, 12 problems\n  lines 2, 3")
    assert said(good.replace("horizon = 100", "horizon = 999")).startswith("second: t.toml: [design] horizon = 999")
    assert said(good.replace('id = "pid"', "")).startswith("second: t.toml: refused, 1 problem(s)")
    assert said(frame=table(day="110", why="done")).startswith("second: 12 patients, of whom 0 left")
    assert said(good.replace('table = "t.csv"', "")).startswith("second: t.toml: table is missing")


def test_inputs_follow_the_content_and_not_the_time(tmp_path):
    put(tmp_path, events=records())
    place = [str(tmp_path / "t.csv")]
    before = trials.inputs(trials.named(place))
    (tmp_path / "t.csv").touch()
    assert trials.inputs(trials.named(place)) == before
    for name, old, new in (("t.csv", b"110", b"111"), ("events.csv", b"Rash", b"Rush"), ("t.toml", b"56", b"57")):
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content.replace(old, new))
        assert trials.inputs(trials.named(place)) != before, name
        (tmp_path / name).write_bytes(content)


@pytest.mark.slow
def test_the_register_tells_notebooks_of_the_run(tmp_path, monkeypatch):
    monkeypatch.setenv("ATTRITION_OUT", str(tmp_path / "out"))
    put(tmp_path)
    brought = trials.named([str(tmp_path / "t.csv"), "pilot"])
    trials.register(brought, paths.out())
    assert trials.load("t").horizon == 100
    assert list(trials.others("t")) == ["pilot"]
    trials.register([], paths.out())
    assert trials.others("pilot") == {}


def test_nobody_leaving_is_refused_with_the_minimum(tmp_path):
    put(tmp_path, table(day=["110"] * 12, why=["done"] * 12))
    with pytest.raises(cdisc.CdiscError, match="0 left the study by day 100; the report needs at least 10"):
        trials.checked([str(tmp_path / "t.csv")])


def test_an_error_of_a_reader_is_withheld(tmp_path, monkeypatch):
    put(tmp_path)

    def broken(*_):
        raise KeyError("Erika Mustermann")

    monkeypatch.setattr(flat, "load", broken)
    with pytest.raises(cdisc.CdiscError, match="cannot be read as a trial") as error:
        trials.checked([str(tmp_path / "t.csv")])
    assert "Erika" not in str(error.value)


@pytest.mark.slow
def test_a_notebook_reads_a_file_or_a_frame_with_a_mapping_file_or_a_dictionary():
    path, mapping_file = EXAMPLE / "patients.csv", EXAMPLE / "trial-mapping.toml"
    content = tomllib.loads(mapping_file.read_text(encoding="utf-8"))
    content["events"]["table"] = str(EXAMPLE / "events.csv")
    frame = pd.read_csv(path, dtype={"patient_id": str})
    expected = trials.load(str(mapping_file))
    for given, by in [(path, mapping_file), (str(path), content), (frame, content)]:
        found = trials.load(given, mapping=by)
        assert found.name == expected.name == "example"
        pd.testing.assert_frame_equal(found.patients, expected.patients)
        pd.testing.assert_frame_equal(found.events, expected.events)
    with pytest.raises(ContractError, match=r"(?s)the table.*last_day.*not in the file"):
        trials.load(frame.drop(columns="last_day"), mapping=content)
    with pytest.raises(MappingError, match="the mapping: refused"):
        trials.load(frame, mapping=content | {"titl": "x"})


FLAGGED = MAPPING[: MAPPING.index("[reasons]")].replace('reason = "why"', 'event = "left"')


def statuses(trial):
    return trial.patients["status"].tolist()


def test_a_flag_of_two_is_a_competing_event(tmp_path):
    flags = ["0"] * 6 + ["1", "2", "1", "0", "0", "1"]
    expected = ["none"] * 6 + ["primary", "competing", "primary", "censored", "censored", "primary"]
    assert statuses(put(tmp_path, table().assign(left=flags), FLAGGED)) == expected
    text = FLAGGED.replace('event = "left"', 'event = "left"\ncompeting = "died"')
    died = table().assign(left=[{"2": "1"}.get(flag, flag) for flag in flags], died=["", "0"] * 3 + [*"010000"])
    assert statuses(put(tmp_path, died, text)) == expected
    coded = table().assign(left=["1"] * 6 + ["2"] * 6)
    assert "holds 1 and 2 and no 0" in refused(tmp_path, frame=coded, text=FLAGGED)
    assert "column left: must be 0 or 1 (or 2" in refused(tmp_path, frame=table().assign(left="3"), text=FLAGGED)


def test_a_flag_tells_who_left_and_a_reason_why(tmp_path):
    text = MAPPING.replace('reason = "why"', 'reason = "why"\nevent = "left"')
    flags = ["0"] * 6 + ["1", "0", "1", "0", "0", "1"]
    trial = put(
        tmp_path, table(why=[*["done"] * 6, "ae", "died", "", "in", "", "other thing"]).assign(left=flags), text
    )
    assert statuses(trial)[6:] == ["primary", "competing", "primary", "censored", "censored", "primary"]
    assert trial.patients["reason_group"].tolist()[6:9] == ["adverse event", "competing", "other"]
    against = table().assign(left=["1", *flags[1:6], "0", *flags[7:]])
    message = refused(tmp_path, frame=against, text=text)
    assert "line 2, column why: says completed where left says left" in message
    assert "line 8, column why: is a reason for leaving where left says stayed" in message


TREATMENT = 'treatment_day = "stopped"\ntreatment_reason = "stop_reason"'


def stopping(**changes):
    """Two of those who completed stopped treatment on day 40; who left stopped on the day of leaving."""
    made = {"stopped": ["40", "41", *["110"] * 4, "10", "20", "30", "", "", "60"]}
    made |= {"stop_reason": ["ae", "tired", *["done"] * 4, "ae", "died", "other thing", "", "", "ae"]}
    return table().assign(**(made | changes))


@pytest.mark.slow
def test_stopping_treatment_is_an_event_of_its_own(tmp_path):
    text = MAPPING.replace('reason = "why"', f'reason = "why"\n{TREATMENT}')
    trial = put(tmp_path, stopping(), text)
    assert trial.estimands == ("study", "treatment")
    assert (trial.definitions.estimand, trial.flow["primary"]) == ("study", 3)
    assert (trial.flow["off_treatment"], trial.flow["off_study"], trial.flow["retained_off_treatment"]) == (6, 4, 2)
    other = put(tmp_path, stopping(), text.replace("[baseline]", 'estimand = "treatment"\n[baseline]'))
    assert (other.definitions.estimand, other.flow["primary"]) == ("treatment", 5)
    assert other.patients.loc[other.patients["id"].eq("001"), "event_day"].tolist() == [40]
    bare = put(
        tmp_path, stopping(stopped=["40", "41", *[""] * 10]), text.replace('treatment_reason = "stop_reason"', "")
    )
    assert bare.flow["off_treatment"] == 2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"stopped": ["", "41", *["110"] * 4, "10", "20", "30", "", "", "60"]},
            "line 2, column stopped: is empty where",
        ),
        (
            {"stopped": ["40", "41", *["110"] * 4, "11", "20", "30", "", "", "60"]},
            "line 8, column stopped: is later than",
        ),
        (
            {"stop_reason": ["AE", "tired", *["done"] * 10]},
            "line 2, column stop_reason: is a term of the mapping but for",
        ),
        ({"stopped": "1.5"}, "column stopped: must be a whole study day"),
    ],
)
def test_a_stop_of_treatment_that_breaks_the_contract(tmp_path, changes, said):
    text = MAPPING.replace('reason = "why"', f'reason = "why"\n{TREATMENT}')
    assert said in refused(tmp_path, frame=stopping(**changes), text=text)


def test_a_table_that_tells_the_end_of_treatment_alone_says_so(tmp_path):
    trial = put(tmp_path, text=MAPPING.replace("[baseline]", 'estimand = "treatment"\n[baseline]'))
    assert (trial.estimands, trial.definitions.estimand, trial.flow["primary"]) == (("treatment",), "treatment", 3)


CUT = MAPPING.replace('reason = "why"', 'reason = "why"\nstart_date = "start"')


@pytest.mark.slow
def test_nothing_after_the_data_cut_is_read(tmp_path):
    """What lies behind the cut may be anything: the trial is the same."""
    text = CUT.replace("[baseline]", "data_cut = 2020-02-29\n[baseline]")
    frame = table().assign(start=["2019-10-01"] * 6 + ["2020-01-31"] * 5 + ["2020-03-01"])
    trial = put(tmp_path, frame, text, records(day=["5", "14", "9"]))
    assert len(trial.patients) == 11
    assert "1 patients started after the data cut and are left out." in trial.notes
    assert statuses(trial)[6:] == ["primary", "competing", "primary", "censored", "censored"]
    assert trial.patients["event_day"].tolist()[6:] == [10, 20, 30, 30, 30]
    later = frame.assign(day=[*frame["day"][:9], "999", "31", "1"], why=[*frame["why"][:9], "ae", "died", "done"])
    again = put(tmp_path, later, text, records(day=["5", "14", "9"]))
    pd.testing.assert_frame_equal(again.patients, trial.patients)
    assert again.exits["start"].notna().all()
    for kind, day in (("visit", 14), ("adverse event", 30)):  # without visits a record tells no last contact
        seen = put(tmp_path, frame, text, records(day=["5", "14", "9"], kind=kind, pid=["010"] * 3))
        assert seen.patients.set_index("id").loc["010", ["event_day", "status"]].tolist() == [day, "censored"]


@pytest.mark.parametrize(
    ("start", "said"),
    [
        ("2020-02", "must be a whole date"),
        ("31.1.2020", "must be a whole date"),
        ("", "is empty, but [design] data_cut"),
    ],
)
def test_a_start_that_is_no_date_is_refused(tmp_path, start, said):
    text = CUT.replace("[baseline]", "data_cut = 2020-02-29\n[baseline]")
    assert f"line 2, column start: {said}" in refused(
        tmp_path, frame=table().assign(start=[start] + ["2020-01-01"] * 11), text=text
    )


def test_a_trial_that_runs_needs_no_completer_and_nobody_at_the_horizon(tmp_path):
    frame = table(day=["90"] * 6 + ["10", "20", "30", "40", "50", "60"], why=[""] * 6 + ["ae", "died", "ae"] + [""] * 3)
    trial = put(tmp_path, frame)
    assert "Nobody has yet been seen through day 100, the horizon." in trial.notes
    assert trial.flow["censored"] == 9
    flagged = frame.assign(left=["0"] * 6 + ["1"] * 3 + ["0"] * 3)
    with pytest.raises(MappingError, match="nobody was seen through that day"):
        put(tmp_path, flagged, FLAGGED)
    assert put(tmp_path, flagged, FLAGGED + "[plan]\npatients = 40\n").flow["censored"] == 9
    planned = FLAGGED.replace("horizon = 100\n", "") + "[plan]\nhorizon = 100\n"
    assert put(tmp_path, flagged, planned).horizon == 100


def test_a_term_that_looks_like_completion_is_asked_about_even_in_a_trial_that_runs(tmp_path):
    message = refused(tmp_path, frame=table(why=["finished"] * 6 + ["ae"] * 3 + [""] * 3))
    assert "no patient completed, by the terms that the mapping gives for completion; one other term stands" in message


def test_planned_visits_make_missed_ones(tmp_path):
    seen = pd.DataFrame(
        {"pid": ["001", "002"], "kind": "visit", "term": "w2", "day": ["14", "16"], "known": ["14", "16"]}
    )
    text = MAPPING + "[schedule]\nvisits = [1, 14, 90]\n"
    trial = put(tmp_path, text=text, events=seen.assign(value=""))
    assert trial.schedule == (14, 90)
    missed = cohort.features(trial, 28)["visits_missed"]
    assert missed.sum() == len(missed) - 2
    with pytest.raises(MappingError, match=r"\[schedule\] visits: no record of kind visit"):
        put(tmp_path, text=text, events=seen.assign(kind="lab", value=""))


def test_doses_are_records_and_strata_are_baseline(tmp_path):
    text = MAPPING.replace(
        'categories = ["sex"]', 'categories = ["sex"]\nstrata = ["region"]\nknown_on_day_1 = ["region"]'
    )
    trial = put(tmp_path, table(region=["north", "south"] * 6), text, records(kind="exposure", value="5"))
    assert trial.events["kind"].eq("exposure").all()
    assert "region" in trial.baseline
    assert trial.definitions.known_on_day_1 == ("region",)


@pytest.mark.parametrize(("rule", "known"), [("onset", 9.0), ("next visit", 12.0)])
def test_an_adverse_event_without_a_known_day_counts_as_declared(tmp_path, rule, known):
    visit = records(kind=["adverse event", "visit", "adverse event"], pid=["001", "002", "002"], day=["5", "12", "9"])
    trial = put(
        tmp_path, text=f'{MAPPING}[adverse_events]\nknown = "{rule}"\n', events=visit.assign(known=["20", "12", ""])
    )
    assert trial.events.loc[trial.events["name"].eq("Nausea"), "known_day"].tolist() == [known]


def test_letters_are_composed_and_invisible_characters_gone(tmp_path):
    plain, odd = (table(arm=[arm, "None", "Placebo"] * 4) for arm in ("Caf\u00e9", "Cafe\u0301"))
    odd["pid"] = odd["pid"].where(odd["pid"].ne("003"), "\u200b003")
    odd["why"] = odd["why"].where(odd["why"].ne("ae"), "ae\u2060")
    expected, found = put(tmp_path, plain), put(tmp_path, odd)
    pd.testing.assert_frame_equal(found.patients, expected.patients)
    assert flat.TIDIED.format(7) in found.notes
    assert "line 3, column pid: this patient stands in an earlier row" in refused(
        tmp_path, frame=table(pid=["a", "a\u200b", *"bcdefghijk"])
    )


def test_values_that_one_patient_alone_has_look_like_free_text(tmp_path):
    message = refused(tmp_path, frame=table(why=["done"] * 6 + [f"moved to {i} Elm Street" for i in range(6)]))
    assert "column why: 6 values that one patient alone has: it looks like free text or an identifier" in message
    assert "Elm" not in message


def test_a_header_that_is_a_patient_is_not_suggested(tmp_path):
    message = refused(tmp_path, frame=table().rename(columns={"pid": "pid-0417"}))
    assert "column pid: not in the file" in message
    assert "0417" not in message


def test_columns_alike_but_for_case_are_refused(tmp_path):
    assert "column age: another column has this name but for case or spaces" in refused(tmp_path, frame=table(AGE="7"))
