"""Inputs that never end or are larger than they look, outputs that are something else, and files that were changed."""

import contextlib
import dataclasses
import gzip
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from attrition import __main__ as command
from attrition import paths, registry, score, settings, simulate, trials
from attrition.cdisc import CdiscError, files
from attrition.contract import strict
from attrition.models import saving
from attrition.run import TrialCommand
from attrition.running import summary
from notebook_report import errors, results, state
from tests import champions
from tests.faults.toy import checked

COLUMNS = [c.name for c in score.INPUT.columns]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    trial = simulate.published_trial()
    data = results.publish(folder / "trial.csv", simulate.csv_text(trial))
    registry.train("lr", trial, data, 5, 42).save(folder / "champion")
    return folder / "champion"


@pytest.fixture
def patients(tmp_path):
    path = tmp_path / "patients.csv"
    simulate.published_trial()[COLUMNS].head(3).to_csv(path, index=False)
    return path


@contextlib.contextmanager
def in_time(seconds=20):
    """What is refused in bounded time; a read that waits for a writer is ended by one, after the test has failed."""
    began = time.perf_counter()
    yield
    assert time.perf_counter() - began < seconds


@pytest.fixture
def pipe(tmp_path):
    """A named pipe of any ending that nobody writes to; a reader gets stuck unless it looks first."""
    made = []

    def make(name):
        os.mkfifo(tmp_path / name)
        made.append(os.open(tmp_path / name, os.O_RDWR))  # so that an open returns, and a read waits
        os.write(made[-1], b"x")
        os.set_blocking(made[-1], False)
        return tmp_path / name

    yield make
    for number in made:
        os.close(number)


# --- outputs that are something else


def hard_link(target, path):
    os.link(path, target)


@pytest.mark.parametrize("link", [None, Path.symlink_to, hard_link], ids=["itself", "link", "hard link"])
def test_scores_are_not_written_over_what_is_read(saved, patients, tmp_path, capsys, link):
    target, before = patients, patients.read_bytes()
    if link:
        target = tmp_path / "other.csv"
        link(target, patients)
    assert command.main(["score", str(patients), "--model", str(saved), "--out", str(target)]) == errors.OUTPUT
    assert patients.read_bytes() == before
    assert "is what is read" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["pipe", "link to a pipe", "mapping", "model"])
def test_scores_are_not_written_over_what_is_no_scores(saved, patients, tmp_path, kind):
    target = tmp_path / "target"
    if "pipe" in kind:
        os.mkfifo(tmp_path / "pipe")
        target = tmp_path / "pipe" if kind == "pipe" else target
        if kind != "pipe":
            target.symlink_to("pipe")
    else:
        target.write_text("name = 'mine'\n") if kind == "mapping" else shutil.copy(saved / "card.json", target)
    before = target.lstat()
    assert command.main(["score", str(patients), "--model", str(saved), "--out", str(target)]) == errors.OUTPUT
    assert (target.lstat().st_ino, target.lstat().st_mtime) == (before.st_ino, before.st_mtime)


def test_earlier_scores_are_written_over(saved, patients, tmp_path):
    words = ["score", str(patients), "--model", str(saved), "--out", str(tmp_path / "scores.csv")]
    assert [command.main(words), command.main(words)] == [errors.OK, errors.OK]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["a file", "a folder of somebody's"])
def test_a_run_does_not_write_among_somebody_elses_files(toy, tmp_path, kind):
    out = tmp_path / "mine"
    if kind == "a file":
        out.write_text("mine")
    else:
        (out / "results").mkdir(parents=True)
        (out / "results" / "thesis.json").write_text("{}")
    before = sorted(tmp_path.rglob("*"))
    done = toy.run("--out", out, "--only", "01")
    assert done.returncode == errors.OUTPUT
    assert "--out" in done.stderr
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("then", ["another study", "the simulated study", "a trial beside the simulated study"])
def test_a_report_is_not_written_over_that_of_another_study(tmp_path, monkeypatch, then):
    monkeypatch.setattr(trials.TrialFiles, "known", lambda self: dataclasses.replace(self, study=self.name))
    first, second = (trials.TrialFiles(name, name) for name in ("pilot", "pilot-adam"))
    before = [] if "beside" in then else [first]
    trials.register(before, tmp_path)
    (tmp_path / "report.html").write_text("kept")
    with pytest.raises(trials.MappingError, match=r"holds the report of .*; name another folder"):
        trials.register([] if then == "the simulated study" else [second], tmp_path)
    assert [one.name for one in trials.registered(tmp_path)] == [one.name for one in before]


