"""A folder of CDISC files with what a mapping decides, and what is said about it before anything runs."""

import tomllib

import pandas as pd
import pytest

from attrition import trials
from attrition.run import TrialCommand
from attrition.trials import mapping, understood
from attrition.trials.mapping import MappingError
from tests.cdisc.folders import COMPLETED, LEFT, date, everybody, ids, record, sdtm
from tests.cdisc.test_disposition import crossover

HORIZON = {"design": {"horizon": 168}}


@pytest.fixture
def both(tmp_path):
    """Twelve patients; the first stopped treatment on day 40, the second left on day 60."""
    rows = everybody(12, subcategory="STUDY PARTICIPATION") + everybody(12, subcategory="STUDY TREATMENT")
    rows[12] |= {"DSDECOD": "ADVERSE EVENT", "DSSTDTC": date(40)}
    for row in (1, 13):
        rows[row] |= {"DSDECOD": LEFT, "DSSTDTC": date(60)}
    (tmp_path / "abc").mkdir()
    return sdtm(tmp_path / "abc", rows)


def load(place, **sections):
    return trials.read_from(place, mapping.read({**HORIZON, **sections}))


@pytest.mark.slow
def test_the_estimand_is_chosen_by_the_mapping(both):
    assert load(both).flow["primary"] == 1
    trial = load(both, design={"horizon": 168, "estimand": "treatment"})
    assert trial.flow["primary"] == 2
    assert trial.definitions.estimand == "treatment"


@pytest.mark.slow
def test_terms_of_a_mapping_come_before_those_of_cdisc(both):
    trial = load(both, reasons={"completed": [COMPLETED], "competing": [LEFT.lower()]})
    assert (trial.flow["primary"], trial.flow["competing"]) == (0, 1)
    trial = load(both, reasons={"completed": [COMPLETED], "groups": {"own wish": [LEFT]}})
    assert trial.patients["reason_group"].value_counts().to_dict() == {"completed": 11, "own wish": 1}


@pytest.mark.slow
def test_records_are_moved_and_ignored(both):
    trial = load(both, disposition={"ignore": ["STUDY TREATMENT"]})
    assert trial.estimands == ("study",)
    assert (
        load(both, disposition={"study": ["STUDY TREATMENT"], "ignore": ["STUDY PARTICIPATION"]}).flow["primary"] == 2
    )


@pytest.mark.slow
def test_baseline_columns_are_chosen(tmp_path):
    sdtm(tmp_path, everybody(12), BMI=[str(20 + i) for i in range(12)], REGION=["N", "S"] * 6)
    trial = load(tmp_path, baseline={"numbers": ["BMI"], "strata": ["REGION"], "known_on_day_1": ["BMI"]})
    assert trial.baseline == ("BMI", "REGION")
    assert trial.definitions.known_on_day_1 == ("BMI",)
    assert trial.patients["BMI"].dtype == float
    with pytest.raises(trials.CdiscError, match="names WEIGHT, which the file does not have"):
        load(tmp_path, baseline={"numbers": ["weight"]})
    with pytest.raises(trials.ContractError, match="column REGION: must be a number"):
        load(tmp_path, baseline={"numbers": ["REGION"]})


@pytest.mark.slow
def test_a_new_horizon_moves_the_landmarks():
    trial = trials.read_from("pilot", mapping.read({"design": {"horizon": 84}}))
    assert (trial.horizon, trial.landmarks) == (84, (14, 28, 42))


def test_what_a_mapping_of_a_table_says_is_refused_for_a_folder(both):
    columns = {"id": "a", "event_day": "b", "event": "c"}
    with pytest.raises(MappingError, match="about the columns of a flat table"):
        load(both, columns=columns)


@pytest.mark.slow
def test_the_command_line_takes_a_folder_with_its_mapping(both, tmp_path):
    path = tmp_path / "m.toml"
    path.write_text('name = "other"\n[design]\nestimand = "treatment"\nhorizon = 168\n')
    (one,) = trials.checked([str(both)], [str(path)])
    assert (one.name, one.load().flow["primary"]) == ("other", 2)
    assert path in one.files()
    path.write_text('table = "abc"\n' + path.read_text())
    (two,) = trials.checked([str(path)])
    assert two == one


@pytest.mark.slow
def test_nobody_left_the_study_and_yet_treatment_was_stopped(both, tmp_path):
    rows = everybody(12, subcategory="STUDY PARTICIPATION") + everybody(12, LEFT, 40, subcategory="STUDY TREATMENT")
    sdtm(both, rows)
    with pytest.raises(trials.CdiscError, match=r"0 left the study .* 12 stopped treatment: a mapping with \[design\]"):
        trials.checked([str(both)])


