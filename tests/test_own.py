"""The model of a reader's own trial: what is kept is what was fitted, nothing later changes a score, limits told."""

import dataclasses
import json
import stat

import numpy as np
import pandas as pd
import pytest

from attrition import __main__ as command
from attrition import models, monitoring, own, params, trials
from attrition.cdisc import CdiscError
from attrition.cdisc.trial import Definitions, assemble
from attrition.contract.strict import ContractError
from attrition.landmark import evaluation, prediction, uncertainty
from attrition.landmark.guard import forget
from attrition.models import saving
from attrition.registry import upkeep
from notebook_report import results

DAY, SEED, CANARY = 28, 1, "Zebedee Quux"
SIZES = {"n_folds": 2, "n_half_samples": 4}
RECORDS = ["id", "kind", "name", "value", "detail", "day", "known_day"]


def made(seed=3, n=240, arms=("A", "B"), effect=1.5, older=0.0, gone_early=0.0, drop=(), ongoing=()):
    """A trial in which the older ones leave: visits, adverse events of two body systems, a weight with gaps."""
    rng = np.random.default_rng(seed)
    ids, age = [f"{seed}-{i:03d}" for i in range(n)], rng.normal(60 + older, 10, n).round()
    gone = rng.random(n) < 1 / (1 + np.exp(-effect * (age - 60) / 10 + gone_early))
    day = np.where(gone, rng.integers(5, 160, n), 190).astype(float)
    table = pd.DataFrame({"id": ids, "arm": rng.choice(arms, n), "site": "1", "age": age, "event_day": day})
    table["sex"] = rng.choice(["F", "M", None], n, p=[0.45, 0.45, 0.1])
    table.loc[:1, "sex"] = CANARY
    table["reason"] = np.where(gone, rng.choice(["ADVERSE EVENT", "DEATH", "LOST TO FOLLOW-UP"], n), "COMPLETED")
    for last in ongoing:
        table.loc[table.index[table["event_day"].eq(190)][:30], ["event_day", "reason"]] = [last, None]
    rows: list[tuple] = []
    for i, weight in zip(ids, rng.normal(70, 9, n), strict=True):
        rows += [(i, "vital sign", "WEIGHT", weight, None, 1, 1)] * (rng.random() < 0.8)
        system = rng.choice(["Skin disorders", "Cardiac disorders"])
        rows += [(i, "adverse event", "Rash", None, system, 10, int(rng.integers(10, 60)))]
    for i, d in zip(ids, day, strict=True):
        rows += [(i, "visit", "V", w, None, w, w) for w in (14, 42, 70) if w <= d and rng.random() < 0.8]
    events = pd.DataFrame(rows, columns=RECORDS).astype({"detail": "str", "value": float, "day": float})
    events = events[~events["kind"].isin(drop)]
    definitions = Definitions(name="made", horizon=168, landmarks=(DAY,))
    return assemble("made", "table", definitions, table, events, {"screened": None, "screen_failures": None})


def judged(trial):
    """Both ridge regressions of the landmark as chapter 06 develops them, at small sizes, and better than chance."""
    of = prediction.problem(trial, DAY)
    chosen = {name: (name, prediction.ridge(of, name, SEED)) for name in own.MODELS}
    folds = prediction.folds_of(of, 2, 1, SEED)
    halves = uncertainty.halves(of.y, 4, 2, np.random.default_rng(1))
    chance = {DAY: {name: {"p": 0.01, "holm": 0.01} for name in own.MODELS}}
    summary = pd.DataFrame(columns=["landmark", "model", "measure"])
    return evaluation.Evaluation({DAY: uncertainty.develop(of, chosen, folds, halves)}, chance=chance, summary=summary)


@pytest.fixture(scope="module")
def p():
    return dataclasses.replace(params.load("06_real_trial", "quick"), suspicious_auroc=0.99, **SIZES)


@pytest.fixture(scope="module")
def trial():
    return made()


@pytest.fixture(scope="module")
def found(trial):
    return judged(trial)


@pytest.fixture
def folder(trial, found, p, tmp_path, monkeypatch):
    monkeypatch.setenv("ATTRITION_OUT", str(tmp_path / "out"))
    assert own.keep(trial, "made", found, p, SEED)["day"] == DAY
    return tmp_path / "out" / own.FOLDER


