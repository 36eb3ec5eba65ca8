"""Kernels forked from a warm process: the same report, the same figures, and nothing left running whatever happens."""

import json
import os
import re
import signal
import subprocess

import psutil
import pytest

from attrition.run import warm
from tests.faults.test_crash import SLEEPER, wait_for
from tests.faults.toy import CHAPTERS, PUBLISHED, _replace, digests, ends_cleanly_on_ctrl_c

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not warm.POSSIBLE, reason="kernels are forked on Linux only"),
]
ADDRESS = re.compile(r"0x[0-9a-f]+")


def outputs(out, name):
    """What every cell of an executed notebook shows; places in memory and the output folder left out."""
    cells = json.loads((out / "executed" / f"{name}.ipynb").read_text())["cells"]
    shown = [json.dumps(cell.get("outputs"), sort_keys=True) for cell in cells]
    return [ADDRESS.sub("", text).replace(str(out), "OUT") for text in shown]


def logged(out, name):
    """What a kernel said outside its cells, but for its being interrupted when it is no longer needed."""
    lines = (out / "logs" / f"{name}.log").read_text().splitlines()
    return [line for line in lines if "KeyboardInterrupt" not in line]


def test_forked_and_ordinary_kernels_give_the_same_bytes_and_the_same_figures(toy, undisturbed, tmp_path):
    out = tmp_path / "out"
    assert toy.run("--no-warm", "--out", out).returncode == 0
    assert digests(out, *PUBLISHED) == digests(undisturbed, *PUBLISHED)
    assert sum("image/" in shown for shown in outputs(undisturbed, "03_gamma")) == 1
    for name in CHAPTERS:
        assert outputs(out, name) == outputs(undisturbed, name)
        assert logged(out, name) == logged(undisturbed, name) == []


ORIGIN = """import random, sys, numpy as np
from attrition import results
drawn = [random.random(), np.random.random()]
results.write("{name}", {{"forked": "attrition.run.warm" in sys.orig_argv, "drawn": drawn}})"""


@pytest.mark.parametrize("words", [[], ["--no-warm"]], ids=["forked", "ordinary"])
def test_kernels_are_forked_unless_switched_off_and_share_no_random_state(own_toy, words):
    for name in ("01_alpha", "03_gamma"):
        own_toy.write(name, ORIGIN.format(name=name))
    own_toy.write("02_beta", "pass")
    out = own_toy.folder / "out"
    assert own_toy.run("--out", out, *words).returncode == 0
    one, other = (json.loads((out / "results" / f"{name}.json").read_text()) for name in ("01_alpha", "03_gamma"))
    assert one["forked"] == other["forked"] == (not words)
    assert not set(one["drawn"]) & set(other["drawn"])


def test_an_unchanged_run_loads_nothing_that_executes_or_renders(toy, undisturbed):
    command = toy.command("--out", undisturbed)
    done = subprocess.run(
        [command[0], "-X", "importtime", *command[1:]], cwd=toy.folder, env=toy.env(), capture_output=True, text=True
    )
    assert "nothing to redo: 3 chapters are up to date" in done.stdout
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "attrition.run.driver" in loaded
    assert not loaded & {"papermill", "nbconvert", "jinja2", "joblib", "scipy", "matplotlib", "sklearn", "mlflow"}


def forked(toy):
    """Kernels that were forked, and the process that forked them."""
    found = [process for process in toy.kernels() if "attrition.run.warm" in process.cmdline()]
    numbers = {process.pid for process in found}
    return [p for p in found if p.ppid() in numbers], [p for p in found if p.ppid() not in numbers]


@pytest.fixture
def busy(own_toy):
    """A checkout with two chapters that never end, and a run that has forked a kernel for each."""
    for name in ("01_alpha", "03_gamma"):
        own_toy.write(name, "from attrition import paths\n(paths.out() / f'{profile}-{seed}').touch()\n" + SLEEPER)
    out = own_toy.folder / "out"
    process = own_toy.start("--out", out)
    wait_for(lambda: len(forked(own_toy)[0]) == 2 and (out / "full-42").exists())
    yield own_toy, out, process
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def test_kill_9_leaves_no_process_and_the_next_run_clears_the_rest(busy):
    toy, out, process = busy
    process.kill()
    wait_for(lambda: not toy.kernels(), 20)
    assert toy.litter()
    for name, cells in CHAPTERS.items():
        toy.write(name, *cells)
    assert toy.run("--out", out).returncode == 0
    assert toy.litter() == []


