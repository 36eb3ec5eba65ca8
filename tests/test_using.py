"""The lines printed in docs/using.md run, and say what is printed below them."""

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys

import pytest

from attrition import paths, registry, score
from attrition.registry import modelcard
from attrition.run import TrialCommand
from tests import champions, services

TEXT = (paths.ROOT / "docs" / "using.md").read_text(encoding="utf-8")
QUICK_START = re.findall(r"^\| .+ \| `([^`|]+)` \| `([^`|]+)` \|$", TEXT, re.MULTILINE)
"""Command and what it prints, a row of the table."""
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
    assert "6 of its 9 inputs are known only after the outcome" in TEXT
    assert done.stdout.splitlines()[1] == score.late(champion.card)
    assert score.late(champion.card).startswith("6 of the 9 inputs")
    assert len((tmp_path / "example.scored.csv").read_text().splitlines()) == 4


@pytest.mark.slow
def test_the_python_form_works_as_printed(champion):
    lines, printed = after("registry.load(")
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(lines, "docs/using.md", "exec"), {})
    assert said.getvalue() == printed


def words(line):
    """A command of the page as this environment has it; ``./run_all.sh`` is only found or made an environment for."""
    first, *rest = shlex.split(line)
    return [sys.executable, *(["-m", "attrition.run", *rest] if first == "./run_all.sh" else rest)]


def test_the_quick_start_has_all_that_was_published_and_help_shows_it():
    lines = [line for line, _ in QUICK_START]
    tasks = [line.split()[3] if line.startswith("python") else line for line in lines]
    assert tasks == ["simulate", "./run_all.sh", "./run_all.sh ui", "score", "simulate", "monitor", "retrain", "score"]
    told = TrialCommand().parser().format_help()
    assert [line for line in lines if f"  {line}\n" not in told] == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_line_of_the_quick_start_prints_what_the_page_says(tmp_path, monkeypatch):
    """In the order of the page, in one folder, after a run of its own, which is a quick one."""
    monkeypatch.setenv("ATTRITION_OUT", str(tmp_path / "out"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "data").symlink_to(paths.ROOT / "data")
    (tmp_path / "reports").symlink_to(tmp_path / "out")
    for line, printed in QUICK_START:
        pattern = re.escape(printed).replace("…", ".*")
        if line.endswith(" ui"):
            port, log = services.free_port(), tmp_path / "ui.txt"
            with services.running([*words(line), "--port", port], f"http://127.0.0.1:{port}/health", log):
                assert re.search(pattern.replace("5000", str(port)), log.read_text(encoding="utf-8")), line
            continue
        small = ["--quick", "--out", tmp_path / "out"] if line == "./run_all.sh" else []
        done = subprocess.run([*words(line), *small], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), line
        assert re.search(f"^{pattern}$", done.stdout, re.MULTILINE), (line, done.stdout)


def test_the_page_names_the_champion_of_a_quick_run(tmp_path, monkeypatch):
    monkeypatch.setenv("ATTRITION_OUT", str(tmp_path / "reports" / "quick"))
    assert f"`--model {registry.folder().relative_to(tmp_path).as_posix()}`" in TEXT


def test_the_example_file_holds_the_simulated_newcomers():
    text = (paths.ROOT / "data" / "example_patients.csv").read_text(encoding="utf-8")
    assert text == modelcard.newcomers(42).to_csv(index=False, lineterminator="\n")
