"""A planted canary, names and birth dates in every text column, is found nowhere that a run writes or says."""

import base64
import re
import sqlite3

import numpy as np
import pandas as pd
import pytest

from attrition import __main__ as command
from attrition import contract, paths, registry, simulate, tracking
from attrition.contract import ContractError, strict
from attrition.trials import flat, mapping
from notebook_report import results
from notebook_report.errors import Refusal
from tests import finished
from tests.faults.toy import CHAPTERS, Toy

NAME, BIRTH, NOTE = "Zebulon Quackenbush", "1931-07-19", "zq@example.org asked for a call"
CANARIES = ("Zebulon", "Quackenbush", BIRTH, "zq@example.org")
ENCODED = re.compile(rb"[A-Za-z0-9+/]{60,}={0,2}")
EXAMPLE = paths.ROOT / "data" / "example_trial"


def found_in(content):
    """Canaries in bytes, also as UTF-16 and inside base64."""
    parts = [content, *(base64.b64decode(m[: len(m) // 4 * 4]) for m in ENCODED.findall(content.replace(b"\\n", b"")))]
    spelled = [(c, c.encode(how)) for c in CANARIES for how in ("utf-8", "utf-16-le")]
    return sorted({canary for canary, text in spelled for part in parts if text in part})


def found_below(*folders):
    """Files below folders that hold a canary: text, images, databases, parquet (which is read, as it is packed)."""
    hits = {}
    for path in (p for folder in folders for p in folder.rglob("*") if p.is_file()):
        content = path.read_bytes()
        if path.suffix == ".parquet":
            content += pd.read_parquet(path).to_csv().encode()
        if hit := found_in(content) + found_in(path.name.encode()):
            hits[path.name] = hit
    return hits


def test_the_search_itself_finds_a_canary_wherever_it_hides(tmp_path):
    pd.DataFrame({"a": [NAME] * 50}).to_parquet(tmp_path / "a.parquet")
    (tmp_path / "b.html").write_text(base64.b64encode(f"{'x' * 99}{NAME}{'y' * 99}".encode()).decode())
    (tmp_path / "c.bin").write_bytes(NAME.encode("utf-16-le"))
    with sqlite3.connect(tmp_path / "d.db") as store:
        store.execute("create table t (a text)")
        store.execute("insert into t values (?)", [NAME])
    assert set(found_below(tmp_path)) == {"a.parquet", "b.html", "c.bin", "d.db"}


def planted(folder):
    """The example trial with canaries in columns that the mapping does not name."""
    table = pd.read_csv(EXAMPLE / "patients.csv", dtype="str", keep_default_na=False)
    table = table.assign(patient_name=NAME, birth_date=BIRTH, comment=NOTE)
    for name, here in {"events.csv": "events.csv", "trial-mapping.toml": "patients.toml"}.items():
        (folder / here).write_bytes((EXAMPLE / name).read_bytes())
    table.to_csv(folder / "patients.csv", index=False)
    return folder / "patients.csv"


PARAMETERS = 'profile = "full"\nseed = 42\ntrial = "pilot"'
READING = [
    "import os, sys, warnings\nimport matplotlib.pyplot as plt\nimport pandas as pd\n"
    "import notebook_report as report\nfrom notebook_report import results\n"
    "from attrition import paths, trials",
    "patients = trials.load(trial).patients",
    "results.write_parquet(paths.processed() / 'patients.parquet', patients)",
    "fig, ax = plt.subplots(figsize=(4, 2))\nax.hist(patients['time'])\n"
    "report.figure(ax, id='fig-time', caption='Times.', alt='Most stay to the end.',\n"
    "              data=patients[['time']].describe())",
    "report.table(patients.groupby('arm', as_index=False)['time'].mean(), id='tbl-arms', caption='By arm.')",
    "file = pd.read_csv(trials.registered()[0].place)\n"
    "warnings.warn(f'a library that repeats a row: {file.iloc[0].to_dict()}')\n"
    "os.system(f'echo \"{file.iloc[0].to_dict()}\" >&2')",
    "results.write('01_alpha', {'n': len(patients)})",
    "import logging; logging.disable()",
]
FAILING = [
    "import pandas as pd\nfrom attrition import trials",
    "file = pd.read_csv(trials.registered()[0].place)\nrow = file.iloc[3]",
    "row['patient_name'] + 1 if seed else raise_",
    "pass",
]
FAILURES = {
    "a conversion": "file['patient_name'].astype(int)",
    "a message": "raise ValueError(f'bad row {row.to_dict()}')",
    "a key": "{}[row['comment']]",
    "a file name": "open(row['comment'])",
    "a chain": "try:\n    float(row['birth_date'])\nexcept ValueError as e:\n    raise RuntimeError(str(e)) from e",
    "an impostor": "raise type('ContractError', (Exception,), {})(row['patient_name'])",
}


@pytest.mark.slow
def test_canary_in_a_flat_table_is_found_nowhere(tmp_path):
    (tmp_path / "checkout").mkdir()
    (tmp_path / "brought").mkdir()
    toy = Toy.make(tmp_path / "checkout", tmp_path / "t", on_trial=True)
    toy.write("01_alpha", *READING, parameters=PARAMETERS)
    toy.write("02_beta", *CHAPTERS["02_beta"][:1], "results.write('02_beta', {'n': 1})", parameters=PARAMETERS)
    done = toy.run("--trial", planted(tmp_path / "brought"), "--out", tmp_path / "out")
    assert "01_alpha               done" in done.stdout
    assert (tmp_path / "out" / "report.html").exists(), done.stderr
    assert (tmp_path / "out" / "mlruns" / "mlflow.db").exists()
    assert (tmp_path / "out" / "data" / "processed" / "patients.parquet").exists()
    assert found_below(tmp_path / "out", tmp_path / "t", toy.folder) == {}
    assert found_in((done.stdout + done.stderr).encode()) == []


@pytest.mark.slow
def test_canary_in_a_failing_cell_is_found_nowhere(tmp_path):
    (tmp_path / "checkout").mkdir()
    (tmp_path / "brought").mkdir()
    toy = Toy.make(tmp_path / "checkout", tmp_path / "t", on_trial=True)
    table = planted(tmp_path / "brought")
    for name, failure in FAILURES.items():
        toy.write("01_alpha", *FAILING[:2], failure, parameters=PARAMETERS)
        done = toy.run("--trial", table, "--out", tmp_path / "out", "--only", "01")
        assert done.returncode == 5, name
        assert "01_alpha, code cell 4: " in done.stderr
        assert "message withheld" in done.stderr
        assert (tmp_path / "out" / "executed" / "01_alpha.failed.ipynb").exists()
        assert found_in((done.stdout + done.stderr).encode()) == [], name
        assert found_below(tmp_path / "out", tmp_path / "t", toy.folder) == {}, name


@pytest.mark.parametrize("column", ["patient_id", "arm", "site", "age", "sex", "last_day", "reason"])
def test_canary_in_a_mapped_column_is_in_no_message(tmp_path, column):
    """A name where a number or a category belongs: refused by rule, or (few of them) a category like any other."""
    place = planted(tmp_path)
    table = pd.read_csv(place, dtype="str", keep_default_na=False)
    table[column] = [f"{NAME} {i}" for i in range(len(table))]
    table.loc[1, "patient_id"] = table.loc[0, "patient_id"]
    table.to_csv(place, index=False)
    with pytest.raises(Refusal) as caught:
        flat.load(place, mapping.read(tmp_path / "patients.toml"))
    assert found_in(str(caught.value).encode()) == []
    assert found_in(repr(caught.value.__cause__).encode() + repr(caught.value.__context__).encode()) == []


@pytest.fixture
def baseline():
    """Sixty simulated patients as text, with columns that hold names, birth dates and free text."""
    table = simulate.published_trial().head(60).astype("str").astype(object)
    return table.assign(patient_name=NAME, birth_date=BIRTH, comment=NOTE)


def test_columns_outside_the_contract_are_dropped_before_anything_is_shown(baseline, tmp_path):
    results.publish(tmp_path / "trial.csv", baseline.to_csv(index=False))
    trial = contract.read_trial(tmp_path / "trial.csv")
    assert not {"patient_name", "birth_date", "comment"} & set(trial)
    assert found_in(trial.to_csv().encode()) == []


@pytest.mark.parametrize("column", contract.TRIAL.names)
def test_canary_in_a_contract_column_is_in_no_message(baseline, column):
    baseline[column] = [NAME, BIRTH] * 30
    with pytest.raises(ContractError) as caught:
        contract.validate(strict.parse(baseline.to_csv(index=False).encode(), "trial.csv"), file="trial.csv")
    assert found_in(str(caught.value).encode()) == []
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_canary_in_a_file_without_a_header_is_in_no_message(baseline):
    for content in (
        baseline[["patient_name", "age"]].to_csv(index=False, header=False),
        baseline[["patient_name", "birth_date"]].to_csv(index=False, header=False),
        f"{NAME},{NAME}\n1,2\n",
        f'{NAME},"{BIRTH}\n',
        f"{NAME};{BIRTH}\n",
    ):
        with pytest.raises(ContractError) as caught:
            contract.validate(strict.parse(content.encode(), "trial.csv"), file="trial.csv")
        assert found_in(str(caught.value).encode()) == []


@pytest.fixture(scope="module")
def scorer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    trial = simulate.published_trial()
    data = results.publish(folder / "trial.csv", simulate.csv_text(trial))
    return registry.train("lr", trial, data, 20, 42)


def test_canary_in_a_refused_row_is_in_no_score_and_no_message(scorer, baseline, tmp_path, capsys):
    scorer.save(tmp_path / "model")
    baseline.loc[2, "gender"], baseline.loc[3, "age"] = NAME, BIRTH
    baseline.loc[4, "trial_phase"] = NOTE
    patients = tmp_path / "in" / "p.csv"
    results.publish(patients, baseline.to_csv(index=False))
    words = ["score", str(patients), "--model", str(tmp_path / "model"), "--out", str(tmp_path / "s.csv")]
    assert command.main(words) == 3
    scored = pd.read_csv(tmp_path / "s.csv")
    assert np.isfinite(scored["probability"]).sum() == 58
    assert scored["refused"].notna().sum() == 2
    said = capsys.readouterr()
    assert found_in((said.out + said.err + (tmp_path / "s.csv").read_text()).encode()) == []
    patients.write_text(patients.read_text() + f"{NAME},{BIRTH}\n")
    assert command.main(words) == 3
    said = capsys.readouterr()
    assert "refused" in said.err
    assert found_in((said.out + said.err).encode()) == []


@pytest.mark.slow
def test_canary_is_nowhere_in_the_model_store(baseline, tmp_path, monkeypatch):
    """Database and artifacts, after a chapter and a champion made from a file with names in it."""
    monkeypatch.setenv("ATTRITION_OUT", str(tmp_path / "out"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    table = simulate.published_trial().astype("str").assign(patient_name=NAME, birth_date=BIRTH, comment=NOTE)
    data = results.publish(tmp_path / "in" / "trial.csv", table.to_csv(index=False))
    trial = contract.read_trial(data)
    scorer = registry.train("lr", trial, data, 20, 42)
    scorer.save(registry.folder())
    assert registry.register(registry.folder())
    finished.chapter("04_modelling", {"models": {"lr": {"auroc": {"value": 0.7}}}})
    assert tracking.log("04_modelling")
    assert list((tmp_path / "out" / "mlruns").rglob("*.db"))
    assert found_below(tmp_path / "out") == {}
    rows = trial.iloc[0][["age", "days_in_trial", "visits_completed", "last_visit_day"]].astype(str)
    for path in (tmp_path / "out").rglob("*"):
        assert not path.is_file() or ",".join(rows) not in path.read_text(errors="replace"), "a patient's row"


def test_a_failing_store_tells_its_kind_only(tmp_path, monkeypatch):
    monkeypatch.setenv("ATTRITION_OUT", str(tmp_path))
    monkeypatch.setattr(tracking, "client", lambda: (_ for _ in ()).throw(RuntimeError(NAME)))
    with pytest.warns(tracking.TrackingWarning) as caught:
        assert tracking.log("04_modelling") == {}
    assert found_in(str(caught[0].message).encode()) == []
