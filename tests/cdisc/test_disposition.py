"""Which records are a leaving of the study, which a stop of treatment, and who counts."""

import dataclasses
import shutil

import pandas as pd
import pytest

from attrition import cdisc, trials
from attrition.cdisc import disposition
from attrition.cdisc.sources import CdiscError, open_source
from attrition.cdisc.trial import PILOT, Definitions
from attrition.contract.strict import ContractError
from tests.cdisc.folders import COMPLETED, LEFT, adam, date, everybody, ids, record, sdtm

OPEN = Definitions(name="t", horizon=168, landmarks=(28, 56, 84))
FIRST = "P-01"


def load(folder, **choices):
    return cdisc.load(folder, dataclasses.replace(OPEN, **choices))


def of(trial, patient=FIRST):
    """Day and group of one patient."""
    row = trial.patients.set_index("id").loc[patient]
    return row["event_day"], row["reason_group"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("treatment", "study"),
    [
        ("STUDY TREATMENT", "STUDY PARTICIPATION"),
        ("study treatment ", " Study Participation"),
        ("END OF TREATMENT", "END OF STUDY"),
        ("STUDY DRUG", "STUDY"),
        ("DOSING", None),
    ],
)
def test_stopping_treatment_is_not_leaving_the_study(tmp_path, treatment, study):
    rows = everybody(12, subcategory=study) + everybody(12, subcategory=treatment)
    rows[12] |= {"DSDECOD": "ADVERSE EVENT", "DSSTDTC": date(40)}
    trial = load(sdtm(tmp_path, rows))
    assert trial.estimands == ("study", "treatment")
    assert (trial.flow["primary"], trial.flow["off_treatment"], trial.flow["off_study"]) == (0, 1, 0)
    assert trial.flow["retained_off_treatment"] == 1
    assert of(trial) == (180, "completed")
    stopped = load(tmp_path, estimand="treatment")
    assert of(stopped) == (40, "adverse event")
    assert stopped.flow["primary"] == 1


@pytest.mark.slow
def test_the_pilot_with_both_dispositions_has_no_study_exit_and_all_its_stops(tmp_path):
    packaged = open_source("pilot").folder
    for name in ("dm", "sv"):
        shutil.copy(packaged / f"{name}.parquet", tmp_path)
    ds = pd.read_parquet(packaged / "ds.parquet")
    final = ds["DSCAT"].eq("DISPOSITION EVENT") & ds["EPOCH"].ne("SCREENING")
    ds["DSSCAT"] = pd.Series("STUDY TREATMENT", index=ds.index).where(final)
    stay = ds[final].assign(DSSCAT="STUDY PARTICIPATION", DSDECOD="COMPLETED")
    pd.concat([ds, stay]).to_parquet(tmp_path / "ds.parquet")
    trial = cdisc.load(tmp_path)
    assert (trial.flow["primary"], trial.flow["off_study"], trial.flow["off_treatment"]) == (0, 0, 137)
    treatment = cdisc.load(tmp_path, dataclasses.replace(PILOT, estimand="treatment"))
    assert (treatment.flow["primary"], treatment.flow["deaths"] + treatment.flow["sponsor"]) == (129, 8)


@pytest.mark.slow
def test_completing_a_screening_is_no_completion(tmp_path):
    rows = everybody(12, day=-3, epoch="SCREENING") + everybody(12, epoch="TREATMENT")[1:]
    trial = load(sdtm(tmp_path, rows))
    assert of(trial) == (60, "ongoing")
    assert (trial.flow["ongoing"], trial.flow["censored"]) == (1, 1)


