"""The publishing package stands on its own."""

import ast
import subprocess
import sys

import pytest

from notebook_report import project

PACKAGE = project.library() / "notebook_report"


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.stem)
def test_it_imports_nothing_of_the_project(path):
    source = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert "attrition" not in {name.partition(".")[0] for name in names}
    assert "attrition" not in source


@pytest.mark.slow
def test_it_works_without_the_project(tmp_path):
    """Another project: one chapter shown, rendered and checked."""
    script = """
import sys
from pathlib import Path
import nbformat
import notebook_report as report
from notebook_report import book, project
folder = Path(sys.argv[1])
project.use(project.Project(name="other", root=folder, title="Another study?"))
import pandas as pd
with report.capture() as outputs:
    report.table(pd.DataFrame({"n_days": [1, 2]}), id="tbl-days", caption="Days.")
    report.say("{{ n }} days.", n=2)
cell = nbformat.v4.new_code_cell("show()", outputs=[nbformat.from_dict(one) for one in outputs])
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Days"), cell])
nbformat.write(notebook, folder / "01_days.ipynb")
page = book.build([folder / "01_days.ipynb"], folder / "reports").read_text()
assert "2 days." in page and "Another study?" in page and "n days" in page
assert not [name for name in sys.modules if name.partition(".")[0] == "attrition"]
"""
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
