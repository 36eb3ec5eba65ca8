"""Kills, full disks, a second run, failures: what is finished stays, what is not is redone, and one message says so."""

import contextlib
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from attrition.run import TrialCommand
from notebook_report import command
from notebook_report import state as leftovers
from notebook_report.state import State
from tests.faults.toy import CHAPTERS, PUBLISHED, digests, ends_cleanly_on_ctrl_c

pytestmark = pytest.mark.slow

SLEEPER = "import time; time.sleep(120)"
KILLS = 20


def wait_for(happened, seconds=60):
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def limited(limit):
    return ["bash", "-c", f'ulimit {limit}; exec "$@"', "_"]


@pytest.fixture
def sleeping(own_toy):
    """A checkout whose third chapter never ends, with a run that has come to it."""
    own_toy.write("03_gamma", SLEEPER, *CHAPTERS["03_gamma"])
    out = own_toy.folder / "out"
    process = own_toy.start("--only", "03", "--out", out)
    wait_for(own_toy.kernels)
    wait_for(lambda: (out / "logs" / "03_gamma.log").exists())
    yield own_toy, out, process
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    leftovers.end_kernels(leftovers.noted(out))


@pytest.mark.timeout(600)
def test_kill_9_twenty_times_ends_with_the_same_bytes(toy, undisturbed, tmp_path):
    out, moments = tmp_path / "out", random.Random(20261123)
    for _ in range(KILLS):
        process = toy.start("--out", out)
        try:
            process.wait(moments.uniform(0.2, 7))
        except subprocess.TimeoutExpired:
            process.kill()
        process.communicate()
        done = sorted(path for path in (out / "results").glob("*.json") if moments.random() < 0.4)
        for path in done:  # so that the next run has something left to do
            path.unlink()
    assert toy.run("--out", out).returncode == 0
    assert digests(out, *PUBLISHED) == digests(undisturbed, *PUBLISHED)
    assert {p.name for p in (out / "executed").iterdir()} == {f"{name}.ipynb" for name in CHAPTERS}
    assert not [p for p in out.rglob("*") if leftovers.HALF_WRITTEN.fullmatch(p.name)]
    assert toy.kernels() == []
    assert toy.litter() == []


def test_kill_9_leaves_no_kernel_and_no_half_notebook_and_the_next_run_clears_the_rest(sleeping):
    toy, out, process = sleeping
    process.kill()
    process.wait()
    assert (out / ".state" / "holder").exists()
    wait_for(lambda: not toy.kernels(), 20)
    assert not (out / "executed" / "03_gamma.ipynb").exists()
    assert toy.litter()
    scrap = out / "results" / ".01_alpha.json.abcd1234"
    scrap.parent.mkdir(exist_ok=True)
    scrap.write_text("{")
    (out / "executed" / "03_gamma.partial.ipynb").write_text("{")
    toy.write("03_gamma", *CHAPTERS["03_gamma"])
    assert toy.run("--only", "03", "--out", out).returncode == 0
    assert toy.litter() == []
    assert not scrap.exists()
    assert [p.name for p in (out / "executed").iterdir()] == ["03_gamma.ipynb"]


@pytest.fixture
def number_seen_before(monkeypatch):
    """Make psutil remember an earlier process of the same number, as after many short-lived processes."""

    def remember(pid):
        earlier = psutil.Process(pid)
        earlier._create_time, earlier._ident = 1.0, (pid, 1.0)
        monkeypatch.setattr(psutil, "_pmap", {pid: earlier})

    return remember


@pytest.mark.parametrize("reused", [False, True], ids=["fresh number", "reused number"])
def test_a_kernel_that_outlived_its_run_is_ended_by_the_next(tmp_path, number_seen_before, reused):
    folder = tmp_path / "nbr-lost"
    folder.mkdir()
    survivor = subprocess.Popen(["bash", "-c", "sleep 60; true", str(folder / leftovers.CONNECTION)])
    if reused:
        number_seen_before(survivor.pid)
    try:
        leftovers.note(tmp_path / "out", folder)
        with State(tmp_path / "out").locked():
            survivor.wait(10)
            assert not folder.exists()
    finally:
        survivor.kill()


def test_ctrl_c_gives_130_and_leaves_no_process_and_no_folder(sleeping):
    toy, out, process = sleeping
    ends_cleanly_on_ctrl_c(toy, process)
    assert not (out / "executed" / "03_gamma.ipynb").exists()


def listens(process):
    """Whether a process has a handler for SIGTERM: before that, it is the interpreter that starts and not the run."""
    caught = re.search(r"^SigCgt:\s*(\w+)", Path(f"/proc/{process.pid}/status").read_text(), re.MULTILINE)
    return int(caught[1], 16) >> (signal.SIGTERM - 1) & 1


