"""Every planted leak is refused, no honest run is, and the prices are those of plain recomputation."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from attrition import params, seeds, studies
from attrition.landmark import cohort, guard, prediction
from attrition.landmark.guard import LeakError
from attrition.resampling import repeated_folds
from attrition.studies import leaks


@pytest.fixture(scope="module")
def small(pilot):
    """The pilot without its lab results: quick to copy."""
    return dataclasses.replace(pilot, events=pilot.events[pilot.events["kind"] != "lab"].reset_index(drop=True))


@pytest.fixture(scope="module")
def p():
    return dataclasses.replace(params.load("06_real_trial", "quick"), leak_repeats=1, leak_trials=2, n_bootstraps=50)


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def honest_table(trial, day):
    return prediction.encoded(cohort.features(trial, day))[0]


def declared_days(trial, day):
    table = cohort.dictionary(trial, day).set_index("feature")["known_day"]
    names = honest_table(trial, day).columns
    return {name: next(v for k, v in table.items() if name == k or name.startswith(f"{k}_")) for name in names}


def task(rng, n=120, features=6, events=0.3):
    y = (np.arange(n) < events * n).astype(int)
    rng.shuffle(y)
    X, site = rng.standard_normal((n, features)), rng.integers(0, 12, n)
    return leaks.Task(X, y, np.arange(n), site, rng.standard_normal((n, 60)), 5, 1, 3, 0.1)


def rows_of(one, n_rows=3, rng=None):
    who = np.repeat(one.patient, n_rows)
    X = np.column_stack([one.X[who], rng.standard_normal(len(who))])
    return dataclasses.replace(one, X=X, y=one.y[who], patient=who)


@pytest.mark.parametrize("leak", leaks.FEATURES.values(), ids=leaks.FEATURES)
def test_a_planted_feature_is_refused_by_its_declared_day(small, leak):
    column = leak(small, pd.Index(cohort.at_risk(small, 28)))
    last = small.events["known_day"].max()
    with pytest.raises(LeakError, match="after the landmark"):
        guard.guard(column.to_frame("planted"), {"planted": last}, 28)


@pytest.mark.parametrize("leak", leaks.FEATURES.values(), ids=leaks.FEATURES)
def test_a_planted_feature_that_lies_about_its_day_is_refused_by_rebuilding(small, leak):
    def build(trial):
        ids = pd.Index(cohort.at_risk(trial, 28), name="id")
        return pd.DataFrame({"planted": leak(trial, ids)}, index=ids)

    with pytest.raises(LeakError, match="planted: changes when records after day 28 are deleted"):
        guard.guard(build(small), {"planted": 28}, 28, build=build, trial=small)


@pytest.mark.parametrize("name", ["visit_number_reached", "exposure_records", "completion_flag"])
def test_the_screen_finds_a_strong_leak_under_an_innocent_name(small, name):
    y = cohort.target(small, 28)
    column = leaks.FEATURES[name](small, y.index).to_frame("score")
    with pytest.raises(LeakError, match="column score: alone it ranks leavers"):
        guard.guard(column, {"score": 28}, 28, y=y.to_numpy())


@pytest.mark.parametrize("name", sorted(guard.DERIVED))
def test_every_derived_variable_is_refused_by_name(name):
    for spelled in (name, name.lower(), f"{name.lower()}_y"):
        with pytest.raises(LeakError, match="derives it from the outcome"):
            guard.guard(pd.DataFrame({spelled: [0.0]}), {spelled: 1}, 28)


def test_a_category_is_derived_by_its_whole_name_only():
    X = pd.DataFrame({"reason_code": ["a", "b"], "Status": ["c", "d"], "time_zone": ["e", "f"]})
    with pytest.raises(LeakError, match=r"^Status: CDISC derives it from the outcome$"):
        guard.guard(X, dict.fromkeys(X, 1), 28)


def test_a_feature_without_a_declared_day_is_refused():
    with pytest.raises(LeakError, match="declares no day"):
        guard.guard(pd.DataFrame({"x": [0.0]}), {}, 28)


def test_missingness_that_tells_the_outcome_is_found():
    y = np.repeat([0, 1], 60)
    x = np.where(y == 1, np.nan, np.tile([0.0, 1.0], 60))
    with pytest.raises(LeakError, match="alone"):
        guard.guard(pd.DataFrame({"x": x}), {"x": 1}, 28, y=y)


@pytest.mark.slow
def test_a_category_without_a_signal_is_not_suspected(rng):
    for _ in range(50):
        X = pd.DataFrame({"few": rng.choice(list("abc"), 60), "many": rng.choice(list("abcdefghijklmnop"), 60)})
        assert guard.screen(X.astype("str"), rng.permutation(np.repeat([0, 1], 30))).empty


def test_a_category_that_is_missing_for_those_who_left_is_found():
    y = np.repeat([0, 1], 60)
    x = pd.Series(np.where(y == 1, None, np.tile(["a", "b"], 60)), dtype="str")
    assert guard.screen(pd.DataFrame({"x": x}), y).to_dict() == {"x": 1.0}


def test_a_category_of_one_level_or_with_one_event_tells_nothing():
    assert guard.screen(pd.DataFrame({"x": ["a"] * 20}), np.repeat([0, 1], 10)).empty
    assert guard.screen(pd.DataFrame({"x": list("ab") * 10}), np.eye(20, dtype=int)[0]).empty


def test_the_message_lists_every_offender():
    X = pd.DataFrame({"TRTDURD": [0.0], "late": [1.0], "fine": [1.0]})
    with pytest.raises(LeakError) as refused:
        guard.guard(X, {"TRTDURD": 1, "late": 90, "fine": 3}, 28)
    assert "TRTDURD" in str(refused.value)
    assert "late" in str(refused.value)
    assert "fine" not in str(refused.value)


@pytest.mark.slow
def test_fifty_clean_runs_pass(small):
    """Honest features of random halves of the trial, at random landmarks, with every check on."""
    tables = {
        day: (honest_table(small, day), declared_days(small, day), cohort.target(small, day)) for day in small.landmarks
    }
    for day in small.landmarks:
        X, declared, y = tables[day]
        guard.guard(X, declared, day, y.to_numpy(), lambda trial, day=day: honest_table(trial, day), small)
    for number in range(50):
        rng = seeds.stream(5, "clean", number)
        day = int(rng.choice(small.landmarks))
        X, declared, y = tables[day]
        rows = np.sort(rng.choice(len(y), len(y) * 2 // 3, replace=False))
        guard.guard(X.iloc[rows], declared, day, y.to_numpy()[rows])


def test_folds_that_share_a_patient_are_refused(rng):
    stacked = rows_of(task(rng), rng=rng)
    with pytest.raises(LeakError, match="both parts of a fold"):
        guard.guard_folds(stacked.folds(), stacked.patient)
    guard.guard_folds(leaks.grouped_folds(stacked), stacked.patient)


PLANTED = [leak for leak in leaks.PROCEDURES if leak.__name__ != "repeated_patients"]


@pytest.mark.slow
@pytest.mark.parametrize("leak", PLANTED, ids=lambda leak: leak.__name__)
def test_a_leaky_procedure_is_refused_and_the_honest_one_is_not(rng, leak):
    one = task(rng)

    def procedure(honest):
        def run(y, _):
            _, rows, scores = leak(dataclasses.replace(one, y=y), honest)
            return rows, scores[:, 0]

        return run

    with pytest.raises(LeakError, match="shuffled outcomes"):
        guard.guard_procedure(procedure(False), one.y, rng, n_permutations=15)
    assert guard.guard_procedure(procedure(True), one.y, rng, n_permutations=15) < 0.55


@pytest.mark.slow
def test_fifty_clean_procedures_pass():
    for number in range(50):
        rng = np.random.default_rng(number)
        one = task(rng, n=80)

        def run(y, _, one=one):
            folds = repeated_folds(y, 5, 1, 1)
            return y, dataclasses.replace(one, y=y, C=0.1).oof(one.X, folds)[:, 0]

        guard.guard_procedure(run, one.y, rng, n_permutations=10)


def test_fast_out_of_fold_agrees_with_scikit_learn(rng):
    one = task(rng)
    folds = one.folds()
    found = dataclasses.replace(one, C=0.1).oof(one.X, folds)
    for fold in folds:
        scaler = StandardScaler().fit(one.X[fold.train])
        model = LogisticRegression(C=0.1, tol=1e-10, max_iter=1000).fit(
            scaler.transform(one.X[fold.train]), one.y[fold.train]
        )
        expected = model.predict_proba(scaler.transform(one.X[fold.test]))[:, 1]
        np.testing.assert_allclose(found[fold.test, fold.repeat], expected, atol=1e-6)


def test_selection_within_folds_does_not_look_at_the_test_part(rng):
    """Changing the outcome of the test part must not change what is selected for it."""
    one = task(rng)
    fold = one.folds()[0]
    changed = one.y.copy()
    changed[fold.test] = 1 - changed[fold.test]
    before = leaks._strongest(one.candidates, one.y, fold.train, one.w)
    after = leaks._strongest(one.candidates, changed, fold.train, one.w)
    everybody = np.arange(len(one.y))
    assert before.tolist() == after.tolist()
    assert set(leaks._strongest(one.candidates, one.y, everybody, one.w)) != set(
        leaks._strongest(one.candidates, changed, everybody, one.w)
    )


@pytest.mark.slow
def test_a_weight_of_two_is_a_row_that_stands_twice(rng):
    """Fits, choices and rates of both twins go by the weights of censoring, as the measures do."""
    one = dataclasses.replace(task(rng), weight=rng.integers(1, 3, 120).astype(float))
    rows = np.repeat(np.arange(120), one.w.astype(int))
    chosen = leaks._strongest(one.candidates, one.y, np.arange(120), one.w)
    again = leaks._strongest(one.candidates[rows], one.y[rows], np.arange(len(rows)), np.ones(len(rows)))
    assert chosen.tolist() == again.tolist()
    fold = one.folds()[0]
    train = np.repeat(fold.train, one.w[fold.train].astype(int))
    scaler = StandardScaler().fit(one.X[train])
    model = LogisticRegression(C=0.1, tol=1e-10, max_iter=1000).fit(scaler.transform(one.X[train]), one.y[train])
    expected = model.predict_proba(scaler.transform(one.X[fold.test]))[:, 1]
    np.testing.assert_allclose(one.oof(one.X, one.folds())[fold.test, 0], expected, atol=1e-6)
    heavy = dataclasses.replace(one, weight=np.where(one.y == 1, 1000.0, 1.0))
    for leak in leaks.PROCEDURES:
        if leak is not leaks.imputation_with_outcome:
            assert leak(heavy, True)[2].mean() > leak(dataclasses.replace(heavy, weight=None), True)[2].mean() + 0.2


def test_price_is_the_difference_of_two_aurocs(rng):
    one = task(rng)
    honest, leaky = (leaks.selection_outside_folds(one, flag) for flag in (True, False))
    weights = rng.multinomial(120, np.full(120, 1 / 120), size=40).T.astype(float)
    found = leaks.price("x", honest, leaky, weights)
    assert found["honest"] == pytest.approx(roc_auc_score(one.y, honest[2][:, 0]))
    assert found["leaky"] == pytest.approx(roc_auc_score(one.y, leaky[2][:, 0]))
    assert found["difference"] == pytest.approx(found["leaky"] - found["honest"])
    assert found["ci_low"] <= found["difference"] <= found["ci_high"]


def test_resamples_draw_patients_with_all_their_rows(rng):
    stacked = rows_of(task(rng), rng=rng)
    scores = rng.random((len(stacked.y), 1))
    weights = np.zeros((120, 30))
    drawn = rng.choice(120, 120)
    np.add.at(weights, drawn, 1)
    found = leaks.price("x", (stacked.patient, stacked.y, scores), (stacked.patient, stacked.y, -scores), weights)
    rows = np.concatenate([np.flatnonzero(stacked.patient == who) for who in drawn])
    value = roc_auc_score(stacked.y[rows], scores[rows, 0])
    ends = np.array([found["ci_low"], found["ci_high"]])
    assert np.abs(ends - (1 - 2 * value)).min() < 1e-12


@pytest.mark.slow
def test_price_list_of_the_pilot(pilot, p):
    table = leaks.price_list(pilot, p, 42).set_index("leak")
    assert len(table) == len(leaks.FEATURES) + len(leaks.PROCEDURES) >= 8
    assert (table["honest"] < 0.75).all()
    assert table.loc["visit_number_reached", "leaky"] > 0.9
    assert (table.loc[[leak.__name__ for leak in leaks.PROCEDURES], "difference"] > 0).all()


@pytest.mark.slow
def test_simulated_prices_made_anew_are_the_committed_ones():
    kept = studies.committed(leaks.NAME)
    table = pd.DataFrame(leaks.run(kept["n_trials"], 0, kept["seed"])["rows"])
    committed = pd.DataFrame(kept["rows"])[list(table)]
    pd.testing.assert_frame_equal(committed, table, check_dtype=False, atol=1e-6)
    assert len(table) >= 8
    assert table["n_trials"].eq(20).all()
    np.testing.assert_allclose(table["difference"], table["leaky"] - table["honest"])


def test_forgetting_leaves_nobody_who_leaves_later(small):
    then = guard.forget(small, 56)
    assert cohort.counts(then, 56)["all_cause"] == 0
    assert cohort.counts(then, 56)["at_risk"] == cohort.counts(small, 56)["at_risk"]
    assert then.events["known_day"].max() <= 56


def test_both_twins_of_tuning_share_their_fits_and_some_rows_choose(rng, monkeypatch):
    one, fits, sizes = task(rng, n=400), leaks._settings_oof, []
    honest, leaky = (leaks.tuning_on_test(one, side)[2] for side in (True, False))

    def spied(of, rows, folds):
        sizes.append(len(rows))
        return fits(of, rows, folds)

    monkeypatch.setattr(leaks, "_settings_oof", spied)
    monkeypatch.setattr(leaks, "CHOOSE", 48)
    again = dataclasses.replace(one)
    some, same = (leaks.tuning_on_test(again, side)[2] for side in (True, False))
    assert sizes == [400, *[160] * 5]  # of 320 rows, 96 events, every second
    np.testing.assert_array_equal(leaky, same)
    shares = [roc_auc_score(one.y, found[:, 0]) for found in (honest, some)]
    assert abs(np.diff(shares)[0]) < 0.1
    assert not np.array_equal(honest, some)
