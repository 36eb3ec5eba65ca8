"""A released report has no cell of a few patients, no step of fewer, no name; small cells of a usual one are listed."""

import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup

from attrition import __main__ as command
from attrition import disclosure, paths
from attrition.survival import incidence
from notebook_report import results
from notebook_report.errors import BuildError

NAME = "Zebulon Quackenbush"
SMALL = re.compile(r"[1-7]")
REASONS = ["adverse event", "other"]


def curves(patients, by):
    days = np.unique([0, *patients["time"]])
    whole = patients.assign(reason=patients["reason"].where(patients["reason"] == "stayed", "primary"))
    return incidence.tabulate(whole, ["primary"], days, "arm") if by else incidence.tabulate(patients, REASONS, days)


def ordinary(out, n):
    """Tables and results of a report on `n` patients, of whom one alone has an arm, and one a reason, of that name."""
    rng = np.random.default_rng(n)
    left = rng.random(n) < 0.5
    patients = pd.DataFrame({"arm": rng.choice(["A", "B"], n), "time": np.where(left, rng.integers(1, 100, n), 100)})
    patients["reason"] = np.where(left, rng.choice(REASONS, n), "stayed")
    patients.loc[0, "arm"] = NAME
    arms = pd.crosstab(patients["arm"], patients["reason"]).reset_index()
    arms.insert(1, "patients", patients.groupby("arm").size().to_numpy())
    terms = pd.DataFrame({"reason": [*REASONS, NAME, "stayed"], "reason_group": ["a", "other", "other", "completed"]})
    terms["by_horizon"] = terms["patients"] = [int(left.sum()) // 2, 3, 1, int((~left).sum())]
    ratios = {"reason": "primary", "arm": ["B", NAME], "events": int(left.sum()), "hazard_ratio": [1.234, 2.0]}
    tables = {"tbl-leavers": arms, "tbl-trial-reasons": terms, "fig-hazard-ratios": pd.DataFrame(ratios)}
    tables |= {"fig-stacked": curves(patients, False), "fig-by-arm": curves(patients, True)}
    tables["fig-past"] = pd.DataFrame({"cut": ["2026-05-31"], "left": [3]})
    tables["fig-fan"] = pd.DataFrame({"date": ["2026-05-31"], "median": [3], "low": [0], "high": [12]})
    for name, table in tables.items():
        results.publish(out / "tables" / f"{name}.csv", results.inert(table).to_csv(index=False))
    at = {"at_risk": n, "primary": 3, "all_cause": 3}
    asked = {"title": "A trial", "landmark": 28, "arms": ["A"], "auroc": {"all": {}}}
    flow = {"discontinued_by_horizon": 3, "deaths": 2, "randomised": n}
    real = {"asked": asked, "flow": flow, "horizon": 100, "landmarks": {"28": at}}
    for name, numbers in {"06_real_trial": real, "07_time_to_dropout": {"n": n}}.items():
        results.publish(out / "results" / f"{name}.json", json.dumps(numbers))
    return patients


def walked(out):
    """Walk what is released: only a report and its tables, in neither a small count; gives the tables by id."""
    folder = out / "release"
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    tables = {path.stem: disclosure.read(path) for path in (folder / "tables").glob("*.csv")}
    assert files == {"report.html", *(f"tables/{id}.csv" for id in tables)}
    page = BeautifulSoup((folder / "report.html").read_text(encoding="utf-8"), "html.parser")
    for id, table in tables.items():
        rule = disclosure.RULES["released"][id]
        days = {"day", "landmark"}.intersection(table.columns)
        shown = [[cell.get_text() for cell in row.find_all("td")] for row in page.find(id=id).find_all("tr")[1:]]
        for cells in [*table.astype(object).fillna("").map(str).to_numpy().tolist(), *shown]:
            assert not [c for name, c in zip(table, cells, strict=True) if name not in days and SMALL.fullmatch(c)], id
        for name in rule.get("counts", []):
            whole = pd.to_numeric(table.get(name, pd.Series(dtype=float)), errors="coerce").dropna()
            assert (whole % 5 == 0).all(), (id, name)
        if picture := page.find(id=id).find("svg"):
            assert not [said.get_text() for said in picture.find_all("text") if SMALL.fullmatch(said.get_text())]
            steps = table.groupby(rule["steps"])["value"].nunique().max()
            # no line has more heights than its released curve has values
            lines = [path["d"] for path in picture.find_all("path") if "fill:none" in path.get("style", "")]
            assert lines
            assert all(len(set(re.findall(r"[ML]\S+ ([\d.]+)", line))) <= max(steps, 2) for line in lines), id
    return tables


def assert_steps(released, raw, keys):
    """Between neighbouring rows of a released curve at least eight left, counted in the ordinary table."""
    for name, curve in released.groupby(keys):
        whole = raw[raw[keys] == name]
        gone = [whole.loc[whole["day"] <= day, "events"].max() for day in curve["day"]]
        assert all(step == 0 or step >= 8 for step in np.diff(gone)), name
        assert gone[-1] == whole["events"].max()
        assert set(curve["day"]) <= {*range(0, 1000, 7), whole["day"].max()}


@pytest.mark.slow
@pytest.mark.parametrize("n", [24, 300])
def test_a_released_report_has_no_small_cell_no_small_step_and_no_name(tmp_path, n):
    ordinary(tmp_path, n)
    assert NAME in (tmp_path / "tables" / "tbl-leavers.csv").read_text()
    disclosure.release(tmp_path)
    tables = walked(tmp_path)
    assert not [p for p in (tmp_path / "release").rglob("*") if p.is_file() and b"Zebulon" in p.read_bytes()]
    assert tables["fig-fan"].astype(str).to_numpy().tolist() == [["2026-05", "<8", "0", "10"]]
    html = (tmp_path / "release" / "report.html").read_text(encoding="utf-8")
    assert "fewer than 8 of them had left" in html
    assert "2026-05-31" not in html
    assert "fig-past" not in tables
    if n == 300:
        for id, keys in {"fig-stacked": "reason", "fig-by-arm": "group"}.items():
            assert_steps(tables[id], disclosure.read(tmp_path / "tables" / f"{id}.csv"), keys)
            assert len(tables[id]) > 6
        assert tables["tbl-trial-reasons"]["reason"].tolist()[-1] == "pooled: fewer than 8 patients each"
    else:
        assert "<8" in tables["tbl-leavers"].to_numpy()


def test_shares_and_estimates_of_a_small_cell_go_with_it():
    rule = {"labels": ["group"], "counts": ["patients", "events"], "shares": ["value"], "estimates": ["ratio"]}
    table = pd.DataFrame({"group": list("abc"), "patients": [100, 100, 100], "events": [30, 7, 96]})
    made = disclosure.safe(table.assign(value=table["events"] / 100, ratio=1.2345), rule)
    assert made.to_numpy().tolist() == [["a", 100, 30, 0.3, 1.2], ["b", 100, "<8", "", ""], ["c", 100, 95, "", ""]]
    assert disclosure.count(11, 12) == "<12"
    assert disclosure.count(12, 12) == 15


def test_small_cells_of_an_ordinary_report_are_listed_with_their_place(tmp_path, capsys):
    ordinary(tmp_path, 300)
    table = pd.DataFrame({"patients": [100, 100], "share": [0.07, 0.08], "day 28: 3 of 9": [0.5, 0.5], "day": [3, 3]})
    results.publish(tmp_path / "tables" / "tbl-x.csv", table.to_csv(index=False))
    assert command.main(["disclose", str(tmp_path)]) == 1
    lines = [tuple(line.split("\t")) for line in capsys.readouterr().out.splitlines()]
    own = [line[2:] for line in lines if line[1] == "tbl-x"]
    assert own == [("1", "share"), ("0", "day 28: 3 of 9")]
    assert ("06_real_trial.json", "06_real_trial", "0", "flow.deaths") in lines
    assert ("fig-past.csv", "fig-past", "1", "left") in lines
    assert not [line for line in lines if line[3] in ("day", "reason", "horizon")]
    shutil.rmtree(tmp_path / "results")
    assert command.main(["disclose", str(tmp_path)]) == 2


@pytest.mark.slow
def test_a_folder_that_holds_something_else_is_not_replaced(tmp_path):
    ordinary(tmp_path, 300)
    (tmp_path / "release").mkdir()
    (tmp_path / "release" / "patients.csv").write_text("mine")
    with pytest.raises(BuildError, match="stays as it is"):
        disclosure.release(tmp_path)
    assert (tmp_path / "release" / "patients.csv").read_text() == "mine"


@pytest.mark.slow
def test_files_are_readable_by_whom_the_umask_says(tmp_path):
    code = "from pathlib import Path; import os; os.umask(0o027); from notebook_report import results; "
    code += f"results.publish(Path({str(tmp_path)!r}) / 'a.txt', 'a')"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=paths.ROOT)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o640


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_released_quick_report_of_the_example_trial(tmp_path):
    example = paths.ROOT / "data" / "example_trial"
    words = ["--quick", "--trial", example / "patients.csv", "--mapping", example / "trial-mapping.toml", "--release"]
    done = subprocess.run(
        [paths.ROOT / "run_all.sh", *words, "--out", tmp_path], capture_output=True, text=True, check=False
    )
    assert "to hand on" in done.stdout.splitlines()[-1], done.stderr
    tables = walked(tmp_path)
    assert len(tables) > 10
    for id, keys in {"fig-stacked": "reason", "fig-by-arm": "group"}.items():
        assert_steps(tables[id], disclosure.read(tmp_path / "tables" / f"{id}.csv"), keys)