@pytest.mark.parametrize("moment", [0.0, 0.4, 1.2])
def test_ctrl_c_at_any_moment_gives_130_and_leaves_no_process(toy, tmp_path, moment):
    process = toy.start("--out", tmp_path / "out")
    wait_for(lambda: listens(process))
    time.sleep(moment)
    for _ in range(2):  # people press it twice
        os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=30)
    wait_for(lambda: not toy.kernels(), 20)
    assert process.returncode == 130, told
    assert "Traceback" not in told


def test_ctrl_c_that_a_package_turns_into_an_error_gives_130(monkeypatch, capsys):
    """numpy, interrupted while it is loaded, says that it cannot be imported."""

    def loading(self, args):
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        raise ImportError("cannot import numpy")

    monkeypatch.setattr(TrialCommand, "run", loading)
    before = {number: signal.getsignal(number) for number in command.SIGNALS}
    try:
        assert TrialCommand().line([]) == 130
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert capsys.readouterr().err.startswith("run_all.sh: interrupted")


def test_two_runs_at_once_the_second_names_the_holder_and_stops_with_6(sleeping):
    toy, out, process = sleeping
    before = toy.kernels()
    second = toy.run("--only", "01", "--out", out)
    assert second.returncode == 6
    assert f"in use by process {process.pid}" in second.stderr
    assert process.poll() is None
    assert toy.kernels() == before


def test_a_stale_lock_of_a_killed_run_does_not_block(toy, tmp_path):
    state = State(tmp_path / "out")
    state.folder.mkdir(parents=True)
    (state.folder / "holder").write_text("process 1\n")
    (state.folder / "lock").touch()
    assert toy.run("--only", "01", "--out", tmp_path / "out").returncode == 0


@pytest.mark.parametrize("blocks", [0, 1, 6, 20])
def test_files_that_may_not_grow_give_6_and_leave_the_old_report(toy, undisturbed, tmp_path, blocks):
    out = tmp_path / "out"
    shutil.copytree(undisturbed, out)
    before = digests(out, *PUBLISHED)
    done = toy.run("--out", out, "--force", prefix=limited(f"-f {blocks}"))
    assert done.returncode == 6
    assert "cannot write" in done.stderr
    assert digests(out, "report.html") == {"report.html": before["report.html"]}
    assert digests(out, "results").items() <= before.items()
    assert not [p for p in out.rglob("*") if leftovers.HALF_WRITTEN.fullmatch(p.name)]


PUBLISHING = """
import sys
from pathlib import Path
from notebook_report import results
place = Path(sys.argv[1])
results.publish(place, "the old report")
try:
    results.publish(place, "x" * 200_000)
except results.OutputError as error:
    print(error, error.exit_code)
"""


