"""A batch is looked at with the alarms of chapter 08; a new version becomes champion only where it is better."""

import json

import numpy as np
import pandas as pd
import pytest

from attrition import __main__ as command
from attrition import contract, monitoring, paths, registry, score, simulate, tracking
from attrition.contract.strict import ContractError
from attrition.registry import modelcard, upkeep
from notebook_report import results
from tests import champions

RARE = -2.0
"""On the logit: about one patient in eight leaves."""


def drawn(seed, n=300, offset=0.0):
    return simulate.draw_trial(simulate.PUBLISHED_LAW, n, np.random.default_rng(seed), offset)


@pytest.fixture(scope="module")
def trial():
    return simulate.published_trial()


@pytest.fixture(scope="module")
def scorer(trial, tmp_path_factory):
    data = results.publish(tmp_path_factory.mktemp("data") / "trial.csv", simulate.csv_text(trial))
    return registry.train("lr", trial, data, champions.REFITS, 42)


@pytest.fixture(scope="module")
def held(scorer, trial):
    return trial.assign(probability=modelcard.out_of_fold("lr", trial, 5, 42))


@pytest.fixture
def file(tmp_path):
    """Write patients as a file."""
    return lambda patients, name="batch.csv": results.publish(tmp_path / name, simulate.csv_text(patients))


@pytest.mark.slow
def test_nobody_in_the_models_own_trial_is_scored_by_a_fit_that_saw_them(scorer, trial, tmp_path, monkeypatch):
    monkeypatch.setenv("ATTRITION_OUT", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="--reference"):
        upkeep.reference(scorer, None, tmp_path)
    results.publish(paths.raw() / "trial.csv", simulate.csv_text(trial))
    own = upkeep.reference(scorer, None, tmp_path)
    assert np.array_equal(own["probability"], modelcard.out_of_fold("lr", trial, 5, 42))
    assert not np.allclose(own["probability"], scorer.probability(trial), atol=1e-4)
    results.publish(paths.raw() / "trial.csv", simulate.csv_text(drawn(1)))
    with pytest.raises(FileNotFoundError):  # another trial of the same name
        upkeep.reference(scorer, None, tmp_path)


def test_later_patients_are_a_reference_as_the_model_scores_them(scorer, file):
    later = drawn(2)
    found = upkeep.reference(scorer, file(later, "later.csv"), paths.ROOT)
    assert np.array_equal(found["probability"], scorer.probability(later))


def test_out_of_fold_probabilities_stand_in_the_order_of_the_patients(scorer, trial):
    shuffled = trial.sample(frac=1, random_state=1).reset_index(drop=True)
    found = modelcard.out_of_fold("lr", shuffled, 5, 42)
    assert np.corrcoef(found, scorer.probability(shuffled))[0, 1] > 0.95