@pytest.mark.slow
@pytest.mark.parametrize("epoch", ["RUN-IN", "Lead-in", "WASHOUT", "SCREENING 2"])
def test_other_epochs_before_the_main_part(tmp_path, epoch):
    trial = load(sdtm(tmp_path, everybody(12, day=-3, epoch=epoch) + everybody(12, epoch="TREATMENT")[1:]))
    assert of(trial)[1] == "ongoing"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("after", "found"),
    [
        ((COMPLETED, 190), (190, "completed")),
        (("LOST TO FOLLOW-UP", 90), (90, "lost to follow-up")),
        (None, (50, "other")),
    ],
)
def test_who_stopped_in_the_treatment_epoch_left_only_if_the_follow_up_says_so(tmp_path, after, found):
    rows = everybody(12, epoch="TREATMENT") + everybody(12, day=200, epoch="FOLLOW-UP")[1:]
    rows[0] |= {"DSDECOD": "LACK OF EFFICACY", "DSSTDTC": date(50)}
    rows += [record(FIRST, *after, epoch="FOLLOW-UP")] if after else []
    trial = load(sdtm(tmp_path, rows))
    assert of(trial) == found
    assert of(trial, "P-02") == (180, "completed")
    assert of(load(tmp_path, estimand="treatment")) == (50, "other")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["OPEN LABEL EXTENSION", "LONG-TERM TREATMENT", "open-label treatment"])
def test_an_extension_does_not_change_the_question(tmp_path, name):
    rows = everybody(12, epoch="TREATMENT") + everybody(12, day=360, epoch=name)
    rows[12] |= {"DSDECOD": LEFT, "DSSTDTC": date(250)}
    trial = cdisc.load(sdtm(tmp_path, rows), Definitions(name="t"))
    assert trial.horizon == 175
    assert of(trial) == (180, "completed")
    longer = load(tmp_path, epochs=("TREATMENT", name), horizon=350)
    assert of(longer) == (250, "withdrawal by subject")


@pytest.mark.slow
def test_who_completed_only_the_first_of_two_periods_is_still_in_the_trial(tmp_path):
    rows = everybody(12, day=90, epoch="TREATMENT 1") + everybody(12, epoch="TREATMENT 2")[1:]
    assert of(load(sdtm(tmp_path, rows)))[1] == "ongoing"


def crossover(folder):
    """Twelve patients in two periods with a washout: two left in the first, one in the washout, one in the second."""
    rows = [
        *everybody(12, day=42, epoch="PERIOD 1"), *everybody(12, day=56, epoch="WASHOUT")[2:],
        *everybody(12, day=98, epoch="PERIOD 2")[3:],
    ]  # fmt: skip
    for row, day in ((0, 10), (1, 20), (12, 50), (22, 70)):
        rows[row] |= {"DSDECOD": LEFT, "DSSTDTC": date(day)}
    return sdtm(folder, rows)


@pytest.mark.slow
def test_a_crossover_is_left_in_any_period_and_between_them(tmp_path):
    trial = cdisc.load(crossover(tmp_path), Definitions(name="t"))
    assert (trial.horizon, trial.flow["primary"], trial.flow["in_study_at_horizon"]) == (98, 4, 8)
    assert of(trial, "P-03") == (50, "withdrawal by subject")
    first = cdisc.load(tmp_path, Definitions(name="t", epochs=("PERIOD 1",), horizon=42))
    assert (first.flow["primary"], first.flow["in_study_at_horizon"], first.estimands) == (2, 10, ("study",))


@pytest.mark.slow
@pytest.mark.parametrize(("place", "day"), [("first", 32), ("middle", 46), ("last", 60)])
def test_a_month_alone_is_refused_or_taken_as_declared(tmp_path, place, day):
    rows = everybody(12)
    rows[0] |= {"DSDECOD": LEFT, "DSSTDTC": "2020-02"}
    with pytest.raises(ContractError, match=r'line 2, column DSSTDTC: .*\[disposition\] partial = "middle"'):
        load(sdtm(tmp_path, rows))
    trial = load(tmp_path, partial_exits=place)
    assert of(trial) == (day, "withdrawal by subject")
    assert any(
        f"1 patients have an end of which the month alone is known: taken as its {place}" in n for n in trial.notes
    )
    rows[0]["DSSTDTC"] = "2020"
    with pytest.raises(ContractError, match="column DSSTDTC: must be a whole date"):
        load(sdtm(tmp_path, rows), partial_exits=place)