def changed(folder, **changes):
    """The kept model with other entries of its card, sealed anew."""
    card = json.loads((folder / own.CARD).read_text())
    for key, value in changes.items():
        for entry in [card, *card["models"].values()]:
            if key in entry:
                entry[key] = value
    results.publish(folder / own.CARD, json.dumps(card))
    saving.seal(folder)
    return folder


@pytest.mark.parametrize("unblinded", [False, True])
def test_what_is_kept_predicts_what_was_fitted(folder, trial, found, unblinded):
    model, of = own.Kept.load(folder, unblinded), found.problems[DAY]
    X = of.X[of.columns(model.name)].to_numpy()
    fitted = models.probability(prediction.ridge(of, model.name, SEED).fit(X, of.y), X)
    scored, _ = model.score(trial)
    assert scored["patient_id"].tolist() == of.X.index.tolist()
    assert np.abs(scored["risk"] - fitted).max() <= 1e-12
    assert np.isnan(X).any(), "gaps are part of it"
    assert ("arm" in [one["feature"] for one in model.columns]) == unblinded


@pytest.mark.slow
def test_a_running_trial_is_fitted_with_the_weights_of_censoring(folder, p):
    running = made(ongoing=(100.0, 20.0))
    found = judged(running)
    own.keep(running, "made", found, p, SEED)
    of, (scored, about) = found.problems[DAY], own.Kept.load(folder, True).score(running)
    X = of.X[of.columns("all")].to_numpy()
    weighted, plain = (
        models.probability(prediction.ridge(of, "all", SEED).fit(X, of.y, w), X) for w in (of.base, None)
    )
    assert np.abs(scored["risk"] - weighted).max() <= 1e-12
    assert not np.allclose(weighted, plain, atol=1e-3)
    assert about["unseen"] == 30
    assert about["gone"] == (running.patients["event_day"] <= DAY).sum() - 30
    assert "30 are not known to have reached it" in upkeep.told("scored", about | {"file": "f"})


@pytest.mark.slow
def test_nothing_later_and_nobody_else_changes_a_score(folder, trial):
    model = own.Kept.load(folder, True)
    scored, _ = model.score(trial)
    pd.testing.assert_frame_equal(model.score(forget(trial, DAY))[0], scored)
    patients = trial.patients.copy()
    later = patients["event_day"] > DAY
    patients.loc[later, "event_day"], patients.loc[later, "reason_group"] = 200.0, "other"
    pd.testing.assert_frame_equal(model.score(dataclasses.replace(trial, patients=patients))[0], scored)
    few = patients[patients["id"].isin(scored["patient_id"].iloc[::20])].reset_index(drop=True)
    alone, _ = model.score(dataclasses.replace(trial, patients=few))
    pd.testing.assert_frame_equal(alone, scored.iloc[::20].reset_index(drop=True))
    early = trial.events.assign(known_day=trial.events["known_day"].clip(upper=DAY))
    assert not np.allclose(model.score(dataclasses.replace(trial, events=early))[0]["risk"], scored["risk"])


def test_the_folder_holds_no_row_and_no_rare_category_of_a_patient(folder, trial, found):
    card = json.loads((folder / own.CARD).read_text())
    text = (folder / own.CARD).read_text()
    assert {path.name for path in folder.iterdir()} == {own.CARD, saving.MANIFEST}
    assert CANARY not in text
    assert CANARY.lower().replace(" ", "_") not in text
    assert not [name for name in trial.patients["id"] if name in text]
    assert len(str(card["models"]).split(",")) < 2 * 12 * len(found.problems[DAY].X.columns)
    low, high = card["ranges"]["age"]
    age = trial.patients.loc[trial.patients["event_day"] > DAY, "age"].sort_values().to_numpy()
    assert (low, high) == pytest.approx((age[7] - 0.25 * (age[-8] - age[7]), age[-8] + 0.25 * (age[-8] - age[7])))


def test_a_rare_category_is_known_again(folder, trial):
    table, _ = own.Kept.load(folder).features(trial)
    assert sorted(table["sex"].dropna().str[0].unique()) == ["#", "F", "M"]
    other = dataclasses.replace(trial, patients=trial.patients.replace(CANARY, "X"))
    scored, about = own.Kept.load(folder).score(other)
    assert scored["outside_training"].str.contains("sex not seen in training").sum() == 2
    assert about["outside"] == (scored["outside_training"] != "").sum()
    assert scored["missing"].sum() > 0


