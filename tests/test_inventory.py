"""Nothing of the report gets lost unnoticed: figures, tables, findings, keys of results."""

import json
import re
import shutil

import pytest

from attrition import paths
from tests import inventory

SEVERAL_TRIALS = {"tbl-across-trials", "tbl-next-trial", "tbl-estimands"}
"""Shown only when a reader brings more than one trial, or one that records both ways out."""
HINT = "if this is meant: python -m tests.inventory"


def test_nothing_of_the_committed_report_is_lost():
    assert not inventory.missing(inventory.known(), inventory.take()), HINT


def test_whatever_the_report_has_gained_is_in_the_inventory():
    assert not inventory.missing(inventory.take(), inventory.known()), HINT


def named(notebook):
    """Ids of figures, tables and findings in the code of a notebook."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    return set(re.findall(r"""["']((?:fig|tbl|finding)-[\w-]+)["']""", code))


def test_what_the_notebooks_name_is_in_the_report():
    shown = set(inventory.take()["ids"])
    asked = {id for notebook in paths.NOTEBOOKS.glob("[0-9]*.ipynb") for id in named(notebook)}
    assert len(asked) > 100
    assert asked - shown == SEVERAL_TRIALS


@pytest.fixture
def copied(tmp_path):
    for name in ("results", "tables"):
        shutil.copytree(inventory.REPORT / name, tmp_path / name)
    shutil.copy(inventory.REPORT / "report.html", tmp_path)
    return tmp_path


def test_a_lost_figure_file_or_number_would_be_noticed(copied):
    before = inventory.take(copied)
    page, result = copied / "report.html", copied / "results" / "02_eda.json"
    figure = next(id for id in before["ids"] if id.startswith("fig-"))
    page.write_text(page.read_text(encoding="utf-8").replace(f'id="{figure}"', ""), encoding="utf-8")
    numbers = json.loads(result.read_text(encoding="utf-8"))
    key = min(key for key, value in numbers.items() if not isinstance(value, dict | list))
    del numbers[key]
    result.write_text(json.dumps(numbers), encoding="utf-8")
    (copied / "tables" / before["files"][0]).unlink()
    lost = [f"02_eda.json: {key}", f"files: {before['files'][0]}", f"ids: {figure}"]
    assert sorted(inventory.missing(before, inventory.take(copied))) == sorted(lost)
