import csv
import io
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from attrition import contract, paths, simulate
from attrition.contract import ContractError, strict
from attrition.simulate import law


@pytest.fixture(scope="module")
def published():
    return simulate.published_trial()


@pytest.fixture
def patients(published):
    """Thirty patients as text, ready to be damaged."""
    return published.head(30).astype(str).astype(object)


@pytest.fixture
def save(tmp_path):
    def write(table):
        path = tmp_path / "trial.csv"
        content = table.to_csv(index=False) if isinstance(table, pd.DataFrame) else table
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def refused(path, *parts):
    with pytest.raises(ContractError) as caught:
        contract.read_trial(path)
    message = str(caught.value)
    for part in parts:
        assert part in message, message
    return message


def test_the_published_trial_passes_and_comes_back_unchanged(published, save):
    trial = contract.read_trial(save(simulate.csv_text(published)))
    pd.testing.assert_frame_equal(trial, published)
    assert contract.contradictions(trial).set_index("key").loc["last_visit_after_dropout", "n_patients"] == 390


def test_drawn_trials_pass(save):
    trial = simulate.draw_trial(simulate.Law(), 3000, np.random.default_rng(1))
    pd.testing.assert_frame_equal(contract.read_trial(save(trial)), trial)


def test_the_baseline_passes_its_own_contract(save):
    baseline = simulate.random_baseline()
    pd.testing.assert_frame_equal(contract.read_trial(save(baseline), contract.BASELINE), baseline)


# --- how the file is written


def test_a_byte_order_mark_and_windows_line_ends_are_accepted(published, save):
    text = simulate.csv_text(published).replace("\n", "\r\n")
    pd.testing.assert_frame_equal(contract.read_trial(save("\ufeff" + text)), published)


@pytest.mark.parametrize("extra", [",9", ""])
def test_a_ragged_row_is_refused_with_its_line(patients, save, extra):
    lines = patients.to_csv(index=False).splitlines()
    lines[4] = lines[4] + extra if extra else lines[4].rsplit(",", 1)[0]
    refused(save("\n".join(lines)), "trial.csv", "line 5:", "where the header has 14")


def test_lines_are_counted_through_quoted_line_breaks(save):
    with pytest.raises(ContractError, match="line 4: 1 cell"):
        strict.read_strict(save('id,note\n1,"two\nlines"\n2\n'))


@pytest.mark.parametrize(("encoding", "words"), [("utf-16", "UTF-16"), ("utf-16-le", "UTF-16"), ("latin-1", "Latin-1")])
def test_other_encodings_are_named(patients, save, encoding, words):
    patients.loc[2, "patient_id"] = "Käthe"
    message = refused(save(patients.to_csv(index=False).encode(encoding)), words)
    assert encoding != "latin-1" or "line 4" in message


@pytest.mark.parametrize(("delimiter", "word"), [(";", "semicolons"), ("\t", "tabs"), ("|", "vertical bars")])
def test_other_delimiters_are_named(patients, save, delimiter, word):
    refused(save(patients.to_csv(index=False, sep=delimiter)), word)


def test_semicolons_with_decimal_commas_are_named(patients, save):
    patients["age"] = "61,5"
    refused(save(patients.to_csv(index=False, sep=";")), "semicolons")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"id,age\n", "no row"),
        (b"\nid,age\n1,2\n", "header"),
        (b"id,age\n1,2\n3,\x004\n", "line 3: a NUL byte"),
        (b"PK\x03\x04rest", "Excel"),
        (b"\x1f\x8brest", "gzip"),
        (b'id,age\n1,"2\n3,4\n', "line 2: a quote"),
        (b"id,age\n1,2\n\n3,4\n", "line 3: a blank line"),
        (b"id,age,age\n1,2,3\n", "column age: the name stands twice"),
        (b"id,,age\n1,2,3\n", "column no. 2: the column has no name"),
    ],
)
def test_files_that_are_no_table_are_refused(save, content, words):
    refused(save(content), words)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"id;age;day\n1;61,5;3\n2;60,5;4\n", "the cells look separated by semicolons; commas are needed"),
        (b"sep=,\nid,age,day\n1,61,3\n", "(sep=) stands where the header should; delete this line"),
        (b"sep=;\nid;age\n1;61,5\n", "the cells look separated by semicolons"),
        (b"Trial X 2024,,\nid,age,day\n1,61,3\n", "2 columns have no name; is there a title row above the header?"),
        (b"Trial X,,Day\nid,age,day\n1,61\n", "no. 2: the column has no name; is there a title row above the header?"),
        (b"Trial X 2024\nid,age,day\n1,61,3\n", "line 1: 1 cell, and more in every row below; is there a title row"),
        (b"id,age,age\n1,2\n1,2,3,4\n", "column age: the name stands twice"),
    ],
)
def test_a_wrong_header_is_told_alone(save, content, words):
    message = refused(save(content), "trial.csv: refused, 1 problem\n", words)
    assert message.count("\n") == 1
    assert "Trial X" not in message


