"""A toy study of three chapters: alpha is read by beta, gamma stands alone."""

import json

import pytest
import yaml

from attrition import params, paths
from notebook_report import project
from notebook_report.project import Chapter

PARAMETERS = 'profile = "full"\nseed = 42'
SOURCES = {
    "01_alpha": 'from notebook_report import results\nresults.write("01_alpha", {"value": seed})',
    "02_beta": """from notebook_report import results
results.write("02_beta", {"twice": 2 * results.read("01_alpha")["value"]})""",
    "03_gamma": 'from notebook_report import results\nresults.write("03_gamma", {"profile": profile})',
}


def write_notebook(path, *cells, parameters=PARAMETERS):
    """A notebook with a parameter cell and code cells."""
    made = [{"cell_type": "code", "id": "p", "metadata": {"tags": ["parameters"]}, "source": parameters}]
    made += [{"cell_type": "code", "id": f"c{i}", "metadata": {}, "source": text} for i, text in enumerate(cells)]
    for cell in made:
        cell |= {"outputs": [], "execution_count": None}
    made.insert(0, {"cell_type": "markdown", "id": "m", "metadata": {}, "source": f"# {path.stem}"})
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path.write_text(json.dumps({"cells": made, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}))


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Toy study in a temporary folder; returns the folder, with ``notebooks`` and ``out`` inside."""
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    for name, source in SOURCES.items():
        write_notebook(notebooks / f"{name}.ipynb", source)
    chapters = (Chapter("01_alpha"), Chapter("02_beta", needs=("01_alpha",)), Chapter("03_gamma"))
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"seed": 42, **{c.name: {} for c in chapters}}))
    monkeypatch.setattr(project.current, "notebooks", str(notebooks))
    monkeypatch.setattr(paths, "PARAMS", tmp_path / "params.yaml")
    for kinds in ("SECTIONS", "SHAPES"):
        monkeypatch.setattr(params, kinds, {c.name: getattr(params, kinds)["02_eda"] for c in chapters})
    monkeypatch.setattr(project.current, "chapters", chapters)
    return tmp_path
