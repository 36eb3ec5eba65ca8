"""Input that is silently wrong elsewhere: one test a row of docs/edge-cases.md, named after it."""

import pandas as pd
import pytest

import notebook_report as report
from attrition import __main__ as command
from attrition import cdisc, contract, paths, score, simulate, trials
from attrition.contract import ContractError, strict
from attrition.landmark import cohort, guard
from attrition.trials import flat, mapping
from notebook_report import book, project, results
from notebook_report.errors import Refusal
from tests.faults.toy import digests
from tests.report import books


@pytest.fixture(scope="module")
def published():
    return simulate.published_trial()


@pytest.fixture
def patients(published):
    """Sixty patients as text, ready to be damaged."""
    return published.head(60).astype("str").astype(object)


def bytes_of(table, **how):
    return table.to_csv(index=False, **how).encode()


def refused(content, *parts, hidden=()):
    """Message of a refusal; holds `parts`, and none of `hidden`."""
    content = bytes_of(content) if isinstance(content, pd.DataFrame) else content
    with pytest.raises(ContractError) as caught:
        contract.validate(strict.parse(content, "trial.csv"), file="trial.csv")
    message = str(caught.value)
    assert caught.value.exit_code == 3
    assert message.startswith("trial.csv: refused")
    for part in parts:
        assert part in message, message
    for value in hidden:
        assert value not in message, message
    return message


def test_ragged_csv_row_is_refused_with_its_line(patients):
    lines = bytes_of(patients).splitlines()
    lines[7] = b"Doe, " + lines[7]
    refused(b"\n".join(lines), "line 8: 15 cells where the header has 14", hidden=["Doe"])
    lines[7] = b"PATIENT_X,61"
    refused(b"\n".join(lines), "line 8: 2 cells where the header has 14", hidden=["PATIENT_X"])


def test_arm_spelled_na_or_none_is_no_missing_value():
    table = strict.parse(b"id,arm\n1,NA\n2,None\n3,null\n4,nan\n5,\n", "t.csv")
    assert table["arm"].isna().tolist() == [False] * 4 + [True]
    assert table["arm"].tolist()[:2] == ["NA", "None"]
    told = strict.parse(b"id,arm\n1,NA\n2,.\n", "t.csv", missing=("", "."))
    assert told["arm"].isna().tolist() == [False, True]


def test_id_007_stays_text(patients):
    patients["patient_id"] = [f"{i:03d}" for i in range(60)]
    trial = contract.validate(strict.parse(bytes_of(patients), "t.csv"))
    assert trial["patient_id"].iloc[7] == "007"


def test_duplicate_header_is_refused_by_name(patients):
    refused(
        bytes_of(patients.assign(again="1").rename(columns={"again": "age"})), "line 1, column age: the name stands"
    )


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda text: text.replace(",", ";").encode(), "semicolons"),
        (lambda text: text.replace(",", ";").replace("61", "61,5").encode(), "semicolons"),
        (lambda text: text.encode("utf-16"), "UTF-16"),
        (lambda text: text.encode("utf-16-be"), "UTF-16"),
        (lambda text: text.encode("latin-1"), "Latin-1"),
        (lambda text: text.replace("7,", "7,5,", 1).encode(), "a decimal comma?"),
    ],
)
def test_semicolons_decimal_commas_utf_16_and_latin_1_are_named(patients, damage, told):
    patients.loc[0, "patient_id"] = "Käthe7"
    refused(damage(patients.to_csv(index=False)), told, hidden=["Käthe"])


def test_count_1_9_is_refused_not_truncated(patients):
    patients.loc[3, "adverse_events"] = "1.9"
    refused(patients, "line 5, column adverse_events: not written as a whole number", hidden=["1.9"])


def test_negative_infinite_out_of_range_and_dates_are_all_told_at_once(patients):
    wrong = {0: ("days_in_trial", "-31"), 1: ("days_in_trial", "inf"), 2: ("age", "999"), 3: ("age", "1951-03-04")}
    for row, (column, cell) in wrong.items():
        patients.loc[row, column] = cell
    message = refused(patients, hidden=["-31", "inf,", "999", "1951"])
    for row, (column, _) in wrong.items():
        assert f"line {row + 2}, column {column}: " in message


