"""Posture: no pickles, nothing phones home, nothing is served to others, nothing tells where it was made."""

import ast
import getpass
import io
import json
import os
import pickle
import pkgutil
import re
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import attrition
import notebook_report
from attrition import paths, registry, simulate, tracking
from attrition.models import saving
from attrition.run import TrialCommand
from notebook_report import command, errors, execute
from tests.faults.toy import digests

LIBRARY = sorted((paths.ROOT / "lib").rglob("*.py"))
NOTEBOOKS = sorted(paths.NOTEBOOKS.glob("[0-9]*.ipynb"))


def code_of(path):
    if path.suffix == ".py":
        return path.read_text(encoding="utf-8")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


# --- no pickles


def pickling(source):
    """Ways to write or open a pickle that a piece of Python uses."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]
            found += [n for n in names if n.split(".")[0] in {"pickle", "cloudpickle", "dill", "shelve"}]
        elif isinstance(node, ast.Attribute):
            owner = getattr(node.value, "id", "")
            if node.attr in {"to_pickle", "read_pickle"} or (owner == "joblib" and node.attr in {"dump", "load"}):
                found.append(node.attr)
            if node.attr == "get_untrusted_types":
                found.append(node.attr)
        elif isinstance(node, ast.keyword) and node.arg == "allow_pickle" and getattr(node.value, "value", True):
            found.append(node.arg)
    return found


def test_pickling_is_noticed():
    for line in (
        "import pickle",
        "from joblib import x; joblib.load(1)",
        "t.to_pickle('x')",
        "np.load(f, allow_pickle=True)",
    ):
        assert pickling(line), line


@pytest.mark.parametrize("path", [*LIBRARY, *NOTEBOOKS], ids=lambda p: f"{p.parent.name}/{p.name}")
def test_no_pickle_is_written_or_opened(path):
    assert pickling(code_of(path)) == []


def test_a_model_file_that_smuggles_a_type_is_refused(tmp_path):
    """What a pickle would run on opening is refused by the constant allow-list."""
    trial = simulate.published_trial()
    scorer = registry.train("lr", trial, _file(tmp_path), 5, 42)
    scorer.save(tmp_path / "model")
    model = tmp_path / "model" / "model.skops"
    with zipfile.ZipFile(model) as packed:
        parts = {name: packed.read(name) for name in packed.namelist()}
    schema = parts["schema.json"].replace(b'"StandardScaler"', b'"Popen"')
    schema = schema.replace(b'"sklearn.preprocessing._data"', b'"subprocess"')
    assert schema != parts["schema.json"]
    changed = io.BytesIO()
    with zipfile.ZipFile(changed, "w") as packed:
        for name, part in (parts | {"schema.json": schema}).items():
            packed.writestr(name, part)
    model.write_bytes(changed.getvalue())
    with pytest.raises(saving.UnsafeModel, match="not on the reviewed list"):
        saving.load(tmp_path / "model")


def _file(folder):
    path = folder / "trial.csv"
    path.write_text(simulate.csv_text(simulate.published_trial()))
    return path


def test_the_model_store_and_saved_models_hold_no_pickle(tmp_path, monkeypatch):
    monkeypatch.setenv("ATTRITION_OUT", str(tmp_path))
    trial = simulate.published_trial()
    for model in ("lr", "xgb", "lgbm"):
        registry.train(model, trial, _file(tmp_path), 5, 42).save(tmp_path / model)
    registry.pack(tmp_path / "lr", tmp_path / "packed")
    written = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert {p.suffix for p in written} >= {".skops", ".json", ".txt"}
    assert not [p for p in written if p.suffix in {".pkl", ".pickle", ".joblib", ".dill"}]
    for path in written:
        for name, content in _parts(path):
            assert not (content[:1] == b"\x80" and content[-1:] == b"."), f"{name} is a pickle"


def _parts(path):
    """A file, or the files in it if it is an archive (as skops writes)."""
    if not zipfile.is_zipfile(path):
        return [(path.name, path.read_bytes())]
    with zipfile.ZipFile(path) as packed:
        return [(f"{path.name}/{name}", packed.read(name)) for name in packed.namelist()]


def test_a_pickle_would_be_noticed(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.skops", "w") as packed:
        packed.writestr("a", pickle.dumps({"a": 1}))
    ((_, content),) = _parts(tmp_path / "x.skops")
    assert content[:1] == b"\x80"
    assert content[-1:] == b"."


# --- telemetry, network, lock


def test_mlflow_telemetry_is_off_wherever_mlflow_starts(monkeypatch):
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "false")
    for env in (tracking.MLFLOW["quiet"], tracking.environment()):
        assert env["MLFLOW_DISABLE_TELEMETRY"] == "true"
        assert env["DO_NOT_TRACK"] == "true"
    assert "MLFLOW_DISABLE_TELEMETRY=true" in (paths.ROOT / "run_all.sh").read_text()


@pytest.mark.slow
def test_mlflow_itself_says_that_telemetry_is_off(tmp_path):
    script = (
        "from attrition import tracking; tracking.client(); from mlflow.telemetry import utils; import mlflow.telemetry"
    )
    script += "; print(utils.is_telemetry_disabled(), mlflow.telemetry.get_telemetry_client())"
    env = {k: v for k, v in os.environ.items() if k not in tracking.MLFLOW["quiet"]} | {"ATTRITION_OUT": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "None"]


def test_dvc_analytics_are_off():
    config = paths.ROOT / ".dvc" / "config"
    if not config.exists():
        assert not list(paths.ROOT.glob("dvc.*")), "DVC is used without switching its analytics off"
        return
    assert re.search(r"(?m)^\s*analytics\s*=\s*false\s*$", config.read_text())


def test_mlflow_ui_listens_on_this_machine_only(monkeypatch, tmp_path):
    called = []
    monkeypatch.setenv("ATTRITION_OUT", str(tmp_path))
    monkeypatch.setattr("subprocess.call", lambda words, **_: called.append(words) or 0)
    assert TrialCommand().main(["ui"]) == 0
    assert TrialCommand().main(["lab"]) == 0
    ui, lab = called
    assert ui[ui.index("--host") + 1] == "127.0.0.1"
    assert "--ServerApp.ip=127.0.0.1" in lab
    assert "0.0.0.0" not in " ".join(map(str, [*ui, *lab]))


def test_kernels_listen_on_no_port():
    assert 'transport = "ipc"' in Path(execute.__file__).read_text()


def test_installs_are_locked_by_hash():
    script = (paths.ROOT / "run_all.sh").read_text().replace("\\\n", " ")
    installs = [line for line in script.splitlines() if "pip install" in line and "fail" not in line.split("pip")[0]]
    assert installs
    for line in installs:
        assert "--require-hashes" in line or "--no-deps --no-build-isolation -e" in line
    blocks = re.split(r"(?m)^(?=[A-Za-z0-9])", paths.LOCK.read_text())
    assert all("--hash=sha256:" in block for block in blocks if "==" in block)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_committed_notebooks_have_no_outputs(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)


# --- where it was made


HERE = [
    r"/(?:home|Users|root|work|tmp|var|opt|mnt|srv|private)/[\w.-]+",
    r"[A-Z]:\\\\?Users",
    r"sqlite:///",
    r"file:///",
]
HERE += [
    r"mlruns/",
    r"https?://[^\s\"'<>]*(?:pypi|registry|index|mirror|artifactory|nexus)[^\s\"'<>]*",
    r"://[^/\s\"']*@",
]


def traces(text):
    """Absolute paths, stores, registries, this user and this machine in a text."""
    text = re.sub(r"data:[\w/+.-]+;base64,[A-Za-z0-9+/=]+", "", text)
    names = {getpass.getuser(), socket.gethostname(), str(paths.ROOT), str(Path.home())} - {"/"}
    told = [re.escape(name) for name in names if len(name) > 4]
    return [m[0] for pattern in [*HERE, *told] for m in re.finditer(pattern, text)]


def test_traces_are_noticed():
    for text in (
        "at /home/jo/x.csv",
        "sqlite:///mlflow.db",
        f"on {socket.gethostname()}-host",
        "https://pypi.corp/simple",
    ):
        assert traces(text) or len(socket.gethostname()) <= 4, text


def public(out):
    files = [out / "report.html", *out.glob("results/*.json"), *out.glob("tables/*.csv")]
    return [path for path in files if path.exists()]


@pytest.mark.slow
def test_the_report_tells_no_path_user_host_or_store(undisturbed):
    written = public(undisturbed)
    assert {"report.html", "01_alpha.json", "fig-cloud.csv"} <= {path.name for path in written}
    for path in written:
        assert traces(path.read_text(encoding="utf-8")) == [], path.name
    assert str(undisturbed.parent) not in (undisturbed / "report.html").read_text()


@pytest.mark.parametrize("folder", ["reports", "reports/quick"])
def test_reports_on_disk_tell_no_path_user_host_or_store(folder):
    written = public(paths.ROOT / folder)
    if not written:
        pytest.skip(f"{folder} holds no report yet")
    told = {path.name: traces(path.read_text(encoding="utf-8")) for path in written}
    assert {name: hits for name, hits in told.items() if hits} == {}


@pytest.mark.slow
def test_what_a_run_leaves_in_place_does_not_depend_on_where_it_ran(own_toy, undisturbed):
    out = own_toy.folder / "somewhere else"
    assert own_toy.run("--out", out).returncode == 0
    assert digests(out, "report.html", "results", "tables") == digests(undisturbed, "report.html", "results", "tables")


# --- messages and exit codes


def _modules():
    rooms = (attrition, notebook_report)
    found = [m.name for room in rooms for m in pkgutil.walk_packages(room.__path__, f"{room.__name__}.")]
    names = [name for name in found if "__main__" not in name]
    return [__import__(name, fromlist=["x"]) for name in names if name != "attrition.registry.serving"]


def _family(kind):
    return {kind, *(k for child in kind.__subclasses__() for k in _family(child))}


@pytest.mark.slow
def test_every_error_class_of_the_library_carries_an_exit_code():
    defined = {
        value
        for module in _modules()
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Exception)
        and value.__module__.startswith(("attrition", "notebook_report"))
    }
    outside = {kind.__name__ for kind in defined if not issubclass(kind, errors.Refusal)}
    assert outside <= {"TrackingWarning", "RefusedRequest"}
    family = {
        kind for kind in _family(errors.Refusal) if kind.__module__.startswith(("attrition.", "notebook_report."))
    }
    assert {kind.exit_code for kind in family} <= {2, 3, 4, 5, 6}
    for kind in family:
        assert errors.shown_as([f"{kind.__module__}.{kind.__qualname__}: whatever"]) is kind


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (MemoryError(), 4, "memory ran out"),
        (ImportError("advice\nover many\nlines", name="numpy"), 4, "a package cannot be loaded (numpy)"),
        (
            OSError(28, "No space left on device", "/x/report.html"),
            6,
            "cannot write: No space left on device: /x/report.html",
        ),
        (PermissionError(13, "Permission denied", "/x"), 6, "Permission denied"),
        (KeyError("Erika Mustermann"), 1, "a fault of the program: KeyError at "),
    ],
)
def test_whatever_happens_is_told_once_without_a_traceback(monkeypatch, capsys, error, code, told):
    def fail(*_):
        raise error

    monkeypatch.setattr(TrialCommand, "run", fail)
    monkeypatch.setattr(command, "install", command._asked.clear)
    assert TrialCommand().line(["--list"]) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("run_all.sh: ")
    assert told in said.err
    assert len(said.err.splitlines()) == 1
    assert "Erika" not in said.err