@pytest.mark.parametrize("term", [LEFT, COMPLETED])
def test_a_month_alone_is_refused_beside_a_whole_date(tmp_path, term):
    """It may be the earlier of the two."""
    rows = everybody(12)
    rows[0] |= {"DSDECOD": LEFT, "DSSTDTC": date(40)}
    rows.append(rows[0] | {"DSDECOD": term, "DSSTDTC": "2020-01"})
    with pytest.raises(ContractError, match="column DSSTDTC: must be a whole date"):
        load(sdtm(tmp_path, rows))


@pytest.mark.slow
def test_a_month_alone_never_ends_before_the_first_dose(tmp_path):
    rows = everybody(12)
    rows[0] |= {"DSDECOD": LEFT, "DSSTDTC": "2020-01"}
    trial = load(sdtm(tmp_path, rows, RFSTDTC=["2020-01-21", *[date(1)] * 11]), partial_exits="first")
    assert of(trial) == (1, "withdrawal by subject")
    adsl = adam(tmp_path, **changed(EOSSTT="DISCONTINUED", EOSDT="2020-02", DCSREAS=LEFT))
    (tmp_path / "dm.csv").unlink()
    assert of(load(adsl, partial_exits="middle")) == (46, "withdrawal by subject")


@pytest.mark.slow
def test_who_has_a_study_day_of_leaving_was_dosed(tmp_path):
    rows = [row | {"DSSTDY": None} for row in everybody(12)]
    rows[0] |= {"DSDECOD": LEFT, "DSSTDY": 40, "DSSTDTC": date(50)}
    trial = load(sdtm(tmp_path, rows, RFSTDTC=[None, None, *[date(1)] * 10]))
    assert of(trial) == (40, "withdrawal by subject")
    assert trial.dated().exits["start"][0] == pd.Timestamp(date(11)), "day 40 was date(50)"
    assert (trial.flow["randomised"], trial.flow["not_dosed"]) == (12, 1)
    assert "1 subjects have study days in DS and no RFSTDTC: taken as dosed." in trial.notes
    rows[0] |= {"DSSTDTC": None}
    folder = sdtm(tmp_path, rows, RFSTDTC=[None, None, *[date(1)] * 10])
    assert load(folder).exits["start"].isna().tolist() == [True, *[False] * 10]
    with pytest.raises(CdiscError, match="no start date of 1 of 11 patients; a cut needs dates"):
        trials.load(str(folder), cut="2020-09-01", horizon=168)


@pytest.mark.slow
def test_the_year_of_an_adverse_event_alone_prolongs_no_follow_up(tmp_path):
    ae = pd.DataFrame({"USUBJID": FIRST, "AESEQ": [1, 2], "AEDECOD": "HEADACHE", "AESTDTC": ["2020", date(70)]})
    trial = load(sdtm(tmp_path, everybody(12)[1:], others={"ae": ae}))
    assert of(trial) == (70, "ongoing")
    assert sorted(trial.events.query("kind == 'adverse event'")["day"]) == [70, 366]


@pytest.mark.slow
def test_epochs_side_by_side_are_both_the_main_part(tmp_path):
    rows = everybody(12, epoch="TREATMENT A")[:6] + everybody(12, day=185, epoch="TREATMENT B")[6:]
    assert load(sdtm(tmp_path, rows)).flow["in_study_at_horizon"] == 12


@pytest.mark.slow
@pytest.mark.parametrize(
    ("term", "day", "died", "found"),
    [
        ("ADVERSE EVENT", 40, 40, (40, "competing")),
        ("ADVERSE EVENT", 40, 38, (38, "competing")),
        ("ADVERSE EVENT", 40, 70, (40, "adverse event")),
        (None, None, 70, (70, "competing")),
        (COMPLETED, 180, 120, (180, "completed")),
        ("DEATH", 40, 41, (40, "competing")),
    ],
)
def test_deaths_by_date_are_held_against_the_disposition(tmp_path, term, day, died, found):
    rows = everybody(12)[1:] + ([record(FIRST, term, day)] if term else [])
    flags = {"DTHFL": ["Y", *[None] * 11], "DTHDTC": [date(died), *[None] * 11]}
    assert of(load(sdtm(tmp_path, rows, **flags))) == found


