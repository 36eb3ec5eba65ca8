import hashlib

import numpy as np
import pandas as pd
import pytest

from attrition import __main__ as command
from attrition import contract, simulate
from attrition.simulate import law as laws
from attrition.simulate.law import Law

LAW = Law()


@pytest.fixture(scope="module")
def published():
    return simulate.published_trial()


@pytest.fixture(scope="module")
def large():
    return simulate.draw_trial(LAW, 200_000, np.random.default_rng(11))


def test_the_published_trial_has_the_published_bytes(published):
    assert simulate.md5(published) == "132b617e5cb92e49e33bc50ed914abec"
    assert list(published.columns) == list(simulate.COLUMNS)


def test_the_random_state_of_the_process_is_left_alone():
    np.random.seed(7)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    simulate.published_trial()
    simulate.random_baseline()
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def test_contradictions_are_counted_patient_by_patient(published):
    found = contract.contradictions(published).set_index("key")["n_patients"]
    late, follow, unflagged = 0, 0, 0
    for row in published.itertuples():
        late += row.dropout == 1 and row.last_visit_day > row.dropout_day
        follow += row.dropout == 1 and row.days_in_trial > row.dropout_day
        unflagged += row.dropout == 1 and row.dropout_day <= 30 and not row.dropout_30_days
    assert found["last_visit_after_dropout"] == late == 390
    assert found["follow_up_after_dropout"] == follow == 516
    assert found["unflagged_30_day_dropout"] == unflagged == 19


def test_a_trial_without_contradictions_counts_none():
    trial = pd.DataFrame(
        {
            "dropout": [1, 0],
            "dropout_day": [45, 0],
            "last_visit_day": [40, 90],
            "days_in_trial": [45, 100],
            "visits_completed": [2, 3],
            "dropout_30_days": [0, 0],
        }
    )
    assert contract.contradictions(trial)["n_patients"].sum() == 0


def test_risk_by_hand():
    patient = pd.DataFrame(
        {
            "age": [30],
            "treatment_group": ["Control"],
            "trial_phase": ["Phase II"],
            "days_in_trial": [119],
            "visits_completed": [2],
            "adverse_events": [3],
        }
    )
    by_hand = 0.35 * 100 * 3 / 120 + 0.30 * (1 - 2 / (119 / 30 + 1)) + 0.2 * 0.5 + 0.1 * 0.3 + 0.05
    assert simulate.risk(LAW, patient)[0] == pytest.approx(by_hand, abs=1e-14)
    assert simulate.probability(LAW, by_hand)[()] == pytest.approx(1 / (1 + np.exp(-3 * (by_hand - 0.5))))


def test_an_unknown_arm_has_no_risk(published):
    assert np.isnan(simulate.arm_risk(LAW, published["treatment_group"].replace("Active", "Other"))).any()


@pytest.mark.parametrize("n", [1, 2, 1000])
def test_a_drawn_trial_has_the_columns_and_kinds_of_the_published_one(published, n):
    trial = simulate.draw_trial(LAW, n, np.random.default_rng(0))
    pd.testing.assert_series_equal(trial.dtypes, published.dtypes)
    assert len(trial) == n


def test_drawn_trials_follow_the_law_s_moments(large):
    assert large["age"].mean() == pytest.approx(51, abs=0.15)
    assert large["days_in_trial"].mean() == pytest.approx(197, abs=0.8)
    for column, levels in [("gender", laws.GENDERS), ("treatment_group", laws.ARMS)]:
        assert large[column].value_counts(normalize=True)[list(levels)].to_numpy() == pytest.approx(1 / 3, abs=0.005)
    expected = laws.adverse_event_mean(large["age"].to_numpy(), large["days_in_trial"].to_numpy()).mean()
    assert large["adverse_events"].mean() == pytest.approx(expected, abs=0.01)


@pytest.mark.slow
def test_dropout_follows_the_probability_with_noise(large):
    score = simulate.risk(LAW, large)
    for low, high in [(0.3, 0.35), (0.5, 0.55), (0.8, 0.85)]:
        chosen = (score > low) & (score < high)
        noise = np.random.default_rng(5).normal(0, LAW.noise_sd, (200, chosen.sum()))
        expected = simulate.probability(LAW, score[chosen] + noise).mean()
        error = 4 * np.sqrt(expected * (1 - expected) / chosen.sum())
        assert large.loc[chosen, "dropout"].mean() == pytest.approx(expected, abs=error)