# --- state that is broken

BROKEN = {
    "cut short": b'{"key": "a", "fil',
    "a list": b"[1, 2]",
    "nothing": b"",
    "no text": b"\xff\xfe\0",
    "deep": b"[" * 100_000,
    "without files": b'{"key": "k"}',
    "files that are a list": b'{"key": "k", "files": ["x"], "seconds": 1}',
    "seconds that are none": b'{"key": "k", "files": {}, "seconds": "soon"}',
    "a file that is a folder": b'{"key": "k", "files": {".state": "0"}, "seconds": 1}',
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_record_is_as_none(tmp_path, kind):
    kept = state.State(tmp_path)
    kept.folder.mkdir()
    (kept.folder / "01_alpha.json").write_bytes(BROKEN[kind])
    assert not kept.up_to_date("01_alpha", "k")
    assert kept.seconds("01_alpha", 7.0) in (7.0, 1.0)
    kept.record("01_alpha", "k", [], 1)
    assert kept.up_to_date("01_alpha", "k")


@pytest.mark.parametrize("kind", ["cut short", "a list", "nothing", "no text", "deep"])
def test_a_broken_register_is_as_none(tmp_path, kind):
    (tmp_path / paths.REGISTER).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / paths.REGISTER).write_bytes(BROKEN[kind])
    assert trials.registered(tmp_path) == []
    trials.register([trials.TrialFiles("pilot", "pilot")], tmp_path)
    assert trials.registered(tmp_path)[0].name == "pilot"


def test_journal_and_holder_that_are_no_text_stop_nothing(tmp_path):
    kept = state.State(tmp_path)
    kept.folder.mkdir()
    (kept.folder / "01_alpha.files").write_bytes(b"\xff\xfe\n\n/a/b\n")
    (kept.folder / "holder").write_bytes(b"\xff\xfe")
    assert kept.written("01_alpha")[-1] == Path("/a/b")
    with kept.locked(), pytest.raises(state.Busy), state.State(tmp_path).locked():
        pass


# --- models that were changed


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def reseal(path):
    """A manifest that fits what was changed."""
    card = json.loads((path.parent / "card.json").read_text())
    (path.parent / "card.json").write_text(json.dumps(card | {"n_patients": 1}))
    saving.seal(path.parent)