@pytest.mark.slow
def test_a_death_without_a_date_is_told(tmp_path):
    trial = load(sdtm(tmp_path, everybody(12), DTHFL=["Y", *[None] * 11]))
    assert any("flagged as dead without a date" in note for note in trial.notes)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("term", "group"),
    [
        ("WITHDRAWAL BY PARENT/GUARDIAN", "withdrawal by subject"),
        ("SITE TERMINATED BY SPONSOR", "competing"),
        ("LOST TO FOLLOW-UP", "lost to follow-up"),
        ("PHYSICIAN DECISION", "other"),
    ],
)
def test_terms_of_cdisc(tmp_path, term, group):
    assert of(load(sdtm(tmp_path, [record(FIRST, term, 40), *everybody(12)[1:]]))) == (40, group)


@pytest.mark.slow
def test_records_without_a_category_are_read_by_their_term(tmp_path):
    rows = everybody(12)
    rows[0] |= {"DSCAT": None, "DSDECOD": LEFT, "DSSTDTC": date(40)}
    trial = load(sdtm(tmp_path, rows))
    assert of(trial) == (40, "withdrawal by subject")
    assert any("1 records of DS have no category" in note for note in trial.notes)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"DSCAT": None, "DSDECOD": "MOVED HOUSE"}, "line 2, column DSCAT: is empty"),
        ({"DSDECOD": None}, "line 2, column DSDECOD: is empty"),
        ({"DSSTDTC": "2020-03"}, "line 2, column DSSTDTC: must be a whole date"),
    ],
)
def test_a_record_that_tells_nothing_is_refused_with_its_line(tmp_path, change, said):
    rows = everybody(12)
    rows[0] |= change
    with pytest.raises(ContractError, match=said) as refused:
        load(sdtm(tmp_path, rows))
    assert "MOVED" not in str(refused.value)


def test_terms_of_free_text_are_refused(tmp_path):
    rows = [record(patient, f"left because {patient}", 40) for patient in ids(60)]
    with pytest.raises(ContractError, match="60 different terms, at most 40: it looks like free text"):
        load(sdtm(tmp_path, rows, n=60))


@pytest.mark.slow
@pytest.mark.parametrize(
    "column",
    [
        {"ARM": "Screen Failure"},
        {"ARMCD": "SCRNFAIL"},
        {"ARM": "Not Assigned"},
        {"ARM": None, "ACTARM": "Screen Failure"},
        {"ARM": None, "ARMNRS": "SCREEN FAILURE", "RFSTDTC": None},
        {"ARM": None, "RFSTDTC": None},
        {"ACTARM": "Not Assigned", "RFSTDTC": None},
    ],
)
def test_screen_failures_are_not_randomised(tmp_path, column):
    usual = {"ARM": ["A", "B"] * 6, "ARMCD": ["A", "B"] * 6, "ACTARM": ["A", "B"] * 6, "RFSTDTC": [date(1)] * 12}
    changed = {name: [column[name], *usual.get(name, [None] * 12)[1:]] for name in column}
    trial = load(sdtm(tmp_path, everybody(12)[1:], **usual | changed))
    assert (trial.flow["screened"], trial.flow["screen_failures"], trial.flow["randomised"]) == (12, 1, 11)


@pytest.mark.slow
@pytest.mark.parametrize(
    "column",
    [
        {"RFXSTDTC": [None, *[date(1)] * 11]},
        {"ACTARMCD": ["NOTTRT", *["A"] * 11]},
        {"ACTARM": ["Not Treated", *["A"] * 11]},
        {"ACTARM": [None, *["A"] * 11]},
        {"ARMNRS": ["ASSIGNED, NOT TREATED", *[None] * 11]},
        {"RFSTDTC": [None, *[date(1)] * 11]},
        {"others": {"ex": pd.DataFrame({"USUBJID": ids(12)[1:], "EXTRT": "X", "EXSTDTC": date(1)})}},
    ],
)
def test_who_was_never_dosed_is_randomised_and_left_out(tmp_path, column):
    trial = load(sdtm(tmp_path, everybody(12), **column))
    assert (trial.flow["randomised"], trial.flow["not_dosed"], len(trial.patients)) == (12, 1, 11)