def test_timing_keeps_the_law_s_rules(large):
    stayed = large.loc[large["dropout"] == 0]
    assert (stayed[["dropout_day", "early_dropout", "late_dropout", "dropout_30_days"]] == 0).all(axis=None)
    gone = large.loc[large["dropout"] == 1]
    assert (gone["early_dropout"] + gone["late_dropout"] == 1).all()
    assert gone["dropout_day"].between(1, gone["days_in_trial"]).all()
    assert gone.loc[gone["late_dropout"] == 1, "dropout_day"].min() == laws.EARLY_DAY
    assert gone.loc[gone["early_dropout"] == 1, "dropout_day"].max() < laws.EARLY_DAY
    assert (gone.loc[gone["dropout_30_days"] == 1, "dropout_day"] <= 30).all()


def test_timing_of_drawn_and_published_trials_agrees(published, large):
    """Same rules from two implementations: shares of the kinds of dropout agree within sampling error."""
    gone, drawn = (trial.loc[trial["dropout"] == 1] for trial in (published, large))
    for column in ("early_dropout", "dropout_30_days"):
        share = drawn[column].mean()
        assert gone[column].mean() == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / len(gone)))


def test_prevalence_offset_moves_the_dropout_rate(large):
    fewer = simulate.draw_trial(LAW, 50_000, np.random.default_rng(3), prevalence_offset=-1.6542)
    assert fewer["dropout"].mean() == pytest.approx(0.24, abs=0.01)
    assert large["dropout"].mean() == pytest.approx(0.5343, abs=0.005)


def test_chunks_run_on_and_repeat():
    first, second = (pd.concat(simulate.draw_chunks(LAW, 250, np.random.default_rng(9), chunk=100)) for _ in range(2))
    pd.testing.assert_frame_equal(first, second)
    assert first["patient_id"].tolist() == simulate.patient_ids(250).tolist()


def test_baseline_outcome_ignores_the_features():
    baseline = simulate.random_baseline()
    assert len(baseline) == 1000
    assert baseline["dropout"].mean() == pytest.approx(0.2, abs=0.04)
    numeric = baseline.select_dtypes("number")
    assert numeric.drop(columns="dropout").corrwith(baseline["dropout"]).abs().max() < 4 / np.sqrt(1000)


def test_the_published_formula_is_not_the_law(published):
    formula = simulate.published_formula(published)
    assert formula.min() > 0.5
    assert np.abs(formula - simulate.probability(LAW, simulate.risk(LAW, published))).max() > 0.3


@pytest.mark.slow
def test_the_published_generator_with_another_seed_or_size_gives_trials_of_the_contract(published, tmp_path):
    for n, seed in ((1, 42), (12_000, 42), (1000, 43)):
        path = tmp_path / "trial.csv"
        path.write_text(simulate.csv_text(simulate.published_trial(n, seed)))
        assert len(contract.read_trial(path)) == n
    other = simulate.published_trial(1000, 43)
    assert (other["age"] != published["age"]).mean() > 0.9
    assert abs(other["dropout"].mean() - published["dropout"].mean()) < 0.07


def test_the_command_writes_the_published_bytes_and_the_same_ones_again(tmp_path, capsys):
    out = tmp_path / "trial.csv"
    for _ in range(2):
        assert command.main(["simulate", "--n", "1000", "--seed", "42", "--out", str(out)]) == 0
    assert hashlib.md5(out.read_bytes()).hexdigest() == simulate.PUBLISHED_MD5
    assert capsys.readouterr().out.splitlines()[1] == (
        f"{out}: 1,000 patients, 525 of them left; md5 {simulate.PUBLISHED_MD5}"
    )


def test_the_command_leaves_alone_what_is_not_its_own(tmp_path, capsys):
    mine, link = tmp_path / "mine.csv", tmp_path / "link.csv"
    mine.write_text("patient_id,age\nA,61\n")
    link.symlink_to(tmp_path / "nowhere.csv")
    for taken in (mine, link, tmp_path):
        assert command.main(["simulate", "--n", "30", "--out", str(taken)]) == 6
        assert "it is there already, and stays as it is" in capsys.readouterr().err
    assert mine.read_text() == "patient_id,age\nA,61\n"
    assert not (tmp_path / "nowhere.csv").exists()
    assert command.main(["simulate", "--out", str(tmp_path / "no" / "trial.csv")]) == 6
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize("words", [("--n", "0"), ("--n", "1000001"), ("--n", "ten"), ("--seed", "-1")])
def test_the_command_refuses_numbers_that_make_no_trial(words, tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        command.main(["simulate", *words, "--out", str(tmp_path / "trial.csv")])
    assert words[0] in capsys.readouterr().err
    assert not (tmp_path / "trial.csv").exists()
