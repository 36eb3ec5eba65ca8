"""What a CDISC folder must hold: nobody gets lost by an id, a range or a spelling, and no value is repeated."""

import pandas as pd
import pytest

from attrition import cdisc
from attrition.cdisc.sources import CdiscError, open_source
from attrition.contract.strict import ContractError, read_strict

from . import folders
from .folders import COMPLETED, LEFT, ids, record

LEAVERS = ids(4)


def dispositions(**spelled):
    """DS of twelve patients, four of whom leave on day 40; ids of leavers as they are spelled there."""
    rows = [
        record(patient, LEFT if patient in LEAVERS else COMPLETED, 40 if patient in LEAVERS else 180)
        for patient in ids(12)
    ]
    return [row | {"USUBJID": spelled.get(row["USUBJID"][-2:], row["USUBJID"])} for row in rows]


def adverse(**columns):
    """AE of the twelve, an event each."""
    return pd.DataFrame({"USUBJID": ids(12), "AESEQ": 1, "AEDECOD": "Ache", "AEDTC": "2020-01-20"} | columns)


def refused(folder, *told):
    with pytest.raises((ContractError, CdiscError)) as caught:
        cdisc.load(folder)
    message = str(caught.value)
    for part in told:
        assert part in message, message
    assert "P-0" not in message
    return message


def dm_with(tmp_path, column, cells):
    """The twelve, with some cells of a column of DM changed."""
    usual = {"USUBJID": ids(12), "ARM": ["A", "B"] * 6, "AGE": [50] * 12, "RFSTDTC": ["2020-01-01"] * 12}[column]
    return folders.sdtm(tmp_path, dispositions(), **{column: [cells.get(i, cell) for i, cell in enumerate(usual, 2)]})