def test_limits_are_those_of_the_chapter(folder, trial, found):
    model = own.Kept.load(folder)
    expected = results.plain(found.developed[DAY].interval("all_without_arm", "auroc"))
    assert model.limits["auroc"] == expected
    told = upkeep.told("limits", model.limits)
    assert f"AUROC {expected['value']:.2f} ({expected['ci_low']:.2f} to {expected['ci_high']:.2f})" in told
    assert "better than chance (p 0.010)" in told
    assert "without the arm" in told
    assert f"{len(found.problems[DAY].y)} patients, {found.problems[DAY].n_events} of whom left" in told
    assert upkeep.told("doubts", model.score(trial)[1]) == ""
    unblinded = own.Kept.load(folder, True).limits
    assert "with the arm" in upkeep.told("limits", unblinded)
    assert unblinded["auroc"] != expected


@pytest.mark.parametrize(
    ("ends", "told"),
    [
        ((0.2, 0.8), "high risks are too high"),
        ((1.1, 1.8), "high risks are too low"),
        ((-0.2, 1.8), "is not settled"),
        ((0.2, 1.8), "in line with 1"),
        ((None, None), "slope 0.50\n"),
    ],
)
def test_calibration_is_told_by_its_interval(folder, ends, told):
    slope = {"value": 0.5, "ci_low": ends[0], "ci_high": ends[1]}
    assert told in upkeep.told("limits", own.Kept.load(folder).limits | {"calibration_slope": slope})


def test_a_file_that_was_changed_is_refused(folder):
    text = (folder / own.CARD).read_text()
    (folder / own.CARD).write_text(text.replace('"day": 28', '"day": 27'))
    with pytest.raises(saving.UnsafeModel, match="not as it was saved"):
        own.Kept.load(folder)
    with pytest.raises(saving.UnsafeModel, match="no model that this program has kept"):
        own.Kept.load(changed(folder, coef=[1.0]))
    (folder / own.CARD).write_text("[]")
    saving.seal(folder)
    with pytest.raises(saving.UnsafeModel, match="no model that this program has kept"):
        own.Kept.load(folder)


def test_a_trial_of_other_arms_is_scored_without_them(folder):
    other = made(9, arms=("A", "C"))
    assert len(own.Kept.load(folder).score(other)[0])
    with pytest.raises(CdiscError, match="1 of its arms the model does not know; leave out --unblinded"):
        own.Kept.load(folder, True).score(other)


@pytest.mark.slow
def test_inputs_that_a_trial_lacks_are_those_of_the_median_patient(folder, trial):
    model, other = own.Kept.load(folder), made(9, drop=("vital sign", "adverse event"))
    scored, about = model.score(other)
    assert about["absent"][0] == "weight_baseline"
    assert {"ae_count", "ae_skin_disorders", "ae_cardiac_disorders"} <= set(about["absent"])
    assert "nobody has 5 of the inputs (weight_baseline, " in upkeep.told("doubts", about)
    table, absent = model.features(other)
    weight = trial.events[
        trial.events["kind"].eq("vital sign") & trial.events["id"].isin(model.features(trial)[0].index)
    ]
    median = dict.fromkeys(absent, 0.0) | {"weight_baseline": weight["value"].median()}
    of_trial, _ = model.features(trial)
    median |= {name: of_trial[name].median() for name in absent if name.startswith("ae_")}
    assert np.allclose(model.risks(table.assign(**median), []), scored["risk"], atol=1e-9)
    assert not np.allclose(model.risks(table, []), scored["risk"], atol=1e-4), "a gap is something else"


@pytest.mark.slow
def test_what_is_recorded_by_other_names_is_no_input(folder, trial):
    model = own.Kept.load(folder)
    sexes = trial.patients.assign(sex=trial.patients["sex"].map({"F": "Female", "M": "Male"}))
    assert model.features(dataclasses.replace(trial, patients=sexes))[1] == ["sex"]
    assert model.features(dataclasses.replace(trial, patients=sexes.assign(sex=1.0)))[1] == ["sex"]
    words = trial.patients.assign(age="old")
    assert model.features(dataclasses.replace(trial, patients=words))[1] == ["age"]
    some = trial.patients.assign(sex=trial.patients["sex"].replace({"F": "Female"}))
    assert model.features(dataclasses.replace(trial, patients=some))[1] == []


def test_a_trial_whose_visits_are_not_recorded_has_no_patients_without_visits(folder):
    assert own.Kept.load(folder).features(made(9, drop=("visit",)))[1] == ["visits_attended", "days_since_visit"]