@pytest.mark.parametrize(
    ("change", "advice"),
    [
        (lambda batch: batch.assign(adverse_events=batch["adverse_events"] // 2), "inspect"),
        (lambda batch: batch.assign(dropout=1 - batch["dropout"]), "retrain"),
        (lambda batch: batch, "none"),
    ],
)
def test_the_advice_follows_what_changed(scorer, held, file, change, advice):
    found = upkeep.monitor(scorer, file(change(drawn(3))), held)
    assert found["advice"] == advice
    assert set(found["alarms"]) == set(monitoring.NAMES)
    assert found["left"] is not None


def test_a_shifted_event_rate_asks_for_recalibration(scorer, held, file):
    batch = drawn(3, 600, RARE)
    found = upkeep.monitor(scorer, file(batch), held)
    assert (found["advice"], upkeep.CODES[found["advice"]]) == ("recalibrate", 11)
    assert found["left"] == batch["dropout"].sum()


@pytest.mark.slow
def test_without_outcomes_only_inputs_are_looked_at(scorer, held, file):
    asked = drawn(4)[upkeep.ASKED.names]
    found = upkeep.monitor(scorer, file(asked), held)
    assert set(found["alarms"]) == {"psi", "ks", "chi2", "psi_customary"}
    assert found["left"] is None
    assert found["false_advice"] == found["alarms"]["chi2"]["false_alarm_rate"]
    assert "there is no column dropout" in upkeep.told("monitor", found)
    half = upkeep.monitor(scorer, file(asked.assign(adverse_events=asked["adverse_events"] // 2)), held)
    assert half["advice"] == "inspect"


def test_a_batch_in_which_all_left_has_no_ranking(scorer, held, file):
    found = upkeep.monitor(scorer, file(drawn(5, 40).assign(dropout=1)), held)
    assert "auroc" not in found["alarms"]
    assert found["alarms"]["cusum"]["alarm"]


def test_false_alarm_rates_are_those_that_chapter_08_counted(tmp_path, monkeypatch):
    chapter = json.loads((paths.ROOT / "reports" / "results" / "08_monitoring.json").read_text(encoding="utf-8"))
    size, rates = upkeep.false_alarms(150)
    assert size == "200"
    assert upkeep.false_alarms(60)[0] == "50"
    assert rates["chi2"] == chapter["false_alarm_rate"]["chi2"]["200"]["value"]
    assert rates["seed_rule"] == chapter["seed_rule"]["alarm_rate"]["200"]["value"]
    acted = [rate["value"] for action, rate in chapter["actions"]["none"]["200"].items() if action != "none"]
    assert rates["advice"] == pytest.approx(sum(acted))
    monkeypatch.setenv("ATTRITION_OUT", str(tmp_path))
    assert upkeep.false_alarms(150) == ("", {})


def test_rates_that_nobody_counted_are_not_told(scorer, held, file, tmp_path, monkeypatch):
    monkeypatch.setenv("ATTRITION_OUT", str(tmp_path))
    told = upkeep.told("monitor", upkeep.monitor(scorer, file(drawn(6)), held))
    assert "unchanged batches" not in told
    assert "inputs, chi-squared" in told


@pytest.mark.slow
def test_unchanged_batches_alarm_at_the_level(scorer, monkeypatch):
    """Ten models, fitted to trials of their own, with 20 batches each: five per cent, within four standard errors."""
    monkeypatch.setattr(upkeep, "DEALS", 99)
    rings = []
    for r in range(10):
        own = drawn(100 + r, 500)
        fitted = registry.models.pipeline("lr", strategy="none").fit(own, own["dropout"])
        model = score.Scorer(fitted, score.Support.of(own), None, scorer.card)
        reference = own.assign(probability=modelcard.out_of_fold("lr", own, 5, r))
        looks = [upkeep.compare(model, drawn(1000 + 20 * r + i, 100), reference)[0] for i in range(20)]
        rings += [[p <= monitoring.ALPHA for p in look.p.values()] for look in looks]
    assert np.mean(rings, axis=0).max() <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / len(rings))


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda t: t.head(19), "20 to 20,000 patients are needed"),
        (lambda t: t.drop(columns="age"), "line 1, column age: the column is missing"),
        (lambda t: t.assign(dropout=[2, *t["dropout"].tolist()[1:]]), "line 2, column dropout: outside 0 to 1"),
        (lambda t: pd.concat([t, t.tail(1)]), "line 302, column patient_id: the patient stands in an earlier row"),
    ],
)
def test_a_batch_that_breaks_the_contract_is_refused(scorer, held, file, change, rule):
    with pytest.raises(ContractError, match=rule):
        upkeep.monitor(scorer, file(change(drawn(7))), held)


def test_a_large_batch_is_refused_before_it_is_read_whole(scorer, held, file, monkeypatch):
    monkeypatch.setattr(upkeep, "MOST", 250)
    with pytest.raises(ContractError, match="20 to 250 patients"):
        upkeep.monitor(scorer, file(drawn(8)), held)


def test_the_models_own_patients_are_no_batch(scorer, held, trial, file):
    mixed = pd.concat([drawn(9).assign(patient_id=lambda t: "N" + t["patient_id"]), trial.iloc[[4]]])
    with pytest.raises(ContractError, match="line 302: this very patient is one of the model's own") as caught:
        upkeep.monitor(scorer, file(mixed), held)
    assert trial["patient_id"].iloc[4] not in str(caught.value)


def retrained(scorer, path, folder, seen=None):
    return upkeep.retrain(scorer, path, folder, seen, named=False)


@pytest.mark.slow
def test_a_version_of_patients_as_before_is_not_better(scorer, file, tmp_path):
    found = retrained(scorer, file(drawn(10)), tmp_path / "new")
    assert not found["better"]
    assert found["alias"] == "trial-dropout@challenger"
    assert score.Scorer.load(tmp_path / "new").card["n_patients"] == 300
    assert "not better than the present one on 300 patients" in upkeep.told("retrain", found)


@pytest.mark.slow
def test_a_version_of_a_changed_world_is_better_and_says_by_how_much(scorer, file, tmp_path):
    new = drawn(11, 500, RARE)
    found = retrained(scorer, file(new), tmp_path / "new")
    assert (found["better"], found["alias"]) == (True, "trial-dropout@champion")
    squares = [(new["dropout"] - p) ** 2 for p in (scorer.probability(new), modelcard.out_of_fold("lr", new, 5, 42))]
    difference = squares[0] - squares[1]
    assert found["gain"]["value"] == pytest.approx(difference.mean())
    half = 1.96 * difference.std() / np.sqrt(len(new))
    assert found["gain"]["ci_low"] == pytest.approx(difference.mean() - half, rel=0.1)
    assert f"gain in Brier score {difference.mean():.4f} (" in upkeep.told("retrain", found)


@pytest.mark.parametrize(("gain", "better"), [((0.01, 0.004), True), ((0.01, -0.001), False), ((0.001, 0.0005), False)])
def test_better_needs_the_margin_and_the_interval(scorer, file, tmp_path, monkeypatch, gain, better):
    interval = {"value": gain[0], "ci_low": gain[1], "ci_high": 0.03}
    monkeypatch.setattr(upkeep, "_gained", lambda *_: interval)
    assert retrained(scorer, file(drawn(10)), tmp_path / "new")["better"] is better


def test_a_gain_is_positive_whichever_way_is_better():
    y, rule = np.array([0, 1] * 50), {"metric": "auroc", "better": "higher", "margin": 0}
    assert upkeep._gained(y, y * 0.5 + 0.2, 0.5 - 0.2 * y, rule, 1)["value"] == pytest.approx(1)


@pytest.mark.slow
def test_neither_is_judged_on_what_the_present_one_was_fitted_to(scorer, held, trial, file, tmp_path):
    more = pd.concat([trial, drawn(12).assign(patient_id=lambda t: "N" + t["patient_id"])], ignore_index=True)
    found = retrained(scorer, file(more), tmp_path / "new", held)
    assert (found["patients"], found["left"]) == (300, more["dropout"].iloc[1000:].sum())
    assert score.Scorer.load(tmp_path / "new").card["n_patients"] == 1300
    with pytest.raises(ContractError, match="20 patients who left and 20 who stayed are needed"):
        retrained(scorer, file(trial), tmp_path / "other", held)
    assert not (tmp_path / "other").exists()


@pytest.mark.slow
def test_the_commands_say_what_is_wrong_in_one_line(tmp_path, capsys):
    assert command.main(["monitor", str(tmp_path / "no.csv"), "--model", str(tmp_path)]) == 2
    assert "neither a folder with card.json" in capsys.readouterr().err
    assert command.main(["retrain", "no.csv", "--out", str(tmp_path)]) == 6
    assert "it is there already" in capsys.readouterr().err
    assert command.main(["retrain", "no.csv", "--out", str(tmp_path / "no" / "new")]) == 6
    assert "there is no such folder" in capsys.readouterr().err


@pytest.mark.slow
def test_the_alias_of_the_champion_moves_to_a_better_version_only(tmp_path, file, capsys):
    with champions.registered(tmp_path):
        present = registry.load()
        alike, other = str(file(drawn(10), "alike.csv")), str(file(drawn(11, 500, RARE), "other.csv"))
        assert command.main(["retrain", alike, "--out", str(tmp_path / "a")]) == 0
        assert "registered as version 2, trial-dropout@challenger" in capsys.readouterr().out
        assert registry.load().card == present.card
        assert registry.load("trial-dropout@challenger").card["data"] == "alike.csv"
        beaten = tracking.client().get_model_version_by_alias(registry.NAME, upkeep.CHALLENGER).run_id
        assert tracking.client().get_run(beaten).info.run_name == "challenger"
        assert command.main(["retrain", other, "--out", str(tmp_path / "b")]) == 0
        assert "registered as version 3, trial-dropout@champion" in capsys.readouterr().out
        assert registry.load().card["data"] == "other.csv"
        run = tracking.client().get_model_version_by_alias(registry.NAME, registry.ALIAS).run_id
        assert tracking.client().get_run(run).data.metrics["gain.value"] > 0.002
        assert command.main(["retrain", other, "--model", str(tmp_path / "a"), "--out", str(tmp_path / "c")]) == 0
        assert "not registered" in capsys.readouterr().out


def test_the_contract_of_a_batch_is_that_of_scoring():
    assert upkeep.ASKED.names == score.INPUT.names
    assert upkeep.KNOWN.names == [*score.INPUT.names, "dropout"]
    assert upkeep.KNOWN.columns[-1] in contract.TRIAL.columns