def test_a_report_that_does_not_fit_is_not_half_written_over_the_old_one(tmp_path):
    place = tmp_path / "report.html"
    words = [*limited("-f 64"), sys.executable, "-c", PUBLISHING, str(place)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout == "cannot write report.html: File too large 6\n"
    assert place.read_text() == "the old report"
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


@pytest.fixture
def small_disk(tmp_path):
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "small", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


@pytest.mark.parametrize("left", [0, 12_000])
def test_disk_full_gives_6_and_leaves_the_old_report(toy, undisturbed, small_disk, left):
    out = small_disk / "out"
    shutil.copytree(undisturbed, out)
    before = digests(out, *PUBLISHED)
    free = shutil.disk_usage(small_disk).free
    with (small_disk / "filler").open("wb") as filler:
        filler.write(b"x" * max(free - left, 0))
    done = toy.run("--out", out, "--force")
    assert done.returncode == 6
    assert "No space left on device" in done.stderr
    assert digests(out, "report.html") == {"report.html": before["report.html"]}
    assert digests(out, "results", "tables").items() <= before.items()
    (small_disk / "filler").unlink()
    assert toy.run("--out", out).returncode == 0
    assert digests(out, *PUBLISHED) == digests(undisturbed, *PUBLISHED)


def test_failing_notebook_gives_5_with_notebook_cell_line_and_path_and_the_rest_runs(own_toy):
    own_toy.write("01_alpha", "a = 1", "raise ValueError('boom')")
    out = own_toy.folder / "out"
    done = own_toy.run("--out", out)
    assert done.returncode == 5
    failed = out / "executed" / "01_alpha.failed.ipynb"
    assert f"01_alpha, code cell 3: ValueError: boom\n  executed so far: {failed}" in done.stderr
    assert json.loads(failed.read_text())["nbformat"] == 4
    assert (out / "results" / "03_gamma.json").exists()
    assert "02_beta                skipped" in done.stdout
    assert not (out / "report.html").exists()
    assert own_toy.kernels() == []
    assert own_toy.litter() == []


IMPORTS = "import pandas as pd\nfrom notebook_report import results\n"
TABLE = IMPORTS + "results.write_table('tbl-kept', pd.DataFrame({'a': [%d]}))"


def test_a_failing_notebook_leaves_the_tables_of_the_run_before(own_toy):
    out, last = own_toy.folder / "out", 'results.write("01_alpha", {"value": seed})'
    own_toy.write("01_alpha", TABLE % 1, last)
    assert own_toy.run("--out", out).returncode == 0
    before = digests(out, "report.html", "tables")
    own_toy.write("01_alpha", TABLE % 2, "raise ValueError('boom')", last)
    assert own_toy.run("--out", out).returncode == 5
    assert digests(out, "report.html", "tables") == before
    assert (out / "tables" / "tbl-kept.csv").read_text() == "a\n1\n"
    own_toy.write("01_alpha", TABLE % 2, last)
    assert own_toy.run("--out", out).returncode == 0
    assert (out / "tables" / "tbl-kept.csv").read_text() == "a\n2\n"
    assert not list((out / ".state").glob("*.tables"))


def names_in_the_store(out):
    with contextlib.closing(sqlite3.connect(out / "mlruns" / "mlflow.db")) as base:
        return [name for (name,) in base.execute("SELECT name FROM runs")]


def test_chapters_are_logged_once_when_they_have_succeeded(own_toy):
    out = own_toy.folder / "out"
    own_toy.write("03_gamma", "raise ValueError('boom')")
    assert own_toy.run("--out", out).returncode == 5
    assert names_in_the_store(out) == ["01_alpha", "02_beta"]
    own_toy.write("03_gamma", *CHAPTERS["03_gamma"])
    assert own_toy.run("--out", out).returncode == 0
    assert names_in_the_store(out) == ["01_alpha", "02_beta", "03_gamma"]
    assert "nothing to redo" in own_toy.run("--out", out).stdout
    assert names_in_the_store(out) == ["01_alpha", "02_beta", "03_gamma"]


def test_a_store_that_fails_costs_one_line_and_not_the_report(own_toy):
    out = own_toy.folder / "out"
    done = own_toy.run("--out", out, MLFLOW_TRACKING_URI="sqlite:////proc/nowhere/mlflow.db")
    assert done.returncode == 0
    assert (out / "report.html").exists()
    told = done.stderr.splitlines()
    assert [line.partition(" was not tracked: ")[0].split()[-1] for line in told] == ["01_alpha", "02_beta", "03_gamma"]


CODES = {
    "from attrition.contract import strict\nraise strict.ContractError('t', [strict.Problem('age', 'bad')])": 3,
    "from attrition.cdisc.sources import CdiscError\nraise CdiscError('dm: a column is missing')": 3,
    "from attrition.landmark.guard import LeakError\nraise LeakError('TRTDURD: derived from the outcome')": 3,
    "from attrition import params\nparams.load('04_modeling')": 2,
    "from notebook_report import results\nresults.read('05_x')": 5,
    "raise OSError(28, 'No space left on device')": 6,
    "raise type('ContractError', (Exception,), {})('an impostor')": 5,
}


@pytest.mark.parametrize(("cell", "code"), CODES.items(), ids=range(len(CODES)))
def test_an_error_in_a_notebook_ends_the_run_with_its_own_code(own_toy, cell, code):
    own_toy.write("01_alpha", cell)
    done = own_toy.run("--only", "01", "--out", own_toy.folder / "out")
    assert done.returncode == code
    assert "01_alpha, code cell 2: " in done.stderr
    notebook = (own_toy.folder / "out" / "executed" / "01_alpha.failed.ipynb").read_text()
    assert code not in (2, 3) or "Traceback" not in notebook


def test_a_notebook_whose_process_dies_gives_5_and_says_why_it_may_be(own_toy):
    own_toy.write("01_alpha", "import os\nos.kill(os.getpid(), 9)")
    done = own_toy.run("--only", "01", "--out", own_toy.folder / "out")
    assert done.returncode == 5
    assert "01_alpha: its process was ended from outside, most likely for want of memory" in done.stderr


def test_typo_in_params_gives_2_with_did_you_mean(own_toy):
    file = own_toy.folder / "params.yaml"
    file.write_text(file.read_text().replace("02_beta", "02_betta"))
    done = own_toy.run("--out", own_toy.folder / "out")
    assert done.returncode == 2
    assert "unknown key '02_betta'; did you mean '02_beta'?" in done.stderr
    assert not (own_toy.folder / "out" / "executed").exists()


USAGE = {
    "--only alhpa": "did you mean 'alpha'?",  # codespell:ignore alhpa
    "--bogus": "unknown: --bogus; ./run_all.sh help",
    "--jobs 0": "--jobs must be at least 1",
    "--jobs two": "invalid int value",
    "--mapping m.toml": "--mapping goes with --trial",
    "--only": "expected one argument",
    "extra": "unknown: extra",
}


@pytest.mark.parametrize("words", USAGE)
def test_usage_errors_give_2(toy, tmp_path, words):
    done = toy.run(*words.split(), "--out", tmp_path / "out")
    assert done.returncode == 2
    assert USAGE[words] in done.stderr
    assert not (tmp_path / "out").exists()
