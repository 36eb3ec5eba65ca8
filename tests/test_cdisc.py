"""The pilot through SDTM, ADaM and every file format gives the same patients, outcomes and counts."""

import dataclasses
import traceback

import numpy as np
import pandas as pd
import pytest

from attrition import cdisc
from attrition.cdisc import files, sources
from attrition.cdisc import trial as trial_module
from attrition.cdisc.readers import adverse_events
from attrition.cdisc.sources import Source, open_source
from attrition.cdisc.trial import LEFT_OUT, PILOT
from attrition.contract.strict import ContractError
from attrition.landmark import cohort
from attrition.plots import diagrams
from attrition.survival import incidence
from notebook_report.said import said

FLOW = {
    "screened": 306,
    "screen_failures": 52,
    "randomised": 254,
    "discontinued_by_horizon": 137,
    "primary": 129,
    "deaths": 2,
    "sponsor": 6,
    "censored": 0,
    "in_study_at_horizon": 117,
    "ongoing": 0,
}
SDTM_FILES = ("dm", "ds", "ae", "sv", "vs", "lbhe", "qsco", "qsmm", "ex", "sc", "mh", "tv")


@pytest.fixture(scope="module")
def pilot_adam():
    return cdisc.load("pilot-adam")


def packaged(name, trial="pilot"):
    source = open_source(trial)
    return source._read(name, source.columns(name))


def write(frame, path):
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    elif path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        import pyreadstat

        short = frame.astype({c: object for c in frame if pd.api.types.is_string_dtype(frame[c])})
        pyreadstat.write_xport(short, str(path), file_format_version=5, table_name=path.stem.upper())
    return path


def small_trial(folder, demographics=None, disposition=None, ending=".parquet"):
    """Six patients with ids and an arm that readers like to spoil."""
    dm = {
        "STUDYID": "T1",
        "USUBJID": [f"00{i}" for i in range(1, 7)],
        "SITEID": "01",
        "ARM": ["NA", "NA", "B", "B", "B", "NA"],
        "ARMCD": ["NA", "NA", "B", "B", "B", "NA"],
        "RFSTDTC": "2020-01-01",
        "AGE": [50, 51, 52, 53, 54, 55],
    } | (demographics or {})
    ds = {
        "USUBJID": dm["USUBJID"],
        "DSCAT": "DISPOSITION EVENT",
        "DSDECOD": ["COMPLETED", "ADVERSE EVENT", "DEATH", "COMPLETED", "OTHER", "COMPLETED"],
        "DSSTDTC": ["2020-07-01", "2020-02-01", "2020-03-01", "2020-07-01", "2020-04-01", "2020-07-02"],
    } | (disposition or {})
    write(pd.DataFrame(dm), folder / f"dm{ending}")
    write(pd.DataFrame(ds), folder / f"DS{ending}")
    return folder


def test_pilot_counts(pilot):
    assert dict(pilot.flow) == FLOW


def test_pilot_counts_agree_with_a_plain_recount(pilot):
    dm, ds = packaged("dm"), packaged("ds")
    ds = ds[ds["DSCAT"] == "DISPOSITION EVENT"].set_index("USUBJID")
    randomised = dm.loc[dm["ARM"] != "Screen Failure", "USUBJID"]
    left = ds.loc[randomised].query("DSDECOD != 'COMPLETED' and DSSTDY <= 168")
    assert pilot.flow["randomised"] == len(randomised)
    assert pilot.flow["discontinued_by_horizon"] == len(left)
    assert pilot.flow["primary"] == (~left["DSDECOD"].isin(["DEATH", "STUDY TERMINATED BY SPONSOR"])).sum()


def test_reason_groups_of_the_pilot(pilot):
    groups = pilot.patients["event_group"].value_counts()
    assert groups.to_dict() == {
        "none": 117,
        "adverse event": 89,
        "withdrawal by subject": 25,
        "other": 15,
        "competing": 8,
    }
    assert pilot.patients["time"].max() == pilot.horizon


def test_adam_gives_the_same_patients_and_outcomes(pilot, pilot_adam):
    columns = ["id", "arm", "site", "site_group", "age", "sex", "race", "ethnicity", "event_group", "status"]
    pd.testing.assert_frame_equal(pilot.patients[columns], pilot_adam.patients[columns])
    for name in set(FLOW) - {"screened", "screen_failures"}:
        assert pilot_adam.flow[name] == pilot.flow[name]


