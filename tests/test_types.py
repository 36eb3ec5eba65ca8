"""mypy finds nothing in the library, by the settings of pyproject.toml."""

import os
import subprocess
import sys

import pytest

from attrition import paths


def checked(*words, cwd=paths.ROOT):
    command = [sys.executable, "-m", "mypy", *map(str, words)]
    return subprocess.run(command, cwd=cwd, env=os.environ, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_types_of_the_library_hold(tmp_path):
    run = checked("--cache-dir", tmp_path)
    assert run.returncode == 0, run.stdout
    assert "no issues found" in run.stdout


@pytest.mark.slow
def test_a_wrong_type_would_be_found(tmp_path):
    wrong = tmp_path / "wrong.py"
    wrong.write_text(
        'from notebook_report.text import escape\n\nescape(3)\n\n\ndef f(x):\n    return "a" + 1\n', encoding="utf-8"
    )
    run = checked("--config-file", paths.ROOT / "pyproject.toml", "--cache-dir", tmp_path / "cache", wrong)
    assert run.stdout.count("error:") == 2, run.stdout