def test_a_survivor_is_ended_by_the_next_run(busy):
    toy, out, process = busy
    _, (parent,) = forked(toy)
    parent.suspend()  # it cannot notice that the run is gone
    process.kill()
    process.wait()
    assert toy.kernels()
    for name, cells in CHAPTERS.items():
        toy.write(name, *cells)
    assert toy.run("--only", "01", "--out", out).returncode == 0
    assert toy.kernels() == []
    assert toy.litter() == []


def test_ctrl_c_gives_130_and_leaves_no_process_and_no_folder(busy):
    toy, _, process = busy
    ends_cleanly_on_ctrl_c(toy, process)


def test_a_lost_warm_process_ends_its_kernels_and_gives_5(busy):
    toy, _, process = busy
    _, (parent,) = forked(toy)
    parent.kill()
    _, told = process.communicate(timeout=60)
    assert process.returncode == 5
    assert told.count("its process was ended from outside") == 2
    assert toy.kernels() == []
    assert toy.litter() == []


def test_a_failing_chapter_leaves_no_process(own_toy):
    own_toy.write("01_alpha", "raise ValueError('boom')")
    done = own_toy.run("--out", own_toy.folder / "out")
    assert done.returncode == 5
    assert "01_alpha, code cell 2: ValueError: boom" in done.stderr
    assert own_toy.kernels() == []
    assert own_toy.litter() == []


def test_without_a_warm_process_kernels_start_the_ordinary_way(own_toy, undisturbed):
    _replace(own_toy.folder / "lib" / "attrition" / "run" / "warm.py", r"^    parent = os.getpid\(\)$", "    return")
    out = own_toy.folder / "out"
    assert own_toy.run("--out", out).returncode == 0
    assert digests(out, "results", "tables") == digests(undisturbed, "results", "tables")
    assert own_toy.litter() == []


@pytest.mark.parametrize("ahead", [False, True], ids=["asked for", "ahead"])
@pytest.mark.parametrize(
    "source", ["import threading, time\nthreading.Thread(target=time.sleep, args=[60]).start()", "1 / 0"]
)
def test_what_starts_a_thread_or_cannot_be_loaded_is_not_forked(tmp_path, monkeypatch, source, ahead):
    """It refuses but lives on, since kernels that it has forked before would end with it."""
    unfit = f"unfit_{os.getpid()}"  # tests beside this one have a module of their own
    (tmp_path / f"{unfit}.py").write_text(f"open({str(tmp_path / 'loaded')!r}, 'w').close()\n{source}")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")
    env = dict(os.environ) | {"ATTRITION_CHAPTER": "01_alpha"}
    wanted, early = ({}, [unfit]) if ahead else ({"01_alpha": [unfit]}, [])
    with warm.process(wanted, early, tmp_path / "out") as process:
        if ahead:
            wait_for((tmp_path / "loaded").exists)
        for _ in range(2):
            with pytest.raises(ConnectionRefusedError):
                process.fork(["ipykernel_launcher"], env, tmp_path, [1, 2])
    assert not [p for p in psutil.process_iter(["cmdline"]) if unfit in (p.info["cmdline"] or ())]


def test_polars_is_left_out_before_a_fork_and_can_be_loaded_after_it(own_toy):
    """It starts threads, and statsmodels and MLflow load it where it is installed."""
    source = "import sys\nbefore = 'polars' in sys.modules\nimport polars\nfrom attrition import results\n"
    own_toy.write("01_alpha", source + "results.write('01_alpha', {'before': before, 'argv': sys.orig_argv})")
    own_toy.write("02_beta", "pass")
    out = own_toy.folder / "out"
    assert own_toy.run("--out", out).returncode == 0
    found = json.loads((out / "results" / "01_alpha.json").read_text())
    assert "attrition.run.warm" in found["argv"]
    assert not found["before"]
