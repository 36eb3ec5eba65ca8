"""Places: no git, no network, read-only checkouts, odd paths, other locales and time zones, little memory."""

import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from attrition import environment, paths
from tests.faults.toy import PUBLISHED, Toy, checked, digests


def works(prefix):
    return subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0


def same(out, undisturbed):
    assert digests(out, *PUBLISHED) == digests(undisturbed, *PUBLISHED)


@pytest.mark.slow
def test_no_git(toy, undisturbed, tmp_path):
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("bash", "dirname", "cmp", "env"):
        (programs / name).symlink_to(shutil.which(name))
    assert shutil.which("git", path=str(programs)) is None
    assert toy.run("--out", tmp_path / "out", PATH=str(programs)).returncode == 0
    same(tmp_path / "out", undisturbed)


@pytest.mark.slow
def test_no_network(toy, undisturbed, tmp_path):
    alone = ["unshare", "-rn"]
    if not shutil.which("unshare") or not works(alone):
        pytest.skip("this machine does not let a process take its network away")
    up = subprocess.run([*alone, "cat", "/proc/net/route"], capture_output=True, text=True, check=True).stdout
    assert len(up.splitlines()) <= 1
    assert toy.run("--out", tmp_path / "out", prefix=alone).returncode == 0
    same(tmp_path / "out", undisturbed)


@pytest.mark.slow
def test_read_only_checkout(own_toy, undisturbed, tmp_path):
    folder = own_toy.folder
    if os.geteuid() == 0:
        script = (
            f'mount --bind "{folder}" "{folder}" && mount -o remount,ro,bind "{folder}" && cd "{folder}" && exec "$@"'
        )
        prefix = ["unshare", "-m", "bash", "-c", script, "_"]
        if not works(prefix):
            pytest.skip("root needs a mount namespace to be kept from writing")
    else:
        prefix = []
        subprocess.run(["chmod", "-R", "a-w", folder], check=True)
    try:
        refused = own_toy.run(prefix=prefix)
        assert refused.returncode == 6
        assert "reports" in refused.stderr
        before = digests(folder)
        assert own_toy.run("--out", tmp_path / "elsewhere", prefix=prefix).returncode == 0
        assert digests(folder) == before
    finally:
        subprocess.run(["chmod", "-R", "u+w", folder], check=True)
    same(tmp_path / "elsewhere", undisturbed)


@pytest.mark.slow
def test_path_with_spaces_umlauts_and_braces(tmp_path, undisturbed):
    folder = tmp_path / "Prüfung 1 – 50 % {größer} #2's"
    folder.mkdir()
    toy = Toy.make(folder, tmp_path / "t")
    out = folder / "Ergebnis & Söhne {x}"
    assert toy.run("--out", out).returncode == 0
    same(out, undisturbed)
    assert f"Ergebnis & Söhne {{x}}{os.sep}report.html" in toy.run("--out", out).stdout


@pytest.mark.slow
def test_temporary_folder_with_a_path_too_long_for_sockets(toy, undisturbed, tmp_path):
    deep = tmp_path / ("very-" * 20) / ("long-" * 10)
    deep.mkdir(parents=True)
    assert toy.run("--out", tmp_path / "out", TMPDIR=str(deep)).returncode == 0
    same(tmp_path / "out", undisturbed)


def _turkish(folder):
    """Variables for a Turkish locale, made in `folder` when the machine has none."""
    listed = subprocess.run(["locale", "-a"], capture_output=True, text=True, check=False).stdout.lower()
    if "tr_tr.utf" in listed:
        return {"LC_ALL": "tr_TR.UTF-8"}
    made = [shutil.which("localedef") or "false", "-i", "tr_TR", "-f", "UTF-8", str(folder / "tr_TR.UTF-8")]
    if subprocess.run(made, capture_output=True, check=False).returncode:
        return {}
    return {"LC_ALL": "tr_TR.UTF-8", "LOCPATH": str(folder)}


@pytest.mark.slow
def test_another_locale(toy, undisturbed, tmp_path):
    variables = _turkish(tmp_path)  # without the sources of a Turkish locale: C, with ASCII streams
    done = toy.run("--out", tmp_path / "out", PYTHONUTF8=None, **(variables or {"LC_ALL": "C"}))
    assert done.returncode == 0
    same(tmp_path / "out", undisturbed)


@pytest.mark.slow
def test_ascii_only_locale(toy, undisturbed, tmp_path):
    done = toy.run("--out", tmp_path / "out", PYTHONUTF8="0", LC_ALL="C", PYTHONCOERCECLOCALE="0")
    assert done.returncode == 0
    same(tmp_path / "out", undisturbed)