def test_duplicate_patient_is_refused(patients):
    patients.loc[9, "patient_id"] = patients.loc[4, "patient_id"]
    refused(patients, "line 11, column patient_id: the patient stands in an earlier row", hidden=["P_", "PATIENT"])


def test_column_that_gives_the_outcome_away_is_flagged(published):
    inputs = published[["age", "dropout_day"]]
    said = r"^column dropout_day: alone it ranks leavers almost perfectly \(AUROC 1\.00\), .* known in time, say so"
    with pytest.raises(guard.LeakError, match=said):
        guard.guard(inputs, dict.fromkeys(inputs, 1), 28, published["dropout"].to_numpy())
    with pytest.raises(guard.LeakError, match="declares no day") as caught:
        guard.guard(pd.DataFrame({"stay": [1.0]}), {}, 28)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(("stayed", "n"), [(0, 300), (1, 300), (299, 300), (300, 300), (3, 5)])
def test_a_trial_with_too_few_events_is_refused_with_the_minimum(tmp_path, stayed, n):
    """Nobody left, one left, one stayed, nobody stayed, five patients: nothing to tell apart."""
    example = paths.ROOT / "data" / "example_trial"
    plan = mapping.read(example / "trial-mapping.toml")
    plan.events, plan.competing = None, ()
    text = pd.read_csv(example / "patients.csv", dtype="str", keep_default_na=False)
    text = text.head(n).assign(last_day="180", reason="completed")
    text.loc[stayed:, ["last_day", "reason"]] = ["50", "withdrawal by subject"]
    text.to_csv(tmp_path / "patients.csv", index=False)
    with pytest.raises(Refusal, match=r"at least|no patient completed") as caught:
        trials.check(flat.load(tmp_path / "patients.csv", plan), "example")
    assert caught.value.exit_code == 3


@pytest.mark.slow
def test_every_feature_of_a_landmark_declares_when_it_is_known():
    trial = cdisc.load("pilot")
    features = cohort.features(trial, 28)
    declared = cohort.dictionary(trial, 28).set_index("feature")["known_day"]
    assert set(features.columns) <= set(declared.index)
    assert (declared.loc[list(features.columns)] <= guard.cut_day(28)).all()


@pytest.mark.slow
def test_script_in_a_cell_or_column_name_is_shown_as_text(tmp_path, monkeypatch):
    monkeypatch.setenv("ATTRITION_OUT", str(tmp_path))
    monkeypatch.setattr(project, "notebooks", lambda: tmp_path)  # a book of one chapter, without pages
    hostile = books.HOSTILE
    cells = [
        "# A chapter\n\nWith a table.",
        "```python\ntable = pd.DataFrame({HOSTILE: [HOSTILE], 'value': [1.0]})\n"
        "report.table(table, id='tbl-hostile', caption='Cells.')\n"
        "report.say('A site is called {{ name }}.', name=HOSTILE)\n"
        "report.finding('finding-x', 'Said of ' + HOSTILE, 'exploratory', ['tbl-hostile'])\n```",
    ]
    html = book.build(books.chapters(books.write(tmp_path / "executed", {"03_x": cells})), tmp_path).read_text()
    assert html.count("<script") == 1
    assert "<img src=x" not in html
    assert html.count("&lt;script&gt;") >= 4
    assert hostile not in html


def test_formula_in_a_text_cell_is_exported_with_a_quote_mark(tmp_path, monkeypatch):
    monkeypatch.setenv("ATTRITION_OUT", str(tmp_path))
    table = pd.DataFrame({"note": ["=1+1", "@SUM(A1)", "fine"], "=cmd": [-1.5, 2.0, 3.0]})
    written = results.write_table("tbl-x", table).read_text()
    assert written == "note,'=cmd\n'=1+1,-1.5\n'@SUM(A1),2\nfine,3\n"
    with report.capture():
        report.table(table, id="tbl-y", caption="The same through the report.")
    assert (tmp_path / "tables" / "tbl-y.csv").read_text() == written