def test_adam_dates_one_death_a_day_later(pilot, pilot_adam):
    both = pilot.patients.merge(pilot_adam.patients, on="id", suffixes=("", "_adam"))
    differing = both[both["event_day"] != both["event_day_adam"]]
    assert differing["reason"].tolist() == ["DEATH"]
    assert (differing["event_day_adam"] - differing["event_day"]).tolist() == [1]


def test_adam_never_claims_to_know_an_adverse_event(pilot_adam):
    adverse = pilot_adam.events[pilot_adam.events["kind"] == "adverse event"]
    assert len(adverse) > 0
    assert adverse["known_day"].isna().all()
    assert any("collection date" in note for note in pilot_adam.notes)


def test_site_groups_follow_the_rule_that_adam_states(pilot):
    adsl = packaged("adsl", "pilot-adam").set_index("USUBJID")["SITEGR1"]
    assert pilot.patients["site_group"].tolist() == adsl.loc[pilot.patients["id"]].tolist()


def test_adverse_events_are_known_from_the_later_of_onset_and_collection(pilot):
    adverse = pilot.events[pilot.events["kind"] == "adverse event"]
    assert len(adverse) == 961
    assert (adverse["known_day"] >= adverse["day"]).all()
    assert (adverse["known_day"] > adverse["day"]).mean() > 0.5


def test_repeated_adverse_event_records_count_once():
    class Repeated(Source):
        def _read(self, name, columns):
            frame = super()._read(name, columns)
            return pd.concat([frame, frame.head(200)]) if name == "ae" else frame

    source = Repeated("pilot", open_source("pilot").folder)
    reference = pd.Series(pd.Timestamp(2013, 1, 1), index=packaged("dm")["USUBJID"])
    assert len(adverse_events(source, reference)[0]) == 961
    assert source.account[0] == ("ae.parquet", 1161, 200, "repeat another row with the same AESEQ")


def test_partial_onset_is_dated_no_earlier_than_it_may_be(tmp_path):
    events = {"USUBJID": ["001"] * 3, "AESEQ": [1, 2, 3], "AEDECOD": "X", "AEBODSYS": "Y", "AEDTC": "2020-03-10"}
    write(pd.DataFrame(events | {"AESTDTC": ["2020-02", "2020", "2019"]}), small_trial(tmp_path) / "ae.csv")
    found, _ = adverse_events(open_source(tmp_path), pd.Series(pd.Timestamp(2020, 2, 1), index=["001"]))
    assert found["day"].tolist() == [29.0, 39.0, -32.0]
    assert found["known_day"].tolist() == [39.0, 39.0, 39.0]


def test_visits_after_the_study_part_are_not_read(pilot):
    visits = pilot.events[pilot.events["kind"] == "visit"]
    assert visits["value"].max() < 100
    assert pilot.schedule[:3] == (13, 14, 28)


def test_no_outcome_column_is_a_baseline_column(pilot):
    assert set(pilot.baseline) == {"age", "sex", "race", "ethnicity", "education_years", "disease_months"}


@pytest.mark.slow
@pytest.mark.parametrize("ending", [".parquet", ".xpt", ".csv"])
def test_formats_give_the_same_trial(pilot, tmp_path, ending):
    for name in SDTM_FILES:
        write(packaged(name), tmp_path / f"{name}{ending}")
    trial = cdisc.load(tmp_path)
    assert dict(trial.flow) == FLOW
    pd.testing.assert_frame_equal(trial.patients, pilot.patients, check_dtype=False)
    pd.testing.assert_frame_equal(cohort.table(trial), cohort.table(pilot))
    kinds = ["adverse event", "visit", "vital sign", "exposure"]
    wanted = pilot.events[pilot.events["kind"].isin(kinds)].reset_index(drop=True)
    found = trial.events[trial.events["kind"].isin(kinds)].reset_index(drop=True)
    pd.testing.assert_frame_equal(found, wanted, check_dtype=False)


@pytest.mark.slow
@pytest.mark.parametrize("ending", [".parquet", ".xpt", ".csv"])
def test_adam_formats_give_the_same_trial(pilot_adam, tmp_path, ending):
    for name in ("adsl", "adae", "advs"):
        write(packaged(name, "pilot-adam"), tmp_path / f"{name}{ending}")
    trial = cdisc.load(tmp_path)
    pd.testing.assert_frame_equal(trial.patients, pilot_adam.patients, check_dtype=False)