@pytest.mark.slow
def test_another_time_zone(toy, undisturbed, tmp_path):
    assert toy.run("--out", tmp_path / "out", TZ="Asia/Kathmandu").returncode == 0
    same(tmp_path / "out", undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("kib", [60_000, 200_000, 400_000])
def test_memory_limit_gives_a_clean_message(toy, tmp_path, kib):
    done = toy.run("--out", tmp_path / "out", prefix=["bash", "-c", f'ulimit -v {kib}; exec "$@"', "_"])
    assert done.returncode in (4, 5)
    assert "memory" in done.stderr.lower() or "--check" in done.stderr
    assert not (tmp_path / "out" / "report.html").exists()


# --- ./run_all.sh --check


def check(capsys, out):
    code = environment.check(out)
    return code, capsys.readouterr().err


@pytest.fixture
def sound(monkeypatch, tmp_path):
    """A machine without problems, whatever this one has."""
    monkeypatch.setattr(environment, "package_problems", list)
    monkeypatch.setattr(environment, "memory_limits", dict)
    monkeypatch.setattr(environment, "DISK_GIB", 0.0)
    return tmp_path / "out"


def test_check_of_a_sound_environment_says_ready(sound, capsys):
    assert environment.check(sound) == 0
    assert capsys.readouterr().out.startswith("ready: Python ")


def test_check_tells_python(sound, capsys, monkeypatch):
    monkeypatch.setattr(environment.interpreter_problem, "__defaults__", ((3, 9, 1),))
    code, told = check(capsys, sound)
    assert code == 4
    assert told == "run_all.sh: Python 3.9.1 is not supported; needed: 3.11.5 or newer, below 3.14\n"


def test_check_tells_packages_against_the_lock(sound, capsys, monkeypatch, tmp_path):
    monkeypatch.undo()
    lock = tmp_path / "requirements.lock"
    lock.write_text("numpy==0.0.1\nno-such-package==2.0\npywin==1.0 ; sys_platform == 'no-such-system'\n")
    monkeypatch.setattr(environment.package_problems, "__defaults__", (lock,))
    monkeypatch.setattr(environment, "memory_limits", dict)
    code, told = check(capsys, sound)
    assert code == 4
    assert "package no-such-package is missing (the lock says 2.0)" in told
    assert "package numpy is " in told
    assert "pywin" not in told


def test_check_tells_many_packages_in_a_few_lines(sound, capsys, monkeypatch):
    monkeypatch.setattr(environment, "package_problems", lambda: [f"package p{i} is missing" for i in range(300)])
    code, told = check(capsys, sound)
    assert code == 4
    assert len(told.splitlines()) == environment.SHOWN + 1
    assert f"and {300 - environment.SHOWN} more" in told


def test_check_tells_disk(sound, capsys, monkeypatch):
    monkeypatch.setattr(environment.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(2**40, 2**40, 2**20))
    monkeypatch.setattr(environment, "DISK_GIB", 1.0)
    code, told = check(capsys, sound)
    assert code == 4
    assert "only 0.0 GiB free" in told


@pytest.mark.parametrize("what", ["available", "left in this container", "allowed by ulimit -v"])
def test_check_tells_memory(sound, capsys, monkeypatch, what):
    monkeypatch.setattr(environment, "memory_limits", lambda: {what: 2.0**30, "another": 2.0**40})
    code, told = check(capsys, sound)
    assert code == 4
    assert told == f"run_all.sh: only 1.0 GiB of memory {what}; needed: 3.0 GiB\n"


def test_a_hopeless_limit_on_memory_is_refused_before_anything_is_loaded(monkeypatch):
    monkeypatch.setattr(environment, "_limit", lambda _: 0.2 * 2**30)
    assert environment.hopeless() == "only 0.2 GiB of memory allowed by ulimit -v; needed: 3.0 GiB"
    monkeypatch.setattr(environment, "_limit", lambda _: 2.0**30)
    assert environment.hopeless() is None
    monkeypatch.setattr(environment, "_limit", lambda _: math.inf)
    assert environment.hopeless() is None


def test_memory_limits_are_read_from_the_system(monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(environment, "CGROUP", tmp_path)
    monkeypatch.setattr(environment, "_limit", lambda _: math.inf)
    assert environment.memory_limits() == {}
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:    2048 kB\n")
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("1000\n")
    assert environment.memory_limits() == {"available": 2048 * 1024}
    (tmp_path / "memory.max").write_text("5000\n")
    assert environment.memory_limits()["left in this container"] == 4000


def test_check_tells_write_access(sound, capsys, tmp_path):
    (tmp_path / "file").touch()
    code, told = check(capsys, tmp_path / "file" / "out")
    assert code == 4
    assert "cannot write to" in told
    assert "--out" in told


def test_check_tells_a_missing_temporary_folder(sound, capsys, monkeypatch):
    def fail(**place):
        if not place:
            raise FileNotFoundError(2, "No usable temporary directory")
        return open(os.devnull)  # noqa: PTH123

    monkeypatch.setattr(environment.tempfile, "TemporaryFile", fail)
    assert "TMPDIR" in check(capsys, sound)[1]


@pytest.mark.slow
def test_check_tells_limits_of_this_very_process(tmp_path):
    script = f'ulimit -v 2000000; ulimit -f 1000; exec "{sys.executable}" "{environment.__file__}" --check --out "$1"'
    done = subprocess.run(["bash", "-c", script, "_", tmp_path], capture_output=True, text=True, check=False)
    checked(done)
    assert done.returncode == 4
    assert "GiB of memory allowed by ulimit -v" in done.stderr
    assert "ulimit -f" in done.stderr


@pytest.mark.slow
def test_check_works_where_nothing_is_installed(tmp_path):
    """On the plain interpreter: no package, no environment; nothing is set up."""
    plain = getattr(sys, "_base_executable", sys.executable)
    nowhere = {"PATH": f"{Path(plain).parent}:/usr/bin:/bin", "ATTRITION_VENV": str(tmp_path / "none"), "PYTHON": plain}
    done = subprocess.run(
        [paths.ROOT / "run_all.sh", "--check", "--out", tmp_path],
        env=nowhere,
        capture_output=True,
        text=True,
        check=False,
    )
    checked(done)
    assert done.returncode == 4
    assert "(the lock says" in done.stderr
    assert not (tmp_path / "none").exists()