@pytest.mark.slow
def test_an_arm_called_no_treatment_is_an_arm(tmp_path):
    arms = ["No Treatment", "B"] * 6
    trial = load(sdtm(tmp_path, everybody(12), ARM=arms, ACTARM=arms))
    assert (set(trial.arms), len(trial.patients)) == ({"No Treatment", "B"}, 12)


@pytest.mark.slow
def test_exposure_of_a_few_patients_does_not_say_who_was_dosed(tmp_path):
    few = pd.DataFrame({"USUBJID": ids(3), "EXTRT": "X", "EXSTDTC": date(1)})
    assert len(load(sdtm(tmp_path, everybody(12), others={"ex": few})).patients) == 12


@pytest.mark.slow
def test_two_studies_in_a_folder_are_refused_or_one_is_chosen(tmp_path):
    sdtm(tmp_path, everybody(12), STUDYID=["T1"] * 6 + ["T2"] * 6)
    with pytest.raises(cdisc.CdiscError, match=r"2 studies \(T1, T2\).*choose one in a mapping"):
        load(tmp_path)
    assert load(tmp_path, study="T2").patients["id"].tolist() == ids(12)[6:]
    with pytest.raises(cdisc.CdiscError, match="is no STUDYID"):
        load(tmp_path, study="T3")


@pytest.mark.slow
@pytest.mark.parametrize(("rule", "known"), [("", [None] * 3), ("next visit", [30, 60, None]), ("onset", [5, 31, 70])])
def test_adverse_events_without_a_collection_date(tmp_path, rule, known):
    ae = pd.DataFrame(
        {"USUBJID": FIRST, "AESEQ": [1, 2, 3], "AEDECOD": "HEADACHE", "AESTDTC": [date(5), date(31), date(70)]}
    )
    trial = load(sdtm(tmp_path, everybody(12), others={"ae": ae}), adverse_events_known=rule)
    found = trial.events.query("kind == 'adverse event'")["known_day"].tolist()
    assert [None if pd.isna(day) else day for day in found] == known
    assert any("3 of 3 adverse events have no collection date" in note for note in trial.notes)


@pytest.mark.slow
def test_an_adverse_event_on_the_day_of_a_visit_is_known_there(tmp_path):
    ae = pd.DataFrame({"USUBJID": FIRST, "AESEQ": [1], "AEDECOD": "HEADACHE", "AESTDTC": [date(30)]})
    trial = load(sdtm(tmp_path, everybody(12), others={"ae": ae}), adverse_events_known="next visit")
    assert trial.events.query("kind == 'adverse event'")["known_day"].tolist() == [30]


@pytest.mark.slow
def test_a_mapping_moves_cells(tmp_path):
    rows = everybody(12, subcategory="PHASE ONE") + everybody(12, day=60, subcategory="PHASE TWO", term=LEFT)
    sdtm(tmp_path, rows)
    assert load(tmp_path).flow["primary"] == 12
    assert load(tmp_path, treatment_records=("phase two",)).flow["primary"] == 0
    assert load(tmp_path, ignored_records=(f"* | PHASE TWO |  | {LEFT}",)).estimands == ("study",)


@pytest.mark.slow
def test_treatment_alone_is_what_leaving_means_where_nothing_else_is_recorded(tmp_path):
    rows = everybody(12, subcategory="STUDY TREATMENT")
    rows[0] |= {"DSDECOD": LEFT, "DSSTDTC": date(40)}
    trial = load(sdtm(tmp_path, rows))
    assert (trial.estimands, trial.definitions.estimand, trial.flow["primary"]) == (("treatment",), "treatment", 1)
    with pytest.raises(cdisc.CdiscError, match="no record tells who left the study"):
        load(tmp_path, estimand="study")


@pytest.mark.slow
def test_cells_say_what_every_record_was_taken_for(tmp_path):
    rows = everybody(12, day=-3, epoch="SCREENING") + everybody(12, epoch="TREATMENT")
    rows += everybody(12, term="INFORMED CONSENT OBTAINED", day=-5, category="PROTOCOL MILESTONE")
    cells = load(sdtm(tmp_path, rows)).cells.set_index("taken_for")[["records", "used"]]
    assert cells.loc["not read: no disposition"].tolist() == [12, 0]
    assert cells.loc["not read: screening, run-in or washout"].tolist() == [12, 0]
    assert cells.loc["completed the study"].tolist() == [12, 12]
    assert cells["records"].sum() == len(rows)