def test_a_row_that_is_too_wide_below_one_column_is_told_with_its_line(save):
    with pytest.raises(ContractError, match="line 3: 2 cells where the header has 1"):
        strict.read_strict(save("id\n1\n2,5\n"))


def test_a_missing_file_and_a_folder_are_refused_without_their_path(tmp_path):
    for path in (tmp_path / "none.csv", tmp_path):
        assert str(tmp_path) not in refused(path, path.name)


# --- what stays text, and what is missing


def test_only_the_empty_cell_is_missing(save):
    table = strict.read_strict(save("id,arm\n007,NA\n008,None\n009,\n010,nan\n"))
    assert table["arm"].isna().tolist() == [False, False, True, False]
    assert table["id"].tolist() == ["007", "008", "009", "010"]


def test_what_means_missing_can_be_told(save):
    table = strict.read_strict(save("id,arm\n1,NA\n2,\n3,.\n"), missing=("", "."))
    assert table["arm"].isna().tolist() == [False, True, True]


def test_identifiers_stay_text(patients, save):
    patients["patient_id"] = [f"{i:03d}" for i in range(30)]
    assert contract.read_trial(save(patients))["patient_id"].iloc[7] == "007"


def test_007_and_7_are_two_patients(patients, save):
    patients.loc[[0, 1], "patient_id"] = ["007", "7"]
    assert len(contract.read_trial(save(patients))) == 30


# --- what the cells hold


@pytest.mark.parametrize(
    ("column", "cell", "words"),
    [
        ("adverse_events", "1.9", "not written as a whole number"),
        ("adverse_events", "2.0", "not written as a whole number"),
        ("adverse_events", "1e1", "not written as a whole number"),
        ("adverse_events", "1,5", "comma"),
        ("days_in_trial", "-3", "negative"),
        ("days_in_trial", "inf", "infinite"),
        ("days_in_trial", "-Infinity", "infinite"),
        ("days_in_trial", "1e999", "infinite"),
        ("days_in_trial", "99999", "outside 1 to 3650 days"),
        ("days_in_trial", "9" * 5000, "out of range"),
        ("age", "17", "outside 18 to 110"),
        ("age", "1951-03-04", "a date"),
        ("age", "04.03.1951", "a date"),
        ("age", "4 Mar 1951", "a date"),
        ("age", " 61", "spaces"),
        ("age", "NA", "only an empty cell is missing"),
        ("age", "", "the cell is empty"),
        ("age", "٦١", "not a number"),
        ("dropout", "2", "outside 0 to 1"),
        ("dropout", "True", "not a number"),
        ("treatment_group", "NA", "not one of Active, Control, Placebo"),
        ("treatment_group", "active", "not one of"),
        ("patient_id", "", "the cell is empty"),
    ],
)
def test_a_wrong_cell_is_refused_with_line_and_column(patients, save, column, cell, words):
    patients.loc[4, column] = cell
    message = refused(save(patients), "trial.csv", "line 6, column " + column, words)
    assert len(cell) < 4 or cell == "True" or cell not in message


def test_all_problems_are_told_at_once(patients, save):
    patients.loc[0, "age"] = "1.9"
    patients.loc[1, "age"] = "200"
    patients.loc[2, "patient_id"] = patients.loc[3, "patient_id"]
    patients.loc[5, "trial_phase"] = "IV"
    patients.loc[6, "dropout_day"] = "3650"
    with pytest.raises(ContractError) as caught:
        contract.read_trial(save(patients))
    places = {(problem.line, problem.column) for problem in caught.value.problems}
    assert {(2, "age"), (3, "age"), (5, "patient_id"), (7, "trial_phase"), (8, "")} <= places
    assert caught.value.exit_code == 3


