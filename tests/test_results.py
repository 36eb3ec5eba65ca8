"""Results: same bytes, whole files, nothing that runs in a spreadsheet."""

import numpy as np
import pandas as pd
import pytest

from notebook_report import results
from notebook_report.state import State


@pytest.fixture
def out(tmp_path, monkeypatch):
    monkeypatch.setenv("ATTRITION_OUT", str(tmp_path))
    return tmp_path


def test_keys_are_sorted_and_numbers_rounded(out):
    results.write("01_x", {"b": 1 / 3, "a": np.int64(2), "c": [np.nan, True]})
    text = (out / "results" / "01_x.json").read_text()
    assert text.index('"a"') < text.index('"b"')
    assert results.read("01_x") == {"a": 2, "b": 0.3333333333, "c": [None, True]}


def test_a_value_that_is_no_result_is_refused(out):
    with pytest.raises(TypeError, match="Timestamp"):
        results.write("01_x", {"when": pd.Timestamp("2020-01-01")})


def test_a_missing_result_names_the_command_that_makes_it(out):
    with pytest.raises(results.MissingResult, match=r"run_all\.sh --out .* --only 04_modelling"):
        results.read("04_modelling")


def test_a_failed_write_leaves_the_old_file_and_no_scraps(out, monkeypatch):
    results.write("01_x", {"a": 1})

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(results.Path, "replace", fail)
    with pytest.raises(OSError, match="No space left"):
        results.write("01_x", {"a": 2})
    assert results.read("01_x") == {"a": 1}
    assert [p.name for p in (out / "results").iterdir()] == ["01_x.json"]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"])
def test_formulas_are_exported_as_text(out, text):
    path = results.write_table("t", pd.DataFrame({"a": [text], text: [1.5]}))
    read = pd.read_csv(path, dtype=str)
    assert read["a"][0] == f"'{text}"
    assert f"'{text}" in read.columns


def test_negative_numbers_stay_numbers(out):
    path = results.write_table("t", pd.DataFrame({"a": [-1.5]}))
    assert pd.read_csv(path)["a"][0] == -1.5


def test_a_table_waits_until_its_chapter_has_succeeded(out, monkeypatch):
    results.write_table("t", pd.DataFrame({"a": [1]}))
    earlier = (out / "tables" / "t.csv").read_text()
    monkeypatch.setenv("ATTRITION_CHAPTER", "01_x")
    state = State(out)
    for publish in (False, True):
        state.start_journal("01_x")
        assert pd.read_csv(results.write_table("t", pd.DataFrame({"a": [2]})))["a"][0] == 2
        assert (out / "tables" / "t.csv").read_text() == earlier
        if publish:
            state.publish_tables("01_x")
        state.discard_tables("01_x")
        assert not (out / ".state" / "01_x.tables").exists()
    assert pd.read_csv(out / "tables" / "t.csv")["a"][0] == 2
    assert state.written("01_x") == [out / "tables" / "t.csv"]


def test_a_running_chapter_keeps_a_journal(out, monkeypatch):
    monkeypatch.setenv("ATTRITION_CHAPTER", "01_x")
    results.write("01_x", {})
    assert (out / ".state" / "01_x.files").read_text().splitlines() == [str(out / "results" / "01_x.json")]


def test_what_is_zero_is_zero_on_every_processor(out):
    """Rounding error differs from processor to processor; tables round it away as results do."""
    noise = [-4.292077802e-18, 2.252634372e-18, -1.3e-16, 3.1e-16, 2e-12, 0.25, np.nan, np.inf]
    path = results.write_table("t", pd.DataFrame({"in the large": noise, "n": 7, "who": "a"}))
    read = path.read_text().splitlines()[1:]
    assert [line.split(",")[0] for line in read] == ["0", "0", "0", "0", "2e-12", "0.25", "", "inf"]
    assert all(line.endswith(",7,a") for line in read)
    assert results.plain(noise[:6]) == [0.0] * 4 + noise[4:6]