# ADaM

STAY = {"EOSSTT": ["COMPLETED"] * 12, "EOSDT": [date(180)] * 12, "DCSREAS": [None] * 12}


def changed(**first):
    return {name: [first.get(name, values[0]), *values[1:]] for name, values in STAY.items()}


@pytest.mark.slow
def test_adam_tells_both_ends(tmp_path):
    stop = {"EOTSTT": ["DISCONTINUED", *["COMPLETED"] * 11], "DCTREAS": ["ADVERSE EVENT", *[None] * 11]}
    stop["TRTEDT"] = [date(40), *[date(180)] * 11]
    trial = load(adam(tmp_path, **STAY, **stop))
    assert (trial.flow["off_treatment"], trial.flow["off_study"]) == (1, 0)
    assert of(load(tmp_path, estimand="treatment")) == (40, "adverse event")


def test_adam_ongoing_is_censored_on_the_last_day_alive(tmp_path):
    columns = changed(EOSSTT="ONGOING", EOSDT=None) | {"LSTALVDT": [date(91), *[None] * 11]}
    trial = load(adam(tmp_path, **columns))
    assert of(trial) == (91, "ongoing")
    assert trial.patients.set_index("id").loc[FIRST, "status"] == "censored"


@pytest.mark.parametrize(
    ("status", "reason", "group"),
    [("COMPLETED", LEFT, "withdrawal by subject"), ("DISCONTINUED", None, "other"), ("ONGOING", LEFT, "ongoing")],
)
def test_adam_where_status_and_reason_disagree_is_told(tmp_path, status, reason, group):
    trial = load(adam(tmp_path, **changed(EOSSTT=status, DCSREAS=reason)))
    assert of(trial)[1] == group
    assert any("1 patient" in note for note in trial.notes)


def test_adam_deaths_by_date(tmp_path):
    columns = changed(EOSSTT="DISCONTINUED", EOSDT=date(40), DCSREAS="ADVERSE EVENT")
    trial = load(adam(tmp_path, **columns, DTHFL=["Y", *[None] * 11], DTHDT=[date(40), *[None] * 11]))
    assert of(trial) == (40, "competing")


@pytest.mark.slow
def test_sdtm_and_adam_of_one_trial_agree(tmp_path):
    ends = [(LEFT, 30), ("ADVERSE EVENT", 90), ("DEATH", 60), *[(COMPLETED, 180)] * 9]
    rows = [record(p, term, day, "STUDY PARTICIPATION") for p, (term, day) in zip(ids(12), ends, strict=True)]
    rows += [record(p, term, day - 10, "STUDY TREATMENT") for p, (term, day) in zip(ids(12), ends, strict=True)]
    reasons = [None if term == COMPLETED else term for term, _ in ends]
    status = ["COMPLETED" if term is None else "DISCONTINUED" for term in reasons]
    columns = {"EOSSTT": status, "DCSREAS": reasons, "EOSDT": [date(day) for _, day in ends]}
    columns |= {"EOTSTT": status, "DCTREAS": reasons, "TRTEDT": [date(day - 10) for _, day in ends]}
    (tmp_path / "s").mkdir()
    (tmp_path / "a").mkdir()
    for estimand in ("study", "treatment"):
        one = load(sdtm(tmp_path / "s", rows), estimand=estimand)
        other = load(adam(tmp_path / "a", **columns), estimand=estimand)
        assert {**one.flow, "screened": None, "screen_failures": None} == other.flow
        pd.testing.assert_frame_equal(one.exits.drop(columns="last_day"), other.exits.drop(columns="last_day"))


# The data cut