def test_sas_day_numbers_are_dates():
    numbers = pd.Series([19718.0, 0.0])
    assert sources.as_dates(numbers).dt.strftime("%Y-%m-%d").tolist() == ["2013-12-26", "1960-01-01"]


def test_there_is_no_day_zero():
    dates = pd.Series(pd.date_range("2020-01-01", periods=5))
    day = sources.study_day(dates, pd.Series([dates[2]] * 5))
    assert day.tolist() == [-2.0, -1.0, 1.0, 2.0, 3.0]


@pytest.mark.slow
@pytest.mark.parametrize("ending", [".parquet", ".csv"])
def test_ids_and_an_arm_called_na_survive(tmp_path, ending):
    trial = cdisc.load(small_trial(tmp_path, ending=ending))
    assert trial.patients["id"].tolist() == ["001", "002", "003", "004", "005", "006"]
    assert trial.arms == ("B", "NA")
    assert trial.patients["event_group"].tolist() == ["none", "adverse event", "competing", "none", "other", "none"]


def test_a_missing_arm_is_refused(tmp_path):
    with pytest.raises(cdisc.CdiscError, match="2 randomised patients have no arm"):
        cdisc.load(small_trial(tmp_path, {"ARM": ["", "", "B", "B", "B", "B"], "ARMCD": ["", "", "B", "B", "B", "B"]}))


def test_a_patient_twice_is_refused_without_naming_the_patient(tmp_path):
    with pytest.raises(ContractError, match="row 2, column USUBJID: the subject stands in an earlier row") as refused:
        cdisc.load(small_trial(tmp_path, {"USUBJID": ["001", "001", "003", "004", "005", "006"]}))
    assert "001" not in str(refused.value)


def test_a_number_that_is_none_is_refused_with_its_line(tmp_path):
    with pytest.raises(ContractError, match="row 2, column AGE: must be a number"):
        cdisc.load(small_trial(tmp_path, {"AGE": ["50", "old", "52", "53", "54", "55"]}))


def test_a_folder_without_a_trial_is_refused(tmp_path):
    with pytest.raises(cdisc.CdiscError, match="needs DM and DS"):
        cdisc.load(tmp_path)
    with pytest.raises(cdisc.CdiscError, match="no such folder"):
        cdisc.load(tmp_path / "nowhere")


def test_a_missing_column_is_named(tmp_path):
    folder = small_trial(tmp_path)
    pd.DataFrame({"USUBJID": ["001"]}).to_parquet(folder / "DS.parquet")
    with pytest.raises(cdisc.CdiscError, match="DS: column DSDECOD is missing"):
        cdisc.load(folder)


def test_the_same_domain_twice_is_refused(tmp_path):
    folder = small_trial(tmp_path)
    (folder / "dm.csv").write_text("USUBJID\n001\n")
    with pytest.raises(cdisc.CdiscError, match="same domain"):
        cdisc.load(folder)


@pytest.mark.parametrize("reader", ["header", "table"])
def test_what_a_reader_says_about_a_broken_file_is_withheld(tmp_path, monkeypatch, reader):
    folder = small_trial(tmp_path)

    def broken(*_):
        raise KeyError("Erika Mustermann")

    monkeypatch.setattr(files, reader, broken)
    with pytest.raises(
        ContractError, match=r"(?s)^dm\.parquet: refused.*this is no parquet file .* \(KeyError\)$"
    ) as refused:
        cdisc.load(folder)
    assert "Erika" not in "".join(traceback.format_exception(refused.value))


def test_splits_belong_to_their_domain_and_supplements_do_not(tmp_path):
    for name in ("lb", "lbch", "supplbch", "lbsomething"):
        (tmp_path / f"{name}.csv").write_text("USUBJID\n")
    assert Source("x", tmp_path).domain("lb") == ["lb", "lbch"]


@pytest.mark.slow
def test_an_unknown_study_takes_its_horizon_from_the_completions(pilot):
    open_definitions = dataclasses.replace(PILOT, horizon=None, landmarks=(), arms=())
    trial = cdisc.load("pilot", open_definitions)
    completed = pilot.patients.loc[pilot.patients["reason_group"] == "completed", "event_day"]
    assert trial.horizon % 7 == 0
    assert (completed <= trial.horizon).mean() < 0.025
    assert trial.landmarks == tuple(round(trial.horizon / part) for part in (6, 3, 2))


