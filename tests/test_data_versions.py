"""Data versions: checksums and pointers fit what the run makes; DVC brings back the same bytes."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from attrition import paths, run, simulate, versions
from notebook_report import command, results
from notebook_report.sources import file_digest

DATA = paths.ROOT / "data"
MADE = {"trial.csv": simulate.published_trial, "random_baseline.csv": simulate.random_baseline}


def make_raw(data):
    """Raw data as chapter 01 writes them."""
    for name, make in MADE.items():
        results.publish(data / "raw" / name, simulate.csv_text(make()))
    return data


@pytest.fixture
def data(tmp_path):
    return make_raw(tmp_path / "data")


def test_the_checksums_in_git_are_those_of_the_published_data(data):
    assert (DATA / versions.CHECKSUMS).read_text() == versions.checksums(data)
    assert hashlib.md5((data / "raw" / "trial.csv").read_bytes()).hexdigest() == simulate.PUBLISHED_MD5


def test_the_pointer_in_git_fits_what_the_run_makes(data):
    assert (DATA / "raw.dvc").read_text() == versions.pointers(data)[data / "raw.dvc"]


@pytest.mark.skipif(not shutil.which("sha256sum"), reason="sha256sum is not installed")
def test_sha256sum_reads_the_checksums(data):
    shutil.copy(DATA / versions.CHECKSUMS, data)
    check = ["sha256sum", "--strict", "-c", versions.CHECKSUMS]
    done = subprocess.run(check, cwd=data, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == ["raw/random_baseline.csv: OK", "raw/trial.csv: OK"]
    (data / "raw" / "trial.csv").write_text("x")
    assert subprocess.run(check, cwd=data, capture_output=True, check=False).returncode == 1


def test_a_change_of_the_data_is_noticed(data):
    assert results.renew(versions.pointers(data)) == ["raw.dvc", versions.CHECKSUMS]
    assert results.renew(versions.pointers(data), check=True) == []
    (data / "raw" / "trial.csv").write_text("x")
    assert results.renew(versions.pointers(data), check=True) == ["raw.dvc", versions.CHECKSUMS]


def test_without_data_nothing_is_said_to_have_changed(tmp_path):
    assert versions.pointers(tmp_path) == {}


def test_the_configuration_is_portable_and_sends_nothing():
    text = (paths.ROOT / ".dvc" / "config").read_text()
    assert "analytics = false" in text
    assert "url = ../" in text
    assert "/config.local" in (paths.ROOT / ".dvc" / ".gitignore").read_text()
    for path in DATA.glob("*.dvc"):
        for out in yaml.safe_load(path.read_text())["outs"]:
            assert out["path"] in versions.TRACKED


def test_the_run_does_not_use_dvc():
    for path in [*(paths.ROOT / "lib").rglob("*.py"), paths.ROOT / "run_all.sh"]:
        words = path.read_text(encoding="utf-8")
        assert "import dvc" not in words, path.name
        assert '"dvc"' not in words, path.name


@pytest.mark.parametrize(("words", "code"), [(["--check"], 1), ([], 0), (["--check"], 0)])
def test_the_command_tells_and_mends(data, monkeypatch, capsys, words, code):
    from attrition import __main__ as program

    monkeypatch.setattr(paths, "data", lambda: data)
    monkeypatch.setattr(versions, "pipeline", lambda root: {})
    if words and not code:
        results.renew(versions.pointers(data))
    assert program.main(["versions", *words]) == code
    assert ("raw.dvc" in capsys.readouterr().out) == (code == 1 or not words)


@pytest.fixture
def checkout(tmp_path):
    """A copy of what git keeps of the data, as a repository of its own, with a remote beside it."""
    place = tmp_path / "copy"
    for name in (".dvc/config", ".dvc/.gitignore", ".dvcignore", ".gitignore", "data/raw.dvc"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(paths.ROOT / name, place / name)
    subprocess.run(["git", "init", "-q", place], check=True)
    make_raw(place / "data")
    return place


@pytest.fixture
def dvc(checkout, tmp_path):
    """Run DVC in the copy, with every cache and setting below the test's own folder."""
    own = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    env = {**os.environ, **own, "DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(tmp_path / "site")}
    program = Path(sys.executable).with_name("dvc")
    if not program.exists():
        pytest.skip("DVC is not installed")

    def run(*words):
        done = subprocess.run(
            [program, *words], cwd=checkout, env=env, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.mark.slow
def test_dvc_agrees_with_the_pointer_that_git_keeps(dvc, checkout):
    assert "raw" in dvc("status")  # not in DVC's cache yet
    before = (checkout / "data" / "raw.dvc").read_text()
    dvc("add", "-q", "data/raw")
    assert (checkout / "data" / "raw.dvc").read_text() == before


@pytest.mark.slow
def test_push_and_pull_bring_back_the_same_bytes(dvc, checkout, tmp_path):
    (checkout / "data" / "processed" / "champion").mkdir(parents=True)
    (checkout / "data" / "processed" / "champion" / "card.json").write_text("{}\n")
    digests = {p: file_digest(p) for p in (checkout / "data").rglob("*") if p.is_file() and p.suffix != ".dvc"}
    dvc("remote", "modify", "--local", "storage", "url", str(tmp_path / "remote"))
    dvc("add", "-q", "data/raw", "data/processed")
    assert (
        versions.pointers(checkout / "data")[checkout / "data" / "processed.dvc"]
        == (checkout / "data" / "processed.dvc").read_text()
    )
    dvc("push", "-q")
    for lost in ("data/raw", "data/processed", ".dvc/cache"):
        shutil.rmtree(checkout / lost)
    dvc("pull", "-q")
    assert {p: file_digest(p) for p in digests} == digests
    assert "up to date" in dvc("status")
    tracked = subprocess.run(["git", "status", "--short", "data"], cwd=checkout, capture_output=True, text=True)
    assert "trial.csv" not in tracked.stdout


@pytest.mark.slow
def test_dvc_finds_each_stage_as_the_lock_says(dvc, checkout):
    for name in ("lib", "notebooks", "reports/results", "reports/studies", "reports/tables", "benchmarks"):
        shutil.copytree(paths.ROOT / name, checkout / name)
    for name in ("params.yaml", "claims.yaml", "requirements.lock"):
        shutil.copy(paths.ROOT / name, checkout)
    results.renew(versions.pipeline(checkout))
    dvc("add", "-q", "data/raw")
    assert "up to date" in dvc("status")
    assert "up to date" in dvc("repro", "--dry")
    assert "reports/results/06_real_trial.json" in dvc("metrics", "show")
    caption = checkout / "notebooks" / "captions" / "02_eda.yaml"
    caption.write_text(caption.read_text() + "\n")
    told = dvc("status")
    assert "02_eda" in told
    assert "03_feature_ablation" not in told
    assert "false_positive_rate" in dvc("plots", "show", "--show-vega", "reports/tables/fig-roc.csv")


def test_the_pipeline_in_git_is_that_of_the_plan():
    assert results.renew(versions.pipeline(paths.ROOT), check=True) == [], "python -m attrition versions"


@pytest.mark.parametrize(
    ("words", "code", "brought"),
    [
        ([], 0, True),
        (["--force"], 0, True),
        ([], 5, False),
        *((part.split(), 0, False) for part in ("--quick", "--only 03", "--list", "--out elsewhere", "--trial x")),
    ],
)
def test_a_full_run_leaves_the_pointers_true(monkeypatch, words, code, brought):
    written = []
    monkeypatch.setattr(command.Command, "run", lambda self, args: code)
    monkeypatch.setattr(results, "renew", lambda files: written.extend(path.name for path in files))
    task = run.TrialCommand()
    assert task.run(task.parser().parse_args(words)) == code
    assert ("dvc.lock" in written) == brought