CHANGES = {
    "model.skops": flip, "card.json": flip, "support.json": flip, "ensemble.json": flip, "format.json": flip,
    "manifest.json": Path.unlink, "more.json": Path.touch,
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_a_model_file_that_was_changed_is_refused_before_anything_is_loaded(
    saved, patients, tmp_path, capsys, monkeypatch, name
):
    folder = shutil.copytree(saved, tmp_path / "model")
    CHANGES[name](folder / name)
    monkeypatch.setattr(saving, "load", lambda *_: pytest.fail("it was opened"))
    words = ["score", str(patients), "--model", str(folder), "--out", str(tmp_path / "s.csv")]
    assert command.main(words) == errors.USAGE
    assert f"not as it was saved ({name})" in capsys.readouterr().err


@pytest.mark.slow
def test_a_registered_model_with_another_manifest_is_refused(tmp_path):
    with champions.registered(tmp_path):
        (card,) = (tmp_path / "mlruns" / "artifacts").rglob("card.json")
        registry.load()
        reseal(card)
        with pytest.raises(saving.UnsafeModel, match="not those that were registered"):
            registry.load()


# --- outputs that nobody reads


def said(words, redirect):
    """Exit code and standard error of a command whose output goes nowhere; ends when its reader has left."""
    line = f'"$@" {redirect}; exit ${{PIPESTATUS[0]}}'
    words = ["bash", "-c", line, "_", sys.executable, *words]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("redirect", ["| true", ">&-", ">&- 2>&-", "2>&1 | head -c 1"])
def test_an_output_that_nobody_reads_changes_no_exit_code(saved, patients, tmp_path, redirect):
    out = tmp_path / "scores.csv"
    score_it = ["-m", "attrition", "score", str(patients), "--model", str(saved), "--out", str(out)]
    code, told = said(score_it, redirect)
    assert (code, re.sub(r"  3 rows\n", "", told)) == (errors.OK, "")  # its progress is on the other stream
    assert out.read_text().count("\n") == 4
    assert said(["-m", "attrition.run", "help"], redirect) == (errors.OK, "")


@pytest.mark.slow
@pytest.mark.parametrize("redirect", ["| true", ">&-"])
def test_a_run_whose_output_nobody_reads_makes_its_report(toy, tmp_path, redirect):
    line = f'"$@" {redirect}; exit ${{PIPESTATUS[0]}}'
    assert checked(toy.run("--out", tmp_path / "out", "--only", "01", prefix=["bash", "-c", line, "_"])).returncode == 0
    assert (tmp_path / "out" / "results" / "01_alpha.json").exists()


@pytest.mark.slow
def test_an_output_on_a_full_disk_is_one_line(tmp_path):
    code, told = said(["-m", "attrition.run", "help"], "> /dev/full")
    assert (code, told) == (errors.OUTPUT, "run_all.sh: cannot write: No space left on device\n")


# --- inputs that never end, and bombs


@pytest.mark.parametrize("name", ["x.csv", "x.parquet", "x.xpt", "x.ndjson", "x.csv.gz", "x.sav"])
def test_a_pipe_is_no_table(pipe, name):
    from attrition.trials import flat

    with in_time(), pytest.raises(strict.ContractError, match="a pipe or a device"):
        flat.read_table(pipe(name), ["id"])


@pytest.mark.parametrize("name", ["x.toml", "x.yaml"])
def test_a_pipe_is_no_mapping(pipe, name):
    with in_time(), pytest.raises(ValueError, match="a pipe or a device"):
        settings.read(pipe(name), ValueError)


def test_a_pipe_is_no_earlier_summary_and_no_folder_of_a_trial(pipe, tmp_path):
    with in_time(), pytest.raises(CdiscError, match="a pipe or a device"):
        summary.compared(None, pipe("old.json"))
    with in_time(), pytest.raises(CdiscError, match="a pipe or a device lies in the folder"):
        files.opened(tmp_path, CdiscError)


@pytest.mark.parametrize("place", ["/dev/zero", "pipe"])
def test_scoring_a_pipe_or_device_is_refused(pipe, saved, tmp_path, capsys, place):
    place = pipe("p.csv") if place == "pipe" else place
    words = ["score", str(place), "--model", str(saved), "--out", str(tmp_path / "s.csv")]
    with in_time():
        assert command.main(words) == errors.CONTRACT
    assert "a pipe or a device" in capsys.readouterr().err


def test_a_line_that_never_ends_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(strict, "LONGEST_LINE", 2**16)
    path = tmp_path / "hole.csv"
    path.touch()
    os.truncate(path, 2**40)
    with in_time(), pytest.raises(strict.ContractError, match="a line of more than 0 MB"):
        next(strict.read_pieces(path, 10))
    with pytest.raises(strict.ContractError, match="more than 4 GB"):
        strict.read_strict(path)


def test_an_open_quote_in_a_long_file_is_told_in_time(tmp_path):
    path = tmp_path / "quote.csv"
    path.write_text('a,b\n1,"2\n' + "1,2\n" * 60_000)
    with in_time(10), pytest.raises(strict.ContractError, match="line 2: a quote that is not closed"):
        list(strict.read_pieces(path, 20_000))


@pytest.mark.slow
def test_two_hundred_thousand_columns_are_refused_in_time(tmp_path):
    names = [f"c{i}" for i in range(200_000)]
    line = (",".join(names) + "\n").encode()
    with in_time(), pytest.raises(strict.ContractError, match="200,000 columns; at most 10,000"):
        strict.parse(line + b"1," * 199_999 + b"1\n", "wide.csv")
    about = {"columns": [{"name": name} for name in names], "rows": []}
    path = tmp_path / "wide.json"
    path.write_text(json.dumps(about))
    with in_time(), pytest.raises(strict.ContractError, match="200,000 columns"):
        files.header(path)


def zeros(n):
    """So many zero bytes, a piece at a time."""
    yield from (bytes(2**20) for _ in range(n >> 20))


@pytest.fixture
def small_bounds(monkeypatch):
    monkeypatch.setattr(files, "HARMLESS", 2**20, raising=False)
    monkeypatch.setattr(files, "MOST_CELLS", 1_000_000, raising=False)


def test_a_zip_bomb_is_refused_by_what_it_declares(small_bounds, tmp_path):
    with zipfile.ZipFile(tmp_path / "trial.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("t/dm.csv", bytes(2**24))
    with in_time(), pytest.raises(CdiscError, match="archive bomb"):
        files.opened(tmp_path / "trial.zip", CdiscError)


@pytest.mark.slow
def test_a_gzip_bomb_is_refused_when_it_has_grown_enough(small_bounds, tmp_path):
    with gzip.open(tmp_path / "dm.csv.gz", "wb") as packed:
        for piece in zeros(2**26):
            packed.write(piece)
    with in_time(), pytest.raises(strict.ContractError, match="archive bomb"):
        files.content(tmp_path / "dm.csv.gz")


def test_a_parquet_bomb_is_refused_by_what_it_declares(small_bounds, tmp_path):
    table = pa.table({"id": pa.repeat("x", 2_000_000)})
    pq.write_table(table, tmp_path / "dm.parquet")
    assert (tmp_path / "dm.parquet").stat().st_size < 10_000
    with in_time(), pytest.raises(strict.ContractError, match="2,000,000 rows; at most 1,000,000 cells"):
        files.table(tmp_path / "dm.parquet", ["id"])


def test_a_stata_file_that_declares_too_much_is_refused(small_bounds, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MOST_CELLS", 10, raising=False)
    pd.DataFrame({"id": np.arange(20)}).to_stata(tmp_path / "dm.dta", write_index=False)
    with pytest.raises(strict.ContractError, match="20 rows; at most 10 cells"):
        files.table(tmp_path / "dm.dta", ["id"])


def test_an_ordinary_archive_and_table_pass(tmp_path):
    text = "id,arm\n" + "".join(f"{i},A\n" for i in range(5000))
    with zipfile.ZipFile(tmp_path / "trial.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("t/dm.csv", text)
        archive.writestr("t/ds.csv.gz", gzip.compress(text.encode()))
    folder = files.opened(tmp_path / "trial.zip", CdiscError)
    assert {entry.name: len(files.content(entry)) for entry in folder.iterdir()} == {
        "dm.csv": len(text), "ds.csv.gz": len(text)
    }  # fmt: skip


# --- where it is


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.ndjson", "t.json"])
def test_every_format_tells_the_place_of_a_bad_cell(tmp_path, name):
    from attrition.trials import flat

    table = pd.DataFrame({"id": ["1", "2\n2", "3"], "age": ["61", "62", "old"]})
    rows = table.to_numpy().tolist()
    about = {"columns": [{"name": "id", "dataType": "string"}, {"name": "age", "dataType": "string"}]}
    if name == "t.csv":
        table.to_csv(tmp_path / name, index=False)
    elif name == "t.parquet":
        table.to_parquet(tmp_path / name)
    elif name == "t.json":
        (tmp_path / name).write_text(json.dumps(about | {"rows": rows}))
    else:
        (tmp_path / name).write_text("".join(json.dumps(one) + "\n" for one in [about, *rows]))
    read = flat.read_table(tmp_path / name, ["id", "age"])
    problems = strict.lines_of("age", "must be a number", read["age"].eq("old"))
    told = str(strict.ContractError(name, problems))
    # line 2 holds the first patient; the second one's id has a line break
    assert ("line 5, column age" if name == "t.csv" else "row 3, column age") in told


def test_ui_says_that_its_port_is_taken_and_what_to_do(monkeypatch, capsys):
    monkeypatch.setattr("subprocess.call", lambda *_, **__: pytest.fail("it was started"))
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert TrialCommand().line(["ui", "--port", str(port)]) == errors.USAGE
    assert re.search(rf"port {port} .* is taken .* ui --port 5001", capsys.readouterr().err)


@pytest.mark.slow
def test_executed_notebooks_hold_no_place(undisturbed):
    executed = sorted((undisturbed / "executed").glob("*.ipynb"))
    assert len(executed) == 3
    for path in executed:
        assert str(undisturbed.parent) not in path.read_text(encoding="utf-8")
        assert str(paths.ROOT) not in path.read_text(encoding="utf-8")


def test_an_unheard_output_drops_only_what_nobody_reads():
    """The stream itself, without a process: what is written before the reader leaves arrives."""
    read, write = os.pipe()
    stream = io.TextIOWrapper(io.BufferedWriter(errors._Heard(write, "wb")), line_buffering=True)
    print("first", file=stream)
    assert os.read(read, 99) == b"first\n"
    os.close(read)
    print("second", file=stream)
    stream.close()