@pytest.mark.slow
def test_who_is_seen_through_the_day_of_the_horizon_has_stayed(tmp_path):
    """With few completers the horizon is the last recorded day: who completes on it has stayed."""
    trial = cdisc.load(small_trial(tmp_path))
    patients = trial.patients.set_index("id")
    assert (trial.horizon, patients.loc["006", "event_day"]) == (184, 184)
    assert patients.loc[["001", "004", "006"], "status"].tolist() == ["censored", "censored", "none"]
    target = cohort.target(trial, 30)
    assert target[["001", "006"]].isna().tolist() == [True, False]
    assert target["006"] == 0


@pytest.mark.slow
def test_the_first_discontinuation_counts(tmp_path):
    ids = ["001", "002", "003", "004", "005", "006", "001"]
    folder = small_trial(
        tmp_path,
        disposition={
            "USUBJID": ids,
            "DSDECOD": ["COMPLETED"] * 6 + ["DEATH"],
            "DSSTDTC": ["2020-02-01"] * 6 + ["2020-03-01"],
        },
    )
    patients = cdisc.load(folder).patients.set_index("id")
    assert patients.loc["001", "reason"] == "DEATH"
    assert patients.loc["002", "reason"] == "COMPLETED"


def test_the_same_patient_twice_in_adsl_is_refused_without_naming_the_patient(tmp_path):
    with pytest.raises(ContractError, match="line 3, column USUBJID: the subject stands in an earlier row") as refused:
        cdisc.load(small_adam(tmp_path, USUBJID=["001", "001", "003", "004", "005", "006"]))
    assert "001" not in str(refused.value)


def small_adam(folder, ending=".csv", **changes):
    """The six patients of `small_trial` as ADSL."""
    adsl = {
        "STUDYID": "T1",
        "USUBJID": [f"00{i}" for i in range(1, 7)],
        "SITEID": "01",
        "TRT01P": ["NA", "NA", "B", "B", "B", "NA"],
        "TRTSDT": "2020-01-01",
        "EOSDT": ["2020-07-01", "2020-02-01", "2020-03-01", "2020-07-01", "2020-04-01", "2020-07-02"],
        "EOSSTT": ["COMPLETED", *["DISCONTINUED"] * 2, "COMPLETED", "DISCONTINUED", "COMPLETED"],
        "DCSREAS": ["", "ADVERSE EVENT", "DEATH", "", "OTHER", ""],
    } | changes
    write(pd.DataFrame(adsl), folder / f"adsl{ending}")
    return folder


def loaded(folder, kind, start):
    """A small trial of one kind of files whose patients have these dates of first dose."""
    if kind == "sdtm":
        return cdisc.load(small_trial(folder, {"RFSTDTC": start}, ending=".csv"))
    return cdisc.load(small_adam(folder, TRTSDT=start))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sdtm", "adam"])
def test_who_was_never_dosed_is_left_out_and_counted(tmp_path, kind):
    trial = loaded(tmp_path, kind, ["", "2020-01-01", "", *["2020-01-01"] * 3])
    assert trial.patients["id"].tolist() == ["002", "004", "005", "006"]
    assert (trial.flow["randomised"], trial.flow["not_dosed"], trial.flow["primary"]) == (6, 2, 2)
    assert "left_before_first_dose" not in trial.flow
    assert any("2 randomised patients never dosed" in note for note in trial.notes)
    told = said("trial_definitions", {"trial": trial, "left_out": LEFT_OUT})
    assert "analysis set: randomised and dosed patients (left out: 2 never dosed); day 1 is the first dose" in told


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sdtm", "adam"])
def test_who_left_before_the_first_dose_is_left_out_and_counted(tmp_path, kind):
    trial = loaded(tmp_path, kind, ["2020-01-01", "2020-02-02", *["2020-01-01"] * 4])
    assert trial.patients["event_day"].min() >= 1
    assert (trial.flow["randomised"], trial.flow["left_before_first_dose"], trial.flow["primary"]) == (6, 1, 1)
    flow = cohort.participant_flow(trial).set_index("step")
    assert flow.loc["randomised", "n"] == 6
    assert flow.loc["analysed", ["n", "left"]].tolist() == [5, 1]
    words = [text.get_text() for text in diagrams.consort(flow.reset_index(), trial.groups).texts]
    assert "1 not analysed" in words
    ahead = {"to_come": incidence.to_come(trial), "risk": cohort.risk(trial, 0)}
    told = said("took_part", trial.flow | ahead | {"n": len(trial.patients), "horizon": trial.horizon})
    assert "Of 5 randomised and dosed patients" in told


