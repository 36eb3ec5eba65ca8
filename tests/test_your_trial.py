"""A reader's own trial, from the command line to the report; the runs use the quick profile."""

import json
import re
import shutil
import subprocess
import sys
import tomllib

import numpy as np
import pandas as pd
import pytest

from attrition import cdisc, own, paths, trials
from attrition.landmark import cohort
from attrition.registry import upkeep
from attrition.run import TrialCommand
from attrition.trials import mapping
from tests.cdisc.folders import adam, date
from tests.test_cdisc import FLOW, SDTM_FILES, packaged, write

EXAMPLE = paths.ROOT / "data" / "example_trial"
CANARY = "Zebedee Quux"
ADAM_FILES = ("adsl", "adae", "advs")


def run(*words, cwd=None):
    """The command behind ``./run_all.sh``: exit code and everything it said."""
    command = [sys.executable, "-m", "attrition.run", *map(str, words)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def results_of(out, chapter):
    return json.loads((out / "results" / f"{chapter}.json").read_text(encoding="utf-8"))


def holds(folder, text):
    """Files of a folder that hold a text, in bytes, whatever they are."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return [path.name for path in found if text.encode() in path.read_bytes()]


def hundred(folder, ending=".csv", arms=("NA", "None"), leave=0.45, last=80, **changes):
    """SDTM of 100 patients: text ids such as 007, an arm called NA, partial dates, nobody leaves after day 80."""
    rng = np.random.default_rng(11)
    folder.mkdir(parents=True, exist_ok=True)
    ids = [f"{i:03d}" for i in range(1, 101)]
    start = pd.Timestamp(2020, 1, 6)
    left = rng.random(100) < leave
    day = np.where(left, rng.integers(10, last, 100), rng.integers(170, 180, 100))
    dm = {"STUDYID": "T", "USUBJID": ids, "SITEID": rng.choice(["01", "02"], 100), "ARM": rng.choice(arms, 100)}
    dm |= {"RFSTDTC": start.strftime("%Y-%m-%d"), "AGE": rng.integers(40, 80, 100), "SEX": rng.choice(["F", "M"], 100)}
    dm |= {"NAME": CANARY, "BRTHDTC": "1951-03-04"}
    dates = [(start + pd.Timedelta(days=int(d) - 1)).strftime("%Y-%m-%d") for d in day]
    ds = {"USUBJID": ids, "DSCAT": "DISPOSITION EVENT", "DSSTDTC": dates, "DSTERM": CANARY}
    ds["DSDECOD"] = np.where(left, rng.choice(["ADVERSE EVENT", "DEATH", "LOST TO FOLLOW-UP"], 100), "COMPLETED")
    onset = [("2020-01-20", "2020-01", "2020", "")[i % 4] for i in range(100)]
    ae = {"USUBJID": ids, "AESEQ": 1, "AEDECOD": "Headache", "AETERM": CANARY, "AEBODSYS": "Nervous system"}
    ae |= {"AESTDTC": onset, "AEDTC": "2020-01-25"}
    for name, columns in {"dm": dm, "ds": ds, "ae": ae}.items():
        write(pd.DataFrame(columns | changes.get(name, {})), folder / f"{name}{ending}")
    return folder


@pytest.mark.slow
def test_the_template_is_written_once_and_says_where(tmp_path):
    code, said = run("--trial", "template", cwd=tmp_path)
    target = tmp_path / "trial-mapping.toml"
    assert code == 0
    assert str(target) in said
    assert target.read_text(encoding="utf-8") == mapping.TEMPLATE
    target.write_text("mine")
    code, said = run("--trial", "template", cwd=tmp_path)
    assert code != 0
    assert "stays as it is" in said
    assert target.read_text() == "mine"


@pytest.mark.slow
@pytest.mark.parametrize("ending", [".parquet", ".csv", ".xpt"])
def test_a_hundred_awkward_patients_are_read(tmp_path, ending):
    trial = cdisc.load(hundred(tmp_path / "t", ending))
    assert "007" in set(trial.patients["id"])
    assert set(trial.arms) == {"NA", "None"}
    assert len(trial.patients) == 100
    adverse = trial.events[trial.events["kind"].eq("adverse event")]
    assert len(adverse) == 100
    assert cohort.counts(trial, max(trial.landmarks))["primary"] == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"dm": {"ARM": [""] * 3 + ["A"] * 97}}, "3 randomised patients have no arm"),
        ({"ds": {"DSSTDTC": ["2020-03"] * 4 + ["2020-05-05"] * 96}}, "lines 2, 3, 4, 5, column DSSTDTC: must be"),
        ({"ae": {"AEDTC": "25/01/2020"}}, "and 92 more, column AEDTC: must be empty or a date of ISO 8601"),
        ({"ds": {"DSDECOD": "COMPLETED"}}, "0 left the study"),
        ({"dm": {"AGE": "old"}}, "column AGE: must be a number"),
    ],
)
def test_what_cannot_be_read_is_refused_once_and_touches_nothing(tmp_path, changes, said):
    folder, out = hundred(tmp_path / "t", **changes), tmp_path / "out"
    out.mkdir()
    (out / "report.html").write_text("earlier")
    code, message = run("--quick", "--trial", folder, "--out", out)
    assert code == 3
    assert said in message
    assert message.count("run_all.sh:") == 1
    assert not any(word in message for word in ("Traceback", CANARY, "007"))
    assert [path.name for path in out.iterdir()] == ["report.html"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--mapping", "m.toml"], 2, "--mapping goes with --trial"),
        (["--trial", "nowhere"], 3, "no such folder or file"),
        (["--trial", EXAMPLE / "patients.csv", "--mapping", "m.toml"], 2, "m.toml: there is no such mapping file"),
        (["--trial", "pilot", "--only", "03"], 2, "no chapter '03'"),
    ],
)
def test_words_that_do_not_fit(tmp_path, words, code, said):
    found, message = run(*words, "--out", tmp_path / "out", cwd=tmp_path)
    assert found == code
    assert said in message


@pytest.mark.slow
@pytest.mark.parametrize("ending", [".parquet", ".xpt", ".csv"])
def test_the_pilot_gives_the_same_counts_through_every_format_and_standard(tmp_path, ending):
    pilot = cohort.table(cdisc.load("pilot"))
    for source, kind, files in (("pilot", "sdtm", SDTM_FILES), ("pilot-adam", "adam", ADAM_FILES)):
        folder = tmp_path / kind
        folder.mkdir()
        for name in files:
            write(packaged(name, source), folder / f"{name}{ending}")
        trial = trials.load(str(folder))
        assert trial.source == kind
        pd.testing.assert_frame_equal(cohort.table(trial), pilot)
        told = {key: value for key, value in trial.flow.items() if value is not None}
        assert told == {key: FLOW[key] for key in told}
        assert len(told) >= len(FLOW) - 2


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """The example trial with a canary in every column that the mapping does not name."""
    folder = tmp_path_factory.mktemp("example")
    shutil.copytree(EXAMPLE, folder / "data")
    people = pd.read_csv(folder / "data" / "patients.csv", dtype="str")
    people = people.assign(patient_name=CANARY, birth_date="1951-03-04", notes=f"called {CANARY}")
    people.to_csv(folder / "data" / "patients.csv", index=False)
    words = ("--quick", "--trial", folder / "data" / "patients.csv", "--out", folder / "out")
    code, said = run(*words, "--mapping", folder / "data" / "trial-mapping.toml")
    assert code == 0, said
    return folder, words, said


@pytest.mark.slow
def test_a_flat_table_becomes_a_report(example):
    folder, _, said = example
    out = folder / "out"
    assert (out / "report.html").exists()
    minutes = re.search(r"total (?:(\d+) min )?([\d.]+) s", said)
    assert 60 * int(minutes[1] or 0) + float(minutes[2]) < 300
    prediction, times = results_of(out, "06_real_trial"), results_of(out, "07_time_to_dropout")
    last_day = pd.read_csv(EXAMPLE / "patients.csv")["last_day"]
    assert prediction["landmarks"]["28"]["at_risk"] == (last_day > 28).sum()
    assert {"arm_only", "all", "all_without_arm", "xgb"} <= set(prediction["landmarks"]["28"]["auroc"])
    assert set(times["cif"]["primary"]) >= {"28", "56", "84", "168"}


@pytest.mark.slow
def test_what_the_mapping_does_not_name_is_found_nowhere(example):
    folder, _, said = example
    assert CANARY not in said
    assert holds(folder / "data", CANARY) == ["patients.csv"]
    assert holds(folder / "out", CANARY) == []
    assert holds(folder / "out", "1951-03-04") == []


@pytest.mark.slow
def test_the_model_of_a_report_scores_its_trial_and_another_one(example):
    folder, _, _ = example
    model = own.Kept.load(folder / "out" / own.FOLDER)
    held = upkeep.reference_trial(model, None, folder / "out" / own.FOLDER)
    numbers = results_of(folder / "out", "06_real_trial")["landmarks"][str(model.card["day"])]
    assert len(held) == numbers["at_risk"]
    assert model.limits["auroc"] == numbers["auroc"]["all_without_arm"]
    assert model.limits["p"] == numbers["permutation_p"]["all_without_arm"]["holm"]
    said = json.loads((folder / "out" / "executed" / "06_real_trial.ipynb").read_text(encoding="utf-8"))
    assert "Kept in the folder" in json.dumps(said)
    assert str(folder) not in (folder / "out" / own.FOLDER / own.CARD).read_text(encoding="utf-8")


@pytest.mark.slow
def test_no_place_of_this_machine_is_in_the_report(example):
    folder, _, _ = example
    assert str(folder) not in (folder / "out" / "report.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_second_run_redoes_nothing_and_a_refused_one_changes_nothing(example):
    folder, words, _ = example
    mapped = ("--mapping", folder / "data" / "trial-mapping.toml")
    code, said = run(*words, *mapped)
    assert (code, "nothing to redo" in said) == (0, True)
    before = {path: path.read_bytes() for path in (folder / "out").rglob("*") if path.is_file()}
    table = folder / "data" / "patients.csv"
    good = table.read_bytes()
    table.write_bytes(good.replace(b"001,", b"001,,", 1))
    code, said = run(*words, *mapped)
    table.write_bytes(good)
    assert code == 3
    assert "patients.csv: refused" in said
    assert {path: path.read_bytes() for path in (folder / "out").rglob("*") if path.is_file()} == before


@pytest.mark.slow
def test_a_hundred_patients_with_few_events_still_have_flow_and_incidence(tmp_path):
    folder, out = hundred(tmp_path / "few", leave=0.09), tmp_path / "out"
    code, said = run("--quick", "--trial", folder, "--out", out)
    assert code == 0, said
    report = (out / "report.html").read_text(encoding="utf-8")
    for shown in ("fig-participant-flow", "fig-by-arm", "fig-by-reason", "What cannot:", "Too few events"):
        assert shown in report
    numbers = results_of(out, "06_real_trial")
    assert all(set(entry["auroc"].values()) == {None} for entry in numbers["landmarks"].values())
    assert CANARY not in report
    assert "No model is kept" in report
    assert not (out / own.FOLDER / own.CARD).exists()


@pytest.mark.slow
def test_several_trials_say_what_to_expect_in_the_next(tmp_path):
    hundred(tmp_path / "second", leave=0.6, last=160)
    words = [EXAMPLE / "trial-mapping.toml", tmp_path / "second", "pilot"]
    code, said = run("--quick", "--trial", *words, "--out", tmp_path / "out")
    assert code == 0, said
    across = results_of(tmp_path / "out", "06_real_trial")["across_trials"]
    assert [row["trial"] for row in across["trials"]] == ["example", "second", "pilot"]
    auroc = next(row for row in across["summary"] if row["measure"] == "auroc")
    assert auroc["pi_low"] < auroc["value"] < auroc["pi_high"]
    assert "tbl-next-trial" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


PAGE = (paths.ROOT / "docs" / "your-trial.md").read_text("utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [
    line.partition("#")[0].split()[1:]
    for kind, text in BLOCKS
    if kind == "bash"
    for line in text.splitlines()
    if line.strip()
]


def test_the_page_shows_the_example_as_its_files_are():
    rows = next(text for kind, text in BLOCKS if not kind and text.startswith("patient_id,")).splitlines()
    people = (EXAMPLE / "patients.csv").read_text("utf-8").splitlines()
    assert rows[0] == people[0]
    assert len(rows) == 3
    assert set(rows) <= set(people)
    shown = next(text for kind, text in BLOCKS if kind == "toml")
    assert tomllib.loads(shown) == tomllib.loads((EXAMPLE / "trial-mapping.toml").read_text("utf-8"))


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A working directory with the files that the commands of the page name."""
    for part in ("data/example_trial", "third/adam"):
        (tmp_path / part).mkdir(parents=True)
    for name in ("patients.csv", "events.csv", "trial-mapping.toml"):
        shutil.copy(EXAMPLE / name, tmp_path / "data" / "example_trial")
    shutil.copy(EXAMPLE / "patients.csv", tmp_path)
    second = (EXAMPLE / "trial-mapping.toml").read_text("utf-8")
    (tmp_path / "second.toml").write_text(second.replace('"events.csv"', '"data/example_trial/events.csv"'))
    (tmp_path / "choices.toml").write_text("[design]\nlandmarks = [14, 28]\n")
    for part in ("path/to/sdtm", "first/sdtm"):
        hundred(tmp_path / part)
    left = ["DISCONTINUED"] * 4 + ["COMPLETED"] * 8
    adam(tmp_path / "third" / "adam", EOSSTT=left, EOSDT=[date(40 if one == left[0] else 170) for one in left], AGE=50)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_of_the_page_reads_what_it_names(desk, words, capsys):
    """With ``--describe`` a command does all that it does before the first notebook."""
    if "--mapping" in words and "trial-mapping.toml" in words:
        (desk / "trial-mapping.toml").write_text(mapping.TEMPLATE, encoding="utf-8")
    describe = [] if "template" in words or "--describe" in words else ["--describe"]
    assert TrialCommand().main([*words, *describe]) == 0
    said = capsys.readouterr().out
    assert "Which leaving" in said or (desk / "trial-mapping.toml").exists()


def test_every_fragment_of_a_mapping_on_the_page_is_valid():
    fragments = [tomllib.loads(text) for kind, text in BLOCKS if kind == "toml"]
    assert len(fragments) > 12
    for fragment in fragments:
        mapping.read(fragment)


def test_what_the_page_says_is_printed_stands_in_the_library():
    """Quotations of sentences and messages, without the values in them."""
    library = paths.ROOT / "lib" / "attrition"
    code = "".join(path.read_text("utf-8") for path in [*library.rglob("*.py"), *library.rglob("*.j2")])
    code = re.sub(r'"\s*\n\s*f?"', "", code)
    quoted = {
        "leaving means leaving the ", "recorded as well: ", "off treatment and still in the study",
        "never counted as known", "never dosed",
        "DS does not tell stopping treatment from leaving the study: taken as leaving the study.",
        "still in the trial, followed up to the last record", "the longest horizon that works, in whole weeks, is ",
        "Nobody has yet been seen through day ", "adverse events have no collection date: ", "says completed where ",
        "patients started after the data cut and are left out.", "looks like free text or an identifier",
        "spelling of missing? accept it with missing = ", "left or last seen before the first dose",
    }  # fmt: skip
    assert [text for text in quoted if text not in PAGE] == []
    assert [text for text in quoted if text not in code] == []


def test_only_the_adapter_knows_the_pilots_names():
    library = paths.ROOT / "lib" / "attrition"
    code = [path for path in library.rglob("*.py") if "cdisc" not in path.parts]
    code += [paths.NOTEBOOKS / f"{name}.ipynb" for name in ("06_real_trial", "07_time_to_dropout")]
    names = re.compile(r"xanomeline|cdiscpilot|alzheimer|adas|cibic", re.IGNORECASE)
    assert [path.name for path in code if names.search(path.read_text(encoding="utf-8"))] == []