def test_a_duplicate_patient_is_refused(patients, save):
    refused(save(pd.concat([patients, patients.tail(1)])), "line 32, column patient_id", "earlier row")


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        (
            {"dropout": "0", "early_dropout": "0", "late_dropout": "0", "dropout_30_days": "0"},
            "dropout_day is 0 exactly",
        ),
        ({"early_dropout": "1", "late_dropout": "1"}, "either early or late"),
        ({"dropout_day": "3000", "days_in_trial": "3000", "early_dropout": "1", "late_dropout": "0"}, "before day 90"),
        ({"dropout_day": "31", "dropout_30_days": "1"}, "at most 30"),
        ({"dropout_day": "3001", "days_in_trial": "3000"}, "dropout_day lies within"),
        ({"last_visit_day": "3001", "days_in_trial": "3000"}, "last_visit_day lies within"),
        ({"visits_completed": "3", "last_visit_day": "0"}, "no visits"),
    ],
)
def test_rules_across_columns(patients, save, changes, rule):
    row = patients.index[patients["dropout"] == "1"][0]
    patients.loc[row, list(changes)] = list(changes.values())
    refused(save(patients), f"line {row + 2}: ", rule)


def test_every_rule_of_the_contract_is_tested_above():
    assert len(contract.TRIAL.rules) == len(contract.RULES) == 7


# --- columns


def test_missing_columns_are_named(patients, save):
    refused(save(patients.drop(columns=["age", "dropout"])), "column age: the column is missing", "column dropout")


def test_order_of_columns_does_not_matter(patients, published, save):
    found = contract.read_trial(save(patients[patients.columns[::-1]]))
    pd.testing.assert_frame_equal(found, published.head(30))


def test_columns_outside_the_contract_are_dropped(patients, save):
    table = patients.assign(birth_date="1951-03-04", comment="CANARY Jane Doe").rename(columns={"comment": "Jane Doe"})
    assert list(contract.read_trial(save(table)).columns) == contract.TRIAL.names


def test_no_message_shows_a_value_or_a_headerless_row(patients, save):
    canaries = ["CANARYdoe", "1951-03-04", "CANARYarm"]
    patients.loc[0, ["patient_id", "age", "treatment_group"]] = canaries
    patients.loc[1, "patient_id"] = canaries[0]
    message = refused(save(patients))
    message += refused(save(patients.to_csv(index=False, header=False)), "is the header missing?")
    assert not [canary for canary in canaries if canary in message]


def test_the_error_carries_no_cause_that_shows_values(patients, save):
    patients.loc[0, "age"] = "111"
    with pytest.raises(ContractError) as caught:
        contract.read_trial(save(patients))
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)


def test_many_problems_stay_a_short_message(patients, save):
    patients["age"] = "x"
    message = refused(save(patients), "and 22 more")
    assert len(message.splitlines()) == 2


# --- fuzz

PUBLISHED = simulate.published_trial().head(30).astype(str).astype(object)
ALPHABET = st.sampled_from(list('ab01,;"\n\r\t .é\x00'))
CELL = st.text(alphabet=st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=8)


@pytest.mark.slow
@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=80) | st.text(alphabet=ALPHABET, max_size=60).map(str.encode))
@example(b",\x01\r\x01,")
@example(b"a,b\n1,2\r\n\n")
def test_any_bytes_are_read_or_refused(content):
    try:
        table = strict.parse(content, "fuzz.csv")
    except ContractError as error:
        assert str(error).startswith("fuzz.csv: refused")  # noqa: PT017
    else:
        rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
        if rows[0][0] == "":  # names of rows, which are left out
            rows = [row[1:] for row in rows]
        assert list(table.columns) == rows[0]
        assert [list(row) for row in table.fillna("").to_numpy()] == [row for row in rows[1:] if row]


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(st.data(), st.integers(2, 4), st.integers(1, 5))
def test_any_table_comes_back_as_written(data, width, n):
    rows = data.draw(st.lists(st.lists(CELL, min_size=width, max_size=width), min_size=n, max_size=n))
    written = pd.DataFrame(rows, columns=[f"c{i}" for i in range(width)], dtype=object)
    text = written.to_csv(index=False, quoting=csv.QUOTE_ALL)
    again = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    table = strict.parse(text.encode(), "fuzz.csv")
    assert table.fillna("").to_numpy().tolist() == rows
    assert again.shape == table.shape


