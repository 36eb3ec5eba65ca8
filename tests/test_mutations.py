"""The list of mutants applies to the study as it is, and what the script does with one is what it says."""

import json

import pytest

from benchmarks import mutations
from benchmarks.mutations import Mutant


def test_every_mutant_applies():
    assert [f"{mutant}: {why}" for mutant in mutations.listed() if (why := mutations.problem(mutant))] == []


def test_there_are_mutants_of_sentences_and_verdicts():
    files = [mutant.file for mutant in mutations.listed()]
    assert len(files) >= 30
    for part in ("notebooks/words/", "lib/attrition/claims/", "lib/attrition/metrics/", "lib/attrition/plots/"):
        assert any(file.startswith(part) for file in files), part


@pytest.fixture
def study(tmp_path):
    """A module with its test, and a notebook."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "half.py").write_text("def half(x):\n    return x / 2\n")
    (tmp_path / "test_half.py").write_text("import half\n\n\ndef test_half():\n    assert half.half(2) == 1\n")
    (tmp_path / "test_none.py").write_text("import half\n\n\ndef test_none():\n    assert half.half(0) == 0\n")
    cells = [{"cell_type": "code", "source": ["a = 1\n", "b = 2"]}, {"cell_type": "markdown", "source": ["Words"]}]
    (tmp_path / "n.ipynb").write_text(json.dumps({"cells": cells}))
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize(("tests", "alive"), [("test_half.py", False), ("test_none.py", True)])
def test_a_mutant_survives_when_its_tests_pass(study, tests, alive):
    before = (study / "lib" / "half.py").read_bytes()
    assert mutations.survives(Mutant("lib/half.py", "x / 2", "x * 2", tests), study) == alive
    assert (study / "lib" / "half.py").read_bytes() == before


@pytest.mark.parametrize(
    ("mutant", "why"),
    [
        (Mutant("lib/half.py", "x / 2", "x * 2", "test_half.py::test_half"), None),
        (Mutant("n.ipynb", "b = 2", "b = 3", "test_half.py"), None),
        (Mutant("n.ipynb", "Words", "words", "test_half.py"), None),
        (Mutant("lib/half.py", "x", "y", "test_half.py"), "the text stands there 2 times"),
        (Mutant("lib/half.py", "z", "y", "test_half.py"), "the text stands there 0 times"),
        (Mutant("lib/half.py", "x / 2", "x / 2", "test_half.py"), "it changes nothing"),
        (Mutant("lib/other.py", "x", "y", "test_half.py"), "there is no such file"),
        (Mutant("lib/half.py", "x / 2", "x * 2", "test_other.py"), "there is no test_other.py"),
    ],
)
def test_a_mutant_that_does_not_apply_says_why(study, mutant, why):
    assert mutations.problem(mutant, study) == why


def test_a_notebook_is_changed_in_its_cells_alone(study):
    made = json.loads(mutations.changed(study / "n.ipynb", "b = 2", "b = 3"))
    assert ["".join(cell["source"]) for cell in made["cells"]] == ["a = 1\nb = 3", "Words"]