@pytest.mark.slow
def test_leaving_on_the_day_of_the_first_dose_is_day_one(tmp_path):
    trial = loaded(tmp_path, "sdtm", ["2020-01-01", "2020-02-01", *["2020-01-01"] * 4])
    assert trial.patients["event_day"].min() == 1
    assert trial.flow["randomised"] == len(trial.patients) == 6


@pytest.mark.parametrize(
    ("kind", "said"), [("sdtm", r"dm\.csv: column RFSTDTC"), ("adam", r"adsl\.csv: column TRTSDT")]
)
def test_a_trial_in_which_nobody_was_dosed_is_refused(tmp_path, kind, said):
    with pytest.raises(cdisc.CdiscError, match=said + " is empty for all randomised patients"):
        loaded(tmp_path, kind, "")


@pytest.mark.parametrize(("kind", "column"), [("sdtm", "RFSTDTC"), ("adam", "TRTSDT")])
def test_a_partial_date_of_the_first_dose_is_refused_with_its_line(tmp_path, kind, column):
    with pytest.raises(ContractError, match=rf"line 4, column {column}: must be a whole date of ISO 8601") as refused:
        loaded(tmp_path, kind, ["2020-01-01"] * 2 + ["2020-01"] + ["2020-01-01"] * 3)
    assert "2020" not in str(refused.value)


@pytest.mark.slow
def test_a_disposition_without_a_whole_date_is_refused_with_its_line(tmp_path):
    dates = ["2020-07-01", "2020", "", "2020-07-01", "2020-04", "2020-07-02"]
    with pytest.raises(
        ContractError, match=r"lines 3, 4, column DSSTDTC: must be a whole date[^\n]*\n  line 6, .*partial = \"middle\""
    ):
        cdisc.load(small_trial(tmp_path, disposition={"DSSTDTC": dates}, ending=".csv"))
    days_told = {"DSSTDTC": dates, "DSSTDY": [183, 32, 61, 183, 92, 184]}
    assert len(cdisc.load(small_trial(tmp_path, disposition=days_told, ending=".csv")).patients) == 6


def test_an_end_of_study_without_a_whole_date_is_refused_with_its_line(tmp_path):
    with pytest.raises(
        ContractError, match=r"adsl\.csv: refused, 1 problem\n  line 3, column EOSDT: must be a whole date"
    ):
        cdisc.load(small_adam(tmp_path, EOSDT=["2020-07-01", "2020-02", *["2020-07-01"] * 4]))
    with pytest.raises(cdisc.CdiscError, match="both are empty"):
        cdisc.load(small_adam(tmp_path, EOSDT=""))


NO_DATES = ["31/01/2020", "2020-02-30", "2020-13", "20200131", "31JAN2020", "21915.0", "2020-1-3"]


@pytest.mark.parametrize(
    ("kind", "name", "column"),
    [
        *[("sdtm", name, column) for name, column in (("dm", "RFSTDTC"), ("DS", "DSSTDTC"), ("sv", "SVSTDTC"))],
        *[("sdtm", name, column) for name, column in (("ae", "AEDTC"), ("ae", "AESTDTC"), ("vs", "VSDTC"))],
        *[("adam", name, column) for name, column in (("adsl", "TRTSDT"), ("adsl", "EOSDT"), ("adae", "ASTDT"))],
    ],
)
@pytest.mark.parametrize("no_date", NO_DATES)
def test_text_that_is_no_date_is_refused_with_file_line_and_column(tmp_path, kind, name, column, no_date):
    (small_trial if kind == "sdtm" else small_adam)(tmp_path, ending=".csv")
    path = tmp_path / f"{name}.csv"
    if path.exists():
        table = pd.read_csv(path, dtype="str", keep_default_na=False)
    else:
        table = pd.DataFrame({"USUBJID": [f"00{i}" for i in range(1, 7)], "AEDECOD": "X"})
    dates = ["2020-03-01", no_date, "", "2020-03-02T10:30", no_date, "2020-03-04"]
    write(table.assign(**{column: dates}), path)
    with pytest.raises(ContractError) as refused:
        cdisc.load(tmp_path)
    assert str(refused.value).startswith(
        f"{name}.csv: refused, 2 problems\n  lines 3, 6, column {column}: must be empty or"
    )
    assert refused.value.exit_code == 3
    assert no_date not in str(refused.value)