RECONCILED = {
    "blank behind": "P-01 ", "blanks around": "  P-01 ", "case": "p-01", "zero-width space": "P-\u200b01",
    "byte order mark": "\ufeffP-01", "soft hyphen": "P\u00ad-01", "direction": "P-01\u200e", "no-break": "\u00a0P-01",
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("spelling", RECONCILED.values(), ids=RECONCILED)
def test_an_id_that_a_reader_would_read_as_the_same_is_the_same(tmp_path, spelling):
    trial = cdisc.load(folders.sdtm(tmp_path, dispositions(**{"01": spelling}), others={"ae": adverse()}))
    assert trial.flow["primary"] == len(LEAVERS)
    assert trial.flow["censored"] == 0
    assert any(note.startswith("ds.csv: 1 row has an id ") for note in trial.notes)


@pytest.mark.slow
def test_composed_and_decomposed_ids_are_the_same(tmp_path):
    names = [name.replace("P", "\u00c9") for name in ids(12)]
    rows = [row | {"USUBJID": row["USUBJID"].replace("P", "E\u0301")} for row in dispositions()]
    folders.sdtm(tmp_path, rows, USUBJID=names, others={"sv": {"USUBJID": names, "VISITNUM": 1}})
    assert cdisc.load(tmp_path).flow["primary"] == len(LEAVERS)


LOST = {
    "unknown in DS": (
        {"disposition": dispositions(**{"01": "X-01"})},
        "ds.csv",
        "line 2",
        "no subject of DM has this id",
    ),
    "empty in DS": ({"disposition": dispositions(**{"02": ""})}, "ds.csv", "line 3", "is empty: whose record is it?"),
    "blank in DS": ({"disposition": dispositions(**{"02": " "})}, "ds.csv", "line 3", "is empty"),
    "another dash": ({"disposition": dispositions(**{"01": "P\u201301"})}, "line 2", "no subject of DM"),
    "a zero less": ({"disposition": dispositions(**{"03": "P-3"})}, "line 4", "no subject of DM"),
    "unknown in AE": ({"others": {"ae": adverse(USUBJID=["X", *ids(12)[1:]])}}, "ae.csv", "line 2, column USUBJID"),
    "empty in AE": ({"others": {"ae": adverse(USUBJID=["", *ids(12)[1:]])}}, "ae.csv", "line 2", "is empty"),
    "unknown in VS": (
        {"others": {"vs": {"USUBJID": ["X"], "VSTESTCD": ["PULSE"], "VSSTRESN": [60]}}},
        "vs.csv, line 2",
    ),
}


@pytest.mark.parametrize("kind", LOST)
def test_a_record_of_nobody_is_refused_by_its_line(tmp_path, kind):
    changes, *told = LOST[kind]
    if kind == "unknown in VS":
        told = ["vs.csv: refused", "line 2, column USUBJID: no subject of DM has this id"]
    refused(folders.sdtm(tmp_path, **{"disposition": dispositions()} | changes), *told)


def test_records_of_nobody_are_told_for_all_files_at_once(tmp_path):
    unknown = adverse(USUBJID=["X", "Y", *ids(12)[2:]])
    refused(
        folders.sdtm(tmp_path, dispositions(**{"01": "Z"}), others={"ae": unknown}), "line", "2, 3: no subject of DM"
    )


SUBJECTS = {
    "twice": ("USUBJID", {3: "P-01"}, "line 3, column USUBJID: the subject stands in an earlier row already"),
    "alike": ("USUBJID", {3: "p-01"}, "line 3, column USUBJID: differs from an earlier subject's id only in case"),
    "empty": ("USUBJID", {3: ""}, "line 3, column USUBJID: is empty"),
    "arm in case": ("ARM", {3: "b"}, "line 3, column ARM: two arms differ only in case or spaces"),
    "arm in spaces": ("ARM", {4: "A  x", 6: "A x", 8: "A x"}, "line 4, column ARM: two arms differ only"),
    **{
        f"age {age}": ("AGE", {5: age}, "line 5, column AGE: must be a number from 0 to 130")
        for age in ("-7", "inf", "-inf", "1e308", "131", "Infinity", "1e999")
    },
    "age text": ("AGE", {5: "old"}, "line 5, column AGE: must be a number"),
    "age spelled": ("AGE", {5: "NA"}, "line 5, column AGE: NA, R's spelling of missing? accept it with missing = "),
    "year 9999": ("RFSTDTC", {5: "9999-12-31"}, "line 5, column RFSTDTC: must lie between the years 1900 and 2100"),
    "year 0001": ("RFSTDTC", {5: "0001-01-01"}, "line 5, column RFSTDTC: must lie between the years 1900 and 2100"),
    "date spelled": ("RFSTDTC", {5: "NULL"}, "line 5, column RFSTDTC: NULL, a database's spelling of missing?"),
}  # fmt: skip


@pytest.mark.parametrize("kind", SUBJECTS)
def test_subjects_are_refused_by_their_lines(tmp_path, kind):
    column, cells, told = SUBJECTS[kind]
    refused(dm_with(tmp_path, column, cells), "dm.csv: refused", told)


@pytest.mark.parametrize("spelling", ["A\u200b", " A ", "\ufeffA"])
def test_an_arm_with_what_nobody_sees_is_the_arm(tmp_path, spelling):
    trial = cdisc.load(dm_with(tmp_path, "ARM", {4: spelling, 8: spelling}))
    assert sorted(trial.arms) == ["A", "B"]


@pytest.mark.parametrize("day", ["1.9", "1e9", "-1e9", "0", "inf", "40.0001", "36501"])
@pytest.mark.parametrize(("file", "column"), [("ds", "DSSTDY"), ("ae", "AESTDY"), ("ae", "AEDY"), ("sv", "SVSTDY")])
def test_a_day_is_whole_and_within_a_life(tmp_path, file, column, day):
    tables = {"ds": pd.DataFrame(dispositions()), "ae": adverse()}
    tables["sv"] = pd.DataFrame({"USUBJID": ids(12), "VISITNUM": 1, "VISIT": "V1", "SVSTDTC": "2020-01-01"})
    tables[file][column] = ["40", day, *["40"] * 10]
    folders.sdtm(tmp_path, tables.pop("ds"), others=tables)
    refused(tmp_path, f"{file}.csv: refused, 1 problem\n  line 3, column {column}: must be a whole study day from")


@pytest.mark.parametrize(("column", "cell"), [("VISITNUM", "inf"), ("VISITNUM", "1e308"), ("VISITNUM", "first")])
def test_numbers_are_finite(tmp_path, column, cell):
    visits = {"USUBJID": ids(12), "VISITNUM": [cell, *["1"] * 11], "VISIT": "V1", "SVSTDTC": "2020-01-01"}
    refused(
        folders.sdtm(tmp_path, dispositions(), others={"sv": visits}),
        "sv.csv",
        "line 2, column VISITNUM: must be a number",
    )


def test_a_result_beyond_all_numbers_is_refused(tmp_path):
    signs = {"USUBJID": ids(12), "VSTESTCD": "PULSE", "VSSTRESN": ["1e308", *["60"] * 11], "VSDTC": "2020-01-09"}
    refused(folders.sdtm(tmp_path, dispositions(), others={"vs": signs}), "vs.csv", "line 2, column VSSTRESN")


def test_all_that_is_wrong_with_a_file_is_said_at_once(tmp_path):
    twice = adverse(AESTDY=["1.5", *["3"] * 11], AEDTC=["x", *["2020-01-20"] * 11], USUBJID=["X", *ids(12)[1:]])
    message = refused(folders.sdtm(tmp_path, dispositions(), others={"ae": twice}), "ae.csv: refused, 3 problems")
    assert message.count("line 2, column") == 3


@pytest.mark.parametrize("names", [["AGE", "age"], ["AGE", "AGE "], ["Sex", "SEX"]])
def test_columns_alike_but_for_case_are_refused(tmp_path, names):
    folders.sdtm(tmp_path, dispositions())
    dm = pd.read_csv(tmp_path / "dm.csv", dtype="str").drop(columns="AGE")
    dm.assign(**{names[0]: "1", names[1]: "2"}).to_csv(tmp_path / "dm.csv", index=False)
    refused(
        tmp_path,
        f"dm.csv: refused, 1 problem\n  line 1, column {names[0].upper()}: two columns have this name, but for",
    )


@pytest.mark.slow
def test_an_event_that_stands_twice_counts_once_and_is_told(tmp_path):
    again = pd.concat([adverse(), adverse().head(3)])
    trial = cdisc.load(folders.sdtm(tmp_path, dispositions(), others={"ae": again}))
    assert trial.events["kind"].eq("adverse event").sum() == 12
    assert "ae.csv: 3 rows repeat another row with the same AESEQ and are left out." in trial.notes
    assert ("ae.csv", 15, 3, "repeat another row with the same AESEQ") in trial.account


def test_two_events_with_one_number_are_refused(tmp_path):
    again = pd.concat([adverse(), adverse(AEDECOD="Cough").head(2)])
    refused(
        folders.sdtm(tmp_path, dispositions(), others={"ae": again}), "lines 14, 15, column AESEQ: another row of the"
    )


@pytest.mark.slow
@pytest.mark.parametrize(("days", "n"), [([20] * 12, 0), ([21] * 12, 0), ([22, 18, *[20] * 10], 2)])
def test_a_day_that_contradicts_its_date_is_told(tmp_path, days, n):
    trial = cdisc.load(folders.sdtm(tmp_path, dispositions(), others={"ae": adverse(AEDY=days)}))
    told = [note for note in trial.notes if "AEDY is more than a day from what AEDTC and the first dose give" in note]
    assert told == (
        [f"ae.csv: in {n} rows AEDY is more than a day from what AEDTC and the first dose give; AEDY counts."]
        if n
        else []
    )


# ADaM


@pytest.mark.slow
def test_adam_ids_are_held_against_adsl(tmp_path):
    status = {
        "EOSDT": "2020-06-01",
        "EOSSTT": ["DISCONTINUED"] * 4 + ["COMPLETED"] * 8,
        "DCSREAS": ["OTHER"] * 4 + [""] * 8,
    }
    folders.adam(tmp_path, **status)
    events = {"USUBJID": ["p-01 ", *ids(12)[1:]], "AESEQ": 1, "AEDECOD": "Ache", "ASTDT": "2020-01-20"}
    pd.DataFrame(events).to_csv(tmp_path / "adae.csv", index=False)
    trial = cdisc.load(tmp_path)
    assert len(trial.events) == 12
    assert any(note.startswith("adae.csv: 1 row has an id that differs") for note in trial.notes)
    pd.DataFrame(events | {"USUBJID": ["X", *ids(12)[1:]]}).to_csv(tmp_path / "adae.csv", index=False)
    refused(tmp_path, "adae.csv", "line 2, column USUBJID: no subject of ADSL has this id")


def test_beside_adsl_records_of_who_was_screened_are_left_out_and_told(tmp_path):
    folders.adam(tmp_path, EOSDT="2020-06-01", EOSSTT=["DISCONTINUED"] * 4 + ["COMPLETED"] * 8)
    pd.concat([adverse(), adverse().head(1).assign(USUBJID="S-99")]).to_csv(tmp_path / "ae.csv", index=False)
    trial = cdisc.load(tmp_path)
    assert trial.events["kind"].eq("adverse event").sum() == 12
    assert ("ae.csv", 13, 1, "of subjects who are not in ADSL") in trial.account


@pytest.mark.slow
def test_an_account_names_every_file_that_was_read(tmp_path):
    source = open_source(folders.sdtm(tmp_path, dispositions(), others={"ae": adverse()}))
    cdisc.read(source, cdisc.usual(source))
    assert source.account == [
        ("ae.csv", 12, 0, ""),
        ("dm.csv", 12, 0, ""),
        ("ds.csv", 12, 0, ""),
        ("sv.csv", 36, 0, ""),
    ]
    for _ in range(2):
        source.left_out("ae", 2, "after the cut")
    assert source.account[0] == ("ae.csv", 12, 2, "after the cut")


HEADERLESS = [
    "subject-0417, 120, 0,A, 61\nsubject-0001, 120, 0,A, 50\n",
    "Erika,F,A\nMaria,F,A\nJonas,F,A\n",
    "P-01,2020-01-31,A\nP-02,2020-02-01,A\n",
    "P-01,31.01.2020,A\nP-02,01.02.2020,A\n",
]


@pytest.mark.parametrize("content", HEADERLESS)
def test_a_table_without_a_header_is_refused_without_a_value(tmp_path, content):
    path = tmp_path / "t.csv"
    path.write_text(content)
    with pytest.raises(ContractError, match="is the header missing") as told:
        read_strict(path)
    assert not any(cell.strip() in str(told.value) for cell in content.splitlines()[0].split(",") if len(cell) > 1)
