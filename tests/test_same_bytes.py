"""Chapters that simulate trials give the same bytes however many notebooks run at a time and wherever trials run."""

import shutil
import tempfile
import time
from pathlib import Path

import psutil
import pytest
import yaml

from attrition import paths
from tests.faults.toy import Toy, _replace, digests, snapshot
from tests.test_engine import needs_loopback

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
SIMULATING = ("03_feature_ablation", "04_modelling")
PLAN = """CHAPTERS = (
    Chapter("01_generation"),
    Chapter("03_feature_ablation", needs=("01_generation",)),
    Chapter("04_modelling", needs=("01_generation",)),
)
"""
SIZES = {
    "01_generation": {"oracle_patients": 20_000, "effect_patients": 5_000},
    "03_feature_ablation": {"n_replicates": 6, "n_replicates_alone": 3, "n_population": 2_000, "n_splits": 10},
    "04_modelling": {"validation_population": 2_000, "imbalance_patients": 150, "tuning_trees": [5, 15]},
}
"""Smaller still than the quick profile."""


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A checkout with the chapters that simulate trials and the one whose data they read."""
    folder = tmp_path_factory.mktemp("study")
    shutil.copytree(snapshot(), folder, dirs_exist_ok=True)
    _replace(folder / "lib" / "attrition" / "project.py", r"^STUDY = \(.*?^CHAPTERS = .*?\n", PLAN)
    given = yaml.safe_load(paths.PARAMS.read_text(encoding="utf-8"))
    for chapter, sizes in SIZES.items():
        given["profiles"]["quick"][chapter] |= sizes
    (folder / "params.yaml").write_text(yaml.safe_dump(given), encoding="utf-8")
    pages = shutil.ignore_patterns("pages")  # which quote chapters that are not here
    shutil.copytree(paths.NOTEBOOKS, folder / "notebooks", ignore=pages)  # the ledger names figures of every chapter
    with tempfile.TemporaryDirectory(prefix="t-", dir="/tmp", ignore_cleanup_errors=True) as temporary:
        yield Toy(folder, Path(temporary))


@pytest.fixture(scope="module")
def one_after_the_other(study):
    """Output folder of a run with one notebook at a time and trials in its own process."""
    out = study.folder / "serial"
    finish(study.start("--quick", "--jobs", 1, "--out", out))
    return out


def finish(process):
    """Wait for a run; on a busy machine it takes minutes."""
    _, told = process.communicate(timeout=800)
    assert process.returncode == 0, told


def made(out):
    """Checksums of results, tables and data."""
    return digests(out, "results", "tables", "data", "report.html")


def at_work(process):
    """Whether a process is a worker of the cluster that has loaded what its first trial needs."""
    try:
        if "spawn_main" not in " ".join(process.cmdline()):
            return False
        return any("sklearn" in place.path for place in process.memory_maps())
    except psutil.Error:  # it has ended
        return False


def kill_a_worker(driver):
    """End a process of the Dask cluster, by force, as soon as one has begun to work on a trial."""
    end = time.monotonic() + 300
    while time.monotonic() < end:
        for child in psutil.Process(driver.pid).children(recursive=True):
            if at_work(child):
                child.kill()
                return child.pid
        time.sleep(0.05)
    raise AssertionError("no worker began to work")


def test_two_notebooks_at_a_time(study, one_after_the_other, tmp_path):
    finish(study.start("--quick", "--jobs", 2, "--out", tmp_path / "out"))
    assert made(tmp_path / "out") == made(one_after_the_other)
    assert {f"results/{name}.json" for name in SIMULATING} <= made(one_after_the_other).keys()


@needs_loopback
@pytest.mark.parametrize("workers", [1, 3])
def test_a_dask_cluster(study, one_after_the_other, tmp_path, workers):
    words = ["--quick", "--engine", "dask", "--workers", workers, "--out", tmp_path / "out"]
    finish(study.start(*words))
    assert made(tmp_path / "out") == made(one_after_the_other)


@needs_loopback
def test_a_dask_cluster_that_loses_a_worker(study, one_after_the_other, tmp_path):
    driver = study.start("--quick", "--engine", "dask", "--workers", 2, "--out", tmp_path / "out")
    try:
        lost = kill_a_worker(driver)
        finish(driver)
    finally:
        driver.kill()
    assert not psutil.pid_exists(lost)
    assert made(tmp_path / "out") == made(one_after_the_other)
