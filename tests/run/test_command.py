"""The command line: what belongs together, what does not, and what was probably meant."""

import os

import pytest

from attrition import engine, paths
from attrition.run import TrialCommand
from notebook_report import driver, errors, project


@pytest.fixture
def said(capsys):
    """Runs the command and gives its exit code and what it says of a mistake."""

    def run(*words):
        code = TrialCommand().line(list(words))
        return code, capsys.readouterr().err

    return run


@pytest.mark.parametrize(("words", "meant"), [("--qick", "--quick"), ("--form=03", "--from"), ("tets", "test")])
def test_an_unknown_word_gets_a_suggestion(said, words, meant):
    code, told = said(words)
    assert code == errors.USAGE
    assert f"unknown: {words}; did you mean {meant}?" in told


def test_a_word_like_no_other_leads_to_help(said):
    assert said("--zzzzzz") == (errors.USAGE, "run_all.sh: unknown: --zzzzzz; ./run_all.sh help lists what there is\n")


@pytest.mark.parametrize(
    ("words", "where"),
    [((), "serial"), (("--trial", "pilot"), "processes"), (("--trial", "x", "--engine", "serial"), "serial")],
)
def test_landmarks_of_a_readers_trial_run_in_processes(words, where, monkeypatch):
    for name in ("ENGINE", "WORKERS", "SCHEDULER"):
        monkeypatch.setenv(f"ATTRITION_{name}", "")
    command = TrialCommand()
    with command.chapters(command.parser().parse_args([*words, "--workers", "3"]), needed=True):
        assert engine.chosen() == (where, 3, None)


def test_only_and_from_exclude_one_another(said):
    code, told = said("--only", "03", "--from", "04")
    assert code == errors.USAGE
    assert "not allowed with argument" in told


def test_usage_names_every_sub_command():
    usage = TrialCommand().parser().format_usage()
    assert "--quick" in usage
    assert "{test,lab,verify,ui,help}" in usage
    assert set(TrialCommand().sub_commands) == {"test", "lab", "ui", "verify"}


@pytest.fixture
def shown(tmp_path, monkeypatch):
    """Runs ``ui`` in a checkout with stores in the named output folders; gives the store that it opens."""
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(project.current, "root", tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("ATTRITION_OUT", "")

    def run(*words, stores=()):
        monkeypatch.setenv("ATTRITION_OUT", "")
        for store in stores:
            (tmp_path / store).mkdir(parents=True, exist_ok=True)
            (tmp_path / store / "mlflow.db").touch()
        given = []
        monkeypatch.setattr("subprocess.call", lambda words, env: given.extend(words) or 0)
        assert TrialCommand().main(["ui", *words]) == errors.OK
        store = given[given.index("--backend-store-uri") + 1].removeprefix("sqlite:///")
        return os.path.relpath(store, tmp_path), given

    return run


def test_ui_opens_the_store_that_is_there(shown, capsys):
    assert shown()[0] == "mlruns/mlflow.db"
    assert "none yet: ./run_all.sh makes them" in capsys.readouterr().out
    assert shown(stores=["reports/quick/mlruns"])[0] == "reports/quick/mlruns/mlflow.db"
    assert "none yet" not in capsys.readouterr().out
    assert shown(stores=["mlruns"])[0] == "mlruns/mlflow.db"
    assert shown("--quick")[0] == "reports/quick/mlruns/mlflow.db"


def test_ui_takes_an_output_folder_and_hands_on_the_rest(shown, tmp_path):
    store, words = shown("--out", str(tmp_path / "mine"), "--port", "5001")
    assert store == "mine/mlruns/mlflow.db"
    assert words[words.index("--port") + 1] == "5001"


@pytest.mark.slow
def test_the_software_of_the_report_is_what_is_imported():
    """Against the modules that installed packages say they hold; seaborn draws the figures of chapter 02."""
    import importlib.metadata
    import sys

    from attrition import environment
    from notebook_report import project, sources

    listed = {row["package"] for row in driver.versions(project.current.chapters)} - {"Python"}
    taken = set().union(
        *(sources.loaded(c) for c in project.current.chapters), *(sources.module(name)[2] for name in driver.MAKERS)
    )
    modules = {name.partition(".")[0] for name in taken} - set(sys.stdlib_module_names)
    holders = importlib.metadata.packages_distributions()
    locked = environment.pins()
    found = {module: {environment.normal(name) for name in holders.get(module, ())} & set(locked) for module in modules}
    assert {module for module, names in found.items() if names and not names & listed} == set()
    assert listed <= set().union(*found.values())
    assert "seaborn" in {name.partition(".")[0] for name in sources.loaded(project.find("02"))}
    assert [row["package"] for row in driver.versions([project.find("02")])].count("skops") == 0
