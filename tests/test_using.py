"""The lines printed in docs/using.md run, and say what is printed below them."""

import contextlib
import io
import os
import re
import subprocess
import sys

import pytest

from attrition import paths, registry
from attrition.registry import modelcard
from tests import champions

TEXT = (paths.ROOT / "docs" / "using.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture(scope="module")
def champion(tmp_path_factory):
    with champions.registered(tmp_path_factory.mktemp("out")) as scorer:
        yield scorer


def after(start):
    """The first block whose text contains `start`, and the block printed below it."""
    place = next(i for i, (_, text) in enumerate(BLOCKS) if start in text)
    return BLOCKS[place][1], BLOCKS[place + 1][1]


@pytest.mark.slow
def test_the_command_works_as_printed(champion, tmp_path):
    line, printed = after("python -m attrition score")
    (tmp_path / "data").symlink_to(paths.ROOT / "data")
    words = [sys.executable, *line.split()[1:]]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, env=os.environ, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(printed.strip())
    assert len((tmp_path / "example.scored.csv").read_text().splitlines()) == 4


@pytest.mark.slow
def test_the_python_form_works_as_printed(champion):
    lines, printed = after("registry.load(")
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(lines, "docs/using.md", "exec"), {})
    assert said.getvalue() == printed


def test_the_page_names_the_champion_of_a_quick_run(tmp_path, monkeypatch):
    monkeypatch.setenv("ATTRITION_OUT", str(tmp_path / "reports" / "quick"))
    assert f"`--model {registry.folder().relative_to(tmp_path).as_posix()}`" in TEXT


def test_the_example_file_holds_the_simulated_newcomers():
    text = (paths.ROOT / "data" / "example_patients.csv").read_text(encoding="utf-8")
    assert text == modelcard.newcomers(42).to_csv(index=False, lineterminator="\n")
