"""After a failure, a move, a change of branch or of profile the next run is as good as the first."""

import shutil
import subprocess

import pytest

from notebook_report.errors import NOTEBOOK, OK, USAGE
from tests.faults.toy import CHAPTERS, Toy

pytestmark = pytest.mark.slow

BREAKS = "raise ValueError('a provoked failure')"


def test_a_failure_is_forgotten_when_its_cause_is_gone(own_toy):
    toy = own_toy
    assert toy.run().returncode == OK
    toy.write("03_gamma", BREAKS, *CHAPTERS["03_gamma"])
    assert toy.run().returncode == NOTEBOOK
    assert (toy.folder / "reports" / "executed" / "03_gamma.failed.ipynb").exists()
    toy.write("03_gamma", *CHAPTERS["03_gamma"])
    done = toy.run("--only", "02", "--force")
    assert done.returncode == OK, done.stderr
    assert "provoked" not in (toy.folder / "reports" / "report.html").read_text(encoding="utf-8")


def test_a_fresh_quick_run_after_a_failure_ends_well(own_toy):
    own_toy.write("03_gamma", BREAKS)
    assert own_toy.run("--quick").returncode == NOTEBOOK
    own_toy.write("03_gamma", *CHAPTERS["03_gamma"])
    assert own_toy.run("--quick").returncode == OK
    assert (own_toy.folder / "reports" / "quick" / "report.html").exists()


def test_what_is_not_in_the_plan_is_not_in_the_report(own_toy):
    assert own_toy.run().returncode == OK
    report, executed = own_toy.folder / "reports" / "report.html", own_toy.folder / "reports" / "executed"
    before = report.read_bytes()
    other = (executed / "03_gamma.ipynb").read_text(encoding="utf-8").replace("fig-cloud", "fig-elsewhere")
    (executed / "09_elsewhere.ipynb").write_text(other, encoding="utf-8")
    assert own_toy.run("--force").returncode == OK
    assert report.read_bytes() == before
    assert b"fig-elsewhere" not in before


def test_a_chapter_of_another_state_of_the_sources_is_named_in_the_report(own_toy):
    report = own_toy.folder / "reports" / "report.html"
    assert own_toy.run().returncode == OK
    assert "Not up to date" not in report.read_text(encoding="utf-8")
    changed = [*CHAPTERS["01_alpha"], "1 + 1"]
    own_toy.write("01_alpha", *changed)
    done = own_toy.run("--only", "03", "--force")
    told = "Made before the last change of what it is made from: 01_alpha, 02_beta."
    assert told in done.stdout
    assert "./run_all.sh redoes what is needed" in done.stdout
    assert f"<strong>Not up to date.</strong> {told}" in report.read_text(encoding="utf-8")
    assert own_toy.run().returncode == OK
    assert "Not up to date" not in report.read_text(encoding="utf-8")


def test_a_checkout_that_was_moved_is_still_up_to_date(own_toy, tmp_path):
    assert own_toy.run().returncode == OK
    shutil.move(own_toy.folder, tmp_path / "renamed")
    done = Toy(tmp_path / "renamed", own_toy.temporary).run()
    assert "nothing to redo: 3 chapters are up to date" in done.stdout
    assert own_toy.folder.exists() is False


LOADS = "from attrition import params\nparams.load('{}', profile)"


def test_a_chapter_does_not_read_what_another_profile_made(own_toy, tmp_path):
    for name in ("01_alpha", "02_beta"):
        own_toy.write(name, LOADS.format(name), *CHAPTERS[name])
    out = tmp_path / "out"
    assert own_toy.run("--quick", "--out", out, "--only", "01").returncode == OK
    done = own_toy.run("--out", out, "--only", "02")
    assert done.returncode == USAGE
    assert 'results/01_alpha.json was made with the profile "quick", and this chapter runs with "full"' in done.stderr
    assert own_toy.run("--out", out).returncode == OK


def test_advice_is_in_the_words_of_the_user(toy, tmp_path):
    done = toy.run("--quick", "--out", tmp_path / "my out", "--only", "02")
    assert f"run ./run_all.sh --quick --out '{tmp_path / 'my out'}' --only 01_alpha" in done.stderr


def test_an_unchanged_run_loads_nothing_that_executes_or_renders(toy, undisturbed):
    command = toy.command("--out", undisturbed)
    done = subprocess.run(
        [command[0], "-X", "importtime", *command[1:]], cwd=toy.folder, env=toy.env(), capture_output=True, text=True
    )
    assert "nothing to redo: 3 chapters are up to date" in done.stdout
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "notebook_report.driver" in loaded
    assert not loaded & {"papermill", "nbconvert", "jinja2", "joblib", "scipy", "matplotlib", "sklearn", "mlflow"}