@pytest.mark.slow
def test_a_body_system_that_is_rare_in_another_trial_is_counted(folder):
    other = made(9)
    names = [f"System {i}" for i in range(5)]
    rows = [(i, "adverse event", n, None, n, 12, 12) for i in other.patients["id"] for n in names]
    events = pd.concat([other.events, pd.DataFrame(rows, columns=RECORDS).astype({"value": float})], ignore_index=True)
    table, absent = own.Kept.load(folder).features(dataclasses.replace(other, events=events))
    assert absent == []
    assert 0.1 < table["ae_skin_disorders"].mean() < 0.5
    heart = events[events["detail"] != "Skin disorders"]
    assert own.Kept.load(folder).features(dataclasses.replace(other, events=heart))[0]["ae_skin_disorders"].eq(0).all()


def test_a_question_about_the_treatment_is_not_answered(folder, trial):
    other = dataclasses.replace(trial, definitions=dataclasses.replace(trial.definitions, estimand="treatment"))
    with pytest.raises(CdiscError, match="the model is about leaving the study"):
        own.Kept.load(folder).score(other)
    nobody = dataclasses.replace(trial, patients=trial.patients.assign(event_day=10.0))
    with pytest.raises(CdiscError, match="no patient is known to be at risk on day 28"):
        own.Kept.load(folder).score(nobody)


def test_without_a_prediction_no_model_is_left(folder, trial, p):
    assert own.keep(trial, "made", evaluation.Evaluation(), p, SEED) == {"day": None}
    assert list(folder.iterdir()) == []


def test_a_suspiciously_good_model_is_doubted(folder, trial, found, p):
    own.keep(trial, "made", found, dataclasses.replace(p, suspicious_auroc=0.6), SEED)
    assert "something known only later" in upkeep.told("doubts", own.Kept.load(folder).score(trial)[1])


def test_the_landmark_of_a_model_of_another_library_is_told(folder, trial):
    about = own.Kept.load(changed(folder, features_sha256="x")).score(trial)[1]
    assert "have it fitted anew" in upkeep.told("scored", about | {"file": "f"})


@pytest.fixture
def table(tmp_path):
    """Write a trial as a flat table and its mapping; gives the mapping."""

    def write(trial, name="other"):
        patients = trial.patients.rename(columns={"event_day": "last"}).fillna({"sex": ""})
        patients[["id", "arm", "age", "sex", "last", "reason"]].to_csv(tmp_path / f"{name}.csv", index=False)
        trial.events.to_csv(tmp_path / f"{name}-events.csv", index=False)
        columns = {key: key for key in ("id", "kind", "name", "value", "detail", "day", "known_day")}
        content = {
            "name": name, "table": f"{name}.csv", "design": {"horizon": 168, "landmarks": [DAY]},
            "columns": {"id": "id", "event_day": "last", "reason": "reason", "arm": "arm"},
            "baseline": {"numbers": ["age"], "categories": ["sex"]},
            "reasons": {"completed": ["COMPLETED"], "competing": ["DEATH"]},
            "events": {"table": f"{name}-events.csv"} | columns,
        }  # fmt: skip
        return results.publish(tmp_path / f"{name}.yaml", json.dumps(content))

    return write


@pytest.mark.slow
def test_the_command_writes_a_private_file_and_tells_the_limits(folder, table, tmp_path, capsys):
    trial, out = made(9), tmp_path / "risks.csv"
    assert command.main(["score", str(table(trial)), "--model", str(folder), "--out", str(out)]) == 0
    told = capsys.readouterr().out
    scored = pd.read_csv(out, keep_default_na=False)
    expected, _ = own.Kept.load(folder).score(trial)
    assert list(scored) == list(own.OUTPUT)
    assert np.allclose(scored["risk"], expected["risk"], atol=1e-6)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert f"{len(scored)} patients at risk on day 28 scored" in told
    assert "AUROC" in told
    assert "these very patients" not in told
    assert command.main(["score", str(table(trial)), "--model", str(folder), "--out", str(tmp_path / "other.csv")]) == 6


@pytest.mark.slow
def test_a_model_no_better_than_chance_writes_nothing_unless_asked_again(folder, table, tmp_path, capsys):
    out = tmp_path / "risks.csv"
    words = ["score", str(table(made(9))), "--model", str(changed(folder, p=0.2)), "--out", str(out)]
    assert command.main(words) == 3
    assert "ranked no better than chance in its own trial (p 0.200)" in capsys.readouterr().err
    assert not out.exists()
    assert command.main([*words, "--anyway"]) == 0
    assert capsys.readouterr().out.startswith("made: its model ranked no better than chance")
    assert out.exists()


