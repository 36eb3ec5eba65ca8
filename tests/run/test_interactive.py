"""Notebooks in JupyterLab: the right kernel, a place of their own to write to, and words where an input is missing."""

import json
import os
import subprocess
import sys

import pytest

from attrition import paths, results
from attrition.run import __main__ as command
from attrition.run import plan

READERS = ["00_findings", "02_eda", "03_feature_ablation", "04_modelling", "05_evaluation", "08_monitoring"]
KERNEL = "from jupyter_client import KernelManager; print(KernelManager(kernel_name='python3').format_kernel_cmd()[0])"


@pytest.mark.parametrize("name", READERS)
def test_a_notebook_alone_says_which_chapter_makes_what_is_missing(name, tmp_path, monkeypatch):
    monkeypatch.setenv("ATTRITION_OUT", str(tmp_path))
    cells = json.loads((paths.NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    with pytest.raises(results.MissingResult, match=r"is not there yet: chapter (\w+) makes it") as refusal:
        exec(compile(code.replace('profile = "full"', 'profile = "quick"', 1), name, "exec"), {})
    chapter = str(refusal.value).split("./run_all.sh --only ")[1]
    assert plan.find(chapter) in plan.with_needs([plan.find(name)])


def test_the_advice_is_for_the_report_at_hand(monkeypatch):
    monkeypatch.setenv("ATTRITION_OUT", str(paths.ROOT / "reports" / "quick"))
    with pytest.raises(results.MissingResult, match=r"run \./run_all\.sh --quick --only 04_modelling"):
        results.needed("04_modelling", paths.ROOT / "no such file")


@pytest.fixture
def lab(monkeypatch):
    """Environment that ``./run_all.sh lab`` starts JupyterLab in."""
    given = {}
    monkeypatch.delenv("ATTRITION_OUT", raising=False)
    monkeypatch.setattr(command.subprocess, "call", lambda words, env: given.update(env) or 0)
    assert command.main(["lab"]) == 0
    return given


def test_the_committed_report_is_out_of_reach_in_lab(lab):
    assert lab["ATTRITION_OUT"] == str(paths.ROOT / "reports" / "quick")


def test_lab_takes_the_kernel_of_its_own_environment(lab, tmp_path):
    rogue = tmp_path / ".local" / "share" / "jupyter" / "kernels" / "python3"
    rogue.mkdir(parents=True)
    spec = {"argv": ["/elsewhere/python", "-m", "ipykernel_launcher"], "display_name": "Python 3", "language": "python"}
    (rogue / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")

    def kernel(environment):
        run = subprocess.run(
            [sys.executable, "-c", KERNEL], env=environment, capture_output=True, text=True, check=True
        )
        return run.stdout.strip()

    home = {"HOME": str(tmp_path), "JUPYTER_PREFER_ENV_PATH": "0"}
    assert kernel(os.environ | home) == "/elsewhere/python"  # what the user's own kernel would do
    assert kernel(home | lab | {"HOME": str(tmp_path)}) == sys.executable