def test_dates_that_sdtm_allows_are_no_problem():
    allowed = ["2020-01-31", "2020-01-31T10:30:05.5+02:00", "2020-01-31 00:00:00", "2020-01-31T-:15", "2020-01", "2020"]
    allowed += ["2020---15", "--12-15", "-----T07:15", "2020-12--T07:15", "2020-01-", " 2020-01-31 ", "", "-", None]
    values = pd.Series(allowed, dtype="str")
    assert not sources.unreadable(values).any()
    assert sources.as_dates(values).notna().sum() == 5
    assert not sources.unreadable(pd.Series([pd.Timestamp(2020, 1, 31).date(), None], dtype=object)).any()
    assert not sources.unreadable(pd.Series([21915.0, np.nan])).any()


def test_rows_of_other_files_than_csv_are_counted_from_one(tmp_path):
    with pytest.raises(ContractError, match=r"dm\.parquet: refused, 1 problem\n  row 2, column RFSTDTC"):
        cdisc.load(small_trial(tmp_path, {"RFSTDTC": ["2020-01-01", "01/01/2020", *["2020-01-01"] * 4]}))


def test_discontinued_without_a_reason_counts_as_leaving(tmp_path):
    trial = cdisc.load(small_adam(tmp_path, DCSREAS=["", "", "DEATH", "", " ", ""]))
    groups = trial.patients.set_index("id")["reason_group"]
    assert groups.tolist() == ["completed", "other", "competing", "completed", "other", "completed"]
    assert trial.flow["primary"] == 2
    assert any(note.startswith("2 patients discontinued by EOSSTT without a reason: ") for note in trial.notes)


def test_still_in_the_trial_stays_ongoing(tmp_path):
    status = ["ONGOING", *["DISCONTINUED"] * 2, "COMPLETED", "DISCONTINUED", "COMPLETED"]
    trial = cdisc.load(small_adam(tmp_path, EOSSTT=status))
    assert trial.patients["reason_group"].tolist()[0] == "ongoing"
    assert not any("EOSSTT" in note for note in trial.notes)


@pytest.mark.slow
@pytest.mark.parametrize("spell", [str.title, str.lower, lambda term: f" {term} "])
def test_terms_count_in_any_case(tmp_path, spell):
    terms = ["COMPLETED", "ADVERSE EVENT", "DEATH", "COMPLETED", "OTHER", "COMPLETED"]
    wanted = ["completed", "adverse event", "competing", "completed", "other", "completed"]
    spelled = [spell(term) for term in terms]
    consent = {"DSCAT": "Protocol milestone", "DSDECOD": spell("INFORMED CONSENT OBTAINED")}
    folders = {name: tmp_path / name for name in ("ds", "dcdecod", "dcsreas")}
    for folder in folders.values():
        folder.mkdir()
    small_trial(folders["ds"], disposition={"DSDECOD": spelled, "DSCAT": spell("DISPOSITION EVENT")}, ending=".csv")
    path = folders["ds"] / "DS.csv"
    table = pd.read_csv(path, dtype="str")
    write(pd.concat([table, table.assign(**consent)]), path)
    small_adam(folders["dcdecod"], DCDECOD=spelled)
    status = [spell("DISCONTINUED") if term != "COMPLETED" else spell(term) for term in terms]
    reasons = ["" if term == "COMPLETED" else spell(term) for term in terms]
    small_adam(folders["dcsreas"], EOSSTT=status, DCSREAS=reasons)
    for folder in folders.values():
        assert cdisc.load(folder).patients["reason_group"].tolist() == wanted


def test_of_many_sites_the_largest_stand_alone(monkeypatch):
    monkeypatch.setattr(trial_module, "MOST_SITES", 2)
    site = pd.Series(list("AAAAAABBBBCCCCCCCCD"))
    arm = pd.Series(list("xy" * 9 + "x"))
    groups = trial_module.pool_sites(site, arm, trial_module.Definitions(smallest_site_arm=1))
    assert dict(zip(site, groups, strict=True)) == {"A": "A", "B": "pooled", "C": "C", "D": "pooled"}


def test_a_folder_of_a_table_and_its_mapping_says_what_to_give(tmp_path):
    (tmp_path / "patients.csv").write_text("id,arm\n1,A\n", encoding="utf-8")
    with pytest.raises(cdisc.CdiscError) as told:
        open_source(tmp_path)
    assert "--trial" not in str(told.value)
    (tmp_path / "trial-mapping.toml").write_text("", encoding="utf-8")
    with pytest.raises(cdisc.CdiscError, match=f"--trial {tmp_path.name}/trial-mapping.toml"):
        open_source(tmp_path)