# What was understood


@pytest.mark.slow
def test_what_was_understood_is_said_with_counts_and_questions(both):
    said = understood.text(trials.read_from(both), "abc")
    for words in (
        "12 subjects, 0 of them not randomised",
        "by day 175: 1 left, 0 for a competing reason",
        "off treatment 2, off study 1, off treatment and still in the study 1",
        "STUDY PARTICIPATION",
        "left the treatment",
        "1. leaving the study (1 by the horizon) or stopping treatment (2)? study is taken: [design] estimand",
    ):
        assert words in said
    assert not any(patient in said for patient in ids(12))


@pytest.mark.slow
def test_the_pilot_asks_nothing():
    assert understood.questions(trials.load("pilot")) == []


@pytest.mark.slow
def test_an_extension_is_asked_about(tmp_path):
    rows = everybody(12, epoch="TREATMENT") + everybody(12, LEFT, 250, epoch="OPEN LABEL EXTENSION")
    (asked,) = understood.questions(load(sdtm(tmp_path, rows)))
    assert asked.startswith("do records of OPEN LABEL EXTENSION belong to the question? The main part is taken")


@pytest.mark.slow
def test_periods_are_asked_about_until_they_are_chosen(tmp_path):
    crossover(tmp_path)
    *_, asked = understood.questions(trials.read_from(tmp_path))
    assert asked.startswith("is the trial completed with PERIOD 1 (periods of a crossover, an induction)? The last")
    chosen = mapping.read({"design": {"epochs": ["PERIOD 1"]}})
    assert not any("PERIOD" in question for question in understood.questions(trials.read_from(tmp_path, chosen)))


@pytest.mark.slow
def test_the_two_exits_are_asked_about_when_other_patients_leave(both):
    rows = everybody(12, subcategory="STUDY PARTICIPATION") + everybody(12, subcategory="STUDY TREATMENT")
    for row in (0, 13):
        rows[row] |= {"DSDECOD": LEFT, "DSSTDTC": date(60)}
    trial = load(sdtm(both, rows))
    assert (trial.flow["off_treatment"], trial.flow["off_study"]) == (1, 1)  # as many, and not the same patients
    (asked,) = understood.questions(trial)
    assert asked.startswith("leaving the study (1 by the horizon) or stopping treatment (1)?")


@pytest.mark.slow
def test_the_horizon_is_asked_for_where_too_few_completed(tmp_path):
    rows = [record(patient, LEFT, 20 + 10 * k) for k, patient in enumerate(ids(6))]
    (asked,) = understood.questions(trials.read_from(sdtm(tmp_path, rows)))
    assert asked.startswith("which day is the horizon? Too few completed to tell; 70, the last day, is taken")
    assert understood.questions(load(tmp_path)) == []


def test_of_a_table_every_reason_is_shown_with_what_it_was_taken_for():
    said = understood.text(trials.load("data/example_trial/trial-mapping.toml"), "example")
    assert "lost to follow-up                 other       16" in said


@pytest.mark.slow
def test_the_mapping_that_is_written_gives_the_same_trial(both, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert TrialCommand().main(["--trial", "abc", "--describe"]) == 0
    assert "These choices are in trial-mapping.toml" in capsys.readouterr().out
    again = trials.read_from(both, mapping.read("trial-mapping.toml"))
    usual = trials.read_from(both)
    pd.testing.assert_frame_equal(again.patients, usual.patients)
    assert again.flow == usual.flow
    written = (tmp_path / "trial-mapping.toml").read_text()
    assert TrialCommand().main(["--trial", "abc", "--describe"]) == 0
    assert (tmp_path / "trial-mapping.toml").read_text() == written


@pytest.mark.slow
def test_terms_and_names_with_quotes_can_be_written(both):
    reasons = {"completed": ['SUBJECT\'S "END"'], "competing": ["A\\B"]}
    trial = trials.read_from(both, mapping.read({"title": 'A "title" {x}', "reasons": reasons}))
    written = tomllib.loads(understood.mapping(trial))
    assert written["title"] == 'A "title" {x}'
    assert {'SUBJECT\'S "END"', COMPLETED} <= set(written["reasons"]["completed"])
    assert "A\\B" in written["reasons"]["competing"]


@pytest.mark.slow
def test_the_last_record_is_the_data_cut(tmp_path):
    rows = [record(patient, COMPLETED, 170 + k) for k, patient in enumerate(ids(12))]
    assert load(sdtm(tmp_path, rows)).last_record == pd.Timestamp(date(181))