def test_options_of_trials_are_refused_for_the_champion(tmp_path, capsys):
    with pytest.raises(SystemExit):
        command.main(["score", "patients.csv", "--model", str(tmp_path), "--unblinded"])
    assert "go with --model OUT/model" in capsys.readouterr().err


@pytest.fixture
def watched(folder, trial):
    return own.Kept.load(folder), upkeep.at_landmark(own.Kept.load(folder), trial, fitted=True)


@pytest.mark.parametrize(
    ("changes", "advice"),
    [({}, "none"), ({"older": 8.0}, "inspect"), ({"gone_early": 2.0}, "recalibrate"), ({"effect": -1.5}, "retrain")],
)
def test_the_advice_follows_what_changed(watched, changes, advice):
    model, held = watched
    found = upkeep.monitor_trial(model, made(12, **changes), held)
    assert found["advice"] == advice
    assert set(found["alarms"]) == {"psi", "ks", "chi2", "cusum", "auroc", "psi_customary"}
    told = upkeep.told("monitor", found)
    assert monitoring.ACTIONS[advice] in told
    assert "false in 5.0 % of unchanged batches of any size" in told
    assert "AUROC" in told


@pytest.mark.slow
def test_nobody_is_held_against_a_fit_that_saw_them(watched, trial):
    model, held = watched
    assert not np.allclose(held["probability"], model.score(trial)[0]["risk"], atol=1e-3)
    with pytest.raises(ContractError, match="20 to 20,000 patients are needed at the landmark"):
        upkeep.monitor_trial(model, trial, held)
    more = made(12)
    both = dataclasses.replace(
        trial, patients=pd.concat([trial.patients, more.patients], ignore_index=True),
        events=pd.concat([trial.events, more.events], ignore_index=True),
    )  # fmt: skip
    found = upkeep.monitor_trial(model, both, held)
    assert (found["again"], found["patients"]) == (len(held), len(model.score(more)[0]))
    assert f"{len(held)} of its patients are left out" in upkeep.told("monitor", found)


@pytest.mark.slow
def test_with_an_outcome_to_come_only_inputs_are_looked_at(watched):
    model, held = watched
    trial = made(12)
    patients = trial.patients.copy()
    patients.loc[patients["event_day"] > 168, ["event_day", "reason_group"]] = [100.0, "ongoing"]
    found = upkeep.monitor_trial(model, dataclasses.replace(trial, patients=patients), held)
    assert (found["left"], set(found["alarms"])) == (None, {"psi", "ks", "chi2", "psi_customary"})
    assert "not everybody's outcome is known" in upkeep.told("monitor", found)
    unseen = held.assign(dropout=held["dropout"].mask(held.index == held.index[0]))
    assert set(upkeep.monitor_trial(model, made(12), unseen)["alarms"]) == set(found["alarms"])


@pytest.mark.slow
def test_the_models_own_trial_is_found_where_its_run_has_registered_it(trial, found, p, table, tmp_path, monkeypatch):
    monkeypatch.setenv("ATTRITION_OUT", str(tmp_path / "out"))
    place = table(trial, "mine")
    one, _ = own.read(str(place))
    assert own.data_of(dataclasses.replace(one, cut="2020-01-01")) != own.data_of(one)
    trials.register(trials.named([str(place)]), tmp_path / "out")
    own.keep(trial, "mine", found, p, SEED)
    folder = tmp_path / "out" / own.FOLDER
    model = own.Kept.load(folder)
    held = upkeep.reference_trial(model, None, folder)
    pd.testing.assert_frame_equal(held, upkeep.at_landmark(model, trial, fitted=True), check_dtype=False)
    assert command.main(["monitor", str(table(made(12))), "--model", str(folder)]) == 0
    other = upkeep.reference_trial(model, table(made(13), "third"), folder)
    assert np.allclose(other["probability"], model.score(made(13))[0]["risk"])
    table(made(14), "mine")
    with pytest.raises(FileNotFoundError, match="not here as it was"):
        upkeep.reference_trial(model, None, folder)
    with pytest.raises(ContractError, match="nobody in the trial has this input"):
        upkeep.at_landmark(model, made(9, drop=("vital sign",)))