@pytest.mark.slow
def test_nothing_after_the_data_cut_exists(tmp_path):
    cut = pd.Timestamp(date(50))
    rows = [record(FIRST, LEFT, 40), record("P-02", LEFT, 90), *everybody(12)[2:]]
    starts = [date(1)] * 11 + [date(100)]
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    trial = load(sdtm(tmp_path / "one", rows, RFSTDTC=starts), data_cut=cut)
    assert of(trial) == (40, "withdrawal by subject")
    assert of(trial, "P-02") == (30, "ongoing")
    assert (trial.flow["randomised"], trial.flow["ongoing"]) == (11, 10)
    rows[1] |= {"DSDECOD": "DEATH", "DSSTDTC": date(70)}
    other = load(sdtm(tmp_path / "two", rows, visits=(1, 30, 75), RFSTDTC=starts, DTHFL=["Y"] * 12), data_cut=cut)
    pd.testing.assert_frame_equal(trial.patients, other.patients)
    pd.testing.assert_frame_equal(trial.events, other.events)
    pd.testing.assert_frame_equal(trial.exits, other.exits)
    pd.testing.assert_frame_equal(trial.cells, other.cells)
    assert (trial.flow, trial.notes) == (other.flow, other.notes)


def test_matches_takes_a_cell_or_a_subcategory():
    cells = pd.DataFrame([["A", "B", None, "C"]], columns=disposition.CELL)
    assert disposition.matches(cells, ("a | b |  | c",))[0]
    assert not disposition.matches(cells, ("a | b | x | c", "c"))[0]


@pytest.mark.slow
def test_who_completed_without_a_first_dose_is_told(tmp_path):
    trial = load(sdtm(tmp_path, everybody(12), RFSTDTC=[None, *[date(1)] * 11]))
    assert any("1 randomised subjects without a dose completed by DS" in note for note in trial.notes)


@pytest.mark.slow
def test_synonyms_of_completion_and_of_withdrawal(tmp_path):
    rows = everybody(12, term="Complete")
    rows[0] |= {"DSDECOD": "Withdrew Consent", "DSSTDTC": date(40)}
    trial = load(sdtm(tmp_path, rows))
    assert of(trial) == (40, "withdrawal by subject")
    assert of(trial, "P-02") == (180, "completed")


@pytest.mark.slow
def test_a_first_dose_after_the_reference_date_is_told(tmp_path):
    trial = load(sdtm(tmp_path, everybody(12), RFXSTDTC=[date(15), *[date(1)] * 11]))
    assert any(note.startswith("1 patients were first dosed (RFXSTDTC) after RFSTDTC") for note in trial.notes)


def test_adam_ongoing_without_a_last_date_is_followed_to_the_last_date_of_all(tmp_path):
    trial = load(adam(tmp_path, **changed(EOSSTT="ONGOING", EOSDT=None)))
    assert of(trial) == (180, "ongoing")
    assert any("1 ongoing patients have no last date" in note for note in trial.notes)


@pytest.mark.slow
def test_rows_of_subjects_who_do_not_count_are_accounted_for(tmp_path):
    trial = load(sdtm(tmp_path, everybody(12), ARM=["Screen Failure", *["A", "B"] * 5, "A"]))
    told = {(file, n, why) for file, _, n, why in trial.account if n}
    assert told == {(file, n, "subjects who do not count as randomised") for file, n in (("ds.csv", 1), ("sv.csv", 3))}
    trial = load(sdtm(tmp_path, everybody(12), ACTARM=["Not Treated", *["A", "B"] * 5, "A"]))
    assert ("ds.csv", 12, 1, "subjects who were never dosed") in trial.account


def test_adam_tells_deaths_of_the_study_where_both_ends_are_recorded(tmp_path):
    columns = changed(EOSSTT="DISCONTINUED", EOSDT=date(40), DCSREAS="ADVERSE EVENT")
    stop = {"EOTSTT": ["DISCONTINUED", *["COMPLETED"] * 11], "DCTREAS": ["ADVERSE EVENT", *[None] * 11]}
    stop |= {"TRTEDT": [date(10), *[date(180)] * 11], "DTHFL": ["Y", *[None] * 11], "DTHDT": [date(40), *[None] * 11]}
    trial = load(adam(tmp_path, **columns, **stop))
    assert of(trial) == (40, "competing")
    assert "1 patients left for another reason on the day they died: counted as deaths." in trial.notes
