"""`./run_all.sh verify` runs in a scratch folder and tells what differs from the committed results."""

import json
import shutil
from pathlib import Path

import pytest

from attrition import paths
from attrition.run import TrialCommand
from notebook_report import project


@pytest.fixture
def committed(tmp_path, monkeypatch):
    """A checkout whose results a run copies instead of computing; called with a change, the run gives that."""
    reports = tmp_path / "reports"
    shutil.copytree(paths.ROOT / "reports" / "results", reports / "results")
    monkeypatch.setattr(project.current, "root", tmp_path)
    ran = []

    def run_gives(change=lambda numbers: None):
        def run(self, args):
            ran.append(args.out)
            target = Path(shutil.copytree(reports / "results", args.out / "results")) / "02_eda.json"
            numbers = json.loads(target.read_text())
            change(numbers)
            target.write_text(json.dumps(numbers))
            return 0

        monkeypatch.setattr(TrialCommand, "run", run)
        return ran

    return run_gives


@pytest.mark.slow
def test_the_same_results_agree_and_the_scratch_folder_goes(committed, capsys):
    ran = committed()
    assert TrialCommand().main(["verify"]) == 0
    assert capsys.readouterr().out.endswith("agree\n")
    assert not ran[0].exists()


@pytest.mark.slow
def test_a_changed_number_is_told_by_its_key(committed, capsys):
    committed(lambda numbers: numbers.update(planted=1))
    assert TrialCommand().main(["verify"]) == 1
    assert capsys.readouterr().out == "02_eda.json: planted: (absent) -> 1\n"


def test_a_failed_run_keeps_its_exit_code(committed, monkeypatch):
    committed()
    monkeypatch.setattr(TrialCommand, "run", lambda self, args: 5)
    assert TrialCommand().main(["verify"]) == 5