UNQUOTED = st.text(alphabet=st.characters(exclude_characters='\x00\r\n,"', exclude_categories=["Cs"]), max_size=8)
ENDS = st.sampled_from(["\n", "\r\n"])


def told(records):
    header, columns, lines, ragged = records
    return header, [column.to_pylist() for column in columns], list(lines), ragged


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(st.data(), st.integers(2, 4), st.integers(2, 5), ENDS, st.sampled_from(["", "\n", "\r\n\r\n"]))
def test_rows_without_quotes_are_read_at_once_as_one_by_one(data, width, n, end, last):
    rows = data.draw(st.lists(st.lists(UNQUOTED, min_size=width, max_size=width), min_size=n, max_size=n))
    for text in (end.join(map(",".join, rows)) + last, "\ufeff" + end.join(map(",".join, rows))):
        assert told(strict._unquoted(text)) == told(strict._records(text, "fuzz.csv"))


@pytest.mark.parametrize("text", ["a\n1\n", "a,b\n1\n", "a,b\n\n1,2\n", "\na,b\n1,2\n", 'a,b\n"1",2\n', "a,b\r1,2\r"])
def test_what_is_unusual_is_read_row_by_row(text):
    assert strict._unquoted(text) is None


def test_a_row_may_be_longer_than_any_cell_may_be():
    most = csv.field_size_limit()
    for cells in (["x" * most, "y"], ["x" * (most // 2)] * 5):
        names = [f"c{i}" for i in range(len(cells))]
        table = strict.parse(f"{','.join(names)}\n{','.join(cells)}\n".encode(), "long.csv")
        assert table.loc[2].tolist() == cells
    with pytest.raises(ContractError, match="line 3: a quote that is not closed or not doubled, or a cell beyond all"):
        strict.parse(f"a,b\n1,2\n3,{'x' * (most + 1)}\n".encode(), "long.csv")


@pytest.mark.slow
@settings(deadline=None, max_examples=120)
@given(st.integers(0, 13), st.integers(0, 29), CELL | st.integers(-5, 400).map(str))
def test_any_cell_is_kept_exactly_or_refused_without_being_shown(column, row, cell):
    table = PUBLISHED.copy()
    name = table.columns[column]
    table.loc[row, name] = cell
    try:
        trial = contract.validate(strict.parse(table.to_csv(index=False).encode(), "fuzz.csv"))
    except ContractError as error:
        assert len(cell.strip()) < 4 or cell.strip() not in str(error)  # noqa: PT017
    else:
        assert str(trial.loc[row, name]) == (cell.lstrip("0") or "0" if trial[name].dtype == "int64" else cell)


def test_the_data_dictionary_of_the_readme_is_the_contract():
    readme = (paths.ROOT / "data" / "README.md").read_text(encoding="utf-8")
    for row in contract.dictionary().itertuples(index=False):
        assert f"| `{row.column}` | {row.meaning} | {row.unit} | {row.allowed} |" in readme
    assert simulate.PUBLISHED_MD5 in readme
    assert simulate.md5(simulate.random_baseline()) in readme


def test_levels_and_days_of_the_contract_are_those_of_the_law():
    levels = {column.name: column.levels for column in contract.TRIAL.columns if column.levels}
    assert levels == {"gender": law.GENDERS, "treatment_group": law.ARMS, "trial_phase": law.PHASES}
    early = contract.RULES["early means before day 90, late means day 90 or later"]
    assert f"dropout_day < {law.EARLY_DAY}" in early
    assert f"dropout_day >= {law.EARLY_DAY}" in early
    month = contract.RULES["a dropout within 30 days has a dropout_day of at most 30"]
    assert f"dropout_day <= {law.FIRST_MONTH}" in month