@pytest.mark.parametrize("kind", ["object", "category", "str"])
def test_formula_in_any_kind_of_text_column_is_quoted(kind):
    assert results.inert(pd.DataFrame({"a": pd.Series(["=1+1"], dtype=kind)}))["a"].tolist() == ["'=1+1"]


def test_formula_in_a_scored_identifier_is_quoted(tmp_path):
    scored = pd.DataFrame(dict.fromkeys(score.OUTPUT, ""), index=range(2)).assign(
        patient_id=["=1+1", "007"], probability=0.25, ci_low=None, ci_high=None
    )
    command._write([scored], tmp_path / "scored.csv")
    assert [line.split(",")[0] for line in (tmp_path / "scored.csv").read_text().splitlines()[1:]] == ["'=1+1", "007"]


def test_unseen_category_or_value_outside_training_is_flagged_per_row(published):
    support = score.Support.of(published[published["trial_phase"] != "Phase III"])
    patients = published.head(40).assign(age=[110] + [50] * 39)
    told = support.outside(patients)
    assert "age above" in told.iloc[0]
    unseen = patients["trial_phase"] == "Phase III"
    assert unseen.any()
    assert told[unseen].str.contains("trial_phase not seen in training").all()
    assert not told[~unseen].str.contains("trial_phase").any()


@pytest.mark.slow
def test_a_refused_table_leaves_earlier_results_untouched(toy, undisturbed, tmp_path, patients):
    """Through the command: exit code 3, one message, nothing written."""
    out, table = tmp_path / "out", tmp_path / "patients.csv"
    out.mkdir()
    (out / "report.html").write_text("the old report")
    example = paths.ROOT / "data" / "example_trial"
    lines = (example / "patients.csv").read_text().splitlines()
    table.write_text("\n".join([*lines[:5], lines[5].replace(",", ",Doe,", 1), *lines[6:]]))
    done = toy.run("--trial", table, "--mapping", example / "trial-mapping.toml", "--out", out)
    assert done.returncode == 3
    assert "patients.csv: refused, 1 problem\n  line 6: 9 cells where the header has 8" in done.stderr
    assert "Doe" not in done.stderr + done.stdout
    assert digests(out).keys() == {"report.html"}
    assert (out / "report.html").read_text() == "the old report"


def test_scoring_a_refused_table_gives_3_and_writes_nothing(tmp_path, published):
    patients = published.head(5)[[c.name for c in score.INPUT.columns]].astype("str")
    (tmp_path / "p.csv").write_text(patients.to_csv(index=False) + "one,two\n")
    with pytest.raises(strict.ContractError) as caught:
        list(score.file(tmp_path / "p.csv", None))
    assert caught.value.exit_code == 3


def test_flat_table_keeps_the_same_promises(tmp_path):
    """The mapped table: ids as text, an arm called NA, line and column of each bad cell, no value shown."""
    example = paths.ROOT / "data" / "example_trial"
    plan = mapping.read(example / "trial-mapping.toml")
    text = pd.read_csv(example / "patients.csv", dtype="str", keep_default_na=False)
    place = tmp_path / "patients.csv"
    text.assign(arm=text["arm"].replace("Active", "NA")).to_csv(place, index=False)
    trial = flat.load(place, mapping.TableMapping(**vars(plan) | {"events": None}))
    assert "NA" in set(trial.patients["arm"])
    assert "007" in set(trial.patients["id"]) or "007" in set(trial.patients.index)
    text.loc[3, "last_day"], text.loc[4, "age"], text.loc[6, "patient_id"] = "1.9", "CANARY", text.loc[5, "patient_id"]
    text.to_csv(place, index=False)
    with pytest.raises(ContractError) as caught:
        flat.load(place, mapping.TableMapping(**vars(plan) | {"events": None}))
    message = str(caught.value)
    assert "line 5, column last_day" in message
    assert "line 6, column age" in message
    assert "line 8, column patient_id" in message
    assert "CANARY" not in message
    assert "1.9" not in message
